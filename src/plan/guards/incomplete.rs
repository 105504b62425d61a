//! Nothing is deleted because of files that could not be read.

use super::{Facts, Guard, Refusal, count};
use crate::plan::change::{Action, Change};

/// Refuses every delete while the fleet files are incomplete, or want nothing at all. Files that name all that is to go
/// under `decommission` are no empty directory, and the last cluster of a fleet may go too.
pub(super) struct Incomplete;

impl Guard for Incomplete {
    fn name(&self) -> &'static str {
        "incomplete"
    }

    fn check(&self, changes: &[Change], facts: &Facts<'_>) -> Vec<Refusal> {
        let empty = facts.desired == 0;
        if !facts.incomplete && !empty {
            return Vec::new();
        }
        let objects: Vec<_> = changes
            .iter()
            .filter(|c| c.action == Action::Delete && c.goes_ahead())
            .filter(|c| {
                facts.incomplete || !(facts.decommission.contains_key(&c.unit) || facts.units.contains(&c.unit))
            })
            .map(|c| c.id.clone())
            .collect();
        if objects.is_empty() {
            return Vec::new();
        }
        let n = count(objects.len(), "object");
        let (message, lift) = if facts.incomplete {
            (
                format!("the fleet files have errors, so that the absence of {n} from them means nothing"),
                "mend what the errors name",
            )
        } else {
            (
                format!("the fleet files want nothing at all, which would delete {n}"),
                "check --fleet, the branch and the path; an empty fleet is never applied",
            )
        };
        vec![Refusal {
            guard: self.name(),
            message,
            lift: lift.to_owned(),
            objects,
        }]
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{World, decommission};
    use super::*;
    use crate::plan::change::tests::change;

    #[test]
    fn refuses_deletes_and_nothing_else() {
        let changes = [
            change("a", "NodePool", "a-x", Action::Delete),
            change("a", "NodePool", "a-y", Action::Update),
        ];
        let mut world = World::new();
        assert!(world.check(&Incomplete, &changes).is_empty());
        world.incomplete = true;
        let refusals = world.check(&Incomplete, &changes);
        assert_eq!(refusals[0].objects, [changes[0].id.clone()]);
    }

    #[test]
    fn refuses_an_empty_fleet() {
        let mut world = World::new();
        world.desired = 0;
        let refusals = world.check(&Incomplete, &[change("a", "NodePool", "a-x", Action::Delete)]);
        assert!(
            refusals[0].message.contains("want nothing at all"),
            "{}",
            refusals[0].message
        );
    }

    #[test]
    fn the_last_cluster_may_go_when_the_files_say_so() {
        let changes = [
            change("a", "NodePool", "a-x", Action::Delete),
            change("b", "NodePool", "b-x", Action::Delete),
        ];
        let mut world = World::new();
        world.desired = 0;
        world.decommission.insert(changes[0].unit.clone(), decommission());
        let refusals = world.check(&Incomplete, &changes);
        assert_eq!(refusals[0].objects, [changes[1].id.clone()]);
        world.incomplete = true;
        assert_eq!(world.check(&Incomplete, &changes)[0].objects.len(), 2);
    }
}
