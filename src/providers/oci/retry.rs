//! Which failures are worth another attempt, and when.
//!
//! Invariant: pure but for the jitter it is given. A call that may have been carried out is made again only where a second
//! time does no harm: it is idempotent, or bears a retry token.

use std::time::Duration;

use http::Method;

use super::api::Call;
use super::error::OciError;
use crate::providers::fence::Fenced;
use crate::providers::pause::Jitter;

/// How patient a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patience {
    /// What the call names is settled: not being found is an answer.
    Settled,
    /// What the call names was made moments ago, and may not be seen everywhere yet.
    Fresh,
}

/// Limits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Policy {
    /// Attempts of a call in all.
    pub(super) attempts: u32,
}

/// How often a call was tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tries {
    /// Attempts in all.
    pub(super) attempts: u32,
    /// Those of them that a state or a lock forbade.
    pub(super) conflicts: u32,
}

impl Tries {
    /// Counts one that failed.
    pub(super) fn failed(&mut self, error: &OciError) {
        self.conflicts += u32::from(is_held(error));
    }
}

/// Attempts at a call that a state or a lock forbids: what holds it may not pass by itself, and who asked waits for it better
/// than a transport can.
const CONFLICT_ATTEMPTS: u32 = 4;

const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// OCI's services agree with each other within about four minutes: nine attempts at these pauses.
const FIRST_FRESH_PAUSE: Duration = Duration::from_millis(3_500);
const LONGEST_FRESH_PAUSE: Duration = Duration::from_secs(45);
const FRESH_ATTEMPTS: u32 = 9;
pub(super) const FRESH_WINDOW: Duration = Duration::from_secs(4 * 60);

impl Policy {
    /// How long to wait before the next attempt; none where there is none.
    pub(super) fn pause(
        self,
        call: &Call,
        patience: Patience,
        error: &OciError,
        tries: Tries,
        jitter: &mut Jitter,
    ) -> Option<Duration> {
        let attempts = tries.attempts;
        if patience == Patience::Fresh && is_not_seen_yet(error) {
            return (attempts < self.attempts.max(FRESH_ATTEMPTS))
                .then(|| jitter.backoff(FIRST_FRESH_PAUSE, LONGEST_FRESH_PAUSE, attempts));
        }
        let limit = match error {
            OciError::Service(service) => match service.status {
                429 => self.attempts,
                409 if is_held(error) && tries.conflicts < CONFLICT_ATTEMPTS => self.attempts,
                500 | 502..=504 if is_repeatable(call) => self.attempts,
                _ => return None,
            },
            OciError::Transport { source, .. } if source.is::<Fenced>() => return None,
            OciError::Transport { sent, .. } if !sent || is_repeatable(call) => self.attempts,
            OciError::Transport { .. }
            | OciError::Deadline { .. }
            | OciError::Credentials { .. }
            | OciError::Endpoint { .. }
            | OciError::Elsewhere { .. }
            | OciError::Nonsense { .. } => return None,
        };
        if attempts >= limit {
            return None;
        }
        let backoff = jitter.backoff(FIRST_PAUSE, LONGEST_PAUSE, attempts);
        let asked = error.service().and_then(|service| service.retry_after);
        // All who were told the same time would come back at once: a little later each.
        Some(asked.map_or(backoff, |asked| {
            asked.saturating_add(jitter.below(FIRST_PAUSE)).max(backoff)
        }))
    }
}

/// Whether a second time does no harm.
pub(super) fn is_repeatable(call: &Call) -> bool {
    call.retry_token.is_some() || matches!(call.method, Method::GET | Method::HEAD | Method::PUT | Method::DELETE)
}

/// A state that passes, or a lock.
fn is_held(error: &OciError) -> bool {
    error.is_conflict()
        && matches!(
            error.code(),
            Some("IncorrectState" | "LockConflict" | "ExternalServerIncorrectState")
        )
}

fn is_not_seen_yet(error: &OciError) -> bool {
    match (error.status(), error.code()) {
        (Some(404), _) => true,
        (Some(400), Some(code)) => code == "RelatedResourceNotAuthorizedOrNotFound",
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers::oci::api::{Place, Service};
    use crate::providers::oci::error::ServiceError;

    const POLICY: Policy = Policy { attempts: 8 };

    fn call(method: Method, token: Option<&str>) -> Call {
        Call {
            service: Service::Core,
            place: Place {
                tenancy: None,
                region: "r".to_owned(),
            },
            operation: "Some",
            method,
            path: "/x".to_owned(),
            query: Vec::new(),
            body: None,
            retry_token: token.map(str::to_owned),
            if_match: None,
        }
    }

    fn refused(status: u16, code: &str) -> OciError {
        OciError::Service(Box::new(ServiceError {
            status,
            code: code.to_owned(),
            message: String::new(),
            operation: "Some",
            request_id: String::new(),
            retry_after: None,
            skew: None,
        }))
    }

    fn lost(sent: bool) -> OciError {
        OciError::Transport {
            operation: "Some",
            sent,
            source: "gone".into(),
        }
    }

    fn tries(attempts: u32) -> Tries {
        Tries { attempts, conflicts: 0 }
    }

    fn again(call: &Call, error: &OciError) -> bool {
        POLICY
            .pause(call, Patience::Settled, error, tries(1), &mut Jitter::new(1))
            .is_some()
    }

    #[test]
    fn a_lost_answer_is_asked_for_again_only_where_that_does_no_harm() {
        let action = call(Method::POST, None);
        for (call, repeatable) in [
            (call(Method::GET, None), true),
            (call(Method::PUT, None), true),
            (call(Method::DELETE, None), true),
            (call(Method::POST, Some("token")), true),
            (call(Method::PATCH, None), false),
            (action.clone(), false),
        ] {
            assert_eq!(again(&call, &lost(true)), repeatable, "{:?}", call.method);
            assert_eq!(again(&call, &refused(500, "InternalServerError")), repeatable);
            assert_eq!(again(&call, &refused(503, "ServiceUnavailable")), repeatable);
        }
        // Refused, or never sent: nothing has happened.
        assert!(again(&action, &lost(false)));
        assert!(again(&action, &refused(429, "TooManyRequests")));
        assert!(again(&action, &refused(409, "IncorrectState")));
    }

    #[test]
    fn refusals_that_stay_are_not_repeated() {
        let get = call(Method::GET, None);
        for (status, code) in [
            (400, "InvalidParameter"),
            (400, "RelatedResourceNotAuthorizedOrNotFound"),
            (401, "NotAuthenticated"),
            (403, "NotAuthorized"),
            (404, "NotAuthorizedOrNotFound"),
            (409, "Conflict"),
            (409, "InvalidatedRetryToken"),
            (412, "NoEtagMatch"),
            (501, "MethodNotImplemented"),
        ] {
            assert!(!again(&get, &refused(status, code)), "{status} {code}");
        }
    }

    #[test]
    fn what_is_held_is_tried_four_times() {
        let held = refused(409, "LockConflict");
        let mut tries = Tries::default();
        let mut jitter = Jitter::new(1);
        loop {
            tries.attempts += 1;
            tries.failed(&held);
            if POLICY
                .pause(&call(Method::GET, None), Patience::Settled, &held, tries, &mut jitter)
                .is_none()
            {
                break;
            }
        }
        assert_eq!(
            tries,
            Tries {
                attempts: CONFLICT_ATTEMPTS,
                conflicts: CONFLICT_ATTEMPTS
            }
        );
    }

    #[test]
    fn what_is_fresh_is_waited_for_about_four_minutes() {
        let mut jitter = Jitter::new(7);
        for error in [
            refused(404, "NotAuthorizedOrNotFound"),
            refused(400, "RelatedResourceNotAuthorizedOrNotFound"),
        ] {
            let pauses: Vec<Duration> = (1..20)
                .map_while(|n| {
                    POLICY.pause(
                        &call(Method::POST, None),
                        Patience::Fresh,
                        &error,
                        tries(n),
                        &mut jitter,
                    )
                })
                .collect();
            assert_eq!(pauses.len(), 8);
            assert!(pauses.iter().sum::<Duration>() <= FRESH_WINDOW);
        }
        let refused = refused(400, "InvalidParameter");
        assert!(
            POLICY
                .pause(
                    &call(Method::GET, None),
                    Patience::Fresh,
                    &refused,
                    tries(1),
                    &mut jitter
                )
                .is_none()
        );
    }

    #[test]
    fn pauses_grow_to_their_bound_and_honour_what_was_asked() {
        let get = call(Method::GET, None);
        let mut jitter = Jitter::new(3);
        let pauses: Vec<Duration> = (1..20)
            .map_while(|n| POLICY.pause(&get, Patience::Settled, &refused(503, ""), tries(n), &mut jitter))
            .collect();
        assert_eq!(pauses.len(), 7);
        for (n, pause) in pauses.iter().enumerate() {
            let full = Duration::from_secs(1 << n).min(LONGEST_PAUSE);
            assert!(*pause >= full / 2 && *pause <= full, "{n}: {pause:?}");
        }
        let mut asked = refused(429, "TooManyRequests");
        if let OciError::Service(error) = &mut asked {
            error.retry_after = Some(Duration::from_secs(77));
        }
        let pause = POLICY
            .pause(&get, Patience::Settled, &asked, tries(1), &mut jitter)
            .unwrap();
        assert!(
            pause >= Duration::from_secs(77) && pause <= Duration::from_secs(78),
            "{pause:?}"
        );
    }
}
