//! What a batch came to, in numbers.
//!
//! Invariant: pure; nothing decides by it.

use std::collections::{BTreeMap, BTreeSet};

use crate::apply::ChangeResult;
use crate::plan::Plan;
use crate::plan::change::Block;
use crate::report::json::action;
use crate::resource::UnitId;

/// A kind of change, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Tried {
    pub(super) action: &'static str,
    pub(super) kind: String,
    pub(super) cause: &'static str,
    pub(super) result: &'static str,
}

/// What stands in a unit's way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Hindered {
    /// Changes that a guard refuses, by guard.
    pub(super) refused: BTreeMap<&'static str, usize>,
    /// Objects that moved by themselves and are left so.
    pub(super) drifted: usize,
}

/// The numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) tried: BTreeMap<Tried, u32>,
    pub(super) hindered: BTreeMap<UnitId, Hindered>,
}

impl Tally {
    /// Counts a plan of some units and what came of its changes.
    pub(super) fn of(plan: &Plan, results: &[Option<ChangeResult>], units: &BTreeSet<UnitId>) -> Self {
        let mut tally = Self::default();
        for (change, result) in plan.changes.iter().zip(results) {
            let Some(result) = result else { continue };
            let tried = Tried {
                action: action(change.action),
                kind: change.id.kind.clone(),
                cause: if change.is_drift() { "drift" } else { "files" },
                result: match result {
                    ChangeResult::Done => "done",
                    ChangeResult::Deleting => "deleting",
                    ChangeResult::Failed { .. } => "failed",
                    ChangeResult::Skipped { .. } => "skipped",
                    ChangeResult::Interrupted => "interrupted",
                },
            };
            *tally.tried.entry(tried).or_default() += 1;
        }
        for change in plan.changes.iter().filter(|change| units.contains(&change.unit)) {
            let hindered = tally.hindered.entry(change.unit.clone()).or_default();
            for block in &change.blocks {
                match block {
                    Block::Guard { guard } => *hindered.refused.entry(guard).or_default() += 1,
                    Block::LeftAlone { .. } | Block::Contested { .. } if change.is_drift() => hindered.drifted += 1,
                    _ => {}
                }
            }
        }
        let contested = plan.ignored.iter().filter(|field| field.contested_by().is_some());
        let contested: BTreeSet<_> = contested.map(|field| (&field.unit, &field.id)).collect();
        for (unit, _) in contested.into_iter().filter(|(unit, _)| units.contains(unit)) {
            tally.hindered.entry(unit.clone()).or_default().drifted += 1;
        }
        tally.hindered.retain(|_, hindered| *hindered != Hindered::default());
        tally
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::change::tests::{change, plan};
    use crate::plan::change::{Action, Reason};

    #[test]
    fn what_was_tried_and_what_stands_in_the_way_is_counted() {
        let mut drifted = change("a", "NodePool", "x", Action::Update);
        drifted.reason = Reason::Drifted;
        let mut left = drifted.clone();
        left.blocks.push(Block::LeftAlone {
            reason: "reported".to_owned(),
        });
        let mut guarded = change("b", "HostedCluster", "x", Action::Delete);
        guarded.blocks.push(Block::Guard { guard: "protected" });
        let mut capped = change("b", "NodePool", "y", Action::Delete);
        capped.blocks.push(Block::Guard {
            guard: "daily-delete-cap",
        });
        let mut fought = drifted.clone();
        fought.blocks.push(Block::Contested { fields: Vec::new() });
        let mut passed_over = drifted.clone();
        passed_over.blocks.push(Block::Ignored);
        let plan = plan(vec![
            change("a", "NodePool", "w", Action::Create),
            drifted,
            left,
            guarded,
            capped,
            fought,
            passed_over,
        ]);
        let units: BTreeSet<UnitId> = plan.changes.iter().map(|change| change.unit.clone()).collect();
        let failed = ChangeResult::Failed {
            message: "no".to_owned(),
        };
        let tally = Tally::of(&plan, &[Some(ChangeResult::Done), Some(failed)], &units);
        let tried: Vec<_> = tally
            .tried
            .iter()
            .map(|(one, n)| (one.action, one.cause, one.result, *n))
            .collect();
        assert_eq!(
            tried,
            [("create", "files", "done", 1), ("update", "drift", "failed", 1)]
        );
        let hindered: Vec<_> = tally.hindered.values().collect();
        assert_eq!(hindered[0].drifted, 2);
        assert_eq!(
            hindered[1].refused,
            BTreeMap::from([("daily-delete-cap", 1), ("protected", 1)])
        );
        let none = Tally::of(&plan, &[], &BTreeSet::new());
        assert_eq!(none, Tally::default());
    }
}
