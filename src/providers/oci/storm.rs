//! Tenancies and regions that refuse calls by 429 although they were given time.
//!
//! Invariant: one that a call has waited for in vain is waited for by no other, until some call comes through: a look makes
//! hundreds of calls, one after the other, and has to come to its end to say what is wrong.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::budget::Purse;

/// Attempts of a call during a storm.
const ATTEMPTS: u32 = 2;

/// Those that do.
#[derive(Debug, Default)]
pub(super) struct Storms(Mutex<BTreeSet<Purse>>);

impl Storms {
    fn all(&self) -> MutexGuard<'_, BTreeSet<Purse>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A call was refused to its last attempt.
    pub(super) fn begin(&self, purse: &Purse) {
        if self.all().insert(purse.clone()) {
            let Purse { tenancy, region } = purse;
            tracing::warn!(
                tenancy,
                region,
                "OCI refuses calls as too many; they are given up soon until one comes through"
            );
        }
    }

    /// A call came through.
    pub(super) fn end(&self, purse: &Purse) {
        if self.all().remove(purse) {
            let Purse { tenancy, region } = purse;
            tracing::info!(tenancy, region, "OCI takes calls again");
        }
    }

    /// Whether a call that was refused so many times is worth another attempt.
    pub(super) fn allow(&self, purse: &Purse, attempts: u32) -> bool {
        attempts < ATTEMPTS || !self.all().contains(purse)
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
        storms.begin(&purse("r"));
        assert!(storms.allow(&purse("r"), 1) && !storms.allow(&purse("r"), ATTEMPTS));
        assert!(storms.allow(&purse("s"), 7), "another region");
        storms.end(&purse("r"));
        assert!(storms.allow(&purse("r"), 7));
    }
}
