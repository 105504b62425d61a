//! What the inventories hold, object by object.
//!
//! Invariant: what somebody wants is unwanted by nobody, whichever unit records it.

use std::collections::{BTreeMap, BTreeSet};

use super::build::Inputs;
use crate::inventory::Entry;
use crate::resource::{Manifest, ResourceId, UnitId};

/// What the inventories hold, and what of it somebody wants.
pub(super) struct Records<'a> {
    /// The unit that wants an object.
    wanted: BTreeMap<&'a ResourceId, &'a UnitId>,
    elsewhere: &'a BTreeSet<&'a ResourceId>,
    /// The entries of every object: one, or for a while two when it moves from a unit to another.
    entries: BTreeMap<&'a ResourceId, Vec<(&'a UnitId, &'a Entry)>>,
}

/// What becomes of what is recorded.
pub(super) enum Fate {
    /// Its unit wants it, or one out of scope does.
    Kept,
    /// Another unit wants it now, and records it.
    Moved,
    /// Nobody wants it.
    Unwanted,
}

impl<'a> Records<'a> {
    pub(super) fn new(inputs: &'a Inputs<'_>) -> Self {
        let manifests = inputs.desired.values().flat_map(|unit| unit.manifests);
        let mut entries: BTreeMap<&ResourceId, Vec<(&UnitId, &Entry)>> = BTreeMap::new();
        for ((_, unit), stored) in inputs.inventories {
            for entry in &stored.inventory.entries {
                entries.entry(&entry.id).or_default().push((unit, entry));
            }
        }
        Self {
            wanted: manifests.map(|manifest| (&manifest.id, &manifest.unit)).collect(),
            elsewhere: &inputs.wanted_elsewhere,
            entries,
        }
    }

    /// The entry of an object: its own unit's, else that of the unit that it moves from.
    pub(super) fn entry(&self, manifest: &Manifest) -> Option<&'a Entry> {
        let entries = self.entries.get(&manifest.id)?;
        let own = entries.iter().find(|(unit, _)| **unit == manifest.unit);
        own.or(entries.first()).map(|(_, entry)| *entry)
    }

    pub(super) fn fate(&self, entry: &Entry, unit: &UnitId) -> Fate {
        match self.wanted.get(&entry.id) {
            Some(wanting) if *wanting == unit => Fate::Kept,
            Some(_) => Fate::Moved,
            None if self.elsewhere.contains(&entry.id) => Fate::Kept,
            None => Fate::Unwanted,
        }
    }
}
