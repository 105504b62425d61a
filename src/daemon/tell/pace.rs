//! When something may be written next.
//!
//! Invariant: pure; time is what the caller says it is. However often something changes, it is written at most once within
//! [`Pacer::APART`]; what fails is tried again after pauses that double.

use std::time::Duration;

/// The pace of one object.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pacer {
    /// When the change came that is to be written; none: there is none.
    changed: Option<Duration>,
    /// When it was last written.
    written: Option<Duration>,
    failures: u32,
    /// Not before then, after a failure.
    retry: Duration,
}

impl Pacer {
    /// A change waits so long for others that come with it.
    const SETTLE: Duration = Duration::from_millis(500);
    /// Between two writes.
    const APART: Duration = Duration::from_secs(2);
    const FIRST_RETRY: Duration = Duration::from_secs(1);
    const LAST_RETRY: Duration = Duration::from_secs(60);

    /// Notes that there is something to write.
    pub(super) fn change(&mut self, now: Duration) {
        self.changed.get_or_insert(now);
    }

    /// Notes that it was written, or that there was nothing to write after all.
    pub(super) fn wrote(&mut self, now: Duration) {
        *self = Self {
            written: Some(now),
            ..Self::default()
        };
    }

    /// Notes that it could not be written.
    pub(super) fn failed(&mut self, now: Duration) {
        let pause = Self::FIRST_RETRY.saturating_mul(2_u32.saturating_pow(self.failures));
        self.failures = self.failures.saturating_add(1);
        self.retry = now + pause.min(Self::LAST_RETRY);
    }

    /// When it may be written; none where there is nothing to write.
    pub(super) fn due(&self) -> Option<Duration> {
        let settled = self.changed? + Self::SETTLE;
        let apart = self.written.map_or(Duration::ZERO, |written| written + Self::APART);
        Some(settled.max(apart).max(self.retry))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn a_burst_is_one_write() {
        let mut pacer = Pacer::default();
        assert_eq!(pacer.due(), None);
        for now in [0, 100, 400] {
            pacer.change(at(now));
        }
        assert_eq!(pacer.due(), Some(at(500)), "from the first of them");
        pacer.wrote(at(500));
        assert_eq!(pacer.due(), None);
        pacer.change(at(600));
        assert_eq!(pacer.due(), Some(at(2_500)));
    }

    #[test]
    fn what_fails_is_tried_less_and_less_often() {
        let mut pacer = Pacer::default();
        pacer.change(at(0));
        let mut pauses = Vec::new();
        let mut now = at(0);
        for _ in 0..10 {
            pacer.failed(now);
            let due = pacer.due().unwrap();
            pauses.push((due - now).as_secs());
            now = due;
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60, 60]);
        pacer.wrote(now);
        pacer.change(now);
        assert_eq!(pacer.due(), Some(now + Pacer::APART));
    }
}
