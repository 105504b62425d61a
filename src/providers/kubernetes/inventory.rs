//! The records of what was made, as one ConfigMap a unit.
//!
//! Invariant: a record is only ever replaced as of the version that was read; a record that can't be understood is an
//! error, never an absence, for an absent record means that nothing of the unit may be pruned or is known.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use ::http::Method;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use rayon::prelude::*;
use serde_json::{Value, json};

use super::http::{Answer, Call, Http, HttpError, escape, gather};
use super::list::{self, Item, ListError};
use super::remembered::{self, Named, Remembered};
use super::status::Refusal;
use super::write::manager_query;
use crate::inventory::UnitInventory;
use crate::providers::{InventoryStore, Kind, ProviderError, Stored};
use crate::resource::mark::INVENTORY_LABEL;
use crate::resource::{Digest, FleetUid, UnitId};

/// Where the records are.
pub const INVENTORY_NAMESPACE: &str = "fleetwright-system";
/// The server's own limit is 1 MiB for all of an object; a unit of thousands of objects stays below half of this.
const SIZE_LIMIT: usize = 900_000;
/// Records in one page of a LIST: most fleets take one, since a server may have to ask its store for the others.
const PAGE: usize = 2_500;
/// Names that are tried for a new record; more than one only where units were renamed back and forth.
const ATTEMPTS: u32 = 4;
/// What errors call it.
const READING: &str = "reading the inventories";
/// The key in the ConfigMap's data.
const KEY: &str = "inventory.json";

/// Why a record can't be used. It is the source of the [`ProviderError`] that the store gives.
#[derive(Debug, thiserror::Error)]
pub enum InventoryError {
    /// A later version of this program wrote it.
    #[error(
        "inventory {name} has format {found}; this version reads up to {}",
        UnitInventory::FORMAT
    )]
    Newer {
        /// The ConfigMap.
        name: String,
        /// Its format.
        found: u64,
    },
    /// It is no record of ours, or damaged.
    #[error("inventory {name} can't be understood: {reason}")]
    Damaged {
        /// The ConfigMap.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// It holds too many objects for one ConfigMap.
    #[error("it takes {bytes} bytes, and {SIZE_LIMIT} is the limit")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
}

/// The records on one API server.
///
/// A record stays in the ConfigMap in which it was found, whatever the unit is called by now: so a renamed unit's record
/// is replaced in one step, instead of being stored under a new name and removed under the old. Which one that is follows
/// from the version that is replaced, for a server gives no version twice.
#[derive(Clone)]
pub struct KubernetesStore {
    pub(super) http: Http,
    places: Arc<Mutex<BTreeMap<String, String>>>,
    /// None where a run reads them but once.
    remembered: Option<Arc<Remembered>>,
}

impl std::fmt::Debug for KubernetesStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KubernetesStore").finish_non_exhaustive()
    }
}

impl InventoryStore for KubernetesStore {
    fn load_all<'a>(&'a self, fleet: &'a FleetUid) -> BoxFuture<'a, Result<Vec<Stored>, ProviderError>> {
        self.load(fleet).boxed()
    }

    fn save<'a>(
        &'a self,
        inventory: &'a UnitInventory,
        expected: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Option<String>, ProviderError>> {
        async move {
            match (inventory.entries.is_empty(), expected) {
                (true, None) => Ok(None),
                (true, Some(version)) => self.remove(inventory, version).await.map(|()| None),
                (false, None) => self.create(inventory).await.map(Some),
                (false, Some(version)) => self.replace(inventory, version).await.map(Some),
            }
        }
        .boxed()
    }
}

impl KubernetesStore {
    pub(super) fn new(http: Http, remembered: Option<Arc<Remembered>>) -> Self {
        Self {
            http,
            places: Arc::default(),
            remembered,
        }
    }

    /// One LIST; the records come in order of their units. Where they were read before, it is a LIST of their versions, and a
    /// GET for each that changed.
    async fn load(&self, fleet: &FleetUid) -> Result<Vec<Stored>, ProviderError> {
        let selector = escape(&format!("{INVENTORY_LABEL}={}", label_value(fleet)));
        let first = format!("{}?labelSelector={selector}&limit={PAGE}", collection());
        let known = match self.remembered.as_deref().filter(|remembered| !remembered.is_empty()) {
            Some(remembered) => self.load_changed(&first, remembered).await?,
            None => None,
        };
        let found = match known {
            Some(found) => found,
            None => {
                let listing = list::all_pages(&self.http, &config_map(), &first)
                    .await
                    .map_err(unreadable)?;
                let read = listing.items.into_par_iter().map(|item| self.take_in(item));
                read.collect::<Result<_, _>>()?
            }
        };
        if let Some(remembered) = &self.remembered {
            let names: BTreeSet<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
            remembered.keep(|name| names.contains(name));
        }
        let mut records: BTreeMap<UnitId, Stored> = BTreeMap::new();
        for (name, record) in found {
            // A label's value may be shortened, so two fleets might share it.
            if record.inventory.fleet != *fleet {
                continue;
            }
            if let Some(version) = &record.version {
                self.remember_place(version, &name);
            }
            if let Some(twin) = records.insert(record.inventory.unit.clone(), record) {
                let reason = format!("there is another inventory of {}", twin.inventory.unit);
                return Err(transport(READING, InventoryError::Damaged { name, reason }));
            }
        }
        Ok(records.into_values().collect())
    }

    /// All of them by name, those that changed read anew; none where so many did that it is better to read all.
    async fn load_changed(
        &self,
        first: &str,
        remembered: &Remembered,
    ) -> Result<Option<Vec<(String, Stored)>>, ProviderError> {
        let (named, state) = list::pages(&self.http, list::METADATA, first, Named::parse)
            .await
            .map_err(unreadable)?;
        remembered.at(&state);
        let (mut found, mut changed) = (Vec::with_capacity(named.len()), Vec::new());
        for named in named {
            match remembered.get(&named) {
                Some(record) => found.push((named.name().to_owned(), record)),
                None => changed.push(named),
            }
        }
        if changed.len() > remembered::FEW {
            return Ok(None);
        }
        let reads = changed.into_iter().map(|named| async move {
            let call = Call::get(format!("{}/{}", collection(), escape(named.name())));
            let answer = self.http.send(call).await.map_err(|error| error.during(READING))?;
            match answer.status {
                // Removed since.
                404 => Ok(None),
                _ if answer.is_success() => {
                    let item = Item::parse(&answer.text, &config_map()).map_err(|error| error.during(READING))?;
                    self.take_in(item).map(Some)
                }
                _ => Err(Refusal::of(&answer).into_transport("get", "inventories")),
            }
        });
        for read in gather(reads, remembered::FEW / 2).await {
            found.extend(read?);
        }
        Ok(Some(found))
    }

    /// Reads a record, and keeps it for the next time.
    fn take_in(&self, item: Item) -> Result<(String, Stored), ProviderError> {
        let inventory = read(&item).map_err(|error| transport(READING, error))?;
        if let Some(remembered) = &self.remembered {
            remembered.note(&item.name, &item.object.version, &inventory);
        }
        let version = Some(item.object.version);
        Ok((item.name, Stored { inventory, version }))
    }

    /// Stores a record that must not exist yet.
    async fn create(&self, inventory: &UnitInventory) -> Result<String, ProviderError> {
        let what = format!("storing the inventory of {}", inventory.unit);
        for attempt in 0..ATTEMPTS {
            let name = name(inventory, attempt);
            let path = format!("{}?{}", collection(), manager_query());
            let body = write(&name, inventory, None).map_err(|error| transport(&what, error))?;
            let post = || Call::json(Method::POST, path.clone(), &body);
            let mut answer = self.put_down(post, (&name, inventory), &what).await?;
            if answer.status == 404 {
                self.make_namespace().await?;
                answer = self.put_down(post, (&name, inventory), &what).await?;
            }
            if answer.status == 409 {
                // Taken: by the same unit, which another run was faster to store; or by one that was called so before.
                if self
                    .holder(&name, &what)
                    .await?
                    .is_none_or(|unit| unit == inventory.unit)
                {
                    return Err(ProviderError::LostRace(Box::new(inventory.unit.clone())));
                }
                continue;
            }
            return self.stored(&answer, inventory, &what);
        }
        Err(ProviderError::LostRace(Box::new(inventory.unit.clone())))
    }

    /// Stores a record in place of the version that was read.
    async fn replace(&self, inventory: &UnitInventory, version: &str) -> Result<String, ProviderError> {
        let what = format!("storing the inventory of {}", inventory.unit);
        let name = self.place(version).unwrap_or_else(|| name(inventory, 0));
        let path = format!("{}/{name}?{}", collection(), manager_query());
        let body = write(&name, inventory, Some(version)).map_err(|error| transport(&what, error))?;
        let put = || Call::json(Method::PUT, path.clone(), &body);
        let answer = self.put_down(put, (&name, inventory), &what).await?;
        // Gone is a lost race as well: whoever deleted it did so after we had read it.
        if [404, 409].contains(&answer.status) {
            return Err(ProviderError::LostRace(Box::new(inventory.unit.clone())));
        }
        self.stored(&answer, inventory, &what)
    }

    /// Removes the record of a unit that holds nothing any more.
    async fn remove(&self, inventory: &UnitInventory, version: &str) -> Result<(), ProviderError> {
        let what = format!("removing the inventory of {}", inventory.unit);
        let name = self.place(version).unwrap_or_else(|| name(inventory, 0));
        let path = format!("{}/{name}", collection());
        let options = json!({"preconditions": {"resourceVersion": version}});
        let answer = self.send(Method::DELETE, path, &options, &what).await?;
        match answer.status {
            200 | 202 | 404 => Ok(()),
            409 => Err(ProviderError::LostRace(Box::new(inventory.unit.clone()))),
            _ => Err(Refusal::of(&answer).into_transport("delete", &format!("the inventory of {}", inventory.unit))),
        }
    }

    fn stored(&self, answer: &Answer, inventory: &UnitInventory, what: &str) -> Result<String, ProviderError> {
        if !answer.is_success() {
            return Err(Refusal::of(answer).into_transport("store", &format!("the inventory of {}", inventory.unit)));
        }
        let item = Item::parse(&answer.text, &config_map()).map_err(|error| error.during(what))?;
        self.remember_place(&item.object.version, &item.name);
        if let Some(remembered) = &self.remembered {
            // As the server has it: it is read like any other.
            let inventory = read(&item).map_err(|error| transport(what, error))?;
            remembered.note(&item.name, &item.object.version, &inventory);
        }
        Ok(item.object.version)
    }

    /// Sends a record. Where its fate is open (no answer, or an error within the server), a look tells whether it was stored: it is
    /// sent again if not, and our own is not met as somebody else's.
    async fn put_down(
        &self,
        call: impl Fn() -> Call,
        (name, inventory): (&str, &UnitInventory),
        what: &str,
    ) -> Result<Answer, ProviderError> {
        let is_ours = |answer: &Answer| {
            let item = answer.is_success().then(|| Item::parse(&answer.text, &config_map()));
            item.and_then(|item| read(&item.ok()?).ok()).as_ref() == Some(inventory)
        };
        let mut attempt = 0;
        loop {
            attempt += 1;
            let sent = self.http.send(call()).await;
            let (is_open, may_be_repeated) = match &sent {
                Ok(answer) if answer.status >= 500 => (true, true),
                // What an attempt before has stored is in the way of this one.
                Ok(answer) => (answer.status == 409 && attempt > 1, false),
                Err(error) => (true, matches!(error, HttpError::Connection(_))),
            };
            let sent = sent.map_err(|error| error.during(what));
            if !is_open {
                return sent;
            }
            match self.http.send(Call::get(format!("{}/{name}", collection()))).await {
                Ok(answer) if is_ours(&answer) => return Ok(answer),
                Ok(_) if may_be_repeated && attempt < ATTEMPTS => self.http.rest(attempt).await,
                Ok(_) | Err(_) => return sent,
            }
        }
    }

    /// The unit whose record is in a ConfigMap; none where that is gone meanwhile, or is no record.
    async fn holder(&self, name: &str, what: &str) -> Result<Option<UnitId>, ProviderError> {
        let call = Call::get(format!("{}/{name}", collection()));
        let answer = self.http.send(call).await.map_err(|error| error.during(what))?;
        let item = answer
            .is_success()
            .then(|| Item::parse(&answer.text, &config_map()).ok())
            .flatten();
        Ok(item.and_then(|item| read(&item).ok()).map(|inventory| inventory.unit))
    }

    async fn send(&self, method: Method, path: String, body: &Value, what: &str) -> Result<Answer, ProviderError> {
        self.http
            .send(Call::json_once(method, path, body))
            .await
            .map_err(|error| error.during(what))
    }

    fn remember_place(&self, version: &str, name: &str) {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        places.insert(version.to_owned(), name.to_owned());
    }

    fn place(&self, version: &str) -> Option<String> {
        self.places
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(version)
            .cloned()
    }

    pub(super) async fn make_namespace(&self) -> Result<(), ProviderError> {
        let what = format!("namespace {INVENTORY_NAMESPACE}");
        let body = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": INVENTORY_NAMESPACE}});
        let path = format!("/api/v1/namespaces?{}", manager_query());
        let answer = self
            .send(Method::POST, path, &body, &format!("creating {what}"))
            .await?;
        match answer.status {
            // Another run made it in the same moment.
            201 | 409 => Ok(()),
            _ => Err(Refusal::of(&answer).into_transport("create", &what)),
        }
    }
}

fn unreadable(error: ListError) -> ProviderError {
    match error {
        ListError::Http(error) => error.during(READING),
        ListError::Refused(refusal) => refusal.into_transport("list", "inventories"),
    }
}

fn transport(what: &str, source: InventoryError) -> ProviderError {
    ProviderError::Transport {
        what: what.to_owned(),
        source: Box::new(source),
    }
}

pub(super) fn collection() -> String {
    format!("/api/v1/namespaces/{INVENTORY_NAMESPACE}/configmaps")
}

fn config_map() -> Kind {
    Kind {
        group: String::new(),
        version: "v1".to_owned(),
        kind: "ConfigMap".to_owned(),
    }
}

/// The uid where it can be a label's value, else a digest of it.
pub(super) fn label_value(fleet: &FleetUid) -> String {
    let text = fleet.as_str();
    let inner = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    let outer = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    if bytes.len() <= 63 && bytes.iter().copied().all(inner) && outer(bytes.first()) && outer(bytes.last()) {
        text.to_owned()
    } else {
        short(&Digest::of(text.as_bytes()), 40)
    }
}

/// A DNS label for people (kind and name of the unit, cut) and for machines (a digest of fleet and unit).
fn name(inventory: &UnitInventory, attempt: u32) -> String {
    let unit = &inventory.unit;
    let parts = [inventory.fleet.as_str(), unit.kind(), unit.name()].map(str::as_bytes);
    let digest = Digest::of_parts(parts.into_iter().chain([attempt.to_be_bytes().as_slice()]));
    let readable: String = unit
        .name()
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_lowercase()
            } else {
                '-'
            }
        })
        .take(30)
        .collect();
    format!(
        "inventory-{}-{}-{}",
        unit.kind(),
        readable.trim_matches('-'),
        short(&digest, 10)
    )
}

pub(super) fn short(digest: &Digest, length: usize) -> String {
    digest.to_hex().chars().take(length).collect()
}

fn write(name: &str, inventory: &UnitInventory, expected: Option<&str>) -> Result<Value, InventoryError> {
    let text = serde_json::to_string(inventory).map_err(|error| InventoryError::Damaged {
        name: name.to_owned(),
        reason: error.to_string(),
    })?;
    if text.len() > SIZE_LIMIT {
        return Err(InventoryError::TooLarge { bytes: text.len() });
    }
    let mut metadata = json!({
        "name": name,
        "namespace": INVENTORY_NAMESPACE,
        "labels": {INVENTORY_LABEL: label_value(&inventory.fleet)},
    });
    if let Some(version) = expected {
        metadata["resourceVersion"] = Value::from(version);
    }
    Ok(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {KEY: text}}))
}

/// All that is looked at of a record whose format is not known.
#[derive(serde::Deserialize)]
struct Format {
    format: Option<Value>,
}

fn read(item: &Item) -> Result<UnitInventory, InventoryError> {
    let damaged = |reason: &str| InventoryError::Damaged {
        name: item.name.clone(),
        reason: reason.to_owned(),
    };
    let body = item.object.parse().map_err(|_| damaged("it is no JSON"))?;
    let text = body
        .pointer("/data")
        .and_then(|data| data.get(KEY))
        .and_then(Value::as_str)
        .ok_or_else(|| damaged(&format!("it has no `{KEY}`")))?;
    // The format is looked at before anything else: a newer one may well not parse as this one.
    let Format { format } = serde_json::from_str(text).map_err(|error| damaged(&error.to_string()))?;
    let format = format.as_ref().and_then(Value::as_u64);
    let format = format.ok_or_else(|| damaged("it names no format"))?;
    if format > u64::from(UnitInventory::FORMAT) {
        return Err(InventoryError::Newer {
            name: item.name.clone(),
            found: format,
        });
    }
    let mut inventory: UnitInventory = serde_json::from_str(text).map_err(|error| damaged(&error.to_string()))?;
    // Lookups go by halves; whoever edited it by hand need not know that.
    inventory.entries.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(inventory)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::ClusterName;

    fn record(fleet: &str, cluster: &str) -> UnitInventory {
        UnitInventory::new(FleetUid::new(fleet), UnitId::Cluster(ClusterName::new(cluster)))
    }

    #[test]
    fn names_are_labels_and_never_shared() {
        let long = "x".repeat(200);
        let records = [
            record("f", "a"),
            record("g", "a"),
            record("f", &long),
            record("f", &format!("{long}y")),
        ];
        let names: std::collections::BTreeSet<_> = records
            .iter()
            .flat_map(|record| [name(record, 0), name(record, 1)])
            .collect();
        assert_eq!(names.len(), 8);
        for name in names {
            assert!(
                name.len() <= 63 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'),
                "{name}"
            );
        }
    }

    #[test]
    fn any_uid_makes_a_label_value() {
        assert_eq!(label_value(&FleetUid::new("0b2f-77")), "0b2f-77");
        for uid in ["", "-a", "a b", &"x".repeat(64)] {
            let value = label_value(&FleetUid::new(uid));
            assert_eq!(value.len(), 40, "{uid}");
        }
    }

    #[test]
    fn a_record_beyond_the_limit_is_refused_before_it_is_sent() {
        let mut inventory = record("f", "a");
        inventory.fleet = FleetUid::new("x".repeat(SIZE_LIMIT));
        assert!(matches!(
            write("n", &inventory, None),
            Err(InventoryError::TooLarge { .. })
        ));
    }
}
