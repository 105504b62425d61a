//! HostedCluster: a control plane that comes up in stages, rolls out releases, and goes after its node pools.

use jiff::Timestamp;
use semver::Version;
use serde_json::{Map, Value, json};

use super::conditions::{AS_EXPECTED, Conditions, Is, is_true, since, status_of};
use super::{
    Effect, Step, after, deleted_at, paused_until, release, stamp, text, time, with_finalizer, without_finalizer,
};

/// On HostedClusters and NodePools alike.
pub(super) const FINALIZER: &str = "hypershift.openshift.io/finalizer";

/// Stages of a new control plane, and how many seconds after its creation each is reached.
const STAGES: [(&str, &str, i64); 5] = [
    ("InfrastructureReady", "WaitingOnInfrastructureReady", 120),
    ("EtcdAvailable", "EtcdWaitingForQuorum", 240),
    ("KubeAPIServerAvailable", "WaitingForAvailable", 360),
    ("IgnitionEndpointAvailable", "WaitingForAvailable", 420),
    ("Available", "WaitingForAvailable", CONTROL_PLANE),
];

/// Seconds until a control plane answers.
pub const CONTROL_PLANE: i64 = 8 * 60;

/// Seconds that a release takes at least, from its start.
pub const ROLLOUT: i64 = 12 * 60;

/// Seconds that the payload's own operators need once there are nodes.
const OPERATORS: i64 = 2 * 60;

/// Seconds between the last node pool's end and the control plane's.
pub const TEARDOWN: i64 = 60;

/// Steps in which a rollout's progress is told.
const QUARTERS: i64 = 4;

/// The oldest release that the operator manages.
const OLDEST: Version = Version::new(4, 14, 0);

/// One step of a HostedCluster, with the NodePools that name it.
pub fn step(cluster: &Value, pools: &[&Value], now: Timestamp) -> Step {
    if let Some(since) = deleted_at(cluster) {
        return tear_down(cluster, pools, since, now);
    }
    if let Some(until) = paused_until(cluster, now) {
        return paused(cluster, until, now);
    }
    let created = time(cluster, "/metadata/creationTimestamp").unwrap_or(now);
    let nodes_since = nodes_since(pools);
    let problem = release_problem(cluster);
    let mut step = Step {
        patch: with_finalizer(cluster, FINALIZER),
        ..Step::default()
    };

    let mut status = status_of(cluster);
    let rollout = Rollout::of(cluster, nodes_since, problem.is_none(), now);
    status.insert("version".to_owned(), rollout.version(cluster, &status));
    let mut conditions = Conditions::new(cluster, now);
    for (kind, waiting, seconds) in STAGES {
        let reached = after(created, seconds);
        if now >= reached {
            conditions.well(kind);
        } else {
            conditions.set(kind, false, waiting, &format!("{kind} is still to come"));
            step = step.at(reached);
        }
    }
    validity(&mut conditions, problem.as_deref());
    rollout.conditions(cluster, &mut conditions, nodes_since.is_some(), problem.as_deref());
    status.insert("conditions".to_owned(), conditions.list());

    let available = now >= after(created, CONTROL_PLANE);
    if available {
        step.effects.extend(published(cluster, &mut status));
    }
    if nodes_since.is_some() && text(cluster, "/spec/platform/type") == "OCI" {
        step.effects.push(Effect::EnsureLoadBalancer);
    }
    if let Some(next) = rollout.next {
        step = step.at(next);
    }
    step.with_status(cluster, Value::Object(status))
}

fn tear_down(cluster: &Value, pools: &[&Value], since: Timestamp, now: Timestamp) -> Step {
    let mut step = Step::default();
    let Some(end) = without_finalizer(cluster, FINALIZER) else {
        return step;
    };
    if !pools.is_empty() {
        let staying = pools.iter().filter(|pool| deleted_at(pool).is_none());
        step.effects = staying
            .map(|pool| Effect::DeletePool(text(pool, "/metadata/name").to_owned()))
            .collect();
        return step;
    }
    if now < after(since, TEARDOWN) {
        return step.at(after(since, TEARDOWN));
    }
    step.effects.push(Effect::RemoveLoadBalancer);
    step.patch = Some(end);
    step
}

fn paused(cluster: &Value, until: Option<Timestamp>, now: Timestamp) -> Step {
    let mut status = status_of(cluster);
    let mut conditions = Conditions::new(cluster, now);
    conditions.set(
        "ReconciliationActive",
        false,
        "ReconciliationPaused",
        "reconciliation is paused",
    );
    merge_conditions(&mut status, conditions.list());
    let step = Step {
        again: until,
        ..Step::default()
    };
    step.with_status(cluster, Value::Object(status))
}

/// Puts conditions into a status that keeps its others.
pub(super) fn merge_conditions(status: &mut Map<String, Value>, new: Value) {
    let mut all = match status.remove("conditions") {
        Some(Value::Array(old)) => old,
        _ => Vec::new(),
    };
    let new = match new {
        Value::Array(new) => new,
        _ => Vec::new(),
    };
    all.retain(|old| !new.iter().any(|condition| condition.get("type") == old.get("type")));
    all.extend(new);
    status.insert("conditions".to_owned(), Value::Array(all));
}

/// Since when a node has been there that the payload's operators can run on.
fn nodes_since(pools: &[&Value]) -> Option<Timestamp> {
    let ready = |pool: &&&Value| pool.pointer("/status/replicas").and_then(Value::as_i64).unwrap_or(0) > 0;
    pools
        .iter()
        .filter(ready)
        .filter_map(|pool| since(pool, "AllNodesHealthy", true))
        .min()
}

/// What keeps the wanted release from being rolled out.
fn release_problem(cluster: &Value) -> Option<String> {
    let wanted = release::version(text(cluster, "/spec/release/image"))?;
    if wanted < OLDEST {
        return Some(format!(
            "releases before {OLDEST} are not supported. Attempting to use: {wanted}"
        ));
    }
    let current = completed(cluster)?;
    (release::minors(&wanted) < release::minors(&current))
        .then(|| format!("y-stream downgrade from {current} to {wanted} is not supported"))
}

/// The newest version that was rolled out whole.
pub(super) fn completed(cluster: &Value) -> Option<Version> {
    let history = cluster.pointer("/status/version/history").and_then(Value::as_array)?;
    let done = history.iter().find(|entry| text(entry, "/state") == "Completed")?;
    Version::parse(text(done, "/version")).ok()
}

fn validity(conditions: &mut Conditions<'_>, problem: Option<&str>) {
    for kind in [
        "ValidConfiguration",
        "SupportedHostedCluster",
        "ValidHostedControlPlaneConfiguration",
        "ValidReleaseInfo",
        "PlatformCredentialsFound",
        "ReconciliationActive",
        "ReconciliationSucceeded",
        "ConfigOperatorReconciliationSucceeded",
    ] {
        conditions.well(kind);
    }
    match problem {
        None => conditions.well("ValidReleaseImage"),
        Some(problem) => conditions.set("ValidReleaseImage", false, "InvalidImage", problem),
    }
    conditions.set("Degraded", false, AS_EXPECTED, "All is well");
    conditions.set(
        "ExternalDNSReachable",
        Is::Unknown,
        "StatusUnknown",
        "External DNS is not configured",
    );
}

/// How far the wanted release is.
struct Rollout {
    /// The newest entry of the history is to be made.
    begins: bool,
    /// The newest entry of the history is to be completed.
    ends: bool,
    /// Whether it is complete then.
    complete: bool,
    /// Quarters that are done.
    quarters: i64,
    /// When this changes by itself.
    next: Option<Timestamp>,
    now: Timestamp,
}

impl Rollout {
    fn of(cluster: &Value, nodes_since: Option<Timestamp>, may_begin: bool, now: Timestamp) -> Self {
        let newest = "/status/version/history/0";
        let wanted = text(cluster, "/spec/release/image");
        let begins =
            text(cluster, &format!("{newest}/image")) != wanted && (may_begin || cluster.pointer(newest).is_none());
        let done = !begins && text(cluster, &format!("{newest}/state")) == "Completed";
        let started = if begins {
            now
        } else {
            time(cluster, &format!("{newest}/startedTime")).unwrap_or(now)
        };
        let end = nodes_since.map(|nodes| after(started, ROLLOUT).max(after(nodes, OPERATORS)));
        let passed = now.duration_since(started).as_secs();
        let quarters = (passed * QUARTERS / ROLLOUT).clamp(0, QUARTERS - 1);
        let ends = !done && !begins && end.is_some_and(|end| now >= end);
        let next_quarter = (quarters + 1 < QUARTERS).then(|| after(started, (quarters + 1) * ROLLOUT / QUARTERS));
        let next = if done || ends { None } else { next_quarter.or(end) };
        Self {
            begins,
            ends,
            complete: done || ends,
            quarters,
            next,
            now,
        }
    }

    /// `status.version`.
    fn version(&self, cluster: &Value, status: &Map<String, Value>) -> Value {
        let image = text(cluster, "/spec/release/image");
        let old = status.get("version").cloned().unwrap_or_else(|| json!({}));
        let mut history = match old.get("history") {
            Some(Value::Array(history)) => history.clone(),
            _ => Vec::new(),
        };
        let now = stamp(self.now);
        if self.begins {
            // A rollout that another overtakes ends as it is.
            if let Some(overtaken) = history
                .first_mut()
                .filter(|entry| entry.get("completionTime").is_none_or(Value::is_null))
            {
                overtaken["completionTime"] = json!(now);
            }
            history.insert(
                0,
                json!({"state": "Partial", "image": image, "version": release::shown(image), "startedTime": now,
                    "verified": false}),
            );
        }
        if self.ends
            && let Some(newest) = history.first_mut()
        {
            newest["state"] = json!("Completed");
            newest["completionTime"] = json!(now);
        }
        let desired = history.first().map_or(image, |newest| text(newest, "/image"));
        json!({
            "desired": {"image": desired, "version": release::shown(desired)},
            "history": history,
            "observedGeneration": cluster.pointer("/metadata/generation").cloned().unwrap_or_else(|| json!(1)),
        })
    }

    fn conditions(&self, cluster: &Value, conditions: &mut Conditions<'_>, nodes: bool, problem: Option<&str>) {
        let wanted = release::shown(text(cluster, "/spec/release/image"));
        match problem {
            Some(problem) => conditions.set("Progressing", true, "Blocked", problem),
            // What is wanted is aimed at from this step on.
            None => conditions.set(
                "Progressing",
                false,
                AS_EXPECTED,
                "HostedCluster is at expected version",
            ),
        }
        let available = self.complete || completed(cluster).is_some();
        conditions.set("ClusterVersionAvailable", available, "FromClusterVersion", "");
        conditions.set("ClusterVersionSucceeding", nodes || available, "FromClusterVersion", "");
        conditions.set("ClusterVersionUpgradeable", Is::Unknown, "StatusUnknown", "");
        conditions.set("ClusterVersionReleaseAccepted", true, "PayloadLoaded", "Payload loaded");
        let message = if self.complete {
            format!("Cluster version is {wanted}")
        } else {
            format!("Working towards {wanted}: {}% complete", self.quarters * 100 / QUARTERS)
        };
        conditions.set(
            "ClusterVersionProgressing",
            !self.complete,
            "FromClusterVersion",
            &message,
        );
        for kind in ["DataPlaneConnectionAvailable", "ControlPlaneConnectionAvailable"] {
            if nodes {
                conditions.well(kind);
            } else {
                conditions.set(kind, Is::Unknown, "NoWorkerNodesAvailable", "No worker nodes available");
            }
        }
    }
}

/// What a control plane that answers publishes; the Secrets carry the HostedCluster's labels, as HyperShift's do.
fn published(cluster: &Value, status: &mut Map<String, Value>) -> [Effect; 2] {
    let name = text(cluster, "/metadata/name");
    let (kubeconfig, password) = (format!("{name}-admin-kubeconfig"), format!("{name}-kubeadmin-password"));
    let service = |wanted: &str| {
        let services = cluster.pointer("/spec/services").and_then(Value::as_array);
        let service = services
            .into_iter()
            .flatten()
            .find(|service| text(service, "/service") == wanted);
        let strategy = service.map_or(&Value::Null, |service| &service["servicePublishingStrategy"]);
        let places = ["/nodePort/address", "/loadBalancer/hostname", "/route/hostname"];
        let host = places
            .iter()
            .map(|place| text(strategy, place))
            .find(|host| !host.is_empty());
        (
            host.map_or_else(|| format!("{}.{name}.sandbox", wanted.to_lowercase()), str::to_owned),
            strategy.pointer("/nodePort/port").and_then(Value::as_i64),
        )
    };
    let (host, port) = service("APIServer");
    let port = port.unwrap_or(6443);
    status.insert("kubeconfig".to_owned(), json!({"name": kubeconfig}));
    status.insert("kubeadminPassword".to_owned(), json!({"name": password}));
    status.insert("controlPlaneEndpoint".to_owned(), json!({"host": host, "port": port}));
    status.insert("ignitionEndpoint".to_owned(), json!(service("Ignition").0));
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "cluster", "cluster": {"server": format!("https://{host}:{port}")}}],
        "users": [{"name": "admin", "user": {"token": "sandbox"}}],
        "contexts": [{"name": "admin", "context": {"cluster": "cluster", "user": "admin", "namespace": "default"}}],
        "current-context": "admin",
    });
    [
        Effect::Create(secret(cluster, &kubeconfig, "kubeconfig", &config.to_string())),
        Effect::Create(secret(cluster, &password, "password", "sandbox")),
    ]
}

fn secret(cluster: &Value, name: &str, key: &str, content: &str) -> Value {
    let metadata = &cluster["metadata"];
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
        "metadata": {
            "name": name, "namespace": metadata["namespace"], "labels": metadata.get("labels").cloned().unwrap_or_else(|| json!({})),
            "ownerReferences": [owner(cluster)],
        },
        "stringData": {key: content},
    })
}

/// A reference to an object as the owner of another.
pub(super) fn owner(object: &Value) -> Value {
    json!({"apiVersion": object["apiVersion"], "kind": object["kind"], "name": object["metadata"]["name"], "uid": object["metadata"]["uid"]})
}

/// Whether nodes can get their first configuration.
pub(super) fn serves_ignition(cluster: &Value) -> bool {
    is_true(cluster, "Available") && is_true(cluster, "IgnitionEndpointAvailable")
}
