//! Waiting: until an object is gone, or ready. Every wait has a deadline and backs off.

use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::event::{ChangeResult, Event, Observer};
use super::executor::Run;
use crate::plan::change::Change;
use crate::providers::{LiveObject, Observed, Provider};
use crate::resource::ResourceId;
use crate::status::{self, State};

const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// How soon an interruption is noticed.
const SLICE: Duration = Duration::from_millis(200);

/// An object that is to go.
pub(super) struct Going<'a> {
    pub(super) change: &'a Change,
    pub(super) provider: &'a dyn Provider,
    /// The UID that was deleted: another object of the same name counts as gone.
    pub(super) uid: &'a str,
    pub(super) deadline: Duration,
}

/// Reads until the object is gone, or the deadline is over; gives the last observation.
pub(super) async fn until_gone(run: &Run<'_>, going: &Going<'_>, observer: &dyn Observer) -> Observed {
    let id = &going.change.id;
    let end = Instant::now() + going.deadline;
    let mut pause = FIRST_PAUSE;
    let mut said = String::new();
    loop {
        let seen = match going.provider.read(id, &going.change.api_version).await {
            Observed::Present(live) if live.uid != going.uid => Observed::Absent,
            seen => seen,
        };
        if matches!(seen, Observed::Absent) || Instant::now() >= end || run.interrupted.load(Ordering::Relaxed) {
            return seen;
        }
        if let Observed::Present(live) = &seen {
            let message = format!("to be gone: {}", holds(live));
            if message != said {
                observer.event(&Event::Waiting {
                    id: id.clone(),
                    message: message.clone(),
                });
                said = message;
            }
        }
        sleep(run, pause.min(end.saturating_duration_since(Instant::now()))).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// What keeps an object that was deleted.
pub(super) fn holds(live: &LiveObject) -> String {
    let object = live.parse().unwrap_or_default();
    let finalizers = object.pointer("/metadata/finalizers").and_then(Value::as_array);
    let names: Vec<&str> = finalizers.into_iter().flatten().filter_map(Value::as_str).collect();
    if names.is_empty() {
        "the server is still at it".to_owned()
    } else {
        format!("held by finalizers: {}", names.join(", "))
    }
}

/// Sleeps, unless the run is interrupted.
async fn sleep(run: &Run<'_>, pause: Duration) {
    let end = Instant::now() + pause;
    while Instant::now() < end && !run.interrupted.load(Ordering::Relaxed) {
        tokio::time::sleep(SLICE.min(end.saturating_duration_since(Instant::now()))).await;
    }
}

/// Waits for all that was written to become ready; gives what did not, and what it said last.
pub(super) async fn until_ready(
    run: &Run<'_>,
    results: &[Option<ChangeResult>],
    observer: &dyn Observer,
) -> Vec<(ResourceId, String)> {
    let Some(wait) = run.options.wait else {
        return Vec::new();
    };
    let end = Instant::now() + wait;
    // All are waited for at once, lest one that never gets ready hides another that is; only the reads are bounded.
    let reads = Semaphore::new(run.options.concurrency);
    let written = run
        .plan
        .changes
        .iter()
        .zip(results)
        .filter(|(change, result)| change.writes() && matches!(result, Some(ChangeResult::Done)))
        .map(|(change, _)| one_ready(run, change, end, &reads, observer));
    let waits: FuturesUnordered<_> = written.collect();
    waits.filter_map(std::future::ready).collect().await
}

async fn one_ready(
    run: &Run<'_>,
    change: &Change,
    end: Instant,
    reads: &Semaphore,
    observer: &dyn Observer,
) -> Option<(ResourceId, String)> {
    let provider = run.providers.get(&change.id.target).copied()?;
    let mut pause = FIRST_PAUSE;
    let mut said = String::new();
    loop {
        let permit = reads.acquire().await;
        let seen = provider.read(&change.id, &change.api_version).await;
        drop(permit);
        let message = match seen {
            Observed::Absent => "it is gone".to_owned(),
            Observed::Unknown(reason) => reason,
            Observed::Present(live) => match live.parse() {
                Err(error) => format!("the server's answer is no JSON: {error}"),
                Ok(object) => {
                    let readiness = status::readiness(&object);
                    if readiness.state == State::Ready {
                        observer.event(&Event::Ready { id: change.id.clone() });
                        return None;
                    }
                    format!("{}: {}", readiness.reason, readiness.message)
                }
            },
        };
        if message != said {
            observer.event(&Event::Waiting {
                id: change.id.clone(),
                message: message.clone(),
            });
            said = message;
        }
        if Instant::now() >= end || run.interrupted.load(Ordering::Relaxed) {
            return Some((change.id.clone(), said));
        }
        sleep(run, pause.min(end.saturating_duration_since(Instant::now()))).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
