//! Guards: what refuses a change although it was asked for. One a file, all listed in [`all`], but for two: [`node_cap`]
//! needs the forecast of what the others let through, and [`supported_release`] what nobody asks unless it matters.
//!
//! A refusal names the changes that it covers and says how it is lifted. Unless the user asks to go on with the rest,
//! one refusal stops the whole run.

mod adopted;
mod adoption;
mod delete_cap;
mod expired_waiver;
mod immutable;
mod incomplete;
mod inhabited;
pub mod node_cap;
mod not_ours;
mod older_revision;
mod protect_until;
mod protected;
mod release_step;
mod shrunken;
pub mod supported_release;
mod suspended;
mod upgradeable;
mod vanished;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;

pub use protect_until::PROTECT_UNTIL;
pub use suspended::SUSPENDED;
pub use vanished::Place;

use super::change::{Block, Change, FieldDiff, Preview};
use super::upgrade::Course;
use crate::fleet::model::{Decommission, Limits, Waived};
use crate::resource::{ClusterName, ResourceId, Revision, UnitId};
use crate::sync::Suspension;

/// What guards look at besides the changes.
pub struct Facts<'a> {
    /// Caps of the fleet.
    pub limits: &'a Limits,
    /// Units whose deletion was committed to.
    pub decommission: &'a BTreeMap<UnitId, Decommission>,
    /// Units that the fleet files hold, resolved or not.
    pub units: &'a BTreeSet<UnitId>,
    /// Objects in the inventories of the whole fleet.
    pub recorded: usize,
    /// Objects in those of each unit.
    pub recorded_of: &'a BTreeMap<UnitId, usize>,
    /// Until when units are protected, by what was last applied or by the files, whichever is later.
    pub protect_until: &'a BTreeMap<UnitId, Timestamp>,
    /// Clusters that resolved only because a waiver held when the files were read.
    pub waived: &'a BTreeMap<ClusterName, Waived>,
    /// Units that may be made again although they have vanished, and until when.
    pub remake: &'a BTreeMap<UnitId, Timestamp>,
    /// Where on OCI something that is recorded was seen.
    pub sighted: &'a BTreeSet<Place>,
    /// What lives in namespaces that are to go, and is not the fleet's.
    pub strangers: &'a BTreeMap<ResourceId, Vec<String>>,
    /// How control planes come to the release that the files want.
    pub courses: &'a BTreeMap<UnitId, Course>,
    /// The time.
    pub now: Timestamp,
    /// Objects wanted in the whole fleet.
    pub desired: usize,
    /// Whether something of the fleet files could not be read at all.
    pub incomplete: bool,
    /// Whether the user said that what was found may be adopted.
    pub adopt: bool,
    /// Units that were last applied from a revision newer than the one at hand, and that revision.
    pub newer: &'a BTreeMap<UnitId, Revision>,
    /// Units that are suspended.
    pub suspended: &'a BTreeMap<UnitId, Suspension>,
}

/// A guard's No.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Refusal {
    /// Which guard.
    pub guard: &'static str,
    /// Why, in one sentence.
    pub message: String,
    /// How it is lifted.
    pub lift: String,
    /// The objects that it covers, sorted.
    pub objects: Vec<ResourceId>,
}

/// A guard.
pub trait Guard: Sync {
    /// Its name, in JSON and in text.
    fn name(&self) -> &'static str;

    /// What it refuses of these changes.
    fn check(&self, changes: &[Change], facts: &Facts<'_>) -> Vec<Refusal>;
}

/// Every guard, in the order in which refusals are shown.
pub fn all() -> &'static [&'static dyn Guard] {
    &[
        &suspended::Suspended,
        &incomplete::Incomplete,
        &older_revision::OlderRevision,
        &not_ours::NotOurs,
        &adoption::Adoption,
        &vanished::Vanished,
        &immutable::Immutable,
        &release_step::ReleaseStep,
        &upgradeable::Upgradeable,
        &expired_waiver::ExpiredWaiver,
        &protect_until::ProtectUntil,
        &protected::Protected,
        &adopted::Adopted,
        &inhabited::Inhabited,
        &shrunken::Shrunken,
        &delete_cap::DeleteCap,
    ]
}

/// Whether a field of a Kubernetes kind is fixed at creation.
pub(super) fn is_fixed(kind: &str, field: &FieldDiff) -> bool {
    immutable::is_fixed(kind, field)
}

/// The changes that go ahead and that a guard has something against, by what that is of: with each, why, and the objects.
fn ahead_by<'a, K: Ord, V>(
    changes: &'a [Change],
    against: impl Fn(&'a Change) -> Option<(K, V)>,
) -> BTreeMap<K, (V, Vec<ResourceId>)> {
    let mut found: BTreeMap<K, (V, Vec<ResourceId>)> = BTreeMap::new();
    for change in changes.iter().filter(|change| change.goes_ahead()) {
        if let Some((of, why)) = against(change) {
            let (_, objects) = found.entry(of).or_insert_with(|| (why, Vec::new()));
            objects.push(change.id.clone());
        }
    }
    found
}

/// What is let through, and should be known before, in words.
pub fn warnings(changes: &[Change]) -> Vec<String> {
    release_step::warnings(changes)
}

/// Asks every guard, and blocks what one of them covers.
///
/// Each sees the changes as the guards before it left them: what is refused already is not counted by a cap.
pub fn apply(changes: &mut [Change], facts: &Facts<'_>) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    for guard in all() {
        for mut refusal in guard.check(changes, facts) {
            refusal.objects.sort();
            let covered: BTreeSet<&ResourceId> = refusal.objects.iter().collect();
            for change in changes.iter_mut().filter(|change| covered.contains(&change.id)) {
                change.blocks.push(Block::Guard { guard: guard.name() });
            }
            refusals.push(refusal);
        }
    }
    refusals
}

/// Asks every guard once more, about the changes of which the server's dry-run answered something else than was predicted;
/// gives what they refuse of those. What was refused before is blocked, and is not refused twice.
pub fn judge_answers(changes: &[Change], facts: &Facts<'_>) -> Vec<Refusal> {
    let answered = changes.iter().filter(|change| change.preview == Preview::Server);
    let answered: BTreeSet<&ResourceId> = answered.map(|change| &change.id).collect();
    let refusals = all().iter().flat_map(|guard| guard.check(changes, facts));
    let mut refusals: Vec<Refusal> = refusals
        .filter(|refusal| refusal.objects.iter().any(|id| answered.contains(id)))
        .collect();
    for refusal in &mut refusals {
        refusal.objects.sort();
    }
    refusals
}

/// `1 object`, `3 objects`.
fn count(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::super::change::tests::change;
    use super::*;
    use crate::diag::Span;
    use crate::fleet::model::Cap;
    use crate::plan::change::Action;

    /// A committed end.
    pub(super) fn decommission() -> Decommission {
        Decommission {
            reason: "replaced".to_owned(),
            span: Span {
                file: "fleet.yaml".into(),
                line: 1,
                column: 1,
                start: 0,
                end: 0,
            },
        }
    }

    /// Facts under which nothing is refused.
    pub(super) struct World {
        pub(super) limits: Limits,
        pub(super) decommission: BTreeMap<UnitId, Decommission>,
        pub(super) units: BTreeSet<UnitId>,
        pub(super) recorded: usize,
        pub(super) newer: BTreeMap<UnitId, Revision>,
        pub(super) suspended: BTreeMap<UnitId, Suspension>,
        pub(super) desired: usize,
        pub(super) incomplete: bool,
        pub(super) adopt: bool,
        pub(super) recorded_of: BTreeMap<UnitId, usize>,
        pub(super) protect_until: BTreeMap<UnitId, Timestamp>,
        pub(super) waived: BTreeMap<ClusterName, Waived>,
        pub(super) remake: BTreeMap<UnitId, Timestamp>,
        pub(super) sighted: BTreeSet<Place>,
        pub(super) strangers: BTreeMap<ResourceId, Vec<String>>,
        pub(super) courses: BTreeMap<UnitId, Course>,
        pub(super) now: Timestamp,
    }

    impl World {
        pub(super) fn new() -> Self {
            Self {
                limits: Limits {
                    deletes: Cap::Count(100),
                    disrupted_nodes: None,
                },
                decommission: BTreeMap::new(),
                units: BTreeSet::new(),
                recorded: 0,
                newer: BTreeMap::new(),
                suspended: BTreeMap::new(),
                desired: 1,
                incomplete: false,
                adopt: false,
                recorded_of: BTreeMap::new(),
                protect_until: BTreeMap::new(),
                waived: BTreeMap::new(),
                remake: BTreeMap::new(),
                sighted: BTreeSet::new(),
                strangers: BTreeMap::new(),
                courses: BTreeMap::new(),
                now: Timestamp::UNIX_EPOCH,
            }
        }

        pub(super) fn check(&self, guard: &dyn Guard, changes: &[Change]) -> Vec<Refusal> {
            guard.check(changes, &self.facts())
        }

        pub(super) fn facts(&self) -> Facts<'_> {
            Facts {
                limits: &self.limits,
                decommission: &self.decommission,
                units: &self.units,
                recorded: self.recorded,
                desired: self.desired,
                incomplete: self.incomplete,
                adopt: self.adopt,
                newer: &self.newer,
                suspended: &self.suspended,
                recorded_of: &self.recorded_of,
                protect_until: &self.protect_until,
                waived: &self.waived,
                remake: &self.remake,
                sighted: &self.sighted,
                strangers: &self.strangers,
                courses: &self.courses,
                now: self.now,
            }
        }
    }

    #[test]
    fn names_are_unique() {
        let names: BTreeSet<_> = all().iter().map(|guard| guard.name()).collect();
        assert_eq!(names.len(), all().len());
    }

    #[test]
    fn what_one_guard_refuses_no_cap_counts() {
        let mut world = World::new();
        world.limits.deletes = Cap::Count(0);
        let mut changes = [change("payments", "HostedCluster", "payments", Action::Delete)];
        let refusals = apply(&mut changes, &world.facts());
        assert_eq!(refusals.iter().map(|r| r.guard).collect::<Vec<_>>(), ["protected"]);
        assert_eq!(changes[0].blocks, [Block::Guard { guard: "protected" }]);
        assert!(!changes[0].goes_ahead());
    }
    #[test]
    fn what_a_server_answers_is_judged_and_nothing_is_refused_twice() {
        let world = World::new();
        let mut answered = change("a", "HostedCluster", "a", Action::Update);
        answered.fields = vec![FieldDiff {
            field: ".spec.fips".to_owned(),
            before: Some(false.into()),
            after: Some(true.into()),
            owner: None,
            replaces: false,
        }];
        answered.preview = Preview::Confirmed;
        let mut changes = [answered, change("b", "HostedCluster", "b", Action::Delete)];
        assert!(
            judge_answers(&changes, &world.facts()).is_empty(),
            "that was judged before"
        );
        changes[0].preview = Preview::Server;
        let refusals = judge_answers(&changes, &world.facts());
        assert_eq!(refusals.iter().map(|r| r.guard).collect::<Vec<_>>(), ["immutable"]);
        changes[0].blocks.push(Block::Guard { guard: "immutable" });
        assert!(judge_answers(&changes, &world.facts()).is_empty());
    }
}
