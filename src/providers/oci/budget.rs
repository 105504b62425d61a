//! How many calls a tenancy and region are asked for: a token bucket each.
//!
//! Invariant: callers are let through in the order in which they came, and a caller that goes away while it waits gives its
//! token back. Time is tokio's.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How fast calls are let through.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// Calls a second in the long run.
    pub per_second: f64,
    /// Calls that may come at once after a pause.
    pub burst: u32,
}

impl Default for Rate {
    /// OCI publishes no limits; this is well below what its services are seen to bear.
    fn default() -> Self {
        Self {
            per_second: 10.0,
            burst: 20,
        }
    }
}

/// Whose budget a call is on: the tenancy, as far as it is known, and the region.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Purse {
    /// OCID of the tenancy; empty where the credentials don't say.
    pub tenancy: String,
    /// Region id.
    pub region: String,
}

#[derive(Debug)]
struct Bucket {
    /// Below zero where callers wait.
    tokens: f64,
    at: Instant,
}

/// The buckets.
#[derive(Debug)]
pub struct Budget {
    rate: Rate,
    buckets: Mutex<BTreeMap<Purse, Bucket>>,
}

impl Budget {
    /// Full buckets.
    pub fn new(rate: Rate) -> Self {
        let sane = rate.per_second.is_finite() && rate.per_second > 0.0;
        let rate = Rate {
            per_second: if sane {
                rate.per_second
            } else {
                Rate::default().per_second
            },
            burst: rate.burst.max(1),
        };
        Self {
            rate,
            buckets: Mutex::new(BTreeMap::new()),
        }
    }

    /// Waits for a token, and says how long that took.
    pub(super) async fn take(&self, purse: &Purse) -> Duration {
        let wait = self.draw(purse);
        if wait.is_zero() {
            return wait;
        }
        let mut waiting = Waiting {
            budget: self,
            purse,
            served: false,
        };
        tokio::time::sleep(wait).await;
        waiting.served = true;
        wait
    }

    /// Whole tokens left, by purse.
    pub fn left(&self) -> BTreeMap<Purse, u32> {
        let mut buckets = self.lock();
        buckets
            .iter_mut()
            .map(|(purse, bucket)| {
                self.refill(bucket);
                // A whole number between zero and the burst.
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "bounded by the burst"
                )]
                let left = bucket.tokens.max(0.0).floor() as u32;
                (purse.clone(), left)
            })
            .collect()
    }

    fn draw(&self, purse: &Purse) -> Duration {
        let mut buckets = self.lock();
        let full = f64::from(self.rate.burst);
        let bucket = match buckets.get_mut(purse) {
            Some(bucket) => bucket,
            None => buckets.entry(purse.clone()).or_insert_with(|| Bucket {
                tokens: full,
                at: Instant::now(),
            }),
        };
        self.refill(bucket);
        bucket.tokens -= 1.0;
        if bucket.tokens >= 0.0 {
            return Duration::ZERO;
        }
        // Years, where nobody would wait so long: a sum that does not overflow.
        let seconds = (-bucket.tokens / self.rate.per_second).min(1e8);
        Duration::from_secs_f64(seconds)
    }

    fn refill(&self, bucket: &mut Bucket) {
        let now = Instant::now();
        let gained = now.duration_since(bucket.at).as_secs_f64() * self.rate.per_second;
        bucket.tokens = (bucket.tokens + gained).min(f64::from(self.rate.burst));
        bucket.at = now;
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Purse, Bucket>> {
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Waiting<'a> {
    budget: &'a Budget,
    purse: &'a Purse,
    served: bool,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if !self.served
            && let Some(bucket) = self.budget.lock().get_mut(self.purse)
        {
            bucket.tokens += 1.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn purse(region: &str) -> Purse {
        Purse {
            tenancy: "t".to_owned(),
            region: region.to_owned(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn lets_a_burst_through_and_then_keeps_the_rate() {
        let budget = Budget::new(Rate {
            per_second: 10.0,
            burst: 20,
        });
        let begun = Instant::now();
        for _ in 0..20 {
            assert_eq!(budget.take(&purse("a")).await, Duration::ZERO);
        }
        assert_eq!(budget.left(), BTreeMap::from([(purse("a"), 0)]));
        for _ in 0..30 {
            budget.take(&purse("a")).await;
        }
        let passed = begun.elapsed().as_secs_f64();
        assert!((2.9..3.2).contains(&passed), "30 calls past the burst took {passed} s");
    }

    #[tokio::test(start_paused = true)]
    async fn regions_do_not_share() {
        let budget = Budget::new(Rate {
            per_second: 1.0,
            burst: 1,
        });
        assert_eq!(budget.take(&purse("a")).await, Duration::ZERO);
        assert_eq!(budget.take(&purse("b")).await, Duration::ZERO);
        assert!(budget.take(&purse("a")).await > Duration::from_millis(900));
    }

    #[tokio::test(start_paused = true)]
    async fn who_goes_away_gives_the_token_back() {
        let budget = Budget::new(Rate {
            per_second: 1.0,
            burst: 1,
        });
        budget.take(&purse("a")).await;
        for _ in 0..50 {
            let given_up = tokio::time::timeout(Duration::from_millis(1), budget.take(&purse("a"))).await;
            assert!(given_up.is_err());
        }
        assert!(budget.take(&purse("a")).await <= Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_rate_of_nothing_is_not_forever() {
        let budget = Budget::new(Rate {
            per_second: 0.0,
            burst: 0,
        });
        budget.take(&purse("a")).await;
        assert!(budget.take(&purse("a")).await < Duration::from_secs(1));
    }
}
