//! The ledger of deletes, as one ConfigMap a fleet.
//!
//! Invariant: it is replaced only as of the version that was read, so that of two who grant at the same time one sees what
//! the other granted. One that can't be understood grants nothing.

use ::http::Method;
use serde_json::{Value, json};

use super::http::Call;
use super::inventory::{INVENTORY_NAMESPACE, KubernetesStore, collection, short};
use super::status::Refusal;
use super::write::manager_query;
use crate::inventory::ledger::Ledger;
use crate::providers::ProviderError;
use crate::resource::{Digest, FleetUid};

/// The key in the ConfigMap's data.
const KEY: &str = "deletes.json";
const WHAT: &str = "the ledger of deletes";

/// A ledger as it was read.
#[derive(Clone, Debug, Default)]
pub struct StoredLedger {
    /// What it holds.
    pub ledger: Ledger,
    /// Its resourceVersion; none for one that does not exist yet.
    version: Option<String>,
}

#[derive(Debug, thiserror::Error)]
#[error("ConfigMap {INVENTORY_NAMESPACE}/{name} can't be understood: {reason}")]
struct Damaged {
    name: String,
    reason: String,
}

impl KubernetesStore {
    /// Reads the ledger of a fleet; an empty one where there is none yet.
    ///
    /// # Errors
    /// Where it can't be read, or not be understood.
    pub async fn load_ledger(&self, fleet: &FleetUid) -> Result<StoredLedger, ProviderError> {
        let name = name(fleet);
        let call = Call::get(format!("{}/{name}", collection()));
        let answer = self
            .http
            .send(call)
            .await
            .map_err(|error| error.during(format!("reading {WHAT}")))?;
        if !answer.is_success() {
            let refusal = Refusal::of(&answer);
            return match (refusal.code, refusal.reason.as_str()) {
                (404, "NotFound") => Ok(StoredLedger::default()),
                _ => Err(refusal.into_transport("get", WHAT)),
            };
        }
        parse(&answer.text).map_err(|reason| ProviderError::Transport {
            what: format!("reading {WHAT}"),
            source: Box::new(Damaged { name, reason }),
        })
    }

    /// Stores it over the version that was read; `false` where another was faster, and nothing is stored.
    ///
    /// # Errors
    /// Where it can't be stored.
    pub async fn save_ledger(&self, fleet: &FleetUid, stored: &StoredLedger) -> Result<bool, ProviderError> {
        let name = name(fleet);
        let body = write(&name, stored).map_err(|source| ProviderError::Transport {
            what: format!("storing {WHAT}"),
            source: Box::new(source),
        })?;
        let (method, path) = match stored.version {
            Some(_) => (Method::PUT, format!("{}/{name}?{}", collection(), manager_query())),
            None => (Method::POST, format!("{}?{}", collection(), manager_query())),
        };
        let call = Call::json(method, path, &body);
        let answer = self
            .http
            .send(call)
            .await
            .map_err(|error| error.during(format!("storing {WHAT}")))?;
        match answer.status {
            200 | 201 => Ok(true),
            409 => Ok(false),
            // Taken away since it was read.
            404 if stored.version.is_some() => Ok(false),
            404 => self.make_namespace().await.map(|()| false),
            _ => Err(Refusal::of(&answer).into_transport("store", WHAT)),
        }
    }
}

fn name(fleet: &FleetUid) -> String {
    format!("deletes-{}", short(&Digest::of(fleet.as_str().as_bytes()), 20))
}

fn parse(text: &str) -> Result<StoredLedger, String> {
    let body: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let data = body
        .pointer("/data")
        .and_then(|data| data.get(KEY))
        .and_then(Value::as_str);
    let data = data.ok_or_else(|| format!("it has no `{KEY}`"))?;
    let version = body.pointer("/metadata/resourceVersion").and_then(Value::as_str);
    Ok(StoredLedger {
        ledger: serde_json::from_str(data).map_err(|error| error.to_string())?,
        version: Some(version.ok_or("it has no resourceVersion")?.to_owned()),
    })
}

fn write(name: &str, stored: &StoredLedger) -> Result<Value, serde_json::Error> {
    let mut metadata = json!({"name": name, "namespace": INVENTORY_NAMESPACE});
    if let Some(version) = &stored.version {
        metadata["resourceVersion"] = Value::from(version.as_str());
    }
    let text = serde_json::to_string(&stored.ledger)?;
    Ok(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {KEY: text}}))
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::inventory::ledger::Allowance;

    #[test]
    fn what_is_written_is_read_again_and_what_is_damaged_is_no_empty_ledger() {
        let mut stored = StoredLedger::default();
        let wanted = BTreeMap::from([("Cluster a".to_owned(), BTreeSet::from(["1".to_owned()]))]);
        assert!(
            stored
                .ledger
                .grant(&wanted, Allowance::Count(1), jiff::Timestamp::UNIX_EPOCH)
                .is_empty()
        );
        let mut body = write("n", &stored).unwrap();
        body["metadata"]["resourceVersion"] = Value::from("7");
        let read = parse(&body.to_string()).unwrap();
        assert_eq!((read.ledger, read.version.as_deref()), (stored.ledger, Some("7")));
        body["data"][KEY] = Value::from("{");
        assert!(parse(&body.to_string()).is_err());
    }
}
