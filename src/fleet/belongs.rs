//! Which keys a kind of cluster has, and which a kind of pool.
//!
//! Invariant: a key that says nothing to a cluster's kind is refused where it was typed for that cluster. What stands in a
//! layer that clusters of all kinds share is for those that it says something to.

use super::index::Declared;
use super::node::Node;
use super::problems::Problems;
use super::shape::quoted;
use super::spec::{ClusterKind, GroupKind, Settings};
use crate::diag::{Code, Diagnostic};

/// Of every kind.
const COMMON: &[&str] = &[
    "kind",
    "region",
    "managementCluster",
    "owner",
    "manage",
    "tenancy",
    "compartment",
    "identity",
    "labels",
    "annotations",
    "tags",
    "definedTags",
    "version",
    "protectUntil",
    "network",
    "pools",
    "poolDefaults",
    "extraManifests",
];
const HOSTED: &[&str] = &[
    "ring",
    "via",
    "release",
    "releaseRepository",
    "channel",
    "baseDomain",
    "availability",
    "infrastructureAvailability",
    "etcd",
    "fips",
    "endpointAccess",
    "publish",
    "services",
    "dns",
    "pullSecret",
    "sshKey",
    "trustBundle",
    "encryptionKey",
    "pausedUntil",
    "hostedCluster",
    "nodePool",
];
/// Of both kinds that are made of machines.
const MACHINES: &[&str] = &["sshPublicKey", "resourceSets", "patches"];
const SELF_MANAGED: &[&str] = &["controlPlane"];

const NETWORK: &[&str] = &["shared", "cluster", "service"];
/// Of a network that we make.
const NETWORK_MADE: &[&str] = &["vcn", "peerWith", "availabilityDomain", "publicIps"];
const NETWORK_HOSTED: &[&str] = &["preset", "endpoint", "existing", "machine", "hostPrefix", "type"];
const NETWORK_MACHINES: &[&str] = &["madeBy"];
const NETWORK_CAPOCI: &[&str] = &["groups"];

const POOL: &[&str] = &["profile", "version", "replicas", "autoscale", "nodeLabels"];
const POOL_SHAPE: &[&str] = &["shape", "ocpus", "memoryInGBs", "bootVolumeSizeInGBs", "image"];
const POOL_HOSTED: &[&str] = &["arch", "upgradeType", "autoRepair", "config", "tuning", "nodePool"];
const POOL_MACHINES: &[&str] = &["type", "annotations", "patches"];
const POOL_ROLLING: &[&str] = &["maxSurge", "maxUnavailable"];
const POOL_DRAIN: &[&str] = &["drainTimeout", "volumeDetachTimeout"];
const POOL_ONE_BY_ONE: &[&str] = &["failureDomain", "healthCheck"];
const POOL_SUBNET: &[&str] = &["subnet"];
const POOL_TAINTS: &[&str] = &["taints"];
const CONTROL_PLANE: &[&str] = &["profile", "replicas", "subnet", "healthCheck", "patches"];

const CLUSTER_PATCHES: [(ClusterKind, &[&str]); 3] = [
    (ClusterKind::Hosted, &[]),
    (ClusterKind::SelfManaged, &["Cluster", "OCICluster"]),
    (
        ClusterKind::Oke,
        &["Cluster", "OCIManagedCluster", "OCIManagedControlPlane"],
    ),
];
const CONTROL_PLANE_PATCHES: &[&str] = &["KubeadmControlPlane", "OCIMachineTemplate", "MachineHealthCheck"];

type Tables = &'static [&'static [&'static str]];

fn settings(kind: ClusterKind) -> Tables {
    match kind {
        ClusterKind::Hosted => &[COMMON, HOSTED],
        ClusterKind::SelfManaged => &[COMMON, MACHINES, SELF_MANAGED],
        ClusterKind::Oke => &[COMMON, MACHINES],
    }
}

fn network(kind: ClusterKind, made_here: bool) -> Tables {
    match (kind, made_here) {
        (ClusterKind::Hosted, _) => &[NETWORK, NETWORK_MADE, NETWORK_HOSTED],
        (_, true) => &[NETWORK, NETWORK_MADE, NETWORK_MACHINES],
        (_, false) => &[&["cluster", "service"], NETWORK_MACHINES, NETWORK_CAPOCI],
    }
}

fn pool(kind: GroupKind) -> Tables {
    match kind {
        GroupKind::MachineDeployment => &[
            POOL,
            POOL_SHAPE,
            POOL_MACHINES,
            POOL_ROLLING,
            POOL_DRAIN,
            POOL_ONE_BY_ONE,
            POOL_SUBNET,
            POOL_TAINTS,
        ],
        GroupKind::MachinePool => &[POOL, POOL_SHAPE, POOL_MACHINES, POOL_TAINTS],
        GroupKind::Managed => &[POOL, POOL_SHAPE, POOL_MACHINES, POOL_ROLLING],
        GroupKind::Virtual => &[POOL, POOL_MACHINES, POOL_TAINTS],
    }
}

/// The kinds of objects that a pool consists of, beside the two that only some have.
fn pool_patches(kind: GroupKind, cluster: ClusterKind) -> &'static [&'static str] {
    match (kind, cluster) {
        (GroupKind::MachineDeployment, ClusterKind::SelfManaged) => &[
            "MachineDeployment",
            "OCIMachineTemplate",
            "KubeadmConfigTemplate",
            "MachineHealthCheck",
        ],
        (GroupKind::MachineDeployment, _) => &["MachineDeployment", "OCIMachineTemplate", "MachineHealthCheck"],
        (GroupKind::MachinePool, _) => &["MachinePool", "OCIMachinePool", "KubeadmConfig"],
        (GroupKind::Managed, _) => &["MachinePool", "OCIManagedMachinePool"],
        (GroupKind::Virtual, _) => &["MachinePool", "OCIVirtualMachinePool"],
    }
}

/// Checks what was typed for one cluster.
pub(super) fn check(declared: &Declared<'_>, typed: &Settings, problems: &mut Problems<'_>) {
    let kind = typed.kind.unwrap_or_default();
    let made_here = typed.network.as_ref().and_then(|network| network.made_by) != Some(super::spec::MadeBy::Capoci);
    let shared = declared.shared().filter(|_| declared.own.get("kind").is_none());
    let what = format!("a cluster of kind `{}`", kind.name());
    for layer in shared.into_iter().chain([declared.own]) {
        let skip = [super::index::STRUCTURE];
        keys(layer, (settings(kind), &skip), &what, problems);
        let of_network = match made_here || kind == ClusterKind::Hosted {
            true => format!("the network of {what}"),
            false => "a network that Cluster API Provider OCI makes".to_owned(),
        };
        if let Some(node) = layer.get("network") {
            keys(node, (network(kind, made_here), &[]), &of_network, problems);
        }
        let own = CLUSTER_PATCHES.iter().find(|(of, _)| *of == kind);
        if let (Some(node), Some((_, kinds))) = (layer.get("patches"), own)
            && kind != ClusterKind::Hosted
        {
            keys(node, (&[], &[kinds]), &format!("what {what} is made of"), problems);
        }
    }
    if kind == ClusterKind::Hosted {
        for layer in shared.into_iter().chain([declared.own]) {
            for entry in layer.get("pools").map_or(&[][..], Node::entries) {
                let tables: Tables = &[
                    POOL,
                    POOL_SHAPE,
                    POOL_HOSTED,
                    POOL_ROLLING,
                    POOL_DRAIN,
                    POOL_SUBNET,
                    POOL_TAINTS,
                ];
                keys(&entry.value, (tables, &[]), "a pool of a hosted cluster", problems);
            }
        }
    }
}

/// Checks what was typed for one pool of a cluster of machines.
pub(super) fn check_pool(node: &Node, (kind, cluster): (GroupKind, ClusterKind), problems: &mut Problems<'_>) {
    let what = format!("a pool of type `{}`", word(kind));
    keys(node, (pool(kind), &[]), &what, problems);
    if let Some(node) = node.get("patches") {
        let own = [pool_patches(kind, cluster)];
        keys(node, (&[], &own), &format!("what {what} is made of"), problems);
    }
}

/// Checks what was typed for the control plane of a self-managed cluster.
pub(super) fn check_control_plane(node: &Node, problems: &mut Problems<'_>) {
    let tables: Tables = &[CONTROL_PLANE, POOL_SHAPE];
    keys(node, (tables, &[]), "a control plane", problems);
    if let Some(node) = node.get("patches") {
        keys(
            node,
            (&[], &[CONTROL_PLANE_PATCHES]),
            "what a control plane is made of",
            problems,
        );
    }
}

/// As typed.
pub(super) fn word(kind: GroupKind) -> &'static str {
    match kind {
        GroupKind::MachineDeployment => "machineDeployment",
        GroupKind::MachinePool => "machinePool",
        GroupKind::Managed => "managed",
        GroupKind::Virtual => "virtual",
    }
}

fn keys(node: &Node, (tables, more): (Tables, &[&[&str]]), what: &str, problems: &mut Problems<'_>) {
    for entry in node.entries() {
        let key = &*entry.key;
        let known = tables.iter().chain(more).any(|table| table.contains(&key));
        // What is removed was another's.
        if known || matches!(entry.value.value, super::node::Yaml::Null) {
            continue;
        }
        let mut problem = Diagnostic::new(Code::OtherKind, format!("`{key}` says nothing to {what}"));
        problem.hints.extend(hint(key).map(str::to_owned));
        if problem.hints.is_empty() && tables.is_empty() {
            let all: Vec<&str> = more.iter().copied().flatten().copied().collect();
            problem.hints.push(format!("there are {}", quoted(&all)));
        }
        problems.add(problem, entry.place);
    }
}

/// What says the same, or where it stands.
fn hint(key: &str) -> Option<&'static str> {
    Some(match key {
        "ring" => "set `version: <x.y.z>`, a version of Kubernetes",
        "sshKey" => "set `sshPublicKey: <the key itself>`",
        "sshPublicKey" => "name a Secret: `sshKey: {from: <namespace>/<name>}`",
        "autoRepair" => "set `healthCheck: {}`",
        "healthCheck" => "set `autoRepair: true`",
        "hostedCluster" | "nodePool" => "give raw fields by kind: `patches: {<kind>: …}`",
        "existing" => "set `madeBy: capoci`, and name its parts in `patches: {OCICluster: {networkSpec: …}}`",
        "controlPlane" => "it is for clusters of `kind: selfManaged`",
        "resourceSets" | "patches" => "it is for clusters of `kind: selfManaged` or `oke`",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use schemars::generate::SchemaSettings;
    use serde_json::Value;

    use super::super::spec::{ClusterPatches, NetworkSettings, PoolPatches, PoolSpec};
    use super::*;

    fn keys_of<T: schemars::JsonSchema>() -> BTreeSet<String> {
        let schema = SchemaSettings::draft07().into_generator().into_root_schema_for::<T>();
        let properties = schema.to_value()["properties"].clone();
        let Value::Object(properties) = properties else {
            panic!("no object")
        };
        properties.into_iter().map(|(key, _)| key).collect()
    }

    fn all(tables: &[&[&str]]) -> BTreeSet<String> {
        tables.iter().copied().flatten().map(|key| (*key).to_owned()).collect()
    }

    #[test]
    fn every_key_is_some_kinds() {
        assert_eq!(keys_of::<Settings>(), all(&[COMMON, HOSTED, MACHINES, SELF_MANAGED]));
        let network = all(&[NETWORK, NETWORK_MADE, NETWORK_HOSTED, NETWORK_MACHINES, NETWORK_CAPOCI]);
        assert_eq!(keys_of::<NetworkSettings>(), network);
        let pool = [
            POOL,
            POOL_SHAPE,
            POOL_HOSTED,
            POOL_MACHINES,
            POOL_ROLLING,
            POOL_DRAIN,
            POOL_ONE_BY_ONE,
            POOL_SUBNET,
            POOL_TAINTS,
        ];
        assert_eq!(keys_of::<PoolSpec>(), all(&pool));
        let own: Vec<&[&str]> = CLUSTER_PATCHES.iter().map(|(_, kinds)| *kinds).collect();
        assert_eq!(keys_of::<ClusterPatches>(), all(&own));
        let mut pools = vec![CONTROL_PLANE_PATCHES];
        for kind in [
            GroupKind::MachineDeployment,
            GroupKind::MachinePool,
            GroupKind::Managed,
            GroupKind::Virtual,
        ] {
            pools.push(pool_patches(kind, ClusterKind::SelfManaged));
        }
        assert_eq!(keys_of::<PoolPatches>(), all(&pools));
    }
}
