//! What was mended how often: nobody mends for ever against somebody who will not stop.
//!
//! Invariant: pure; time is what the caller says it is. What was mended too often is left alone and named, until its files
//! change or it has been left in peace for a while. May depend on `plan`.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::plan::change::{Block, Change, OwnedBy, Reason};
use crate::resource::{ResourceId, UnitId};

/// Mending a field more often than this within the window is a fight.
const OF_A_FIELD: usize = 3;
/// An object is mended no more often than this within the window, whichever its fields.
const OF_AN_OBJECT: usize = 10;
/// How long a correction counts.
const WINDOW: Duration = Duration::from_secs(600);
/// How long what is fought over is left alone, from when that was seen.
const PEACE: Duration = Duration::from_secs(1800);
/// The place of an object that was deleted, among its fields.
const ITSELF: &str = "the object";

/// What was mended lately.
#[derive(Debug, Default)]
pub(super) struct Corrections {
    objects: BTreeMap<ResourceId, Mended>,
}

#[derive(Debug)]
struct Mended {
    unit: UnitId,
    /// When, and which fields; the oldest first.
    corrections: VecDeque<(Duration, Vec<String>)>,
    /// The fields that are fought over, and until when they are left.
    contested: Option<(Vec<OwnedBy>, Duration)>,
}

impl Corrections {
    /// What keeps a drifted object from being mended; none where it may be.
    pub(super) fn judge(&mut self, change: &Change, now: Duration) -> Option<Block> {
        let mended = self.objects.get_mut(&change.id)?;
        mended.expire(now);
        if let Some((fields, _)) = &mended.contested {
            return Some(Block::Contested { fields: fields.clone() });
        }
        let times = |field: &str| {
            let with = |(_, fields): &&(Duration, Vec<String>)| fields.iter().any(|mended| mended == field);
            mended.corrections.iter().filter(with).count()
        };
        let fought: Vec<OwnedBy> = places(change)
            .filter(|(field, _)| times(field) >= OF_A_FIELD)
            .map(|(field, manager)| OwnedBy { field, manager })
            .collect();
        if !fought.is_empty() {
            mended.contested = Some((fought.clone(), now + PEACE));
            return Some(Block::Contested { fields: fought });
        }
        (mended.corrections.len() >= OF_AN_OBJECT).then(|| Block::LeftAlone {
            reason: format!(
                "it was mended {OF_AN_OBJECT} times within {} minutes",
                WINDOW.as_secs() / 60
            ),
        })
    }

    /// Notes that an object was mended.
    pub(super) fn note(&mut self, change: &Change, now: Duration) {
        let mended = self.objects.entry(change.id.clone()).or_insert_with(|| Mended {
            unit: change.unit.clone(),
            corrections: VecDeque::new(),
            contested: None,
        });
        let fields = places(change).map(|(field, _)| field).collect();
        mended.corrections.push_back((now, fields));
    }

    /// Begins anew with a unit: its files have changed.
    pub(super) fn forget(&mut self, unit: &UnitId) {
        self.objects.retain(|_, mended| mended.unit != *unit);
    }

    /// Drops what no longer counts.
    pub(super) fn expire(&mut self, now: Duration) {
        self.objects.retain(|_, mended| {
            mended.expire(now);
            !mended.corrections.is_empty() || mended.contested.is_some()
        });
    }
}

impl Mended {
    fn expire(&mut self, now: Duration) {
        while self.corrections.front().is_some_and(|(at, _)| *at + WINDOW <= now) {
            self.corrections.pop_front();
        }
        if self.contested.as_ref().is_some_and(|(_, until)| *until <= now) {
            // One more attempt, and then another peace.
            self.contested = None;
        }
    }
}

/// Where it drifted, and who wrote there.
fn places(change: &Change) -> impl Iterator<Item = (String, String)> {
    const NOBODY_RECORDED: &str = "somebody who is not recorded";
    let is_gone = change.reason == Reason::Vanished || change.fields.is_empty();
    let itself = is_gone.then(|| (ITSELF.to_owned(), NOBODY_RECORDED.to_owned()));
    let fields = change.fields.iter().filter(move |_| !is_gone).map(|field| {
        let manager = field.owner.as_ref().map(|owner| owner.manager.clone());
        (
            field.field.clone(),
            manager.unwrap_or_else(|| NOBODY_RECORDED.to_owned()),
        )
    });
    itself.into_iter().chain(fields)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::change::tests::change;
    use crate::plan::change::{Action, FieldDiff, FieldOwner};

    fn drifted(name: &str, field: &str) -> Change {
        let mut change = change("a", "NodePool", name, Action::Update);
        change.reason = Reason::Drifted;
        change.fields = vec![FieldDiff {
            field: field.to_owned(),
            before: None,
            after: None,
            owner: Some(FieldOwner {
                manager: "kubectl".to_owned(),
                time: None,
            }),
            replaces: false,
        }];
        change
    }

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// Mends as often as may be, once a second; says how often that was.
    fn mend(corrections: &mut Corrections, change: &Change, from: u64, times: u64) -> u64 {
        let may = |second: &u64| {
            let may = corrections.judge(change, at(*second)).is_none();
            if may {
                corrections.note(change, at(*second));
            }
            may
        };
        (from..from + times).filter(may).count() as u64
    }

    #[test]
    fn a_field_that_another_keeps_writing_is_named_and_left_alone() {
        let mut corrections = Corrections::default();
        let change = drifted("x", ".spec.replicas");
        assert_eq!(mend(&mut corrections, &change, 0, 20), 3);
        let Some(Block::Contested { fields }) = corrections.judge(&change, at(30)) else {
            panic!("not contested");
        };
        assert_eq!(
            (fields[0].field.as_str(), fields[0].manager.as_str()),
            (".spec.replicas", "kubectl")
        );
        assert_eq!(
            mend(&mut corrections, &drifted("y", ".spec.replicas"), 0, 1),
            1,
            "another object"
        );
        // After the peace it is tried again, and no more often than before.
        assert_eq!(mend(&mut corrections, &change, 1900, 20), 3);
        // A commit is a new wish.
        corrections.forget(&change.unit);
        assert_eq!(mend(&mut corrections, &change, 2000, 1), 1);
    }

    #[test]
    fn now_and_then_is_no_fight_and_many_fields_are_one_object() {
        let mut corrections = Corrections::default();
        let change = drifted("x", ".spec.replicas");
        for time in 0..20 {
            assert_eq!(mend(&mut corrections, &change, time * 301, 1), 1, "{time}");
        }
        let mut corrections = Corrections::default();
        let mended: u64 = (0..20)
            .map(|n| mend(&mut corrections, &drifted("x", &format!(".spec.f{n}")), n, 1))
            .sum();
        assert_eq!(mended, 10);
        let block = corrections.judge(&drifted("x", ".spec.other"), at(30));
        assert!(matches!(block, Some(Block::LeftAlone { .. })), "{block:?}");
    }

    #[test]
    fn an_object_that_is_deleted_again_and_again_is_fought_over_too() {
        let mut corrections = Corrections::default();
        let mut gone = drifted("x", "");
        gone.reason = Reason::Vanished;
        gone.fields.clear();
        assert_eq!(mend(&mut corrections, &gone, 0, 9), 3);
    }

    #[test]
    fn nothing_is_remembered_for_ever() {
        let mut corrections = Corrections::default();
        mend(&mut corrections, &drifted("x", ".spec.replicas"), 0, 9);
        corrections.expire(at(700));
        assert_eq!(corrections.objects.len(), 1, "left in peace still");
        corrections.expire(at(2400));
        assert!(corrections.objects.is_empty());
    }
}
