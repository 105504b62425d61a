//! Records that were read or written before, for whoever reads them often: a daemon reads those of the whole fleet with every
//! commit, and most of them are as they were.
//!
//! Invariant: what is remembered counts only while the server names the same version of the same ConfigMap. The names and
//! versions are asked for each time; a server whose state went back, restored from a backup say, may give versions twice, and
//! nothing read before counts any more.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Deserialize;

use super::http::HttpError;
use crate::inventory::UnitInventory;
use crate::providers::Stored;

/// So many that changed are read one by one; for more, a LIST of all is less work.
pub(super) const FEW: usize = 32;

/// What is known of the ConfigMaps of one server.
#[derive(Debug, Default)]
pub(super) struct Remembered(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// The version and the record, by the ConfigMap's name.
    records: BTreeMap<String, (String, Arc<UnitInventory>)>,
    /// The latest state of the server that was seen.
    state: u64,
}

/// A ConfigMap as a LIST of metadata names it.
#[derive(Deserialize)]
pub(super) struct Named {
    metadata: Meta,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Meta {
    name: String,
    resource_version: String,
}

impl Named {
    /// Reads one.
    pub(super) fn parse(text: &str) -> Result<Self, HttpError> {
        serde_json::from_str(text).map_err(|_| HttpError::Nonsense("an object in it has no name or resourceVersion"))
    }

    pub(super) fn name(&self) -> &str {
        &self.metadata.name
    }
}

impl Remembered {
    pub(super) fn is_empty(&self) -> bool {
        self.lock().records.is_empty()
    }

    /// Takes in which state of the server a LIST shows. Where it is an earlier one than was seen, or can't be told, all is
    /// forgotten.
    pub(super) fn at(&self, state: &str) {
        let mut known = self.lock();
        let state = state.parse().unwrap_or(0);
        if state < known.state || state == 0 {
            known.records.clear();
        }
        known.state = state;
    }

    /// A record at a version.
    pub(super) fn note(&self, name: &str, version: &str, inventory: &UnitInventory) {
        let record = (version.to_owned(), Arc::new(inventory.clone()));
        self.lock().records.insert(name.to_owned(), record);
    }

    /// A record that is as the server names it; none where it changed since, or was never read.
    pub(super) fn get(&self, named: &Named) -> Option<Stored> {
        let known = self.lock();
        let (version, inventory) = known.records.get(&named.metadata.name)?;
        (*version == named.metadata.resource_version).then(|| Stored {
            inventory: (**inventory).clone(),
            version: Some(version.clone()),
        })
    }

    /// Forgets all but these.
    pub(super) fn keep(&self, is_there: impl Fn(&str) -> bool) {
        self.lock().records.retain(|name, _| is_there(name));
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::{ClusterName, FleetUid, UnitId};

    fn named(version: &str) -> Named {
        let text = format!(r#"{{"metadata": {{"name": "a", "resourceVersion": "{version}"}}}}"#);
        Named::parse(&text).ok().unwrap()
    }

    #[test]
    fn a_record_counts_while_its_version_does_and_the_server_does_not_go_back() {
        let remembered = Remembered::default();
        let record = UnitInventory::new(FleetUid::new("f"), UnitId::Cluster(ClusterName::new("a")));
        let is_known = |version: &str| remembered.get(&named(version)).is_some();
        for state in ["7", "", "what"] {
            remembered.at("9");
            remembered.note("a", "7", &record);
            remembered.at("9");
            assert!(is_known("7") && !is_known("8"));
            remembered.at(state);
            assert!(!is_known("7"), "{state}");
        }
        remembered.note("a", "7", &record);
        remembered.keep(|name| name == "b");
        assert!(remembered.is_empty());
    }
}
