//! What was deleted and disrupted lately, of a whole fleet: the caps on deletes and on disrupted nodes count over a day,
//! whoever does it.
//!
//! Invariant: what is to be deleted or disrupted is in the ledger as stored before the first call that does it. Pure data; storing it is
//! the Kubernetes provider's.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// How long a delete counts.
pub const WINDOW: SignedDuration = SignedDuration::from_hours(24);

/// What was deleted: a unit as a whole, or an object of a unit that stays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Deleted {
    /// When it was first granted.
    pub at: Timestamp,
    /// Objects that it is made of.
    pub objects: u64,
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

impl Ledger {
    /// Forgets what no longer counts.
    pub fn expire(&mut self, now: Timestamp) {
        self.deletes
            .retain(|_, deleted| now.duration_since(deleted.at) < WINDOW);
        self.disruptions
            .retain(|_, disrupted| now.duration_since(disrupted.at) < WINDOW);
    }

    /// Enters changes that disrupt nodes, in the order of names and as far as so many a day allow, and gives those that may
    /// not be made. What was granted before is granted again, for nothing.
    pub fn grant_nodes(&mut self, wanted: &BTreeMap<String, u64>, allowance: u64, now: Timestamp) -> Vec<String> {
        self.expire(now);
        let mut refused = Vec::new();
        for (name, &nodes) in wanted {
            if self.disruptions.contains_key(name) {
                continue;
            }
            let taken: u64 = self.disruptions.values().map(|disrupted| disrupted.nodes).sum();
            if taken.saturating_add(nodes) <= allowance {
                self.disruptions.insert(name.clone(), Disrupted { at: now, nodes });
            } else {
                refused.push(name.clone());
            }
        }
        refused
    }

    /// Enters what may be deleted, in the order of names, and gives what may not. What was granted before is granted again:
    /// a delete that was cut off goes on.
    pub fn grant(&mut self, wanted: &BTreeMap<String, u64>, allowance: Allowance, now: Timestamp) -> Vec<String> {
        self.expire(now);
        let mut refused = Vec::new();
        for (name, &objects) in wanted {
            if self.deletes.contains_key(name) {
                continue;
            }
            let taken: u64 = self.deletes.values().map(|deleted| deleted.objects).sum();
            let fits = match allowance {
                Allowance::Count(n) => (self.deletes.len() as u64) < n,
                Allowance::Objects(n) => taken + objects <= n,
            };
            if fits {
                self.deletes.insert(name.clone(), Deleted { at: now, objects });
            } else {
                refused.push(name.clone());
            }
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

    fn wanted(names: &[&str]) -> BTreeMap<String, u64> {
        names.iter().map(|name| ((*name).to_owned(), 10)).collect()
    }

    #[test]
    fn a_day_takes_no_more_than_the_cap_however_often_it_is_asked() {
        let mut ledger = Ledger::default();
        assert_eq!(
            ledger.grant(&wanted(&["a", "b", "c"]), Allowance::Count(2), at(0)),
            ["c"]
        );
        assert_eq!(
            ledger.grant(&wanted(&["a", "c"]), Allowance::Count(2), at(1)),
            ["c"],
            "a goes on"
        );
        assert_eq!(ledger.grant(&wanted(&["d"]), Allowance::Count(2), at(23)), ["d"]);
        assert!(
            ledger.grant(&wanted(&["d"]), Allowance::Count(2), at(24)).is_empty(),
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
            ledger.grant(&wanted(&["c"]), Allowance::Count(1), at(24)).is_empty(),
            "deletes are others"
        );
    }

    #[test]
    fn objects_are_counted_where_the_cap_is_a_share_of_them() {
        let mut ledger = Ledger::default();
        assert_eq!(ledger.grant(&wanted(&["a", "b"]), Allowance::Objects(15), at(0)), ["b"]);
    }
}
