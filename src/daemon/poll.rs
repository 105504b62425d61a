//! When the source is looked at.
//!
//! Invariant: pure; time is what the caller says it is, measured from any fixed moment. However often somebody asks, looks
//! keep a distance; one is under way at a time, and who asks meanwhile is heard after it.

use std::time::Duration;

/// Looks are at least so far apart.
const DISTANCE: Duration = Duration::from_secs(1);
/// What is committed is to be live by the end of the pause: a tenth of it is left for that, or this where it is less.
const ROOM: Duration = Duration::from_secs(5);
/// However often looks have failed, another follows after this, or after the usual pause where that is longer.
const LONGEST: Duration = Duration::from_secs(300);
/// A webhook may come before the server shows what it tells of: looks that follow one which found nothing.
const AGAIN: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(10)];

/// What a look came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Something that was not there before.
    News,
    /// What was there before.
    Nothing,
    /// No answer, or none that does.
    Failed,
}

/// The times of looks.
#[derive(Debug)]
pub(super) struct Poll {
    every: Duration,
    next: Duration,
    last: Option<Duration>,
    /// Looks in a row that failed.
    failures: u32,
    /// Looks that were asked for and may still follow.
    asked: &'static [Duration],
    /// A look that has not ended; it may not see what was asked for meanwhile.
    under_way: Option<Meanwhile>,
    /// When the latest look began.
    begun: Duration,
}

/// What happened during a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meanwhile {
    Nothing,
    Asked,
}

impl Poll {
    /// The first look is due at once.
    pub(super) fn new(every: Duration) -> Self {
        Self {
            every,
            next: Duration::ZERO,
            last: None,
            failures: 0,
            asked: &[],
            under_way: None,
            begun: Duration::ZERO,
        }
    }

    /// When the next look is due; none while one is under way.
    pub(super) fn next(&self) -> Option<Duration> {
        self.under_way.is_none().then_some(self.next)
    }

    /// Whether a look is due.
    pub(super) fn is_due(&self, now: Duration) -> bool {
        self.next().is_some_and(|next| next <= now)
    }

    /// Notes that a look begins.
    pub(super) fn begin(&mut self, now: Duration) {
        self.under_way = Some(Meanwhile::Nothing);
        self.begun = now;
    }

    /// Asks for a look now, or after the one that is under way.
    pub(super) fn ask(&mut self, now: Duration) {
        if let Some(meanwhile) = &mut self.under_way {
            *meanwhile = Meanwhile::Asked;
            return;
        }
        let soonest = self.last.map_or(now, |last| now.max(last + DISTANCE));
        self.next = self.next.min(soonest);
        self.asked = &AGAIN;
    }

    /// The first look that fails is followed by another as usual; then the pauses grow, so that a server that has trouble is not
    /// asked by everybody as often as before.
    fn pause(&self) -> Duration {
        let longer = self.every.saturating_mul(1 << self.failures.saturating_sub(1).min(16));
        longer.min(LONGEST).max(self.every)
    }

    /// Notes that a look has ended.
    pub(super) fn looked(&mut self, found: Found, now: Duration) {
        let meanwhile = self.under_way.take();
        self.last = Some(now);
        self.failures = if found == Found::Failed { self.failures + 1 } else { 0 };
        self.next = match found {
            Found::Failed => now + self.pause(),
            // The pause is what a commit waits at most, however long a look takes.
            Found::News | Found::Nothing => {
                let every = self.every.saturating_sub(ROOM.min(self.every / 10));
                (self.begun + every).max(now + DISTANCE.min(every))
            }
        };
        match (found, self.asked) {
            (Found::Nothing | Found::Failed, [pause, rest @ ..]) => {
                self.next = self.next.min(now + *pause);
                self.asked = rest;
            }
            (Found::News, _) | (_, []) => self.asked = &[],
        }
        if meanwhile == Some(Meanwhile::Asked) {
            self.ask(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// The times of all looks up to an end, where the third look and no other finds news.
    fn looks(poll: &mut Poll, asked: &[u64], end: u64) -> Vec<u64> {
        let mut looks = Vec::new();
        for now in 0..end {
            if asked.contains(&now) {
                poll.ask(at(now));
            }
            if poll.is_due(at(now)) {
                poll.begin(at(now));
                looks.push(now);
                let found = if looks.len() == 3 { Found::News } else { Found::Nothing };
                poll.looked(found, at(now));
            }
        }
        looks
    }

    #[test]
    fn what_is_asked_for_is_looked_for_at_once_and_twice_more_until_it_is_there() {
        assert_eq!(looks(&mut Poll::new(at(100)), &[], 250), [0, 95, 190]);
        assert_eq!(
            looks(&mut Poll::new(at(100)), &[7], 250),
            [0, 7, 9, 104, 199],
            "news with the third"
        );
        let mut poll = Poll::new(at(1000));
        assert_eq!(looks(&mut poll, &[7, 900], 999), [0, 7, 9, 900, 902, 912]);
    }

    #[test]
    fn what_is_asked_for_during_a_look_is_looked_for_after_it() {
        for found in [Found::News, Found::Nothing] {
            let mut poll = Poll::new(at(3600));
            poll.begin(at(0));
            assert_eq!(poll.next(), None);
            poll.ask(at(1));
            assert!(!poll.is_due(at(50)), "one at a time");
            poll.looked(found, at(60));
            assert_eq!(poll.next(), Some(at(60) + DISTANCE));
            poll.begin(at(61));
            poll.looked(Found::News, at(62));
            assert_eq!(poll.next(), Some(at(3656)), "and once");
        }
    }

    #[test]
    fn after_failures_looks_are_farther_apart_until_one_succeeds_or_somebody_asks() {
        let mut poll = Poll::new(at(30));
        let pause = |poll: &mut Poll, found| {
            poll.begin(at(1000));
            poll.looked(found, at(1000));
            poll.next().map(|next| (next - at(1000)).as_secs())
        };
        let pauses = [30, 60, 120, 240, 300, 300].map(Some);
        assert_eq!(pauses.map(|_| pause(&mut poll, Found::Failed)), pauses);
        poll.ask(at(1000));
        assert_eq!(poll.next(), Some(at(1001)), "whoever asks is heard");
        assert_eq!(pause(&mut poll, Found::News), Some(27));
        assert_eq!(pause(&mut poll, Found::Failed), Some(30));
        let mut seldom = Poll::new(at(3600));
        for _ in 0..100 {
            assert_eq!(pause(&mut seldom, Found::Failed), Some(3600));
        }
    }

    #[test]
    fn a_commit_waits_no_longer_than_the_pause_however_long_a_look_takes() {
        let mut poll = Poll::new(at(20));
        poll.begin(at(100));
        poll.looked(Found::Nothing, at(110));
        assert_eq!(poll.next(), Some(at(118)));
        poll.begin(at(118));
        poll.looked(Found::Nothing, at(150));
        assert_eq!(poll.next(), Some(at(150) + DISTANCE), "and servers have a rest");
    }

    #[test]
    fn looks_keep_a_distance_whoever_asks() {
        let mut poll = Poll::new(at(3600));
        poll.looked(Found::Nothing, at(5));
        for _ in 0..1000 {
            poll.ask(at(5));
        }
        assert_eq!(poll.next(), Some(at(5) + DISTANCE));
        let often: Vec<u64> = (0..60).collect();
        let looks = looks(&mut Poll::new(at(3600)), &often, 60);
        assert!(looks.len() <= 60, "{looks:?}");
    }
}
