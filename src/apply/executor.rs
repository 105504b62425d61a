//! Walks a plan's graph with bounded concurrency: writes, deletes, waits, records.
//!
//! It makes no choice: what goes ahead, in which order and under which preconditions stands in the plan. A failure stops
//! what depends on it and nothing else.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::stream::FuturesUnordered;
use futures::{FutureExt as _, StreamExt as _};
use serde_json::Value;
use tokio::sync::Semaphore;
use tracing::{Instrument as _, debug_span};

use super::event::{ChangeResult, Event, Observer};
use super::record::{End, Records, key};
use super::wait;
use crate::inventory::InventoryKey;
use crate::plan::change::{Action, Change};
use crate::plan::known::{field_of, resolve};
use crate::plan::{self, Plan, Revised};
use crate::providers::{
    DeleteRequest, InventoryStore, LiveObject, Observed, Provider, ProviderError, Sensitive, Stored,
};
use crate::resource::{ManagementClusterName, Reference, ResourceId, Target};

/// What a run needs.
pub struct Run<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// The control planes.
    pub providers: &'a BTreeMap<Target, &'a dyn Provider>,
    /// Where inventories are kept.
    pub stores: &'a BTreeMap<ManagementClusterName, &'a dyn InventoryStore>,
    /// Inventories as they were read for the plan.
    pub inventories: &'a BTreeMap<InventoryKey, Stored>,
    /// The fleet and the revision that is applied.
    pub revised: &'a Revised,
    /// Limits of the run.
    pub options: Options,
    /// Set from outside to stop: what is under way is finished, nothing new is begun.
    pub interrupted: &'a AtomicBool,
}

/// Limits of a run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Changes under way at once.
    pub concurrency: usize,
    /// How long what is written may take to become ready; none: it isn't waited for.
    pub wait: Option<Duration>,
    /// How long a delete that others wait for may take.
    pub delete_deadline: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            concurrency: 8,
            wait: None,
            delete_deadline: Duration::from_secs(20 * 60),
        }
    }
}

/// What a run came to.
#[derive(Debug, Default)]
pub struct Outcome {
    /// For each change of the plan, by its index; none for what did not go ahead.
    pub results: Vec<Option<ChangeResult>>,
    /// Errors in keeping the inventories: the objects are there, the record lags behind; the next run mends it.
    pub inventory_errors: Vec<ProviderError>,
    /// Objects that were not ready in time, and what they said.
    pub not_ready: Vec<(ResourceId, String)>,
}

impl Outcome {
    /// Whether everything that was tried worked.
    pub fn is_success(&self) -> bool {
        self.inventory_errors.is_empty()
            && self.not_ready.is_empty()
            && self.results.iter().flatten().all(ChangeResult::is_success)
    }
}

/// Runs a plan.
pub async fn execute(run: &Run<'_>, observer: &dyn Observer) -> Outcome {
    let changes = &run.plan.changes;
    let tried: Vec<bool> = changes.iter().map(Change::goes_ahead).collect();
    let records = Records::new(run.stores, run.inventories, run.plan, run.revised);
    let units = changes
        .iter()
        .filter(|c| c.goes_ahead())
        .map(key)
        .collect::<std::collections::BTreeSet<_>>()
        .len();
    observer.event(&Event::Started {
        changes: tried.iter().filter(|&&t| t).count(),
        units,
    });

    let mut walk = Walk::new(run.plan, &tried);
    // All that is ready is under way; what is bounded is how much of it is talking. What waits for a finalizer holds
    // nobody up.
    let slots = Semaphore::new(run.options.concurrency);
    let made = Made::by(run.plan);
    let mut under_way = FuturesUnordered::new();
    loop {
        while let Some(i) = walk.ready.pop_front() {
            let step = Step {
                run,
                observer,
                records: &records,
                slots: &slots,
                made: &made,
                change: &changes[i],
                waited_for: walk.is_waited_for(i),
            };
            let change = &changes[i];
            let span = debug_span!("change", id = %change.id, unit = %change.unit, action = ?change.action);
            let made = async move { Ended::Change(i, make(&step).await) };
            under_way.push(made.instrument(span).left_future());
        }
        let (i, result) = match under_way.next().await {
            None => break,
            // As if it had never been ready.
            Some(Ended::Change(_, Ok(ChangeResult::Interrupted)) | Ended::Record(Ok(()))) => continue,
            Some(Ended::Record(Err(error))) => {
                walk.inventory_errors.push(error);
                continue;
            }
            Some(Ended::Change(i, Ok(result))) => (i, result),
            Some(Ended::Change(i, Err(error))) => {
                let message = crate::report::chain(&error);
                (i, ChangeResult::Failed { message })
            }
        };
        for (j, result) in walk.finish(i, result) {
            let change = &changes[j];
            if !matches!(result, ChangeResult::Done | ChangeResult::Deleting) {
                // Nothing is known to have changed: the record keeps what it had. It is under way like the changes
                // themselves, one of which may hold the record and go on only while it is polled.
                let records = &records;
                let settled = async move { Ended::Record(records.settle(change, End::Unchanged).await) };
                under_way.push(settled.right_future());
            }
            observer.event(&Event::Changed {
                id: change.id.clone(),
                unit: change.unit.clone(),
                action: change.action,
                result,
            });
        }
    }
    let mut outcome = walk.outcome(changes);
    outcome.inventory_errors.extend(records.flush().await);
    if run.options.wait.is_some() && !run.interrupted.load(Ordering::Relaxed) {
        outcome.not_ready = wait::until_ready(run, &outcome.results, observer).await;
    }
    outcome
}

/// What has come to its end of all that is under way.
enum Ended {
    /// A change, by its index.
    Change(usize, Result<ChangeResult, ProviderError>),
    /// The record of a change that came to nothing.
    Record(Result<(), ProviderError>),
}

/// One change under way.
struct Step<'a> {
    run: &'a Run<'a>,
    observer: &'a dyn Observer,
    records: &'a Records<'a>,
    slots: &'a Semaphore,
    made: &'a Made,
    change: &'a Change,
    /// Whether others wait for it.
    waited_for: bool,
}

/// What this run has made on OCI and documents of it refer to: the fields that they name, by object and field. None is known
/// before the object is made.
struct Made(Mutex<BTreeMap<Reference, Option<Value>>>);

impl Made {
    fn by(plan: &Plan) -> Self {
        let wanted = plan.changes.iter().flat_map(|change| &change.unresolved);
        Self(Mutex::new(wanted.map(|reference| (reference.clone(), None)).collect()))
    }

    fn locked(&self) -> MutexGuard<'_, BTreeMap<Reference, Option<Value>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, id: &ResourceId, live: &LiveObject) {
        let first = Reference {
            id: id.clone(),
            field: String::new(),
        };
        let mut all = self.locked();
        for (reference, known) in all.range_mut(first..).take_while(|(reference, _)| reference.id == *id) {
            *known = field_of(live, &reference.field);
        }
    }

    fn field(&self, reference: &Reference) -> Option<Value> {
        self.locked().get(reference)?.clone()
    }
}

/// The document that a change writes, with the ids of what was made before it.
fn document(change: &Change, made: &Made) -> Result<Sensitive, String> {
    let document = plan::document(change).ok_or("the plan holds no document for it")?;
    if change.unresolved.is_empty() {
        return Ok(document);
    }
    let mut body = document.expose().clone();
    let open = resolve(&mut body, |reference| made.field(reference));
    match open.first() {
        None => Ok(Sensitive::new(body)),
        Some(Reference { id, field }) => Err(format!("`{field}` of {id}, which it names, is not known")),
    }
}

/// Makes one change.
async fn make(step: &Step<'_>) -> Result<ChangeResult, ProviderError> {
    let Step {
        run, records, change, ..
    } = *step;
    let slot = step.slots.acquire().await;
    if run.interrupted.load(Ordering::Relaxed) {
        return Ok(ChangeResult::Interrupted);
    }
    step.observer.event(&Event::Changing {
        id: change.id.clone(),
        unit: change.unit.clone(),
        action: change.action,
    });
    let Some(provider) = run.providers.get(&change.id.target).copied() else {
        return Ok(ChangeResult::Failed {
            message: format!("no provider for {}", change.id.target),
        });
    };
    records.announce(&key(change)).await?;
    let (result, end) = match change.action {
        Action::Leave => (ChangeResult::Done, End::Unchanged),
        Action::Forget => (ChangeResult::Done, End::Gone),
        Action::Create | Action::Update | Action::Adopt => {
            let body = match document(change, step.made) {
                Ok(body) => body,
                Err(message) => return Ok(ChangeResult::Failed { message }),
            };
            let response = provider.write(change.request(body.expose())).await?;
            let uid = response.object.uid.clone();
            if change.id.target == Target::Oci {
                step.made.note(&change.id, &response.object);
            }
            (ChangeResult::Done, End::Written { uid })
        }
        Action::Delete => {
            let asked = ask_to_delete(step, provider).await?;
            drop(slot);
            match asked {
                Some(uid) => until_gone(step, provider, uid).await,
                None => {
                    let message = "the plan holds no UID to delete".to_owned();
                    (ChangeResult::Failed { message }, End::Unchanged)
                }
            }
        }
    };
    // What did not work is settled by whoever called, errors and all.
    if result.is_success() {
        records.settle(change, end).await?;
    }
    Ok(result)
}

/// Sends the delete; gives the UID of what is to go.
async fn ask_to_delete<'a>(step: &Step<'a>, provider: &dyn Provider) -> Result<Option<&'a str>, ProviderError> {
    let change = step.change;
    let Some(precondition) = &change.precondition else {
        return Ok(None);
    };
    let request = DeleteRequest {
        id: &change.id,
        api_version: &change.api_version,
        uid: &precondition.uid,
        version: &precondition.version,
    };
    provider.delete(request).await?;
    Ok(Some(&precondition.uid))
}

/// A delete is done when the object is seen gone; unless others wait for that, acceptance is enough for this run, and the
/// inventory keeps the object until a later run sees it gone.
async fn until_gone(step: &Step<'_>, provider: &dyn Provider, uid: &str) -> (ChangeResult, End) {
    let Step {
        run,
        change,
        waited_for,
        ..
    } = *step;
    let deadline = match (waited_for, run.options.wait) {
        (_, Some(wait)) => wait,
        (true, None) => run.options.delete_deadline,
        (false, None) => Duration::ZERO,
    };
    let going = wait::Going {
        change,
        provider,
        uid,
        deadline,
        slots: step.slots,
    };
    let result = match wait::until_gone(run, &going, step.observer).await {
        Observed::Absent => return (ChangeResult::Done, End::Gone),
        // Nothing of this run comes after it any more.
        Observed::Present(_) if run.interrupted.load(Ordering::Relaxed) => ChangeResult::Deleting,
        Observed::Present(_) if !waited_for && run.options.wait.is_none() => ChangeResult::Deleting,
        Observed::Present(live) => ChangeResult::Failed {
            message: format!("still there after {} s: {}", deadline.as_secs(), wait::holds(&live)),
        },
        Observed::Unknown(reason) => ChangeResult::Failed {
            message: format!("can't see whether it is gone: {reason}"),
        },
    };
    let end = match result {
        ChangeResult::Deleting => End::Going,
        _ => End::Unchanged,
    };
    (result, end)
}

/// The state of the walk: each change is waiting, ready, under way or at its end.
struct Walk {
    ready: VecDeque<usize>,
    missing: Vec<usize>,
    after: Vec<Vec<usize>>,
    results: Vec<Option<ChangeResult>>,
    tried: Vec<bool>,
    ids: Vec<ResourceId>,
    inventory_errors: Vec<ProviderError>,
}

impl Walk {
    fn new(plan: &Plan, tried: &[bool]) -> Self {
        let mut missing = vec![0; tried.len()];
        let mut after = vec![Vec::new(); tried.len()];
        for (i, before) in plan.graph.before.iter().enumerate() {
            // What does not go ahead holds nobody up here: the plan has already blocked what really needs it.
            for &j in before.iter().filter(|&&j| tried[j]) {
                missing[i] += 1;
                after[j].push(i);
            }
        }
        Self {
            ready: (0..tried.len()).filter(|&i| tried[i] && missing[i] == 0).collect(),
            missing,
            after,
            results: vec![None; tried.len()],
            tried: tried.to_vec(),
            ids: plan.changes.iter().map(|change| change.id.clone()).collect(),
            inventory_errors: Vec::new(),
        }
    }

    fn is_waited_for(&self, i: usize) -> bool {
        self.after[i].iter().any(|&j| self.tried[j])
    }

    /// Takes a change's result; gives it and the results of all that is skipped because of it.
    fn finish(&mut self, i: usize, result: ChangeResult) -> Vec<(usize, ChangeResult)> {
        let mut ended = vec![(i, result)];
        let mut at = 0;
        while let Some((i, result)) = ended.get(at).cloned() {
            at += 1;
            for j in self.after[i].clone() {
                if !self.tried[j] || self.results[j].is_some() || ended.iter().any(|(k, _)| *k == j) {
                    continue;
                }
                if result.is_success() {
                    self.missing[j] -= 1;
                    if self.missing[j] == 0 {
                        self.ready.push_back(j);
                    }
                } else {
                    ended.push((
                        j,
                        ChangeResult::Skipped {
                            needs: self.ids[i].clone(),
                        },
                    ));
                }
            }
            self.results[i] = Some(result);
        }
        ended
    }

    fn outcome(self, changes: &[Change]) -> Outcome {
        let results = self
            .results
            .into_iter()
            .zip(changes)
            .map(|(result, change)| result.or_else(|| change.goes_ahead().then_some(ChangeResult::Interrupted)))
            .collect();
        Outcome {
            results,
            inventory_errors: self.inventory_errors,
            not_ready: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests;
