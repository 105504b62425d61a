//! A unit does not lose most of its objects at a stroke: files that were cut short look just like that.

use super::{Facts, Guard, Refusal, ahead_by};
use crate::plan::change::{Action, Change};
use crate::resource::UnitId;

/// Refuses the deletes of a cluster or network that stays in the files and would lose more than half of what is recorded of
/// it. What belongs to a management cluster is there for others, and goes with the last of them.
pub(super) struct Shrunken;

/// A unit of a few objects loses half of them with any one that goes.
const FEW: usize = 4;

impl Guard for Shrunken {
    fn name(&self) -> &'static str {
        "shrunken"
    }

    fn check(&self, changes: &[Change], facts: &Facts<'_>) -> Vec<Refusal> {
        let counts = |unit: &UnitId| {
            let stays = facts.units.contains(unit) && !facts.decommission.contains_key(unit);
            stays && !matches!(unit, UnitId::ManagementCluster(_))
        };
        ahead_by(changes, |Change { action, unit, .. }| {
            (*action == Action::Delete && counts(unit)).then_some((unit, ()))
        })
        .into_iter()
        .filter_map(|(unit, ((), objects))| {
            let recorded = facts.recorded_of.get(unit).copied().unwrap_or(0);
            (objects.len() > FEW && objects.len() * 2 > recorded).then(|| Refusal {
                guard: self.name(),
                message: format!("{unit} would lose {} of its {recorded} objects", objects.len()),
                lift: format!(
                    "check its files and templates; if it is meant, take away no more than half of them in one commit, \
                         or let it go as a whole: decommission: [{{{}: {}, reason: …}}]",
                    unit.kind(),
                    unit.name()
                ),
                objects,
            })
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{World, decommission};
    use super::*;
    use crate::plan::change::tests::change;

    #[test]
    fn a_cluster_that_stays_keeps_half_of_its_objects() {
        let changes: Vec<Change> = ["a", "b", "c", "d", "e"]
            .map(|name| change("x", "ConfigMap", name, Action::Delete))
            .into();
        let unit = changes[0].unit.clone();
        let mut world = World::new();
        world.units.insert(unit.clone());
        world.recorded_of.insert(unit.clone(), 10);
        assert!(world.check(&Shrunken, &changes).is_empty());
        world.recorded_of.insert(unit.clone(), 9);
        let refusals = world.check(&Shrunken, &changes);
        assert_eq!(refusals[0].objects.len(), 5);
        assert!(refusals[0].message.contains("5 of its 9 objects"), "{refusals:?}");
        assert!(world.check(&Shrunken, &changes[..4]).is_empty(), "a few always may go");

        world.decommission.insert(unit, decommission());
        assert!(world.check(&Shrunken, &changes).is_empty());
    }
}
