//! What was asked of OCI, counted: printed in reports.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::api::Service;
use super::budget::Purse;

/// Requests that came to the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kind {
    /// The service.
    pub service: Service,
    /// The operation.
    pub operation: &'static str,
    /// HTTP status; none where no answer came.
    pub status: Option<u16>,
}

/// What was asked of OCI up to now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// HTTP requests by what they came to, retries among them.
    pub calls: BTreeMap<Kind, u64>,
    /// How many of them were retries.
    pub retries: u64,
    /// Time that callers waited for the budget, summed over them.
    pub waited: Duration,
    /// Calls that the budget would let through at once.
    pub left: BTreeMap<Purse, u32>,
}

impl Counts {
    /// All HTTP requests.
    pub fn total(&self) -> u64 {
        self.calls.values().sum()
    }
}

#[derive(Debug, Default)]
pub(super) struct Counter(Mutex<Counts>);

impl Counter {
    pub(super) fn request(&self, kind: Kind) {
        *self.lock().calls.entry(kind).or_default() += 1;
    }

    pub(super) fn retry(&self) {
        self.lock().retries += 1;
    }

    pub(super) fn waited(&self, time: Duration) {
        let mut counts = self.lock();
        counts.waited = counts.waited.saturating_add(time);
    }

    pub(super) fn snapshot(&self, left: BTreeMap<Purse, u32>) -> Counts {
        Counts {
            left,
            ..self.lock().clone()
        }
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
