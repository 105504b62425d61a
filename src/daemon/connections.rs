//! What goes on by connections to management clusters: watches, Leases, what is told of HostedClusters.
//!
//! Invariant: one that can't be connected to makes the others wait for nothing; what says how they are reached is read again with
//! each look at the source.

use std::future::pending;
use std::sync::Arc;

use tokio::task::JoinSet;

use super::Daemon;
use super::follow::Follower;
use super::replica::Replica;
use super::telemetry::Availability;
use super::tell::Tellers;
use crate::ops::{Held, LoadedFleet};
use crate::report::chain;

impl Daemon {
    /// Has live objects followed, and Leases held, on every management cluster that can be connected to; the others are tried
    /// again when the source is looked at next.
    pub(super) async fn follow(&mut self) {
        let Some(loaded) = self.in_force.clone() else { return };
        let access = self.access();
        let scope = self.scope();
        let names = loaded.scope(&scope).management_clusters().cloned().collect();
        let connected = access.connect_each(&loaded.fleet, &names).await;
        self.replica.keep(&loaded, &connected, &names);
        self.tellers.serve(&self.desk, names.iter());
        let (heard, board) = (&self.heard, &self.options.board);
        let by = (&connected.providers, &access.metrics);
        self.follower.follow(&loaded, by, heard, board);
        self.is_followed = connected.failed.is_empty();
        let mut report = self.options.board.report();
        for name in std::mem::take(&mut self.unreached) {
            if !connected.failed.contains_key(&name) {
                report.not_followed.remove(name.as_str());
            }
        }
        for (name, error) in &connected.failed {
            let error = chain(error);
            let before = report.not_followed.insert(name.to_string(), error.clone());
            if before.as_ref() != Some(&error) {
                tracing::warn!(on = %name, error, "live objects are not followed");
            }
        }
        self.unreached = connected.failed.into_keys().collect();
    }

    /// Has everything that begins from now on go by these connections.
    pub(super) fn hold(&mut self, held: Held) {
        self.held = Arc::new(held);
    }

    /// Has HostedClusters read by them.
    pub(super) fn follow_clusters(&mut self, loaded: &Arc<LoadedFleet>) {
        let (access, telemetry) = (self.access(), self.options.telemetry.clone());
        let names = loaded.scope(&self.scope()).management_clusters().cloned().collect();
        self.availability.follow(loaded.clone(), names, access, telemetry);
    }

    /// Tries again what can't be connected to. Where credentials were renewed, or a server has another address or authority,
    /// everything goes by new connections from now on; what is under way ends by those that it began with.
    pub(super) async fn reach_anew(&mut self) {
        let Some(loaded) = self.in_force.clone() else { return };
        let access = self.access();
        let renewed = tokio::task::spawn_blocking(move || access.is_renewed());
        if renewed.await.unwrap_or_default() {
            tracing::info!("what the management clusters are reached by was renewed");
            self.hold(Held::default());
            self.desk.reached_by(&self.access());
            self.follow_clusters(&loaded);
            self.follow().await;
            // What failed for want of them need not wait for its turn.
            self.queue.retry(self.began.elapsed());
        } else if !self.is_followed {
            if self.availability.has_ended() {
                self.follow_clusters(&loaded);
            }
            self.follow().await;
        }
    }
}

/// Waits until one of the tasks breaks off, and says why. What it was for begins anew when it is asked for again.
pub(super) async fn broken(
    (follower, availability): (&mut Follower, &mut Availability),
    (replica, tellers): (&mut Replica, &mut Tellers),
) -> String {
    tokio::select! {
        why = follower.broken() => why,
        why = availability.broken() => why,
        why = replica.broken() => why,
        why = tellers.broken() => why,
    }
}

/// Waits until one of these tasks breaks off; none of them ends by itself.
pub(super) async fn one_of(tasks: &mut JoinSet<()>) -> String {
    match tasks.join_next().await {
        Some(Err(error)) => error.to_string(),
        Some(Ok(())) | None => pending().await,
    }
}
