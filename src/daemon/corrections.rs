//! What was mended how often: nobody mends for ever against somebody who will not stop.
//!
//! Invariant: pure; time is what the caller says it is. What was mended too often is left alone and named, until its files
//! change or it has been left in peace for a while. That is a field, and the rest of its object goes on being mended. What an
//! earlier daemon had found out so and told is taken over, once for each unit. May depend on `plan`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use crate::plan::change::{Block, Change, NOBODY_RECORDED, OwnedBy, Reason};
use crate::plan::ignore::Contested;
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
    /// Units of which nothing is taken over any more: that was done, or they have begun anew since.
    recalled: BTreeSet<UnitId>,
}

/// A field that was fought over, as an earlier daemon told it.
#[derive(Clone, Debug)]
pub(super) struct Recalled {
    pub(super) id: ResourceId,
    pub(super) field: OwnedBy,
    /// How long ago that was first seen.
    pub(super) age: Duration,
}

#[derive(Debug)]
struct Mended {
    unit: UnitId,
    /// When, and which fields; the oldest first.
    corrections: VecDeque<(Duration, Vec<String>)>,
    /// The fields that are fought over, with whom, and until when they are left.
    contested: BTreeMap<String, (String, Duration)>,
}

/// What keeps a drifted object from being mended.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Judged {
    pub(super) block: Block,
    /// Whether another plan would leave less of the object alone: some of its fields are fought over from now on.
    pub(super) is_new: bool,
}

impl Corrections {
    /// The fields that are fought over.
    pub(super) fn contested(&self) -> Contested {
        let of_object = |(id, mended): (&ResourceId, &Mended)| {
            let fields = mended.contested.iter().filter(|(field, _)| *field != ITSELF);
            let fields: Vec<OwnedBy> = fields
                .map(|(field, (manager, _))| OwnedBy {
                    field: field.clone(),
                    manager: manager.clone(),
                })
                .collect();
            (!fields.is_empty()).then(|| (id.clone(), fields))
        };
        self.objects.iter().filter_map(of_object).collect()
    }

    /// Whether what was told of a unit before is to be taken over still.
    pub(super) fn asks_for(&self, unit: &UnitId) -> bool {
        !self.recalled.contains(unit)
    }

    /// Takes over what was fought over of a unit when it was last told of. A field that has been fought over for long was tried
    /// again after each peace: it is left alone for what remains of the present one, so that restarts neither begin the fight
    /// nor put its end off.
    pub(super) fn recall(&mut self, unit: &UnitId, fields: Vec<Recalled>, now: Duration) {
        self.recalled.insert(unit.clone());
        for Recalled { id, field, age } in fields {
            let left = PEACE.saturating_sub(Duration::from_secs(age.as_secs() % PEACE.as_secs()));
            let mended = self.objects.entry(id).or_insert_with(|| Mended::of(unit));
            let contested = mended.contested.entry(field.field);
            contested.or_insert((field.manager, now + left));
        }
    }

    /// What keeps a drifted object from being mended; none where it may be.
    pub(super) fn judge(&mut self, change: &Change, now: Duration) -> Option<Judged> {
        let mended = self.objects.get_mut(&change.id)?;
        mended.expire(now);
        let mut is_new = false;
        let mut fought = Vec::new();
        for (field, manager) in places(change) {
            let is_known = mended.contested.contains_key(&field);
            if !is_known && mended.times(&field) < OF_A_FIELD {
                continue;
            }
            if !is_known {
                mended.contested.insert(field.clone(), (manager.clone(), now + PEACE));
                is_new |= field != ITSELF;
            }
            fought.push(OwnedBy { field, manager });
        }
        let block = if !fought.is_empty() {
            Block::Contested { fields: fought }
        } else if mended.corrections.len() >= OF_AN_OBJECT {
            Block::LeftAlone {
                reason: format!(
                    "it was mended {OF_AN_OBJECT} times within {} minutes",
                    WINDOW.as_secs() / 60
                ),
            }
        } else {
            return None;
        };
        Some(Judged { block, is_new })
    }

    /// Notes that an object was mended.
    pub(super) fn note(&mut self, change: &Change, now: Duration) {
        let mended = self.objects.entry(change.id.clone());
        let mended = mended.or_insert_with(|| Mended::of(&change.unit));
        let fields = places(change).map(|(field, _)| field).collect();
        mended.corrections.push_back((now, fields));
    }

    /// Begins anew with a unit: its files have changed.
    pub(super) fn forget(&mut self, unit: &UnitId) {
        self.objects.retain(|_, mended| mended.unit != *unit);
        self.recalled.insert(unit.clone());
    }

    /// These units are ours from now on. What another daemon has done of the others meanwhile is taken over when they come back.
    pub(super) fn keep(&mut self, units: &BTreeSet<UnitId>) {
        self.objects.retain(|_, mended| units.contains(&mended.unit));
        self.recalled.retain(|unit| units.contains(unit));
    }

    /// Drops what no longer counts.
    pub(super) fn expire(&mut self, now: Duration) {
        self.objects.retain(|_, mended| {
            mended.expire(now);
            !mended.corrections.is_empty() || !mended.contested.is_empty()
        });
    }
}

impl Mended {
    fn of(unit: &UnitId) -> Self {
        Self {
            unit: unit.clone(),
            corrections: VecDeque::new(),
            contested: BTreeMap::new(),
        }
    }

    fn expire(&mut self, now: Duration) {
        while self.corrections.front().is_some_and(|(at, _)| *at + WINDOW <= now) {
            self.corrections.pop_front();
        }
        self.contested.retain(|_, (_, until)| *until > now);
    }

    fn times(&self, field: &str) -> usize {
        let with = |(_, fields): &&(Duration, Vec<String>)| fields.iter().any(|mended| mended == field);
        self.corrections.iter().filter(with).count()
    }
}

/// Where it drifted, and who wrote there.
fn places(change: &Change) -> impl Iterator<Item = (String, String)> {
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
        let fields = vec![OwnedBy {
            field: ".spec.replicas".to_owned(),
            manager: "kubectl".to_owned(),
        }];
        assert_eq!(
            corrections.contested(),
            BTreeMap::from([(change.id.clone(), fields.clone())])
        );
        let block = Block::Contested { fields };
        let judged = corrections.judge(&change, at(30));
        assert_eq!(
            judged,
            Some(Judged { block, is_new: false }),
            "it can't be held, and there is nothing to plan again"
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
    fn the_rest_of_an_object_is_mended_while_a_field_of_it_is_fought_over() {
        let mut corrections = Corrections::default();
        let mut both = drifted("x", ".spec.replicas");
        mend(&mut corrections, &both, 0, 3);
        both.fields.extend(drifted("x", ".spec.paused").fields);
        let judged = corrections.judge(&both, at(5)).expect("it is fought over");
        assert!(judged.is_new, "a plan that holds it leaves the other field");
        assert!(matches!(&judged.block, Block::Contested { fields } if fields.len() == 1));
        assert_eq!(mend(&mut corrections, &drifted("x", ".spec.paused"), 6, 1), 1);
        corrections.expire(at(5 + 1800));
        assert!(corrections.contested().is_empty(), "it is tried again");
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
        assert!(
            matches!(&block, Some(judged) if matches!(judged.block, Block::LeftAlone { .. }) && !judged.is_new),
            "{block:?}"
        );
    }

    #[test]
    fn an_object_that_is_deleted_again_and_again_is_fought_over_too() {
        let mut corrections = Corrections::default();
        let mut gone = drifted("x", "");
        gone.reason = Reason::Vanished;
        gone.fields.clear();
        assert_eq!(mend(&mut corrections, &gone, 0, 9), 3);
        assert!(corrections.contested().is_empty(), "no field of it is held");
    }

    #[test]
    fn what_was_fought_over_before_a_restart_is_left_alone_for_the_rest_of_its_peace() {
        let change = drifted("x", ".spec.replicas");
        let recalled = |age| Recalled {
            id: change.id.clone(),
            field: OwnedBy {
                field: ".spec.replicas".to_owned(),
                manager: "kubectl".to_owned(),
            },
            age: at(age),
        };
        for (age, peace) in [(0, 1800), (600, 1200), (1800, 1800), (4000, 1400)] {
            let mut corrections = Corrections::default();
            assert!(corrections.asks_for(&change.unit));
            corrections.recall(&change.unit, vec![recalled(age)], at(5));
            assert!(!corrections.asks_for(&change.unit), "once");
            assert_eq!(mend(&mut corrections, &change, 5, 20), 0, "{age}");
            assert_eq!(corrections.contested().len(), 1);
            assert_eq!(mend(&mut corrections, &change, 5 + peace - 1, 1), 0, "{age}");
            assert_eq!(mend(&mut corrections, &change, 5 + peace, 1), 1, "{age}");
        }
        // What was told before a new wish is of no account.
        let mut corrections = Corrections::default();
        corrections.forget(&change.unit);
        assert!(!corrections.asks_for(&change.unit));
        // Who gives a unit away and gets it back knows nothing of it.
        corrections.keep(&BTreeSet::new());
        assert!(corrections.asks_for(&change.unit));
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
