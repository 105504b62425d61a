//! Tenancies and regions that refuse calls by 429, fail or don't answer reads, although they were given time.
//!
//! Invariant: one that a call has waited for in vain is waited for by no other, until some call comes through: a look makes
//! hundreds of calls, one after the other, and has to come to its end to say what is wrong. One that is silent is asked again all
//! the same, now and then.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::budget::Purse;

/// Attempts of a call during a storm.
const ATTEMPTS: u32 = 2;

/// How long nobody asks one that was silent: a look goes through all its kinds in that time, and says that they are not known.
const SILENCE: Duration = Duration::from_secs(20);

/// Why a call is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plight {
    /// It was refused as one too many.
    TooMany,
    /// Nobody answered, or nobody who could, which takes as long as somebody waits.
    Silence,
}

/// It was not asked.
#[derive(Debug, thiserror::Error)]
#[error("{region} was not asked: it did not answer moments ago")]
pub(super) struct NotAsked {
    pub(super) region: String,
}

/// Those that do.
#[derive(Debug, Default)]
pub(super) struct Storms(Mutex<BTreeMap<Purse, (Plight, Instant)>>);

impl Storms {
    fn all(&self) -> MutexGuard<'_, BTreeMap<Purse, (Plight, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A call came to nothing to its last attempt.
    pub(super) fn begin(&self, purse: &Purse, plight: Plight) {
        if self.all().insert(purse.clone(), (plight, Instant::now())).is_none() {
            let Purse { tenancy, region } = purse;
            let what = match plight {
                Plight::TooMany => "OCI refuses calls as too many",
                Plight::Silence => "OCI does not answer",
            };
            tracing::warn!(
                tenancy,
                region,
                "{what}; calls are given up soon until one comes through"
            );
        }
    }

    /// A call came through.
    pub(super) fn end(&self, purse: &Purse) {
        if self.all().remove(purse).is_some() {
            let Purse { tenancy, region } = purse;
            tracing::info!(tenancy, region, "OCI takes calls again");
        }
    }

    /// Whether a call that came to nothing so many times is worth another attempt.
    pub(super) fn allow(&self, purse: &Purse, attempts: u32) -> bool {
        attempts < ATTEMPTS || !self.all().contains_key(purse)
    }

    /// Whether there is no use in asking now.
    pub(super) fn is_silent(&self, purse: &Purse) -> bool {
        let known = self.all().get(purse).copied();
        known.is_some_and(|(plight, since)| plight == Plight::Silence && since.elapsed() < SILENCE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_waited_for_in_vain_is_given_up_soon_until_a_call_comes_through() {
        let purse = |region: &str| Purse {
            tenancy: "t".to_owned(),
            region: region.to_owned(),
        };
        let storms = Storms::default();
        assert!(storms.allow(&purse("r"), 7));
        storms.begin(&purse("r"), Plight::TooMany);
        assert!(storms.allow(&purse("r"), 1) && !storms.allow(&purse("r"), ATTEMPTS));
        assert!(!storms.is_silent(&purse("r")));
        assert!(storms.allow(&purse("s"), 7), "another region");
        storms.end(&purse("r"));
        assert!(storms.allow(&purse("r"), 7));
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_is_silent_is_asked_again_after_a_while() {
        let purse = Purse {
            tenancy: "t".to_owned(),
            region: "r".to_owned(),
        };
        let storms = Storms::default();
        storms.begin(&purse, Plight::Silence);
        assert!(storms.is_silent(&purse));
        tokio::time::advance(SILENCE).await;
        assert!(!storms.is_silent(&purse));
    }
}
