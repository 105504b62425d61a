//! Nothing is deleted that does not carry our mark, and nothing of another fleet's is written.

use super::{Facts, Guard, Refusal, count};
use crate::plan::change::{Action, Change, Ownership};

/// Refuses deletes of what is not marked ours, and writes to what another fleet has marked.
pub(super) struct NotOurs;

impl Guard for NotOurs {
    fn name(&self) -> &'static str {
        "not-ours"
    }

    fn check(&self, changes: &[Change], _: &Facts<'_>) -> Vec<Refusal> {
        let pick = |test: &dyn Fn(&Change) -> bool| -> Vec<_> {
            changes
                .iter()
                .filter(|c| c.goes_ahead() && test(c))
                .map(|c| c.id.clone())
                .collect()
        };
        let unmarked = pick(&|change| {
            change.action == Action::Delete && !matches!(change.ownership, Ownership::Ours | Ownership::Fleet(_))
        });
        let foreign = pick(&|change| matches!(change.ownership, Ownership::Fleet(_)));
        let mut refusals = Vec::new();
        if !unmarked.is_empty() {
            refusals.push(Refusal {
                guard: self.name(),
                message: format!(
                    "{} would be deleted without our owner mark: it was taken off, or is another object's",
                    count(unmarked.len(), "object")
                ),
                lift: "if it is to go, delete it by hand: the next run sees it gone and drops it from the inventory; \
                       if it is ours after all, put the annotation `fleetwright.dev/owner` back"
                    .to_owned(),
                objects: unmarked,
            });
        }
        if !foreign.is_empty() {
            refusals.push(Refusal {
                guard: self.name(),
                message: match foreign.len() {
                    1 => "1 object carries the owner mark of another fleet".to_owned(),
                    objects => format!("{objects} objects carry the owner mark of another fleet"),
                },
                lift: "take it out of one of the two fleets; two fleets never share an object".to_owned(),
                objects: foreign,
            });
        }
        refusals
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::World;
    use super::*;
    use crate::plan::change::tests::change;

    #[test]
    fn refuses_to_delete_what_lost_its_mark() {
        let mut changes = [
            change("a", "NodePool", "a-x", Action::Delete),
            change("a", "NodePool", "a-y", Action::Delete),
        ];
        changes[1].ownership = Ownership::Unmarked;
        let refusals = World::new().check(&NotOurs, &changes);
        assert_eq!(refusals[0].objects, [changes[1].id.clone()]);
    }

    #[test]
    fn refuses_to_write_what_another_fleet_marked() {
        let mut changes = [change("a", "NodePool", "a-x", Action::Update)];
        changes[0].ownership = Ownership::Fleet("other".to_owned());
        let refusals = World::new().check(&NotOurs, &changes);
        assert!(refusals[0].message.contains("another fleet"), "{}", refusals[0].message);
    }
}
