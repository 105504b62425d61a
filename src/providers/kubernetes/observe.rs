//! Looking at everything asked for: LISTs first, then GETs for what they can't prove; GETs alone for a few objects.

use std::collections::{BTreeMap, BTreeSet};

use super::KubernetesProvider;
use super::discovery::{Discovery, kind_of};
use super::http::gather;
use super::status::is_secret;
use super::{inhabited, list};
use crate::providers::{Kind, Observation, ObserveRequest, Observed, ProviderError};
use crate::resource::ResourceId;
use crate::resource::mark::FLEET_LABEL;

impl KubernetesProvider {
    /// See [`crate::providers::Provider::observe`].
    pub(super) async fn observe_all(&self, request: ObserveRequest<'_>) -> Result<Observation, ProviderError> {
        let discovery = self.discover().await?;
        let asked = asked(&discovery, &request);
        let kinds = request
            .desired
            .iter()
            .map(|manifest| kind_of(&manifest.id, &manifest.api_version))
            .filter(|kind| discovery.find(kind).is_ok())
            .collect();
        let (mut objects, copies, schemas) = futures::join!(
            self.look_at(&discovery, &asked, &request),
            self.copies(&discovery, request.desired),
            self.schemas.load(&self.http, kinds, self.options.concurrency),
        );
        let mut copied = BTreeMap::new();
        for (id, copy) in copies {
            match copy {
                Ok(copy) => {
                    copied.insert(id, copy);
                }
                // What is wanted is not known, so nothing may be concluded from what is there.
                Err(reason) => {
                    objects.insert(id, Observed::Unknown(reason));
                }
            }
        }
        let strangers = self
            .look_into_what_goes(&discovery, &asked, &request, &mut objects)
            .await;
        Ok(Observation {
            objects,
            schemas,
            copied,
            strangers,
        })
    }

    /// What lives in namespaces that are to go. One that can't be looked into is not known.
    async fn look_into_what_goes(
        &self,
        discovery: &Discovery,
        asked: &Asked<'_>,
        request: &ObserveRequest<'_>,
        objects: &mut BTreeMap<ResourceId, Observed>,
    ) -> BTreeMap<ResourceId, Vec<String>> {
        let recorded = request.recorded.iter().map(|entry| &entry.id);
        let desired: BTreeSet<&ResourceId> = request.desired.iter().map(|manifest| &manifest.id).collect();
        let going = inhabited::going(recorded, |id| desired.contains(id), objects);
        let mut strangers = BTreeMap::new();
        for (namespace, found) in self.strangers(discovery, going, asked).await {
            match found {
                Ok(found) if found.is_empty() => {}
                Ok(found) => drop(strangers.insert(namespace, found)),
                Err(reason) => drop(objects.insert(namespace, Observed::Unknown(reason))),
            }
        }
        strangers
    }

    async fn look_at(
        &self,
        discovery: &Discovery,
        asked: &Asked<'_>,
        request: &ObserveRequest<'_>,
    ) -> BTreeMap<ResourceId, Observed> {
        let label = request.fleet_label;
        if request.in_part && asked.len() <= FEW {
            return self.the_rest(discovery, asked, BTreeMap::new()).await;
        }
        // Namespaces first: Secrets in those that are there are then read while the other LISTs are under way.
        let (namespaces, others): (Vec<_>, Vec<_>) = asked
            .iter()
            .map(|(id, kind)| (*id, kind))
            .filter(|(id, _)| !is_secret(id))
            .partition(|(id, _)| is_namespace(id));
        let (mut objects, version) = self.by_list(discovery, namespaces, label).await;
        let there: BTreeSet<String> = namespaces_that(&objects, |observed| matches!(observed, Observed::Present(_)));
        let secrets = asked.iter().map(|(id, kind)| (*id, kind)).filter(|(id, _)| {
            is_secret(id) && id.namespace.as_ref().is_some_and(|namespace| there.contains(namespace))
        });
        let secrets = secrets.map(|(id, kind)| {
            let version = &version;
            async move { (id.clone(), self.look_up_since(discovery, (kind, id), version).await) }
        });
        let (lists, secrets) = futures::join!(
            self.by_list(discovery, others, label),
            gather(secrets, self.options.concurrency)
        );
        objects.extend(lists.0);
        objects.extend(secrets);
        self.the_rest(discovery, asked, objects).await
    }

    /// Looks for each object that was not seen yet by its name.
    async fn the_rest(
        &self,
        discovery: &Discovery,
        asked: &Asked<'_>,
        mut objects: BTreeMap<ResourceId, Observed>,
    ) -> BTreeMap<ResourceId, Observed> {
        // A namespace that is not there holds nothing: its objects need no GET each to say so.
        let (namespaces, others): (Vec<_>, Vec<_>) = missing(asked, &objects)
            .into_iter()
            .partition(|(id, _)| is_namespace(id));
        let looked = self.by_name(discovery, namespaces).await;
        objects.extend(looked);
        let gone = namespaces_that(&objects, |observed| matches!(observed, Observed::Absent));
        let (nowhere, others): (Vec<_>, Vec<_>) = others.into_iter().partition(|(id, kind)| {
            // Not where the kind is unknown: then nothing is known of its objects either.
            discovery.find(kind).is_ok_and(|addressing| addressing.namespaced)
                && id.namespace.as_ref().is_some_and(|namespace| gone.contains(namespace))
        });
        objects.extend(nowhere.into_iter().map(|(id, _)| (id.clone(), Observed::Absent)));
        let looked = self.by_name(discovery, others).await;
        objects.extend(looked);
        objects
    }

    /// One LIST a kind. What it shows is present; what it lacks is left out, for its label may have been taken off. Where
    /// the LIST fails, all of the kind is unknown: a few GETs that happen to go through would not make it less so.
    ///
    /// With it comes the state of the server that the last of them shows; empty where none does.
    async fn by_list(
        &self,
        discovery: &Discovery,
        asked: Vec<(&ResourceId, &Kind)>,
        label: &str,
    ) -> (BTreeMap<ResourceId, Observed>, String) {
        let mut kinds: BTreeMap<&Kind, BTreeMap<(Option<&str>, &str), &ResourceId>> = BTreeMap::new();
        for (id, kind) in asked {
            let key = (id.namespace.as_deref(), id.name.as_str());
            kinds.entry(kind).or_default().insert(key, id);
        }
        let lists = kinds.into_iter().map(|(kind, ids)| async move {
            let addressing = match discovery.find(kind) {
                Ok(addressing) => addressing,
                Err(reason) => return (unknown(ids.into_values(), &reason), String::new()),
            };
            match list::labelled(&self.http, kind, addressing, (FLEET_LABEL, label), self.options.page).await {
                Ok(listing) => {
                    let shown = listing.items.into_iter().filter_map(|item| {
                        let id = ids.get(&(item.namespace.as_deref(), item.name.as_str()))?;
                        Some(((*id).clone(), Observed::Present(item.object)))
                    });
                    (shown.collect(), listing.version)
                }
                Err(error) => (
                    unknown(ids.into_values(), &error.unknown(&addressing.plural)),
                    String::new(),
                ),
            }
        });
        let mut objects = BTreeMap::new();
        let mut version = String::new();
        for (shown, state) in gather(lists, self.options.concurrency).await {
            objects.extend(shown);
            version = state;
        }
        (objects, version)
    }

    async fn by_name(&self, discovery: &Discovery, wanted: Vec<(&ResourceId, &Kind)>) -> Vec<(ResourceId, Observed)> {
        let looks = wanted
            .into_iter()
            .map(|(id, kind)| async move { (id.clone(), self.look_up(discovery, kind, id).await) });
        gather(looks, self.options.concurrency).await
    }
}

/// So many objects are asked for by name: a LIST would show the whole fleet's.
const FEW: usize = 64;

/// What is asked about, each with the version to read it in.
type Asked<'a> = BTreeMap<&'a ResourceId, Kind>;

/// An object that is both desired and recorded is read in the version that is desired. One that is only recorded is read
/// in a version that the server still has, best the one in which others of its kind are read: that spares a LIST.
fn asked<'a>(discovery: &Discovery, request: &ObserveRequest<'a>) -> Asked<'a> {
    let mut asked = Asked::new();
    let mut in_use: BTreeMap<(&str, &str), Kind> = BTreeMap::new();
    for manifest in request.desired {
        let kind = kind_of(&manifest.id, &manifest.api_version);
        in_use.insert((&manifest.id.group, &manifest.id.kind), kind.clone());
        asked.insert(&manifest.id, kind);
    }
    for entry in request.recorded {
        let id = &entry.id;
        let kind = in_use.entry((&id.group, &id.kind)).or_insert_with(|| {
            let kind = kind_of(id, &entry.api_version);
            let served = discovery.versions(&kind.group, &kind.kind);
            match served.first() {
                Some(version) if !served.contains(&kind.version.as_str()) => Kind {
                    version: (*version).to_owned(),
                    ..kind
                },
                _ => kind,
            }
        });
        let kind = kind.clone();
        asked.entry(id).or_insert(kind);
    }
    asked
}

fn missing<'a>(asked: &'a Asked<'a>, seen: &BTreeMap<ResourceId, Observed>) -> Vec<(&'a ResourceId, &'a Kind)> {
    asked
        .iter()
        .filter(|(id, _)| !seen.contains_key(**id))
        .map(|(id, kind)| (*id, kind))
        .collect()
}

fn unknown<'a>(ids: impl Iterator<Item = &'a ResourceId>, reason: &str) -> Vec<(ResourceId, Observed)> {
    ids.map(|id| (id.clone(), Observed::Unknown(reason.to_owned())))
        .collect()
}

fn namespaces_that(objects: &BTreeMap<ResourceId, Observed>, holds: impl Fn(&Observed) -> bool) -> BTreeSet<String> {
    objects
        .iter()
        .filter(|(id, observed)| is_namespace(id) && holds(observed))
        .map(|(id, _)| id.name.clone())
        .collect()
}

pub(super) fn is_namespace(id: &ResourceId) -> bool {
    id.group.is_empty() && id.kind == "Namespace"
}
