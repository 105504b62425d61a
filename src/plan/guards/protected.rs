//! A cluster or a network goes only when its end was committed to.

use std::collections::BTreeMap;

use super::{Facts, Guard, Refusal};
use crate::plan::change::{Action, Change};
use crate::resource::{ResourceId, UnitId};

/// Refuses all deletes of a unit that left the files, and deletes of protected kinds in one that did not, unless the
/// unit is listed under `decommission`.
pub(super) struct Protected;

/// Kinds whose loss is the loss of a cluster or of a network.
fn is_protected(id: &ResourceId) -> bool {
    matches!(
        id.kind.as_str(),
        "HostedCluster" | "Cluster" | "Namespace" | "Vcn" | "Subnet" | "Drg"
    )
}

impl Guard for Protected {
    fn name(&self) -> &'static str {
        "protected"
    }

    fn check(&self, changes: &[Change], facts: &Facts<'_>) -> Vec<Refusal> {
        let mut by_unit: BTreeMap<&UnitId, Vec<ResourceId>> = BTreeMap::new();
        for change in changes.iter().filter(|c| c.action == Action::Delete && c.goes_ahead()) {
            let removed = !facts.units.contains(&change.unit);
            if (removed || is_protected(&change.id)) && !facts.decommission.contains_key(&change.unit) {
                by_unit.entry(&change.unit).or_default().push(change.id.clone());
            }
        }
        by_unit
            .into_iter()
            .map(|(unit, objects)| Refusal {
                guard: self.name(),
                message: if facts.units.contains(unit) {
                    format!("{unit} would lose a protected object")
                } else {
                    format!("{unit} is no longer in the fleet files, and is not listed under `decommission`")
                },
                lift: format!(
                    "to delete it, list it in the Fleet document: decommission: [{{{}: {}, reason: …}}]; \
                     if it was renamed, add a Moved document",
                    unit.kind(),
                    unit.name()
                ),
                objects,
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::World;
    use super::*;
    use crate::diag::Span;
    use crate::fleet::model::Decommission;
    use crate::plan::change::tests::change;

    fn decommission() -> Decommission {
        Decommission {
            reason: "replaced".to_owned(),
            span: Span {
                file: "fleet.yaml".into(),
                line: 1,
                column: 1,
                start: 0,
                end: 0,
            },
        }
    }

    #[test]
    fn a_pool_of_a_living_cluster_may_go_and_a_cluster_may_not() {
        let changes = [
            change("a", "NodePool", "a-x", Action::Delete),
            change("a", "HostedCluster", "a", Action::Delete),
            change("gone", "NodePool", "gone-x", Action::Delete),
        ];
        let mut world = World::new();
        world.units.insert(changes[0].unit.clone());
        let refused: Vec<_> = world
            .check(&Protected, &changes)
            .into_iter()
            .flat_map(|r| r.objects)
            .collect();
        assert_eq!(refused, [changes[1].id.clone(), changes[2].id.clone()]);
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
}
