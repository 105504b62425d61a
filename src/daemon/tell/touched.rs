//! Objects that somebody changed, as watches tell.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use super::desk::Desk;
use crate::providers::kubernetes::{Followed, INVENTORY_NAMESPACE, Told, Watch, Which, sync_id};
use crate::report::chain;
use crate::resource::mark::FLEET_LABEL;
use crate::resource::{ManagementClusterName, ResourceId, Target};
use crate::sync::{API_VERSION, SyncKind};

/// Pauses before a watch begins anew.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LAST_PAUSE: Duration = Duration::from_secs(60);

/// Objects to read again, each once.
#[derive(Debug, Default)]
pub(super) struct Touched {
    objects: Mutex<BTreeSet<(SyncKind, String)>>,
    news: Notify,
}

impl Touched {
    pub(super) fn add(&self, kind: SyncKind, name: String) {
        let mut objects = self.objects.lock().unwrap_or_else(PoisonError::into_inner);
        if objects.insert((kind, name)) {
            self.news.notify_one();
        }
    }

    pub(super) fn take(&self) -> BTreeSet<(SyncKind, String)> {
        std::mem::take(&mut *self.objects.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits until something is added.
    pub(super) async fn wait(&self) {
        self.news.notified().await;
    }
}

/// Follows one kind on one management cluster.
pub(super) struct Watcher {
    pub(super) on: ManagementClusterName,
    pub(super) kind: SyncKind,
    pub(super) desk: Arc<Desk>,
    pub(super) touched: Arc<Touched>,
}

impl Watcher {
    pub(super) async fn run(self) {
        let mut pause = FIRST_PAUSE;
        loop {
            let began = Instant::now();
            let why = self.follow().await;
            tracing::debug!(kind = self.kind.name(), on = %self.on, why, "a watch ended");
            // One that has gone on for long was in order.
            pause = if began.elapsed() > LAST_PAUSE {
                FIRST_PAUSE
            } else {
                pause
            };
            sleep(pause).await;
            pause = (pause * 2).min(LAST_PAUSE);
        }
    }

    /// Follows by the connections of the revision in force, until something goes wrong.
    async fn follow(&self) -> String {
        let current = self.desk.board().current.clone();
        let Some((loaded, access)) = current else {
            return "no revision is in force".to_owned();
        };
        let connected = access.connect(&loaded.fleet, std::slice::from_ref(&self.on)).await;
        let provider = match connected.map(|mut providers| providers.remove(&self.on)) {
            Ok(Some(provider)) => provider,
            Ok(None) => return "there is no connection".to_owned(),
            Err(error) => return chain(&error),
        };
        let mut watch = Watch::new(Followed {
            sample: ResourceId {
                target: Target::Kubernetes(self.on.clone()),
                ..sync_id(self.kind, "")
            },
            api_version: API_VERSION.to_owned(),
            within: Some(INVENTORY_NAMESPACE.to_owned()),
            which: Which::Labelled(FLEET_LABEL.to_owned(), loaded.fleet.name.to_string()),
        });
        let tell = |told: Told| match told {
            Told::Going => {}
            Told::Changed(id) => self.touched.add(self.kind, id.name),
        };
        chain(&watch.follow(&provider, &tell).await)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_touched_twice_is_read_once() {
        let touched = Touched::default();
        for name in ["a", "a", "b"] {
            touched.add(SyncKind::ClusterSync, name.to_owned());
        }
        touched.wait().await;
        assert_eq!(touched.take().len(), 2);
        assert!(touched.take().is_empty());
    }
}
