//! What people asked for, until it is answered.
//!
//! Invariant: pure. A request is answered by a look that began after it was made, and by no other.

use std::collections::{BTreeMap, BTreeSet};

use crate::resource::{ManagementClusterName, UnitId};

/// A moment between looks; looks that begin later have a later one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment(u64);

#[derive(Debug)]
struct Wide {
    token: String,
    since: Moment,
    /// Units that have not been looked at since.
    left: BTreeSet<UnitId>,
}

/// Open requests.
#[derive(Debug, Default)]
pub(super) struct Requests {
    now: Moment,
    units: BTreeMap<UnitId, (String, Moment)>,
    wide: BTreeMap<ManagementClusterName, Wide>,
}

impl Requests {
    /// The moment at which a look begins.
    pub(super) fn now(&self) -> Moment {
        self.now
    }

    /// Notes a request to look at a unit.
    pub(super) fn ask(&mut self, unit: &UnitId, token: String) {
        self.now.0 += 1;
        self.units.insert(unit.clone(), (token, self.now));
    }

    /// Notes a request to look at all of these.
    pub(super) fn ask_all(&mut self, on: &ManagementClusterName, units: BTreeSet<UnitId>, token: String) {
        self.now.0 += 1;
        let wide = Wide {
            token,
            since: self.now,
            left: units,
        };
        self.wide.insert(on.clone(), wide);
    }

    /// Notes that a look at a unit, begun at some moment, has ended; gives the request to it that this answers.
    pub(super) fn looked(&mut self, unit: &UnitId, began: Moment) -> Option<String> {
        for wide in self.wide.values_mut().filter(|wide| wide.since <= began) {
            wide.left.remove(unit);
        }
        let is_answer = self.units.get(unit).is_some_and(|(_, since)| *since <= began);
        is_answer
            .then(|| self.units.remove(unit))
            .flatten()
            .map(|(token, _)| token)
    }

    /// Drops units that there are no more.
    pub(super) fn keep(&mut self, units: &BTreeSet<UnitId>) {
        self.units.retain(|unit, _| units.contains(unit));
        for wide in self.wide.values_mut() {
            wide.left.retain(|unit| units.contains(unit));
        }
    }

    /// The last request to all units of each management cluster, and those that are left to look at. One is kept until there is
    /// another: what somebody else had looked at may become ours before it is answered.
    pub(super) fn wide(&self) -> impl Iterator<Item = (&ManagementClusterName, &str, &BTreeSet<UnitId>)> {
        let all = self.wide.iter();
        all.map(|(on, wide)| (on, wide.token.as_str(), &wide.left))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::ClusterName;

    fn unit(name: &str) -> UnitId {
        UnitId::Cluster(ClusterName::new(name))
    }

    #[test]
    fn a_look_that_was_under_way_already_is_no_answer() {
        let mut requests = Requests::default();
        let before = requests.now();
        requests.ask(&unit("a"), "t".to_owned());
        assert_eq!(requests.looked(&unit("a"), before), None);
        let after = requests.now();
        assert_eq!(requests.looked(&unit("b"), after), None);
        assert_eq!(requests.looked(&unit("a"), after).as_deref(), Some("t"));
        assert_eq!(requests.looked(&unit("a"), after), None);
    }

    #[test]
    fn a_request_to_all_is_answered_with_the_last_of_them_and_the_gone_are_not_waited_for() {
        let mut requests = Requests::default();
        let on = ManagementClusterName::new("m");
        let before = requests.now();
        requests.ask_all(&on, [unit("a"), unit("b"), unit("c")].into(), "t".to_owned());
        let after = requests.now();
        assert_eq!(requests.looked(&unit("b"), before), None);
        requests.looked(&unit("a"), after);
        requests.looked(&unit("c"), after);
        let left = |requests: &Requests| {
            let all = requests
                .wide()
                .map(|(on, token, left)| (on.clone(), token.to_owned(), left.clone()));
            all.collect::<Vec<_>>()
        };
        assert_eq!(left(&requests), [(on.clone(), "t".to_owned(), [unit("b")].into())]);
        requests.keep(&[unit("a"), unit("c")].into());
        assert_eq!(left(&requests), [(on.clone(), "t".to_owned(), [].into())]);
        requests.ask_all(&on, [unit("a")].into(), "u".to_owned());
        assert_eq!(left(&requests), [(on, "u".to_owned(), [unit("a")].into())]);
    }
}
