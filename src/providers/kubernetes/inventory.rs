//! The records of what was made, as one ConfigMap a unit.
//!
//! Invariant: a record is only ever replaced as of the version that was read; a record that can't be understood is an
//! error, never an absence, for an absent record means that nothing of the unit may be pruned or is known.

use ::http::Method;
use serde_json::{Value, json};

use super::http::{Answer, Call, Http, HttpError, escape};
use super::list::{self, Item, ListError};
use super::status::Refusal;
use super::write::manager_query;
use crate::inventory::UnitInventory;
use crate::providers::{Kind, ProviderError};
use crate::resource::mark::INVENTORY_LABEL;
use crate::resource::{Digest, FleetUid, UnitId};

/// Where the records are.
pub const INVENTORY_NAMESPACE: &str = "fleetwright-system";
/// The server's own limit is 1 MiB for all of an object; a unit of thousands of objects stays below half of this.
const SIZE_LIMIT: usize = 900_000;
/// The key in the ConfigMap's data.
const KEY: &str = "inventory.json";

/// Why a record can't be read or stored.
#[derive(Debug, thiserror::Error)]
pub enum InventoryError {
    /// Another run stored the same record meanwhile.
    #[error("the inventory of {unit} was changed by another run since it was read (as of version {expected})")]
    LostRace {
        /// The unit.
        unit: UnitId,
        /// The version that this run had read, or `none`.
        expected: String,
    },
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
    #[error("the inventory of {unit} takes {bytes} bytes, and {SIZE_LIMIT} is the limit")]
    TooLarge {
        /// The unit.
        unit: UnitId,
        /// Its size.
        bytes: usize,
    },
    /// The server did not do it.
    #[error(transparent)]
    Provider(#[from] ProviderError),
}

/// A record with the version that a later write needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredInventory {
    /// The record.
    pub inventory: UnitInventory,
    /// The version as of which it was read.
    pub version: String,
}

/// The records on one API server.
#[derive(Clone)]
pub struct InventoryStore {
    http: Http,
}

impl std::fmt::Debug for InventoryStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InventoryStore").finish_non_exhaustive()
    }
}

impl InventoryStore {
    pub(super) fn new(http: Http) -> Self {
        Self { http }
    }

    /// All records of a fleet, in order of their units: one LIST.
    ///
    /// # Errors
    /// Where the LIST fails, or any record can't be understood: with one record missing, nothing may be concluded from
    /// the others.
    pub async fn load_all(&self, fleet: &FleetUid) -> Result<Vec<StoredInventory>, InventoryError> {
        let selector = escape(&format!("{INVENTORY_LABEL}={}", label_value(fleet)));
        let items = list::all_pages(
            &self.http,
            &config_map(),
            &format!("{}?labelSelector={selector}&limit=500", collection()),
        )
        .await
        .map_err(|error| match error {
            ListError::Http(error) => error.during("list inventories"),
            ListError::Refused(refusal) => refusal.into_transport("list", "inventories"),
        })?;
        let mut records = Vec::new();
        for item in items {
            let record = read(&item)?;
            // A label's value may be shortened, so two fleets might share it.
            if record.inventory.fleet == *fleet {
                records.push(record);
            }
        }
        records.sort_by(|a, b| a.inventory.unit.cmp(&b.inventory.unit));
        Ok(records)
    }

    /// Stores a record: a new one where `expected` is none, else in place of that version. The answer is its new version.
    ///
    /// # Errors
    /// [`InventoryError::LostRace`] where another run was faster; [`InventoryError::TooLarge`]; a failed request, after
    /// which it is not known whether the record was stored.
    pub async fn save(&self, inventory: &UnitInventory, expected: Option<&str>) -> Result<String, InventoryError> {
        let body = write(inventory, expected)?;
        let what = format!("store the inventory of {}", inventory.unit);
        let mut answer = self.put(&body, expected).await.map_err(|error| error.during(&what))?;
        if expected.is_none() && answer.status == 404 {
            self.make_namespace().await?;
            answer = self.put(&body, expected).await.map_err(|error| error.during(&what))?;
        }
        match answer.status {
            200 | 201 => {
                let item = Item::parse(&answer.text, &config_map()).map_err(|error| error.during(&what))?;
                Ok(item.object.version)
            }
            // Gone is a lost race as well: whoever deleted it did so after we had read it.
            409 | 404 => Err(InventoryError::LostRace {
                unit: inventory.unit.clone(),
                expected: expected.unwrap_or("none").to_owned(),
            }),
            _ => Err(Refusal::of(&answer)
                .into_transport("store", &format!("the inventory of {}", inventory.unit))
                .into()),
        }
    }

    /// Removes the record of a unit that holds nothing any more.
    ///
    /// # Errors
    /// [`InventoryError::LostRace`] where another run stored it meanwhile; a failed request.
    pub async fn remove(&self, stored: &StoredInventory) -> Result<(), InventoryError> {
        let unit = &stored.inventory.unit;
        let what = format!("remove the inventory of {unit}");
        let path = format!("{}/{}", collection(), name(&stored.inventory));
        let options = json!({"preconditions": {"resourceVersion": stored.version}});
        let call = Call::json(Method::DELETE, path, &options);
        let answer = self.http.send(call).await.map_err(|error| error.during(&what))?;
        match answer.status {
            200 | 202 | 404 => Ok(()),
            409 => Err(InventoryError::LostRace {
                unit: unit.clone(),
                expected: stored.version.clone(),
            }),
            _ => Err(Refusal::of(&answer)
                .into_transport("remove", &format!("the inventory of {unit}"))
                .into()),
        }
    }

    async fn put(&self, body: &Value, expected: Option<&str>) -> Result<Answer, HttpError> {
        let call = match expected {
            None => Call::json(Method::POST, format!("{}?{}", collection(), manager_query()), body),
            Some(_) => {
                let name = body
                    .pointer("/metadata/name")
                    .and_then(Value::as_str)
                    .unwrap_or_default();
                Call::json(
                    Method::PUT,
                    format!("{}/{name}?{}", collection(), manager_query()),
                    body,
                )
            }
        };
        self.http.send(call).await
    }

    async fn make_namespace(&self) -> Result<(), InventoryError> {
        let what = format!("namespace {INVENTORY_NAMESPACE}");
        let body = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": INVENTORY_NAMESPACE}});
        let call = Call::json(Method::POST, format!("/api/v1/namespaces?{}", manager_query()), &body);
        let answer = self
            .http
            .send(call)
            .await
            .map_err(|error| error.during(format!("create {what}")))?;
        match answer.status {
            // Another run made it in the same moment.
            201 | 409 => Ok(()),
            _ => Err(Refusal::of(&answer).into_transport("create", &what).into()),
        }
    }
}

fn collection() -> String {
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
fn label_value(fleet: &FleetUid) -> String {
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
fn name(inventory: &UnitInventory) -> String {
    let unit = &inventory.unit;
    let digest = Digest::of_parts([inventory.fleet.as_str(), unit.kind(), unit.name()].map(str::as_bytes));
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

fn short(digest: &Digest, length: usize) -> String {
    digest.to_hex().chars().take(length).collect()
}

fn write(inventory: &UnitInventory, expected: Option<&str>) -> Result<Value, InventoryError> {
    let name = name(inventory);
    let text = serde_json::to_string(inventory).map_err(|error| InventoryError::Damaged {
        name: name.clone(),
        reason: error.to_string(),
    })?;
    if text.len() > SIZE_LIMIT {
        return Err(InventoryError::TooLarge {
            unit: inventory.unit.clone(),
            bytes: text.len(),
        });
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

fn read(item: &Item) -> Result<StoredInventory, InventoryError> {
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
    let record: Value = serde_json::from_str(text).map_err(|error| damaged(&error.to_string()))?;
    // The format is looked at before anything else: a newer one may well not parse as this one.
    let format = record
        .get("format")
        .and_then(Value::as_u64)
        .ok_or_else(|| damaged("it names no format"))?;
    if format > u64::from(UnitInventory::FORMAT) {
        return Err(InventoryError::Newer {
            name: item.name.clone(),
            found: format,
        });
    }
    let mut inventory: UnitInventory = serde_json::from_value(record).map_err(|error| damaged(&error.to_string()))?;
    // Lookups go by halves; whoever edited it by hand need not know that.
    inventory.entries.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(StoredInventory {
        inventory,
        version: item.object.version.clone(),
    })
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
        let names: std::collections::BTreeSet<_> = records.iter().map(name).collect();
        assert_eq!(names.len(), 4);
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
        assert!(matches!(write(&inventory, None), Err(InventoryError::TooLarge { .. })));
    }
}
