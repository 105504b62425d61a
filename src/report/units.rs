//! The changes of a plan by unit, the worst first: what is refused, what goes, what is replaced; then the rest.
//!
//! Invariant: within a unit the order of the plan stays; of units of one weight that with more nodes to replace is first, and of
//! those with as many that whose name is.

use std::cmp::Reverse;

use crate::plan::Plan;
use crate::plan::change::{Action, Block, Change};
use crate::plan::disruption::Class;

/// How much a reader should care, more for worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Weight {
    /// Recorded, made, taken over.
    Little,
    /// Something is changed in its place.
    Update,
    /// Nodes are replaced, or something is made anew for a field that can't be changed.
    Replacement,
    /// Something goes.
    Delete,
    /// Something is refused, or not known.
    Refused,
}

/// The changes of each unit.
pub(crate) fn worst_first(plan: &Plan) -> Vec<&[Change]> {
    let mut units: Vec<&[Change]> = plan.changes.chunk_by(|a, b| a.unit == b.unit).collect();
    units.sort_by_key(|changes| Reverse((weight(plan, changes), nodes(plan, changes))));
    units
}

/// Nodes that some changes replace, at most.
fn nodes(plan: &Plan, changes: &[Change]) -> u64 {
    let costs = changes
        .iter()
        .filter_map(|change| plan.forecast.changes.get(&change.id));
    let pools = costs.flat_map(|cost| &cost.pools);
    pools.map(|pool| u64::from(pool.nodes.max)).sum()
}

/// The weight of the worst of some changes.
pub(super) fn weight(plan: &Plan, changes: &[Change]) -> Weight {
    changes
        .iter()
        .map(|change| of(plan, change))
        .max()
        .unwrap_or(Weight::Little)
}

fn of(plan: &Plan, change: &Change) -> Weight {
    let costs = plan.forecast.changes.get(&change.id).map(|cost| cost.class);
    let is_stopped = |block: &Block| {
        !matches!(
            block,
            Block::NotManaged | Block::Dependency { .. } | Block::Upgrade { .. } | Block::Ignored | Block::NoProvider
        )
    };
    match change.action {
        _ if change.blocks.iter().any(is_stopped) => Weight::Refused,
        Action::Delete => Weight::Delete,
        Action::Update | Action::Adopt if change.fields.iter().any(|field| field.replaces) => Weight::Replacement,
        Action::Update | Action::Adopt if costs >= Some(Class::NodeReplacement) => Weight::Replacement,
        Action::Update => Weight::Update,
        Action::Create | Action::Adopt | Action::Forget | Action::Leave => Weight::Little,
    }
}
