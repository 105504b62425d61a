//! A few units, planned together and applied.
//!
//! Invariant: nothing is deleted that is not in the ledger as stored; what fails of one unit is that unit's alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tracing::{Instrument as _, info_span};

use super::corrections::{Corrections, Recalled};
use super::facts::{self, UnitFacts};
use super::queue::End;
use super::state::{State, Step, determine_states, next_step};
use super::tally::Tally;
use super::telemetry::Telemetry;
use crate::apply::{self, ChangeResult, Event, Observer, Outcome};
use crate::fleet::model::DriftAction;
use crate::inventory::InventoryKey;
use crate::ops::{self, Access, Against, CapError, LoadedFleet, PlanError, PlanOptions, Planned, ProviderScope, Scope};
use crate::plan::change::{Block, Change};
use crate::plan::drift;
use crate::plan::ignore::Contested;
use crate::report::chain;
use crate::resource::{ManagementClusterName, UnitId};

/// What a batch works on.
pub(super) struct Work {
    pub(super) loaded: Arc<LoadedFleet>,
    pub(super) access: Access,
    /// What is done about drift that no rule of the fleet files is about.
    pub(super) drift: DriftAction,
    pub(super) corrections: Arc<Mutex<Corrections>>,
    /// Since the daemon's start.
    pub(super) now: Duration,
    pub(super) provider: Option<ProviderScope>,
    pub(super) concurrency: usize,
    pub(super) management_clusters: Vec<String>,
    pub(super) interrupted: Arc<AtomicBool>,
    pub(super) telemetry: Arc<Telemetry>,
    /// Whether what is to be done is done; else it is left to a batch that follows at once.
    pub(super) applies: bool,
}

impl Work {
    fn corrections(&self) -> MutexGuard<'_, Corrections> {
        self.corrections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn contested(&self) -> Contested {
        let mut corrections = self.corrections();
        corrections.expire(self.now);
        corrections.contested()
    }
}

/// What became of one unit.
pub(super) struct Looked {
    pub(super) state: State,
    pub(super) error: Option<String>,
    pub(super) end: End,
    pub(super) facts: Option<UnitFacts>,
}

/// What became of a batch.
pub(super) struct Done {
    pub(super) units: BTreeMap<UnitId, Looked>,
    /// Every unit that some inventory knows, and where.
    pub(super) recorded: BTreeSet<InventoryKey>,
    /// Management clusters whose inventories are not among them, since they did not answer.
    pub(super) away: BTreeSet<ManagementClusterName>,
    pub(super) tally: Tally,
}

/// Why a batch came to nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum BatchError {
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error(transparent)]
    Cap(#[from] CapError),
    /// It broke off in the middle.
    #[error("looking at it broke off: that is a fault of this program, whose log says where")]
    Broken,
}

/// A delete that others wait for is waited for no longer than this; the next look goes on from there.
const DELETE_DEADLINE: Duration = Duration::from_secs(20);
/// What was written is looked at again so soon.
const CONFIRM: Duration = Duration::from_secs(1);
/// What is on its way out is looked at again so soon: its end is not always heard of.
const GOING: Duration = Duration::from_secs(5);

struct Silent;

impl Observer for Silent {
    fn event(&self, event: &Event) {
        if let Event::Changed {
            id,
            unit,
            action,
            result,
        } = event
        {
            match result {
                ChangeResult::Failed { message } => tracing::warn!(%id, %unit, ?action, error = message, "failed"),
                result => tracing::info!(%id, %unit, ?action, ?result, "changed"),
            }
        }
    }
}

/// Looks at some units, and does what is to be done about them.
pub(super) async fn run(work: &Work, units: &BTreeSet<UnitId>) -> Result<Done, BatchError> {
    let options = PlanOptions {
        against: Against::Live(Box::new(work.access.clone())),
        scope: Scope {
            units: Some(units.clone()),
            provider: work.provider,
            management_clusters: work.management_clusters.clone(),
            even_in_part: true,
            ..Scope::default()
        },
        contested: work.contested(),
        adopt: false,
        even_suspended: false,
        now: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
    };
    let mut planned = ops::plan(&work.loaded, &options).instrument(info_span!("plan")).await?;
    let recalled = recall(work, &planned, units);
    let mut held_next = leave_drift(work, &mut planned)?;
    held_next.extend(recalled);
    if work.applies {
        ops::grant(&work.loaded, &mut planned, true).await?;
    }
    work.telemetry.planned(&work.loaded.revised.revision, units);
    let states = determine_states(&planned.plan, units);
    let outcome = if work.applies && states.values().any(|state| next_step(state) == Step::Apply) {
        let options = apply::Options {
            concurrency: work.concurrency,
            delete_deadline: DELETE_DEADLINE,
            ..apply::Options::default()
        };
        ops::apply(&work.loaded, &planned, options, &Silent, &work.interrupted)
            .instrument(info_span!("apply"))
            .await
    } else {
        Outcome::default()
    };
    note_corrections(work, &planned, &outcome);
    let failures = failures(&planned, &outcome);
    let lagging = outcome.inventory_errors.first().map(|error| chain(error));
    let tally = Tally::of(&planned.plan, &outcome.results, units);
    let units = states
        .into_iter()
        .map(|(unit, state)| {
            let unreached = planned.unreached.get(&unit).cloned();
            let end = if unreached.is_some() {
                End::Unreached
            } else {
                End::Failed
            };
            let uncounted = || planned.uncounted.get(&unit).cloned();
            let error = unreached.or_else(uncounted).or_else(|| failures.get(&unit).cloned());
            let end = match (&error, next_step(&state)) {
                (Some(_), _) => end,
                (None, Step::Apply) if !work.applies => End::Soon(Duration::ZERO),
                (None, Step::Apply) if lagging.is_some() => End::Failed,
                (None, Step::Apply) if is_going(&planned, &outcome, &unit) => End::Soon(GOING),
                (None, Step::Apply) => End::Soon(CONFIRM),
                (None, _) if held_next.contains(&unit) => End::Soon(Duration::ZERO),
                (None, Step::LookAgain(pause)) => End::Soon(pause),
                (None, Step::Rest) => resumes(&state).map_or(End::Rest, End::Soon),
            };
            let error = error.or_else(|| lagging.clone().filter(|_| end == End::Failed));
            let facts = facts::of(&work.loaded, &planned, &outcome, (&unit, &state, error.as_deref()));
            (
                unit,
                Looked {
                    state,
                    error,
                    end,
                    facts,
                },
            )
        })
        .collect();
    Ok(Done {
        units,
        recorded: planned.inventories.keys().cloned().collect(),
        away: planned.away,
        tally,
    })
}

/// Takes over what an earlier daemon, or another, had found to be fought over, where these units are looked at for the first
/// time. Gives those of which the next plan holds such fields.
fn recall(work: &Work, planned: &Planned, units: &BTreeSet<UnitId>) -> Vec<UnitId> {
    let now = jiff::Timestamp::now();
    let mut corrections = work.corrections();
    let mut recalled = Vec::new();
    for unit in units.iter().filter(|unit| !planned.unreached.contains_key(*unit)) {
        if !corrections.asks_for(unit) {
            continue;
        }
        let Some(fought) = ops::fought(&work.loaded, &planned.plan, &planned.syncs, unit) else {
            continue;
        };
        let fields: Vec<Recalled> = fought
            .into_iter()
            .map(|fought| Recalled {
                id: fought.id,
                field: fought.field,
                age: Duration::try_from(now.duration_since(fought.since)).unwrap_or_default(),
            })
            .collect();
        if !fields.is_empty() {
            tracing::info!(%unit, fields = fields.len(), "fields were fought over before this daemon began");
            recalled.push(unit.clone());
        }
        corrections.recall(unit, fields, work.now);
    }
    recalled
}

/// Leaves alone what moved by itself and is not to be mended, or not again. Gives the units of which the next plan leaves
/// only the fields that are fought over.
fn leave_drift(work: &Work, planned: &mut Planned) -> Result<BTreeSet<UnitId>, PlanError> {
    let mut corrections = work.corrections();
    let mut held_next = BTreeSet::new();
    let rules = &work.loaded.fleet.drift;
    let block = |change: &Change| {
        if !change.is_drift() {
            return None;
        }
        match drift::action(rules, change, work.drift) {
            DriftAction::Off => Some(Block::Ignored),
            DriftAction::Report => Some(Block::LeftAlone {
                reason: "drift is reported, not mended".to_owned(),
            }),
            DriftAction::Correct => {
                let judged = corrections.judge(change, work.now)?;
                if judged.is_new {
                    held_next.insert(change.unit.clone());
                }
                Some(judged.block)
            }
        }
    };
    planned.plan.leave_alone(block)?;
    Ok(held_next)
}

fn note_corrections(work: &Work, planned: &Planned, outcome: &Outcome) {
    let mut corrections = work.corrections();
    for (change, result) in planned.plan.changes.iter().zip(&outcome.results) {
        if change.is_drift() && result == &Some(ChangeResult::Done) {
            corrections.note(change, work.now);
        }
    }
}

/// How long a suspended unit has to wait until that is over by itself.
fn resumes(state: &State) -> Option<Duration> {
    let State::Suspended { until: Some(until), .. } = state else {
        return None;
    };
    let left = until.duration_since(jiff::Timestamp::now());
    Some(Duration::try_from(left).unwrap_or_default() + CONFIRM)
}

/// Whether all that was begun of a unit are deletes that take their time: to send them again each second helps nobody.
fn is_going(planned: &Planned, outcome: &Outcome, unit: &UnitId) -> bool {
    let changes = planned.plan.changes.iter().zip(&outcome.results);
    let mut begun = changes
        .filter(|(change, _)| change.unit == *unit)
        .filter_map(|(_, result)| result.as_ref())
        .filter(|result| !matches!(result, ChangeResult::Skipped { .. }))
        .peekable();
    begun.peek().is_some() && begun.all(|result| *result == ChangeResult::Deleting)
}

/// The first failure of each unit, in words.
fn failures(planned: &Planned, outcome: &Outcome) -> BTreeMap<UnitId, String> {
    let mut failures = BTreeMap::new();
    for (change, result) in planned.plan.changes.iter().zip(&outcome.results) {
        if let Some(ChangeResult::Failed { message }) = result {
            failures
                .entry(change.unit.clone())
                .or_insert_with(|| format!("{}: {message}", change.id));
        }
    }
    for (change, result) in planned.plan.changes.iter().zip(&outcome.results) {
        if let Some(ChangeResult::Skipped { needs }) = result {
            failures
                .entry(change.unit.clone())
                .or_insert_with(|| format!("{}: needs {needs}, which failed", change.id));
        }
    }
    failures
}
