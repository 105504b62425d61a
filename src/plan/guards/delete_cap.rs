//! No run deletes more than the fleet's cap.

use std::collections::BTreeSet;

use super::{Facts, Guard, Refusal, count};
use crate::fleet::model::Cap;
use crate::plan::change::{Action, Change};
use crate::resource::{ResourceId, UnitId};

/// Refuses all deletes when there are more of them than `limits.deletes` allows.
///
/// A unit that goes as a whole counts once, however many objects it is made of; in a unit that stays, each object counts.
pub(super) struct DeleteCap;

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Counted<'a> {
    Unit(&'a UnitId),
    Object(&'a ResourceId),
}

impl Guard for DeleteCap {
    fn name(&self) -> &'static str {
        "delete-cap"
    }

    fn check(&self, changes: &[Change], facts: &Facts<'_>) -> Vec<Refusal> {
        let deletes: Vec<&Change> = changes
            .iter()
            .filter(|c| c.action == Action::Delete && c.goes_ahead())
            .collect();
        let counted: BTreeSet<Counted<'_>> = deletes
            .iter()
            .map(|c| {
                if facts.units.contains(&c.unit) {
                    Counted::Object(&c.id)
                } else {
                    Counted::Unit(&c.unit)
                }
            })
            .collect();
        let (exceeded, cap) = match facts.limits.deletes {
            Cap::Count(n) => (counted.len() as u64 > n, n.to_string()),
            Cap::Percent(p) => (
                deletes.len() as u64 * 100 > facts.recorded as u64 * u64::from(p),
                format!("{p}% of {} objects", facts.recorded),
            ),
        };
        if !exceeded {
            return Vec::new();
        }
        let units = counted.iter().filter(|c| matches!(c, Counted::Unit(_))).count();
        let mut what = Vec::new();
        if units > 0 {
            what.push(match units {
                1 => "1 whole cluster or network".to_owned(),
                units => format!("{units} whole clusters or networks"),
            });
        }
        if counted.len() > units {
            what.push(count(counted.len() - units, "single object"));
        }
        // A percentage is of objects: what is told is compared with that.
        let in_all = match facts.limits.deletes {
            Cap::Percent(_) if units > 0 => format!(", {} in all", count(deletes.len(), "object")),
            Cap::Count(_) | Cap::Percent(_) => String::new(),
        };
        vec![Refusal {
            guard: self.name(),
            message: format!("this run would delete {}{in_all}; the cap is {cap}", what.join(" and ")),
            lift: "raise limits.deletes in the Fleet document for this commit, or remove less at a time".to_owned(),
            objects: deletes.into_iter().map(|c| c.id.clone()).collect(),
        }]
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::World;
    use super::*;
    use crate::plan::change::tests::change;

    #[test]
    fn counts_a_removed_cluster_once_and_single_pools_each() {
        let changes = [
            change("gone", "HostedCluster", "gone", Action::Delete),
            change("gone", "NodePool", "gone-x", Action::Delete),
            change("a", "NodePool", "a-x", Action::Delete),
            change("a", "NodePool", "a-y", Action::Delete),
        ];
        let mut world = World::new();
        world.units.insert(changes[2].unit.clone());
        world.limits.deletes = Cap::Count(3);
        assert!(world.check(&DeleteCap, &changes).is_empty());
        world.limits.deletes = Cap::Count(2);
        let refusals = world.check(&DeleteCap, &changes);
        assert_eq!(refusals[0].objects.len(), 4);
        assert!(
            refusals[0]
                .message
                .contains("1 whole cluster or network and 2 single objects")
        );
    }

    #[test]
    fn a_percentage_is_of_what_is_recorded() {
        let changes = [change("a", "NodePool", "a-x", Action::Delete)];
        let mut world = World::new();
        world.units.insert(changes[0].unit.clone());
        world.recorded = 10;
        world.limits.deletes = Cap::Percent(10);
        assert!(world.check(&DeleteCap, &changes).is_empty());
        world.recorded = 9;
        assert_eq!(world.check(&DeleteCap, &changes).len(), 1);
    }
}
