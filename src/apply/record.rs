//! Inventories while a run goes on: announced before the first create of a unit, settled when its last change is done.

use std::collections::BTreeMap;

use futures::lock::Mutex;

use crate::inventory::{Entry, UnitInventory};
use crate::plan::change::{Action, Change};
use crate::providers::{InventoryStore, ProviderError};
use crate::resource::{FleetUid, ManagementClusterName, ResourceId, Revision, UnitId};

/// Where a unit's inventory is kept.
pub type InventoryKey = (ManagementClusterName, UnitId);

/// An inventory as it was read.
#[derive(Clone, Debug)]
pub struct Stored {
    /// The record.
    pub inventory: UnitInventory,
    /// Its resourceVersion; none for one that does not exist yet.
    pub version: Option<String>,
}

/// The inventories of one run.
pub(super) struct Records<'a> {
    stores: &'a BTreeMap<ManagementClusterName, &'a dyn InventoryStore>,
    records: BTreeMap<InventoryKey, Mutex<Record>>,
}

struct Record {
    stored: Stored,
    /// Whether the record as stored lags behind the one in memory.
    dirty: bool,
    announced: bool,
    /// Changes of the unit that are not at their end yet.
    open: usize,
}

impl<'a> Records<'a> {
    /// Takes the inventories over; `keys` says for each change under which key it is recorded.
    pub(super) fn new(
        stores: &'a BTreeMap<ManagementClusterName, &'a dyn InventoryStore>,
        stored: BTreeMap<InventoryKey, Stored>,
        keys: &[Option<InventoryKey>],
        fleet: &FleetUid,
        revision: (&Revision, i64),
    ) -> Self {
        let mut records: BTreeMap<InventoryKey, Record> = BTreeMap::new();
        for key in keys.iter().flatten() {
            let record = records.entry(key.clone()).or_insert_with(|| {
                let mut stored = stored.get(key).cloned().unwrap_or_else(|| Stored {
                    inventory: UnitInventory::new(fleet.clone(), key.1.clone()),
                    version: None,
                });
                stored.inventory.revision = revision.0.clone();
                stored.inventory.revision_time = revision.1;
                Record { stored, dirty: false, announced: false, open: 0 }
            });
            record.open += 1;
        }
        Self { stores, records: records.into_iter().map(|(key, record)| (key, Mutex::new(record))).collect() }
    }

    /// Stores, before the first write of a unit, all that the run is about to make in it.
    pub(super) async fn announce(&self, key: &InventoryKey, changes: &[&Change]) -> Result<(), ProviderError> {
        let Some(record) = self.records.get(key) else { return Ok(()) };
        let mut record = record.lock().await;
        if record.announced {
            return Ok(());
        }
        let mut new = false;
        for change in changes.iter().filter(|change| change.writes()) {
            if record.stored.inventory.get(&change.id).is_none() {
                record.stored.inventory.record(Entry {
                    id: change.id.clone(),
                    api_version: change.api_version.clone(),
                    uid: None,
                    digest: None,
                });
                new = true;
            }
        }
        if new {
            self.save(key, &mut record).await?;
        }
        record.announced = true;
        Ok(())
    }

    /// Notes a change's end; stores the record when it was the unit's last.
    pub(super) async fn settle(
        &self,
        key: &InventoryKey,
        change: &Change,
        end: End,
    ) -> Result<(), ProviderError> {
        let Some(record) = self.records.get(key) else { return Ok(()) };
        let mut record = record.lock().await;
        record.open = record.open.saturating_sub(1);
        match end {
            End::Written { uid } => {
                record.stored.inventory.record(Entry {
                    id: change.id.clone(),
                    api_version: change.api_version.clone(),
                    uid: Some(uid),
                    digest: change.payload.digest,
                });
                record.dirty = true;
            }
            End::Gone => {
                record.stored.inventory.remove(&change.id);
                record.dirty = true;
            }
            End::Unchanged => {}
        }
        if record.open == 0 && record.dirty {
            self.save(key, &mut record).await?;
        }
        Ok(())
    }

    /// Stores what is left to store, after an interruption.
    pub(super) async fn flush(&self) -> Vec<ProviderError> {
        let mut errors = Vec::new();
        for (key, record) in &self.records {
            let mut record = record.lock().await;
            if record.dirty
                && let Err(error) = self.save(key, &mut record).await
            {
                errors.push(error);
            }
        }
        errors
    }

    async fn save(&self, key: &InventoryKey, record: &mut Record) -> Result<(), ProviderError> {
        let Some(store) = self.stores.get(&key.0) else { return Ok(()) };
        record.stored.inventory.generation += 1;
        let version = record.stored.version.as_deref();
        record.stored.version = if record.stored.inventory.entries.is_empty() {
            store.remove(&record.stored.inventory, version).await?;
            None
        } else {
            Some(store.save(&record.stored.inventory, version).await?)
        };
        record.dirty = false;
        Ok(())
    }
}

/// How a change ended, for the inventory.
pub(super) enum End {
    /// The object is there, under this UID.
    Written {
        /// UID or OCID.
        uid: String,
    },
    /// The object is gone.
    Gone,
    /// The inventory stays as it is.
    Unchanged,
}

impl End {
    /// The end of a change whose object was seen gone, by its action.
    pub(super) fn of_action(action: Action) -> Self {
        match action {
            Action::Delete | Action::Forget => Self::Gone,
            Action::Create | Action::Update | Action::Adopt | Action::Leave => Self::Unchanged,
        }
    }
}

/// The ids that a run is about to write, by inventory key.
pub(super) fn by_key<'c>(
    changes: &'c [Change],
    keys: &[Option<InventoryKey>],
) -> BTreeMap<InventoryKey, Vec<&'c Change>> {
    let mut map: BTreeMap<InventoryKey, Vec<&Change>> = BTreeMap::new();
    for (change, key) in changes.iter().zip(keys) {
        if let Some(key) = key
            && change.goes_ahead()
        {
            map.entry(key.clone()).or_default().push(change);
        }
    }
    map
}

/// Shown in tests and logs.
impl std::fmt::Debug for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Written { .. } => "Written",
            Self::Gone => "Gone",
            Self::Unchanged => "Unchanged",
        })
    }
}

/// Objects for which a change is recorded nowhere: none today, but the executor asks rather than assumes.
pub(super) fn unrecorded<'c>(changes: &'c [Change], keys: &[Option<InventoryKey>]) -> Vec<&'c ResourceId> {
    changes
        .iter()
        .zip(keys)
        .filter(|(change, key)| key.is_none() && change.writes() && change.goes_ahead())
        .map(|(change, _)| &change.id)
        .collect()
}
