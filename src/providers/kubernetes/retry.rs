//! Which requests are sent again, and when.
//!
//! Invariant: pure but for the jitter it is given. What changes something is sent again only where it did not reach the
//! server, the server says that it was too busy to begin, or a second time would change nothing; a lost answer, a timeout or an
//! error within the server leave open whether it was done, and only a look can tell.

use std::time::Duration;

use super::http::Answer;
use crate::providers::pause::Jitter;

/// Attempts where the server fails, or can't be reached: that passes at once, or lasts.
const ATTEMPTS: u32 = 4;
/// Attempts where it asks for patience; the deadline is what ends most of these.
const BUSY_ATTEMPTS: u32 = 10;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// All who were told the same time would come back at once: up to so much later each.
const SPREAD: Duration = Duration::from_millis(500);

/// The cause that a server names whose memory has not come to the version that was asked for.
const VERSION_TOO_LARGE: &str = "ResourceVersionTooLarge";

/// What a request does on the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// It only asks: reads, and what the server is to try without doing it.
    Nothing,
    /// It writes what a second time would be refused, or come to nothing: it makes what is not to be there, or names the version
    /// that it replaces. Whoever sends it takes that refusal for what may be the word on its own first attempt.
    Once,
    /// It writes.
    Change,
}

/// How an attempt failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The server, or a proxy before it, says that it can't answer now.
    Status {
        code: u16,
        /// `Retry-After`.
        asked: Option<Duration>,
    },
    /// There was no connection, so that nothing was sent.
    NotSent,
    /// There was no answer, or half of one.
    Connection,
}

impl Failure {
    /// Whether an answer is the word of a server that may do better another time.
    pub(super) fn of(answer: &Answer, asked: Option<Duration>) -> Option<Self> {
        let code = answer.status;
        // This one waited already, and whoever asked knows another way.
        let settled = code == 504 && answer.text.contains(VERSION_TOO_LARGE);
        (matches!(code, 429 | 500 | 502..=504) && !settled).then_some(Self::Status { code, asked })
    }
}

/// How long to wait before the next attempt, after so many; none where there is none.
pub(super) fn pause(effect: Effect, failure: Failure, attempts: u32, jitter: &mut Jitter) -> Option<Duration> {
    let limit = match (effect, failure) {
        // An API server says 429 before it begins. A 503 is nearly always that of a proxy without a server behind it; where
        // it is not, the precondition that every write of ours carries has the second one do nothing.
        (_, Failure::Status { code: 429 | 503, .. }) => BUSY_ATTEMPTS,
        (Effect::Nothing, Failure::Status { code: 504, .. }) => BUSY_ATTEMPTS,
        (Effect::Nothing | Effect::Once, _) | (_, Failure::NotSent) => ATTEMPTS,
        (Effect::Change, _) => return None,
    };
    if attempts >= limit {
        return None;
    }
    let backoff = backoff(attempts, jitter);
    let Failure::Status { asked: Some(asked), .. } = failure else {
        return Some(backoff);
    };
    Some(asked.saturating_add(jitter.below(SPREAD)).max(backoff))
}

/// How long to wait where nobody asked for more.
pub(super) fn backoff(attempts: u32, jitter: &mut Jitter) -> Duration {
    jitter.backoff(FIRST_PAUSE, LONGEST_PAUSE, attempts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(code: u16) -> Failure {
        Failure::Status { code, asked: None }
    }

    fn attempts(effect: Effect, failure: Failure) -> u32 {
        let mut jitter = Jitter::new(1);
        let more = (1..100).take_while(|n| pause(effect, failure, *n, &mut jitter).is_some());
        1 + u32::try_from(more.count()).unwrap()
    }

    #[test]
    fn what_changes_nothing_is_sent_again_and_a_write_only_where_the_server_was_too_busy_to_begin() {
        for (failure, asks, once, writes) in [
            (status(429), BUSY_ATTEMPTS, BUSY_ATTEMPTS, BUSY_ATTEMPTS),
            (status(503), BUSY_ATTEMPTS, BUSY_ATTEMPTS, BUSY_ATTEMPTS),
            (status(504), BUSY_ATTEMPTS, ATTEMPTS, 1),
            (status(500), ATTEMPTS, ATTEMPTS, 1),
            (status(502), ATTEMPTS, ATTEMPTS, 1),
            (Failure::Connection, ATTEMPTS, ATTEMPTS, 1),
            (Failure::NotSent, ATTEMPTS, ATTEMPTS, ATTEMPTS),
        ] {
            assert_eq!(attempts(Effect::Nothing, failure), asks, "{failure:?}");
            assert_eq!(attempts(Effect::Once, failure), once, "{failure:?}");
            assert_eq!(attempts(Effect::Change, failure), writes, "{failure:?}");
        }
    }

    #[test]
    fn answers_that_stay_are_no_failures() {
        let answer = |status, text: &str| Answer {
            status,
            text: text.to_owned(),
        };
        for code in [200, 201, 400, 401, 403, 404, 405, 409, 410, 415, 422, 501] {
            assert_eq!(Failure::of(&answer(code, ""), None), None, "{code}");
        }
        assert_eq!(Failure::of(&answer(504, ""), None), Some(status(504)));
        let too_large = r#"{"details": {"causes": [{"reason": "ResourceVersionTooLarge"}]}}"#;
        assert_eq!(Failure::of(&answer(504, too_large), None), None);
    }

    #[test]
    fn pauses_grow_to_their_bound_and_honour_what_was_asked() {
        let mut jitter = Jitter::new(3);
        for n in 1..BUSY_ATTEMPTS {
            let full = (FIRST_PAUSE * 2_u32.pow(n - 1)).min(LONGEST_PAUSE);
            let pause = pause(Effect::Nothing, status(503), n, &mut jitter).unwrap();
            assert!(pause >= full / 2 && pause <= full, "{n}: {pause:?}");
        }
        let asked = Failure::Status {
            code: 429,
            asked: Some(Duration::from_secs(7)),
        };
        let pauses = [(); 20].map(|()| pause(Effect::Change, asked, 1, &mut jitter).unwrap());
        assert!(
            pauses.iter().all(|pause| (7_000..=7_500).contains(&pause.as_millis())),
            "{pauses:?}"
        );
        assert!(pauses.iter().any(|pause| *pause != pauses[0]), "{pauses:?}");
    }
}
