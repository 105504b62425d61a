//! Whose a live object is.

use serde_json::Value;

use super::change::Ownership;
use crate::inventory::Entry;
use crate::resource::{FleetUid, OwnerMark, ResourceId};

/// Whose this object is, by the mark that it carries and by the inventory's entry.
///
/// A mark without an entry proves nothing: marks are copied with the objects that carry them.
pub(super) fn ownership(id: &ResourceId, uid: &str, live: &Value, entry: Option<&Entry>, fleet: &FleetUid) -> Ownership {
    let mark = OwnerMark::of_object(live);
    match (mark, entry) {
        (Some(mark), _) if mark.fleet() != fleet => Ownership::Fleet(mark.fleet().to_string()),
        (_, None) => Ownership::Foreign,
        (Some(mark), Some(_)) if mark.is_for(id, fleet) => Ownership::Ours,
        // The create was announced and never confirmed; what stands there without our mark is somebody else's.
        (_, Some(Entry { uid: None, .. })) => Ownership::Foreign,
        (_, Some(Entry { uid: Some(recorded), .. })) if recorded != uid => Ownership::Replaced,
        (_, Some(_)) => Ownership::Unmarked,
    }
}
