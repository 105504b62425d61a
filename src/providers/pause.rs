//! How long to wait before another attempt: what the providers and the code hosts have in common.
//!
//! Invariant: no pause is longer than a day, whatever a server asks for; the time comes from the caller, and so does the
//! seed of what is left to chance.

use std::hash::{BuildHasher as _, Hasher as _};
use std::time::Duration;

use jiff::Timestamp;

/// Beyond this a time to wait means never; and times this far off can be reckoned with.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// `Retry-After`: seconds, or a date.
pub(crate) fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<u64>() {
        return Some(Duration::from_secs(seconds).min(LONGEST));
    }
    // A time that has passed is no time to wait.
    let until = parse_http_date(value)?;
    let left = Duration::try_from(until.duration_since(now)).unwrap_or(Duration::ZERO);
    Some(left.min(LONGEST))
}

/// A time as HTTP writes it.
pub(crate) fn parse_http_date(value: &str) -> Option<Timestamp> {
    jiff::fmt::rfc2822::parse(value).ok().map(|zoned| zoned.timestamp())
}

/// Randomness from a seed: to spread what would come at once, never for secrets.
#[derive(Debug)]
pub(crate) struct Jitter(u64);

impl Jitter {
    /// From a seed; without one, a different one each time.
    pub(crate) fn new(seed: impl Into<Option<u64>>) -> Self {
        let chance = || std::hash::RandomState::new().build_hasher().finish();
        Self(seed.into().unwrap_or_else(chance))
    }

    /// The next number (splitmix64).
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A share of this.
    pub(crate) fn below(&mut self, limit: Duration) -> Duration {
        #[expect(clippy::cast_precision_loss, reason = "32 bits are exact in an f64")]
        let share = (self.next() >> 32) as f64 / f64::from(u32::MAX);
        limit.mul_f64(share)
    }

    /// Twice as long after each attempt, half of it by chance.
    pub(crate) fn backoff(&mut self, first: Duration, longest: Duration, attempts: u32) -> Duration {
        let doubled = first.saturating_mul(2_u32.saturating_pow(attempts.saturating_sub(1)));
        let half = doubled.min(longest) / 2;
        half + self.below(half)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_pauses_each_time_and_another_seed_others() {
        let draw = |seed| {
            let mut jitter = Jitter::new(seed);
            [(); 5].map(|()| jitter.next())
        };
        assert_eq!(draw(5), draw(5));
        assert_ne!(draw(5), draw(6));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now: Timestamp = "2026-05-04T03:02:01Z".parse().unwrap();
        assert_eq!(retry_after(" 12", now), Some(Duration::from_secs(12)));
        assert_eq!(
            retry_after("Mon, 04 May 2026 03:03:01 GMT", now),
            Some(Duration::from_secs(60))
        );
        assert_eq!(retry_after("Mon, 04 May 2026 03:00:00 GMT", now), Some(Duration::ZERO));
        assert_eq!(retry_after("soon", now), None);
        assert_eq!(retry_after("-5", now), None);
    }

    #[test]
    fn no_server_can_ask_for_more_than_a_day() {
        let now: Timestamp = "2026-05-04T03:02:01Z".parse().unwrap();
        for asked in ["18446744073709551615", "Sat, 04 May 2030 03:03:01 GMT"] {
            assert_eq!(retry_after(asked, now), Some(LONGEST), "{asked}");
        }
    }
}
