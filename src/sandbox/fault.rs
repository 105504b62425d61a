//! Where the sandbox can be told to fail.
//!
//! Every point is named and counted. Whether one strikes is drawn from a seed, in the order in which the points are passed.

mod schedule;
mod spec;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

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

/// The part of the faults that befalls one API of several, counted apart.
pub struct Share {
    faults: Arc<dyn Faults>,
    counts: Counts,
}

impl Share {
    /// A share of these.
    pub fn of(faults: Arc<dyn Faults>) -> Self {
        Self {
            faults,
            counts: Counts::default(),
        }
    }

    /// By point: how often it was passed here, and how often it struck.
    pub fn counts(&self) -> BTreeMap<Point, (u64, u64)> {
        self.counts.snapshot()
    }
}

impl std::fmt::Debug for Share {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Share").field(&self.counts).finish()
    }
}

impl Faults for Share {
    fn strikes(&self, point: Point) -> bool {
        let strikes = self.faults.strikes(point);
        self.counts.count(point, strikes);
        strikes
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_draw_from_one_schedule_and_are_counted_apart() {
        let schedule = Arc::new(Schedule::from_seed(1, Spec::all(1.0)));
        let (one, other) = (Share::of(schedule.clone()), Share::of(schedule.clone()));
        let strikes = [&one, &other, &one, &other].map(|share| share.strikes(Point::Slow));
        assert_eq!(strikes, [true, true, false, true]);
        assert_eq!(one.counts()[&Point::Slow], (2, 1));
        assert_eq!(other.counts()[&Point::Slow], (2, 2));
        assert_eq!(schedule.counts()[&Point::Slow], (4, 3));
    }
}
