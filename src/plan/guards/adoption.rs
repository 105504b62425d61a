//! What someone else made is taken over only when the user says so.

use super::{Facts, Guard, Refusal};
use crate::plan::change::{Action, Change, Ownership};

/// Refuses adoptions without `--adopt`.
pub(super) struct Adoption;

impl Guard for Adoption {
    fn name(&self) -> &'static str {
        "adoption"
    }

    fn check(&self, changes: &[Change], facts: &Facts<'_>) -> Vec<Refusal> {
        if facts.adopt {
            return Vec::new();
        }
        let (lost, found): (Vec<&Change>, Vec<&Change>) = changes
            .iter()
            .filter(|c| c.action == Action::Adopt && c.goes_ahead())
            .partition(|c| c.ownership == Ownership::Unrecorded);
        let refuse = |changes: &[&Change], what: &str, lift: &str| {
            let exist = if changes.len() == 1 {
                "1 object exists".to_owned()
            } else {
                format!("{} objects exist", changes.len())
            };
            (!changes.is_empty()).then(|| Refusal {
                guard: self.name(),
                message: format!("{exist} already, {what}"),
                lift: lift.to_owned(),
                objects: changes.iter().map(|change| change.id.clone()).collect(),
            })
        };
        let lost = refuse(
            &lost,
            "marked as ours and in no inventory: it was lost, or another run is just making them",
            "make sure that no other run is under way, then run again with --adopt: they are entered again",
        );
        let found = refuse(
            &found,
            "made by someone else",
            "look at the differences, then run again with --adopt",
        );
        lost.into_iter().chain(found).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::World;
    use super::*;
    use crate::plan::change::tests::change;

    #[test]
    fn refuses_until_told() {
        let changes = [
            change("a", "NodePool", "a-x", Action::Adopt),
            change("a", "Secret", "s", Action::Create),
        ];
        let mut world = World::new();
        assert_eq!(world.check(&Adoption, &changes)[0].objects, [changes[0].id.clone()]);
        let mut lost = changes.clone();
        lost[0].ownership = Ownership::Unrecorded;
        let refusals = world.check(&Adoption, &lost);
        assert!(
            refusals[0].message.contains("1 object exists already, marked as ours"),
            "{}",
            refusals[0].message
        );
        world.adopt = true;
        assert!(world.check(&Adoption, &changes).is_empty());
    }
}
