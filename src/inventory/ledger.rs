//! What was deleted and disrupted lately, of a whole fleet: the caps on deletes and on disrupted nodes count over a day,
//! whoever does it.
//!
//! Invariant: what is to be deleted or disrupted is in the ledger as stored before the first call that does it. Pure data; storing it is
//! the Kubernetes provider's.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::resource::Digest;

/// How long a delete counts.
pub const WINDOW: SignedDuration = SignedDuration::from_hours(24);

/// What was deleted: a unit as a whole, or an object of a unit that stays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Deleted {
    /// When it was first granted; after it was made again, when that was.
    pub at: Timestamp,
    /// How often it was granted as another one.
    pub times: u64,
    /// The objects that it is made of, each by a [`mark`] of the very one.
    pub objects: BTreeSet<String>,
}

/// Tells an object from one of the same name that is made after it: 16 hexadecimal digits.
pub fn mark(object: &str, uid: &str) -> String {
    let mut mark = Digest::of_parts([object.as_bytes(), b"\0", uid.as_bytes()]).to_hex();
    mark.truncate(16);
    mark
}

/// Deletes that were granted, by what they are of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ledger {
    /// By name: `Cluster payments`, or an object's id.
    #[serde(default)]
    pub deletes: BTreeMap<String, Deleted>,
    /// Changes that disrupt nodes, by the object and what becomes of it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub disruptions: BTreeMap<String, Disrupted>,
}

/// A change that disrupts nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Disrupted {
    /// When it was first granted.
    pub at: Timestamp,
    /// How many.
    pub nodes: u64,
}

/// How much a day may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allowance {
    /// So many units and single objects.
    Count(u64),
    /// So many objects.
    Objects(u64),
}

/// The object of a change that disrupts nodes, by the name under which it is entered.
fn object_of(name: &str) -> &str {
    let ends = name.strip_suffix(GOES);
    ends.or_else(|| name.rsplit_once(TO).map(|(object, _)| object))
        .unwrap_or(name)
}

/// Between an object and the digest of what becomes of it.
const TO: &str = " to ";
/// After an object that goes.
const GOES: &str = " goes";

/// The name under which a change of an object is entered that disrupts nodes: the same change once, however often it is tried.
pub fn disruption(object: &str, becomes: Option<&str>) -> String {
    match becomes {
        Some(digest) => format!("{object}{TO}{digest}"),
        None => format!("{object}{GOES}"),
    }
}

impl Ledger {
    /// Forgets what no longer counts.
    pub fn expire(&mut self, now: Timestamp) {
        self.deletes
            .retain(|_, deleted| now.duration_since(deleted.at) < WINDOW);
        self.disruptions
            .retain(|_, disrupted| now.duration_since(disrupted.at) < WINDOW);
    }

    /// Enters changes that disrupt nodes, in the order of names and as far as so many a day allow, and gives those that may
    /// not be made. What was granted before is granted again for nothing, unless the object has been granted another change
    /// since: there and back again replaces its nodes each time.
    pub fn grant_nodes(&mut self, wanted: &BTreeMap<String, u64>, allowance: u64, now: Timestamp) -> Vec<String> {
        self.expire(now);
        let mut refused = Vec::new();
        for (name, &nodes) in wanted {
            let known = self.disruptions.get(name);
            if known.is_some_and(|known| self.is_last(name, known)) {
                continue;
            }
            let earlier = known.map_or(0, |known| known.nodes);
            let taken: u64 = self.disruptions.values().map(|disrupted| disrupted.nodes).sum();
            if taken.saturating_add(nodes) <= allowance {
                let nodes = earlier.saturating_add(nodes);
                self.disruptions.insert(name.clone(), Disrupted { at: now, nodes });
            } else {
                refused.push(name.clone());
            }
        }
        refused
    }

    /// Whether nothing else was granted to the object of a change since that change was.
    fn is_last(&self, name: &str, granted: &Disrupted) -> bool {
        let same = |other: &&String| *other != name && object_of(other) == object_of(name);
        let others = self.disruptions.iter().filter(|(other, _)| same(other));
        others.map(|(_, other)| other.at).all(|at| at < granted.at)
    }

    /// Enters what may be deleted, in the order of names, and gives what may not. What was granted before is granted again:
    /// a delete that was cut off goes on. What has grown since counts for what it has grown by, and what was made again
    /// since, which has no object in common with what was deleted, counts again.
    pub fn grant(&mut self, wanted: &BTreeMap<String, BTreeSet<String>>, by: Allowance, now: Timestamp) -> Vec<String> {
        self.expire(now);
        let mut refused = Vec::new();
        for (name, objects) in wanted {
            let known = self.deletes.get(name);
            let grown = known.map_or(objects.len(), |known| objects.difference(&known.objects).count());
            if known.is_some() && grown == 0 {
                continue;
            }
            let is_another = known.is_none_or(|known| known.objects.is_disjoint(objects));
            let deletes = self.deletes.values();
            let fits = match by {
                Allowance::Count(n) => !is_another || deletes.map(|deleted| deleted.times).sum::<u64>() < n,
                Allowance::Objects(n) => {
                    let taken: usize = deletes.map(|deleted| deleted.objects.len()).sum();
                    taken.saturating_add(grown) as u64 <= n
                }
            };
            if !fits {
                refused.push(name.clone());
                continue;
            }
            let first = || Deleted {
                at: now,
                times: 0,
                objects: BTreeSet::new(),
            };
            let deleted = self.deletes.entry(name.clone()).or_insert_with(first);
            // What has grown is counted as a whole from now on: for a day nothing of it may be forgotten.
            if is_another || matches!(by, Allowance::Objects(_)) {
                deleted.at = now;
            }
            if is_another {
                deleted.times = deleted.times.saturating_add(1);
            }
            deleted.objects.extend(objects.iter().cloned());
        }
        refused
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hours: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours)
    }

    #[test]
    fn what_has_grown_late_in_a_day_counts_for_a_day_from_then_on() {
        let of = |name: &str, count: usize| {
            let marks = (0..count).map(|i| mark(name, &i.to_string())).collect();
            BTreeMap::from([(name.to_owned(), marks)])
        };
        let mut ledger = Ledger::default();
        assert!(ledger.grant(&of("a", 1), Allowance::Objects(10), at(0)).is_empty());
        assert!(ledger.grant(&of("a", 10), Allowance::Objects(10), at(23)).is_empty());
        assert_eq!(ledger.grant(&of("b", 1), Allowance::Objects(10), at(25)), ["b"]);
        assert!(ledger.grant(&of("b", 1), Allowance::Objects(10), at(47)).is_empty());
    }

    fn wanted(names: &[&str]) -> BTreeMap<String, u64> {
        names.iter().map(|name| ((*name).to_owned(), 10)).collect()
    }

    fn going(names: &[&str]) -> BTreeMap<String, BTreeSet<String>> {
        let marks = |name: &str| (0..10).map(|i| mark(name, &i.to_string())).collect();
        names.iter().map(|name| ((*name).to_owned(), marks(name))).collect()
    }

    #[test]
    fn a_day_takes_no_more_than_the_cap_however_often_it_is_asked() {
        let mut ledger = Ledger::default();
        assert_eq!(
            ledger.grant(&going(&["a", "b", "c"]), Allowance::Count(2), at(0)),
            ["c"]
        );
        assert_eq!(
            ledger.grant(&going(&["a", "c"]), Allowance::Count(2), at(1)),
            ["c"],
            "a goes on"
        );
        assert_eq!(ledger.grant(&going(&["d"]), Allowance::Count(2), at(23)), ["d"]);
        assert!(
            ledger.grant(&going(&["d"]), Allowance::Count(2), at(24)).is_empty(),
            "a day later"
        );
    }

    #[test]
    fn nodes_are_counted_over_a_day_and_one_change_once() {
        let mut ledger = Ledger::default();
        assert_eq!(ledger.grant_nodes(&wanted(&["a", "b"]), 15, at(0)), ["b"]);
        assert!(ledger.grant_nodes(&wanted(&["a"]), 15, at(1)).is_empty(), "a goes on");
        assert_eq!(ledger.grant_nodes(&wanted(&["b"]), 15, at(23)), ["b"]);
        assert!(
            ledger.grant_nodes(&wanted(&["b"]), 15, at(24)).is_empty(),
            "a day later"
        );
        assert!(
            ledger.grant(&going(&["c"]), Allowance::Count(1), at(24)).is_empty(),
            "deletes are others"
        );
    }

    #[test]
    fn there_and_back_again_counts_each_time() {
        let name = |digest: &str| disruption("NodePool a on m", Some(digest));
        let mut ledger = Ledger::default();
        let mut grant =
            |digest: &str, hour: i64| ledger.grant_nodes(&wanted(&[&name(digest)]), 35, at(hour)).is_empty();
        assert!(grant("b", 0));
        assert!(grant("b", 1), "it was cut off, and goes on");
        assert!(grant("a", 2));
        assert!(grant("b", 3), "30 of 35");
        assert!(!grant("a", 4));
        assert!(grant("b", 5), "goes on");
        let other = disruption("NodePool aa on m", Some("a"));
        assert_eq!(ledger.grant_nodes(&wanted(&[&other]), 45, at(6)), Vec::<String>::new());
        assert!(
            ledger.grant_nodes(&wanted(&[&name("b")]), 45, at(7)).is_empty(),
            "another's change is none of its own"
        );
        let gone = disruption("NodePool a on m", None);
        assert_eq!(ledger.grant_nodes(&wanted(&[&gone]), 45, at(8)), [gone]);
    }

    #[test]
    fn what_has_grown_since_it_was_granted_counts_for_that() {
        let mut ledger = Ledger::default();
        let of = |objects: u64| BTreeMap::from([("a".to_owned(), (0..objects).map(|i| i.to_string()).collect())]);
        assert!(ledger.grant(&of(10), Allowance::Objects(15), at(0)).is_empty());
        assert!(
            ledger.grant(&of(4), Allowance::Objects(15), at(1)).is_empty(),
            "goes on"
        );
        assert_eq!(ledger.grant(&of(16), Allowance::Objects(15), at(2)), ["a"]);
        assert!(ledger.grant(&of(15), Allowance::Objects(15), at(3)).is_empty());
        assert!(
            ledger.grant(&of(99), Allowance::Count(1), at(4)).is_empty(),
            "one is one"
        );
    }

    #[test]
    fn what_was_made_again_counts_again() {
        let object = |uid: u64| BTreeMap::from([("a".to_owned(), BTreeSet::from([mark("a", &uid.to_string())]))]);
        let mut by_count = Ledger::default();
        let mut by_objects = Ledger::default();
        let mut grant = |uid: u64, hour: i64| {
            let count = by_count.grant(&object(uid), Allowance::Count(2), at(hour));
            assert_eq!(by_objects.grant(&object(uid), Allowance::Objects(2), at(hour)), count);
            count.is_empty()
        };
        assert!(grant(1, 0));
        assert!(grant(1, 1), "goes on");
        assert!(grant(2, 2));
        assert!(!grant(3, 3), "the third of that name");
        assert!(grant(2, 4), "goes on");
        assert!(!grant(3, 25), "the second was granted less than a day ago");
        assert!(grant(3, 26));
    }

    #[test]
    fn objects_are_counted_where_the_cap_is_a_share_of_them() {
        let mut ledger = Ledger::default();
        assert_eq!(ledger.grant(&going(&["a", "b"]), Allowance::Objects(15), at(0)), ["b"]);
    }
}
