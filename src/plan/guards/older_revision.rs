//! An older revision never overwrites a newer one.

use super::{Facts, Guard, Refusal, ahead_by};
use crate::plan::change::Change;

/// Refuses all changes of units that were last applied from a newer revision.
pub(super) struct OlderRevision;

impl Guard for OlderRevision {
    fn name(&self) -> &'static str {
        "older-revision"
    }

    fn check(&self, changes: &[Change], facts: &Facts<'_>) -> Vec<Refusal> {
        ahead_by(changes, |change| Some((facts.newer.get(&change.unit)?, ())))
            .into_iter()
            .map(|(revision, ((), objects))| Refusal {
                guard: self.name(),
                message: format!("these were last applied from {revision}, which is newer than the revision at hand"),
                lift:
                    "update the checkout; to go back on purpose, revert in Git, so that the old state has a new commit"
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
    use crate::resource::Revision;

    #[test]
    fn refuses_just_the_units_that_are_ahead() {
        let changes = [
            change("a", "NodePool", "a-x", Action::Update),
            change("b", "NodePool", "b-x", Action::Create),
        ];
        let mut world = World::new();
        world.newer.insert(changes[1].unit.clone(), Revision::new("f00"));
        let refusals = world.check(&OlderRevision, &changes);
        assert_eq!(refusals.len(), 1);
        assert_eq!(refusals[0].objects, [changes[1].id.clone()]);
    }
}
