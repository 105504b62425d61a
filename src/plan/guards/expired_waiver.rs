//! A waiver past its day lifts nothing, also for who read the files while it held.

use super::{Facts, Guard, Refusal, ahead_by};
use crate::plan::change::Change;
use crate::resource::UnitId;

/// Refuses all changes of a cluster that would have an error without a waiver, once that has ended, be the files read before
/// that day or after it: no commit has changed them, and what others have there goes on. A rule that only warns needs none.
pub(super) struct ExpiredWaiver;

impl Guard for ExpiredWaiver {
    fn name(&self) -> &'static str {
        "expired-waiver"
    }

    fn check(&self, changes: &[Change], facts: &Facts<'_>) -> Vec<Refusal> {
        let ended = |change: &Change| {
            let UnitId::Cluster(name) = &change.unit else {
                return None;
            };
            let relied_on = facts.waived.get_key_value(name);
            relied_on.filter(|(_, waived)| waived.until <= facts.now)
        };
        ahead_by(changes, ended)
            .into_iter()
            .map(|(name, (waived, objects))| Refusal {
                guard: self.name(),
                message: format!(
                    "cluster {name} breaks the rule {}, and the waiver of that ended at {}",
                    waived.rule, waived.until
                ),
                lift: "mend what the rule finds (`fleetwright validate` says it), or agree on a later day in `waivers` of the \
                       Fleet document"
                    .to_owned(),
                objects,
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use super::super::tests::World;
    use super::*;
    use crate::fleet::model::Waived;
    use crate::plan::change::Action;
    use crate::plan::change::tests::change;
    use crate::resource::ClusterName;

    #[test]
    fn refuses_from_the_moment_that_it_ends() {
        let changes = [
            change("a", "NodePool", "a-x", Action::Update),
            change("b", "NodePool", "b-x", Action::Update),
        ];
        let mut world = World::new();
        let until = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24);
        let waived = Waived {
            rule: "cp-ha-prod".to_owned(),
            until,
        };
        world.waived.insert(ClusterName::new("a"), waived);
        assert!(world.check(&ExpiredWaiver, &changes).is_empty());
        world.now = until;
        let refusals = world.check(&ExpiredWaiver, &changes);
        assert_eq!(refusals[0].objects, [changes[0].id.clone()]);
        assert!(refusals[0].message.contains("cp-ha-prod"), "{refusals:?}");
    }
}
