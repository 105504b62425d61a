//! What holds for every kind, and for those that nobody here knows.

use super::view::{Condition, View};
use super::{Readiness, State};

/// The rules that come before any kind's own.
pub(super) fn before_any_rule(view: &View<'_>) -> Option<Readiness> {
    if let Some(since) = view.text("/metadata/deletionTimestamp") {
        return Some(Readiness::new(
            State::Terminating,
            "Terminating",
            format!("being deleted since {since}"),
        ));
    }
    if let (Some(observed), Some(generation)) = (view.integer("/status/observedGeneration"), view.generation())
        && observed < generation
    {
        return Some(older_spec());
    }
    if let Some(stalled) = view.condition("Stalled").filter(Condition::is_true) {
        return Some(Readiness::failed(stalled.reason_or("Stalled"), stalled.message));
    }
    view.condition("Reconciling")
        .filter(Condition::is_true)
        .map(|reconciling| Readiness::in_progress(reconciling.reason_or("Reconciling"), reconciling.message))
}

/// The status speaks of an older spec.
pub(super) fn older_spec() -> Readiness {
    Readiness::in_progress(
        "LatestGenerationNotObserved",
        "its controller has not looked at this spec yet",
    )
}

/// A kind without a rule: its `Ready` condition, else ready by being there.
pub(super) fn readiness(view: &View<'_>) -> Readiness {
    match view.condition("Ready") {
        Some(condition) => by_condition(&condition, "Ready"),
        None => Readiness::ready("there"),
    }
}

/// What one condition, true when all is well, says.
pub(super) fn by_condition(condition: &Condition<'_>, kind: &str) -> Readiness {
    if condition.stale {
        return older_spec();
    }
    if condition.is_true() {
        return Readiness::ready(condition.message);
    }
    // Cluster API's severity: an error won't mend itself, as its API documents it.
    if condition.is_false() && condition.severity == "Error" {
        return Readiness::failed(condition.reason_or(kind), condition.message);
    }
    Readiness::in_progress(condition.reason_or(kind), condition.message)
}
