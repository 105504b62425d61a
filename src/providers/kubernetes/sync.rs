//! The custom resources by which the daemon tells how a fleet stands, and the Events beside them.
//!
//! Invariant: what is not installed, what is not there and what can't be read are three answers. An object is patched and
//! deleted under the UID under which it was read.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use ::http::Method;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::KubernetesProvider;
use super::http::{Answer, Call, HttpError, escape, gather};
use super::inventory::{INVENTORY_NAMESPACE, label_value};
use super::list::{self, ListError};
use super::status::Refusal;
use super::write::manager_query;
use crate::providers::ProviderError;
use crate::redact::redacted;
use crate::report::chain;
use crate::resource::mark::{FLEET_LABEL, INVENTORY_LABEL, MANAGED_BY_LABEL, OWNER_ANNOTATION};
use crate::resource::{FleetName, FleetUid, OwnerMark, ResourceId, Target, UnitId};
use crate::sync::{API_VERSION, FleetSync, GROUP, Read, Record, Records, SyncKind, UnitSync, VERSION};

/// Objects in one page of a LIST: most fleets take one, since a server may have to ask its store for the others.
const PAGE: usize = 2_500;
/// Changes metadata or a status field by field.
const MERGE_PATCH: &str = "application/merge-patch+json";

/// An object that is to be made.
#[derive(Clone, Debug)]
pub struct NewSync<'a> {
    /// Its kind.
    pub kind: SyncKind,
    /// Its name.
    pub name: &'a str,
    /// Whose it is.
    pub fleet: (&'a FleetName, &'a FleetUid),
    /// The unit that it tells of; for the fleet's own, that of the management cluster that it is on.
    pub unit: &'a UnitId,
    /// Annotations besides the owner mark.
    pub annotations: BTreeMap<String, String>,
}

/// Which part of an object is patched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncPart<'a> {
    /// Metadata.
    Metadata,
    /// The status, as of a version: whoever read an older one writes nothing.
    Status {
        /// The resourceVersion that was read.
        version: &'a str,
    },
}

/// An object, whatever its status.
#[derive(Deserialize)]
struct Object<T> {
    metadata: Meta,
    #[serde(default = "Option::default")]
    status: Option<T>,
}

#[derive(Deserialize)]
struct Meta {
    name: String,
    uid: String,
    #[serde(default, rename = "resourceVersion")]
    version: String,
    #[serde(default)]
    generation: i64,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

/// Reads an object.
///
/// # Errors
/// Where it has another form.
fn parse<T: DeserializeOwned + Default>(text: &str) -> Result<Record<T>, serde_json::Error> {
    let Object { metadata, status } = serde_json::from_str::<Object<T>>(text)?;
    Ok(Record {
        name: metadata.name,
        uid: metadata.uid,
        version: metadata.version,
        generation: metadata.generation,
        annotations: metadata.annotations,
        status: status.unwrap_or_default(),
    })
}

fn collection(kind: SyncKind) -> String {
    format!(
        "/apis/{GROUP}/{VERSION}/namespaces/{INVENTORY_NAMESPACE}/{}",
        kind.plural()
    )
}

fn events() -> String {
    format!("/apis/events.k8s.io/v1/namespaces/{INVENTORY_NAMESPACE}/events")
}

impl KubernetesProvider {
    /// Asks what kinds the server has, for what is read next: a CRD may have come since.
    ///
    /// # Errors
    /// Where it can't be asked.
    pub async fn discover_anew(&self) -> Result<(), ProviderError> {
        self.discover().await.map(drop)
    }

    /// Reads all objects of both kinds, by two LISTs that show the most recent state. Whether the kinds are there goes by the
    /// last discovery, which each observation makes anew.
    pub async fn read_syncs(&self) -> Read {
        self.syncs_by(
            || self.list_syncs(SyncKind::ClusterSync),
            || self.list_syncs(SyncKind::FleetStatus),
        )
        .await
    }

    /// The same for a few of them alone, by their names.
    pub async fn read_syncs_of(&self, fleet: &str, units: &BTreeSet<String>) -> Read {
        let fleet = BTreeSet::from([fleet.to_owned()]);
        self.syncs_by(
            || self.get_syncs(SyncKind::ClusterSync, units),
            || self.get_syncs(SyncKind::FleetStatus, &fleet),
        )
        .await
    }

    async fn syncs_by<U, F>(&self, units: impl FnOnce() -> U, fleets: impl FnOnce() -> F) -> Read
    where
        U: Future<Output = Result<Option<BTreeMap<String, Record<UnitSync>>>, String>>,
        F: Future<Output = Result<Option<BTreeMap<String, Record<FleetSync>>>, String>>,
    {
        let is_served = async |kind: SyncKind| match self.serves(GROUP, kind.name()).await {
            Some(true) => Ok(true),
            Some(false) => {
                let served = self.serves_after_all(&collection(kind)).await;
                served.map_err(|error| error.unknown(kind.plural()))
            }
            None => Err(format!("the server does not say whether it has {}", kind.name())),
        };
        let units = async {
            match is_served(SyncKind::ClusterSync).await? {
                true => units().await,
                false => Ok(None),
            }
        };
        let fleets = async {
            match is_served(SyncKind::FleetStatus).await? {
                true => fleets().await,
                false => Ok(None),
            }
        };
        match futures::join!(units, fleets) {
            (Err(why), _) | (_, Err(why)) => Read::Unknown(why),
            (Ok(None), Ok(None)) => Read::NotInstalled,
            (Ok(units), Ok(fleets)) => Read::Known(Records {
                units: units.unwrap_or_default(),
                fleets: fleets.unwrap_or_default(),
            }),
        }
    }

    /// One that is not there is left out.
    async fn get_syncs<T: DeserializeOwned + Default>(
        &self,
        kind: SyncKind,
        names: &BTreeSet<String>,
    ) -> Result<Option<BTreeMap<String, Record<T>>>, String> {
        let reads = names.iter().map(|name| async move {
            let read = self.read_sync::<T>(kind, name).await;
            read.map_err(|error| chain(&error))
        });
        let mut records = BTreeMap::new();
        for read in gather(reads, self.options.concurrency).await {
            records.extend(read?.map(|record| (record.name.clone(), record)));
        }
        Ok(Some(records))
    }

    /// None where the kind is not served any more.
    async fn list_syncs<T: DeserializeOwned + Default>(
        &self,
        kind: SyncKind,
    ) -> Result<Option<BTreeMap<String, Record<T>>>, String> {
        let first = format!("{}?limit={PAGE}", collection(kind));
        let read = |text: &str| {
            parse::<T>(text)
                .map_err(|_| HttpError::Nonsense("an object in it has another form than this version knows"))
        };
        match list::pages(&self.http, "application/json", &first, read).await {
            Ok((all, _)) => Ok(Some(
                all.into_iter().map(|record| (record.name.clone(), record)).collect(),
            )),
            Err(ListError::Refused(refusal)) if refusal.code == 404 => Ok(None),
            Err(error) => Err(error.unknown(kind.plural())),
        }
    }

    /// Reads one object; none where it is not there, or its kind is not.
    ///
    /// # Errors
    /// Where it can't be read.
    pub async fn read_sync<T: DeserializeOwned + Default>(
        &self,
        kind: SyncKind,
        name: &str,
    ) -> Result<Option<Record<T>>, ProviderError> {
        let what = format!("{} {name}", kind.name());
        let call = Call::get(format!("{}/{}", collection(kind), escape(name)));
        let answer = self.sync_call(call, &format!("reading {what}")).await?;
        found(&answer, "get", &what)
    }

    /// Makes an object; its namespace too where that is missing. None where the kind is not installed.
    ///
    /// # Errors
    /// Where it can't be made; `LostRace` is none of these: where it is there already, it is read.
    pub async fn create_sync<T: DeserializeOwned + Default>(
        &self,
        new: &NewSync<'_>,
    ) -> Result<Option<Record<T>>, ProviderError> {
        let what = format!("{} {}", new.kind.name(), new.name);
        let body = document(new);
        let path = format!("{}?{}", collection(new.kind), manager_query());
        let during = format!("creating {what}");
        let mut answer = self
            .sync_call(Call::json(Method::POST, path.clone(), &body), &during)
            .await?;
        if answer.status == 404 {
            self.inventory().make_namespace().await?;
            answer = self.sync_call(Call::json(Method::POST, path, &body), &during).await?;
        }
        match answer.status {
            409 => self.read_sync(new.kind, new.name).await,
            _ => found(&answer, "create", &what),
        }
    }

    /// Patches an object, if it is the one that was read. None where it is not there any more.
    ///
    /// # Errors
    /// Where it can't be patched; `Stale` where it is another by now, or has changed.
    pub async fn patch_sync<T: DeserializeOwned + Default>(
        &self,
        (kind, name, uid): (SyncKind, &str, &str),
        part: SyncPart<'_>,
        mut patch: Value,
    ) -> Result<Option<Record<T>>, ProviderError> {
        let what = format!("{} {name}", kind.name());
        patch["metadata"]["uid"] = Value::from(uid);
        let below = match part {
            SyncPart::Metadata => "",
            SyncPart::Status { version } => {
                patch["metadata"]["resourceVersion"] = Value::from(version);
                "/status"
            }
        };
        let path = format!("{}/{}{below}?{}", collection(kind), escape(name), manager_query());
        let call = Call {
            content_type: MERGE_PATCH,
            ..Call::json(Method::PATCH, path, &patch)
        };
        let answer = self.sync_call(call, &format!("patching {what}")).await?;
        if answer.status == 409 {
            return Err(ProviderError::Stale(Box::new(sync_id(kind, name))));
        }
        found(&answer, "patch", &what)
    }

    /// Deletes an object, if it is as it was read: somebody may have suspended something by it meanwhile. One that is gone
    /// already is no error.
    ///
    /// # Errors
    /// Where it can't be deleted, or is another by now.
    pub async fn delete_sync<T>(&self, kind: SyncKind, record: &Record<T>) -> Result<(), ProviderError> {
        let name = record.name.as_str();
        let what = format!("{} {name}", kind.name());
        let path = format!("{}/{}", collection(kind), escape(name));
        let options = json!({"preconditions": {"uid": record.uid, "resourceVersion": record.version}});
        let call = Call::json(Method::DELETE, path, &options);
        let answer = self.sync_call(call, &format!("deleting {what}")).await?;
        match answer.status {
            200 | 202 | 404 => Ok(()),
            409 => Err(ProviderError::Stale(Box::new(sync_id(kind, name)))),
            _ => Err(Refusal::of(&answer).into_transport("delete", &what)),
        }
    }

    /// Publishes an Event of `events.k8s.io/v1`.
    ///
    /// # Errors
    /// Where it can't be stored.
    pub async fn create_event(&self, event: &Value) -> Result<(), ProviderError> {
        let call = Call::json(Method::POST, format!("{}?{}", events(), manager_query()), event);
        self.event_call(call).await.map(|_| ())
    }

    /// Adds to the series of an Event; `false` where that is gone.
    ///
    /// # Errors
    /// Where it can't be stored.
    pub async fn patch_event(&self, name: &str, patch: &Value) -> Result<bool, ProviderError> {
        let path = format!("{}/{}?{}", events(), escape(name), manager_query());
        let call = Call {
            content_type: MERGE_PATCH,
            ..Call::json(Method::PATCH, path, patch)
        };
        self.event_call(call).await
    }

    async fn event_call(&self, call: Call) -> Result<bool, ProviderError> {
        let answer = self.sync_call(call, "publishing an Event").await?;
        match answer.status {
            404 => Ok(false),
            _ if answer.is_success() => Ok(true),
            _ => Err(Refusal::of(&answer).into_transport("publish", "an Event")),
        }
    }

    /// Sends it. What these objects tell is read by more people than what they are about.
    async fn sync_call(&self, mut call: Call, during: &str) -> Result<Answer, ProviderError> {
        if let Cow::Owned(clean) = redacted(&String::from_utf8_lossy(&call.body)) {
            call.body = clean.into_bytes();
        }
        self.http.send(call).await.map_err(|error| error.during(during))
    }
}

fn found<T: DeserializeOwned + Default>(
    answer: &Answer,
    verb: &str,
    what: &str,
) -> Result<Option<Record<T>>, ProviderError> {
    if answer.status == 404 {
        return Ok(None);
    }
    if !answer.is_success() {
        return Err(Refusal::of(answer).into_transport(verb, what));
    }
    let record = parse(&answer.text).map_err(|source| ProviderError::Transport {
        what: format!("{verb} {what}"),
        source: Box::new(source),
    })?;
    Ok(Some(record))
}

/// Whether an object is this fleet's, and of which unit; none where it is not.
pub fn unit_of<T>(record: &Record<T>, kind: SyncKind, fleet: &FleetUid) -> Option<UnitId> {
    let mark = OwnerMark::parse(record.annotations.get(OWNER_ANNOTATION)?).ok()?;
    mark.is_for(&sync_id(kind, &record.name), fleet).then_some(mark.unit)
}

/// The owner mark of an object, as an annotation has it.
pub fn owner_of(kind: SyncKind, name: &str, fleet: &FleetUid, unit: &UnitId) -> String {
    OwnerMark::for_object(fleet, unit, &sync_id(kind, name)).to_annotation()
}

/// What an object is, on a control plane that whoever uses it has to fill in: marks and messages do without.
pub fn sync_id(kind: SyncKind, name: &str) -> ResourceId {
    ResourceId {
        target: Target::Oci,
        group: GROUP.to_owned(),
        kind: kind.name().to_owned(),
        namespace: Some(INVENTORY_NAMESPACE.to_owned()),
        name: name.to_owned(),
    }
}

fn document(new: &NewSync<'_>) -> Value {
    let (fleet, uid) = new.fleet;
    let mut annotations = new.annotations.clone();
    let owner = owner_of(new.kind, new.name, uid, new.unit);
    annotations.insert(OWNER_ANNOTATION.to_owned(), owner);
    json!({
        "apiVersion": API_VERSION,
        "kind": new.kind.name(),
        "metadata": {
            "name": new.name,
            "namespace": INVENTORY_NAMESPACE,
            "labels": {
                MANAGED_BY_LABEL: "fleetwright",
                FLEET_LABEL: fleet.as_str(),
                INVENTORY_LABEL: label_value(uid),
            },
            "annotations": annotations,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::ClusterName;

    #[test]
    fn what_is_made_is_known_for_the_fleets_own_and_for_no_other() {
        let (fleet, uid) = (FleetName::new("f"), FleetUid::new("u"));
        let unit = UnitId::Cluster(ClusterName::new("a"));
        let new = NewSync {
            kind: SyncKind::ClusterSync,
            name: "f.a",
            fleet: (&fleet, &uid),
            unit: &unit,
            annotations: BTreeMap::new(),
        };
        let mut made = document(&new);
        made["metadata"]["uid"] = Value::from("x");
        let mut record: Record<UnitSync> = parse(&made.to_string()).unwrap();
        assert_eq!(unit_of(&record, new.kind, &uid), Some(unit.clone()));
        assert_eq!(unit_of(&record, new.kind, &FleetUid::new("v")), None);
        // Copied to another object, a mark proves nothing.
        record.name = "f.b".to_owned();
        assert_eq!(unit_of(&record, new.kind, &uid), None);
    }

    #[test]
    fn a_status_of_another_version_is_read_as_far_as_it_goes_and_nonsense_is_not() {
        let text = r#"{"metadata": {"name": "a", "uid": "u", "generation": 1},
            "status": {"state": "InSync", "isNew": 1, "conditions": [{"type": "Ready", "status": "True", "reason": "InSync",
            "lastTransitionTime": "2026-01-01T00:00:00Z"}]}}"#;
        let record: Record<UnitSync> = parse(text).unwrap();
        assert_eq!(record.status.conditions.len(), 1);
        assert!(parse::<UnitSync>(r#"{"metadata": {"name": "a", "uid": "u"}, "status": {"state": 1}}"#).is_err());
    }
}
