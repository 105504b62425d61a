//! What the daemon counts and measures of itself.
//!
//! Invariant: nothing decides by it. What it tells of units and clusters goes with them.

mod availability;
mod lag;
mod process;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

pub(super) use self::availability::Availability;
use self::lag::Lag;
use super::batch::Looked;
use super::board::Report;
use super::queue::{self, End};
use super::source::{Source, code};
use super::state::State;
use super::tally::{Hindered, Tally};
use crate::fleet::model::{ClusterKind, Dialect, Fleet};
use crate::metrics::Registry;
use crate::metrics::catalog as metric;
use crate::ops::LoadedFleet;
use crate::ops::lease::Standing;
use crate::providers::oci::budget::Budget;
use crate::report::chain;
use crate::resource::{Revision, UnitId};

/// What is measured, shared with the HTTP server.
#[derive(Debug, Default)]
pub struct Telemetry {
    registry: Arc<Registry>,
    now: Mutex<Now>,
}

/// What is told as it is when somebody asks.
#[derive(Debug, Default)]
struct Now {
    units: BTreeMap<UnitId, Unit>,
    queue: queue::Standing,
    /// When the queue was looked at.
    at: Option<Timestamp>,
    budget: Option<Arc<Budget>>,
    lag: Lag,
}

#[derive(Debug)]
struct Unit {
    state: &'static str,
    is_in_sync: bool,
    /// When a look last succeeded; before the first that does, when it was first tried: an alert says nothing of what has no such
    /// time.
    succeeded: Timestamp,
    hindered: Hindered,
}

impl Default for Unit {
    fn default() -> Self {
        Self {
            state: FAILED,
            is_in_sync: false,
            succeeded: Timestamp::now(),
            hindered: Hindered::default(),
        }
    }
}

impl Telemetry {
    /// Where control planes' calls are counted too.
    pub fn new(registry: Arc<Registry>) -> Self {
        Self {
            registry,
            now: Mutex::default(),
        }
    }

    pub(super) fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at a source, and reads what it holds where that is something else than was seen; blocks.
    pub(super) fn look(
        &self,
        source: &dyn Source,
        seen: Option<&Revision>,
        earlier: Option<&LoadedFleet>,
    ) -> Result<Option<News>, String> {
        let result = |is_ok| if is_ok { "ok" } else { "error" };
        let begun = std::time::Instant::now();
        let span = tracing::debug_span!("fetch").entered();
        let there = source.look();
        let code = there.as_ref().err().map_or("ok", code);
        self.registry.count(&metric::FETCHES, [code], 1.0);
        self.registry
            .observe(&metric::FETCH_SECONDS, [result(there.is_ok())], begun.elapsed());
        let there = there.map_err(|error| chain(&*error))?;
        drop(span);
        if seen == Some(&there) {
            return Ok(None);
        }
        let begun = std::time::Instant::now();
        self.now().lag.fetched(begun);
        let _span = tracing::info_span!("load", revision = %there).entered();
        let loaded = source.load(earlier).map_err(|error| chain(&*error));
        self.registry
            .observe(&metric::LOAD_SECONDS, [result(loaded.is_ok())], begun.elapsed());
        Ok(Some((there, loaded)))
    }

    /// What the source holds does not come into force.
    pub(super) fn refused(&self) {
        self.registry.count(&metric::SOURCE_ERRORS, [], 1.0);
    }

    /// The budget of calls to OCI, which outlives all connections.
    pub(super) fn draws_on(&self, budget: Option<Arc<Budget>>) {
        self.now().budget = budget;
    }

    /// A revision came into force after another, and changes these units.
    pub(super) fn awaits_plans(&self, revision: &Revision, units: BTreeSet<UnitId>) {
        self.now().lag.in_force(revision, units);
    }

    /// There is a plan of these units.
    pub(super) fn planned(&self, revision: &Revision, units: &BTreeSet<UnitId>) {
        let took = self.now().lag.planned(revision, units, std::time::Instant::now());
        if let Some(took) = took {
            self.registry.observe(&metric::PLAN_LAG, [], took);
            let milliseconds = took.as_millis();
            tracing::info!(%revision, milliseconds, "planned what it changes, since it was fetched");
        }
    }

    /// How many units wait.
    pub(super) fn queued(&self, standing: queue::Standing) {
        let mut now = self.now();
        now.queue = standing;
        now.at = Some(Timestamp::now());
    }

    /// These are the units from now on.
    pub(super) fn keep(&self, units: &BTreeSet<UnitId>) {
        self.now().units.retain(|unit, _| units.contains(unit));
    }

    /// A batch came to its end.
    pub(super) fn looked(
        &self,
        units: &BTreeMap<UnitId, Looked>,
        tally: &Tally,
        time: Duration,
        fleet: Option<&Fleet>,
    ) {
        for (tried, times) in &tally.tried {
            let labels = [tried.action, &tried.kind, tried.cause, tried.result];
            self.registry.count(&metric::CHANGES, labels, f64::from(*times));
        }
        for (unit, looked) in units {
            // What could not be looked at is neither in sync nor anything else that is good to hear.
            let failed = matches!(looked.end, End::Failed | End::Unreached);
            let state = if failed { FAILED } else { name(&looked.state) };
            self.ended(unit, state, time, fleet);
            let mut now = self.now();
            let known = now.units.entry(unit.clone()).or_default();
            known.state = state;
            known.is_in_sync = !failed && matches!(looked.state, State::InSync | State::Unrecorded);
            known.hindered = tally.hindered.get(unit).cloned().unwrap_or_default();
            if !failed {
                known.succeeded = Timestamp::now();
            }
        }
    }

    /// A batch came to nothing.
    pub(super) fn failed(&self, units: &BTreeSet<UnitId>, time: Duration, fleet: Option<&Fleet>) {
        for unit in units {
            self.ended(unit, FAILED, time, fleet);
            let mut now = self.now();
            let known = now.units.entry(unit.clone()).or_default();
            known.state = FAILED;
            known.is_in_sync = false;
        }
    }

    fn ended(&self, unit: &UnitId, outcome: &str, time: Duration, fleet: Option<&Fleet>) {
        self.registry
            .observe(&metric::RECONCILE_SECONDS, [unit.kind(), outcome], time);
        if let (UnitId::Cluster(name), FAILED) = (unit, outcome) {
            let cluster = fleet.and_then(|fleet| fleet.clusters.get(name));
            let platform = cluster.map_or("unknown", |cluster| match &cluster.kind {
                ClusterKind::Hosted(hosted) => match hosted.dialect {
                    Dialect::Oci => "OCI",
                    Dialect::None => "None",
                    Dialect::Agent => "Agent",
                },
                ClusterKind::SelfManaged(_) => "SelfManaged",
                ClusterKind::Oke(_) => "OKE",
                ClusterKind::Topology(_) => "Topology",
            });
            self.registry.count(&metric::RECONCILE_ERRORS, [platform], 1.0);
        }
    }

    /// Records what is told as it is when somebody asks.
    pub(super) fn record(&self, report: &Report) {
        let registry = &*self.registry;
        let revision = report.revision.iter().map(|revision| ([revision.to_string()], 1.0));
        registry.replace(&metric::REVISION_INFO, revision);
        let times = [
            (&metric::REVISION_SINCE, report.since),
            (&metric::SOURCE_SEEN, report.source_seen),
            (&metric::LOOP_SEEN, report.alive),
        ];
        for (family, at) in times {
            registry.replace(family, at.map(|at| ([], seconds(at))));
        }
        registry.set(&metric::SOURCE_REFUSED, [], flag(report.source_error.is_some()));
        registry.set(&metric::CAUGHT_UP, [], flag(report.caught_up));
        registry.set(&metric::NOT_FOLLOWED, [], number(report.not_followed.len()));
        let leases = report.leases.iter().map(|(on, standing)| {
            let standing = match standing {
                Standing::Leads => "leads",
                Standing::StandsBy { .. } => "stands_by",
                Standing::WaitsFor { .. } => "waits",
                Standing::Shares { .. } => "shares",
                Standing::Fails { .. } => "fails",
            };
            ([on.to_string(), standing.to_owned()], 1.0)
        });
        registry.replace(&metric::LEASES, leases);
        self.units();
    }

    fn units(&self) {
        let registry = &*self.registry;
        let now = self.now();
        registry.set(&metric::QUEUE_LENGTH, [], number(now.queue.due));
        registry.set(&metric::UNDER_WAY, [], number(now.queue.under_way));
        let since = now.at.map(|at| Timestamp::now().duration_since(at)).unwrap_or_default();
        let oldest = now
            .queue
            .oldest
            .map(|oldest| oldest.as_secs_f64() + since.as_secs_f64().max(0.0));
        registry.set(&metric::QUEUE_OLDEST, [], oldest.unwrap_or_default());
        let mut states: BTreeMap<[String; 2], f64> = BTreeMap::new();
        let mut refused: BTreeMap<[String; 1], f64> = BTreeMap::new();
        let mut drifted = 0;
        for (unit, known) in &now.units {
            *states
                .entry([unit.kind().to_owned(), known.state.to_owned()])
                .or_default() += 1.0;
            for (guard, changes) in &known.hindered.refused {
                *refused.entry([(*guard).to_owned()]).or_default() += number(*changes);
            }
            drifted += known.hindered.drifted;
        }
        registry.replace(&metric::UNITS, states);
        registry.replace(&metric::REFUSED, refused);
        registry.set(&metric::DRIFTED, [], number(drifted));
        let labels = |unit: &UnitId| [unit.kind().to_owned(), unit.name().to_owned()];
        let told = now.units.iter().filter(|(_, known)| known.state != SUSPENDED);
        let in_sync = told.map(|(unit, known)| (labels(unit), flag(known.is_in_sync)));
        registry.replace(&metric::UNIT_IN_SYNC, in_sync);
        let units = now.units.iter();
        let seen = units.map(|(unit, known)| (labels(unit), seconds(known.succeeded)));
        registry.replace(&metric::UNIT_SEEN, seen);
        let left = now.budget.as_ref().map(|budget| budget.left()).unwrap_or_default();
        registry.replace(
            &metric::OCI_LEFT,
            left.into_iter()
                .map(|(purse, left)| ([purse.tenancy, purse.region], f64::from(left))),
        );
    }
}

/// Records what is told of the process, whichever fleets it follows.
pub(super) fn record_process(registry: &Registry) {
    registry.set(&metric::BUILD_INFO, [env!("CARGO_PKG_VERSION")], 1.0);
    process::record(registry);
}

/// A revision, and what it holds.
pub(super) type News = (Revision, Result<LoadedFleet, String>);

const FAILED: &str = "failed";
const SUSPENDED: &str = "suspended";

fn name(state: &State) -> &'static str {
    match state {
        State::InSync => "in_sync",
        State::Unrecorded => "unrecorded",
        State::Pending { .. } => "changed",
        State::Drifted { .. } => "drifted",
        State::Refused { .. } => "refused",
        State::Waiting { .. } => "waiting",
        State::Suspended { .. } => SUSPENDED,
        State::Held { .. } => "held",
    }
}

fn flag(holds: bool) -> f64 {
    f64::from(u8::from(holds))
}

/// Exact up to four thousand million, of which there are none.
fn number(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

/// Whole milliseconds are exact.
fn seconds(at: Timestamp) -> f64 {
    at.as_duration().as_secs_f64()
}

#[cfg(test)]
mod tests;
