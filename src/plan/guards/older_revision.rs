//! An older revision never overwrites a newer one.

use std::collections::BTreeMap;

use super::{Facts, Guard, Refusal};
use crate::plan::change::Change;
use crate::resource::ResourceId;

/// Refuses all changes of units that were last applied from a newer revision.
pub(super) struct OlderRevision;

impl Guard for OlderRevision {
    fn name(&self) -> &'static str {
        "older-revision"
    }

    fn check(&self, changes: &[Change], facts: &Facts<'_>) -> Vec<Refusal> {
        let mut by_revision: BTreeMap<_, Vec<ResourceId>> = BTreeMap::new();
        for change in changes.iter().filter(|change| change.goes_ahead()) {
            if let Some(newer) = facts.newer.get(&change.unit) {
                by_revision.entry(newer).or_default().push(change.id.clone());
            }
        }
        by_revision
            .into_iter()
            .map(|(revision, objects)| Refusal {
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
