//! Which kinds a server has, by aggregated discovery: two requests, whatever the number of groups.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Deserialize;

use super::KubernetesProvider;
use super::http::{Call, Http, HttpError, escape};
use super::list::{ListError, METADATA};
use super::status::Refusal;
use crate::providers::{Kind, ProviderError};
use crate::resource::ResourceId;

/// Newest first; a server that knows none of these answers with its old, unaggregated form.
const ACCEPT: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,\
    application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";

/// How one kind is addressed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Addressing {
    /// The plural in paths.
    pub(super) plural: String,
    /// Whether its objects live in namespaces.
    pub(super) namespaced: bool,
}

/// What a server serves.
#[derive(Debug, Default)]
pub(super) struct Discovery {
    kinds: BTreeMap<Kind, Addressing>,
    /// Groups and versions whose own server did not answer: what they serve is not known.
    failed: BTreeSet<(String, String)>,
}

#[derive(Deserialize)]
struct GroupList {
    kind: String,
    #[serde(default)]
    items: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    #[serde(default)]
    metadata: GroupName,
    #[serde(default)]
    versions: Vec<Version>,
}

#[derive(Default, Deserialize)]
struct GroupName {
    /// Empty, or missing, for the core group.
    #[serde(default)]
    name: String,
}

#[derive(Deserialize)]
struct Version {
    version: String,
    #[serde(default)]
    resources: Vec<Resource>,
    #[serde(default)]
    freshness: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Resource {
    resource: String,
    #[serde(default)]
    response_kind: Option<ResponseKind>,
    #[serde(default)]
    scope: String,
}

#[derive(Deserialize)]
struct ResponseKind {
    kind: String,
}

impl Discovery {
    /// Asks the server.
    async fn load(http: &Http) -> Result<Self, ProviderError> {
        let mut discovery = Self::default();
        for path in ["/api", "/apis"] {
            let what = format!("discovery at {path}");
            let call = Call {
                accept: ACCEPT,
                ..Call::get(path)
            };
            let answer = http.send(call).await.map_err(|error| error.during(&what))?;
            if !answer.is_success() {
                return Err(Refusal::of(&answer).into_transport("get", &what));
            }
            discovery.add(&answer.text).map_err(|error| error.during(&what))?;
        }
        Ok(discovery)
    }

    /// What one document says, for tests.
    #[cfg(test)]
    pub(super) fn parse(text: &str) -> Result<Self, HttpError> {
        let mut discovery = Self::default();
        discovery.add(text)?;
        Ok(discovery)
    }

    fn add(&mut self, text: &str) -> Result<(), HttpError> {
        let list: GroupList =
            serde_json::from_str(text).map_err(|_| HttpError::Nonsense("it is no discovery document"))?;
        if list.kind != "APIGroupDiscoveryList" {
            return Err(HttpError::Nonsense("the server is too old for aggregated discovery"));
        }
        for group in list.items {
            for version in group.versions {
                if version.freshness == "Stale" {
                    self.failed
                        .insert((group.metadata.name.clone(), version.version.clone()));
                }
                for resource in version.resources {
                    let Some(response) = resource.response_kind else {
                        continue;
                    };
                    let kind = Kind {
                        group: group.metadata.name.clone(),
                        version: version.version.clone(),
                        kind: response.kind,
                    };
                    // A kind that several resources answer with is addressed by the first.
                    self.kinds.entry(kind).or_insert(Addressing {
                        plural: resource.resource,
                        namespaced: resource.scope == "Namespaced",
                    });
                }
            }
        }
        Ok(())
    }

    /// How a kind is addressed; the error is a reason for `Unknown`.
    pub(super) fn find(&self, kind: &Kind) -> Result<&Addressing, String> {
        if self.failed.contains(&(kind.group.clone(), kind.version.clone())) {
            return Err(format!(
                "discovery of {} failed, so it is not known what is served",
                group_version(kind)
            ));
        }
        self.kinds
            .get(kind)
            .ok_or_else(|| match self.versions(&kind.group, &kind.kind).as_slice() {
                [] => format!(
                    "the server has no kind {} in {}: is its CRD installed?",
                    kind.kind,
                    group_version(kind)
                ),
                others => format!("the server has {} only as {}", kind.kind, others.join(", ")),
            })
    }

    /// Whether a kind is served at any version; none where its group did not answer.
    pub(super) fn serves(&self, group: &str, kind: &str) -> Option<bool> {
        let served = !self.versions(group, kind).is_empty();
        (served || !self.failed.iter().any(|(failed, _)| failed == group)).then_some(served)
    }

    /// The versions in which a kind is served.
    pub(super) fn versions(&self, group: &str, kind: &str) -> Vec<&str> {
        self.kinds
            .keys()
            .filter(|k| k.group == group && k.kind == kind)
            .map(|k| k.version.as_str())
            .collect()
    }

    /// The path of one object; the error is a reason for `Unknown`.
    pub(super) fn path(&self, kind: &Kind, id: &ResourceId) -> Result<String, String> {
        let addressing = self.find(kind)?;
        // Path rules would give these a meaning; no object has such a name.
        if [".", ".."].contains(&id.name.as_str()) || id.name.is_empty() {
            return Err(format!("`{}` is no name of an object", id.name));
        }
        let collection = match (&id.namespace, addressing.namespaced) {
            (None, false) => addressing.all(kind),
            (Some(namespace), true) => addressing.within(kind, namespace),
            (None, true) => return Err(format!("a {} needs a namespace", kind.kind)),
            (Some(_), false) => return Err(format!("a {} has no namespace", kind.kind)),
        };
        Ok(format!("{collection}/{}", escape(&id.name)))
    }
}

impl Addressing {
    /// The path of all objects of the kind.
    pub(super) fn all(&self, kind: &Kind) -> String {
        format!("{}/{}", root(kind), self.plural)
    }

    /// The path of those in a namespace.
    pub(super) fn within(&self, kind: &Kind, namespace: &str) -> String {
        format!("{}/namespaces/{}/{}", root(kind), escape(namespace), self.plural)
    }
}

fn root(kind: &Kind) -> String {
    if kind.group.is_empty() {
        format!("/api/{}", escape(&kind.version))
    } else {
        format!("/apis/{}/{}", escape(&kind.group), escape(&kind.version))
    }
}

/// `apps/v1`, or `v1`.
pub(super) fn group_version(kind: &Kind) -> String {
    if kind.group.is_empty() {
        kind.version.clone()
    } else {
        format!("{}/{}", kind.group, kind.version)
    }
}

/// The kind of an object in a given version.
pub(super) fn kind_of(id: &ResourceId, api_version: &str) -> Kind {
    let version = api_version.split_once('/').map_or(api_version, |(_, version)| version);
    Kind {
        group: id.group.clone(),
        version: version.to_owned(),
        kind: id.kind.clone(),
    }
}

impl KubernetesProvider {
    /// Asks anew; what follows goes by the answer.
    pub(super) async fn discover(&self) -> Result<Arc<Discovery>, ProviderError> {
        let discovery = Arc::new(Discovery::load(&self.http).await?);
        *self.discovery.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(discovery.clone());
        Ok(discovery)
    }

    /// Whether the server has a kind, at any version; none where that can't be told. Asks nothing that an observation has
    /// not asked already.
    pub async fn serves(&self, group: &str, kind: &str) -> Option<bool> {
        let last = self
            .discovery
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .clone();
        let discovery = match last {
            Some(discovery) => discovery,
            None => self.discover().await.ok()?,
        };
        discovery.serves(group, kind)
    }

    /// Whether a kind is served that discovery does not name, by a request for its objects at `path`. An API server that is starting
    /// names its own kinds first and those of CRDs some seconds later: until then it answers with 503, and with 404 only after.
    pub(super) async fn serves_after_all(&self, path: &str) -> Result<bool, ListError> {
        let call = Call {
            accept: METADATA,
            ..Call::get(format!("{path}?limit=1"))
        };
        let answer = self.http.send(call).await?;
        match answer.status {
            404 => Ok(false),
            _ if answer.is_success() => Ok(true),
            _ => Err(ListError::Refused(Refusal::of(&answer))),
        }
    }

    /// What was discovered last, for a kind; asked anew where that is nothing, or lacks the kind (its CRD may have come
    /// since).
    pub(super) async fn discovered(&self, kind: &Kind) -> Result<Arc<Discovery>, ProviderError> {
        let last = self
            .discovery
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .clone();
        match last {
            Some(discovery) if discovery.find(kind).is_ok() => Ok(discovery),
            _ => self.discover().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::resource::{ManagementClusterName, Target};

    fn discovery() -> Discovery {
        let resource = |plural: &str, kind: &str, scope: &str| json!({"resource": plural, "responseKind": {"group": "", "version": "", "kind": kind}, "scope": scope});
        let list = |groups: serde_json::Value| json!({"kind": "APIGroupDiscoveryList", "items": groups}).to_string();
        let mut discovery = Discovery::default();
        let core = json!([{"versions": [{"version": "v1", "freshness": "Current", "resources": [
            resource("namespaces", "Namespace", "Cluster"), resource("secrets", "Secret", "Namespaced")]}]}]);
        let others = json!([{"metadata": {"name": "g"}, "versions": [
            {"version": "v2", "freshness": "Current", "resources": [resource("as", "A", "Namespaced")]},
            {"version": "v1", "freshness": "Stale", "resources": [resource("as", "A", "Namespaced")]}]}]);
        discovery.add(&list(core)).unwrap();
        discovery.add(&list(others)).unwrap();
        discovery
    }

    fn path(api_version: &str, kind: &str, namespace: Option<&str>, name: &str) -> Result<String, String> {
        let id = ResourceId {
            target: Target::Kubernetes(ManagementClusterName::new("m")),
            group: api_version.split_once('/').map_or("", |(group, _)| group).to_owned(),
            kind: kind.to_owned(),
            namespace: namespace.map(str::to_owned),
            name: name.to_owned(),
        };
        discovery().path(&kind_of(&id, api_version), &id)
    }

    #[test]
    fn paths_follow_group_and_scope() {
        assert_eq!(path("v1", "Namespace", None, "n").unwrap(), "/api/v1/namespaces/n");
        assert_eq!(
            path("g/v2", "A", Some("n"), "x/y").unwrap(),
            "/apis/g/v2/namespaces/n/as/x%2Fy"
        );
        assert!(path("g/v2", "A", None, "x").unwrap_err().contains("needs a namespace"));
        assert!(
            path("v1", "Namespace", Some("n"), "x")
                .unwrap_err()
                .contains("has no namespace")
        );
        assert!(path("v1", "Namespace", None, "..").is_err());
    }

    #[test]
    fn a_failed_group_is_unknown_though_its_kinds_were_known_before() {
        assert!(
            path("g/v1", "A", Some("n"), "x")
                .unwrap_err()
                .contains("discovery of g/v1 failed")
        );
    }

    #[test]
    fn a_missing_kind_says_what_there_is() {
        assert!(
            path("g/v3", "A", Some("n"), "x")
                .unwrap_err()
                .contains("only as v1, v2")
        );
        assert!(path("g/v2", "B", Some("n"), "x").unwrap_err().contains("CRD"));
    }

    #[test]
    fn an_old_server_is_an_error_and_not_an_empty_one() {
        assert!(
            Discovery::default()
                .add(r#"{"kind": "APIGroupList", "groups": []}"#)
                .is_err()
        );
    }
}
