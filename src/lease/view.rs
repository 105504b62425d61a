//! Who is there, and which unit is whose.
//!
//! Units are divided by rendezvous hashing: of all members that one has a unit whose hash with the unit is the highest. When
//! a member goes, its own units move, each to whoever is next; when one comes, those move that are its from now on, and
//! nobody else's.
//!
//! # Why no unit ever has two writers
//!
//! Each member publishes, in its own Lease, the digest of the view that it acts on. Two rules hold:
//!
//! 1. While a member's Lease says V, it works on nothing that is not its own in V. So before it publishes another view W it
//!    begins nothing that is not its own in both, and waits for what is under way and is not to end.
//! 2. It begins with a unit that it did not have before only after a list, read since it published V, in which every living
//!    member says V, and in which the living are those of V.
//!
//! Say that a and b work on one unit at the same moment, both alive. Each has had it since a list of its own by rule 2; let
//! b's be the later of the two. In b's view V the unit is b's. If a is in that list, it says V there, so by rule 1 it was not
//! at the unit then, and must have begun with it after that, by a list later than b's: a contradiction. If a is not in it, its
//! Lease came later, and so did the list by which it began: the same contradiction. Or its Lease had lapsed: by then a had
//! stopped by itself, since it writes for a shorter time after a renewal than others wait, and a member that has lapsed drops
//! everything and comes back under another name, as one that has nothing.
//!
//! Whoever holds the Lease of the whole has all units. The same two rules make room for it: the others publish the view in
//! which nothing is theirs, and it waits until all of them do.

use std::collections::BTreeSet;

use crate::resource::{Digest, UnitId};

/// Those who are there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// Who has everything, where somebody does.
    pub whole: Option<String>,
    /// Those who share it otherwise.
    pub members: BTreeSet<String>,
}

impl View {
    /// Whose a unit is; nobody's where nobody is there.
    pub fn owner(&self, unit: &UnitId) -> Option<&str> {
        let weight = |member: &&String| {
            let parts = [unit.kind(), unit.name(), member.as_str()].map(str::as_bytes);
            *Digest::of_parts(parts).as_bytes()
        };
        self.whole
            .as_deref()
            .or_else(|| self.members.iter().max_by_key(weight).map(String::as_str))
    }

    /// The same for the same view, on whatever machine and by whatever version.
    pub fn digest(&self) -> String {
        let whole = self.whole.as_deref().unwrap_or_default();
        let parts = std::iter::once(whole).chain(self.members.iter().map(String::as_str));
        let digest = Digest::of_parts(parts.map(str::as_bytes));
        digest.to_hex().chars().take(20).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::resource::ClusterName;

    fn view(names: impl IntoIterator<Item = u16>) -> View {
        View {
            whole: None,
            members: names.into_iter().map(|name| format!("replica-{name}-0")).collect(),
        }
    }

    fn units(count: usize) -> Vec<UnitId> {
        (0..count)
            .map(|n| UnitId::Cluster(ClusterName::new(format!("cluster-{n}"))))
            .collect()
    }

    proptest! {
        #[test]
        fn when_one_comes_or_goes_only_its_own_units_move_and_those_are_about_its_share(
            names in proptest::collection::btree_set(any::<u16>(), 2..8),
            which in any::<proptest::sample::Index>(),
        ) {
            let goes = *which.get(&names.iter().copied().collect::<Vec<_>>());
            let with = view(names.clone());
            let without = view(names.iter().copied().filter(|name| *name != goes));
            let gone = format!("replica-{goes}-0");
            let units = units(1000);
            let mut moved = 0_usize;
            for unit in &units {
                if with.owner(unit) != without.owner(unit) {
                    prop_assert_eq!(with.owner(unit), Some(gone.as_str()));
                    moved += 1;
                }
            }
            // Five times the deviation of so many draws.
            let share = units.len() / names.len();
            prop_assert!(moved.abs_diff(share) < 80, "{moved} of {} by {}", units.len(), names.len());
        }
    }

    #[test]
    fn whoever_has_the_whole_has_every_unit_and_views_differ_by_it() {
        let shared = view([1, 2]);
        let taken = View {
            whole: Some("hand".to_owned()),
            ..shared.clone()
        };
        assert!(units(50).iter().all(|unit| taken.owner(unit) == Some("hand")));
        assert_ne!(taken.digest(), shared.digest());
        assert_eq!(View::default().owner(&units(1)[0]), None);
    }

    /// Replicas of different versions have to agree: neither may ever change.
    #[test]
    fn owners_and_digests_are_the_same_for_good() {
        let view = view([1, 2, 3]);
        let owners: Vec<_> = units(4)
            .iter()
            .map(|unit| view.owner(unit).unwrap().to_owned())
            .collect();
        assert_eq!(
            format!("{} {}", view.digest(), owners.join(" ")),
            "1309d52f56ea09d2d3f0 replica-3-0 replica-3-0 replica-2-0 replica-3-0"
        );
    }
}
