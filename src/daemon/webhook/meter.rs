//! How many webhooks are taken in, and from whom.
//!
//! Invariant: pure; time is what the caller says it is, measured from any fixed moment. What is remembered is bounded, however
//! many peers there are, and a peer that proves nothing uses up its share much sooner than one that does.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

/// Peers that are told apart; all others share what one of them has.
const PEERS: usize = 1024;

/// Requests a second, and at once.
#[derive(Clone, Copy)]
struct Rate {
    per_second: f64,
    burst: f64,
}

/// Everybody together: what a tenth of a core checks.
const ALL: Rate = Rate {
    per_second: 50.0,
    burst: 200.0,
};
/// One peer: a Git server that sends the pushes of a whole organisation stays below it.
const EACH: Rate = Rate {
    per_second: 5.0,
    burst: 60.0,
};
/// Requests that a bad signature counts as, besides itself.
const PENALTY: f64 = 19.0;

#[derive(Clone, Copy)]
struct Bucket {
    tokens: f64,
    at: Duration,
}

impl Bucket {
    fn full(rate: Rate, now: Duration) -> Self {
        Self {
            tokens: rate.burst,
            at: now,
        }
    }

    fn refill(&mut self, rate: Rate, now: Duration) {
        let gained = now.saturating_sub(self.at).as_secs_f64() * rate.per_second;
        self.tokens = (self.tokens + gained).min(rate.burst);
        self.at = self.at.max(now);
    }

    /// How long until there is a whole token.
    fn wait(&self, rate: Rate) -> Duration {
        Duration::from_secs_f64(((1.0 - self.tokens) / rate.per_second).max(0.0))
    }
}

/// The buckets.
#[derive(Default)]
pub(super) struct Meter {
    all: Option<Bucket>,
    peers: BTreeMap<Key, Bucket>,
}

/// A peer; none for those that are not told apart. A host has a whole /64 of IPv6 addresses.
type Key = Option<[u8; 8]>;

fn key(peer: Option<IpAddr>) -> Key {
    match peer?.to_canonical() {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            Some([a, b, c, d, 0, 0, 0, 4])
        }
        IpAddr::V6(address) => address.octets().first_chunk().copied(),
    }
}

impl Meter {
    /// Lets a request of a peer through, or says how long the peer has to wait.
    pub(super) fn admit(&mut self, peer: Option<IpAddr>, now: Duration) -> Result<(), Duration> {
        let mut all = self.all.unwrap_or_else(|| Bucket::full(ALL, now));
        all.refill(ALL, now);
        let bucket = self.bucket(peer, now);
        if bucket.tokens < 1.0 {
            return Err(bucket.wait(EACH));
        }
        if all.tokens < 1.0 {
            self.all = Some(all);
            return Err(all.wait(ALL));
        }
        bucket.tokens -= 1.0;
        all.tokens -= 1.0;
        self.all = Some(all);
        Ok(())
    }

    /// Notes that a peer's request proved nothing.
    pub(super) fn punish(&mut self, peer: Option<IpAddr>, now: Duration) {
        let bucket = self.bucket(peer, now);
        bucket.tokens = (bucket.tokens - PENALTY).max(-EACH.burst);
    }

    fn bucket(&mut self, peer: Option<IpAddr>, now: Duration) -> &mut Bucket {
        let mut key = key(peer);
        if !self.peers.contains_key(&key) && self.peers.len() >= PEERS {
            // Who has been quiet long enough to have a full bucket is as good as unknown.
            self.peers.retain(|_, bucket| {
                bucket.refill(EACH, now);
                bucket.tokens < EACH.burst
            });
            if self.peers.len() >= PEERS {
                key = None;
            }
        }
        let bucket = self.peers.entry(key).or_insert_with(|| Bucket::full(EACH, now));
        bucket.refill(EACH, now);
        bucket
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(n: u32) -> Option<IpAddr> {
        Some(IpAddr::from(n.to_be_bytes()))
    }

    fn admitted(meter: &mut Meter, peer: Option<IpAddr>, tries: usize, now: Duration) -> usize {
        (0..tries).filter(|_| meter.admit(peer, now).is_ok()).count()
    }

    #[test]
    fn a_burst_passes_and_then_the_rate() {
        let mut meter = Meter::default();
        assert_eq!(admitted(&mut meter, peer(1), 1000, Duration::ZERO), 60);
        let wait = meter.admit(peer(1), Duration::ZERO).unwrap_err();
        assert!(wait > Duration::ZERO && wait <= Duration::from_millis(200), "{wait:?}");
        assert!(meter.admit(peer(1), wait).is_ok());
        assert_eq!(admitted(&mut meter, peer(1), 1000, Duration::from_secs(10)), 50 - 1);
        // Others are not held up by it.
        assert_eq!(admitted(&mut meter, peer(2), 10, Duration::from_secs(10)), 10);
    }

    #[test]
    fn who_proves_nothing_is_heard_seldom() {
        let mut meter = Meter::default();
        let mut checked = 0;
        for millisecond in 0..60_000 {
            let now = Duration::from_millis(millisecond);
            if meter.admit(peer(1), now).is_ok() {
                checked += 1;
                meter.punish(peer(1), now);
            }
        }
        assert!((15..=20).contains(&checked), "{checked} in a minute");
    }

    #[test]
    fn a_host_of_ipv6_is_one_peer_and_all_together_have_a_bound() {
        let mut meter = Meter::default();
        let of_host = |n: u128| Some(IpAddr::from((0x2001_0db8_u128 << 96 | n).to_be_bytes()));
        let passed = (0..1000)
            .filter(|n| meter.admit(of_host(*n), Duration::ZERO).is_ok())
            .count();
        assert_eq!(passed, 60);
        let mut meter = Meter::default();
        let passed = (0..100_000)
            .filter(|n| meter.admit(peer(*n), Duration::ZERO).is_ok())
            .count();
        assert_eq!(passed, 200);
        assert!(meter.peers.len() <= PEERS + 1, "{}", meter.peers.len());
    }
}
