//! Faults drawn from a seed.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use super::{Counts, Faults, Point, Spec};

/// A point strikes at most so often in a row, whatever its rate: clients give up after some attempts, and a run is to
/// converge.
const IN_A_ROW: u32 = 2;

/// Draws each point's strikes from a sequence of its own: what one point does shifts no other.
#[derive(Debug)]
pub struct Schedule {
    spec: Spec,
    draws: Mutex<BTreeMap<Point, Draws>>,
    counts: Counts,
    resting: AtomicBool,
}

#[derive(Debug)]
struct Draws {
    random: SplitMix,
    in_a_row: u32,
}

impl Schedule {
    /// The same seed and rates give the same strikes, in the order of the passages of each point.
    pub fn from_seed(seed: u64, spec: Spec) -> Self {
        // The points' names, not their places in the list: a new point leaves the old ones' sequences as they were.
        let draws = Point::ALL.map(|point| {
            let random = SplitMix(
                point
                    .name()
                    .bytes()
                    .fold(seed, |mixed, byte| SplitMix(mixed ^ u64::from(byte)).next()),
            );
            (point, Draws { random, in_a_row: 0 })
        });
        Self {
            spec,
            draws: Mutex::new(draws.into()),
            counts: Counts::default(),
            resting: AtomicBool::new(false),
        }
    }

    /// From now on nothing strikes; passages are still counted.
    pub fn rest(&self) {
        self.resting.store(true, Ordering::Relaxed);
    }

    /// Ends a rest: the sequences go on where they were.
    pub fn resume(&self) {
        self.resting.store(false, Ordering::Relaxed);
    }

    /// By point: how often it was passed, and how often it struck.
    pub fn counts(&self) -> BTreeMap<Point, (u64, u64)> {
        self.counts.snapshot()
    }

    fn draw(&self, point: Point) -> bool {
        let mut all = self.draws.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(draws) = all.get_mut(&point) else { return false };
        let strikes = draws.random.unit() < self.spec.rate(point) && draws.in_a_row < IN_A_ROW;
        draws.in_a_row = if strikes { draws.in_a_row + 1 } else { 0 };
        strikes
    }
}

impl Faults for Schedule {
    fn strikes(&self, point: Point) -> bool {
        let strikes = !self.resting.load(Ordering::Relaxed) && self.draw(point);
        self.counts.count(point, strikes);
        strikes
    }
}

/// Steele, Lea and Flood's SplitMix64: eight lines, and good enough to roll dice.
#[derive(Debug)]
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to 1, without 1.
    #[expect(clippy::cast_precision_loss, reason = "53 bits are what the type holds")]
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strikes(schedule: &Schedule, point: Point, passages: usize) -> Vec<bool> {
        (0..passages).map(|_| schedule.strikes(point)).collect()
    }

    #[test]
    fn a_seed_gives_the_same_strikes_each_time_and_another_seed_others() {
        let of = |seed| strikes(&Schedule::from_seed(seed, Spec::all(0.3)), Point::Unavailable, 200);
        assert_eq!(of(7), of(7));
        assert_ne!(of(7), of(8));
    }

    #[test]
    fn points_do_not_shift_each_other() {
        let alone = Schedule::from_seed(7, Spec::all(0.3));
        let beside = Schedule::from_seed(7, Spec::all(0.3));
        let mut seen = Vec::new();
        for _ in 0..200 {
            beside.strikes(Point::Slow);
            seen.push(beside.strikes(Point::Conflict));
        }
        assert_eq!(seen, strikes(&alone, Point::Conflict, 200));
        assert_ne!(seen, strikes(&alone, Point::Slow, 200));
    }

    #[test]
    fn the_rate_is_about_what_was_asked_for() {
        let schedule = Schedule::from_seed(1, "429=0.1".parse().unwrap());
        strikes(&schedule, Point::TooManyRequests, 10_000);
        strikes(&schedule, Point::Slow, 10_000);
        let counts = schedule.counts();
        let (passed, struck) = counts[&Point::TooManyRequests];
        assert_eq!(passed, 10_000);
        assert!((900..1_100).contains(&struck), "{struck}");
        assert_eq!(counts[&Point::Slow], (10_000, 0));
    }

    #[test]
    fn even_a_sure_fault_lets_one_through_now_and_then() {
        let schedule = Schedule::from_seed(1, Spec::all(1.0));
        assert_eq!(
            strikes(&schedule, Point::Unavailable, 6),
            [true, true, false, true, true, false]
        );
    }

    #[test]
    fn at_rest_nothing_strikes() {
        let schedule = Schedule::from_seed(1, Spec::all(1.0));
        schedule.rest();
        assert_eq!(strikes(&schedule, Point::Slow, 2), [false, false]);
        assert_eq!(schedule.counts()[&Point::Slow], (2, 0));
        schedule.resume();
        assert_eq!(strikes(&schedule, Point::Slow, 3), [true, true, false]);
    }
}
