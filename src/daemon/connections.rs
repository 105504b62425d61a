//! What goes on by connections to management clusters: watches, Leases, what is told of HostedClusters.
//!
//! Invariant: one that can't be connected to makes the others wait for nothing; what says how they are reached is read again with
//! each look at the source.

use std::sync::Arc;

use super::Daemon;
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
        self.options.telemetry.holds(&self.held);
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
            self.follow().await;
        }
    }
}
