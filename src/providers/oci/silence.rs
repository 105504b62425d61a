//! Services that don't answer reads, or fail at all of them, although they were given time.
//!
//! Invariant: what one call has waited for in vain is tried once by the next, and where that comes to nothing too, nobody asks for a
//! while: a look makes hundreds of calls, one after the other, and has to come to its end to say what is not known. A call that comes
//! through ends it, so that one resource that can't be read keeps nobody from the others.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::api::Service;
use super::budget::Purse;
use super::error::OciError;

/// How long nobody asks: a look goes through all its kinds in that time.
const PAUSE: Duration = Duration::from_secs(20);

/// It was not asked.
#[derive(Debug, thiserror::Error)]
#[error("{0} was not asked: it did not answer moments ago")]
pub(super) struct NotAsked(pub(super) String);

/// A service of a tenancy in a region.
pub(super) type Asked = (Purse, Service);

/// Those that are silent.
#[derive(Debug, Default)]
pub(super) struct Silences(Mutex<BTreeMap<Asked, Silence>>);

#[derive(Clone, Copy, Debug)]
struct Silence {
    since: Instant,
    /// Whether more than one call has met it.
    is_certain: bool,
}

/// Whether a read that ends so was not answered by whoever could.
pub(super) fn is_silence(error: &OciError) -> bool {
    matches!(error, OciError::Transport { .. }) || matches!(error.status(), Some(500 | 502..=504))
}

impl Silences {
    fn all(&self) -> MutexGuard<'_, BTreeMap<Asked, Silence>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A read came to nothing to its last attempt.
    pub(super) fn begin(&self, asked: &Asked) {
        let (since, mut all) = (Instant::now(), self.all());
        let is_certain = all.contains_key(asked);
        if !is_certain {
            let (Purse { tenancy, region }, service) = asked;
            let service = service.name();
            tracing::warn!(
                tenancy,
                region,
                service,
                "OCI does not answer; calls are given up soon until one comes through"
            );
        }
        all.insert(asked.clone(), Silence { since, is_certain });
    }

    /// A call came through.
    pub(super) fn end(&self, asked: &Asked) {
        if self.all().remove(asked).is_some() {
            let (Purse { tenancy, region }, service) = asked;
            tracing::info!(tenancy, region, service = service.name(), "OCI answers again");
        }
    }

    /// Whether a read that came to nothing is worth another attempt.
    pub(super) fn allow(&self, asked: &Asked) -> bool {
        !self.all().contains_key(asked)
    }

    /// Whether there is no use in asking now.
    pub(super) fn is_certain(&self, asked: &Asked) -> bool {
        let known = self.all().get(asked).copied();
        known.is_some_and(|silence| silence.is_certain && silence.since.elapsed() < PAUSE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn two_calls_are_certain_one_alone_is_not_and_after_a_while_it_is_asked_again() {
        let asked = |service| {
            let purse = Purse {
                tenancy: "t".to_owned(),
                region: "r".to_owned(),
            };
            (purse, service)
        };
        let (core, silences) = (asked(Service::Core), Silences::default());
        assert!(silences.allow(&core));
        silences.begin(&core);
        assert!(!silences.allow(&core) && !silences.is_certain(&core));
        silences.begin(&core);
        assert!(silences.is_certain(&core));
        let other = asked(Service::Dns);
        assert!(
            silences.allow(&other) && !silences.is_certain(&other),
            "another service"
        );
        tokio::time::advance(PAUSE).await;
        assert!(!silences.is_certain(&core) && !silences.allow(&core));
        silences.end(&core);
        assert!(silences.allow(&core));
    }
}
