//! What someone else made is taken over only when the user says so.

use super::{Facts, Guard, Refusal};
use crate::plan::change::{Action, Change};

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
        let objects: Vec<_> = changes
            .iter()
            .filter(|c| c.action == Action::Adopt && c.goes_ahead())
            .map(|c| c.id.clone())
            .collect();
        if objects.is_empty() {
            return Vec::new();
        }
        vec![Refusal {
            guard: self.name(),
            message: format!(
                "{} already, made by someone else",
                if objects.len() == 1 {
                    "1 object exists".to_owned()
                } else {
                    format!("{} objects exist", objects.len())
                }
            ),
            lift: "look at the differences, then run again with --adopt".to_owned(),
            objects,
        }]
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
        world.adopt = true;
        assert!(world.check(&Adoption, &changes).is_empty());
    }
}
