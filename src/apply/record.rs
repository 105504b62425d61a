//! Inventories while a run goes on: announced before the first create of a unit, settled when its last change is done.

use std::collections::BTreeMap;

use futures::lock::Mutex;

use crate::inventory::{Entry, InventoryKey, OciEntry, UnitInventory};
use crate::plan::change::{Action, Change};
use crate::plan::{Plan, Revised};
use crate::providers::{InventoryStore, ProviderError, Stored};
use crate::resource::ManagementClusterName;

/// The key of a change.
pub(super) fn key(change: &Change) -> InventoryKey {
    (change.recorded_on.clone(), change.unit.clone())
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
    /// Its delete was accepted, and nobody waited for its end.
    Going,
    /// The inventory stays as it is.
    Unchanged,
}

/// The inventories of one run.
pub(super) struct Records<'a> {
    stores: &'a BTreeMap<ManagementClusterName, &'a dyn InventoryStore>,
    records: BTreeMap<InventoryKey, Mutex<Record<'a>>>,
}

struct Record<'a> {
    stored: Stored,
    changes: Vec<&'a Change>,
    /// Whether the record as stored lags behind the one in memory.
    dirty: bool,
    announced: bool,
    /// Changes of the unit that are not at their end yet.
    open: usize,
}

impl<'a> Records<'a> {
    /// Takes over the inventories of the units that have changes, or objects that their record does not know as they are.
    pub(super) fn new(
        stores: &'a BTreeMap<ManagementClusterName, &'a dyn InventoryStore>,
        inventories: &BTreeMap<InventoryKey, Stored>,
        plan: &'a Plan,
        revised: &Revised,
    ) -> Self {
        let mut records: BTreeMap<InventoryKey, Record<'a>> = BTreeMap::new();
        let open = |key: &InventoryKey| {
            let mut stored = inventories.get(key).cloned().unwrap_or_else(|| Stored {
                inventory: UnitInventory::new(revised.fleet.clone(), key.1.clone()),
                version: None,
            });
            stored.inventory.revision = revised.revision.clone();
            stored.inventory.revision_time = revised.time;
            Record {
                stored,
                changes: Vec::new(),
                dirty: false,
                announced: false,
                open: 0,
            }
        };
        for change in plan.changes.iter().filter(|change| change.goes_ahead()) {
            let record = records.entry(key(change)).or_insert_with_key(open);
            record.changes.push(change);
            record.open += 1;
        }
        for settled in &plan.settled {
            let key = (settled.recorded_on.clone(), settled.unit.clone());
            let known = inventories
                .get(&key)
                .and_then(|stored| stored.inventory.get(&settled.entry.id));
            if known != Some(&settled.entry) {
                let record = records.entry(key).or_insert_with_key(open);
                record.stored.inventory.record(settled.entry.clone());
                record.dirty = true;
            }
        }
        for (key, until) in &plan.protections {
            let record = records.entry(key.clone()).or_insert_with_key(open);
            record.stored.inventory.protect_until = *until;
            record.dirty = true;
        }
        Self {
            stores,
            records: records
                .into_iter()
                .map(|(key, record)| (key, Mutex::new(record)))
                .collect(),
        }
    }

    /// Stores, before the first write of a unit, all that the run is about to make in it.
    pub(super) async fn announce(&self, key: &InventoryKey) -> Result<(), ProviderError> {
        let Some(record) = self.records.get(key) else {
            return Ok(());
        };
        let mut record = record.lock().await;
        if record.announced {
            return Ok(());
        }
        let Record {
            stored, changes, dirty, ..
        } = &mut *record;
        for change in changes.iter().filter(|change| change.writes()) {
            let known = stored.inventory.get(&change.id);
            // What is made again is made under another retry token: the record has to know which before the call.
            let incarnation = |entry: Option<&OciEntry>| entry.map(|entry| entry.incarnation);
            let again = |entry: &Entry| incarnation(entry.oci.as_ref()) < incarnation(change.oci.as_ref());
            if known.is_none_or(|entry| again(entry) && change.action == Action::Create) {
                // Nor may the record say any more that the one before it was made: another run would raise it once more.
                stored.inventory.remove(&change.id);
                stored.inventory.record(Entry {
                    id: change.id.clone(),
                    api_version: change.api_version.clone(),
                    uid: None,
                    digest: None,
                    oci: change.oci.clone(),
                    going: false,
                });
                // Until it is stored: the next change of the unit tries again where this one can't.
                *dirty = true;
            } else if let Some(entry) = known.and_then(|entry| with_what_comes(entry, change)) {
                // What this run sets is ours to take away again, however far it comes.
                stored.inventory.record(entry);
                *dirty = true;
            }
        }
        if record.dirty {
            self.save(key, &mut record).await?;
        }
        record.announced = true;
        Ok(())
    }

    /// Notes a change's end; stores the record when it was the unit's last.
    pub(super) async fn settle(&self, change: &Change, end: End) -> Result<(), ProviderError> {
        let key = key(change);
        let Some(record) = self.records.get(&key) else {
            return Ok(());
        };
        let mut record = record.lock().await;
        record.open = record.open.saturating_sub(1);
        match end {
            End::Written { uid } => {
                record.stored.inventory.record(Entry {
                    id: change.id.clone(),
                    api_version: change.api_version.clone(),
                    uid: Some(uid),
                    digest: change.payload.digest,
                    oci: change.oci.clone(),
                    going: false,
                });
                record.dirty = true;
            }
            End::Gone => {
                record.stored.inventory.remove(&change.id);
                record.dirty = true;
            }
            End::Going => {
                if let Some(entry) = record.stored.inventory.get(&change.id) {
                    let entry = Entry {
                        going: true,
                        ..entry.clone()
                    };
                    record.stored.inventory.record(entry);
                    record.dirty = true;
                }
            }
            End::Unchanged => {}
        }
        if record.open == 0 && record.dirty {
            self.save(&key, &mut record).await?;
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

    async fn save(&self, key: &InventoryKey, record: &mut Record<'a>) -> Result<(), ProviderError> {
        let Some(store) = self.stores.get(&key.0) else {
            return Ok(());
        };
        record.stored.inventory.generation += 1;
        let expected = record.stored.version.as_deref();
        record.stored.version = store.save(&record.stored.inventory, expected).await?;
        record.dirty = false;
        Ok(())
    }
}

/// The entry of an OCI resource with what a change of it sets beside what was set before; none where that is nothing more.
fn with_what_comes(entry: &Entry, change: &Change) -> Option<Entry> {
    let (known, new) = (entry.oci.as_ref()?, change.oci.as_ref()?);
    let mut oci = known.clone();
    let tags = new.tags.iter().filter(|tag| !known.tags.contains(tag));
    oci.tags.extend(tags.cloned());
    // A record that keeps none says nothing of what was set before, and is not to begin to.
    if !known.fields.is_empty() {
        let fields = new.fields.iter().filter(|field| !known.fields.contains(field));
        oci.fields.extend(fields.cloned());
    }
    let grown = oci != *known;
    grown.then(|| Entry {
        oci: Some(oci),
        ..entry.clone()
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex as Sync;

    use futures::FutureExt as _;
    use futures::future::BoxFuture;

    use super::*;
    use crate::plan::change::tests::{change, plan};
    use crate::resource::FleetUid;

    /// A store that fails once, and then remembers.
    #[derive(Default)]
    struct FailsOnce(Sync<(bool, Vec<UnitInventory>)>);

    impl InventoryStore for FailsOnce {
        fn load_all<'a>(&'a self, _: &'a FleetUid) -> BoxFuture<'a, Result<Vec<Stored>, ProviderError>> {
            std::future::ready(Ok(Vec::new())).boxed()
        }

        fn save<'a>(
            &'a self,
            inventory: &'a UnitInventory,
            _: Option<&'a str>,
        ) -> BoxFuture<'a, Result<Option<String>, ProviderError>> {
            let mut state = self.0.lock().unwrap();
            let result = if std::mem::replace(&mut state.0, true) {
                state.1.push(inventory.clone());
                Ok(Some("1".to_owned()))
            } else {
                Err(ProviderError::LostRace(Box::new(inventory.unit.clone())))
            };
            std::future::ready(result).boxed()
        }
    }

    #[tokio::test]
    async fn what_could_not_be_announced_is_announced_by_the_next_change_before_it_is_made() {
        let plan = plan(vec![
            change("a", "ConfigMap", "x", Action::Create),
            change("a", "ConfigMap", "y", Action::Create),
        ]);
        let store = FailsOnce::default();
        let stores = BTreeMap::from([(ManagementClusterName::new("m"), &store as &dyn InventoryStore)]);
        let records = Records::new(&stores, &BTreeMap::new(), &plan, &plan.revised);
        let key = key(&plan.changes[0]);
        assert!(records.announce(&key).await.is_err());
        assert_eq!(store.0.lock().unwrap().1.len(), 0);
        records.announce(&key).await.unwrap();
        let names: Vec<String> = store.0.lock().unwrap().1[0]
            .entries
            .iter()
            .map(|entry| entry.id.name.clone())
            .collect();
        assert_eq!(names, ["x", "y"], "both are in the record before either is made");
    }

    #[test]
    fn what_a_run_is_about_to_set_is_recorded_beside_what_was_set_before() {
        let field = |name: &str| vec![name.to_owned()];
        let of = |fields: &[&str], tags: &[&str]| OciEntry {
            fields: fields.iter().map(|name| field(name)).collect(),
            tags: tags.iter().map(|&tag| tag.to_owned()).collect(),
            ..OciEntry::default()
        };
        let mut update = change("a", "Vcn", "a", Action::Update);
        let entry = |oci: OciEntry| Entry {
            id: change("a", "Vcn", "a", Action::Update).id,
            api_version: "v1".to_owned(),
            uid: Some("ocid1.vcn.oc1.iad.a".to_owned()),
            digest: None,
            oci: Some(oci),
            going: false,
        };
        update.oci = Some(of(&["cidrBlocks", "definedTags"], &["x"]));
        let grown = with_what_comes(&entry(of(&["cidrBlocks", "dnsLabel"], &[])), &update).unwrap();
        assert_eq!(grown.oci, Some(of(&["cidrBlocks", "dnsLabel", "definedTags"], &["x"])));
        assert_eq!(grown.uid.as_deref(), Some("ocid1.vcn.oc1.iad.a"));
        assert_eq!(with_what_comes(&grown, &update), None);
        // A record of an older version keeps none, and what was set before is not known.
        let old = with_what_comes(&entry(of(&[], &[])), &update).unwrap();
        assert_eq!(old.oci, Some(of(&[], &["x"])));
    }
}
