//! NodePool: nodes that boot once the control plane answers, are replaced batch by batch, and are drained at the end.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::conditions::{AS_EXPECTED, Conditions, Is, since, status_of};
use super::hosted_cluster::{self, FINALIZER, merge_conditions, owner, serves_ignition};
use super::{Step, after, deleted_at, paused_until, release, text, with_finalizer, without_finalizer};
use crate::resource::Digest;

/// Seconds from a machine's creation to a node that is ready.
pub const BOOT: i64 = 5 * 60;

/// Seconds that draining and ending nodes takes.
pub const DRAIN: i64 = 2 * 60;

/// Where HyperShift notes what the nodes there are were made of.
const CONFIG: &str = "hypershift.openshift.io/nodePoolCurrentConfig";
const TEMPLATE: &str = "hypershift.openshift.io/nodePoolPlatformMachineTemplate";

/// Fields of a HostedCluster that are part of its nodes' configuration.
const ROLLING: [&str; 6] = [
    "/spec/pullSecret",
    "/spec/sshKey",
    "/spec/additionalTrustBundle",
    "/spec/imageContentSources",
    "/spec/configuration/proxy",
    "/spec/configuration/image",
];

/// Minor versions that nodes may be behind their control plane.
const SKEW: u64 = 3;

/// One step of a NodePool, with its HostedCluster.
pub fn step(pool: &Value, cluster: Option<&Value>, now: Timestamp) -> Step {
    if let Some(since) = deleted_at(pool) {
        return drain(pool, since, now);
    }
    if let Some(until) = paused_until(pool, now) {
        return paused(pool, until, now);
    }
    // Without its HostedCluster the operator can't do a thing; the HostedCluster's coming wakes this up.
    let Some(cluster) = cluster else { return Step::default() };
    let problem = Problem::of(pool, cluster);
    let mut nodes = Nodes::of(pool, cluster, now);
    if problem.stops_nodes() {
        nodes.hold();
    }
    let mut status = status_of(pool);
    nodes.write(pool, &mut status);
    let mut conditions = Conditions::new(pool, now);
    problem.conditions(&mut conditions);
    nodes.conditions(pool, cluster, &mut conditions);
    status.insert("conditions".to_owned(), conditions.list());
    let step = Step {
        patch: metadata(pool, cluster, &nodes),
        again: nodes.next,
        ..Step::default()
    };
    step.with_status(pool, Value::Object(status))
}

fn drain(pool: &Value, since: Timestamp, now: Timestamp) -> Step {
    let step = Step::default();
    let Some(end) = without_finalizer(pool, FINALIZER) else {
        return step;
    };
    let has_nodes = pool.pointer("/status/replicas").and_then(Value::as_i64).unwrap_or(0) > 0;
    let gone = after(since, if has_nodes { DRAIN } else { 0 });
    if now < gone {
        return step.at(gone);
    }
    Step {
        patch: Some(end),
        ..step
    }
}

fn paused(pool: &Value, until: Option<Timestamp>, now: Timestamp) -> Step {
    let mut status = status_of(pool);
    let mut conditions = Conditions::new(pool, now);
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
    step.with_status(pool, Value::Object(status))
}

/// What is wrong with the wanted release.
enum Problem {
    None,
    /// Ahead of the control plane: nothing is rolled out.
    Ahead(String),
    /// Too far behind it: told, and no more.
    Behind(String),
}

impl Problem {
    fn of(pool: &Value, cluster: &Value) -> Self {
        let wanted = release::version(text(pool, "/spec/release/image"));
        let control_plane =
            hosted_cluster::completed(cluster).or_else(|| release::version(text(cluster, "/spec/release/image")));
        let (Some(wanted), Some(control_plane)) = (wanted, control_plane) else {
            return Self::None;
        };
        if wanted > control_plane {
            Self::Ahead(format!(
                "NodePool version {wanted} cannot be higher than HostedCluster version {control_plane}"
            ))
        } else if release::minors(&wanted) + SKEW < release::minors(&control_plane) {
            Self::Behind(format!(
                "NodePool version {wanted} is more than {SKEW} minors behind {control_plane}"
            ))
        } else {
            Self::None
        }
    }

    fn stops_nodes(&self) -> bool {
        matches!(self, Self::Ahead(_))
    }

    fn conditions(&self, conditions: &mut Conditions<'_>) {
        match self {
            Self::Ahead(message) => conditions.set("ValidReleaseImage", false, "ValidationFailed", message),
            Self::None | Self::Behind(_) => conditions.well("ValidReleaseImage"),
        }
        match self {
            Self::Behind(message) => conditions.set("SupportedVersionSkew", false, "UnsupportedSkew", message),
            Self::None | Self::Ahead(_) => conditions.well("SupportedVersionSkew"),
        }
        for kind in [
            "ValidPlatformConfig",
            "ValidPlatformImage",
            "ValidMachineConfig",
            "ValidTuningConfig",
            "ValidArchPlatform",
            "ValidGeneratedPayload",
            "UpdateManagementEnabled",
            "ReconciliationActive",
        ] {
            conditions.well(kind);
        }
    }
}

/// The nodes of a pool, and where they are going.
struct Nodes {
    have: i64,
    want: i64,
    /// Whether nodes can boot at all.
    can_boot: bool,
    /// Whether something wrong keeps them as they are.
    held: bool,
    /// Whether the number is being changed.
    scaling: bool,
    /// What the nodes are not made of yet, as the condition that tells it.
    updating: Vec<&'static str>,
    /// Nodes that have been replaced.
    replaced: i64,
    config: String,
    template: String,
    next: Option<Timestamp>,
}

impl Nodes {
    fn of(pool: &Value, cluster: &Value, now: Timestamp) -> Self {
        let have = pool.pointer("/status/replicas").and_then(Value::as_i64).unwrap_or(0);
        let mut nodes = Self {
            have,
            want: wanted(pool, have),
            can_boot: serves_ignition(cluster),
            held: false,
            scaling: false,
            updating: Vec::new(),
            replaced: 0,
            config: config(pool, cluster),
            template: digest(&pool["spec"]["platform"]),
            next: None,
        };
        nodes.replace(pool, now);
        nodes.scale(pool, now);
        nodes
    }

    /// Leaves the nodes as they are.
    fn hold(&mut self) {
        self.held = true;
        self.want = self.have;
        self.updating.clear();
        self.replaced = 0;
        self.next = None;
        self.scaling = false;
    }

    /// Replaces the nodes batch by batch since the conditions tell so.
    fn replace(&mut self, pool: &Value, now: Timestamp) {
        // Nodes that are not there need no replacing: those to come are made of what is wanted.
        if self.have == 0 {
            return;
        }
        let shown = release::shown(text(pool, "/spec/release/image"));
        let differs = |key: &str, wanted: &str| annotation(pool, key).is_some_and(|noted| noted != wanted);
        let due = [
            ("UpdatingVersion", text(pool, "/status/version") != shown),
            ("UpdatingConfig", differs(CONFIG, &self.config)),
            ("UpdatingPlatformMachineTemplate", differs(TEMPLATE, &self.template)),
        ];
        self.updating = due.into_iter().filter_map(|(kind, due)| due.then_some(kind)).collect();
        if self.updating.is_empty() {
            return;
        }
        let begun = self
            .updating
            .iter()
            .filter_map(|kind| since(pool, kind, true))
            .min()
            .unwrap_or(now);
        let batches = now.duration_since(begun).as_secs() / BOOT;
        self.replaced = batches.saturating_mul(batch(pool, self.have)).min(self.have);
        if self.replaced == self.have {
            self.updating.clear();
        } else {
            self.next = Some(after(begun, (batches + 1) * BOOT));
        }
    }

    /// Brings the number of nodes to what is wanted, all that are missing at once.
    fn scale(&mut self, pool: &Value, now: Timestamp) {
        if self.have == self.want || !self.can_boot {
            return;
        }
        let begun = since(pool, "AllMachinesReady", false).unwrap_or(now);
        let end = after(begun, if self.want > self.have { BOOT } else { DRAIN });
        if now >= end && since(pool, "AllMachinesReady", false).is_some() {
            self.have = self.want;
        } else {
            self.scaling = true;
            self.next = Some(self.next.map_or(end, |next| next.min(end)));
        }
    }

    fn write(&self, pool: &Value, status: &mut Map<String, Value>) {
        let wanted = release::shown(text(pool, "/spec/release/image"));
        let old = text(pool, "/status/version").to_owned();
        status.insert("replicas".to_owned(), json!(self.have));
        // The version is that of all nodes: it changes at the end of a rollout.
        let is_new = self.can_boot && !self.held && !self.updating.contains(&"UpdatingVersion");
        if is_new {
            status.insert("version".to_owned(), json!(wanted));
        }
        let mut versions = Vec::new();
        let mut group = |version: &str, count: i64| {
            if count > 0 {
                versions.push(json!({"ocpVersion": version, "readyNodeCount": count, "unreadyNodeCount": 0}));
            }
        };
        if is_new {
            group(&wanted, self.have);
        } else {
            group(&wanted, self.replaced);
            group(&old, self.have - self.replaced);
        }
        status.insert("nodesInfo".to_owned(), json!({"nodeVersions": versions}));
    }

    fn conditions(&self, pool: &Value, cluster: &Value, conditions: &mut Conditions<'_>) {
        for kind in ["UpdatingVersion", "UpdatingConfig", "UpdatingPlatformMachineTemplate"] {
            let message = format!("{} of {} nodes are replaced", self.replaced, self.have);
            if self.updating.contains(&kind) {
                conditions.set(kind, true, AS_EXPECTED, &message);
            } else {
                conditions.set(kind, false, AS_EXPECTED, "");
            }
        }
        let count = format!("{} of {} machines are ready", self.have, self.want);
        if self.can_boot && serves_ignition(cluster) {
            conditions.well("ReachedIgnitionEndpoint");
        } else {
            conditions.set(
                "ReachedIgnitionEndpoint",
                false,
                "IgnitionNotReached",
                "the control plane does not answer yet",
            );
        }
        let complete = self.have == self.want;
        if complete {
            conditions.set("AllMachinesReady", true, AS_EXPECTED, &count);
        } else if self.scaling {
            let reason = if self.want > self.have {
                "ScalingUp"
            } else {
                "ScalingDown"
            };
            conditions.set("AllMachinesReady", false, reason, &count);
        } else {
            conditions.set("AllMachinesReady", Is::Unknown, "WaitingForControlPlane", &count);
        }
        let healthy = self.have > 0 || self.want == 0;
        conditions.set(
            "AllNodesHealthy",
            healthy,
            AS_EXPECTED,
            &format!("{} nodes are healthy", self.have),
        );
        conditions.set(
            "Ready",
            complete,
            if complete { AS_EXPECTED } else { "ScalingUp" },
            &count,
        );
        let scaled = pool.pointer("/spec/autoScaling").is_some_and(Value::is_object);
        conditions.set("AutoscalingEnabled", scaled, AS_EXPECTED, "");
        let repaired = pool.pointer("/spec/management/autoRepair").and_then(Value::as_bool) == Some(true);
        conditions.set("AutorepairEnabled", repaired, AS_EXPECTED, "");
    }
}

/// Finalizer, owner, and what the nodes are made of once they are all made of it.
fn metadata(pool: &Value, cluster: &Value, nodes: &Nodes) -> Option<Value> {
    let mut metadata = with_finalizer(pool, FINALIZER).and_then(|patch| patch.get("metadata")?.as_object().cloned());
    let owners = pool.pointer("/metadata/ownerReferences").and_then(Value::as_array);
    let owned = owners.is_some_and(|all| all.iter().any(|one| one["uid"] == cluster["metadata"]["uid"]));
    if !owned {
        let mut all = owners.cloned().unwrap_or_default();
        all.push(owner(cluster));
        metadata
            .get_or_insert_default()
            .insert("ownerReferences".to_owned(), Value::Array(all));
    }
    let mut notes = Map::new();
    for (key, value) in [(CONFIG, &nodes.config), (TEMPLATE, &nodes.template)] {
        if !nodes.held && nodes.updating.is_empty() && annotation(pool, key) != Some(value) {
            notes.insert(key.to_owned(), json!(value));
        }
    }
    if !notes.is_empty() {
        metadata
            .get_or_insert_default()
            .insert("annotations".to_owned(), Value::Object(notes));
    }
    metadata.map(|metadata| json!({"metadata": metadata}))
}

/// How many nodes the spec asks for; an autoscaler without load keeps what there is, within its limits.
fn wanted(pool: &Value, have: i64) -> i64 {
    let number = |pointer: &str| pool.pointer(pointer).and_then(Value::as_i64);
    match (number("/spec/replicas"), number("/spec/autoScaling/min")) {
        (Some(replicas), _) => replicas,
        (None, Some(min)) => have.clamp(min, number("/spec/autoScaling/max").unwrap_or(i64::MAX).max(min)),
        (None, None) => 0,
    }
}

/// Nodes that are replaced at a time.
fn batch(pool: &Value, nodes: i64) -> i64 {
    let part = |pointer: &str, or: i64| match pool.pointer(pointer) {
        Some(Value::Number(number)) => number.as_i64().unwrap_or(or),
        Some(Value::String(text)) => {
            let percent = text.strip_suffix('%').and_then(|number| number.parse::<i64>().ok());
            percent.map_or_else(|| text.parse().unwrap_or(or), |percent| (nodes * percent + 99) / 100)
        }
        _ => or,
    };
    let size = if text(pool, "/spec/management/upgradeType") == "InPlace" {
        part("/spec/management/inPlace/maxUnavailable", 1)
    } else {
        let rolling = "/spec/management/replace/rollingUpdate";
        part(&format!("{rolling}/maxSurge"), 1) + part(&format!("{rolling}/maxUnavailable"), 0)
    };
    size.max(1)
}

/// What nodes get as their configuration, in short.
fn config(pool: &Value, cluster: &Value) -> String {
    let mut parts = vec![&pool["spec"]["config"], &pool["spec"]["tuningConfig"]];
    parts.extend(
        ROLLING
            .iter()
            .map(|pointer| cluster.pointer(pointer).unwrap_or(&Value::Null)),
    );
    digest(&json!(parts))
}

fn digest(value: &Value) -> String {
    Digest::of(value.to_string().as_bytes())
        .to_hex()
        .chars()
        .take(8)
        .collect()
}

fn annotation<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object.get("metadata")?.get("annotations")?.get(key)?.as_str()
}
