//! What it does to change a field of a HostedCluster or a NodePool.

use serde_json::Value;

use crate::plan::change::FieldDiff;
use crate::resource::ResourceId;

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
    /// So many nodes go.
    Shrinks(u32),
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

/// What a change of a field does.
pub(super) fn effect(id: &ResourceId, diff: &FieldDiff) -> Effect {
    if id.group != "hypershift.openshift.io" {
        return Effect::Nothing;
    }
    match id.kind.as_str() {
        "HostedCluster" => annotation(&diff.field).unwrap_or_else(|| longest(HOSTED_CLUSTER, &diff.field)),
        "NodePool" => shrinks(diff).unwrap_or_else(|| longest(NODE_POOL, &diff.field)),
        _ => Effect::Nothing,
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

/// Fewer replicas than before, or a lower bound of what load may ask for: nodes go.
fn shrinks(diff: &FieldDiff) -> Option<Effect> {
    if ![".spec.replicas", ".spec.autoScaling.max"].contains(&diff.field.as_str()) {
        return None;
    }
    let number = |value: &Option<Value>| value.as_ref().and_then(Value::as_u64);
    let fewer = number(&diff.before)?.checked_sub(number(&diff.after)?)?;
    match (diff.field.as_str(), u32::try_from(fewer)) {
        (".spec.replicas", Ok(fewer @ 1..)) => Some(Effect::Shrinks(fewer)),
        _ => None,
    }
}
