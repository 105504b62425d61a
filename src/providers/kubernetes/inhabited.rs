//! What lives in a namespace that is to go, and is nobody's of the fleet.
//!
//! Invariant: what can't be listed is a reason, never an empty namespace. Looked for are the kinds that the fleet has to do with
//! there, and those that people may have there by hand ([`INHABITANTS`]), Secrets apart; a kind is passed over only where the server
//! has said that it does not have it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::KubernetesProvider;
use super::discovery::Discovery;
use super::http::{HttpError, gather};
use super::list::{self, ListError, METADATA};
use super::status::is_secret;
use crate::providers::{Kind, LiveObject, Observed, ProviderError};
use crate::resource::{INHABITANTS, Inhabitant, ResourceId};
use crate::sync::cut;

/// ConfigMaps that a server, or its mesh, puts into every namespace.
const OF_THE_SERVER: [&str; 3] = ["kube-root-ca.crt", "openshift-service-ca.crt", "istio-ca-root-cert"];

#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow)]
    metadata: Meta<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Meta<'a> {
    name: String,
    /// What an owner made goes with its owner.
    #[serde(borrow, default)]
    owner_references: Option<Vec<&'a RawValue>>,
}

/// What is said where it takes a rule more.
const HINT: &str = " (`fleetwright rbac` prints the rules)";

impl KubernetesProvider {
    /// Looks into some namespaces. `known` is what the fleet has to do with, each with the version that it is read in.
    pub(super) async fn strangers(
        &self,
        discovery: &Discovery,
        namespaces: BTreeSet<&ResourceId>,
        known: &BTreeMap<&ResourceId, Kind>,
    ) -> Vec<(ResourceId, Result<Vec<String>, String>)> {
        if namespaces.is_empty() {
            return Vec::new();
        }
        let kinds = self.kinds_of_strangers(discovery, known).await;
        let looks = namespaces.into_iter().map(|namespace| {
            let kinds = &kinds;
            async move {
                (
                    namespace.clone(),
                    self.strangers_in(discovery, namespace, kinds, known).await,
                )
            }
        });
        gather(looks, self.options.concurrency).await
    }

    /// Looks once more into a namespace that is about to be deleted: between the look that a plan is made by and its end, control
    /// planes have been taken down, which takes its time. All that was the fleet's there is gone by now.
    pub(super) async fn is_left(&self, discovery: &Discovery, namespace: &ResourceId) -> Result<(), ProviderError> {
        let nothing = BTreeMap::new();
        let kinds = self.kinds_of_strangers(discovery, &nothing).await;
        let why = match self.strangers_in(discovery, namespace, &kinds, &nothing).await {
            Ok(found) if found.is_empty() => return Ok(()),
            Ok(found) => format!("others live there: {}", found.join(", ")),
            Err(reason) => reason,
        };
        Err(ProviderError::Inhabited {
            id: Box::new(namespace.clone()),
            why: cut(&why),
        })
    }

    async fn strangers_in(
        &self,
        discovery: &Discovery,
        namespace: &ResourceId,
        kinds: &Result<BTreeSet<Kind>, String>,
        known: &BTreeMap<&ResourceId, Kind>,
    ) -> Result<Vec<String>, String> {
        let mut found = Vec::new();
        for kind in kinds.as_ref().map_err(|reason| unknown(reason))? {
            let names = self.names(discovery, kind, &namespace.name).await;
            let names = names.map_err(|reason| unknown(&reason))?;
            found.extend(names.into_iter().filter_map(|name| {
                let is_known = known.keys().any(|id| is_it(id, kind, &namespace.name, &name));
                (!is_known).then(|| format!("{} {}/{name}", kind.kind, namespace.name))
            }));
        }
        Ok(found)
    }

    /// The kinds to look for: those of the fleet, and those that people have beside it, as far as the server has them.
    async fn kinds_of_strangers(
        &self,
        discovery: &Discovery,
        known: &BTreeMap<&ResourceId, Kind>,
    ) -> Result<BTreeSet<Kind>, String> {
        let mut kinds: BTreeSet<Kind> = known
            .iter()
            .filter(|(id, _)| id.namespace.is_some() && !is_secret(id))
            .map(|(_, kind)| kind.clone())
            .collect();
        for one in INHABITANTS {
            if kinds
                .iter()
                .any(|kind| kind.group == one.group && kind.kind == one.kind)
            {
                continue;
            }
            match served(discovery, one)? {
                Some(kind) => drop(kinds.insert(kind)),
                None => self.has_none_of(one).await?,
            }
        }
        Ok(kinds)
    }

    /// Makes sure that a server does not have a kind that it does not name: it may be about to.
    async fn has_none_of(&self, one: &Inhabitant) -> Result<(), String> {
        for version in one.versions {
            let path = format!("/apis/{}/{version}/{}", one.group, one.plural);
            match self.serves_after_all(&path).await {
                Ok(false) => {}
                Ok(true) => return Err(format!("the server has only begun to serve {}", one.plural)),
                Err(error) => return Err(why(&error, one.plural)),
            }
        }
        Ok(())
    }

    /// Names of a kind's objects in a namespace that have no owner.
    async fn names(&self, discovery: &Discovery, kind: &Kind, namespace: &str) -> Result<Vec<String>, String> {
        let addressing = discovery.find(kind)?;
        let path = format!("{}?limit={}", addressing.within(kind, namespace), self.options.page);
        let read = |text: &str| {
            let head: Head<'_> =
                serde_json::from_str(text).map_err(|_| HttpError::Nonsense("an object in it has no name"))?;
            let is_owned = head.metadata.owner_references.is_some_and(|owners| !owners.is_empty());
            Ok((!is_owned).then_some(head.metadata.name))
        };
        let listed = list::pages(&self.http, METADATA, &path, read).await;
        let (names, _) = listed.map_err(|error| why(&error, &addressing.plural))?;
        let is_anybodys = |name: &String| kind.kind != "ConfigMap" || !OF_THE_SERVER.contains(&name.as_str());
        Ok(names.into_iter().flatten().filter(is_anybodys).collect())
    }
}

/// A kind as the server has it; none where it has not.
///
/// # Errors
/// Where it can't be told.
fn served(discovery: &Discovery, one: &Inhabitant) -> Result<Option<Kind>, String> {
    let versions = discovery.versions(one.group, one.kind);
    let kinds = versions.into_iter().map(|version| Kind {
        group: one.group.to_owned(),
        version: version.to_owned(),
        kind: one.kind.to_owned(),
    });
    let mut failed = None;
    for kind in kinds {
        match discovery.find(&kind) {
            Ok(_) => return Ok(Some(kind)),
            Err(reason) => failed = Some(reason),
        }
    }
    match (failed, discovery.serves(one.group, one.kind)) {
        (Some(reason), _) => Err(reason),
        (None, Some(_)) => Ok(None),
        (None, None) => Err(format!(
            "discovery of {} failed, so it is not known whether there are {}",
            one.group, one.plural
        )),
    }
}

fn unknown(reason: &str) -> String {
    format!("who lives there is not known: {reason}")
}

fn why(error: &ListError, plural: &str) -> String {
    let hint = if error.lacks_rights() { HINT } else { "" };
    format!("{}{hint}", error.unknown(plural))
}

fn is_it(id: &ResourceId, kind: &Kind, namespace: &str, name: &str) -> bool {
    (id.name == name && id.kind == kind.kind && id.group == kind.group) && id.namespace.as_deref() == Some(namespace)
}

/// The namespaces that are there, and that the fleet has recorded and wants no more. Of one that is being deleted already nothing
/// can be kept.
pub(super) fn going<'a>(
    recorded: impl Iterator<Item = &'a ResourceId>,
    wanted: impl Fn(&ResourceId) -> bool,
    objects: &BTreeMap<ResourceId, Observed>,
) -> BTreeSet<&'a ResourceId> {
    let namespaces = recorded.filter(|id| id.group.is_empty() && id.kind == "Namespace" && !wanted(id));
    let may_stay = |id: &&ResourceId| match objects.get(*id) {
        Some(Observed::Present(live)) => !is_being_deleted(live),
        _ => false,
    };
    namespaces.filter(may_stay).collect()
}

pub(super) fn is_being_deleted(live: &LiveObject) -> bool {
    #[derive(Deserialize)]
    struct Object {
        metadata: Deleted,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Deleted {
        #[serde(default)]
        deletion_timestamp: Option<String>,
    }
    serde_json::from_str(&live.text).is_ok_and(|object: Object| object.metadata.deletion_timestamp.is_some())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn discovery(groups: &serde_json::Value) -> Discovery {
        Discovery::parse(&json!({"kind": "APIGroupDiscoveryList", "items": groups}).to_string()).expect("a document")
    }

    fn group(name: &str, version: &str, freshness: &str, kinds: &[(&str, &str)]) -> serde_json::Value {
        let resources: Vec<_> = kinds
            .iter()
            .map(|(plural, kind)| json!({"resource": plural, "responseKind": {"kind": kind}, "scope": "Namespaced"}))
            .collect();
        json!({"metadata": {"name": name}, "versions": [
            {"version": version, "freshness": freshness, "resources": resources}]})
    }

    const JOB: Inhabitant = Inhabitant {
        group: "batch",
        plural: "jobs",
        kind: "Job",
        versions: &[],
    };

    #[test]
    fn a_kind_is_passed_over_where_the_server_says_that_it_has_none() {
        let job = [("jobs", "Job")];
        let version = |groups| served(&discovery(&groups), &JOB).map(|kind| kind.map(|kind| kind.version));
        assert_eq!(
            version(json!([group("batch", "v1", "Current", &job)])),
            Ok(Some("v1".to_owned()))
        );
        assert_eq!(version(json!([group("apps", "v1", "Current", &job)])), Ok(None));
        let stale = |kinds: &[(&str, &str)]| group("batch", "v1", "Stale", kinds);
        for groups in [json!([stale(&job)]), json!([stale(&[])])] {
            assert!(version(groups).unwrap_err().contains("discovery of batch"));
        }
        // One version that does not answer leaves the other.
        let both = json!([stale(&[]), group("batch", "v2", "Current", &job)]);
        assert_eq!(version(both), Ok(Some("v2".to_owned())));
        // Another group's silence says nothing of this one.
        let other = json!([group("metrics.k8s.io", "v1", "Stale", &[])]);
        assert_eq!(version(other), Ok(None));
    }
}
