//! What others made and was taken over is not pruned: only its whole unit may go, when that was committed to.

use super::{Facts, Guard, Refusal, count};
use crate::plan::change::{Action, Change};

/// Refuses deletes of adopted OCI resources, unless their unit is listed under `decommission`.
pub(super) struct Adopted;

impl Guard for Adopted {
    fn name(&self) -> &'static str {
        "adopted"
    }

    fn check(&self, changes: &[Change], facts: &Facts<'_>) -> Vec<Refusal> {
        let adopted = |change: &Change| change.oci.as_ref().is_some_and(|entry| entry.adopted);
        let objects: Vec<_> = changes
            .iter()
            .filter(|change| change.action == Action::Delete && change.goes_ahead() && adopted(change))
            .filter(|change| !facts.decommission.contains_key(&change.unit))
            .map(|change| change.id.clone())
            .collect();
        if objects.is_empty() {
            return Vec::new();
        }
        vec![Refusal {
            guard: self.name(),
            message: format!(
                "{} that others made, and that this fleet took over, would be deleted",
                count(objects.len(), "object")
            ),
            lift: "if it is to go, delete it by hand: the next run sees it gone and drops it from the inventory; else put \
                   what wants it back into the fleet files"
                .to_owned(),
            objects,
        }]
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{World, decommission};
    use super::*;
    use crate::inventory::OciEntry;
    use crate::plan::change::tests::change;

    #[test]
    fn what_was_taken_over_goes_only_with_its_unit() {
        let mut changes = [
            change("a", "RouteTable", "theirs", Action::Delete),
            change("a", "RouteTable", "ours", Action::Delete),
        ];
        for (change, adopted) in changes.iter_mut().zip([true, false]) {
            change.oci = Some(OciEntry {
                adopted,
                ..OciEntry::default()
            });
        }
        let mut world = World::new();
        assert_eq!(world.check(&Adopted, &changes)[0].objects, [changes[0].id.clone()]);
        world.decommission.insert(changes[0].unit.clone(), decommission());
        assert!(world.check(&Adopted, &changes).is_empty());
    }
}
