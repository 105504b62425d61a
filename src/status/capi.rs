//! Cluster API's core kinds, and those of its OCI infrastructure provider.
//!
//! Two shapes of conditions are about: the old one with a severity (API `v1beta1`, and the OCI kinds of any version) and
//! the new one with a generation (API `v1beta2`; beside the old one under `status.v1beta2` in `v1beta1`). Where both are
//! there, the new one counts. The OCI kinds tell no generation at all: that their spec was seen can't be known.

use super::view::{CONDITIONS, Condition, View};
use super::{Readiness, State, generic};

pub(super) fn readiness(view: &View<'_>, group: &str, kind: &str) -> Readiness {
    if kind.ends_with("Template") || kind == "OCIClusterIdentity" {
        return Readiness::ready("there");
    }
    if let Some(early) = paused(view).or_else(|| failure(view)) {
        return early;
    }
    match (group, kind) {
        ("infrastructure.cluster.x-k8s.io", _) => infrastructure(view),
        (_, "Cluster" | "Machine") => condition(view).unwrap_or_else(unseen),
        (_, "MachineDeployment" | "MachineSet" | "MachinePool" | "KubeadmControlPlane") => replicated(view),
        (_, "ClusterResourceSet") => match view.condition("ResourcesApplied") {
            Some(applied) => generic::by_condition(&applied, "ResourcesApplied"),
            None => Readiness::in_progress("ResourcesApplied", "no ResourcesApplied condition yet"),
        },
        _ => condition(view).unwrap_or_else(|| Readiness::ready("there")),
    }
}

fn unseen() -> Readiness {
    Readiness::in_progress("NotReady", "no Available or Ready condition yet")
}

fn paused(view: &View<'_>) -> Option<Readiness> {
    let by = if view.is_true("/spec/paused") {
        "spec.paused"
    } else if view.annotation("cluster.x-k8s.io/paused").is_some() {
        "the annotation cluster.x-k8s.io/paused"
    } else if modern(view)
        .and_then(|list| view.condition_in(list, "Paused"))
        .is_some_and(|c| c.is_true())
    {
        "its cluster"
    } else {
        return None;
    };
    Some(Readiness::new(State::Unknown, "Paused", format!("paused by {by}")))
}

/// The terminal failure that the older contract writes: the object has to be replaced.
fn failure(view: &View<'_>) -> Option<Readiness> {
    let find = |field: &str| {
        view.text(&format!("/status/{field}"))
            .or_else(|| view.text(&format!("/status/deprecated/v1beta1/{field}")))
    };
    let reason = find("failureReason");
    let message = find("failureMessage").or_else(|| view.text("/status/failureMessages/0"));
    if reason.is_none() && message.is_none() {
        return None;
    }
    Some(Readiness::failed(
        reason.unwrap_or("Failure"),
        message.unwrap_or_default(),
    ))
}

/// Where the conditions of the new shape are, if the object has any.
fn modern(view: &View<'_>) -> Option<&'static str> {
    const BESIDE: &str = "/status/v1beta2/conditions";
    let api = view.text("/apiVersion").unwrap_or_default();
    if api.ends_with("/v1beta2") && !api.starts_with("infrastructure.") {
        Some(CONDITIONS)
    } else {
        view.get(BESIDE).map(|_| BESIDE)
    }
}

/// What the object's summary condition says; `None` where it has none.
fn condition(view: &View<'_>) -> Option<Readiness> {
    if let Some(list) = modern(view)
        && let Some((kind, summary)) = ["Available", "Ready"]
            .into_iter()
            .find_map(|kind| view.condition_in(list, kind).map(|condition| (kind, condition)))
    {
        for kind in ["RollingOut", "ScalingUp", "ScalingDown", "Remediating"] {
            if let Some(busy) = view.condition_in(list, kind).filter(Condition::is_true) {
                return Some(Readiness::in_progress(kind, busy.message));
            }
        }
        return Some(generic::by_condition(&summary, kind));
    }
    view.condition("Ready")
        .map(|ready| generic::by_condition(&ready, "Ready"))
}

fn replicated(view: &View<'_>) -> Readiness {
    // These controllers write it at every reconcile; without it the zeros below mean nothing.
    if view.integer("/status/observedGeneration").is_none() {
        return generic::older_spec();
    }
    // Somebody else (an autoscaler, OKE) sets the number of machines: the spec's is out of date, and that is right.
    if view.annotation("cluster.x-k8s.io/replicas-managed-by").is_none()
        && let Some(wait) = counts(view)
    {
        return wait;
    }
    condition(view).unwrap_or_else(unseen)
}

fn counts(view: &View<'_>) -> Option<Readiness> {
    let want = view.integer("/spec/replicas").unwrap_or(1);
    let have = view.count("/status/replicas");
    let current = [
        "/status/upToDateReplicas",
        "/status/v1beta2/upToDateReplicas",
        "/status/updatedReplicas",
    ]
    .into_iter()
    .find_map(|pointer| view.integer(pointer));
    // A control plane of `v1beta1` counts ready machines, not available ones.
    let available = view
        .integer("/status/availableReplicas")
        .or_else(|| view.integer("/status/readyReplicas"))
        .unwrap_or(0);
    let wait = |reason: &str, what: &str, count: i64| {
        Some(Readiness::in_progress(
            reason,
            format!("{what} machines: {count} of {want}"),
        ))
    };
    match current {
        Some(current) if current < want => wait("LessUpdated", "up-to-date", current),
        _ if have > want => wait("ExtraReplicas", "all", have),
        _ if available < want => wait("LessAvailable", "available", available),
        _ => None,
    }
}

fn infrastructure(view: &View<'_>) -> Readiness {
    let ready = view.is_true("/status/ready");
    if view.annotation("cluster.x-k8s.io/managed-by").is_some() {
        // The controller leaves it alone: only the field that its manager writes counts, not old conditions.
        return if ready {
            Readiness::ready("managed by another")
        } else {
            Readiness::in_progress("NotReady", "managed by another, which has not called it ready yet")
        };
    }
    match view.condition("Ready") {
        Some(condition) if !condition.is_true() => {
            let mut readiness = generic::by_condition(&condition, "NotReady");
            if readiness.message.is_empty() {
                // This provider leaves the message out, and says what OCI answered in an event.
                "its Warning events say more".clone_into(&mut readiness.message);
            }
            readiness
        }
        _ if ready => Readiness::ready("ready"),
        Some(_) => Readiness::in_progress("NotReady", "status.ready is not set yet"),
        None => unseen(),
    }
}
