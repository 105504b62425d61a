//! From a plan of one unit to what is done about it.
//!
//! Invariant: pure; what stands in the way of a change is never taken for "nothing to do". May depend on `plan` and
//! `resource`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use crate::plan::Plan;
use crate::plan::change::{Block, Change, OwnedBy};
use crate::plan::guards::Refusal;
use crate::report::contest;
use crate::resource::UnitId;
use crate::sync::suspension::By;

/// How a unit stands to what its files want.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "camelCase")]
pub enum State {
    /// It is as it should be, or was left to others.
    InSync,
    /// It is as it should be, and its record lags behind.
    Unrecorded,
    /// Something is to be changed, and may be.
    Pending {
        /// Changes that go ahead.
        changes: usize,
    },
    /// Something moved by itself, and is reported alone.
    Drifted {
        /// What, sorted.
        objects: BTreeSet<String>,
    },
    /// A guard or another field manager stands in the way of all that is left to do.
    Refused {
        /// In words.
        reasons: BTreeSet<String>,
    },
    /// What is left to do waits for something that others have to do or that takes its time.
    Waiting {
        /// In words.
        reasons: BTreeSet<String>,
    },
    /// Somebody wants it left alone, or nobody can tell whether somebody does.
    Suspended {
        /// Why, until when and by whose wish.
        reason: String,
        /// When it ends by itself, if it does.
        #[serde(skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
        /// Whether it could not be told: that may be over any moment.
        #[serde(skip)]
        is_guess: bool,
        /// Changes that would be made.
        changes: usize,
    },
    /// Its files have errors: what was applied last stays.
    Held {
        /// The first error.
        reason: String,
    },
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = |all: &BTreeSet<String>| all.iter().map(String::as_str).collect::<Vec<_>>().join("; ");
        match self {
            Self::InSync => f.write_str("in sync"),
            Self::Unrecorded => f.write_str("in sync, its record behind"),
            Self::Pending { changes } => write!(f, "{changes} changes to make"),
            Self::Drifted { objects } => write!(f, "drifted: {}", said(objects)),
            Self::Refused { reasons } => write!(f, "refused: {}", said(reasons)),
            Self::Waiting { reasons } => write!(f, "waits for {}", said(reasons)),
            Self::Suspended { reason, changes, .. } => write!(f, "suspended {reason}; {changes} changes wait"),
            Self::Held { reason } => write!(f, "held: {reason}"),
        }
    }
}

/// What is done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing, until something changes.
    Rest,
    /// The plan is applied.
    Apply,
    /// Another look is taken after a pause.
    LookAgain(Duration),
}

/// What waits for others is looked at again so soon: it is seldom told by an event of ours.
const PATIENCE: Duration = Duration::from_secs(15);

/// How each of some units stands, by a plan of them.
pub(super) fn determine_states(plan: &Plan, units: &BTreeSet<UnitId>) -> BTreeMap<UnitId, State> {
    let mut changes: BTreeMap<&UnitId, Vec<&Change>> = BTreeMap::new();
    for change in &plan.changes {
        changes.entry(&change.unit).or_default().push(change);
    }
    units
        .iter()
        .map(|unit| {
            let of_unit = changes.get(unit).map(Vec::as_slice).unwrap_or_default();
            (unit.clone(), determine_state(plan, unit, of_unit))
        })
        .collect()
}

fn determine_state(plan: &Plan, unit: &UnitId, changes: &[&Change]) -> State {
    if let Some(suspension) = plan.suspended.get(unit) {
        let wanted = |change: &&&Change| !change.blocks.contains(&Block::NotManaged);
        return State::Suspended {
            reason: suspension.to_string(),
            until: suspension.until,
            is_guess: suspension.by == By::Unknown,
            changes: changes.iter().filter(wanted).count(),
        };
    }
    let ahead = changes.iter().filter(|change| change.goes_ahead()).count();
    if ahead > 0 {
        return State::Pending { changes: ahead };
    }
    if let Some(held) = plan.held.iter().find(|held| held.unit == *unit) {
        return State::Held {
            reason: held.reason.clone(),
        };
    }
    let mut found = Found::default();
    for change in changes {
        for block in &change.blocks {
            found.note(plan, change, block);
        }
    }
    let of_unit = plan.ignored.iter().filter(|field| field.unit == *unit);
    found.refused.extend(of_unit.filter_map(contest));
    let Found {
        refused,
        waiting,
        drifted,
    } = found;
    if !refused.is_empty() {
        State::Refused { reasons: refused }
    } else if !waiting.is_empty() {
        State::Waiting { reasons: waiting }
    } else if !drifted.is_empty() {
        State::Drifted { objects: drifted }
    } else if plan.leaves_behind(unit) {
        State::Unrecorded
    } else {
        State::InSync
    }
}

/// What stands in the way, sorted.
#[derive(Default)]
struct Found {
    refused: BTreeSet<String>,
    waiting: BTreeSet<String>,
    drifted: BTreeSet<String>,
}

impl Found {
    fn note(&mut self, plan: &Plan, change: &Change, block: &Block) {
        match block {
            Block::LeftAlone { .. } if change.is_drift() => {
                self.drifted.insert(change.id.to_string());
            }
            Block::LeftAlone { reason } => {
                self.refused.insert(reason.clone());
            }
            Block::Guard { guard } => {
                let covers = |refusal: &&Refusal| refusal.guard == *guard && refusal.objects.contains(&change.id);
                let refusal = plan.refusals.iter().find(covers);
                self.refused
                    .insert(refusal.map_or_else(|| (*guard).to_owned(), |refusal| refusal.message.clone()));
            }
            Block::Conflict { fields } => {
                let said = |owned: &OwnedBy| format!("{}: `{}` is owned by {}", change.id, owned.field, owned.manager);
                self.refused.extend(fields.iter().map(said));
            }
            Block::Invalid { message } => {
                self.refused.insert(format!("{}: {message}", change.id));
            }
            Block::Unknown { reason } => {
                self.waiting.insert(reason.clone());
            }
            Block::Terminating { finalizers, .. } => {
                self.waiting
                    .insert(format!("{} to be gone ({})", change.id, finalizers.join(", ")));
            }
            Block::Precondition { what, lacks } => {
                self.waiting.insert(crate::plan::preconditions::sentence(what, lacks));
            }
            Block::Upgrade { after } => {
                self.waiting.insert(after.clone());
            }
            // What it needs has a reason of its own, here or in another unit.
            Block::Dependency { needs } => {
                self.waiting.insert(format!("{needs}, which waits itself"));
            }
            Block::Contested { fields } => {
                let said = |owned: &OwnedBy| {
                    format!(
                        "{}: `{}` is written again by {} as often as it is mended",
                        change.id, owned.field, owned.manager
                    )
                };
                self.refused.extend(fields.iter().map(said));
            }
            Block::NotManaged | Block::NoProvider | Block::Ignored => {}
        }
    }
}

/// What is done about it.
pub(super) fn next_step(state: &State) -> Step {
    match state {
        State::Pending { .. } | State::Unrecorded => Step::Apply,
        State::Waiting { .. } | State::Suspended { is_guess: true, .. } => Step::LookAgain(PATIENCE),
        // A refusal is lifted by a commit, drift that is reported ends with an event: both are heard of.
        State::InSync
        | State::Drifted { .. }
        | State::Refused { .. }
        | State::Suspended { .. }
        | State::Held { .. } => Step::Rest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::change::tests::{change, plan};
    use crate::plan::change::{Action, Reason};

    fn state(plan: &Plan) -> State {
        let units = BTreeSet::from([plan.changes[0].unit.clone()]);
        determine_states(plan, &units).into_values().next().unwrap()
    }

    #[test]
    fn what_goes_ahead_is_applied_whatever_else_is_in_the_way() {
        let mut blocked = change("a", "ConfigMap", "y", Action::Create);
        blocked.blocks.push(Block::Unknown {
            reason: "no answer".to_owned(),
        });
        let mixed = plan(vec![change("a", "ConfigMap", "x", Action::Create), blocked.clone()]);
        assert_eq!(state(&mixed), State::Pending { changes: 1 });
        assert_eq!(next_step(&state(&mixed)), Step::Apply);
        let waiting = state(&plan(vec![blocked]));
        assert_eq!(
            waiting,
            State::Waiting {
                reasons: BTreeSet::from(["no answer".to_owned()])
            }
        );
        assert_eq!(next_step(&waiting), Step::LookAgain(PATIENCE));
    }

    fn left_alone(reason: &str) -> impl Fn(&Change) -> Option<Block> {
        |_| {
            Some(Block::LeftAlone {
                reason: reason.to_owned(),
            })
        }
    }

    #[test]
    fn what_is_fought_over_is_named_and_what_is_ignored_is_in_sync() {
        let mut moved = change("a", "NodePool", "x", Action::Update);
        moved.reason = Reason::Drifted;
        let (mut fought, mut ignored) = (plan(vec![moved.clone()]), plan(vec![moved]));
        let fields = vec![OwnedBy {
            field: ".spec.replicas".to_owned(),
            manager: "kubectl".to_owned(),
        }];
        fought
            .leave_alone(|_| Some(Block::Contested { fields: fields.clone() }))
            .unwrap();
        let said = state(&fought).to_string();
        assert!(said.contains("`.spec.replicas`") && said.contains("kubectl"), "{said}");
        assert_eq!(next_step(&state(&fought)), Step::Rest);
        ignored.leave_alone(|_| Some(Block::Ignored)).unwrap();
        assert_eq!(state(&ignored), State::InSync);
    }

    #[test]
    fn drift_that_is_left_alone_is_reported_and_what_else_is_left_alone_is_refused() {
        let mut moved = change("a", "ConfigMap", "x", Action::Update);
        moved.reason = Reason::Drifted;
        let mut drifted = plan(vec![moved]);
        drifted.leave_alone(left_alone("drift is reported")).unwrap();
        assert!(matches!(state(&drifted), State::Drifted { objects } if objects.len() == 1));
        let mut capped = plan(vec![change("a", "ConfigMap", "x", Action::Delete)]);
        capped.leave_alone(left_alone("the cap")).unwrap();
        assert_eq!(
            state(&capped),
            State::Refused {
                reasons: BTreeSet::from(["the cap".to_owned()])
            }
        );
    }

    #[test]
    fn a_suspended_unit_is_suspended_whatever_else_it_is_and_nothing_of_it_is_applied() {
        let mut refused = change("a", "ConfigMap", "x", Action::Create);
        refused.blocks.push(Block::Guard {
            guard: crate::plan::guards::SUSPENDED,
        });
        let mut suspended = plan(vec![refused]);
        let mut suspension = crate::sync::Suspension {
            reason: "a freeze".to_owned(),
            until: None,
            by: By::Files("fleet.yaml:1:1".to_owned()),
        };
        let unit = suspended.changes[0].unit.clone();
        suspended.suspended.insert(unit.clone(), suspension.clone());
        let told = state(&suspended);
        assert!(matches!(told, State::Suspended { changes: 1, .. }), "{told}");
        assert_eq!(next_step(&told), Step::Rest);
        suspension.by = By::Unknown;
        suspended.suspended.insert(unit, suspension);
        assert_eq!(next_step(&state(&suspended)), Step::LookAgain(PATIENCE));
    }

    #[test]
    fn a_unit_without_changes_is_in_sync() {
        let plan = plan(vec![change("a", "ConfigMap", "x", Action::Create)]);
        let other = change("b", "ConfigMap", "x", Action::Create).unit;
        assert_eq!(
            determine_states(&plan, &BTreeSet::from([other.clone()])),
            BTreeMap::from([(other, State::InSync)])
        );
    }
}
