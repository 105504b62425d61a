//! Metrics for Prometheus: which there are, what they count, and how they are written.
//!
//! Invariant: pure but for a lock; every metric is in [`catalog`], with its labels, and no other can be recorded. A family
//! holds a bounded number of series, whatever its labels are made of. No label holds a secret: they are names of kinds,
//! units, operations and results. A process that follows several fleets has a registry for each and one for itself: what one
//! fleet counts takes no room from another.
//!
//! Written by hand in the text format 0.0.4, which every collector reads and `promtool` checks: most series are states that
//! are known when somebody asks, and go when what they tell of goes, which leaves little for a library to do.

pub mod allocator;
mod calls;
pub mod catalog;
mod registry;
mod text;

pub use self::registry::{Registry, text_of};

/// What a family holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A number that grows until the process ends.
    Counter,
    /// A number that is what it is now.
    Gauge,
    /// Durations in seconds, by how many were no longer than each of [`catalog::BUCKETS`].
    Histogram,
}

impl Kind {
    /// As the text format names it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// A metric with `N` labels.
#[derive(Debug)]
pub struct Family<const N: usize> {
    name: &'static str,
    kind: Kind,
    help: &'static str,
    labels: [&'static str; N],
}

/// A metric as documentation and output need it.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// What it says, in one sentence.
    pub help: &'static str,
    /// Names of its labels.
    pub labels: &'static [&'static str],
}

impl<const N: usize> Family<N> {
    const fn new(kind: Kind, name: &'static str, labels: [&'static str; N], help: &'static str) -> Self {
        Self {
            name,
            kind,
            help,
            labels,
        }
    }

    const fn entry(&'static self) -> Entry {
        Entry {
            name: self.name,
            kind: self.kind,
            help: self.help,
            labels: &self.labels,
        }
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        self.name
    }
}
