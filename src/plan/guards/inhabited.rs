//! A namespace goes with all that is in it: not while something is there that is not the fleet's.

use super::{Facts, Guard, Refusal};
use crate::plan::change::{Action, Change};

/// Refuses to delete a namespace in which others have put something.
pub(super) struct Inhabited;

/// So many are named.
const NAMED: usize = 5;

impl Guard for Inhabited {
    fn name(&self) -> &'static str {
        "inhabited"
    }

    fn check(&self, changes: &[Change], facts: &Facts<'_>) -> Vec<Refusal> {
        let deletes = changes
            .iter()
            .filter(|change| change.action == Action::Delete && change.goes_ahead());
        deletes
            .filter_map(|change| Some((change, facts.strangers.get(&change.id)?)))
            .map(|(change, strangers)| {
                let mut named: Vec<&str> = strangers.iter().take(NAMED).map(String::as_str).collect();
                let more = format!("{} more", strangers.len().saturating_sub(NAMED));
                if strangers.len() > NAMED {
                    named.push(&more);
                }
                Refusal {
                    guard: self.name(),
                    message: format!(
                        "with {} would go what is not this fleet's: {}",
                        change.id,
                        named.join(", ")
                    ),
                    lift: "move it to another namespace or delete it, whoever it belongs to; the namespace goes after that"
                        .to_owned(),
                    objects: vec![change.id.clone()],
                }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::World;
    use super::*;
    use crate::plan::change::tests::change;

    #[test]
    fn refuses_while_others_live_there_and_names_them() {
        let changes = [
            change("a", "Namespace", "clusters-a", Action::Delete),
            change("a", "HostedCluster", "a", Action::Delete),
        ];
        let mut world = World::new();
        assert!(world.check(&Inhabited, &changes).is_empty());
        let strangers: Vec<String> = (0..7).map(|n| format!("HostedCluster clusters-a/theirs-{n}")).collect();
        world.strangers.insert(changes[0].id.clone(), strangers);
        let refusals = world.check(&Inhabited, &changes);
        assert_eq!(refusals[0].objects, [changes[0].id.clone()]);
        assert!(refusals[0].message.ends_with("theirs-4, 2 more"), "{refusals:?}");
    }
}
