//! Which Event goes on, so that what happens again and again is one Event with a count.
//!
//! Invariant: pure; time is what the caller says it is.

use std::collections::BTreeMap;
use std::time::Duration;

use super::news::News;

/// An Event that has not been repeated for so long is over.
const OVER: Duration = Duration::from_secs(600);
/// Events that are remembered.
const REMEMBERED: usize = 2_000;

/// Events of late.
#[derive(Debug, Default)]
pub(super) struct Series(BTreeMap<(String, &'static str, String), Known>);

#[derive(Debug)]
struct Known {
    event: String,
    count: u64,
    last: Duration,
}

/// What to publish.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// A new Event.
    First,
    /// One more of this Event.
    Again {
        /// Its name.
        event: String,
        /// How often it was seen by now.
        count: u64,
    },
}

impl Series {
    /// Whether news of an object goes on with an Event, and with which.
    pub(super) fn next(&mut self, object: &str, news: &News, now: Duration) -> Next {
        self.0.retain(|_, known| now < known.last + OVER);
        match self.0.get_mut(&key(object, news)) {
            Some(known) => {
                known.count += 1;
                known.last = now;
                Next::Again {
                    event: known.event.clone(),
                    count: known.count,
                }
            }
            None => Next::First,
        }
    }

    /// Remembers an Event that was published.
    pub(super) fn began(&mut self, object: &str, news: &News, event: String, now: Duration) {
        if self.0.len() < REMEMBERED {
            let known = Known {
                event,
                count: 1,
                last: now,
            };
            self.0.insert(key(object, news), known);
        }
    }

    /// Forgets an Event: the server does not have it any more.
    pub(super) fn ended(&mut self, object: &str, news: &News) {
        self.0.remove(&key(object, news));
    }
}

fn key(object: &str, news: &News) -> (String, &'static str, String) {
    (object.to_owned(), news.reason, news.note.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happens_again_is_counted_until_it_has_been_quiet_for_long() {
        let news = |note: &str| News {
            is_warning: false,
            reason: "Applied",
            action: "Apply",
            note: note.to_owned(),
        };
        let at = Duration::from_secs;
        let mut series = Series::default();
        assert_eq!(series.next("a", &news("x"), at(0)), Next::First);
        series.began("a", &news("x"), "e".to_owned(), at(0));
        let again = |count| Next::Again {
            event: "e".to_owned(),
            count,
        };
        assert_eq!(series.next("a", &news("x"), at(500)), again(2));
        assert_eq!(series.next("a", &news("x"), at(1_000)), again(3));
        assert_eq!(series.next("a", &news("y"), at(1_000)), Next::First);
        assert_eq!(series.next("b", &news("x"), at(1_000)), Next::First);
        assert_eq!(series.next("a", &news("x"), at(1_600)), Next::First);
    }
}
