//! Leases (`coordination.k8s.io/v1`) beside the inventories.
//!
//! Invariant: one is made only where none is, and replaced or removed only as of the version that was read. These are the
//! only writes that no fence stops: they are what raises it.

use std::time::Duration;

use ::http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::KubernetesProvider;
use super::http::{Answer, Call, HttpError, escape};
use super::inventory::{INVENTORY_NAMESPACE, KubernetesStore, label_value, short};
use super::status::Refusal;
use super::write::manager_query;
use crate::lease::Record;
use crate::providers::ProviderError;
use crate::resource::mark::LEASE_LABEL;
use crate::resource::{Digest, FleetUid};

const WHAT: &str = "the leases of the daemons";
const GROUP: &str = "coordination.k8s.io/v1";
/// The annotation with the digest of the view that a holder acts on.
const VIEW: &str = "fleetwright.dev/view";
/// The annotation with the digest of the request to look at everything of which a holder has done its share in that view.
const LOOKED: &str = "fleetwright.dev/looked";

/// A server ends a watch after so long.
const LENGTH: Duration = Duration::from_secs(290);
/// A server that says nothing for so long, although it sends bookmarks each minute, is not there any more.
const SILENCE: Duration = Duration::from_secs(150);
/// A line of a watch is one Lease.
const LONGEST_LINE: usize = 1 << 20;

/// The Leases of one fleet on one API server.
#[derive(Clone, Debug)]
pub struct LeaseStore {
    store: KubernetesStore,
    fleet: FleetUid,
}

/// What a Lease is to say.
#[derive(Clone, Debug)]
pub struct Draft<'a> {
    /// Its name.
    pub name: &'a str,
    /// Who holds it, and since when by its own clock; none to release it.
    pub holder: Option<(&'a str, Timestamp)>,
    /// For how long; whole seconds, one at least.
    pub duration: Duration,
    /// How often it has passed to another.
    pub transitions: u64,
    /// Digest of the view that the holder acts on.
    pub view: Option<&'a str>,
    /// Digest of the request to look at everything of which the holder has done its share in that view.
    pub looked: Option<&'a str>,
}

impl KubernetesProvider {
    /// The Leases of a fleet, which live on the same server.
    pub fn leases(&self, fleet: &FleetUid) -> LeaseStore {
        LeaseStore {
            store: self.inventory(),
            fleet: fleet.clone(),
        }
    }
}

impl LeaseStore {
    /// The name of the Lease of all of the fleet.
    pub fn name_of_whole(&self) -> String {
        format!("fleetwright-{}", short(&Digest::of(self.fleet.as_str().as_bytes()), 20))
    }

    /// The name of a member's own Lease.
    pub fn name_of_member(&self, member: &str) -> String {
        let member = short(&Digest::of(member.as_bytes()), 10);
        format!("{}-{member}", self.name_of_whole())
    }

    /// Reads all of the fleet's, as they are now.
    ///
    /// # Errors
    /// Where they can't be read, or one of them not be understood.
    pub async fn list(&self) -> Result<Vec<Record>, ProviderError> {
        let answer = self.send(Call::get(format!("{}?{}", collection(), self.selector())), "reading");
        let answer = answer.await?;
        if !answer.is_success() {
            return Err(Refusal::of(&answer).into_transport("list", WHAT));
        }
        let list: Value = serde_json::from_str(&answer.text).map_err(|error| damaged(error.to_string()))?;
        let items = list.get("items").and_then(Value::as_array);
        items
            .into_iter()
            .flatten()
            .map(record)
            .collect::<Option<_>>()
            .ok_or_else(|| damaged("no Leases".to_owned()))
    }

    /// Tells of each as it is written, and of what there is at first, until the server ends it; none: one is gone. What gets
    /// lost by the way is seen by the next [`LeaseStore::list`].
    ///
    /// # Errors
    /// Where they can't be followed.
    pub async fn follow(&self, tell: &(dyn Fn(Option<Record>) + Sync)) -> Result<(), ProviderError> {
        let failed = |error: HttpError| error.during(format!("following {WHAT}"));
        let call = Call::get(format!(
            "{}?{}&watch=true&allowWatchBookmarks=true&timeoutSeconds={}",
            collection(),
            self.selector(),
            LENGTH.as_secs()
        ));
        let lines = self.store.http.stream(&call).await.map_err(failed)?;
        let mut lines = lines.map_err(|refusal| refusal.into_transport("watch", WHAT))?;
        while let Some(line) = lines.next(SILENCE, LONGEST_LINE).await.map_err(failed)? {
            let line: Value = serde_json::from_str(&line).map_err(|error| damaged(error.to_string()))?;
            match line.get("type").and_then(Value::as_str) {
                Some("ADDED" | "MODIFIED") => tell(line.get("object").and_then(record)),
                Some("DELETED") => tell(None),
                Some("BOOKMARK") => {}
                _ => return Err(damaged("the server ended the watch with an error".to_owned())),
            }
        }
        Ok(())
    }

    fn selector(&self) -> String {
        format!(
            "labelSelector={}",
            escape(&format!("{LEASE_LABEL}={}", label_value(&self.fleet)))
        )
    }

    /// Makes one; none where there is one by now.
    ///
    /// # Errors
    /// Where it can't be made.
    pub async fn create(&self, draft: &Draft<'_>) -> Result<Option<Record>, ProviderError> {
        let path = format!("{}?{}", collection(), manager_query());
        let body = self.body(draft, None);
        let mut answer = self
            .send(Call::json_once(Method::POST, path.clone(), &body), "making")
            .await?;
        if answer.status == 404 {
            self.store.make_namespace().await?;
            answer = self.send(Call::json_once(Method::POST, path, &body), "making").await?;
        }
        stored(&answer, "create")
    }

    /// Replaces one as of this version; none where it has another by now.
    ///
    /// # Errors
    /// Where it can't be replaced.
    pub async fn replace(&self, draft: &Draft<'_>, version: &str) -> Result<Option<Record>, ProviderError> {
        let path = format!("{}/{}?{}", collection(), draft.name, manager_query());
        let body = self.body(draft, Some(version));
        let answer = self.send(Call::json_once(Method::PUT, path, &body), "renewing").await?;
        stored(&answer, "update")
    }

    /// Removes one as of this version; that it has another by now, or is gone, is no error.
    ///
    /// # Errors
    /// Where it can't be removed.
    pub async fn remove(&self, record: &Record) -> Result<(), ProviderError> {
        let options = json!({"preconditions": {"resourceVersion": record.version, "uid": record.uid}});
        let path = format!("{}/{}", collection(), record.name);
        let answer = self
            .send(Call::json_once(Method::DELETE, path, &options), "removing")
            .await?;
        match answer.status {
            200 | 202 | 404 | 409 => Ok(()),
            _ => Err(Refusal::of(&answer).into_transport("delete", WHAT)),
        }
    }

    async fn send(&self, call: Call, doing: &str) -> Result<Answer, ProviderError> {
        let answer = self.store.http.send_unfenced(call).await;
        answer.map_err(|error| error.during(format!("{doing} {WHAT}")))
    }

    fn body(&self, draft: &Draft<'_>, version: Option<&str>) -> Value {
        let mut metadata = json!({
            "name": draft.name,
            "namespace": INVENTORY_NAMESPACE,
            "labels": {LEASE_LABEL: label_value(&self.fleet)},
        });
        if let Some(version) = version {
            metadata["resourceVersion"] = Value::from(version);
        }
        for (key, said) in [(VIEW, draft.view), (LOOKED, draft.looked)] {
            if let Some(said) = said {
                metadata["annotations"][key] = Value::from(said);
            }
        }
        let micros = |time: Timestamp| time.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string();
        let mut spec = json!({
            "leaseDurationSeconds": draft.duration.as_secs() + u64::from(draft.duration.subsec_nanos() > 0),
            "leaseTransitions": draft.transitions,
            "renewTime": micros(Timestamp::now()),
        });
        if let Some((holder, since)) = draft.holder {
            spec["holderIdentity"] = Value::from(holder);
            spec["acquireTime"] = Value::from(micros(since));
        }
        json!({"apiVersion": GROUP, "kind": "Lease", "metadata": metadata, "spec": spec})
    }
}

fn collection() -> String {
    format!("/apis/{GROUP}/namespaces/{INVENTORY_NAMESPACE}/leases")
}

fn stored(answer: &Answer, verb: &str) -> Result<Option<Record>, ProviderError> {
    match answer.status {
        200 | 201 => {
            let body: Value = serde_json::from_str(&answer.text).map_err(|error| damaged(error.to_string()))?;
            record(&body).map(Some).ok_or_else(|| damaged("no Lease".to_owned()))
        }
        // Made, replaced or taken away by another.
        404 | 409 => Ok(None),
        _ => Err(Refusal::of(answer).into_transport(verb, WHAT)),
    }
}

fn damaged(reason: String) -> ProviderError {
    ProviderError::Transport {
        what: format!("reading {WHAT}"),
        source: reason.into(),
    }
}

fn record(body: &Value) -> Option<Record> {
    let metadata = |key: &str| body.get("metadata")?.get(key)?.as_str().map(str::to_owned);
    let spec = body.get("spec");
    let said = |key: &str| {
        spec?
            .get(key)?
            .as_str()
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
    };
    let annotation = |key: &str| Some(body.pointer("/metadata/annotations")?.get(key)?.as_str()?.to_owned());
    let count = |key: &str| spec.and_then(|spec| spec.get(key)?.as_u64());
    Some(Record {
        name: metadata("name")?,
        uid: metadata("uid")?,
        version: metadata("resourceVersion")?,
        holder: said("holderIdentity"),
        duration: Duration::from_secs(count("leaseDurationSeconds").unwrap_or_default()),
        renewed: said("renewTime").unwrap_or_default(),
        transitions: count("leaseTransitions").unwrap_or_default(),
        view: annotation(VIEW),
        looked: annotation(LOOKED),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_read_whoever_wrote_it() {
        let body = json!({
            "metadata": {"name": "n", "uid": "u", "resourceVersion": "7", "annotations": {VIEW: "abc", LOOKED: "def"}},
            "spec": {"holderIdentity": "a-0", "leaseDurationSeconds": 15, "leaseTransitions": 2,
                     "renewTime": "2026-01-01T00:00:00.000000Z"},
        });
        let read = record(&body).unwrap();
        assert_eq!(
            (read.holder.as_deref(), read.view.as_deref()),
            (Some("a-0"), Some("abc"))
        );
        assert_eq!(read.looked.as_deref(), Some("def"));
        assert_eq!((read.duration, read.transitions), (Duration::from_secs(15), 2));
        let released =
            json!({"metadata": {"name": "n", "uid": "u", "resourceVersion": "8"}, "spec": {"holderIdentity": ""}});
        assert_eq!(record(&released).unwrap().holder, None);
        assert_eq!(record(&json!({"spec": {}})), None);
    }
}
