//! Kubernetes' own kinds, by kstatus' rules, with two differences that waits want: a Job is ready when it is complete,
//! not when it has started, and a LoadBalancer Service when it has an address, not when it has a cluster IP.

use super::view::{Condition, View};
use super::{Readiness, State, generic};

pub(super) fn readiness(view: &View<'_>, group: &str, kind: &str) -> Readiness {
    match (group, kind) {
        ("apps", "Deployment") => deployment(view),
        ("apps", "StatefulSet") => stateful_set(view),
        ("apps", "DaemonSet") => daemon_set(view),
        ("apps", "ReplicaSet") => replica_set(view),
        ("batch", "Job") => job(view),
        ("", "Service") => service(view),
        ("", "PersistentVolumeClaim") => claim(view),
        ("", "Namespace") => namespace(view),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => definition(view),
        _ => generic::readiness(view),
    }
}

/// Holds while `have < want`.
fn short(reason: &str, what: &str, have: i64, want: i64) -> Option<Readiness> {
    (have < want).then(|| Readiness::in_progress(reason, format!("{what}: {have} of {want}")))
}

/// Workload controllers always write `status.observedGeneration`: without it none has looked yet, and zeros mean nothing.
fn unseen(view: &View<'_>) -> Option<Readiness> {
    view.integer("/status/observedGeneration")
        .is_none()
        .then(generic::older_spec)
}

fn deployment(view: &View<'_>) -> Readiness {
    let progressing = view.condition("Progressing");
    if let Some(condition) = progressing.filter(|c| c.is_false() && c.reason == "ProgressDeadlineExceeded") {
        return Readiness::failed(condition.reason, condition.message);
    }
    let want = view.integer("/spec/replicas").unwrap_or(1);
    let replicas = view.count("/status/replicas");
    let updated = view.count("/status/updatedReplicas");
    let available = view.count("/status/availableReplicas");
    unseen(view)
        .or_else(|| short("LessReplicas", "replicas", replicas, want))
        .or_else(|| short("LessUpdated", "updated", updated, want))
        .or_else(|| (replicas > updated).then(|| extra(replicas - updated)))
        .or_else(|| short("LessAvailable", "available", available, updated))
        .or_else(|| short("LessReady", "ready", view.count("/status/readyReplicas"), want))
        .or_else(|| match view.condition("Available") {
            Some(condition) if condition.is_true() => None,
            Some(condition) => Some(generic::by_condition(&condition, "Available")),
            None => Some(Readiness::in_progress("NotAvailable", "no Available condition yet")),
        })
        .unwrap_or_else(|| Readiness::ready(format!("{replicas} replicas")))
}

fn extra(count: i64) -> Readiness {
    Readiness::in_progress("ExtraReplicas", format!("{count} old replicas still to go"))
}

fn stateful_set(view: &View<'_>) -> Readiness {
    if view.text("/spec/updateStrategy/type") == Some("OnDelete") {
        return Readiness::ready("updated by deleting its pods");
    }
    let want = view.integer("/spec/replicas").unwrap_or(1);
    let partition = view.count("/spec/updateStrategy/rollingUpdate/partition");
    let replicas = view.count("/status/replicas");
    unseen(view)
        .or_else(|| short("LessReplicas", "replicas", replicas, want))
        .or_else(|| short("LessReady", "ready", view.count("/status/readyReplicas"), want))
        .or_else(|| (replicas > want).then(|| extra(replicas - want)))
        .or_else(|| {
            short(
                "LessUpdated",
                "updated",
                view.count("/status/updatedReplicas"),
                want - partition,
            )
        })
        .or_else(|| {
            // With a partition the two differ for as long as the partition stays.
            let differs = view.text("/status/currentRevision") != view.text("/status/updateRevision");
            (partition == 0 && differs).then(|| Readiness::in_progress("RollingUpdate", "the rollout is not finished"))
        })
        .unwrap_or_else(|| Readiness::ready(format!("{replicas} replicas")))
}

fn daemon_set(view: &View<'_>) -> Readiness {
    let Some(want) = view.integer("/status/desiredNumberScheduled") else {
        return generic::older_spec();
    };
    let count = |field: &str| view.count(&format!("/status/{field}"));
    unseen(view)
        .or_else(|| short("LessScheduled", "scheduled", count("currentNumberScheduled"), want))
        .or_else(|| short("LessUpdated", "updated", count("updatedNumberScheduled"), want))
        .or_else(|| short("LessAvailable", "available", count("numberAvailable"), want))
        .or_else(|| short("LessReady", "ready", count("numberReady"), want))
        .unwrap_or_else(|| Readiness::ready(format!("{want} nodes")))
}

fn replica_set(view: &View<'_>) -> Readiness {
    if let Some(failure) = view.condition("ReplicaFailure").filter(Condition::is_true) {
        return Readiness::in_progress(failure.reason_or("ReplicaFailure"), failure.message);
    }
    let want = view.integer("/spec/replicas").unwrap_or(1);
    let replicas = view.count("/status/replicas");
    unseen(view)
        .or_else(|| short("LessReplicas", "replicas", replicas, want))
        .or_else(|| {
            short(
                "LessAvailable",
                "available",
                view.count("/status/availableReplicas"),
                want,
            )
        })
        .or_else(|| short("LessReady", "ready", view.count("/status/readyReplicas"), want))
        .or_else(|| (replicas > want).then(|| extra(replicas - want)))
        .unwrap_or_else(|| Readiness::ready(format!("{replicas} replicas")))
}

fn job(view: &View<'_>) -> Readiness {
    if let Some(failed) = view.condition("Failed").filter(Condition::is_true) {
        return Readiness::failed(failed.reason_or("Failed"), failed.message);
    }
    if view.condition("Complete").is_some_and(|c| c.is_true()) {
        return Readiness::ready("complete");
    }
    if view.is_true("/spec/suspend") {
        return Readiness::ready("suspended, as its spec wants");
    }
    if view.text("/status/startTime").is_none() {
        return Readiness::in_progress("NotStarted", "not started yet");
    }
    let (active, failed) = (view.count("/status/active"), view.count("/status/failed"));
    Readiness::in_progress("Running", format!("{active} pods active, {failed} failed so far"))
}

fn service(view: &View<'_>) -> Readiness {
    if view.text("/spec/type") != Some("LoadBalancer") {
        return Readiness::ready("there");
    }
    match view
        .get("/status/loadBalancer/ingress")
        .and_then(|list| list.as_array())
    {
        Some(list) if !list.is_empty() => Readiness::ready("has an address"),
        _ => Readiness::in_progress("NoAddress", "the load balancer has no address yet"),
    }
}

fn claim(view: &View<'_>) -> Readiness {
    match view.text("/status/phase") {
        Some("Bound") => Readiness::ready("bound"),
        Some("Lost") => Readiness::failed("Lost", "its volume is gone"),
        phase => Readiness::in_progress("NotBound", format!("phase {}", phase.unwrap_or("not set"))),
    }
}

fn namespace(view: &View<'_>) -> Readiness {
    match view.text("/status/phase") {
        // Between the delete and the deletionTimestamp that a reader sees there is nothing; the phase says it too.
        Some("Terminating") => Readiness::new(State::Terminating, "Terminating", "being deleted"),
        _ => Readiness::ready("there"),
    }
}

fn definition(view: &View<'_>) -> Readiness {
    if let Some(names) = view.condition("NamesAccepted").filter(Condition::is_false) {
        return Readiness::failed(names.reason_or("NamesNotAccepted"), names.message);
    }
    match view.condition("Established") {
        Some(condition) if condition.is_true() => Readiness::ready("established"),
        Some(condition) => Readiness::in_progress(condition.reason_or("NotEstablished"), condition.message),
        None => Readiness::in_progress("NotEstablished", "no Established condition yet"),
    }
}
