//! What lives in a namespace that is to go, and is nobody's of the fleet.
//!
//! Invariant: what can't be listed is a reason, never an empty namespace. Looked for are the kinds that the fleet has to do with
//! there, Secrets apart: of other kinds the rights say nothing.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::KubernetesProvider;
use super::discovery::Discovery;
use super::http::{HttpError, gather};
use super::list::{self, METADATA};
use super::status::is_secret;
use crate::providers::{Kind, Observed};
use crate::resource::ResourceId;

/// ConfigMaps that a server puts into every namespace.
const OF_THE_SERVER: [&str; 2] = ["kube-root-ca.crt", "openshift-service-ca.crt"];

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

impl KubernetesProvider {
    /// Looks into some namespaces. `known` is what the fleet has to do with, each with the version that it is read in.
    pub(super) async fn strangers(
        &self,
        discovery: &Discovery,
        namespaces: BTreeSet<&ResourceId>,
        known: &BTreeMap<&ResourceId, Kind>,
    ) -> Vec<(ResourceId, Result<Vec<String>, String>)> {
        let kinds: BTreeSet<&Kind> = known
            .iter()
            .filter(|(id, _)| id.namespace.is_some() && !is_secret(id))
            .map(|(_, kind)| kind)
            .collect();
        let looks = namespaces.into_iter().map(|namespace| {
            let kinds = &kinds;
            async move {
                let mut found = Vec::new();
                for kind in kinds {
                    match self.names(discovery, kind, &namespace.name).await {
                        Ok(names) => found.extend(names.into_iter().filter_map(|name| {
                            let is_known = known.keys().any(|id| is_it(id, kind, &namespace.name, &name));
                            (!is_known).then(|| format!("{} {}/{name}", kind.kind, namespace.name))
                        })),
                        Err(reason) => return (namespace.clone(), Err(reason)),
                    }
                }
                (namespace.clone(), Ok(found))
            }
        });
        gather(looks, self.options.concurrency).await
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
        let (names, _) = listed.map_err(|error| error.unknown(&addressing.plural))?;
        let is_anybodys = |name: &String| kind.kind != "ConfigMap" || !OF_THE_SERVER.contains(&name.as_str());
        Ok(names.into_iter().flatten().filter(is_anybodys).collect())
    }
}

fn is_it(id: &ResourceId, kind: &Kind, namespace: &str, name: &str) -> bool {
    (id.name == name && id.kind == kind.kind && id.group == kind.group) && id.namespace.as_deref() == Some(namespace)
}

/// The namespaces that are there, and that the fleet has recorded and wants no more.
pub(super) fn going<'a>(
    recorded: impl Iterator<Item = &'a ResourceId>,
    wanted: impl Fn(&ResourceId) -> bool,
    objects: &BTreeMap<ResourceId, Observed>,
) -> BTreeSet<&'a ResourceId> {
    let namespaces = recorded.filter(|id| id.group.is_empty() && id.kind == "Namespace" && !wanted(id));
    let is_there = |id: &&ResourceId| matches!(objects.get(*id), Some(Observed::Present(_)));
    namespaces.filter(is_there).collect()
}
