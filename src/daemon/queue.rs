//! Which unit is looked at next, and when.
//!
//! Invariant: pure; time is what the caller says it is, measured from any fixed moment, and jitter comes from the unit's name.
//! A unit is under way at most once at a time; what is asked of it meanwhile is done after that.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use crate::resource::UnitId;

/// How often units are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// At the latest so long after the last look, whether anything was heard of the unit or not.
    pub resync: Duration,
    /// The pause after a first failure; doubled with each further one.
    pub first_retry: Duration,
    /// The longest pause after a failure.
    pub last_retry: Duration,
}

impl Default for Pace {
    /// Ten minutes; two seconds up to five minutes.
    fn default() -> Self {
        Self {
            resync: Duration::from_secs(600),
            first_retry: Duration::from_secs(2),
            last_retry: Duration::from_secs(300),
        }
    }
}

/// How a look at a unit ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// There is nothing to do until something changes.
    Rest,
    /// Something is under way that has to be looked at again soon: a delete, say, or a document that waits for another.
    Soon(Duration),
    /// It failed.
    Failed,
    /// It could not be looked at: a control plane is away, or refuses us.
    Unreached,
}

/// Whether a control plane is back is asked at least so often, whatever the pauses after other failures are: it costs one
/// request for many units, and somebody waits for it.
const LONGEST_UNREACHED: Duration = Duration::from_secs(60);

#[derive(Debug, Default)]
struct Slot {
    /// When it is to be looked at; none while it is under way and nothing more is asked.
    due: Option<Duration>,
    under_way: bool,
    /// Whether it is for others to look at.
    parked: bool,
    failures: u32,
}

/// How the queue stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Standing {
    /// Units that are due.
    pub(super) due: usize,
    /// How long the first of them has been.
    pub(super) oldest: Option<Duration>,
    /// Units that are being looked at.
    pub(super) under_way: usize,
}

/// The units that are looked after.
#[derive(Debug)]
pub(super) struct Queue {
    pace: Pace,
    slots: BTreeMap<UnitId, Slot>,
}

impl Queue {
    /// An empty queue.
    pub(super) fn new(pace: Pace) -> Self {
        Self {
            pace,
            slots: BTreeMap::new(),
        }
    }

    /// Makes these the units that are looked after: new ones are due at once, what is not among them is dropped.
    pub(super) fn keep(&mut self, units: &BTreeSet<UnitId>, now: Duration) {
        // One that is under way is needed for its end to be noted, and is dropped then.
        self.slots.retain(|unit, slot| {
            if !units.contains(unit) {
                slot.due = None;
            }
            units.contains(unit) || slot.under_way
        });
        for unit in units {
            if !self.slots.contains_key(unit) {
                let slot = Slot {
                    due: Some(now),
                    ..Slot::default()
                };
                self.slots.insert(unit.clone(), slot);
            }
        }
    }

    /// Makes these the units that are taken; the others wait. Those that waited are due at once.
    pub(super) fn only(&mut self, units: &BTreeSet<UnitId>, now: Duration) {
        for (unit, slot) in &mut self.slots {
            let parked = !units.contains(unit);
            if slot.parked && !parked {
                slot.failures = 0;
                slot.due = Some(now);
            }
            slot.parked = parked;
        }
    }

    /// Asks for a unit to be looked at now. One that failed keeps its pause: whoever makes a unit fail can't make it fail
    /// more often.
    pub(super) fn ask(&mut self, unit: &UnitId, now: Duration) {
        if let Some(slot) = self.slots.get_mut(unit)
            && slot.failures == 0
        {
            slot.due = Some(slot.due.map_or(now, |due| due.min(now)));
        }
    }

    /// Asks for a unit, whatever became of it before: its files have changed, or somebody wants it.
    pub(super) fn insist(&mut self, unit: &UnitId, now: Duration) {
        if let Some(slot) = self.slots.get_mut(unit) {
            slot.failures = 0;
            slot.due = Some(slot.due.map_or(now, |due| due.min(now)));
        }
    }

    /// Takes up to so many units that are due, those first that have waited longest. They are under way from then on. All are
    /// of the first one's sort; what has none is not taken now.
    pub(super) fn take<S: PartialEq>(
        &mut self,
        now: Duration,
        at_most: usize,
        sort: impl Fn(&UnitId) -> Option<S>,
    ) -> Vec<UnitId> {
        let mut due: Vec<(Duration, UnitId)> = self
            .slots
            .iter()
            .filter(|(_, slot)| !slot.under_way && !slot.parked)
            .filter_map(|(unit, slot)| Some((slot.due.filter(|due| *due <= now)?, unit.clone())))
            .collect();
        due.retain(|(_, unit)| sort(unit).is_some());
        due.sort();
        let first = due.first().and_then(|(_, unit)| sort(unit));
        due.retain(|(_, unit)| sort(unit) == first);
        due.truncate(at_most);
        for (_, unit) in &due {
            if let Some(slot) = self.slots.get_mut(unit) {
                slot.under_way = true;
                slot.due = None;
            }
        }
        due.into_iter().map(|(_, unit)| unit).collect()
    }

    /// Notes how the look at a unit ended.
    pub(super) fn end(&mut self, unit: &UnitId, end: End, now: Duration) {
        let pace = self.pace;
        let Some(slot) = self.slots.get_mut(unit) else { return };
        slot.under_way = false;
        slot.failures = match end {
            End::Failed | End::Unreached => slot.failures.saturating_add(1),
            End::Rest | End::Soon(_) => 0,
        };
        let pause = match end {
            End::Rest => jittered(pace.resync, unit, 0),
            End::Soon(pause) => pause.min(pace.resync),
            End::Failed | End::Unreached => {
                let doubled = pace
                    .first_retry
                    .saturating_mul(2_u32.saturating_pow(slot.failures.saturating_sub(1)));
                let longest = match end {
                    End::Unreached => pace.last_retry.min(LONGEST_UNREACHED),
                    _ => pace.last_retry,
                };
                jittered(doubled.min(longest), unit, slot.failures)
            }
        };
        // What was asked meanwhile is done at once, unless it failed.
        let next = match (end, slot.due) {
            (End::Rest | End::Soon(_), Some(asked)) => asked,
            _ => now + pause,
        };
        slot.due = Some(next);
    }

    /// How many units wait for their turn, and since when.
    pub(super) fn standing(&self, now: Duration) -> Standing {
        let waiting = self.slots.values().filter(|slot| !slot.under_way);
        let due: Vec<Duration> = waiting.filter_map(|slot| slot.due.filter(|due| *due <= now)).collect();
        Standing {
            due: due.len(),
            oldest: due.iter().min().map(|due| now.saturating_sub(*due)),
            under_way: self.slots.values().filter(|slot| slot.under_way).count(),
        }
    }

    /// When the next unit that has a sort is due; none where none is.
    pub(super) fn next<S>(&self, sort: impl Fn(&UnitId) -> Option<S>) -> Option<Duration> {
        let waiting = self.slots.iter().filter(|(_, slot)| !slot.under_way && !slot.parked);
        let due = waiting.filter_map(|(unit, slot)| Some((unit, slot.due?)));
        due.filter(|(unit, _)| sort(unit).is_some()).map(|(_, due)| due).min()
    }
}

/// Between 80 and 100 % of a pause, so that what began together does not stay together.
fn jittered(pause: Duration, unit: &UnitId, failures: u32) -> Duration {
    let mut hasher = DefaultHasher::new();
    (unit, failures).hash(&mut hasher);
    let percent = 80 + u32::try_from(hasher.finish() % 21).unwrap_or_default();
    pause * percent / 100
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::ClusterName;

    fn unit(name: &str) -> UnitId {
        UnitId::Cluster(ClusterName::new(name))
    }

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn queue(names: &[&str]) -> Queue {
        let mut queue = Queue::new(Pace::default());
        queue.keep(&names.iter().map(|name| unit(name)).collect(), at(0));
        queue
    }

    fn any(_: &UnitId) -> Option<()> {
        Some(())
    }

    #[test]
    fn what_could_not_be_reached_is_asked_for_once_a_minute_however_long_that_lasts() {
        let mut queue = Queue::new(Pace::default());
        queue.keep(&["a"].map(unit).into(), at(0));
        let mut now = at(0);
        for _ in 0..20 {
            assert_eq!(queue.take(now, 1, any).len(), 1);
            queue.end(&unit("a"), End::Unreached, now);
            let next = queue.next(any).unwrap();
            assert!(next - now <= LONGEST_UNREACHED, "{now:?} {next:?}");
            now = next;
        }
        assert!(now > at(600), "and no more often: {now:?}");
    }

    #[test]
    fn what_is_taken_together_is_of_one_sort_and_what_has_none_waits() {
        let mut queue = Queue::new(Pace::default());
        queue.keep(&["a", "b", "c", "d"].map(unit).into(), at(0));
        let sort = |of: &UnitId| match of.name() {
            "b" => Some(2),
            "c" => None,
            _ => Some(1),
        };
        assert_eq!(queue.take(at(1), 9, sort), [unit("a"), unit("d")]);
        assert_eq!(queue.next(sort), Some(at(0)));
        assert_eq!(queue.take(at(1), 9, sort), [unit("b")]);
        assert_eq!(queue.next(sort), None, "nothing that could be taken is due");
        assert_eq!(queue.take(at(1), 9, any), [unit("c")]);
    }

    #[test]
    fn those_that_have_waited_longest_come_first_and_none_is_under_way_twice() {
        let mut queue = queue(&["a", "b", "c"]);
        assert_eq!(queue.take(at(0), 2, any), [unit("a"), unit("b")]);
        queue.ask(&unit("a"), at(1));
        assert_eq!(queue.take(at(2), 9, any), [unit("c")], "a is under way still");
        queue.end(&unit("a"), End::Rest, at(3));
        assert_eq!(queue.take(at(3), 9, any), [unit("a")], "what was asked meanwhile");
    }

    #[test]
    fn failures_make_pauses_longer_and_nobody_but_a_change_of_files_shortens_them() {
        let mut queue = queue(&["a"]);
        let mut pauses = Vec::new();
        let mut now = at(0);
        for _ in 0..12 {
            assert_eq!(queue.take(now, 1, any).len(), 1);
            queue.end(&unit("a"), End::Failed, now);
            queue.ask(&unit("a"), now);
            let next = queue.next(any).unwrap();
            pauses.push(next - now);
            now = next;
        }
        assert!(
            pauses[0] >= Duration::from_millis(1600) && pauses[0] <= at(2),
            "{pauses:?}"
        );
        assert!(pauses[3] > pauses[0] * 4, "{pauses:?}");
        assert!(pauses.iter().all(|pause| *pause <= at(300)), "{pauses:?}");
        queue.insist(&unit("a"), now - at(1));
        assert_eq!(queue.take(now - at(1), 1, any), [unit("a")]);
    }

    #[test]
    fn what_left_is_dropped_and_what_came_is_due() {
        let mut queue = queue(&["a", "b"]);
        assert_eq!(queue.take(at(0), 1, any), [unit("a")]);
        queue.keep(&BTreeSet::from([unit("c")]), at(5));
        assert_eq!(queue.take(at(5), 9, any), [unit("c")]);
        queue.end(&unit("a"), End::Rest, at(6));
        queue.keep(&BTreeSet::from([unit("c")]), at(7));
        assert_eq!(queue.slots.len(), 1);
    }

    #[test]
    fn the_queue_says_who_waits_and_how_long() {
        let mut queue = queue(&["a", "b", "c"]);
        assert_eq!(queue.take(at(0), 1, any).len(), 1);
        let standing = Standing {
            due: 2,
            oldest: Some(at(9)),
            under_way: 1,
        };
        assert_eq!(queue.standing(at(9)), standing);
        queue.take(at(9), 9, any);
        assert_eq!((queue.standing(at(10)).due, queue.standing(at(10)).oldest), (0, None));
    }

    #[test]
    fn a_quiet_unit_is_looked_at_again_at_times_of_its_own() {
        let mut queue = queue(&["a", "b", "c", "d", "e", "f"]);
        for unit in queue.take(at(0), 9, any) {
            queue.end(&unit, End::Rest, at(0));
        }
        let due: BTreeSet<Duration> = queue.slots.values().filter_map(|slot| slot.due).collect();
        assert!(due.len() > 1, "not all at once");
        assert!(due.iter().all(|due| *due >= at(480) && *due <= at(600)), "{due:?}");
    }
}
