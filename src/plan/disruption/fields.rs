//! What it does to change a field of a HostedCluster or a NodePool, or of what Cluster API makes machines by.

use serde_json::Value;

use super::pools::Count;
use crate::plan::change::{Change, FieldDiff};
use crate::resource::{Part, ResourceId, Target};

/// What a change of one field does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// Nothing that anyone notices.
    Nothing,
    /// What runs is changed, and goes on.
    InPlace,
    /// Pods restart.
    Restart,
    /// The control plane rolls.
    ControlPlane,
    /// And all pools of the cluster.
    ControlPlaneAndPools,
    /// The pool rolls.
    Pool,
}

/// Fields of a HostedCluster, the longest that fits counting; what is not listed rolls the control plane, which reads
/// all of its spec.
const HOSTED_CLUSTER: &[(&str, Effect)] = &[
    (".metadata", Effect::Nothing),
    (".spec.channel", Effect::Nothing),
    (".spec.updateService", Effect::Nothing),
    (".spec.pausedUntil", Effect::Nothing),
    (".spec.autoscaling", Effect::InPlace),
    (".spec.monitoring", Effect::InPlace),
    (".spec.networking.apiServer.allowedCIDRBlocks", Effect::InPlace),
    (".spec.infrastructureAvailabilityPolicy", Effect::Restart),
    (".spec.operatorConfiguration", Effect::Restart),
    (".spec", Effect::ControlPlane),
    (".spec.additionalTrustBundle", Effect::ControlPlaneAndPools),
    (".spec.configuration.image", Effect::ControlPlaneAndPools),
    (".spec.configuration.proxy", Effect::ControlPlaneAndPools),
    (".spec.imageContentSources", Effect::ControlPlaneAndPools),
    (".spec.pullSecret", Effect::ControlPlaneAndPools),
    (".spec.sshKey", Effect::ControlPlaneAndPools),
];

/// Annotations of a HostedCluster that do something, below `hypershift.openshift.io/`.
const ANNOTATIONS: &[(&str, Effect)] = &[
    ("restart-date", Effect::Restart),
    ("control-plane-operator-image", Effect::ControlPlane),
    ("image-overrides", Effect::ControlPlane),
    ("force-upgrade-to", Effect::ControlPlane),
    ("topology", Effect::ControlPlane),
    ("cluster-size-override", Effect::ControlPlane),
    ("control-plane-priority-class", Effect::ControlPlane),
    ("api-critical-priority-class", Effect::ControlPlane),
    ("etcd-priority-class", Effect::ControlPlane),
    ("kube-apiserver-", Effect::ControlPlane),
];

/// Fields of a NodePool; what is not listed goes into its machines.
const NODE_POOL: &[(&str, Effect)] = &[
    (".metadata", Effect::Nothing),
    (".spec.pausedUntil", Effect::Nothing),
    (".spec.replicas", Effect::InPlace),
    (".spec.autoScaling", Effect::InPlace),
    (".spec.nodeLabels", Effect::InPlace),
    (".spec.taints", Effect::InPlace),
    (".spec.nodeDrainTimeout", Effect::InPlace),
    (".spec.nodeVolumeDetachTimeout", Effect::InPlace),
    (".spec.management", Effect::InPlace),
    (".spec", Effect::Pool),
];

/// Fields of a Cluster; those of its topology are for Cluster API to roll out. What values of variables do is for the class to
/// say, and machines are made anew by most.
const CLUSTER: &[(&str, Effect)] = &[
    (".spec", Effect::InPlace),
    (".spec.topology.class", Effect::ControlPlaneAndPools),
    (".spec.topology.classNamespace", Effect::ControlPlaneAndPools),
    (".spec.topology.classRef", Effect::ControlPlaneAndPools),
    (".spec.topology.controlPlane.variables", Effect::ControlPlane),
    (".spec.topology.variables", Effect::ControlPlaneAndPools),
    (".spec.topology.version", Effect::ControlPlaneAndPools),
];

/// Fields of a control plane of machines; what is not listed is read by its controller alone.
const CONTROL_PLANE: &[(&str, Effect)] = &[
    (".spec", Effect::InPlace),
    (".spec.kubeadmConfigSpec", Effect::ControlPlane),
    (".spec.machineTemplate", Effect::ControlPlane),
    (".spec.machineTemplate.metadata", Effect::InPlace),
    (".spec.version", Effect::ControlPlane),
];

/// Fields of a pool of machines; what is not listed is read by its controller alone.
const MACHINE_POOL: &[(&str, Effect)] = &[
    (".spec", Effect::InPlace),
    (".spec.template.spec", Effect::Pool),
    (".spec.template.spec.deletion", Effect::InPlace),
    (".spec.template.spec.nodeDrainTimeout", Effect::InPlace),
    (".spec.template.spec.nodeVolumeDetachTimeout", Effect::InPlace),
];

/// Fields of a pool in OCI: its next nodes are made by them, and its nodes are cycled where it says so.
const POOL_OF_OCI: &[(&str, Effect)] = &[
    (".spec", Effect::Pool),
    (".spec.initialNodeLabels", Effect::InPlace),
    (".spec.nodePoolCyclingDetails", Effect::InPlace),
    (".spec.nodeEvictionNodePoolSettings", Effect::InPlace),
];

/// What a change of a field does.
pub(super) fn effect(id: &ResourceId, diff: &FieldDiff) -> Effect {
    if id.target == Target::Oci {
        return in_oci(&diff.field);
    }
    let part = Part::of(&id.kind);
    if id.group == "hypershift.openshift.io" {
        return match part {
            Some(Part::Hosted) => annotation(&diff.field).unwrap_or_else(|| longest(HOSTED_CLUSTER, &diff.field)),
            Some(Part::Pool) => longest(NODE_POOL, &diff.field),
            _ => Effect::Nothing,
        };
    }
    if !id.group.ends_with("cluster.x-k8s.io") {
        return Effect::Nothing;
    }
    match part {
        Some(Part::ControlPlane) => longest(CONTROL_PLANE, &diff.field),
        Some(Part::Pool) => longest(MACHINE_POOL, &diff.field),
        Some(Part::PoolOfOci) => longest(POOL_OF_OCI, &diff.field),
        Some(Part::Cluster) => longest(CLUSTER, &diff.field),
        Some(Part::Class) => longest(&[(".spec", Effect::ControlPlaneAndPools)], &diff.field),
        Some(Part::Hosted | Part::HealthCheck | Part::Template) | None => Effect::Nothing,
    }
}

/// What OCI changes in place goes on running: rules, routes, backends. What it can't is refused before.
fn in_oci(field: &str) -> Effect {
    let shown = [".spec.freeformTags", ".spec.definedTags", ".spec.displayName"];
    if field.starts_with(".metadata") || shown.iter().any(|of| field.starts_with(of)) {
        Effect::Nothing
    } else {
        Effect::InPlace
    }
}

fn longest(table: &[(&str, Effect)], field: &str) -> Effect {
    let is_within = |of: &str| {
        field
            .strip_prefix(of)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    let fits = table.iter().filter(|(of, _)| is_within(of));
    fits.max_by_key(|(of, _)| of.len())
        .map_or(Effect::Nothing, |(_, effect)| *effect)
}

fn annotation(field: &str) -> Option<Effect> {
    let (_, name) = field
        .strip_prefix(".metadata.annotations")?
        .split_once("hypershift.openshift.io/")?;
    let fits = |(begin, _): &&(&str, Effect)| name.starts_with(begin);
    ANNOTATIONS.iter().find(fits).map(|(_, effect)| *effect)
}

/// How many nodes a pool is to have, or may have at most.
#[derive(Clone, Copy)]
struct Bounds {
    least: u64,
    most: u64,
}

/// What the changed fields of one side say: its count, else the bounds of what load may ask for.
fn bounds(change: &Change, side: impl Fn(&FieldDiff) -> Option<&Value>) -> Option<Bounds> {
    let at = |path: &str, key: &str| {
        let leaf = format!("{path}{key}");
        change.fields.iter().find_map(|diff| match side(diff)? {
            value if diff.field == leaf => value.as_u64(),
            value if diff.field == path && !key.is_empty() => value.get(key.strip_prefix('.')?)?.as_u64(),
            _ => None,
        })
    };
    match at(".spec.replicas", "") {
        Some(count) => Some(Bounds {
            least: count,
            most: count,
        }),
        None => at(".spec.autoScaling", ".max").map(|most| Bounds {
            least: at(".spec.autoScaling", ".min").unwrap_or_default(),
            most,
        }),
    }
}

/// How many nodes go, where a pool is to have fewer than there are: `live`, where that is known, else what it was to have.
pub(super) fn removed(change: &Change, live: Option<u32>) -> Option<Count> {
    if Part::of(&change.id.kind) != Some(Part::Pool) {
        return None;
    }
    let before = bounds(change, |diff| diff.before.as_ref());
    let after = bounds(change, |diff| diff.after.as_ref())?;
    let there = match (live.map(u64::from), before) {
        // A count that was asked for and is not there yet goes too.
        (Some(live), Some(before)) if before.least == before.most => Bounds {
            least: live.max(before.most),
            most: live.max(before.most),
        },
        (Some(live), _) => Bounds {
            least: live,
            most: live,
        },
        (None, before) => before?,
    };
    let fewer = |count: u64| u32::try_from(count.saturating_sub(after.most)).unwrap_or(u32::MAX);
    let gone = Count {
        min: fewer(there.least),
        max: fewer(there.most),
    };
    (gone.max > 0).then_some(gone)
}
