//! A cluster or a network goes only when its end was committed to.

use std::collections::BTreeSet;

use super::{Facts, Guard, Refusal, ahead_by};
use crate::plan::change::{Action, Change};
use crate::resource::{Part, UnitId};

/// Refuses every change of a unit that left the files, and of one that would lose an object of a protected kind, unless the
/// unit is listed under `decommission`. The whole unit waits: a cluster that moves to another management cluster would
/// else be made there while the old one stands.
pub(super) struct Protected;

/// Whether its loss is the loss of a cluster or of a network. The DRGs of a management cluster are there for networks of
/// other regions: with the last of those, whose end was committed to, they have served their time.
pub(super) fn is_protected(change: &Change) -> bool {
    let of_peerings = matches!(change.unit, UnitId::ManagementCluster(_));
    match change.id.kind.as_str() {
        "Namespace" | "Vcn" | "Subnet" => true,
        "Drg" => !of_peerings,
        kind => Part::of(kind).is_some_and(Part::is_vital),
    }
}

impl Guard for Protected {
    fn name(&self) -> &'static str {
        "protected"
    }

    fn check(&self, changes: &[Change], facts: &Facts<'_>) -> Vec<Refusal> {
        let deletes = || changes.iter().filter(|c| c.action == Action::Delete && c.goes_ahead());
        let units: BTreeSet<&UnitId> = deletes()
            .filter(|change| !facts.decommission.contains_key(&change.unit))
            .filter(|change| !facts.units.contains(&change.unit) || is_protected(change))
            .map(|change| &change.unit)
            .collect();
        ahead_by(changes, |change| {
            units.contains(&change.unit).then_some((&change.unit, ()))
        })
        .into_iter()
        .map(|(unit, ((), objects))| {
            let (kind, name) = (unit.kind(), unit.name());
            let list = format!("list it in the Fleet document: decommission: [{{{kind}: {name}, reason: …}}]");
            let (message, lift) = if facts.units.contains(unit) {
                let lost: Vec<String> = deletes()
                    .filter(|change| change.unit == *unit && is_protected(change))
                    .map(|change| format!("{} on {}", change.id, change.id.target))
                    .collect();
                (
                    format!("{unit} would lose {}: elsewhere it would be a new one", lost.join(", ")),
                    format!("put its management cluster, namespace or manifests back; to let it go for good, {list}"),
                )
            } else {
                (
                    format!("{unit} is no longer in the fleet files, and is not listed under `decommission`"),
                    format!(
                        "to delete it, {list}; if it was renamed, put fleet.lock back as it was before that (`git checkout REVISION -- \
                         fleet.lock`), add a Moved document, and run `fleetwright lock`"
                    ),
                )
            };
            Refusal {
                guard: self.name(),
                message,
                lift,
                objects,
            }
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{World, decommission};
    use super::*;
    use crate::plan::change::tests::change;
    use crate::resource::ManagementClusterName;

    #[test]
    fn a_pool_of_a_living_cluster_may_go_and_a_cluster_may_not() {
        let changes = [
            change("a", "NodePool", "a-x", Action::Delete),
            change("b", "HostedCluster", "b", Action::Delete),
            change("b", "HostedCluster", "b-elsewhere", Action::Create),
            change("gone", "NodePool", "gone-x", Action::Delete),
        ];
        let mut world = World::new();
        world.units.extend([changes[0].unit.clone(), changes[1].unit.clone()]);
        let refused: Vec<_> = world
            .check(&Protected, &changes)
            .into_iter()
            .flat_map(|r| r.objects)
            .collect();
        assert_eq!(
            refused,
            [changes[1].id.clone(), changes[2].id.clone(), changes[3].id.clone()]
        );
    }

    #[test]
    fn no_part_of_a_cluster_of_machines_goes_by_itself_but_pools_and_what_they_are_made_by() {
        let kinds = [
            ("Cluster", true),
            ("OCICluster", true),
            ("KubeadmControlPlane", true),
            ("OCIManagedCluster", true),
            ("OCIManagedControlPlane", true),
            ("MachineDeployment", false),
            ("OCIManagedMachinePool", false),
            ("OCIMachineTemplate", false),
        ];
        for (kind, protected) in kinds {
            let changes = [change("a", kind, "a", Action::Delete)];
            let mut world = World::new();
            world.units.insert(changes[0].unit.clone());
            assert_eq!(!world.check(&Protected, &changes).is_empty(), protected, "{kind}");
        }
    }

    #[test]
    fn a_decommissioned_cluster_goes_whole() {
        let changes = [
            change("gone", "HostedCluster", "gone", Action::Delete),
            change("gone", "NodePool", "gone-x", Action::Delete),
        ];
        let mut world = World::new();
        world.decommission.insert(changes[0].unit.clone(), decommission());
        assert!(world.check(&Protected, &changes).is_empty());
    }

    #[test]
    fn the_gateway_of_a_management_cluster_goes_with_the_last_network_behind_it() {
        let mut changes = [
            change("m", "Drg", "m", Action::Delete),
            change("m", "Namespace", "shared", Action::Delete),
            change("a", "Drg", "a", Action::Delete),
        ];
        for change in &mut changes[..2] {
            change.unit = UnitId::ManagementCluster(ManagementClusterName::new("m"));
        }
        let mut world = World::new();
        world.units.extend(changes.iter().map(|change| change.unit.clone()));
        assert!(world.check(&Protected, &changes[..1]).is_empty());
        let refused: Vec<_> = world.check(&Protected, &changes[1..]);
        assert_eq!(refused.len(), 2, "{refused:?}");
    }
}
