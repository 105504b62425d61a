//! What can't be changed in place is not tried: the change would need another cluster, and the loss of this one.

use super::{Facts, Guard, Refusal};
use crate::plan::change::{Action, Change, Reason};
use crate::resource::Target;

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
    ".spec.platform",
    ".spec.services",
];

const NODE_POOL: &[&str] = &[
    ".spec.arch",
    ".spec.clusterName",
    ".spec.management.upgradeType",
    ".spec.platform.type",
];

fn fixed(kind: &str) -> &'static [&'static str] {
    match kind {
        "HostedCluster" => HOSTED_CLUSTER,
        "NodePool" => NODE_POOL,
        _ => &[],
    }
}

fn is_fixed(kind: &str, field: &str) -> bool {
    fixed(kind).iter().any(|of| is_within(field, of))
}

fn lift(change: &Change) -> &'static str {
    if change.id.target == Target::Oci && change.fields.iter().any(|diff| diff.field == ".spec.peerId") {
        "a gateway is connected once, and for good: delete it by hand, and before it the routes that lead there; the next \
         run makes it anew, connects it and puts the routes back"
    } else if change.id.target == Target::Oci {
        "put the old value back (`fleetwright explain` shows what sets it), or make a network of another name and move \
         the clusters there: what hangs on this one keeps it from being made anew"
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
        changes
            .iter()
            .filter(|change| {
                change.goes_ahead()
                    && matches!(change.action, Action::Update | Action::Adopt)
                    // What OCI can't change in place can't be put back either.
                    && (change.reason != Reason::Drifted || change.fields.iter().any(|diff| diff.replaces))
            })
            .filter_map(|change| {
                let fields: Vec<&str> = change
                    .fields
                    .iter()
                    .filter(|diff| diff.replaces || is_fixed(&change.id.kind, &diff.field))
                    .map(|diff| diff.field.as_str())
                    .collect();
                (!fields.is_empty()).then(|| Refusal {
                    guard: self.name(),
                    message: format!("{} can't be changed in place: {}", change.id, fields.join(", ")),
                    lift: lift(change).to_owned(),
                    objects: vec![change.id.clone()],
                })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::World;
    use super::*;
    use crate::plan::change::FieldDiff;
    use crate::plan::change::tests::change;

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
        assert!(World::new().check(&Immutable, &[drifted]).is_empty());
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
}
