//! The watches: each kind of the fleet on each control plane, followed by a task of its own, and each object that documents
//! copy.
//!
//! Invariant: a task tells which units to look at, and nothing else; one that fails begins anew after a pause, and the regular
//! look at every unit goes on without it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinSet;
use tracing::Instrument as _;

use super::board::Board;
use super::connections::one_of;
use crate::metrics::Registry;
use crate::metrics::catalog::WATCH_RESTARTS;
use crate::ops::LoadedFleet;
use crate::providers::kubernetes::{Followed, KubernetesProvider, Told, Watch, Which};
use crate::report::chain;
use crate::resource::mark::FLEET_LABEL;
use crate::resource::{FleetName, ManagementClusterName, Manifest, ResourceId, Target, UnitId};

/// Pauses before a watch begins anew.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// A watch that has gone on for so long was in order: its pauses begin with the first again.
const IN_ORDER: Duration = Duration::from_secs(60);

/// Units of which something was heard, each once.
#[derive(Debug, Default)]
pub(super) struct Heard {
    units: Mutex<BTreeSet<UnitId>>,
    news: Notify,
}

impl Heard {
    fn add(&self, unit: &UnitId) {
        let is_new = self
            .units
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(unit.clone());
        if is_new {
            self.news.notify_one();
        }
    }

    /// Waits until something was heard, and takes it.
    pub(super) async fn take(&self) -> BTreeSet<UnitId> {
        loop {
            let units = std::mem::take(&mut *self.units.lock().unwrap_or_else(PoisonError::into_inner));
            if !units.is_empty() {
                return units;
            }
            self.news.notified().await;
        }
    }
}

/// Watches of single objects that are copied, at most: a fleet has one pull secret or a few. The copies of others are looked
/// at with everything else.
const SOURCES: usize = 32;

/// What is to be followed on a control plane.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    on: ManagementClusterName,
    api_version: String,
    kind: String,
    group: String,
    /// The one object, by namespace and name, that others copy; none: the fleet's objects of the kind.
    source: Option<(String, String)>,
}

impl Key {
    fn of(manifest: &Manifest, on: &ManagementClusterName) -> Self {
        Self {
            on: on.clone(),
            api_version: manifest.api_version.clone(),
            kind: manifest.id.kind.clone(),
            group: manifest.id.group.clone(),
            source: None,
        }
    }

    /// For people.
    fn name(&self) -> String {
        match &self.source {
            Some((namespace, name)) => format!("{} {namespace}/{name} on {}", self.kind, self.on),
            None => format!("{} on {}", self.kind, self.on),
        }
    }

    fn followed(&self, sample: ResourceId, fleet: &FleetName) -> Followed {
        Followed {
            sample,
            api_version: self.api_version.clone(),
            within: self.source.as_ref().map(|(namespace, _)| namespace.clone()),
            which: match &self.source {
                Some((_, name)) => Which::Named(name.clone()),
                None => Which::Labelled(FLEET_LABEL.to_owned(), fleet.to_string()),
            },
        }
    }
}

/// Whom an object concerns.
#[derive(Debug, Default)]
struct Concerned {
    /// Whose it is.
    owners: BTreeMap<ResourceId, UnitId>,
    /// Who has a copy of it.
    copies: BTreeMap<ResourceId, BTreeSet<UnitId>>,
}

impl Concerned {
    fn by(&self, id: &ResourceId) -> impl Iterator<Item = &UnitId> {
        self.owners
            .get(id)
            .into_iter()
            .chain(self.copies.get(id).into_iter().flatten())
    }
}

/// What is to be followed, each with a sample of what there is, and whom it concerns; how many sources are too many.
fn wanted<'a>(
    manifests: impl Iterator<Item = (&'a UnitId, &'a Manifest)>,
) -> (BTreeMap<Key, ResourceId>, Concerned, usize) {
    let mut concerned = Concerned::default();
    let (mut kinds, mut sources) = (BTreeMap::new(), BTreeMap::new());
    for (unit, manifest) in manifests {
        let Target::Kubernetes(on) = &manifest.id.target else {
            continue;
        };
        let key = Key::of(manifest, on);
        if let Some(source) = manifest.copied() {
            concerned.copies.entry(source.clone()).or_default().insert(unit.clone());
            let place = source
                .namespace
                .clone()
                .map(|namespace| (namespace, source.name.clone()));
            sources
                .entry(Key {
                    source: place,
                    ..key.clone()
                })
                .or_insert(source);
        }
        // Rules can't grant a watch of some Secrets by their label: the regular look at each unit has to do for them.
        if manifest.id.group.is_empty() && manifest.id.kind == "Secret" {
            continue;
        }
        concerned.owners.insert(manifest.id.clone(), unit.clone());
        kinds.entry(key).or_insert_with(|| manifest.id.clone());
    }
    let left_out = sources.len().saturating_sub(SOURCES);
    kinds.extend(sources.into_iter().take(SOURCES));
    (kinds, concerned, left_out)
}

/// Connections, by what they lead to.
type Providers = BTreeMap<ManagementClusterName, Arc<KubernetesProvider>>;

/// The tasks; they end with it.
#[derive(Default)]
pub(super) struct Follower {
    tasks: JoinSet<()>,
    followed: BTreeSet<Key>,
    /// The connections that they go by.
    reached: Providers,
    concerned: Arc<Mutex<Arc<Concerned>>>,
}

impl Follower {
    /// Waits until a watch breaks off; all begin anew then, when they are asked for again.
    pub(super) async fn broken(&mut self) -> String {
        let why = one_of(&mut self.tasks).await;
        self.tasks = JoinSet::new();
        self.followed.clear();
        why
    }

    /// Follows what a fleet consists of by these connections. What is followed already goes on.
    pub(super) fn follow(
        &mut self,
        loaded: &LoadedFleet,
        (providers, metrics): (&Providers, &Arc<Registry>),
        heard: &Arc<Heard>,
        board: &Arc<Board>,
    ) {
        let units = loaded.rendered.units.iter();
        let manifests = units.flat_map(|(unit, rendered)| rendered.manifests.iter().map(move |one| (unit, one)));
        let (kinds, concerned, left_out) = wanted(manifests);
        if left_out > 0 {
            tracing::info!(
                left_out,
                "objects that are copied and not followed: their copies follow with the regular look"
            );
        }
        *self.concerned.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(concerned);
        let wanted: BTreeSet<Key> = kinds.keys().cloned().collect();
        let is_as_before = |(name, before): (&ManagementClusterName, &Arc<KubernetesProvider>)| {
            providers.get(name).is_some_and(|now| Arc::ptr_eq(before, now))
        };
        if !self.followed.is_subset(&wanted) || !self.reached.iter().all(is_as_before) {
            // A kind that went out of use, or another way to a server, is seldom: all begin anew.
            self.tasks = JoinSet::new();
            self.followed.clear();
        }
        self.reached.clone_from(providers);
        for (key, sample) in kinds {
            let Some(provider) = providers.get(&key.on).cloned() else {
                continue;
            };
            if !self.followed.insert(key.clone()) {
                continue;
            }
            let watch = Watch::new(key.followed(sample, &loaded.fleet.name));
            let task = Task {
                name: key.name(),
                on: key.on.to_string(),
                kind: key.kind.clone(),
                metrics: metrics.clone(),
                provider,
                concerned: self.concerned.clone(),
                heard: heard.clone(),
                board: board.clone(),
            };
            self.tasks.spawn(task.run(watch).in_current_span());
        }
    }
}

struct Task {
    name: String,
    on: String,
    kind: String,
    metrics: Arc<Registry>,
    provider: Arc<KubernetesProvider>,
    concerned: Arc<Mutex<Arc<Concerned>>>,
    heard: Arc<Heard>,
    board: Arc<Board>,
}

impl Task {
    async fn run(self, mut watch: Watch) {
        let mut pause = FIRST_PAUSE;
        loop {
            let began = tokio::time::Instant::now();
            let tell = |told: Told| match told {
                Told::Going => drop(self.board.report().not_followed.remove(&self.name)),
                Told::Changed(id) => {
                    let concerned = self.concerned.lock().unwrap_or_else(PoisonError::into_inner).clone();
                    concerned.by(&id).for_each(|unit| self.heard.add(unit));
                }
            };
            let error = watch.follow(&self.provider, &tell).await;
            self.metrics.count(&WATCH_RESTARTS, [&self.on, &self.kind], 1.0);
            let error = chain(&error);
            tracing::debug!(what = self.name, error, "a watch ended");
            if began.elapsed() > IN_ORDER {
                pause = FIRST_PAUSE;
            } else {
                self.board.report().not_followed.insert(self.name.clone(), error);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::resource::{ClusterName, Stewardship};

    #[tokio::test]
    async fn what_is_heard_often_is_told_once() {
        let heard = Heard::default();
        let unit = |name: &str| UnitId::Cluster(ClusterName::new(name));
        for name in ["a", "b", "a", "a"] {
            heard.add(&unit(name));
        }
        assert_eq!(heard.take().await, BTreeSet::from([unit("a"), unit("b")]));
        let next = heard.take();
        tokio::pin!(next);
        assert!(futures::poll!(next.as_mut()).is_pending());
        heard.add(&unit("c"));
        assert_eq!(next.await, BTreeSet::from([unit("c")]));
    }

    #[test]
    fn what_many_copy_is_followed_once_and_by_its_name_alone() {
        let on = ManagementClusterName::new("m");
        let copy = |cluster: &str, from: &str| {
            let unit = UnitId::Cluster(ClusterName::new(cluster));
            let body = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "pull", "namespace": cluster},
                "$copyFrom": {"namespace": "source", "name": from}});
            let target = Target::Kubernetes(on.clone());
            let manifest = Manifest::new(target, unit.clone(), Stewardship::Managed, &body).unwrap();
            (unit, manifest)
        };
        let found = |all: &[(UnitId, Manifest)]| wanted(all.iter().map(|(unit, manifest)| (unit, manifest)));
        let (keys, concerned, left_out) = found(&[copy("a", "pull"), copy("b", "pull")]);
        let [(key, source)] = keys.iter().collect::<Vec<_>>()[..] else {
            panic!("{keys:?}");
        };
        assert_eq!((key.name().as_str(), left_out), ("Secret source/pull on m", 0));
        assert_eq!(concerned.by(source).count(), 2, "both are looked at");
        let followed = key.followed(source.clone(), &FleetName::new("f"));
        assert!(matches!(&followed.which, Which::Named(name) if name == "pull"));
        assert_eq!(followed.within.as_deref(), Some("source"));
        let many: Vec<_> = (0..2 * SOURCES).map(|n| copy("c", &format!("other-{n}"))).collect();
        let (keys, _, left_out) = found(&many);
        assert_eq!((keys.len(), left_out), (SOURCES, SOURCES));
    }
}
