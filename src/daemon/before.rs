//! Which revision was in force before, by what is told of the fleet on its management clusters: the copy of the repository, which
//! knows it too, may be gone with the machine that it was on.
//!
//! Invariant: looked at once, before anything is in force. What can't be read forbids nothing: the records of the units stand
//! against older commits all the same.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::join_all;
use tokio::time::timeout;

use super::Daemon;
use crate::ops::LoadedFleet;
use crate::report::chain;
use crate::resource::{ManagementClusterName, Revision};
use crate::sync::{FleetSync, SyncKind, fleet_object};

/// No management cluster is waited for longer: one that hangs is not to hold up those that answer.
const PATIENCE: Duration = Duration::from_secs(10);

impl Daemon {
    /// Refuses a revision that does not follow what was in force, where nothing is in force yet.
    pub(super) async fn follows_what_was_told(&self, loaded: &LoadedFleet) -> Result<(), String> {
        // What an earlier run of this machine had in force needs no other witness.
        if self.in_force.is_some() || self.options.source.is_of_before() {
            return Ok(());
        }
        for before in self.told(loaded).await {
            let source = self.options.source.clone();
            let follows = tokio::task::spawn_blocking(move || source.follows(&before).map_err(|error| chain(&*error)));
            follows.await.unwrap_or_else(|error| Err(error.to_string()))?;
        }
        Ok(())
    }

    /// The commits that management clusters tell of.
    async fn told(&self, loaded: &LoadedFleet) -> BTreeSet<Revision> {
        let scope = self.scope();
        let names: Vec<ManagementClusterName> = loaded.scope(&scope).management_clusters().cloned().collect();
        let Ok(providers) = self.access().connect(&loaded.fleet, &names).await else {
            return BTreeSet::new();
        };
        let object = fleet_object(&loaded.fleet.name);
        let reads = providers.values().map(|provider| {
            let read = provider.read_sync::<FleetSync>(SyncKind::FleetStatus, &object);
            async move { timeout(PATIENCE, read).await.ok()?.ok()??.status.revision }
        });
        let told = join_all(reads).await;
        // A directory's state is no commit, and nothing follows it.
        let is_commit = |text: &String| text.len() == 40 && text.bytes().all(|b| b.is_ascii_hexdigit());
        told.into_iter()
            .flatten()
            .filter(is_commit)
            .map(Revision::new)
            .collect()
    }
}
