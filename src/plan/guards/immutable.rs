//! What can't be changed in place is not tried: the change would need another cluster, and the loss of this one.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use serde_json::Value;

use super::{Facts, Guard, Refusal};
use crate::plan::change::{Action, Change, FieldDiff, Reason};
use crate::resource::{Part, ResourceId, Target, UnitId};

/// Refuses changes of fields that are fixed at creation.
///
/// For most of them the API server compares the old value with the new one, so that it lets a field be added or taken out
/// later, which the operator then ignores or stumbles over: that is refused here too. What somebody else changed is put
/// back, where the server lets it.
pub(super) struct Immutable;

const HOSTED_CLUSTER: &[&str] = &[
    ".spec.capabilities",
    ".spec.clusterID",
    ".spec.controllerAvailabilityPolicy",
    ".spec.dns",
    ".spec.etcd",
    ".spec.fips",
    ".spec.infraID",
    ".spec.issuerURL",
    ".spec.networking.allocateNodeCIDRs",
    ".spec.networking.apiServer.advertiseAddress",
    ".spec.networking.apiServer.port",
    ".spec.networking.clusterNetwork",
    ".spec.networking.machineNetwork",
    ".spec.networking.networkType",
    ".spec.networking.serviceNetwork",
    ".spec.olmCatalogPlacement",
    ".spec.operatorConfiguration.clusterNetworkOperator.disableMultiNetwork",
    ".spec.operatorConfiguration.clusterNetworkOperator.ovnKubernetesConfig.ipv6",
    ".spec.operatorConfiguration.clusterNetworkOperator.ovnKubernetesConfig.mtu",
    ".spec.operatorConfiguration.clusterNetworkOperator.ovnKubernetesConfig.v4InternalSubnet",
    ".spec.operatorConfiguration.clusterNetworkOperator.ovnKubernetesConfig.v6InternalSubnet",
    ".spec.platform",
    ".spec.services",
];

/// What may be set and changed, and not taken out again.
const STAYS: &[&str] = &[
    ".spec.operatorConfiguration.clusterNetworkOperator.ovnKubernetesConfig",
    ".spec.secretEncryption",
    ".spec.secretEncryption.type",
];

const NODE_POOL: &[&str] = &[
    ".spec.arch",
    ".spec.clusterName",
    ".spec.management.upgradeType",
    ".spec.platform.type",
];

/// Of what Cluster API Provider OCI has made a network for.
const INFRASTRUCTURE: &[&str] = &[".spec.compartmentId", ".spec.ociResourceIdentifier", ".spec.region"];

const CAPI_CLUSTER: &[&str] = &[
    ".spec.clusterNetwork.pods",
    ".spec.clusterNetwork.serviceDomain",
    ".spec.clusterNetwork.services",
    ".spec.controlPlaneRef",
    ".spec.infrastructureRef",
];

const MACHINE_POOL: &[&str] = &[".spec.clusterName", ".spec.selector"];

fn fixed(kind: &str) -> &'static [&'static str] {
    match kind {
        "Cluster" => CAPI_CLUSTER,
        "OCICluster" | "OCIManagedCluster" => INFRASTRUCTURE,
        "MachineDeployment" | "MachinePool" => MACHINE_POOL,
        // Its name tells its content: machines that it made would not be what it says.
        kind if Part::of(kind) == Some(Part::Template) => &[".spec"],
        "HostedCluster" => HOSTED_CLUSTER,
        "NodePool" => NODE_POOL,
        _ => &[],
    }
}

pub(super) fn is_fixed(kind: &str, diff: &FieldDiff) -> bool {
    let taken_out = kind == "HostedCluster" && diff.after.is_none() && STAYS.contains(&diff.field.as_str());
    taken_out || fixed(kind).iter().any(|of| is_within(&diff.field, of))
}

fn lift(change: &Change, fields: &[&str]) -> &'static str {
    if fields.iter().any(|field| change.mutated.contains(*field)) {
        "the files don't ask for that, a mutating webhook of the management cluster adds it: mend the webhook, or have it \
         pass over this object"
    } else if change.id.target == Target::Oci && change.fields.iter().any(|diff| diff.field == ".spec.peerId") {
        "a gateway is connected once, and for good: delete it by hand, and before it the routes that lead there; the next \
         run makes it anew, connects it and puts the routes back"
    } else if change.id.target == Target::Oci && change.id.kind == "DnsRecords" {
        "records of another zone are others: take `dns.zone` out and apply that, which takes the old ones away (type each \
         service's `address` meanwhile), then name the other zone; until then their names lead nowhere"
    } else if change.id.target == Target::Oci {
        "put the old value back (`fleetwright explain` shows what sets it), or make a network of another name and move \
         the clusters there: what hangs on this one keeps it from being made anew"
    } else if Part::of(&change.id.kind) == Some(Part::Template) {
        "put the old value back, or make one of another name beside it and have its ClusterClass name that: machines that \
         this one made would not be what it says"
    } else {
        "put the old value back (`fleetwright explain` shows what sets it), or make a cluster of another name and \
         decommission this one"
    }
}

/// Whether a field is another one, or lies in it.
fn is_within(field: &str, of: &str) -> bool {
    field
        .strip_prefix(of)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

impl Guard for Immutable {
    fn name(&self) -> &'static str {
        "immutable"
    }

    fn check(&self, changes: &[Change], _: &Facts<'_>) -> Vec<Refusal> {
        // One edit of a network or a layer is one refusal, however many objects have the field.
        let mut refused: BTreeMap<(&UnitId, Vec<&str>, &'static str), Vec<&Change>> = BTreeMap::new();
        for change in changes {
            let is_meant = change.goes_ahead() && matches!(change.action, Action::Update | Action::Adopt);
            // What OCI can't change in place can't be put back either.
            let is_put_back = change.reason == Reason::Drifted && !change.fields.iter().any(|diff| diff.replaces);
            let fixed = change.fields.iter();
            let fixed = fixed
                .filter(|diff| !is_put_back || change.mutated.contains(&diff.field))
                .filter(|diff| diff.replaces || is_fixed(&change.id.kind, diff) || moves(change, diff));
            let fields: Vec<&str> = fixed.map(|diff| diff.field.as_str()).collect();
            if is_meant && !fields.is_empty() {
                let lift = lift(change, &fields);
                let of = (&change.unit, fields, lift);
                refused.entry(of).or_default().push(change);
            }
        }
        let going = going(changes);
        let all: BTreeSet<&ResourceId> = refused.values().flatten().map(|change| &change.id).collect();
        let mut moved: BTreeSet<&UnitId> = BTreeSet::new();
        let mut refusals: Vec<Refusal> = Vec::new();
        for ((unit, fields, lift), covered) in &refused {
            let mut objects: Vec<ResourceId> = covered.iter().map(|change| change.id.clone()).collect();
            let mut message = format!("{} can't be changed in place: {}", named(&objects), fields.join(", "));
            let is_of_all = |change: &&&Change| fields.iter().any(|field| is_of_all(&change.id.kind, field));
            if covered.iter().any(|change| is_of_all(&change)) && moved.insert(unit) {
                let others = network(changes, unit).filter(|id| !all.contains(id));
                let before = objects.len();
                objects.extend(others.cloned());
                if objects.len() > before {
                    message.push_str("; without it the rest of its network, and what stands in it, stays as it is");
                }
            }
            let held: BTreeSet<&ResourceId> = held_on_to(covered, &going).filter(|id| !objects.contains(id)).collect();
            let held: Vec<ResourceId> = held.into_iter().cloned().collect();
            if !held.is_empty() {
                message.push_str(&format!("; {} stays, since it holds on to that", named(&held)));
                objects.extend(held);
            }
            refusals.push(Refusal {
                guard: self.name(),
                message,
                lift: (*lift).to_owned(),
                objects,
            });
        }
        refusals
    }
}

/// What is to be deleted, by the OCID under which it was seen.
fn going(changes: &[Change]) -> BTreeMap<&str, &ResourceId> {
    let deletes = changes
        .iter()
        .filter(|change| change.action == Action::Delete && change.goes_ahead());
    deletes
        .filter_map(|change| Some((change.precondition.as_ref()?.uid.as_str(), &change.id)))
        .collect()
}

/// What refused changes would have let go of, and is deleted in the same plan: OCI would keep it from that.
fn held_on_to<'a>(
    refused: &'a [&'a Change],
    going: &'a BTreeMap<&'a str, &'a ResourceId>,
) -> impl Iterator<Item = &'a ResourceId> {
    let diffs = refused.iter().flat_map(|change| &change.fields);
    let named = diffs.flat_map(|diff| diff.before.iter().flat_map(texts));
    named.filter_map(|text| going.get(text).copied())
}

/// The texts in a value, OCIDs among them.
fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::Object(members) => members.values().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

/// Fields that the rest of a network is made for: the addresses of nodes, and whether the internet reaches them. Gateways and rules
/// that go while the subnets stay would cut off what is in them.
const OF_ALL: [&str; 6] = [
    ".spec.networking.machineNetwork",
    ".spec.cidrBlock",
    ".spec.ipv6PrivateCidrBlocks",
    ".spec.isIpv6Enabled",
    ".spec.prohibitInternetIngress",
    ".spec.prohibitPublicIpOnVnic",
];

/// Whether the rest follows from a field: where a control plane stands, its pools and its network do.
fn is_of_all(kind: &str, field: &str) -> bool {
    let stands = match kind {
        "HostedCluster" => is_within(field, ".spec.platform"),
        "OCICluster" | "OCIManagedCluster" => INFRASTRUCTURE.iter().any(|of| is_within(field, of)),
        _ => false,
    };
    stands || OF_ALL.contains(&field)
}

/// Whether a subnet would have other addresses, and not more or fewer of those that it has: what has one of them keeps it.
fn moves(change: &Change, diff: &FieldDiff) -> bool {
    let block = |value: &Option<Value>| -> Option<IpNet> { value.as_ref()?.as_str()?.parse().ok() };
    let (Some(before), Some(after)) = (block(&diff.before), block(&diff.after)) else {
        return false;
    };
    let is_block = change.id.kind == "Subnet" && diff.field == ".spec.cidrBlock";
    is_block && !before.contains(&after) && !after.contains(&before)
}

/// What would be changed of a unit's network by the same edit, and of its pools where that has to do with where they stand.
fn network<'a>(changes: &'a [Change], unit: &UnitId) -> impl Iterator<Item = &'a ResourceId> {
    let stands = |change: &Change| {
        let mut fields = change.fields.iter();
        let is_elsewhere =
            change.action == Action::Create || fields.any(|diff| is_within(&diff.field, ".spec.platform"));
        change.id.kind == "NodePool" && is_elsewhere
    };
    let of_it = changes.iter().filter(move |change| {
        change.unit == *unit
            && (change.id.target == Target::Oci || stands(change))
            && change.goes_ahead()
            && matches!(change.reason, Reason::New | Reason::Changed | Reason::Removed)
    });
    of_it.map(|change| &change.id)
}

/// `Subnet a`, `Subnet a and 2 others`.
fn named(objects: &[ResourceId]) -> String {
    match objects {
        [] => String::new(),
        [one] => one.to_string(),
        [first, other] => format!("{first} and {other}"),
        [first, others @ ..] => format!("{first} and {} others", others.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::World;
    use super::*;
    use crate::plan::change::tests::change;
    use crate::plan::change::{FieldDiff, Precondition};

    fn update(kind: &str, field: &str) -> Change {
        let mut change = change("a", kind, "a", Action::Update);
        change.fields = vec![FieldDiff {
            field: field.to_owned(),
            before: None,
            after: Some("new".into()),
            owner: None,
            replaces: false,
        }];
        change
    }

    #[test]
    fn a_network_goes_to_no_other_addresses_unless_all_of_it_can() {
        let of_oci = |kind: &str, field: &str, (before, after): (&str, &str)| {
            let mut change = update(kind, field);
            change.id.target = Target::Oci;
            change.fields[0].before = Some(before.into());
            change.fields[0].after = Some(after.into());
            change
        };
        let block = |before, after| of_oci("Subnet", ".spec.cidrBlock", (before, after));
        let rules = of_oci("SecurityList", ".spec.ingressSecurityRules", ("a", "b"));
        let world = World::new();
        for (change, refused) in [
            (block("10.0.0.0/24", "10.0.0.0/23"), 0),
            (block("10.0.0.0/24", "10.0.0.0/25"), 0),
            (block("10.0.0.0/24", "10.0.1.0/24"), 2),
            (update("HostedCluster", ".spec.networking.machineNetwork"), 2),
            (update("HostedCluster", ".spec.fips"), 1),
        ] {
            let refusals = world.check(&Immutable, &[change, rules.clone()]);
            let objects: usize = refusals.iter().map(|refusal| refusal.objects.len()).sum();
            assert_eq!(objects, refused, "{refusals:?}");
        }
    }

    #[test]
    fn nothing_leaves_the_place_that_its_control_plane_can_not_leave() {
        let mut vcn = update("Vcn", ".spec.compartmentId");
        vcn.id.target = Target::Oci;
        let changes = |of_cluster: &str| {
            [
                update("HostedCluster", of_cluster),
                update("NodePool", ".spec.platform.oci.subnet.ocid"),
                change("a", "NodePool", "new", Action::Create),
                vcn.clone(),
                update("NodePool", ".spec.replicas"),
            ]
        };
        let world = World::new();
        for of_cluster in [
            ".spec.platform.oci.networkConfig.vcn.ocid",
            ".spec.platform.oci.compartment",
        ] {
            let refusals = world.check(&Immutable, &changes(of_cluster));
            let objects: usize = refusals.iter().map(|refusal| refusal.objects.len()).sum();
            assert_eq!(objects, 4, "{refusals:?}");
            assert!(refusals[0].message.ends_with("stays as it is"), "{refusals:?}");
        }
        assert!(world.check(&Immutable, &changes(".spec.autoscaling")).is_empty());
    }

    #[test]
    fn refuses_what_is_fixed_even_where_it_was_not_set() {
        let changes = [
            update("HostedCluster", ".spec.networking.machineNetwork"),
            update("HostedCluster", ".spec.etcd.managed.storage.persistentVolume.size"),
            update("HostedCluster", ".spec.servicesToCome"),
            update("HostedCluster", ".spec.networking.apiServer.allowedCIDRBlocks"),
            update("NodePool", ".spec.platform.type"),
            update("NodePool", ".spec.platform.oci.instanceType"),
        ];
        let world = World::new();
        let refused: Vec<bool> = changes
            .iter()
            .map(|change| !world.check(&Immutable, std::slice::from_ref(change)).is_empty())
            .collect();
        assert_eq!(refused, [true, true, false, false, true, false]);
    }

    #[test]
    fn puts_back_what_somebody_else_changed() {
        let mut drifted = update("HostedCluster", ".spec.fips");
        drifted.reason = Reason::Drifted;
        assert!(World::new().check(&Immutable, &[drifted.clone()]).is_empty());
        // What a webhook makes of that is not put back.
        drifted.mutated.insert(".spec.fips".to_owned());
        let refusals = World::new().check(&Immutable, &[drifted]);
        assert!(refusals[0].lift.contains("mend the webhook"), "{refusals:?}");
    }

    #[test]
    fn what_was_connected_once_is_to_be_deleted_by_hand() {
        let mut ended = update("LocalPeeringGateway", ".spec.peerId");
        ended.id.target = Target::Oci;
        ended.reason = Reason::Drifted;
        ended.fields[0].replaces = true;
        let refusals = World::new().check(&Immutable, &[ended]);
        assert!(refusals[0].lift.contains("delete it by hand"), "{}", refusals[0].lift);
    }

    #[test]
    fn every_field_that_hypershift_fixes_is_refused_and_those_that_it_lets_change_are_not() {
        let fixed = [
            ".spec.capabilities.disabled",
            ".spec.clusterID",
            ".spec.controllerAvailabilityPolicy",
            ".spec.dns.baseDomain",
            ".spec.dns.baseDomainPrefix",
            ".spec.dns.privateZoneID",
            ".spec.dns.publicZoneID",
            ".spec.etcd.managed.storage.persistentVolume.size",
            ".spec.etcd.managed.storage.persistentVolume.storageClassName",
            ".spec.etcd.managementType",
            ".spec.fips",
            ".spec.infraID",
            ".spec.issuerURL",
            ".spec.networking.allocateNodeCIDRs",
            ".spec.networking.apiServer.advertiseAddress",
            ".spec.networking.apiServer.port",
            ".spec.networking.clusterNetwork[0].cidr",
            ".spec.networking.machineNetwork[0].cidr",
            ".spec.networking.networkType",
            ".spec.networking.serviceNetwork[0].cidr",
            ".spec.olmCatalogPlacement",
            ".spec.operatorConfiguration.clusterNetworkOperator.disableMultiNetwork",
            ".spec.operatorConfiguration.clusterNetworkOperator.ovnKubernetesConfig.v4InternalSubnet",
            ".spec.platform.oci.region",
            ".spec.services[0].servicePublishingStrategy.type",
        ];
        let open = [
            ".spec.channel",
            ".spec.configuration.proxy.httpProxy",
            ".spec.imageContentSources",
            ".spec.infrastructureAvailabilityPolicy",
            ".spec.networking.apiServer.allowedCIDRBlocks",
            ".spec.operatorConfiguration.ingressOperator",
            ".spec.pullSecret.name",
            ".spec.release.image",
            ".spec.secretEncryption.aescbc.activeKey.name",
        ];
        let is_refused = |field: &str| {
            let changes = [update("HostedCluster", field)];
            !World::new().check(&Immutable, &changes).is_empty()
        };
        let passed: Vec<&str> = fixed.into_iter().filter(|field| !is_refused(field)).collect();
        let stopped: Vec<&str> = open.into_iter().filter(|field| is_refused(field)).collect();
        assert_eq!((passed, stopped), (Vec::new(), Vec::new()));
    }

    #[test]
    fn what_a_gateway_holds_on_to_stays_with_it() {
        let mut gateway = update("NatGateway", ".spec.publicIpId");
        gateway.id.target = Target::Oci;
        gateway.fields[0].before = Some("ocid1.publicip.oc1.iad.a".into());
        gateway.fields[0].after = None;
        gateway.fields[0].replaces = true;
        let mut gone = ["ocid1.publicip.oc1.iad.a", "ocid1.publicip.oc1.iad.b"].map(|ocid| {
            let mut address = change("a", "PublicIp", ocid, Action::Delete);
            address.precondition = Some(Precondition {
                uid: ocid.to_owned(),
                version: String::new(),
            });
            address
        });
        let [held, _] = &gone;
        let refusals = World::new().check(&Immutable, &[gateway.clone(), held.clone(), gone[1].clone()]);
        assert_eq!(
            refusals[0].objects,
            [gateway.id.clone(), held.id.clone()],
            "{refusals:?}"
        );
        // What a refused subnet would let go of by another field, in a list or not, stays too.
        let mut subnet = update("Subnet", ".spec.dnsLabel");
        subnet.id.target = Target::Oci;
        subnet.fields[0].replaces = true;
        let mut lists = subnet.fields[0].clone();
        lists.replaces = false;
        lists.field = ".spec.securityListIds".to_owned();
        lists.before = Some(serde_json::json!(["ocid1.publicip.oc1.iad.b"]));
        subnet.fields.push(lists);
        let refusals = World::new().check(&Immutable, &[subnet.clone(), gone[1].clone()]);
        assert_eq!(refusals[0].objects, [subnet.id, gone[1].id.clone()], "{refusals:?}");
        gone[0].blocks.push(crate::plan::change::Block::NotManaged);
        let refusals = World::new().check(&Immutable, &[gateway.clone(), gone[0].clone()]);
        assert_eq!(refusals[0].objects, [gateway.id], "what does not go anyway");
    }

    #[test]
    fn what_may_not_be_taken_out_again_may_be_set_and_changed() {
        let mut change = update("HostedCluster", ".spec.secretEncryption.type");
        assert!(World::new().check(&Immutable, std::slice::from_ref(&change)).is_empty());
        change.fields[0].before = change.fields[0].after.take();
        assert_eq!(World::new().check(&Immutable, &[change]).len(), 1);
        let mtu = ".spec.operatorConfiguration.clusterNetworkOperator.ovnKubernetesConfig.mtu";
        assert_eq!(World::new().check(&Immutable, &[update("HostedCluster", mtu)]).len(), 1);
    }
}
