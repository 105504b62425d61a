//! Readiness as a pure function of one object.
//!
//! Invariant: the object is all there is: no clock, no second object, no call, so that the same bytes always give the
//! same answer, in a wait, in `status` and in a test. What only time or another object could tell is `InProgress` or
//! `Unknown`, never a guess at `Ready`. May depend on `resource` alone.
//!
//! The rules are kstatus' where a kind is Kubernetes' own, and the operators' words where it is theirs; each family has a
//! file. Common to all, in this order:
//!
//! 1. `metadata.deletionTimestamp` set: `Terminating`, whatever else it says.
//! 2. `status.observedGeneration` behind `metadata.generation`: `InProgress`; the status speaks of an older spec. A single
//!    condition that is behind counts the same where its controller keeps that number.
//! 3. A true `Stalled` condition: `Failed`; a true `Reconciling` one: `InProgress`.
//! 4. The kind's own rule; else the `Ready` condition; else the object is ready by being there.

mod capi;
mod core;
mod generic;
mod hypershift;
mod oci;
mod view;

#[cfg(test)]
mod tests;

use serde::Serialize;
use serde_json::Value;

pub use self::hypershift::{Scope, Upgrade, hosted_cluster, upgrade};
use self::view::View;
use crate::resource::reference::OCI_GROUP;

/// How far an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum State {
    /// It is what its spec says.
    Ready,
    /// Its controller is at it, or has not looked yet.
    InProgress,
    /// Its controller says that it can't go on. That is its word now, not for ever: a later object may say otherwise, so
    /// a wait gives it some grace.
    Failed,
    /// Being deleted; a finished delete is an absent object, not this.
    Terminating,
    /// Nothing can be said: nobody works on it (paused), or it is no object.
    Unknown,
}

/// How far an object is, and why.
#[must_use]
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Readiness {
    /// How far.
    pub state: State,
    /// One word in the manner of a condition's reason: the operator's own where it gave one.
    pub reason: String,
    /// A sentence for people, without a full stop; may be empty. From the operator, so never to be matched on.
    pub message: String,
}

impl Readiness {
    fn new(state: State, reason: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            state,
            reason: reason.into(),
            message: message.into(),
        }
    }

    fn ready(message: impl Into<String>) -> Self {
        Self::new(State::Ready, "Ready", message)
    }

    fn in_progress(reason: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(State::InProgress, reason, message)
    }

    fn failed(reason: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(State::Failed, reason, message)
    }

    /// Whether it is what its spec says.
    pub fn is_ready(&self) -> bool {
        self.state == State::Ready
    }
}

/// How far a live object is. Takes the whole object as an API server gives it, status included.
pub fn readiness(object: &Value) -> Readiness {
    let view = View::new(object);
    let Some(kind) = view.text("/kind").filter(|kind| !kind.is_empty()) else {
        return Readiness::new(State::Unknown, "NotAnObject", "has no kind");
    };
    if let Some(early) = generic::before_any_rule(&view) {
        return early;
    }
    let group = view
        .text("/apiVersion")
        .and_then(|version| version.split_once('/'))
        .map_or("", |(group, _)| group);
    match group {
        "hypershift.openshift.io" => hypershift::readiness(&view, kind),
        "cluster.x-k8s.io"
        | "infrastructure.cluster.x-k8s.io"
        | "controlplane.cluster.x-k8s.io"
        | "bootstrap.cluster.x-k8s.io"
        | "addons.cluster.x-k8s.io" => capi::readiness(&view, group, kind),
        OCI_GROUP => oci::readiness(&view, kind),
        "" | "apps" | "batch" | "apiextensions.k8s.io" => core::readiness(&view, group, kind),
        _ => generic::readiness(&view),
    }
}
