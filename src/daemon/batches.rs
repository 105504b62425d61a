//! Which units are begun with, and how many at once: batches, as tasks of their own.
//!
//! Invariant: a unit is in one batch at most, and is given back whatever becomes of it.

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use futures::FutureExt as _;
use tokio::time::Instant;
use tracing::Instrument as _;

use super::Daemon;
use super::batch::{self, BatchError, Done, Work};
use super::queue::{AtMost, End};
use super::reach::Reach;
use super::requests::Moment;
use crate::providers::fence::Fence;
use crate::resource::UnitId;

/// Units in one batch. One of routine looks costs about as much for all as for one, and is for looking alone where it is larger
/// than the others: what it finds to do is done by those.
const BATCH: AtMost = AtMost {
    waited_for: 64,
    routine: 1024,
};
/// Batches under way at once: one that waits for something slow is not to hold the others up.
pub(super) const BATCHES: usize = 4;
/// Those of them that may have to wait for OCI: one is left for what has nothing to do with it.
const OCI_BATCHES: usize = BATCHES - 1;

/// A batch that is under way.
pub(super) struct Running {
    pub(super) units: BTreeSet<UnitId>,
    pub(super) reach: Reach,
    pub(super) halt: Arc<AtomicBool>,
}

/// A batch that has ended.
pub(super) struct Ended {
    pub(super) batch: u64,
    pub(super) began: Moment,
    pub(super) units: BTreeSet<UnitId>,
    pub(super) result: Result<Done, BatchError>,
    pub(super) time: Duration,
}

impl Daemon {
    /// Which units may be begun with, and which of them together.
    pub(super) fn takes(&self) -> impl Fn(&UnitId) -> Option<Reach> + use<> {
        let of_oci = self.running.values().filter(|running| running.reach == Reach::Oci);
        let has_room = of_oci.count() < OCI_BATCHES;
        let reaches = self.reaches.clone();
        move |unit| Some(reaches.get(unit)).filter(|reach| has_room || *reach == Reach::Kubernetes)
    }

    pub(super) fn begin_batches(&mut self) {
        let Some(loaded) = self.in_force.clone() else { return };
        while self.batches.len() < BATCHES {
            let takes = self.takes();
            let units: BTreeSet<UnitId> = self.queue.take(self.now(), BATCH, takes).into_iter().collect();
            if units.is_empty() && !self.replica.asks_for_inventories() {
                return;
            }
            let (claim, begun) = self.replica.begin(&units);
            for unit in units.difference(&begun) {
                self.queue.end(unit, End::Soon(Duration::ZERO), self.now());
            }
            let units = begun;
            let work = Work {
                loaded: loaded.clone(),
                access: self.access(),
                drift: self.options.drift,
                corrections: self.corrections.clone(),
                now: self.now(),
                provider: self.options.provider,
                concurrency: self.options.concurrency,
                management_clusters: self.options.management_clusters.clone(),
                interrupted: claim.interrupted.clone(),
                telemetry: self.options.telemetry.clone(),
                applies: units.len() <= BATCH.waited_for,
            };
            let (batch, began) = (self.begun, self.requests.now());
            self.begun += 1;
            let first = units.first().map(|unit| self.reaches.get(unit));
            let running = Running {
                units: units.clone(),
                reach: first.unwrap_or(Reach::Kubernetes),
                halt: work.interrupted.clone(),
            };
            self.running.insert(batch, running);
            let span = tracing::info_span!("batch", revision = %loaded.revised.revision, units = units.len());
            let looked = async move {
                let begun = Instant::now();
                let run = Fence::around(claim.fences.clone(), batch::run(&work, &units));
                // Its units are given back whatever happens.
                let run = AssertUnwindSafe(run).catch_unwind().await;
                let result = run.unwrap_or(Err(BatchError::Broken));
                drop(claim);
                let time = begun.elapsed();
                Ended {
                    batch,
                    began,
                    units,
                    result,
                    time,
                }
            };
            self.batches.spawn(looked.instrument(span));
        }
    }
}
