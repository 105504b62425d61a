//! What is suspended is neither written nor deleted.

use super::{Facts, Guard, Refusal, ahead_by};
use crate::plan::change::Change;

/// Refuses all changes of units that are suspended, by the fleet files or by annotation, or of which that can't be told.
pub(super) struct Suspended;

/// Its name.
pub const SUSPENDED: &str = "suspended";

impl Guard for Suspended {
    fn name(&self) -> &'static str {
        SUSPENDED
    }

    fn check(&self, changes: &[Change], facts: &Facts<'_>) -> Vec<Refusal> {
        ahead_by(changes, |change| facts.suspended.get_key_value(&change.unit))
            .into_iter()
            .map(|(unit, (suspension, objects))| Refusal {
                guard: self.name(),
                message: format!("{unit} is suspended {suspension}"),
                lift: "end it where it is asked for (`fleetwright resume` takes annotations away), or give \
                       `apply --even-suspended` to go ahead this once"
                    .to_owned(),
                objects,
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
    use crate::sync::suspension::By;

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
}
