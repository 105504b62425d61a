//! What is recorded, and the fleet does not want, or does not want here.
//!
//! Invariant: pure. Nothing is deleted that was not seen, as it was seen; what can't be told is left alone.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::change::{Action, Block, Change, Ownership, Payload, Precondition, Preview, Reason};
use super::decide::Context;
use super::mask::holds_secrets;
use super::ownership::ownership;
use crate::inventory::Entry;
use crate::providers::Observed;
use crate::resource::{Digest, ManagementClusterName, ResourceId, UnitId};

/// A change of an object that is known by its entry alone.
fn recorded(entry: &Entry, unit: &UnitId, recorded_on: &ManagementClusterName) -> Change {
    Change {
        id: entry.id.clone(),
        unit: unit.clone(),
        recorded_on: recorded_on.clone(),
        api_version: entry.api_version.clone(),
        action: Action::Leave,
        reason: Reason::Removed,
        fields: Vec::new(),
        preview: Preview::Document,
        blocks: Vec::new(),
        precondition: None,
        seen: None,
        mutated: BTreeSet::new(),
        source: None,
        ownership: Ownership::Nobody,
        depends_on: Vec::new(),
        payload: Payload::none(),
        oci: None,
        unresolved: Vec::new(),
        later: None,
    }
}

/// The object is another unit's now: this one's record lets go of it.
pub(super) fn moved(entry: &Entry, unit: &UnitId, recorded_on: &ManagementClusterName) -> Change {
    Change {
        action: Action::Forget,
        reason: Reason::Moved,
        ..recorded(entry, unit, recorded_on)
    }
}

/// The files let go of the management cluster that records it: it stays as it is, whatever else they say of it.
pub(super) fn let_go(entry: &Entry, unit: &UnitId, recorded_on: &ManagementClusterName) -> Change {
    Change {
        action: Action::Forget,
        ..recorded(entry, unit, recorded_on)
    }
}

/// Whether the object is wanted can't be told.
pub(super) fn undecided(entry: &Entry, unit: &UnitId, recorded_on: &ManagementClusterName, reason: String) -> Change {
    Change {
        blocks: vec![Block::Unknown { reason }],
        ..recorded(entry, unit, recorded_on)
    }
}

/// What of an object somebody decides on who lets it go; its status and its bookkeeping are none of that. Of a Secret's values
/// there is no digest: its version tells that they are others.
pub(super) fn seen(id: &ResourceId, live: &Value) -> Digest {
    let decided = |key: &&String| match key.as_str() {
        "metadata" | "status" => false,
        "data" | "stringData" => !holds_secrets(id),
        _ => true,
    };
    let entries = live.as_object().into_iter().flatten();
    let parts: BTreeMap<&String, &Value> = entries.filter(|(key, _)| decided(key)).collect();
    let whole = serde_json::json!([live.pointer("/metadata/labels"), parts]);
    Digest::of(whole.to_string().as_bytes())
}

/// What to do about an object that is in the inventory and that the fleet no longer wants.
pub(super) fn unwanted(
    entry: &Entry,
    unit: &UnitId,
    recorded_on: &ManagementClusterName,
    context: &Context<'_>,
) -> Change {
    let mut change = Change {
        oci: entry.oci.clone(),
        ..recorded(entry, unit, recorded_on)
    };
    match context.observed(&entry.id) {
        None => change.blocks.push(Block::NoProvider),
        Some(Observed::Unknown(reason)) => change.blocks.push(Block::Unknown { reason: reason.clone() }),
        Some(Observed::Absent) => {
            change.action = Action::Forget;
            change.reason = Reason::Gone;
        }
        Some(Observed::Present(live)) => match live.parse() {
            Ok(value) => {
                change.action = Action::Delete;
                change.ownership = ownership(&entry.id, &live.uid, &value, Some(entry), context.fleet);
                change.precondition = Some(Precondition {
                    uid: live.uid.clone(),
                    version: live.version.clone(),
                });
                change.seen = Some(seen(&entry.id, &value));
            }
            Err(error) => {
                let reason = format!("the server's answer is no JSON: {error}");
                change.blocks.push(Block::Unknown { reason });
            }
        },
    }
    change
}
