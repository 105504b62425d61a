//! What is worth an Event: by what a status said before, and what it says now.
//!
//! Invariant: pure. A state that goes on is no news.

use crate::daemon::facts::DriftSeen;
use crate::sync::{FleetSync, UnitSync};

/// A note of an Event has at most so many bytes, by the API.
const NOTE_LIMIT: usize = 1_000;

/// One piece of news.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct News {
    /// Whether somebody should look.
    pub(super) is_warning: bool,
    /// What happened, in one word.
    pub(super) reason: &'static str,
    /// What was done, in one word.
    pub(super) action: &'static str,
    /// For people.
    pub(super) note: String,
}

fn news(is_warning: bool, (reason, action): (&'static str, &'static str), note: &str) -> News {
    let mut end = note.len().min(NOTE_LIMIT);
    while !note.is_char_boundary(end) {
        end -= 1;
    }
    News {
        is_warning,
        reason,
        action,
        note: note.get(..end).unwrap_or_default().to_owned(),
    }
}

/// What was done since the last status.
#[derive(Clone, Debug, Default)]
pub(super) struct Deeds {
    /// Changes made.
    pub(super) made: usize,
    /// What was mended.
    pub(super) mended: Vec<DriftSeen>,
}

/// The news of a unit.
pub(super) fn unit(before: &UnitSync, after: &UnitSync, deeds: &Deeds) -> Vec<News> {
    let mut all = Vec::new();
    if deeds.made > 0 {
        let revision = after.observed_revision.as_deref().unwrap_or_default();
        let note = format!("made {} changes of revision {revision}", deeds.made);
        all.push(news(false, ("Applied", "Apply"), &note));
    }
    if !deeds.mended.is_empty() {
        let note = format!("mended what moved by itself: {}", said(deeds.mended.iter().map(shown)));
        all.push(news(false, ("DriftMended", "Apply"), &note));
    }
    all.extend(drift(before, after));
    let is_new = before.state != after.state || before.message != after.message;
    match after.state.as_str() {
        "Refused" if is_new => all.push(news(true, ("Refused", "Plan"), &after.message)),
        "Held" if is_new => all.push(news(true, ("Held", "Plan"), &after.message)),
        _ => {}
    }
    if let Some(error) = &after.last_error
        && before
            .last_error
            .as_ref()
            .is_none_or(|before| before.message != error.message)
    {
        all.push(news(true, ("Failed", "Apply"), &error.message));
    }
    match (&before.suspension, &after.suspension) {
        (None, Some(suspension)) => {
            let note = format!("nothing of it is written: {} ({})", suspension.reason, suspension.by);
            all.push(news(false, ("Suspended", "Suspend"), &note));
        }
        (Some(_), None) => all.push(news(false, ("Resumed", "Resume"), "it is written again")),
        _ => {}
    }
    all
}

fn drift(before: &UnitSync, after: &UnitSync) -> Option<News> {
    let known = before
        .drift
        .as_ref()
        .map(|drift| drift.objects.as_slice())
        .unwrap_or_default();
    match &after.drift {
        Some(drift) => {
            let new: Vec<DriftSeen> = drift
                .objects
                .iter()
                .filter(|object| !known.iter().any(|known| known.object == object.object))
                .map(|object| DriftSeen {
                    object: object.object.clone(),
                    vanished: object.vanished,
                    fields: object.fields.clone(),
                })
                .collect();
            let note = format!("moved by itself: {}", said(new.iter().map(shown)));
            (!new.is_empty()).then(|| news(true, ("DriftFound", "Look"), &note))
        }
        None if !known.is_empty() => Some(news(false, ("DriftEnded", "Look"), "it is as it should be again")),
        None => None,
    }
}

fn said(all: impl Iterator<Item = String>) -> String {
    all.collect::<Vec<_>>().join("; ")
}

/// `NodePool n/x (.spec.replicas by kubectl)`
fn shown(seen: &DriftSeen) -> String {
    if seen.vanished {
        return format!("{} is gone", seen.object);
    }
    let fields: Vec<String> = seen
        .fields
        .iter()
        .map(|field| match &field.manager {
            Some(manager) => format!("{} by {manager}", field.field),
            None => field.field.clone(),
        })
        .collect();
    match fields.is_empty() {
        true => seen.object.clone(),
        false => format!("{} ({})", seen.object, fields.join(", ")),
    }
}

/// The news of a fleet.
pub(super) fn fleet(before: &FleetSync, after: &FleetSync) -> Vec<News> {
    let mut all = Vec::new();
    if let Some(revision) = &after.revision
        && before.revision.as_ref() != Some(revision)
    {
        all.push(news(
            false,
            ("RevisionInForce", "Load"),
            &format!("revision {revision} is in force"),
        ));
    }
    if let Some(error) = &after.last_error
        && before
            .last_error
            .as_ref()
            .is_none_or(|before| before.message != error.message)
    {
        let note = format!("what the source holds does not come into force: {}", error.message);
        all.push(news(true, ("RevisionRefused", "Load"), &note));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::super::compose::tests::{compose, drifted, facts};
    use super::*;
    use crate::daemon::facts::Details;
    use crate::daemon::state::State;

    fn reasons(all: &[News]) -> Vec<&str> {
        all.iter().map(|news| news.reason).collect()
    }

    #[test]
    fn drift_is_told_when_it_is_found_and_when_it_is_over_and_not_in_between() {
        let start = UnitSync::default();
        let found = compose(&start, &drifted(&["x"]), 1);
        let told = unit(&start, &found, &Deeds::default());
        assert_eq!(reasons(&told), ["DriftFound"]);
        assert!(
            told[0].note.contains("x (.spec.replicas by kubectl-scale)"),
            "{}",
            told[0].note
        );
        let still = compose(&found, &drifted(&["x"]), 2);
        assert_eq!(unit(&found, &still, &Deeds::default()), []);
        let more = compose(&found, &drifted(&["x", "y"]), 3);
        assert!(!unit(&found, &more, &Deeds::default())[0].note.contains("x ("));
        let over = compose(&more, &facts(State::InSync, Details::default()), 4);
        assert_eq!(reasons(&unit(&more, &over, &Deeds::default())), ["DriftEnded"]);
    }

    #[test]
    fn a_refusal_and_a_suspension_are_told_once() {
        let refused = |reason: &str| {
            let reasons = [reason.to_owned()].into();
            facts(State::Refused { reasons }, Details::default())
        };
        let start = UnitSync::default();
        let first = compose(&start, &refused("the cap"), 1);
        assert_eq!(reasons(&unit(&start, &first, &Deeds::default())), ["Refused"]);
        let again = compose(&first, &refused("the cap"), 2);
        assert_eq!(unit(&first, &again, &Deeds::default()), []);
        let other = compose(&first, &refused("a conflict"), 3);
        assert_eq!(reasons(&unit(&first, &other, &Deeds::default())), ["Refused"]);
    }

    #[test]
    fn deeds_are_told_each_time_and_notes_are_short() {
        let start = UnitSync::default();
        let after = compose(&start, &facts(State::InSync, Details::default()), 1);
        let deeds = Deeds {
            made: 3,
            mended: vec![DriftSeen {
                object: "ü".repeat(2_000),
                vanished: true,
                fields: Vec::new(),
            }],
        };
        let told = unit(&start, &after, &deeds);
        assert_eq!(reasons(&told), ["Applied", "DriftMended"]);
        assert!(told[0].note.contains("made 3 changes of revision r"));
        assert!(told[1].note.len() <= NOTE_LIMIT);
    }
}
