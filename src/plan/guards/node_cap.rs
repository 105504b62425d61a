//! No run disrupts more nodes than the fleet's cap.

use super::{Refusal, count};
use crate::fleet::model::Cap;
use crate::plan::Plan;
use crate::plan::disruption::disrupted;

/// Its name.
pub const GUARD: &str = "node-cap";

/// How many nodes a cap allows, in a fleet whose pools ask for so many.
pub fn allowance(cap: Cap, nodes: u64) -> u64 {
    match cap {
        Cap::Count(n) => n,
        Cap::Percent(p) => nodes * u64::from(p) / 100,
    }
}

/// A cap in words.
pub fn words(cap: Cap, nodes: u64) -> String {
    match cap {
        Cap::Count(n) => n.to_string(),
        Cap::Percent(p) => format!("{p}% of {nodes} nodes"),
    }
}

/// Refuses everything that disrupts nodes when there are more of them than `limits.disruptedNodes` allows: what goes ahead
/// now, and what follows once a control plane has come so far, for an upgrade that is refused halfway helps nobody.
pub fn check(plan: &Plan, cap: Cap, nodes: u64) -> Option<Refusal> {
    let disrupted = disrupted(plan);
    let sum: u64 = disrupted.iter().map(|(_, nodes)| nodes).sum();
    (sum > allowance(cap, nodes)).then(|| Refusal {
        guard: GUARD,
        message: format!(
            "this would replace, update or take away {}; the cap is {}",
            count(usize::try_from(sum).unwrap_or(usize::MAX), "node"),
            words(cap, nodes)
        ),
        lift: format!(
            "raise limits.disruptedNodes in the Fleet document to {sum} or more for this commit, or change fewer pools at a time"
        ),
        objects: disrupted.into_iter().map(|(change, _)| change.id.clone()).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::change::tests::{change, plan};
    use crate::plan::change::{Action, Block};
    use crate::plan::disruption::{Class, Count, Disruption};

    #[test]
    fn counts_the_nodes_of_what_goes_ahead_and_of_what_follows_it() {
        let mut waits = change("b", "NodePool", "b-x", Action::Update);
        waits.blocks.push(Block::Upgrade {
            after: "the control plane".to_owned(),
        });
        let mut refused = change("c", "NodePool", "c-x", Action::Update);
        refused.blocks.push(Block::NotManaged);
        let changes = vec![change("a", "NodePool", "a-x", Action::Update), waits, refused];
        let mut plan = plan(changes);
        for change in &plan.changes {
            let disruption = Disruption {
                class: Class::NodeReplacement,
                removed: Count { min: 1, max: 3 },
                ..Disruption::default()
            };
            plan.forecast.changes.insert(change.id.clone(), disruption);
        }
        assert_eq!(check(&plan, Cap::Count(6), 0), None);
        let refusal = check(&plan, Cap::Count(5), 0).unwrap();
        assert_eq!(
            refusal.objects,
            [plan.changes[0].id.clone(), plan.changes[1].id.clone()]
        );
        assert!(refusal.message.contains("6 nodes; the cap is 5"), "{}", refusal.message);
        assert_eq!(check(&plan, Cap::Percent(10), 60), None);
        assert!(check(&plan, Cap::Percent(10), 59).is_some());
    }
}
