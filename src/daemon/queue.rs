//! Which unit is looked at next, and when.
//!
//! Invariant: pure; time is what the caller says it is, measured from any fixed moment, and jitter comes from the unit's name.
//! A unit is under way at most once at a time; what is asked of it meanwhile is done after that.
//!
//! What a look costs is mostly the same for one unit as for all: the inventories, say, come by one LIST. So what nobody waits
//! for, the first looks after a start and the regular ones, is done for as many units at once as there are, and what somebody
//! waits for in small batches, of which none holds the others up.

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
    /// Whether nobody waits for that.
    routine: bool,
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

impl Slot {
    fn ask(&mut self, now: Duration) {
        self.due = Some(self.due.map_or(now, |due| due.min(now)));
        self.routine = false;
    }
}

/// How many units are taken at once.
#[derive(Clone, Copy, Debug)]
pub(super) struct AtMost {
    /// Of those that somebody waits for.
    pub(super) waited_for: usize,
    /// Of those that nobody waits for.
    pub(super) routine: usize,
}

/// Regular looks are spread over the last fifth of their pause.
const SPREAD: u32 = 5;

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
                    routine: true,
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
                slot.routine = true;
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
            slot.ask(now);
        }
    }

    /// Asks for a unit, whatever became of it before: its files have changed, or somebody wants it.
    pub(super) fn insist(&mut self, unit: &UnitId, now: Duration) {
        if let Some(slot) = self.slots.get_mut(unit) {
            slot.failures = 0;
            slot.ask(now);
        }
    }

    /// Has those that failed looked at now: what they may have failed for is another now.
    pub(super) fn retry(&mut self, now: Duration) {
        for slot in self.slots.values_mut().filter(|slot| slot.failures > 0) {
            slot.failures = 0;
            slot.ask(now);
        }
    }

    /// Takes units that are due, those first that have waited longest; they are under way from then on. Somebody waits for all of
    /// them, or for none. All are of the first one's sort; what has none is not taken now.
    pub(super) fn take<S: PartialEq>(
        &mut self,
        now: Duration,
        at_most: AtMost,
        sort: impl Fn(&UnitId) -> Option<S>,
    ) -> Vec<UnitId> {
        // A regular look that has waited for so long has its turn among the others.
        let patience = self.pace.resync / SPREAD;
        let is_routine = |slot: &Slot, due: Duration| slot.routine && now < due + patience;
        let waited_for = |slot: &Slot, due: Duration| due <= now && !is_routine(slot, due);
        let mut units = self.due(at_most.waited_for, waited_for, &sort);
        if units.is_empty() && self.next(&sort).is_some_and(|next| next <= now) {
            // Those come along whose own look would be soon.
            units = self.due(
                at_most.routine,
                |slot, due| slot.routine && due <= now + patience,
                &sort,
            );
        }
        for unit in &units {
            if let Some(slot) = self.slots.get_mut(unit) {
                slot.under_way = true;
                slot.due = None;
            }
        }
        units
    }

    /// Up to so many of some units, the longest due first, all of the first one's sort.
    fn due<S: PartialEq>(
        &self,
        at_most: usize,
        is_meant: impl Fn(&Slot, Duration) -> bool,
        sort: impl Fn(&UnitId) -> Option<S>,
    ) -> Vec<UnitId> {
        let waiting = self.slots.iter().filter(|(_, slot)| !slot.under_way && !slot.parked);
        let mut due: Vec<(Duration, &UnitId, S)> = waiting
            .filter_map(|(unit, slot)| Some((slot.due.filter(|due| is_meant(slot, *due))?, unit, sort(unit)?)))
            .collect();
        due.sort_by_key(|(due, unit, _)| (*due, *unit));
        let mut due = due.into_iter();
        let Some((_, unit, first)) = due.next().filter(|_| at_most > 0) else {
            return Vec::new();
        };
        let others = due.filter(|(.., sort)| *sort == first).map(|(_, unit, _)| unit);
        std::iter::once(unit).chain(others).take(at_most).cloned().collect()
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
        slot.routine = end == End::Rest && slot.due.is_none();
        slot.due = Some(next);
    }

    /// How many units wait for their turn, and since when. Those of others wait for nothing here.
    pub(super) fn standing(&self, now: Duration) -> Standing {
        let waiting = self.slots.values().filter(|slot| !slot.under_way && !slot.parked);
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
    let spread = 100 / SPREAD;
    let percent = 100 - spread + u32::try_from(hasher.finish() % u64::from(spread + 1)).unwrap_or_default();
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

    const fn at_most(count: usize) -> AtMost {
        AtMost {
            waited_for: count,
            routine: count,
        }
    }

    fn take(queue: &mut Queue, now: Duration, count: usize) -> Vec<UnitId> {
        queue.take(now, at_most(count), any)
    }

    #[test]
    fn what_could_not_be_reached_is_asked_for_once_a_minute_however_long_that_lasts() {
        let mut queue = Queue::new(Pace::default());
        queue.keep(&["a"].map(unit).into(), at(0));
        let mut now = at(0);
        for _ in 0..20 {
            assert_eq!(take(&mut queue, now, 1).len(), 1);
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
        assert_eq!(queue.take(at(1), at_most(9), sort), [unit("a"), unit("d")]);
        assert_eq!(queue.next(sort), Some(at(0)));
        assert_eq!(queue.take(at(1), at_most(9), sort), [unit("b")]);
        assert_eq!(queue.next(sort), None, "nothing that could be taken is due");
        assert_eq!(take(&mut queue, at(1), 9), [unit("c")]);
    }

    #[test]
    fn those_that_have_waited_longest_come_first_and_none_is_under_way_twice() {
        let mut queue = queue(&["a", "b", "c"]);
        assert_eq!(take(&mut queue, at(0), 2), [unit("a"), unit("b")]);
        queue.ask(&unit("a"), at(1));
        assert_eq!(take(&mut queue, at(2), 9), [unit("c")], "a is under way still");
        queue.end(&unit("a"), End::Rest, at(3));
        assert_eq!(take(&mut queue, at(3), 9), [unit("a")], "what was asked meanwhile");
    }

    #[test]
    fn failures_make_pauses_longer_and_nobody_but_a_change_of_files_shortens_them() {
        let mut queue = queue(&["a"]);
        let mut pauses = Vec::new();
        let mut now = at(0);
        for _ in 0..12 {
            assert_eq!(take(&mut queue, now, 1).len(), 1);
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
        assert_eq!(take(&mut queue, now - at(1), 1), [unit("a")]);
    }

    #[test]
    fn what_left_is_dropped_and_what_came_is_due() {
        let mut queue = queue(&["a", "b"]);
        assert_eq!(take(&mut queue, at(0), 1), [unit("a")]);
        queue.keep(&BTreeSet::from([unit("c")]), at(5));
        assert_eq!(take(&mut queue, at(5), 9), [unit("c")]);
        queue.end(&unit("a"), End::Rest, at(6));
        queue.keep(&BTreeSet::from([unit("c")]), at(7));
        assert_eq!(queue.slots.len(), 1);
    }

    #[test]
    fn the_queue_says_who_waits_and_how_long() {
        let mut queue = queue(&["a", "b", "c"]);
        assert_eq!(take(&mut queue, at(0), 1).len(), 1);
        let standing = Standing {
            due: 2,
            oldest: Some(at(9)),
            under_way: 1,
        };
        assert_eq!(queue.standing(at(9)), standing);
        take(&mut queue, at(9), 9);
        assert_eq!((queue.standing(at(10)).due, queue.standing(at(10)).oldest), (0, None));
    }

    #[test]
    fn what_others_look_at_waits_for_nothing_here() {
        let mut queue = queue(&["a", "b"]);
        queue.only(&BTreeSet::from([unit("a")]), at(0));
        assert_eq!(queue.standing(at(9)).due, 1);
        queue.only(&BTreeSet::new(), at(9));
        assert_eq!((queue.standing(at(900)).due, queue.standing(at(900)).oldest), (0, None));
    }

    #[test]
    fn what_nobody_waits_for_is_done_at_once_and_after_what_somebody_waits_for() {
        const AT_MOST: AtMost = AtMost {
            waited_for: 2,
            routine: 100,
        };
        let mut queue = queue(&["a", "b", "c", "d", "e", "f"]);
        for name in ["d", "e", "f"] {
            queue.insist(&unit(name), at(0));
        }
        assert_eq!(queue.take(at(0), AT_MOST, any), [unit("d"), unit("e")]);
        assert_eq!(queue.take(at(0), AT_MOST, any), [unit("f")]);
        assert_eq!(queue.take(at(0), AT_MOST, any), [unit("a"), unit("b"), unit("c")]);
        let end = |queue: &mut Queue, ends: &[(&str, End)]| {
            ends.iter().for_each(|(name, how)| queue.end(&unit(name), *how, at(0)));
        };
        end(&mut queue, &[("a", End::Rest), ("b", End::Rest), ("c", End::Failed)]);
        end(
            &mut queue,
            &[("d", End::Rest), ("e", End::Soon(at(1))), ("f", End::Rest)],
        );
        assert_eq!(
            queue.take(at(2), AT_MOST, any),
            [unit("e"), unit("c")],
            "looked at again"
        );
        assert_eq!(queue.take(at(470), AT_MOST, any), [], "nothing is due yet");
        // With the first regular look come those of all who rest.
        let first = queue.next(any).unwrap();
        assert_eq!(queue.take(first, AT_MOST, any).len(), 4);
    }

    #[test]
    fn a_regular_look_does_not_wait_for_ever_behind_what_somebody_waits_for() {
        const ONE: AtMost = AtMost {
            waited_for: 1,
            routine: 100,
        };
        let mut queue = queue(&["a", "b"]);
        for second in 0..120 {
            queue.insist(&unit("b"), at(second));
            assert_eq!(queue.take(at(second), ONE, any), [unit("b")]);
            queue.end(&unit("b"), End::Soon(Duration::ZERO), at(second));
        }
        queue.insist(&unit("b"), at(120));
        assert_eq!(queue.take(at(120), ONE, any), [unit("a")]);
    }

    #[test]
    fn a_quiet_unit_is_looked_at_again_at_times_of_its_own() {
        let mut queue = queue(&["a", "b", "c", "d", "e", "f"]);
        for unit in take(&mut queue, at(0), 9) {
            queue.end(&unit, End::Rest, at(0));
        }
        let due: BTreeSet<Duration> = queue.slots.values().filter_map(|slot| slot.due).collect();
        assert!(due.len() > 1, "not all at once");
        assert!(due.iter().all(|due| *due >= at(480) && *due <= at(600)), "{due:?}");
    }
}
