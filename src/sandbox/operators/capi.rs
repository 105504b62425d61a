//! Cluster API's kinds and those of its OCI provider: they become ready after a while, and go when asked to.
//!
//! Readiness alone is simulated: no instance is made, and no controller owns what another made.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::conditions::{Conditions, status_of};
use super::{Step, after, deleted_at, stamp, text, time, with_finalizer, without_finalizer};

/// The groups whose kinds this is about.
pub const GROUPS: [&str; 3] = [
    "cluster.x-k8s.io",
    "controlplane.cluster.x-k8s.io",
    "infrastructure.cluster.x-k8s.io",
];

/// Seconds until the provider's network is there.
const NETWORK: i64 = 3 * 60;

/// Seconds until machines and what is made of them are there.
const MACHINES: i64 = 8 * 60;

/// Seconds that an end takes.
const END: i64 = 2 * 60;

/// One step of an object of these groups; none for kinds that no controller writes to.
pub fn step(object: &Value, now: Timestamp) -> Step {
    let kind = text(object, "/kind");
    let managed_by_another = object
        .pointer("/metadata/annotations")
        .is_some_and(|all| all.get("cluster.x-k8s.io/managed-by").is_some());
    if kind.ends_with("Template") || matches!(kind, "OCIClusterIdentity" | "ClusterClass") || managed_by_another {
        return Step::default();
    }
    let finalizer = finalizer(object);
    if let Some(since) = deleted_at(object) {
        let mut step = Step::default();
        if let Some(end) = without_finalizer(object, &finalizer) {
            if now < after(since, END) {
                return step.at(after(since, END));
            }
            step.patch = Some(end);
        }
        return step;
    }
    let created = time(object, "/metadata/creationTimestamp").unwrap_or(now);
    let seconds = if matches!(kind, "OCICluster" | "OCIManagedCluster") {
        NETWORK
    } else {
        MACHINES
    };
    let end = after(created, seconds);
    let ready = now >= end;
    let mut status = status_of(object);
    if text(object, "/apiVersion").starts_with("infrastructure.") {
        infrastructure(object, &mut status, ready, now);
    } else {
        core(object, &mut status, ready, now);
    }
    let step = Step {
        patch: with_finalizer(object, &finalizer),
        again: (!ready).then_some(end),
        ..Step::default()
    };
    step.with_status(object, Value::Object(status))
}

/// `ocicluster.infrastructure.cluster.x-k8s.io`, as both projects form it.
fn finalizer(object: &Value) -> String {
    let group = text(object, "/apiVersion").split('/').next().unwrap_or_default();
    format!("{}.{group}", text(object, "/kind").to_lowercase())
}

/// The OCI kinds: `ready`, and conditions of the old shape, without generations.
fn infrastructure(object: &Value, status: &mut Map<String, Value>, ready: bool, now: Timestamp) {
    status.insert("ready".to_owned(), json!(ready));
    let own = match text(object, "/kind") {
        "OCICluster" | "OCIManagedCluster" => "ClusterReady",
        "OCIMachine" => "InstanceReady",
        "OCIManagedControlPlane" => "ControlPlaneReady",
        "OCIManagedMachinePool" => "NodePoolReady",
        "OCIVirtualMachinePool" => "VirtualNodePoolReady",
        "OCIMachinePool" => "InstancePoolReady",
        _ => "Ready",
    };
    let kinds = if own == "Ready" {
        vec!["Ready"]
    } else {
        vec![own, "Ready"]
    };
    let conditions = kinds.into_iter().map(|kind| old_condition(object, kind, ready, now));
    status.insert("conditions".to_owned(), conditions.collect());
    if text(object, "/kind") == "OCICluster" && ready {
        let domains = ["1", "2", "3"].map(|name| (name.to_owned(), json!({"controlPlane": true})));
        status.insert(
            "failureDomains".to_owned(),
            Value::Object(domains.into_iter().collect()),
        );
    }
}

fn old_condition(object: &Value, kind: &str, ready: bool, now: Timestamp) -> Value {
    let status = if ready { "True" } else { "False" };
    let since = match super::conditions::find(object, kind) {
        Some(old) if text(old, "/status") == status => text(old, "/lastTransitionTime").to_owned(),
        _ => stamp(now),
    };
    if ready {
        json!({"type": kind, "status": status, "lastTransitionTime": since})
    } else {
        json!({"type": kind, "status": status, "severity": "Info", "reason": "Provisioning", "lastTransitionTime": since})
    }
}

/// Cluster API's own kinds: observed generation, replicas where there are any, and a summary condition of either shape.
fn core(object: &Value, status: &mut Map<String, Value>, ready: bool, now: Timestamp) {
    status.insert(
        "observedGeneration".to_owned(),
        object["metadata"]["generation"].clone(),
    );
    let reason = if ready { "Ready" } else { "Provisioning" };
    let mut conditions = Conditions::new(object, now);
    for kind in ["Ready", "Available"] {
        conditions.set(kind, ready, reason, "");
    }
    if object.pointer("/spec/topology").is_some() {
        conditions.set("TopologyReconciled", true, "ReconcileSucceeded", "");
    }
    status.insert("conditions".to_owned(), conditions.list());
    if text(object, "/kind") == "Cluster" {
        status.insert(
            "phase".to_owned(),
            json!(if ready { "Provisioned" } else { "Provisioning" }),
        );
        status.insert("infrastructureReady".to_owned(), json!(ready));
    } else if let Some(wanted) = object.pointer("/spec/replicas").and_then(Value::as_i64) {
        let count = json!(if ready { wanted } else { 0 });
        for field in [
            "replicas",
            "readyReplicas",
            "availableReplicas",
            "updatedReplicas",
            "upToDateReplicas",
        ] {
            status.insert(field.to_owned(), count.clone());
        }
    }
}
