//! Where the sandbox can be told to fail.
//!
//! Every point is named and counted. Whether one strikes is drawn from a seed, in the order in which the points are passed.

mod schedule;
mod spec;

use std::collections::BTreeMap;
use std::sync::Mutex;

pub use self::schedule::Schedule;
pub use self::spec::{Spec, SpecError};

/// A place where something can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Point {
    /// 409 of the API: `Conflict` of Kubernetes, `IncorrectState` of OCI.
    Conflict,
    /// 412 `NoEtagMatch` (OCI).
    NoEtagMatch,
    /// 429 with `Retry-After`.
    TooManyRequests,
    /// 500.
    InternalError,
    /// 503.
    Unavailable,
    /// The write happens, the answer is lost.
    AnswerLost,
    /// The answer takes long.
    Slow,
    /// The caller has lost its rights: 403 of Kubernetes, 404 `NotAuthorizedOrNotFound` of OCI.
    LostRights,
    /// A watch ends without a word.
    WatchDropped,
    /// A watch answers that its resourceVersion is too old: 410.
    WatchStale,
    /// A page of a list is shorter than asked for; more follow.
    ShortPage,
}

impl Point {
    /// All of them, in the order in which they are told.
    pub const ALL: [Self; 11] = [
        Self::Conflict,
        Self::NoEtagMatch,
        Self::TooManyRequests,
        Self::InternalError,
        Self::Unavailable,
        Self::AnswerLost,
        Self::Slow,
        Self::LostRights,
        Self::WatchDropped,
        Self::WatchStale,
        Self::ShortPage,
    ];

    /// The name by which users know it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Conflict => "409",
            Self::NoEtagMatch => "412",
            Self::TooManyRequests => "429",
            Self::InternalError => "500",
            Self::Unavailable => "503",
            Self::AnswerLost => "answer-lost",
            Self::Slow => "slow",
            Self::LostRights => "lost-rights",
            Self::WatchDropped => "watch-dropped",
            Self::WatchStale => "watch-stale",
            Self::ShortPage => "short-page",
        }
    }
}

impl std::fmt::Display for Point {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

/// Says which points strike.
pub trait Faults: Send + Sync {
    /// Whether this passage of the point fails. Counted.
    fn strikes(&self, point: Point) -> bool;
}

/// No faults at all.
#[derive(Debug, Default)]
pub struct Never;

impl Faults for Never {
    fn strikes(&self, _: Point) -> bool {
        false
    }
}

/// Passages and strikes by point.
#[derive(Debug, Default)]
pub struct Counts(Mutex<BTreeMap<Point, (u64, u64)>>);

impl Counts {
    /// Counts one passage.
    pub fn count(&self, point: Point, struck: bool) {
        let mut counts = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (passed, struck_so_far) = counts.entry(point).or_default();
        *passed += 1;
        *struck_so_far += u64::from(struck);
    }

    /// By point: how often it was passed, and how often it struck.
    pub fn snapshot(&self) -> BTreeMap<Point, (u64, u64)> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }
}
