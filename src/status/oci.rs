//! OCI resources: their `lifecycleState`, and for what joins two networks whether the other side is joined.

use super::view::View;
use super::{Readiness, State};
use crate::resource::oci;

pub(super) fn readiness(view: &View<'_>, kind: &str) -> Readiness {
    let Some(states) = oci::kind(kind).map(|kind| kind.states) else {
        return Readiness::new(State::Unknown, "UnknownKind", "is no kind of OCI document");
    };
    let Some(state) = view.text("/status/lifecycleState") else {
        // Records and rules have none: they are as soon as they are there.
        return if states.ready.is_empty() {
            Readiness::ready("there")
        } else {
            Readiness::in_progress("NoState", "OCI says no state of it yet")
        };
    };
    let is = |words: &[&str]| words.contains(&state);
    if is(states.going) || is(states.gone) {
        return Readiness::new(State::Terminating, state, "being deleted");
    }
    if is(states.failed) {
        return Readiness::failed(state, view.text("/status/lifecycleDetails").unwrap_or_default());
    }
    if !is(states.ready) {
        return Readiness::in_progress(state, "OCI is at it");
    }
    match (view.text("/spec/peerId"), view.text("/status/peeringStatus")) {
        (Some(_), Some("REVOKED" | "INVALID")) => Readiness::failed("PeeringBroken", "the other side is gone"),
        (Some(_), Some(peering)) if peering != "PEERED" => {
            Readiness::in_progress(peering, "the other side is not joined yet")
        }
        _ => Readiness::ready(state),
    }
}
