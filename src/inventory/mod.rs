//! What we have made: an explicit record per unit, written before the first create and read before anything is pruned.
//!
//! Invariant: pure data; storing it is the Kubernetes provider's. May depend on `resource` alone.

pub mod ledger;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::resource::{Digest, FleetUid, ManagementClusterName, ResourceId, Revision, UnitId};

/// Where a unit's inventory is kept: a unit that moves between management clusters has one on each for a while.
pub type InventoryKey = (ManagementClusterName, UnitId);

/// One object in the record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// What it is.
    pub id: ResourceId,
    /// The version by which it was last written, for the delete.
    pub api_version: String,
    /// Its UID (or OCID); none while the create is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// Digest of the manifest last applied: where it equals the desired one, what differs now is drift.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// What only OCI needs to be known; none for Kubernetes objects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oci: Option<OciEntry>,
    /// Whether we have had it deleted, and were not there to see it gone: that it is gone then is nobody else's doing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub going: bool,
}

/// What the record keeps of an OCI resource beside its OCID.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OciEntry {
    /// Region id: the service endpoint to ask.
    pub region: String,
    /// OCID of the compartment that it was made in: a 404 means something only beside a list of that compartment.
    pub compartment: String,
    /// OCID of the tenancy, whose credentials are used; none: the default ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenancy: Option<String>,
    /// Part of the retry token of its create, so that a lost answer never makes a twin. Begins with the second at which it was first
    /// planned, since OCI refuses the token of what was made, and deleted with its record, within a day; raised when the resource
    /// was seen gone and is made again.
    #[serde(default)]
    pub incarnation: u32,
    /// Keys of the freeform tags that we last set: one that is no longer wanted is taken off, one of somebody else's stays.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// The fields that we last set, each as the steps that lead to it below the spec: one that is no longer named is to go, one
    /// that OCI or somebody else has filled in stays. None in a record of a version that did not keep them: nothing is former then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<Vec<String>>,
    /// Where a set of DNS records is, which has no OCID: what a run that was cut off made of it is looked for there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// Whether somebody else had made it, and it was taken over: it goes only with its unit, and when the files say so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub adopted: bool,
}

/// The record of one unit. Stored as JSON under a versioned format.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UnitInventory {
    /// Format of the record: 1.
    pub format: u32,
    /// The fleet.
    pub fleet: FleetUid,
    /// The unit.
    pub unit: UnitId,
    /// The revision last applied.
    pub revision: Revision,
    /// Committer time of that revision, seconds since 1970; 0 where unknown.
    #[serde(default)]
    pub revision_time: i64,
    /// Raised by one at every write.
    pub generation: u64,
    /// Until when nothing of the unit is deleted, by the files that were last applied: what they say when they hold the unit
    /// no longer counts for nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protect_until: Option<Timestamp>,
    /// The objects, sorted by id.
    pub entries: Vec<Entry>,
}

impl UnitInventory {
    /// The format that this version writes.
    pub const FORMAT: u32 = 1;

    /// An empty record.
    pub fn new(fleet: FleetUid, unit: UnitId) -> Self {
        Self {
            format: Self::FORMAT,
            fleet,
            unit,
            revision: Revision::new(""),
            revision_time: 0,
            generation: 0,
            protect_until: None,
            entries: Vec::new(),
        }
    }

    /// The entry of an object.
    pub fn get(&self, id: &ResourceId) -> Option<&Entry> {
        self.entries
            .binary_search_by(|entry| entry.id.cmp(id))
            .ok()
            .map(|i| &self.entries[i])
    }

    /// Adds an object, or updates its entry; a UID once known is kept unless another is given.
    pub fn record(&mut self, entry: Entry) {
        match self.entries.binary_search_by(|other| other.id.cmp(&entry.id)) {
            Ok(i) => {
                let uid = entry.uid.clone().or_else(|| self.entries[i].uid.clone());
                self.entries[i] = Entry { uid, ..entry };
            }
            Err(i) => self.entries.insert(i, entry),
        }
    }

    /// Takes an object out: it is seen gone, or forgotten on purpose.
    pub fn remove(&mut self, id: &ResourceId) {
        if let Ok(i) = self.entries.binary_search_by(|entry| entry.id.cmp(id)) {
            self.entries.remove(i);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::{ClusterName, Target};

    fn entry(name: &str, uid: Option<&str>) -> Entry {
        Entry {
            id: ResourceId {
                target: Target::Oci,
                group: String::new(),
                kind: "Subnet".to_owned(),
                namespace: None,
                name: name.to_owned(),
            },
            api_version: "v1".to_owned(),
            uid: uid.map(str::to_owned),
            digest: None,
            oci: None,
            going: false,
        }
    }

    #[test]
    fn keeps_a_known_uid_and_stays_sorted() {
        let mut inventory = UnitInventory::new(FleetUid::new("f"), UnitId::Cluster(ClusterName::new("c")));
        inventory.record(entry("b", Some("1")));
        inventory.record(entry("a", None));
        inventory.record(entry("b", None));
        assert_eq!(inventory.entries.len(), 2);
        assert_eq!(inventory.entries[0].id.name, "a");
        assert_eq!(
            inventory.get(&entry("b", None).id).and_then(|e| e.uid.as_deref()),
            Some("1")
        );
        inventory.remove(&entry("b", None).id);
        assert!(inventory.get(&entry("b", None).id).is_none());
    }
}
