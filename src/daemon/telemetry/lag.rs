//! How long a revision takes from its fetch to the plans of what it changed.
//!
//! Invariant: a plan of another revision counts for nothing; a revision that a newer one overtakes is not measured.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::resource::{Revision, UnitId};

/// The revision that is on its way.
#[derive(Debug, Default)]
pub(super) struct Lag {
    fetched: Option<Instant>,
    awaited: Option<Awaited>,
}

#[derive(Debug)]
struct Awaited {
    fetched: Instant,
    revision: Revision,
    /// Those without a plan yet.
    units: BTreeSet<UnitId>,
}

impl Lag {
    /// Something else than before was fetched.
    pub(super) fn fetched(&mut self, at: Instant) {
        self.fetched = Some(at);
        self.awaited = None;
    }

    /// It came into force, and changes these units.
    pub(super) fn in_force(&mut self, revision: &Revision, units: BTreeSet<UnitId>) {
        self.awaited = self
            .fetched
            .take()
            .filter(|_| !units.is_empty())
            .map(|fetched| Awaited {
                fetched,
                revision: revision.clone(),
                units,
            });
    }

    /// There is a plan of these units. Gives the time that it took, once all have one.
    pub(super) fn planned(&mut self, revision: &Revision, units: &BTreeSet<UnitId>, at: Instant) -> Option<Duration> {
        let awaited = self.awaited.as_mut().filter(|awaited| awaited.revision == *revision)?;
        awaited.units.retain(|unit| !units.contains(unit));
        let took = at.saturating_duration_since(awaited.fetched);
        awaited.units.is_empty().then(|| {
            self.awaited = None;
            took
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::ClusterName;

    fn units(names: &[&str]) -> BTreeSet<UnitId> {
        names
            .iter()
            .map(|name| UnitId::Cluster(ClusterName::new(*name)))
            .collect()
    }

    #[test]
    fn the_last_plan_of_what_the_revision_changed_is_its_end() {
        let (begin, second) = (Instant::now(), Duration::from_secs(1));
        let (old, new) = (Revision::new("old"), Revision::new("new"));
        let mut lag = Lag::default();
        lag.fetched(begin);
        assert_eq!(lag.planned(&old, &units(&["a", "b"]), begin + second), None);
        lag.in_force(&new, units(&["a", "b"]));
        assert_eq!(
            lag.planned(&old, &units(&["a", "b"]), begin + second),
            None,
            "a plan of before"
        );
        assert_eq!(lag.planned(&new, &units(&["b", "c"]), begin + second * 2), None);
        assert_eq!(lag.planned(&new, &units(&["a"]), begin + second * 3), Some(second * 3));
        assert_eq!(lag.planned(&new, &units(&["a"]), begin + second * 4), None, "once");
    }

    #[test]
    fn what_changes_nothing_or_is_overtaken_is_not_measured() {
        let begin = Instant::now();
        let (first, second) = (Revision::new("1"), Revision::new("2"));
        let mut lag = Lag::default();
        lag.fetched(begin);
        lag.in_force(&first, BTreeSet::new());
        assert_eq!(lag.planned(&first, &units(&["a"]), begin), None);
        lag.fetched(begin);
        lag.in_force(&first, units(&["a"]));
        lag.fetched(begin);
        assert_eq!(lag.planned(&first, &units(&["a"]), begin), None);
        lag.in_force(&second, units(&["a"]));
        assert_eq!(lag.planned(&second, &units(&["a"]), begin), Some(Duration::ZERO));
    }
}
