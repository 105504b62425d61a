//! What people ask for by annotations.
//!
//! A `FleetStatus` speaks for the whole fleet, and by keys of their own for its environments; a `ClusterSync` for its unit.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

/// Asks for a look at once; its value is any text that was not there before, a time by convention.
pub const RECONCILE_REQUESTED_AT: &str = "fleetwright.dev/reconcile-requested-at";
/// Tells all daemons of a fleet that its repository was pushed to, as a webhook told one of them; its value is any text that
/// was not there before.
pub const PUSHED_AT: &str = "fleetwright.dev/pushed-at";
/// The value of `suspended-until` of a suspension that somebody has to end.
pub const UNTIL_RESUMED: &str = "resumed";

const FLEET_PREFIX: &str = "fleetwright.dev";
const UNTIL: &str = "suspended-until";
const REASON: &str = "suspended-reason";

/// The keys of a suspension: of the object itself, or on a `FleetStatus` of one of the fleet's environments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    /// Key of the time at which it ends, or of [`UNTIL_RESUMED`].
    pub until: String,
    /// Key of the reason.
    pub reason: String,
}

impl Keys {
    /// The keys for an environment; for the object itself where there is none.
    pub fn new(environment: Option<&str>) -> Self {
        let prefix = match environment {
            Some(name) => format!("{name}.{ENVIRONMENT_SUFFIX}"),
            None => FLEET_PREFIX.to_owned(),
        };
        Self {
            until: format!("{prefix}/{UNTIL}"),
            reason: format!("{prefix}/{REASON}"),
        }
    }
}

/// Whether a key is one of those.
pub fn is_of_suspension(key: &str) -> bool {
    key.split_once('/').is_some_and(|(prefix, name)| {
        let is_ours = prefix == FLEET_PREFIX || prefix.ends_with(ENVIRONMENT_SUFFIX);
        is_ours && [UNTIL, REASON].contains(&name)
    })
}

const ENVIRONMENT_SUFFIX: &str = "environment.fleetwright.dev";

/// What annotations say about a suspension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Nothing.
    Nothing,
    /// That it is suspended.
    Suspended {
        /// Why; empty where nobody said.
        reason: String,
        /// When it ends by itself; none: when somebody ends it.
        until: Option<Timestamp>,
    },
    /// Something that can't be understood: somebody wanted something.
    Unclear(String),
}

/// Reads a suspension.
pub fn asked(annotations: &BTreeMap<String, String>, environment: Option<&str>) -> Asked {
    let keys = Keys::new(environment);
    let reason = annotations.get(&keys.reason);
    let until = match annotations.get(&keys.until).map(|text| text.trim()) {
        // Whoever gives a reason wants what it is the reason of.
        None if reason.is_none() => return Asked::Nothing,
        None | Some(UNTIL_RESUMED) => None,
        Some(text) => match text.parse() {
            Ok(time) => Some(time),
            Err(_) => {
                let said = super::cut(text);
                return Asked::Unclear(format!(
                    "annotation {} is `{said}`, which is neither a time nor `{UNTIL_RESUMED}`",
                    keys.until
                ));
            }
        },
    };
    Asked::Suspended {
        reason: reason.map(|reason| super::cut(reason)).unwrap_or_default(),
        until,
    }
}

/// Whether annotations suspend the object itself, or may be meant to.
pub fn is_suspended(annotations: &BTreeMap<String, String>, now: Timestamp) -> bool {
    match asked(annotations, None) {
        Asked::Nothing => false,
        Asked::Suspended { until, .. } => until.is_none_or(|until| until > now),
        Asked::Unclear(_) => true,
    }
}

/// The environments that a `FleetStatus` says something about.
pub fn environments(annotations: &BTreeMap<String, String>) -> BTreeSet<&str> {
    annotations
        .keys()
        .filter_map(|key| {
            key.split_once('/')?
                .0
                .strip_suffix(ENVIRONMENT_SUFFIX)?
                .strip_suffix('.')
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn annotations(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn what_is_asked_of_an_environment_is_asked_of_nothing_else() {
        let of_dev = annotations(&[("dev.environment.fleetwright.dev/suspended-until", "resumed")]);
        assert_eq!(asked(&of_dev, None), Asked::Nothing);
        assert_eq!(asked(&of_dev, Some("prod")), Asked::Nothing);
        let suspended = Asked::Suspended {
            reason: String::new(),
            until: None,
        };
        assert_eq!(asked(&of_dev, Some("dev")), suspended);
        assert_eq!(environments(&of_dev), BTreeSet::from(["dev"]));
        assert_eq!(
            environments(&annotations(&[("fleetwright.dev/suspended-until", "x")])),
            BTreeSet::new()
        );
    }

    #[test]
    fn what_is_no_time_is_unclear_and_a_reason_alone_is_a_wish() {
        let unclear = asked(&annotations(&[("fleetwright.dev/suspended-until", "tomorrow")]), None);
        assert!(matches!(unclear, Asked::Unclear(said) if said.contains("tomorrow")));
        let reason = asked(&annotations(&[("fleetwright.dev/suspended-reason", "a freeze")]), None);
        assert!(matches!(reason, Asked::Suspended { until: None, .. }));
        let ends = asked(
            &annotations(&[("fleetwright.dev/suspended-until", "2026-12-01T00:00:00Z")]),
            None,
        );
        assert!(matches!(ends, Asked::Suspended { until: Some(_), .. }));
    }
}
