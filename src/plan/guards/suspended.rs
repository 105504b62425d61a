//! What is suspended is neither written nor deleted.

use super::{Facts, Guard, Refusal, ahead_by};
use crate::plan::change::Change;
use crate::sync::suspension::By;

/// Refuses all changes of units that are suspended, by the fleet files or by annotation, or of which that can't be told.
pub(super) struct Suspended;

/// How one that is known is lifted.
const END: &str = "end it where it is asked for (`fleetwright resume` takes annotations away), or give \
                   `apply --even-suspended` to go ahead this once";

/// What to do where nobody knows: going ahead all the same is not offered, for there may be a reason not to.
const LOOK: &str = "let whoever applies list ClusterSyncs and FleetStatuses there (`fleetwright rbac` writes the rules), and try \
                    again once the API server answers";

/// Its name.
pub const SUSPENDED: &str = "suspended";

impl Guard for Suspended {
    fn name(&self) -> &'static str {
        SUSPENDED
    }

    fn check(&self, changes: &[Change], facts: &Facts<'_>) -> Vec<Refusal> {
        ahead_by(changes, |change| facts.suspended.get_key_value(&change.unit))
            .into_iter()
            .map(|(unit, (suspension, objects))| {
                let (message, lift) = match suspension.by {
                    By::Unknown => (
                        format!("whether {unit} is suspended is not known: {}", suspension.reason),
                        LOOK,
                    ),
                    By::Files(_) | By::Annotations(_) => (format!("{unit} is suspended {suspension}"), END),
                };
                Refusal {
                    guard: self.name(),
                    message,
                    lift: lift.to_owned(),
                    objects,
                }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::World;
    use super::*;
    use crate::plan::change::Action;
    use crate::plan::change::tests::change;
    use crate::sync::Suspension;

    #[test]
    fn refuses_all_of_a_suspended_unit_and_nothing_of_another() {
        let changes = [
            change("a", "NodePool", "a-x", Action::Delete),
            change("a", "NodePool", "a-y", Action::Forget),
            change("b", "NodePool", "b-x", Action::Create),
        ];
        let mut world = World::new();
        let suspension = Suspension {
            reason: "a freeze".to_owned(),
            until: None,
            by: By::Annotations("ClusterSync f.a".to_owned()),
        };
        world.suspended.insert(changes[0].unit.clone(), suspension);
        let refusals = world.check(&Suspended, &changes);
        assert_eq!(refusals.len(), 1);
        assert_eq!(refusals[0].objects, [changes[0].id.clone(), changes[1].id.clone()]);
        assert!(refusals[0].message.contains("a freeze"), "{}", refusals[0].message);
    }

    #[test]
    fn what_is_not_known_is_to_be_looked_at_and_not_passed_over() {
        let changes = [change("a", "NodePool", "a-x", Action::Update)];
        let mut world = World::new();
        let suspension = Suspension {
            reason: "listing ClusterSyncs failed: 403".to_owned(),
            until: None,
            by: By::Unknown,
        };
        world.suspended.insert(changes[0].unit.clone(), suspension);
        let refusals = world.check(&Suspended, &changes);
        assert_eq!(
            refusals[0].message,
            "whether cluster a is suspended is not known: listing ClusterSyncs failed: 403"
        );
        assert!(!refusals[0].lift.contains("--even-suspended"), "{}", refusals[0].lift);
    }
}
