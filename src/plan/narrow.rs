//! A part of a plan, for people to read: what moved by itself, or some kinds of objects.
//!
//! Invariant: a plan that was narrowed is shown and never applied. It was decided and judged by the guards as a whole, so that
//! what is shown of it is what the whole says of these objects.

use std::collections::BTreeSet;

use super::build::Plan;
use super::change::{Action, Block, Change, Reason};
use super::confirm::keep;
use crate::resource::ResourceId;

/// What is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Narrow {
    /// Only what moved by itself. What could not be looked at is shown too: it may have.
    pub drift: bool,
    /// Only objects of these kinds; empty: of all.
    pub kinds: Vec<String>,
}

/// What was asked for, and how much is not shown for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Narrowed {
    /// What was asked for.
    pub to: Narrow,
    /// Changes that are not shown.
    pub hidden: usize,
}

impl Narrow {
    /// Whether it is less than all.
    pub fn is_less(&self) -> bool {
        self.drift || !self.kinds.is_empty()
    }

    /// Whether objects of a kind are asked for.
    pub fn is_of_kind(&self, kind: &str) -> bool {
        self.kinds.is_empty() || self.kinds.iter().any(|asked| asked == kind)
    }

    fn shows(&self, change: &Change) -> bool {
        let is_unknown = |block: &Block| matches!(block, Block::Unknown { .. });
        let moved = || change.is_drift() || change.blocks.iter().any(is_unknown);
        self.is_of_kind(&change.id.kind) && (!self.drift || moved())
    }
}

impl Plan {
    /// Takes out what is not asked for. `wanted` is how many objects of these kinds the files want.
    pub fn narrow(&mut self, to: &Narrow, wanted: usize) {
        let shown: Vec<bool> = self.changes.iter().map(|change| to.shows(change)).collect();
        let hidden = shown.iter().filter(|shown| !**shown).count();
        if !to.kinds.is_empty() {
            // Of the objects that are wanted, those that a change is about are not as they should be.
            let is_wanted = |change: &&Change| {
                to.is_of_kind(&change.id.kind)
                    && (change.writes() || (change.action == Action::Leave && change.reason != Reason::Removed))
            };
            self.unchanged = wanted.saturating_sub(self.changes.iter().filter(is_wanted).count());
        }
        drop(keep(self, |at| shown.get(at).copied().unwrap_or(true)));
        let left: BTreeSet<&ResourceId> = self.changes.iter().map(|change| &change.id).collect();
        self.refusals
            .retain(|refusal| refusal.objects.is_empty() || refusal.objects.iter().any(|id| left.contains(id)));
        self.ignored.retain(|field| to.is_of_kind(&field.id.kind));
        self.forecast.narrow(&self.changes);
        self.narrowed = Some(Narrowed { to: to.clone(), hidden });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::change::tests::{change, plan};
    use crate::plan::guards::Refusal;

    fn drifted(kind: &str, name: &str) -> Change {
        let mut one = change("a", kind, name, Action::Update);
        one.reason = Reason::Drifted;
        one
    }

    fn mixed() -> Plan {
        let mut unseen = change("a", "Secret", "unseen", Action::Leave);
        unseen.reason = Reason::Unseen;
        unseen.blocks.push(Block::Unknown {
            reason: "timeout".to_owned(),
        });
        let gone = change("a", "NodePool", "gone", Action::Delete);
        let mut plan = plan(vec![
            change("a", "HostedCluster", "a", Action::Update),
            drifted("NodePool", "moved"),
            gone,
            unseen,
        ]);
        plan.unchanged = 10;
        plan.refusals.push(Refusal {
            guard: "protected",
            message: String::new(),
            lift: String::new(),
            objects: vec![plan.changes[2].id.clone()],
        });
        plan
    }

    fn names(plan: &Plan) -> Vec<&str> {
        plan.changes.iter().map(|change| change.id.name.as_str()).collect()
    }

    #[test]
    fn of_drift_there_is_what_moved_and_what_could_not_be_looked_at() {
        let mut plan = mixed();
        let to = Narrow {
            drift: true,
            ..Narrow::default()
        };
        plan.narrow(&to, 0);
        assert_eq!(names(&plan), ["moved", "unseen"]);
        assert!(!plan.is_refused() && plan.has_unknowns() && plan.is_drift_only());
        assert_eq!((plan.unchanged, plan.graph.before.len()), (10, 2));
        assert_eq!(plan.narrowed.map(|it| it.hidden), Some(2));
    }

    #[test]
    fn of_a_kind_the_refusals_and_the_counts_are_of_that_kind() {
        let mut plan = mixed();
        let to = Narrow {
            kinds: vec!["NodePool".to_owned()],
            ..Narrow::default()
        };
        plan.narrow(&to, 4);
        assert_eq!(names(&plan), ["moved", "gone"]);
        assert!(plan.is_refused() && !plan.has_unknowns());
        assert_eq!(
            plan.unchanged, 3,
            "one of the four wanted is to change, and what goes is not wanted"
        );

        let mut plan = mixed();
        let to = Narrow {
            kinds: vec!["HostedCluster".to_owned()],
            ..Narrow::default()
        };
        plan.narrow(&to, 1);
        assert_eq!((names(&plan), plan.is_refused(), plan.unchanged), (vec!["a"], false, 0));
    }
}
