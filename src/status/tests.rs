//! Tables: an object of a shape as live ones have it, what is changed in it, and what is then said of it.

use serde_json::{Value, json};

use super::{Scope, State, Upgrade, hosted_cluster, readiness, upgrade};

/// Sets fields by JSON pointer (missing parents are made), or removes them with `null`.
fn with(base: &Value, changes: &[(&str, Value)]) -> Value {
    let mut object = base.clone();
    for (pointer, value) in changes {
        let (parents, last) = pointer.rsplit_once('/').unwrap();
        let mut at = &mut object;
        for part in parents.split('/').skip(1).map(|part| part.replace("~1", "/")) {
            at = match at {
                Value::Array(list) => &mut list[part.parse::<usize>().unwrap()],
                other => &mut other[part.as_str()],
            };
        }
        let last = last.replace("~1", "/");
        if value.is_null() {
            at.as_object_mut().unwrap().remove(&last);
        } else {
            at[last.as_str()] = value.clone();
        }
    }
    object
}

/// Replaces fields of one condition, found by type; adds the condition where the object lacks it.
fn condition(base: &Value, kind: &str, fields: &Value) -> Value {
    let mut object = base.clone();
    let list = object["status"]["conditions"].as_array_mut().unwrap();
    let at = list.iter().position(|c| c["type"] == kind).unwrap_or_else(|| {
        list.push(json!({"type": kind, "reason": "AsExpected", "message": ""}));
        list.len() - 1
    });
    for (key, value) in fields.as_object().unwrap() {
        list[at][key.as_str()] = value.clone();
    }
    object
}

#[track_caller]
fn check(name: &str, object: &Value, state: State, reason: &str) {
    let got = readiness(object);
    assert_eq!((got.state, got.reason.as_str()), (state, reason), "{name}: {got:?}");
}

fn deployment() -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "router", "namespace": "ingress", "generation": 3},
        "spec": {"replicas": 2},
        "status": {
            "observedGeneration": 3, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2, "availableReplicas": 2,
            "conditions": [
                {"type": "Available", "status": "True", "reason": "MinimumReplicasAvailable", "message": "m"},
                {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable", "message": "m"}
            ]
        }
    })
}

#[test]
fn a_deletion_or_an_unseen_spec_comes_before_every_rule() {
    let d = deployment();
    let going = with(&d, &[("/metadata/deletionTimestamp", json!("2026-01-02T03:04:05Z"))]);
    check("going", &going, State::Terminating, "Terminating");
    check(
        "unseen",
        &with(&d, &[("/metadata/generation", json!(4))]),
        State::InProgress,
        "LatestGenerationNotObserved",
    );
    let stalled = condition(&d, "Stalled", &json!({"status": "True", "reason": "BadImage"}));
    check("stalled", &stalled, State::Failed, "BadImage");
    let busy = condition(&d, "Reconciling", &json!({"status": "True", "reason": ""}));
    check("reconciling", &busy, State::InProgress, "Reconciling");
    check("no object", &json!(["x"]), State::Unknown, "NotAnObject");
    check("null", &Value::Null, State::Unknown, "NotAnObject");
}

#[test]
fn kinds_that_nobody_knows_follow_their_ready_condition() {
    let object = |conditions: Value| {
        json!({"apiVersion": "example.org/v1", "kind": "Thing", "metadata": {"name": "x", "generation": 2},
               "status": {"conditions": conditions}})
    };
    check("none", &object(json!([])), State::Ready, "Ready");
    check("odd conditions", &object(json!("what")), State::Ready, "Ready");
    check(
        "true",
        &object(json!([{"type": "Ready", "status": "True"}])),
        State::Ready,
        "Ready",
    );
    let waiting = json!([{"type": "Ready", "status": "False", "reason": "Waiting", "message": "for a disk"}]);
    check("false", &object(waiting), State::InProgress, "Waiting");
    let stale = json!([{"type": "Ready", "status": "True", "observedGeneration": 1}]);
    check(
        "stale",
        &object(stale),
        State::InProgress,
        "LatestGenerationNotObserved",
    );
    check(
        "no status",
        &json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {}}),
        State::Ready,
        "Ready",
    );
}

#[test]
fn a_deployment_is_ready_when_all_its_new_pods_are_and_no_old_ones_are_left() {
    let d = deployment();
    check("whole", &d, State::Ready, "Ready");
    let cases: [(&str, Value, State, &str); 7] = [
        ("/status/replicas", json!(1), State::InProgress, "LessReplicas"),
        ("/status/updatedReplicas", json!(1), State::InProgress, "LessUpdated"),
        ("/status/replicas", json!(3), State::InProgress, "ExtraReplicas"),
        (
            "/status/availableReplicas",
            json!(1),
            State::InProgress,
            "LessAvailable",
        ),
        ("/status/readyReplicas", Value::Null, State::InProgress, "LessReady"),
        (
            "/status/observedGeneration",
            Value::Null,
            State::InProgress,
            "LatestGenerationNotObserved",
        ),
        ("/status/conditions", json!([]), State::InProgress, "NotAvailable"),
    ];
    for (pointer, value, state, reason) in cases {
        check(pointer, &with(&d, &[(pointer, value)]), state, reason);
    }
    let late = condition(
        &d,
        "Progressing",
        &json!({"status": "False", "reason": "ProgressDeadlineExceeded"}),
    );
    check("late", &late, State::Failed, "ProgressDeadlineExceeded");
    let away = condition(
        &d,
        "Available",
        &json!({"status": "False", "reason": "MinimumReplicasUnavailable"}),
    );
    check("unavailable", &away, State::InProgress, "MinimumReplicasUnavailable");
    check(
        "new",
        &with(&d, &[("/status", Value::Null)]),
        State::InProgress,
        "LatestGenerationNotObserved",
    );
}

#[test]
fn a_stateful_set_is_ready_when_its_partition_is_rolled_out() {
    let s = json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "etcd", "generation": 1},
        "spec": {"replicas": 3, "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}},
        "status": {"observedGeneration": 1, "replicas": 3, "readyReplicas": 3, "updatedReplicas": 3,
                   "currentReplicas": 3, "currentRevision": "etcd-2", "updateRevision": "etcd-2"}
    });
    check("whole", &s, State::Ready, "Ready");
    check(
        "less",
        &with(&s, &[("/status/replicas", json!(2))]),
        State::InProgress,
        "LessReplicas",
    );
    check(
        "not ready",
        &with(&s, &[("/status/readyReplicas", json!(2))]),
        State::InProgress,
        "LessReady",
    );
    check(
        "scaling in",
        &with(&s, &[("/spec/replicas", json!(2))]),
        State::InProgress,
        "ExtraReplicas",
    );
    check(
        "updating",
        &with(&s, &[("/status/updatedReplicas", json!(2))]),
        State::InProgress,
        "LessUpdated",
    );
    let rolling = with(&s, &[("/status/currentRevision", json!("etcd-1"))]);
    check("rolling", &rolling, State::InProgress, "RollingUpdate");
    let canary = [
        ("/status/currentRevision", json!("etcd-1")),
        ("/status/updatedReplicas", json!(1)),
        ("/spec/updateStrategy/rollingUpdate/partition", json!(2)),
    ];
    check("canary", &with(&s, &canary), State::Ready, "Ready");
    let on_delete = [
        ("/spec/updateStrategy", json!({"type": "OnDelete"})),
        ("/status/updatedReplicas", json!(0)),
    ];
    check("on delete", &with(&s, &on_delete), State::Ready, "Ready");
}

#[test]
fn daemon_sets_and_replica_sets_count_their_pods() {
    let d = json!({
        "apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "cni", "generation": 1}, "spec": {},
        "status": {"observedGeneration": 1, "desiredNumberScheduled": 4, "currentNumberScheduled": 4,
                   "updatedNumberScheduled": 4, "numberAvailable": 4, "numberReady": 4}
    });
    check("whole", &d, State::Ready, "Ready");
    check(
        "updating",
        &with(&d, &[("/status/updatedNumberScheduled", json!(1))]),
        State::InProgress,
        "LessUpdated",
    );
    check(
        "no nodes",
        &with(
            &d,
            &[("/status", json!({"observedGeneration": 1, "desiredNumberScheduled": 0}))],
        ),
        State::Ready,
        "Ready",
    );
    check(
        "new",
        &with(&d, &[("/status", json!({}))]),
        State::InProgress,
        "LatestGenerationNotObserved",
    );
    let r = json!({
        "apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": "r", "generation": 1}, "spec": {"replicas": 1},
        "status": {"observedGeneration": 1, "replicas": 1, "availableReplicas": 1, "readyReplicas": 1, "conditions": []}
    });
    check("whole", &r, State::Ready, "Ready");
    check(
        "scaling in",
        &with(&r, &[("/spec/replicas", json!(0))]),
        State::InProgress,
        "ExtraReplicas",
    );
    let quota = condition(
        &r,
        "ReplicaFailure",
        &json!({"status": "True", "reason": "FailedCreate"}),
    );
    check("quota", &quota, State::InProgress, "FailedCreate");
}

#[test]
fn jobs_services_claims_and_definitions_follow_their_own_signs() {
    let job = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j"}, "spec": {},
                     "status": {"startTime": "2026-01-01T00:00:00Z", "active": 1, "conditions": []}});
    check("running", &job, State::InProgress, "Running");
    check(
        "new",
        &with(&job, &[("/status", json!({}))]),
        State::InProgress,
        "NotStarted",
    );
    check(
        "complete",
        &condition(&job, "Complete", &json!({"status": "True"})),
        State::Ready,
        "Ready",
    );
    let failed = condition(
        &job,
        "Failed",
        &json!({"status": "True", "reason": "BackoffLimitExceeded"}),
    );
    check("failed", &failed, State::Failed, "BackoffLimitExceeded");
    check(
        "suspended",
        &with(&job, &[("/spec/suspend", json!(true)), ("/status", json!({}))]),
        State::Ready,
        "Ready",
    );

    let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"},
                         "spec": {"type": "LoadBalancer", "clusterIP": "10.0.0.1"}, "status": {"loadBalancer": {}}});
    check("no address", &service, State::InProgress, "NoAddress");
    check(
        "empty",
        &with(&service, &[("/status/loadBalancer/ingress", json!([]))]),
        State::InProgress,
        "NoAddress",
    );
    let address = with(
        &service,
        &[("/status/loadBalancer/ingress", json!([{"ip": "192.0.2.1"}]))],
    );
    check("address", &address, State::Ready, "Ready");
    check(
        "cluster ip",
        &with(&service, &[("/spec/type", json!("ClusterIP"))]),
        State::Ready,
        "Ready",
    );

    let claim = |phase: &str| json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "p"}, "status": {"phase": phase}});
    check("bound", &claim("Bound"), State::Ready, "Ready");
    check("pending", &claim("Pending"), State::InProgress, "NotBound");
    check("lost", &claim("Lost"), State::Failed, "Lost");

    let namespace = |phase: &str| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n"}, "status": {"phase": phase}});
    check("active", &namespace("Active"), State::Ready, "Ready");
    check("going", &namespace("Terminating"), State::Terminating, "Terminating");

    let crd = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "c"},
                     "status": {"conditions": [{"type": "NamesAccepted", "status": "True"}, {"type": "Established", "status": "True"}]}});
    check("established", &crd, State::Ready, "Ready");
    check(
        "new",
        &with(&crd, &[("/status/conditions", json!([]))]),
        State::InProgress,
        "NotEstablished",
    );
    let taken = condition(
        &crd,
        "NamesAccepted",
        &json!({"status": "False", "reason": "PluralConflict"}),
    );
    check("taken", &taken, State::Failed, "PluralConflict");
}

const IMAGE: &str = "quay.example/ocp-release:4.20.3-x86_64";

fn hosted() -> Value {
    let condition = |kind: &str, status: &str| json!({"type": kind, "status": status, "reason": "AsExpected", "message": "", "observedGeneration": 5});
    let mut conditions: Vec<Value> = [
        "Available",
        "InfrastructureReady",
        "KubeAPIServerAvailable",
        "IgnitionEndpointAvailable",
        "EtcdAvailable",
        "ValidReleaseInfo",
        "ValidConfiguration",
        "SupportedHostedCluster",
        "ClusterVersionSucceeding",
        "ClusterVersionAvailable",
        "ClusterVersionReleaseAccepted",
        "ReconciliationActive",
        "ReconciliationSucceeded",
        "ValidHostedControlPlaneConfiguration",
        "ValidReleaseImage",
        "PlatformCredentialsFound",
        "DataPlaneConnectionAvailable",
        "ControlPlaneConnectionAvailable",
    ]
    .into_iter()
    .map(|kind| condition(kind, "True"))
    .collect();
    conditions.extend(["Progressing", "Degraded", "ClusterVersionProgressing"].map(|kind| condition(kind, "False")));
    conditions.push(condition("ExternalDNSReachable", "Unknown"));
    json!({
        "apiVersion": "hypershift.openshift.io/v1beta1", "kind": "HostedCluster",
        "metadata": {"name": "payments", "namespace": "clusters", "generation": 5},
        "spec": {"release": {"image": IMAGE}},
        "status": {
            "conditions": conditions,
            "version": {
                "desired": {"image": IMAGE, "version": "4.20.3"},
                "history": [
                    {"state": "Completed", "version": "4.20.3", "image": IMAGE, "startedTime": "2026-01-01T00:00:00Z",
                     "completionTime": "2026-01-01T00:20:00Z"},
                    {"state": "Completed", "version": "4.19.12", "image": "quay.example/ocp-release:4.19.12-x86_64",
                     "startedTime": "2025-06-01T00:00:00Z", "completionTime": "2025-06-01T00:20:00Z"}
                ]
            }
        }
    })
}

#[test]
fn a_hosted_cluster_is_ready_when_its_release_is_rolled_out_and_nothing_is_amiss() {
    let h = hosted();
    check("whole", &h, State::Ready, "Ready");
    let falls: [(&str, State, &str); 9] = [
        ("Available", State::InProgress, "AsExpected"),
        ("ValidConfiguration", State::Failed, "ValidConfiguration"),
        ("ValidReleaseImage", State::Failed, "ValidReleaseImage"),
        ("PlatformCredentialsFound", State::Failed, "PlatformCredentialsFound"),
        ("ReconciliationActive", State::Unknown, "Paused"),
        ("ReconciliationSucceeded", State::InProgress, "ReconciliationSucceeded"),
        (
            "ClusterVersionSucceeding",
            State::InProgress,
            "ClusterVersionSucceeding",
        ),
        (
            "DataPlaneConnectionAvailable",
            State::InProgress,
            "DataPlaneConnectionAvailable",
        ),
        ("KubeAPIServerAvailable", State::InProgress, "KubeAPIServerAvailable"),
    ];
    for (kind, state, reason) in falls {
        check(kind, &condition(&h, kind, &json!({"status": "False"})), state, reason);
    }
    check(
        "degraded",
        &condition(&h, "Degraded", &json!({"status": "True"})),
        State::Failed,
        "Degraded",
    );
    let blocked = condition(&h, "Progressing", &json!({"reason": "Blocked"}));
    check("blocked", &blocked, State::Failed, "Blocked");
    let old_trouble = condition(
        &h,
        "ValidConfiguration",
        &json!({"status": "False", "observedGeneration": 4}),
    );
    check("mended since", &old_trouble, State::Ready, "Ready");
    let edited = with(&h, &[("/metadata/generation", json!(6))]);
    check(
        "edited since",
        &edited,
        State::InProgress,
        "LatestGenerationNotObserved",
    );
    let new = with(&h, &[("/status", Value::Null)]);
    check("new", &new, State::InProgress, "NotAvailable");
}

#[test]
fn an_upgrade_is_done_when_the_newest_history_entry_is_the_wanted_image_and_completed() {
    let h = hosted();
    assert_eq!(upgrade(&h), Upgrade::Done);

    let asked = with(
        &h,
        &[("/spec/release/image", json!("quay.example/ocp-release:4.21.0-x86_64"))],
    );
    let asked = condition(
        &asked,
        "Progressing",
        &json!({"status": "True", "reason": "Progressing"}),
    );
    assert_eq!(upgrade(&asked), Upgrade::NotStarted);
    check("asked", &asked, State::InProgress, "RolloutNotStarted");

    let partial = with(&h, &[("/status/version/history/0/state", json!("Partial"))]);
    let partial = condition(
        &partial,
        "ClusterVersionProgressing",
        &json!({"status": "True", "message": "Working towards 4.20.3: 88% complete"}),
    );
    let message = "Working towards 4.20.3: 88% complete".to_owned();
    assert_eq!(upgrade(&partial), Upgrade::Running { message });
    check("partial", &partial, State::InProgress, "RollingOut");
    assert!(
        hosted_cluster(&partial, Scope::ControlPlane).is_ready(),
        "the control plane serves while it upgrades"
    );

    let digest = "quay.example/ocp-release@sha256:0123";
    let by_digest = with(
        &h,
        &[
            ("/status/version/history/0/image", json!(digest)),
            ("/status/version/desired/image", json!(digest)),
        ],
    );
    assert_eq!(
        upgrade(&by_digest),
        Upgrade::Done,
        "the operator found tag and digest alike"
    );
    let stale = condition(&by_digest, "Progressing", &json!({"observedGeneration": 4}));
    assert_eq!(upgrade(&stale), Upgrade::NotStarted, "its word was about an older spec");
    let other_digest = with(
        &by_digest,
        &[("/spec/release/image", json!("quay.example/ocp-release@sha256:4567"))],
    );
    assert_eq!(upgrade(&other_digest), Upgrade::NotStarted);
}

#[test]
fn a_hosted_cluster_without_nodes_is_ready_though_its_version_never_completes() {
    let mut h = with(&hosted(), &[("/status/version/history/0/state", json!("Partial"))]);
    for kind in ["DataPlaneConnectionAvailable", "ControlPlaneConnectionAvailable"] {
        h = condition(
            &h,
            kind,
            &json!({"status": "Unknown", "reason": "NoWorkerNodesAvailable"}),
        );
    }
    h = condition(&h, "ClusterVersionSucceeding", &json!({"status": "False"}));
    check("no nodes", &h, State::Ready, "Ready");
    let upgrading = condition(&h, "Progressing", &json!({"status": "True", "reason": "Progressing"}));
    check("no nodes, upgrading", &upgrading, State::InProgress, "RollingOut");
    let degraded = condition(&h, "Degraded", &json!({"status": "True"}));
    check("no nodes, degraded", &degraded, State::Failed, "Degraded");
}

fn pool() -> Value {
    let condition = |kind: &str, status: &str| json!({"type": kind, "status": status, "reason": "AsExpected", "message": "", "observedGeneration": 2});
    let mut conditions: Vec<Value> = [
        "Ready",
        "AllMachinesReady",
        "AllNodesHealthy",
        "ValidReleaseImage",
        "ValidMachineConfig",
        "ValidTuningConfig",
        "SupportedVersionSkew",
        "ValidPlatformConfig",
        "UpdateManagementEnabled",
        "ReconciliationActive",
        "ReachedIgnitionEndpoint",
        "ValidArchPlatform",
    ]
    .into_iter()
    .map(|kind| condition(kind, "True"))
    .collect();
    conditions.extend(
        [
            "UpdatingVersion",
            "UpdatingConfig",
            "UpdatingPlatformMachineTemplate",
            "AutoscalingEnabled",
        ]
        .map(|kind| condition(kind, "False")),
    );
    json!({
        "apiVersion": "hypershift.openshift.io/v1beta1", "kind": "NodePool",
        "metadata": {"name": "payments-general", "namespace": "clusters", "generation": 2},
        "spec": {"clusterName": "payments", "replicas": 3, "release": {"image": IMAGE}},
        "status": {"replicas": 3, "version": "4.20.3", "conditions": conditions}
    })
}

#[test]
fn a_node_pool_is_ready_when_its_nodes_are_there_well_and_up_to_date() {
    let p = pool();
    check("whole", &p, State::Ready, "Ready");
    let changes: [(&str, &str, State, &str); 9] = [
        ("Ready", "False", State::InProgress, "AsExpected"),
        ("AllMachinesReady", "False", State::InProgress, "AllMachinesReady"),
        ("AllNodesHealthy", "Unknown", State::InProgress, "AllNodesHealthy"),
        ("UpdatingVersion", "True", State::InProgress, "UpdatingVersion"),
        ("UpdatingConfig", "True", State::InProgress, "UpdatingConfig"),
        (
            "UpdatingPlatformMachineTemplate",
            "True",
            State::InProgress,
            "UpdatingPlatformMachineTemplate",
        ),
        ("SupportedVersionSkew", "False", State::Failed, "SupportedVersionSkew"),
        ("ValidMachineConfig", "False", State::Failed, "ValidMachineConfig"),
        ("ReconciliationActive", "False", State::Unknown, "Paused"),
    ];
    for (kind, status, state, reason) in changes {
        check(kind, &condition(&p, kind, &json!({"status": status})), state, reason);
    }
    let broken = condition(
        &p,
        "UpdatingVersion",
        &json!({"status": "False", "reason": "InplaceUpgradeFailed"}),
    );
    check("in place", &broken, State::Failed, "InplaceUpgradeFailed");
    check(
        "edited",
        &with(&p, &[("/metadata/generation", json!(3))]),
        State::InProgress,
        "LatestGenerationNotObserved",
    );
    check(
        "new",
        &with(&p, &[("/status", Value::Null)]),
        State::InProgress,
        "LessReplicas",
    );
    let unknown_skew = condition(&p, "SupportedVersionSkew", &json!({"status": "Unknown"}));
    check("skew not known yet", &unknown_skew, State::Ready, "Ready");
}

#[test]
fn a_node_pool_has_as_many_nodes_as_its_spec_or_its_autoscaler_wants() {
    let p = pool();
    check(
        "scaling out",
        &with(&p, &[("/spec/replicas", json!(4))]),
        State::InProgress,
        "LessReplicas",
    );
    check(
        "scaling in",
        &with(&p, &[("/spec/replicas", json!(2))]),
        State::InProgress,
        "ExtraReplicas",
    );
    let auto = |min: i64, max: i64| {
        with(
            &p,
            &[
                ("/spec/replicas", Value::Null),
                ("/spec/autoScaling", json!({"min": min, "max": max})),
            ],
        )
    };
    check("within", &auto(1, 6), State::Ready, "Ready");
    check("below", &auto(4, 6), State::InProgress, "LessReplicas");
    check("above", &auto(1, 2), State::InProgress, "ExtraReplicas");

    let mut none = with(&p, &[("/spec/replicas", json!(0)), ("/status/replicas", Value::Null)]);
    for kind in ["AllMachinesReady", "AllNodesHealthy"] {
        none = condition(&none, kind, &json!({"status": "False"}));
    }
    check("none wanted", &none, State::Ready, "Ready");
    check(
        "neither given",
        &with(&none, &[("/spec/replicas", Value::Null)]),
        State::Ready,
        "Ready",
    );
}

fn capi(kind: &str, version: &str) -> Value {
    json!({"apiVersion": format!("cluster.x-k8s.io/{version}"), "kind": kind,
           "metadata": {"name": "c", "generation": 2, "annotations": {}},
           "spec": {"replicas": 3}, "status": {"observedGeneration": 2, "conditions": []}})
}

#[test]
fn cluster_api_kinds_are_read_in_both_shapes_of_conditions() {
    let old = capi("Cluster", "v1beta1");
    check("no word yet", &old, State::InProgress, "NotReady");
    check(
        "old ready",
        &condition(&old, "Ready", &json!({"status": "True"})),
        State::Ready,
        "Ready",
    );
    let severe = json!({"status": "False", "severity": "Error", "reason": "VcnReconciliationFailed"});
    check(
        "old error",
        &condition(&old, "Ready", &severe),
        State::Failed,
        "VcnReconciliationFailed",
    );
    let info = json!({"status": "False", "severity": "Info", "reason": "WaitingForInfrastructure"});
    check(
        "old info",
        &condition(&old, "Ready", &info),
        State::InProgress,
        "WaitingForInfrastructure",
    );

    let new = condition(
        &capi("Cluster", "v1beta2"),
        "Available",
        &json!({"status": "True", "observedGeneration": 2}),
    );
    check("new available", &new, State::Ready, "Ready");
    let rolling = condition(&new, "RollingOut", &json!({"status": "True"}));
    check("new rolling", &rolling, State::InProgress, "RollingOut");
    let stale = condition(&new, "Available", &json!({"observedGeneration": 1}));
    check("new stale", &stale, State::InProgress, "LatestGenerationNotObserved");

    let both = condition(&old, "Ready", &json!({"status": "True"}));
    let not_available = json!([{"type": "Available", "status": "False", "reason": "NotAvailable"}]);
    let both = with(&both, &[("/status/v1beta2", json!({"conditions": not_available}))]);
    check("the new one counts", &both, State::InProgress, "NotAvailable");

    let failed = with(
        &old,
        &[
            ("/status/failureReason", json!("CreateError")),
            ("/status/failureMessage", json!("no quota")),
        ],
    );
    check("terminal", &failed, State::Failed, "CreateError");
    let failed = with(
        &new,
        &[(
            "/status/deprecated",
            json!({"v1beta1": {"failureReason": "UpdateError"}}),
        )],
    );
    check("terminal, new place", &failed, State::Failed, "UpdateError");
    check(
        "paused",
        &with(&new, &[("/spec/paused", json!(true))]),
        State::Unknown,
        "Paused",
    );
    let annotated = with(&new, &[("/metadata/annotations/cluster.x-k8s.io~1paused", json!(""))]);
    check("paused by annotation", &annotated, State::Unknown, "Paused");
}

#[test]
fn machine_deployments_count_their_machines_unless_another_sets_the_number() {
    let base = capi("MachineDeployment", "v1beta2");
    let d = with(
        &condition(&base, "Available", &json!({"status": "True"})),
        &[
            ("/status/replicas", json!(3)),
            ("/status/upToDateReplicas", json!(3)),
            ("/status/availableReplicas", json!(3)),
        ],
    );
    check("whole", &d, State::Ready, "Ready");
    check(
        "updating",
        &with(&d, &[("/status/upToDateReplicas", json!(1))]),
        State::InProgress,
        "LessUpdated",
    );
    check(
        "surge",
        &with(&d, &[("/status/replicas", json!(4))]),
        State::InProgress,
        "ExtraReplicas",
    );
    check(
        "starting",
        &with(&d, &[("/status/availableReplicas", json!(2))]),
        State::InProgress,
        "LessAvailable",
    );
    let managed = with(
        &d,
        &[
            ("/metadata/annotations/cluster.x-k8s.io~1replicas-managed-by", json!("")),
            ("/status/replicas", json!(9)),
        ],
    );
    check("autoscaled", &managed, State::Ready, "Ready");
    check(
        "unseen",
        &with(&d, &[("/status/observedGeneration", Value::Null)]),
        State::InProgress,
        "LatestGenerationNotObserved",
    );
}

#[test]
fn oci_infrastructure_is_ready_by_its_field_and_its_condition() {
    let c = json!({
        "apiVersion": "infrastructure.cluster.x-k8s.io/v1beta2", "kind": "OCICluster",
        "metadata": {"name": "c", "generation": 7, "annotations": {}}, "spec": {},
        "status": {"ready": true, "conditions": [
            {"type": "ClusterReady", "status": "True"}, {"type": "Ready", "status": "True"}
        ]}
    });
    check("whole", &c, State::Ready, "Ready");
    check(
        "new",
        &with(&c, &[("/status", Value::Null)]),
        State::InProgress,
        "NotReady",
    );
    check(
        "field missing",
        &with(&c, &[("/status/ready", Value::Null)]),
        State::InProgress,
        "NotReady",
    );
    let failed = json!({"status": "False", "severity": "Error", "reason": "SubnetReconciliationFailed"});
    check(
        "failed",
        &condition(&c, "Ready", &failed),
        State::Failed,
        "SubnetReconciliationFailed",
    );
    assert_eq!(
        readiness(&condition(&c, "Ready", &failed)).message,
        "its Warning events say more",
        "the provider's conditions have no message"
    );
    let external = with(
        &c,
        &[
            (
                "/metadata/annotations/cluster.x-k8s.io~1managed-by",
                json!("fleetwright"),
            ),
            ("/status/conditions", json!([{"type": "Ready", "status": "False"}])),
        ],
    );
    check("external", &external, State::Ready, "Ready");
    check(
        "external, not yet",
        &with(&external, &[("/status/ready", json!(false))]),
        State::InProgress,
        "NotReady",
    );
    for kind in ["OCIMachineTemplate", "OCIClusterIdentity"] {
        check(
            kind,
            &with(&c, &[("/kind", json!(kind)), ("/status", Value::Null)]),
            State::Ready,
            "Ready",
        );
    }
}

#[test]
fn an_oci_resource_is_what_its_lifecycle_state_says() {
    let gateway = json!({
        "apiVersion": "oci.fleetwright.dev/v1alpha1", "kind": "LocalPeeringGateway", "metadata": {"name": "a"},
        "spec": {"peerId": "ocid1.localpeeringgateway.oc1.iad.b"},
        "status": {"lifecycleState": "AVAILABLE", "peeringStatus": "PEERED"}
    });
    let with = |pointer: &str, value: &str| with(&gateway, &[(pointer, json!(value))]);
    check("joined", &gateway, State::Ready, "Ready");
    let half = with("/status/peeringStatus", "PENDING");
    check("half joined", &half, State::InProgress, "PENDING");
    let broken = with("/status/peeringStatus", "REVOKED");
    check("left alone", &broken, State::Failed, "PeeringBroken");
    let new = with("/status/lifecycleState", "PROVISIONING");
    check("new", &new, State::InProgress, "PROVISIONING");
    let going = with("/status/lifecycleState", "TERMINATING");
    check("going", &going, State::Terminating, "TERMINATING");
    let record = json!({"apiVersion": "oci.fleetwright.dev/v1alpha1", "kind": "DnsRecords", "metadata": {"name": "a"}});
    check("records", &record, State::Ready, "Ready");
    let nonsense = json!({"apiVersion": "oci.fleetwright.dev/v1alpha1", "kind": "Vnc", "metadata": {"name": "a"}});
    check("no kind", &nonsense, State::Unknown, "UnknownKind");
}
