//! Where the workers' OCI network comes from: made here, shared, or there already.
//!
//! Invariant: an address block, once the lock has it, is not looked for again.

use std::collections::BTreeMap;

use ipnet::{IpNet, Ipv4Net};

use super::addresses::{self, Taken};
use super::cluster::Common;
use super::decode::decode;
use super::index::Index;
use super::kind::Kind;
use super::load::Document;
use super::lock::{Identities, Lock, LockedNetwork};
use super::model::{ExistingNetwork, Manage, Network, NetworkPlan, NetworkSource};
use super::node::{Node, Place};
use super::ocid::{self, Expected};
use super::problems::Problems;
use super::shared::{self, Manager};
use super::spec;
use crate::diag::{Code, Diagnostic};
use crate::resource::NetworkName;

/// All shared networks.
pub(super) type Networks = BTreeMap<NetworkName, Network>;

/// Resolves the shared networks.
pub(super) fn resolve(
    index: &Index<'_>,
    common: &Common<'_>,
    (taken, lock, identities): (&mut Taken, &mut Lock, &mut Identities),
    problems: &mut Problems<'_>,
) -> Networks {
    let mut networks = Networks::new();
    for document in index.of(Kind::Network).filter(|document| !index.is_broken(document)) {
        if lock.unreadable_for_network(&document.name) {
            continue;
        }
        let mut own = problems.fresh(None);
        if let Some(network) = network(document, common, (taken, lock, identities), &mut own)
            && !own.failed()
        {
            networks.insert(network.name.clone(), network);
        }
        problems.found.append(&mut own.found);
    }
    networks
}

fn network(
    document: &Document,
    common: &Common<'_>,
    (taken, lock, identities): (&mut Taken, &mut Lock, &mut Identities),
    problems: &mut Problems<'_>,
) -> Option<Network> {
    let node = &document.spec;
    let spec: spec::NetworkSpec = match decode(node) {
        Ok(spec) => spec,
        Err(error) => {
            problems.add(
                Diagnostic::new(Code::WrongType, error.message),
                error.place.unwrap_or(document.place),
            );
            return None;
        }
    };
    shared::known_region(node.get("region")?, problems);
    let manager = owner(&spec, document, common, problems)?;
    let name = NetworkName::new(&document.name);
    let pin = lock.networks.entry(name.clone()).or_insert_with(|| {
        let (id, object_name) = identities.first(common.uid, "network", &document.name);
        LockedNetwork {
            id,
            object_name,
            addresses: None,
        }
    });
    let source = match &spec.existing {
        Some(existing) => {
            NetworkSource::Existing(self::existing(existing, node.get("existing")?, &spec.region, problems))
        }
        None => {
            let wish = Wish {
                preset: spec.preset,
                peer: spec.peer_with,
                vcn: node.get("vcn"),
                region: &spec.region,
                id: &pin.id,
                label: &pin.object_name,
                place: document.place,
            };
            NetworkSource::Managed(plan(wish, &mut pin.addresses, (common, taken, manager), problems)?)
        }
    };
    Some(Network {
        object_name: pin.object_name.clone(),
        id: pin.id.clone(),
        compartment: common.compartment(node.get("compartment"), &spec.region, problems),
        manage: spec.manage.map_or(Manage::All, manage),
        management_cluster: manager.model.name.clone(),
        region: spec.region,
        source,
        freeform_tags: spec.tags,
        defined_tags: spec.defined_tags,
        name,
    })
}

/// The management cluster that writes a shared network.
fn owner<'a>(
    spec: &spec::NetworkSpec,
    document: &Document,
    common: &Common<'a>,
    problems: &mut Problems<'_>,
) -> Option<&'a Manager> {
    if let Some(name) = &spec.management_cluster {
        let found = common
            .management
            .values()
            .find(|manager| manager.model.name.as_str() == name);
        if found.is_none() {
            let place = document
                .spec
                .get("managementCluster")
                .map_or(document.place, |node| node.place);
            let message = format!("there is no management cluster called `{name}`, or it has an error");
            problems.add(Diagnostic::new(Code::Dangling, message), place);
        }
        return found;
    }
    let mut there = common
        .management
        .values()
        .filter(|manager| manager.model.region == spec.region);
    match (there.next(), there.next()) {
        (Some(only), None) => Some(only),
        (first, _) => {
            let count = if first.is_none() { "no" } else { "more than one" };
            problems.add(
                Diagnostic::new(
                    Code::NoPlacement,
                    format!("there is {count} management cluster in `{}`", spec.region),
                )
                .hint("name the one that writes this network: `managementCluster: <name>`"),
                document.place,
            );
            None
        }
    }
}

/// A spec's word as the model's.
pub(super) fn manage(manage: spec::Manage) -> Manage {
    match manage {
        spec::Manage::Observe => Manage::Observe,
        spec::Manage::Network => Manage::Network,
        spec::Manage::Pools => Manage::Pools,
        spec::Manage::All => Manage::All,
    }
}

/// A network that exists.
pub(super) fn existing(
    existing: &spec::Existing,
    node: &Node,
    region: &str,
    problems: &mut Problems<'_>,
) -> ExistingNetwork {
    let mut ocid = |text: &Option<String>, key: &str, kind: &str| {
        let text = text.as_ref()?;
        let expected = Expected {
            key,
            kinds: &[kind],
            region: Some(region),
        };
        Some(ocid::check(
            text,
            expected,
            node.get(key).unwrap_or(node).place,
            problems,
        ))
    };
    let endpoint_subnet = ocid(&existing.endpoint_subnet, "endpointSubnet", "subnet");
    let worker_subnet = ocid(&existing.worker_subnet, "workerSubnet", "subnet");
    let vcn = ocid(&existing.vcn, "vcn", "vcn");
    if vcn.is_none() {
        let problem = Diagnostic::new(Code::MissingKey, "an existing network needs the OCID of its `vcn`");
        problems.add(problem, super::check::first_key(node));
    }
    ExistingNetwork {
        vcn: vcn.unwrap_or_else(|| crate::resource::Ocid::new("")),
        endpoint_subnet,
        worker_subnet,
    }
}

/// A network to be made.
#[derive(Clone, Copy)]
pub(super) struct Wish<'a> {
    pub(super) preset: Option<spec::NetworkPreset>,
    pub(super) peer: Option<spec::PeerWith>,
    /// The typed range.
    pub(super) vcn: Option<&'a Node>,
    pub(super) region: &'a str,
    pub(super) id: &'a str,
    /// What the DNS label is made of.
    pub(super) label: &'a str,
    pub(super) place: Place,
}

/// Plans a network, and pins its addresses.
pub(super) fn plan(
    wish: Wish<'_>,
    pin: &mut Option<IpNet>,
    (common, taken, manager): (&Common<'_>, &mut Taken, &Manager),
    problems: &mut Problems<'_>,
) -> Option<NetworkPlan> {
    let (vcn, place) = match wish.vcn {
        Some(node) => {
            let net = match addresses::parse(node.as_str().unwrap_or_default()) {
                Ok(net) => net,
                Err(message) => {
                    problems.add(Diagnostic::new(Code::BadRange, message), node.place);
                    return None;
                }
            };
            // What is typed is not pinned: the file says it already.
            *pin = None;
            let net = addresses::v4(net);
            if net.is_none() {
                problems.add(
                    Diagnostic::new(Code::BadRange, "a VCN that is made here has an IPv4 range"),
                    node.place,
                );
            }
            (net?, node.place)
        }
        None => (block(&wish, pin, (common, taken), problems)?, wish.place),
    };
    taken.add(vcn);
    let Some(subnets) = addresses::split(vcn) else {
        let message = format!("`{vcn}` can't be split into subnets");
        let hint = "a VCN that is made here is a /16 to a /24";
        problems.add(Diagnostic::new(Code::BadRange, message).hint(hint), place);
        return None;
    };
    let peered = wish.peer == Some(spec::PeerWith::Management);
    Some(NetworkPlan {
        preset: match wish.preset {
            Some(spec::NetworkPreset::HostedPublic) => "hosted-public",
            Some(spec::NetworkPreset::HostedPrivate) | None => "hosted-private",
        }
        .to_owned(),
        vcn: vcn.into(),
        workers: subnets.workers.into(),
        endpoint: subnets.endpoint.into(),
        load_balancers: subnets.load_balancers.into(),
        dns_label: dns_label(wish.label, wish.id),
        peer_with_management: peered,
        management_cidrs: if peered {
            manager.model.cidrs.clone()
        } else {
            Vec::new()
        },
    })
}

/// The pinned block, or a new one from the region's pool.
fn block(
    wish: &Wish<'_>,
    pin: &mut Option<IpNet>,
    (common, taken): (&Common<'_>, &mut Taken),
    problems: &mut Problems<'_>,
) -> Option<Ipv4Net> {
    if let Some(net) = pin.and_then(addresses::v4) {
        return Some(net);
    }
    let Some(addresses) = &common.spec.addresses else {
        let problem = Diagnostic::new(
            Code::NoAddresses,
            "this network needs an address block, and the fleet has no pools",
        )
        .hint("give `addresses: {pools: {<region>: <range>}}` in the `Fleet` document")
        .hint("or type its range (`network: {vcn: …}`), or name a network that exists (`network: {existing: …}`)");
        problems.add(problem, wish.place);
        return None;
    };
    let Some(pool) = addresses.pools.get(wish.region) else {
        let message = format!("the fleet has no address pool for `{}`", wish.region);
        let hint = format!(
            "add `{}: <range>` to `addresses.pools` of the `Fleet` document",
            wish.region
        );
        problems.add(Diagnostic::new(Code::NoAddresses, message).hint(hint), wish.place);
        return None;
    };
    let Some(range) = addresses::parse(pool).ok().and_then(addresses::v4) else {
        let message = format!("the address pool of `{}` can't be used", wish.region);
        problems.add(Diagnostic::new(Code::NoAddresses, message), wish.place);
        return None;
    };
    let found = taken.free(range, addresses.per_cluster, wish.id);
    if found.is_none() {
        let message = format!(
            "no /{} is left in `{pool}`, the pool of `{}`",
            addresses.per_cluster, wish.region
        );
        let hint = "give the region a larger range, or each cluster a smaller block: a longer `perCluster`";
        problems.add(Diagnostic::new(Code::NoAddresses, message).hint(hint), wish.place);
    }
    *pin = found.map(IpNet::V4);
    found
}

/// A VCN's DNS label: at most 15 letters and digits, a letter first; the id's end keeps two long names apart.
fn dns_label(name: &str, id: &str) -> String {
    let mut label: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    if !label.starts_with(|first: char| first.is_ascii_alphabetic()) {
        label.insert(0, 'n');
    }
    if label.len() > 15 || label.len() < name.len() {
        label.truncate(10);
        label.extend(id.chars().take(5));
    }
    label
}
