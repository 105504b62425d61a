//! From what a look showed to the status that is written.
//!
//! Invariant: pure. Since when something is so is taken from what was written before, in this run or in an earlier one; what
//! could not be looked at keeps what was last known of it.

use jiff::Timestamp;

use crate::daemon::facts::{self, Details, DriftSeen, UnitFacts};
use crate::daemon::state::State;
use crate::resource::UnitId;
use crate::sync::{
    Condition, Drift, DriftedObject, FleetSync, LastError, Pending, SuspensionReport, Time, Truth, UnitCounts, UnitRef,
    UnitSync, cut, set,
};

/// What a unit's status says.
pub(super) fn unit(
    before: &UnitSync,
    unit: &UnitId,
    facts: &UnitFacts,
    handled: Option<&str>,
    generation: i64,
    now: Timestamp,
) -> UnitSync {
    let now = Time::new(now);
    let (state, message) = words(facts);
    let mut after = UnitSync {
        observed_generation: generation,
        unit: UnitRef::from(unit),
        // Of a cluster that left the files only what was written knows.
        environment: facts.environment.clone().or_else(|| before.environment.clone()),
        state: state.to_owned(),
        message: cut(&message),
        observed_revision: Some(facts.revision.to_string()),
        last_error: error(before.last_error.as_ref(), facts.error.as_deref(), now),
        last_handled_reconcile_at: handled
            .map(str::to_owned)
            .or_else(|| before.last_handled_reconcile_at.clone()),
        ..before.clone()
    };
    if let Some(details) = &facts.details {
        after.applied_revision = details.applied.as_ref().map(ToString::to_string);
        after.pending = pending(details);
        after.drift = drift(before.drift.as_ref(), &details.drift, now);
        after.inventory = details.inventory.clone();
        after.suspension = details.suspension.as_ref().map(SuspensionReport::from);
    }
    conditions(&mut after, facts, now);
    after
}

/// One word, and the same for people.
fn words(facts: &UnitFacts) -> (&'static str, String) {
    let said = |state: &State| state.to_string();
    match (&facts.error, &facts.state) {
        (Some(error), None) => ("Unknown", error.clone()),
        (Some(error), Some(_)) => ("Failed", error.clone()),
        (None, None) => ("Unknown", "it has not been looked at".to_owned()),
        (None, Some(state)) => match state {
            State::InSync | State::Unrecorded => ("InSync", said(state)),
            State::Pending { changes } => match &facts.details {
                Some(details) if details.pending == 0 => {
                    ("Reconciling", format!("{changes} changes made, to be confirmed"))
                }
                _ => ("Reconciling", said(state)),
            },
            State::Drifted { .. } => ("Drifted", said(state)),
            State::Refused { .. } => ("Refused", said(state)),
            State::Waiting { .. } => ("Waiting", said(state)),
            State::Suspended { .. } => ("Suspended", said(state)),
            State::Held { .. } => ("Held", said(state)),
        },
    }
}

fn error(before: Option<&LastError>, error: Option<&str>, now: Time) -> Option<LastError> {
    let message = cut(error?);
    let since = before
        .filter(|before| before.message == message)
        .map(|before| before.since);
    Some(LastError {
        message,
        since: since.unwrap_or(now),
    })
}

fn pending(details: &Details) -> Option<Pending> {
    (details.pending > 0).then(|| Pending {
        count: whole(details.pending),
        changes: details.changes.clone(),
    })
}

fn drift(before: Option<&Drift>, seen: &[DriftSeen], now: Time) -> Option<Drift> {
    if seen.is_empty() {
        return None;
    }
    let known = before.map(|before| before.objects.as_slice()).unwrap_or_default();
    // Of what was only counted before, all that is known is that it was not before the first of them.
    let uncounted = before.filter(|before| before.count > whole(before.objects.len()));
    let since = |object: &str| {
        let same = known.iter().find(|known| known.object == object);
        same.map(|known| known.since)
            .or(uncounted.map(|before| before.since))
            .unwrap_or(now)
    };
    let objects: Vec<DriftedObject> = facts::listed(seen)
        .iter()
        .map(|seen| DriftedObject {
            object: seen.object.clone(),
            since: since(&seen.object),
            vanished: seen.vanished,
            fields: seen.fields.clone(),
        })
        .collect();
    Some(Drift {
        count: whole(seen.len()),
        since: seen.iter().map(|seen| since(&seen.object)).min().unwrap_or(now),
        objects,
    })
}

fn conditions(after: &mut UnitSync, facts: &UnitFacts, now: Time) {
    let generation = after.observed_generation;
    let condition = |kind: &str, status: Truth, reason: &str, message: &str| Condition {
        kind: kind.to_owned(),
        status,
        reason: reason.to_owned(),
        message: message.to_owned(),
        last_transition_time: now,
        observed_generation: generation,
    };
    let ready = match after.state.as_str() {
        "InSync" => Truth::True,
        "Unknown" => Truth::Unknown,
        // Suspended and with nothing to do it is as it should be.
        "Suspended" => Truth::from(after.pending.is_none()),
        _ => Truth::False,
    };
    let is_stalled = matches!(after.state.as_str(), "Refused" | "Held");
    let message = after.message.clone();
    let (drifted, drift) = match (&after.drift, &facts.details) {
        (_, None) => (Truth::Unknown, String::new()),
        (Some(drift), _) => (Truth::True, format!("{} objects moved by themselves", drift.count)),
        (None, _) => (Truth::False, String::new()),
    };
    let (suspended, suspension) = match (&facts.details, &after.suspension) {
        (None, _) => (Truth::Unknown, String::new()),
        (Some(_), Some(suspension)) => (Truth::True, cut(&format!("{} ({})", suspension.reason, suspension.by))),
        (Some(_), None) => (Truth::False, String::new()),
    };
    let reason = after.state.clone();
    let yes_no = |truth, yes, no| match truth {
        Truth::True => yes,
        Truth::False => no,
        Truth::Unknown => "Unknown",
    };
    let all = [
        condition("Ready", ready, &reason, &message),
        condition("Drifted", drifted, yes_no(drifted, "Drifted", "NoDrift"), &drift),
        condition(
            "Suspended",
            suspended,
            yes_no(suspended, "Suspended", "Active"),
            &suspension,
        ),
        condition(
            "Stalled",
            Truth::from(is_stalled),
            if is_stalled { &reason } else { "Progressing" },
            if is_stalled { &message } else { "" },
        ),
    ];
    for condition in all {
        set(&mut after.conditions, condition);
    }
}

/// What is known of the fleet, apart from its units.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::daemon) struct FleetFacts {
    /// The revision in force.
    pub(in crate::daemon) revision: Option<String>,
    /// Since when.
    pub(in crate::daemon) since: Option<Timestamp>,
    /// Why what the source holds now is not in force.
    pub(in crate::daemon) error: Option<String>,
}

/// What a fleet's status says; of each of its units what was told, none where nothing was yet.
pub(super) fn fleet<'a>(
    before: &FleetSync,
    name: &str,
    facts: &FleetFacts,
    units: impl Iterator<Item = Option<&'a UnitSync>>,
    (suspended, handled): (Option<String>, Option<&str>),
    (generation, now): (i64, Timestamp),
) -> FleetSync {
    let now = Time::new(now);
    let mut counts = UnitCounts::default();
    for unit in units {
        counts.total += 1;
        let Some(unit) = unit else {
            counts.reconciling += 1;
            continue;
        };
        match unit.state.as_str() {
            "InSync" => counts.ready += 1,
            "Suspended" => counts.suspended += 1,
            "Refused" | "Held" => counts.refused += 1,
            "Failed" | "Unknown" => counts.failed += 1,
            "Waiting" => counts.waiting += 1,
            "Reconciling" => counts.reconciling += 1,
            _ => {}
        }
        counts.drifted += i64::from(unit.drift.is_some());
    }
    // A daemon that starts anew brings the same revision into force: that is no news.
    let since = match before.since {
        Some(since) if before.revision == facts.revision => Some(since),
        _ => facts.since.map(Time::new),
    };
    let mut after = FleetSync {
        observed_generation: generation,
        fleet: name.to_owned(),
        revision: facts.revision.clone(),
        since,
        last_error: error(before.last_error.as_ref(), facts.error.as_deref(), now),
        last_handled_reconcile_at: handled
            .map(str::to_owned)
            .or_else(|| before.last_handled_reconcile_at.clone()),
        units: counts,
        conditions: before.conditions.clone(),
    };
    let condition = |kind: &str, holds: bool, (yes, no): (&str, &str), message: String| Condition {
        kind: kind.to_owned(),
        status: Truth::from(holds),
        reason: if holds { yes } else { no }.to_owned(),
        message: cut(&message),
        last_transition_time: now,
        observed_generation: generation,
    };
    let counts = &after.units;
    let is_ready = facts.error.is_none() && facts.revision.is_some() && counts.ready == counts.total;
    let said = format!("{} of {} units are as they should be", counts.ready, counts.total);
    let drifted = format!("{} units have drifted", counts.drifted);
    let all = [
        condition("Ready", is_ready, ("InSync", "NotInSync"), said),
        condition("Drifted", counts.drifted > 0, ("Drifted", "NoDrift"), drifted),
        condition(
            "Suspended",
            suspended.is_some(),
            ("Suspended", "Active"),
            suspended.unwrap_or_default(),
        ),
        condition(
            "Stalled",
            facts.error.is_some(),
            ("RevisionRefused", "Progressing"),
            facts.error.clone().unwrap_or_default(),
        ),
    ];
    for condition in all {
        set(&mut after.conditions, condition);
    }
    after
}

fn whole(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::resource::{ClusterName, ManagementClusterName, Revision};
    use crate::sync::DriftedField;

    pub(in crate::daemon::tell) fn facts(state: State, details: Details) -> UnitFacts {
        UnitFacts {
            on: ManagementClusterName::new("m"),
            environment: Some("dev".to_owned()),
            revision: Revision::new("r"),
            state: Some(state),
            error: None,
            details: Some(details),
        }
    }

    pub(in crate::daemon::tell) fn drifted(objects: &[&str]) -> UnitFacts {
        let seen = objects.iter().map(|object| DriftSeen {
            object: (*object).to_owned(),
            vanished: false,
            fields: vec![DriftedField {
                field: ".spec.replicas".to_owned(),
                manager: Some("kubectl-scale".to_owned()),
                written_at: None,
                contested: false,
            }],
        });
        let details = Details {
            pending: objects.len(),
            drift: seen.collect(),
            ..Details::default()
        };
        let objects = objects.iter().map(|object| (*object).to_owned()).collect();
        facts(State::Drifted { objects }, details)
    }

    pub(in crate::daemon::tell) fn compose(before: &UnitSync, facts: &UnitFacts, second: i64) -> UnitSync {
        let cluster = UnitId::Cluster(ClusterName::new("a"));
        unit(
            before,
            &cluster,
            facts,
            None,
            1,
            Timestamp::from_second(second).unwrap(),
        )
    }

    fn truth(status: &UnitSync, kind: &str) -> (Truth, i64) {
        let condition = status
            .conditions
            .iter()
            .find(|condition| condition.kind == kind)
            .unwrap();
        (condition.status, condition.last_transition_time.timestamp().as_second())
    }

    #[test]
    fn drift_is_as_old_as_it_was_first_seen_even_by_an_earlier_run() {
        let first = compose(&UnitSync::default(), &drifted(&["x"]), 100);
        // What an earlier run wrote is all that a later one knows.
        let read: UnitSync = serde_json::from_str(&serde_json::to_string(&first).unwrap()).unwrap();
        let later = compose(&read, &drifted(&["x", "y"]), 500);
        let drift = later.drift.as_ref().unwrap();
        let since = |n: usize| drift.objects[n].since.timestamp().as_second();
        assert_eq!((since(0), since(1)), (100, 500));
        assert_eq!(drift.since, Time::of_second(100));
        assert_eq!(drift.objects[0].fields[0].manager.as_deref(), Some("kubectl-scale"));
        assert_eq!(truth(&later, "Drifted"), (Truth::True, 100));
        let mended = compose(&later, &facts(State::InSync, Details::default()), 600);
        assert_eq!(mended.drift, None);
        assert_eq!(truth(&mended, "Drifted"), (Truth::False, 600));
        assert_eq!(truth(&mended, "Ready"), (Truth::True, 600));
    }

    #[test]
    fn what_was_only_counted_is_not_called_new() {
        let names: Vec<String> = (0..30).map(|n| format!("x{n}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let first = compose(&UnitSync::default(), &drifted(&names), 100);
        let later = compose(&first, &drifted(&names[25..]), 500);
        assert_eq!(later.drift.unwrap().since, Time::of_second(100));
    }

    #[test]
    fn what_could_not_be_looked_at_keeps_what_was_known_and_is_not_called_ready() {
        let before = compose(&UnitSync::default(), &drifted(&["x"]), 100);
        let mut failed = drifted(&[]);
        (failed.state, failed.details, failed.error) = (None, None, Some("no answer".to_owned()));
        let after = compose(&before, &failed, 200);
        assert_eq!(after.drift, before.drift);
        assert_eq!(
            (after.state.as_str(), truth(&after, "Ready").0),
            ("Unknown", Truth::Unknown)
        );
        assert_eq!(truth(&after, "Drifted").0, Truth::Unknown);
        let again = compose(&after, &failed, 300);
        assert_eq!(again, after, "the same error is no news");
    }

    #[test]
    fn a_suspended_unit_with_nothing_to_do_is_ready() {
        let state = |changes| State::Suspended {
            reason: "freeze".to_owned(),
            until: None,
            is_guess: false,
            changes,
        };
        let quiet = compose(&UnitSync::default(), &facts(state(0), Details::default()), 1);
        assert_eq!(truth(&quiet, "Ready").0, Truth::True);
        let waiting = Details {
            pending: 1,
            ..Details::default()
        };
        assert_eq!(
            truth(&compose(&quiet, &facts(state(1), waiting), 2), "Ready").0,
            Truth::False
        );
    }

    #[test]
    fn a_refused_unit_is_stalled() {
        let reasons = ["the cap".to_owned()].into();
        let refused = compose(
            &UnitSync::default(),
            &facts(State::Refused { reasons }, Details::default()),
            1,
        );
        assert_eq!(truth(&refused, "Stalled").0, Truth::True);
        assert!(refused.message.contains("the cap"));
    }

    #[test]
    fn a_fleet_counts_its_units_and_keeps_its_time() {
        let now = |second| (1, Timestamp::from_second(second).unwrap());
        let facts_of = |error: Option<&str>, second| FleetFacts {
            revision: Some("r".to_owned()),
            since: Timestamp::from_second(second).ok(),
            error: error.map(str::to_owned),
        };
        let units = [drifted(&["x"]), facts(State::InSync, Details::default())];
        let units = units.map(|facts| compose(&UnitSync::default(), &facts, 1));
        let first = fleet(
            &FleetSync::default(),
            "f",
            &facts_of(None, 10),
            units.iter().map(Some),
            (None, None),
            now(11),
        );
        assert_eq!((first.units.total, first.units.ready, first.units.drifted), (2, 1, 1));
        let again = fleet(
            &first,
            "f",
            &facts_of(Some("bad"), 50),
            units.iter().map(Some),
            (None, Some("t")),
            now(51),
        );
        assert_eq!(again.since, Some(Time::of_second(10)));
        assert_eq!(again.last_handled_reconcile_at.as_deref(), Some("t"));
        let stalled = again
            .conditions
            .iter()
            .find(|condition| condition.kind == "Stalled")
            .unwrap();
        assert_eq!((stalled.status, stalled.message.as_str()), (Truth::True, "bad"));
    }

    #[test]
    fn a_fleet_of_which_others_have_not_told_yet_is_counted_whole_and_not_called_ready() {
        let facts_of = FleetFacts {
            revision: Some("r".to_owned()),
            ..FleetFacts::default()
        };
        let told = compose(&UnitSync::default(), &facts(State::InSync, Details::default()), 1);
        let of = |units: &[Option<&UnitSync>]| {
            let about = (None, None);
            let after = fleet(
                &FleetSync::default(),
                "f",
                &facts_of,
                units.iter().copied(),
                about,
                (1, Timestamp::UNIX_EPOCH),
            );
            let ready = after
                .conditions
                .iter()
                .find(|condition| condition.kind == "Ready")
                .unwrap();
            let units = after.units;
            (units.total, units.ready, units.waiting, units.reconciling, ready.status)
        };
        assert_eq!(of(&[Some(&told), None, None]), (3, 1, 0, 2, Truth::False));
        assert_eq!(of(&[Some(&told), Some(&told)]), (2, 2, 0, 0, Truth::True));
        let of_state = |state: &str| UnitSync {
            state: state.to_owned(),
            ..UnitSync::default()
        };
        let (waits, works) = (of_state("Waiting"), of_state("Reconciling"));
        assert_eq!(
            of(&[Some(&told), Some(&waits), Some(&works)]),
            (3, 1, 1, 1, Truth::False)
        );
    }
}
