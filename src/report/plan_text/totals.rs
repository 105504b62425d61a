//! How much a plan does, in one line.

use std::fmt;

use crate::plan::Plan;
use crate::plan::change::{Action, Block, Change};
use crate::report::left_out;

/// The last line.
pub(in crate::report) struct Totals {
    pub(in crate::report) create: usize,
    pub(in crate::report) update: usize,
    pub(in crate::report) adopt: usize,
    pub(in crate::report) delete: usize,
    pub(in crate::report) forget: usize,
    /// What does not go ahead, for whatever reason; the next ones are parts of it.
    pub(in crate::report) waiting: usize,
    refused: usize,
    unknown: usize,
    left: usize,
    pub(in crate::report) unchanged: usize,
    /// How it begins where there is no change.
    nothing: &'static str,
}

/// Why a change does not go ahead, the worst reason counting.
#[derive(PartialEq, Eq)]
enum Stop {
    Refused,
    Unknown,
    Left,
    Waits,
}

fn stop(change: &Change) -> Option<Stop> {
    if change.goes_ahead() {
        return None;
    }
    let is = |wanted: fn(&Block) -> bool| change.blocks.iter().any(wanted);
    Some(
        if is(|block| matches!(block, Block::Guard { .. } | Block::Conflict { .. })) {
            Stop::Refused
        } else if is(|block| matches!(block, Block::Unknown { .. })) {
            Stop::Unknown
        } else if is(|block| matches!(block, Block::NotManaged | Block::Ignored | Block::LeftAlone { .. })) {
            Stop::Left
        } else {
            Stop::Waits
        },
    )
}

impl Totals {
    pub(in crate::report) fn of(plan: &Plan) -> Self {
        Self {
            unchanged: plan.unchanged,
            nothing: left_out::nothing(plan),
            ..Self::of_changes(&plan.changes)
        }
    }

    /// Of some changes alone.
    pub(in crate::report) fn of_changes(changes: &[Change]) -> Self {
        let going = |action| {
            let of_action = changes.iter().filter(|change| change.action == action);
            of_action.filter(|change| change.goes_ahead()).count()
        };
        let stopped = |by: Stop| {
            let of = changes.iter().filter(|change| stop(change).as_ref() == Some(&by));
            of.count()
        };
        Self {
            create: going(Action::Create),
            update: going(Action::Update),
            adopt: going(Action::Adopt),
            delete: going(Action::Delete),
            forget: going(Action::Forget),
            waiting: changes.iter().filter(|change| !change.goes_ahead()).count(),
            refused: stopped(Stop::Refused),
            unknown: stopped(Stop::Unknown),
            left: stopped(Stop::Left),
            unchanged: 0,
            nothing: "Nothing to do",
        }
    }

    /// Adds those of so many units that are alike.
    pub(in crate::report) fn add(&mut self, one: &Self, times: usize) {
        self.create += one.create * times;
        self.update += one.update * times;
        self.adopt += one.adopt * times;
        self.delete += one.delete * times;
        self.forget += one.forget * times;
        self.waiting += one.waiting * times;
        self.refused += one.refused * times;
        self.unknown += one.unknown * times;
        self.left += one.left * times;
    }

    /// Objects that can't be told.
    pub(in crate::report) fn unknown(&self) -> usize {
        self.unknown
    }

    /// `2 to create`, `1 waiting`: what there is of each.
    pub(in crate::report) fn parts(&self) -> Vec<String> {
        let Self {
            create,
            update,
            adopt,
            delete,
            forget,
            waiting,
            refused,
            unknown,
            left,
            unchanged: _,
            nothing: _,
        } = *self;
        let counts = [
            (create, "to create"),
            (update, "to update"),
            (adopt, "to adopt"),
            (delete, "to delete"),
            (forget, "to forget"),
            (refused, "refused"),
            (unknown, "not known"),
            (waiting - refused - unknown - left, "waiting"),
            (left, "left alone"),
        ];
        let there = counts.iter().filter(|(count, _)| *count > 0);
        there.map(|(count, what)| format!("{count} {what}")).collect()
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (parts, unchanged) = (self.parts(), self.unchanged);
        if !parts.is_empty() && self.left < parts_of(self) {
            return write!(f, "Plan: {}; {unchanged} unchanged.", parts.join(", "));
        }
        match unchanged {
            1 => write!(f, "{}: 1 object is as the fleet files say", self.nothing)?,
            _ => write!(f, "{}: {unchanged} objects are as the fleet files say", self.nothing)?,
        }
        match self.left {
            0 => f.write_str("."),
            1 => f.write_str(", 1 that is not is left alone."),
            left => write!(f, ", {left} that are not are left alone."),
        }
    }
}

/// All changes there are.
fn parts_of(totals: &Totals) -> usize {
    let Totals {
        create,
        update,
        adopt,
        delete,
        forget,
        waiting,
        ..
    } = totals;
    create + update + adopt + delete + forget + waiting
}
