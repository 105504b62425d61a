//! The watches: each kind of the fleet on each control plane, followed by a task of its own.
//!
//! Invariant: a task tells which unit to look at, and nothing else; one that fails begins anew after a pause, and the regular
//! look at every unit goes on without it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::board::Board;
use crate::metrics::Registry;
use crate::metrics::catalog::WATCH_RESTARTS;
use crate::ops::{Access, AccessError, LoadedFleet};
use crate::providers::kubernetes::{Followed, KubernetesProvider, Told, Watch};
use crate::report::chain;
use crate::resource::mark::FLEET_LABEL;
use crate::resource::{ManagementClusterName, ResourceId, Target, UnitId};

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

/// What is to be followed: a kind on a control plane.
type Key = (ManagementClusterName, String, String, String);

/// The tasks; they end with it.
#[derive(Default)]
pub(super) struct Follower {
    tasks: JoinSet<()>,
    followed: BTreeSet<Key>,
    owners: Arc<Mutex<Arc<BTreeMap<ResourceId, UnitId>>>>,
}

impl Follower {
    /// Follows what a fleet consists of. What is followed already goes on.
    pub(super) async fn follow(
        &mut self,
        loaded: &LoadedFleet,
        access: &Access,
        heard: &Arc<Heard>,
        board: &Arc<Board>,
    ) -> Result<(), AccessError> {
        let mut owners = BTreeMap::new();
        let mut kinds: BTreeMap<Key, ResourceId> = BTreeMap::new();
        for (unit, rendered) in &loaded.rendered.units {
            for manifest in &rendered.manifests {
                let Target::Kubernetes(name) = &manifest.id.target else {
                    continue;
                };
                // Rules can't grant a watch of some Secrets alone: the regular look at each unit has to do for them.
                if manifest.id.group.is_empty() && manifest.id.kind == "Secret" {
                    continue;
                }
                owners.insert(manifest.id.clone(), unit.clone());
                let key = (
                    name.clone(),
                    manifest.api_version.clone(),
                    manifest.id.kind.clone(),
                    manifest.id.group.clone(),
                );
                kinds.entry(key).or_insert_with(|| manifest.id.clone());
            }
        }
        *self.owners.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(owners);
        let wanted: BTreeSet<Key> = kinds.keys().cloned().collect();
        if !self.followed.is_subset(&wanted) {
            // A kind that went out of use is seldom: all begin anew.
            self.tasks = JoinSet::new();
            self.followed.clear();
        }
        let names: Vec<ManagementClusterName> = loaded.fleet.management_clusters.keys().cloned().collect();
        let providers = access.connect(&loaded.fleet, &names).await?;
        for (key, sample) in kinds {
            let Some(provider) = providers.get(&key.0).cloned() else {
                continue;
            };
            if !self.followed.insert(key.clone()) {
                continue;
            }
            let watch = Watch::new(Followed {
                sample,
                api_version: key.1.clone(),
                within: None,
                label: (FLEET_LABEL.to_owned(), loaded.fleet.name.to_string()),
            });
            let task = Task {
                name: format!("{} on {}", key.2, key.0),
                on: key.0.to_string(),
                kind: key.2.clone(),
                metrics: access.metrics.clone(),
                provider,
                owners: self.owners.clone(),
                heard: heard.clone(),
                board: board.clone(),
            };
            self.tasks.spawn(task.run(watch));
        }
        Ok(())
    }
}

struct Task {
    name: String,
    on: String,
    kind: String,
    metrics: Arc<Registry>,
    provider: Arc<KubernetesProvider>,
    owners: Arc<Mutex<Arc<BTreeMap<ResourceId, UnitId>>>>,
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
                    let owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner).clone();
                    if let Some(unit) = owners.get(&id) {
                        self.heard.add(unit);
                    }
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
    use super::*;
    use crate::resource::ClusterName;

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
}
