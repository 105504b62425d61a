//! What waits since something that it needs does.
//!
//! Invariant: a change that is blocked already keeps its own reason.

use std::collections::BTreeMap;

use super::change::{Action, Block, Change, Reason};
use super::graph::{Cycle, Graph};
use super::upgrade::IMAGE;
use crate::resource::{ResourceId, Target, UnitId};

/// What needs an object that is not there and will not be made is blocked too; so is the delete of what still holds
/// something that stays.
pub(super) fn block_dependents(changes: &mut [Change], graph: &Graph) -> Result<(), Cycle> {
    let places: BTreeMap<ResourceId, usize> = changes
        .iter()
        .enumerate()
        .filter(|(_, change)| change.writes())
        .map(|(i, change)| (change.id.clone(), i))
        .collect();
    for wave in graph.waves(changes)? {
        for i in wave {
            // One reason is enough; what it would wait for besides only hides it.
            if changes[i].action == Action::Leave || !changes[i].blocks.is_empty() {
                continue;
            }
            let needs = graph.before[i].iter().find(|&&j| {
                let record_stays = changes[i].reason == Reason::Moved && !changes[j].goes_ahead();
                record_stays || changes[j].is_remade() || stays_missing(&changes[j]) || stays_there(&changes[j])
            });
            let missing = || {
                let made = |id: &ResourceId| places.get(id).is_some_and(|&j| changes[j].goes_ahead());
                let mut open = changes[i].unresolved.iter().map(|reference| &reference.id);
                open.find(|id| !made(id)).cloned()
            };
            if let Some(needs) = needs.map(|&j| changes[j].id.clone()).or_else(missing) {
                changes[i].blocks.push(Block::Dependency { needs });
            }
        }
    }
    block_what_follows(changes);
    Ok(())
}

/// What follows a step of its control plane does not come where that step is not taken.
fn block_what_follows(changes: &mut [Change]) {
    let stopped: BTreeMap<UnitId, ResourceId> = changes
        .iter()
        .filter(|change| change.id.kind == "HostedCluster" && !change.goes_ahead() && !change.follows())
        .filter(|change| change.fields.iter().any(|diff| diff.field == IMAGE))
        .map(|change| (change.unit.clone(), change.id.clone()))
        .collect();
    for change in changes.iter_mut().filter(|change| change.follows()) {
        if let Some(needs) = stopped.get(&change.unit).cloned() {
            change.blocks.push(Block::Dependency { needs });
        }
    }
}

/// A write that is not made, of an object that is not there or not known to be. Nor is what others made on OCI, and is not
/// taken over, there for us: nothing is put into somebody else's network.
fn stays_missing(change: &Change) -> bool {
    let write = match change.action {
        Action::Create => true,
        Action::Adopt => change.id.target == Target::Oci,
        Action::Leave => change.reason == Reason::Unseen,
        Action::Update | Action::Delete | Action::Forget => false,
    };
    write && !change.goes_ahead()
}

/// A delete that is not made.
fn stays_there(change: &Change) -> bool {
    change.removes() && !change.goes_ahead()
}
