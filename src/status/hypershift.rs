//! HostedCluster and NodePool.
//!
//! HyperShift writes each condition with the generation that it looked at, and no `status.observedGeneration`; so the
//! conditions that are rewritten at every reconcile (`Available`, `Progressing`, `UpdatingVersion`) tell whether the
//! spec was seen.

use serde_json::Value;

use super::view::{Condition, View};
use super::{Readiness, State, generic};

pub(super) fn readiness(view: &View<'_>, kind: &str) -> Readiness {
    match kind {
        "HostedCluster" => whole_cluster(view),
        "NodePool" => node_pool(view),
        _ => generic::readiness(view),
    }
}

/// How much of a HostedCluster is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The control plane answers: enough to make node pools.
    ControlPlane,
    /// The control plane, its version rolled out, its operators well, and the connection to its nodes.
    Whole,
}

/// How far a HostedCluster is, within a scope. [`super::readiness`] asks for the whole.
pub fn hosted_cluster(object: &Value, scope: Scope) -> Readiness {
    let view = View::new(object);
    if let Some(early) = generic::before_any_rule(&view) {
        return early;
    }
    match scope {
        Scope::ControlPlane => {
            control_plane(&view).unwrap_or_else(|| Readiness::ready("the control plane is available"))
        }
        Scope::Whole => whole_cluster(&view),
    }
}

/// Conditions that stay false until somebody changes the spec, or what it refers to.
const MUST_NOT_BE_FALSE: [&str; 6] = [
    "SupportedHostedCluster",
    "ValidConfiguration",
    "ValidReleaseImage",
    "ValidReleaseInfo",
    "ValidHostedControlPlaneConfiguration",
    "PlatformCredentialsFound",
];

/// What keeps the control plane from being called available; `None` if nothing does.
fn control_plane(view: &View<'_>) -> Option<Readiness> {
    if let Some(paused) = paused(view) {
        return Some(paused);
    }
    for kind in MUST_NOT_BE_FALSE {
        if let Some(condition) = view.condition(kind).filter(|c| c.is_false() && !c.stale) {
            return Some(Readiness::failed(kind, condition.message));
        }
    }
    let progressing = view.condition("Progressing");
    if let Some(blocked) = progressing.filter(|c| c.reason == "Blocked" && !c.stale) {
        return Some(Readiness::failed("Blocked", blocked.message));
    }
    let Some(available) = view.condition("Available") else {
        return Some(Readiness::in_progress("NotAvailable", "no Available condition yet"));
    };
    match generic::by_condition(&available, "NotAvailable") {
        ready if ready.is_ready() => None,
        other => Some(other),
    }
}

fn paused(view: &View<'_>) -> Option<Readiness> {
    let active = view.condition("ReconciliationActive").filter(Condition::is_false)?;
    Some(Readiness::new(State::Unknown, "Paused", active.message))
}

/// Conditions that have to be true besides `Available`, where the operator shows them at all.
const WHOLE_TRUE: [&str; 4] = [
    "InfrastructureReady",
    "KubeAPIServerAvailable",
    "ReconciliationSucceeded",
    "IgnitionEndpointAvailable",
];

/// Of those, the ones that say nothing while there are no nodes.
const WITH_NODES_TRUE: [&str; 3] = [
    "ClusterVersionSucceeding",
    "DataPlaneConnectionAvailable",
    "ControlPlaneConnectionAvailable",
];

fn whole_cluster(view: &View<'_>) -> Readiness {
    if let Some(hindrance) = control_plane(view) {
        return hindrance;
    }
    let nodes = !["DataPlaneConnectionAvailable", "ControlPlaneConnectionAvailable"]
        .iter()
        .filter_map(|kind| view.condition(kind))
        .any(|condition| condition.reason == "NoWorkerNodesAvailable");
    match (rollout(view), nodes) {
        (Upgrade::Done, _) => {}
        // Some of the payload's own operators run on nodes: without any, the version never completes, and that is no fault.
        (Upgrade::Running { .. }, false) if asked_for(view) => {}
        (Upgrade::Running { message }, _) => return Readiness::in_progress("RollingOut", message),
        (Upgrade::NotStarted, _) => {
            return Readiness::in_progress("RolloutNotStarted", "the wanted release is not rolling out yet");
        }
    }
    let wanted = WHOLE_TRUE
        .iter()
        .chain(if nodes { WITH_NODES_TRUE.as_slice() } else { &[] });
    for kind in wanted {
        if let Some(condition) = view.condition(kind).filter(|c| !c.is_true() || c.stale) {
            return Readiness::in_progress(*kind, condition.message);
        }
    }
    if let Some(degraded) = view.condition("Degraded").filter(Condition::is_true) {
        // The rollout is done, so this is no passing state of it.
        return Readiness::failed("Degraded", degraded.message);
    }
    Readiness::ready(if nodes {
        ""
    } else {
        "the control plane is available; there are no nodes"
    })
}

/// How far the wanted release is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Upgrade {
    /// The operator does not aim at the wanted release yet.
    NotStarted,
    /// Under way.
    Running {
        /// How far, for people.
        message: String,
    },
    /// The newest entry of the history is the wanted release, and is completed.
    Done,
}

/// How far a HostedCluster's wanted release is: node pools follow only when this is `Done`.
pub fn upgrade(object: &Value) -> Upgrade {
    rollout(&View::new(object))
}

fn rollout(view: &View<'_>) -> Upgrade {
    let newest = "/status/version/history/0";
    let Some(image) = view
        .text(&format!("{newest}/image"))
        .filter(|image| is_wanted(view, image))
    else {
        return Upgrade::NotStarted;
    };
    match view.text(&format!("{newest}/state")) {
        Some("Completed") => Upgrade::Done,
        _ => Upgrade::Running {
            message: match view.condition("ClusterVersionProgressing") {
                Some(condition) if !condition.message.is_empty() => condition.message.to_owned(),
                _ => format!(
                    "rolling out {}",
                    view.text(&format!("{newest}/version")).unwrap_or(image)
                ),
            },
        },
    }
}

/// Whether an image of the status is the one that the spec names. The status may name by digest what the spec names by
/// tag; then the operator's own comparison counts: it is aiming there, and says that nothing is left to aim at.
fn is_wanted(view: &View<'_>, image: &str) -> bool {
    let Some(wanted) = view.text("/spec/release/image") else {
        return false;
    };
    if image == wanted {
        return true;
    }
    !wanted.contains('@') && view.text("/status/version/desired/image") == Some(image) && asked_for(view)
}

/// Whether the operator has compared this very spec with what it aims at, and found them alike.
fn asked_for(view: &View<'_>) -> bool {
    view.condition("Progressing")
        .is_some_and(|c| c.is_false() && !c.stale && c.reason != "Blocked")
}

/// Conditions of a NodePool that stay false until somebody changes it, or what it refers to.
const POOL_MUST_NOT_BE_FALSE: [&str; 8] = [
    "SupportedVersionSkew",
    "ValidReleaseImage",
    "ValidPlatformConfig",
    "ValidPlatformImage",
    "ValidMachineConfig",
    "ValidTuningConfig",
    "ValidArchPlatform",
    "UpdateManagementEnabled",
];

/// What is replaced in place or node by node while it is true.
const POOL_UPDATING: [&str; 3] = ["UpdatingVersion", "UpdatingConfig", "UpdatingPlatformMachineTemplate"];

fn node_pool(view: &View<'_>) -> Readiness {
    if let Some(paused) = paused(view) {
        return paused;
    }
    for kind in POOL_MUST_NOT_BE_FALSE {
        if let Some(condition) = view.condition(kind).filter(|c| c.is_false() && !c.stale) {
            return Readiness::failed(kind, condition.message);
        }
    }
    for kind in POOL_UPDATING {
        let Some(condition) = view.condition(kind) else {
            continue;
        };
        if condition.stale {
            return generic::older_spec();
        }
        if condition.reason == "InplaceUpgradeFailed" {
            return Readiness::failed(condition.reason, condition.message);
        }
        if condition.is_true() {
            return Readiness::in_progress(kind, condition.message);
        }
    }
    let have = view.count("/status/replicas");
    let (least, most) = wanted_replicas(view);
    if have < least {
        return Readiness::in_progress("LessReplicas", format!("available nodes: {have} of {least}"));
    }
    if have > most {
        return Readiness::in_progress(
            "ExtraReplicas",
            format!("available nodes: {have}, wanted at most {most}"),
        );
    }
    let Some(ready) = view.condition("Ready") else {
        return Readiness::in_progress("NotReady", "no Ready condition yet");
    };
    match generic::by_condition(&ready, "NotReady") {
        ready if ready.is_ready() => {}
        other => return other,
    }
    if most == 0 {
        // Both are false for a pool that wants no nodes: there is nothing to be ready.
        return Readiness::ready("no nodes wanted");
    }
    for kind in ["AllMachinesReady", "AllNodesHealthy"] {
        if let Some(condition) = view.condition(kind).filter(|c| !c.is_true() || c.stale) {
            return Readiness::in_progress(kind, condition.message);
        }
    }
    Readiness::ready(format!("{have} nodes"))
}

/// The fewest and the most nodes that the spec asks for.
fn wanted_replicas(view: &View<'_>) -> (i64, i64) {
    match (view.integer("/spec/replicas"), view.get("/spec/autoScaling")) {
        (Some(replicas), _) => (replicas, replicas),
        (None, Some(_)) => (
            view.count("/spec/autoScaling/min"),
            view.integer("/spec/autoScaling/max").unwrap_or(i64::MAX),
        ),
        (None, None) => (0, 0),
    }
}
