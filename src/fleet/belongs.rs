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
    "labels",
    "annotations",
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
/// Of every kind but those of a class, which says itself what its OCI resources have.
const IN_OCI: &[&str] = &["tenancy", "compartment", "identity", "tags", "definedTags"];
/// Of all kinds that are made of machines.
const MACHINES: &[&str] = &["resourceSets", "patches"];
const SSH: &[&str] = &["sshPublicKey"];
const WITH_CONTROL_PLANE: &[&str] = &["controlPlane"];
const TOPOLOGY: &[&str] = &["class", "variables"];

const NETWORK: &[&str] = &["cluster", "service"];
const NETWORK_SHARED: &[&str] = &["shared"];
/// Of a network that we make.
const NETWORK_MADE: &[&str] = &["vcn", "peerWith", "availabilityDomain", "publicIps"];
const NETWORK_HOSTED: &[&str] = &["preset", "endpoint", "existing", "machine", "hostPrefix", "type"];
const NETWORK_MACHINES: &[&str] = &["madeBy"];
const NETWORK_CAPOCI: &[&str] = &["groups"];

const POOL: &[&str] = &["profile", "replicas", "autoscale"];
const POOL_OF_NODES: &[&str] = &["version", "nodeLabels"];
const POOL_SHAPE: &[&str] = &["shape", "ocpus", "memoryInGBs", "bootVolumeSizeInGBs", "image"];
const POOL_HOSTED: &[&str] = &["arch", "upgradeType", "autoRepair", "config", "tuning", "nodePool"];
const POOL_MACHINES: &[&str] = &["type", "annotations"];
const POOL_PATCHES: &[&str] = &["patches"];
const POOL_CLASS: &[&str] = &["class", "variables"];
const POOL_ROLLING: &[&str] = &["maxSurge", "maxUnavailable"];
const POOL_DRAIN: &[&str] = &["drainTimeout", "volumeDetachTimeout"];
const POOL_ONE_BY_ONE: &[&str] = &["failureDomain", "failureDomains", "healthCheck"];
const POOL_SUBNET: &[&str] = &["subnet"];
const POOL_TAINTS: &[&str] = &["taints"];
const CONTROL_PLANE: &[&str] = &["replicas", "healthCheck"];
const CONTROL_PLANE_MACHINES: &[&str] = &["profile", "subnet", "patches"];
const CONTROL_PLANE_CLASS: &[&str] = &["variables"];

const CLUSTER_PATCHES: [(ClusterKind, &[&str]); 4] = [
    (ClusterKind::Hosted, &[]),
    (ClusterKind::SelfManaged, &["Cluster", "OCICluster"]),
    (
        ClusterKind::Oke,
        &["Cluster", "OCIManagedCluster", "OCIManagedControlPlane"],
    ),
    (ClusterKind::Topology, &["Cluster"]),
];
const CONTROL_PLANE_PATCHES: &[&str] = &["KubeadmControlPlane", "OCIMachineTemplate", "MachineHealthCheck"];

type Tables = &'static [&'static [&'static str]];

fn settings(kind: ClusterKind) -> Tables {
    match kind {
        ClusterKind::Hosted => &[COMMON, IN_OCI, HOSTED],
        ClusterKind::SelfManaged => &[COMMON, IN_OCI, MACHINES, SSH, WITH_CONTROL_PLANE],
        ClusterKind::Oke => &[COMMON, IN_OCI, MACHINES, SSH],
        ClusterKind::Topology => &[COMMON, MACHINES, WITH_CONTROL_PLANE, TOPOLOGY],
    }
}

fn network(kind: ClusterKind, made_here: bool) -> Tables {
    match (kind, made_here) {
        (ClusterKind::Topology, _) => &[NETWORK],
        (ClusterKind::Hosted, _) => &[NETWORK, NETWORK_SHARED, NETWORK_MADE, NETWORK_HOSTED],
        (_, true) => &[NETWORK, NETWORK_SHARED, NETWORK_MADE, NETWORK_MACHINES],
        (_, false) => &[NETWORK, NETWORK_MACHINES, NETWORK_CAPOCI],
    }
}

fn pool(kind: GroupKind, cluster: ClusterKind) -> Tables {
    match kind {
        GroupKind::MachineDeployment if cluster == ClusterKind::Topology => &[
            POOL,
            POOL_MACHINES,
            POOL_CLASS,
            POOL_ROLLING,
            POOL_DRAIN,
            POOL_ONE_BY_ONE,
        ],
        _ if cluster == ClusterKind::Topology => &[POOL, POOL_MACHINES, POOL_CLASS, POOL_DRAIN],
        GroupKind::MachineDeployment => &[
            POOL,
            POOL_OF_NODES,
            POOL_SHAPE,
            POOL_MACHINES,
            POOL_PATCHES,
            POOL_ROLLING,
            POOL_DRAIN,
            POOL_ONE_BY_ONE,
            POOL_SUBNET,
            POOL_TAINTS,
        ],
        GroupKind::MachinePool => &[
            POOL,
            POOL_OF_NODES,
            POOL_SHAPE,
            POOL_MACHINES,
            POOL_PATCHES,
            POOL_TAINTS,
        ],
        GroupKind::Managed => &[
            POOL,
            POOL_OF_NODES,
            POOL_SHAPE,
            POOL_MACHINES,
            POOL_PATCHES,
            POOL_ROLLING,
        ],
        GroupKind::Virtual => &[POOL, POOL_OF_NODES, POOL_MACHINES, POOL_PATCHES, POOL_TAINTS],
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
        let of_network = match made_here || matches!(kind, ClusterKind::Hosted | ClusterKind::Topology) {
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
                    POOL_OF_NODES,
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
    let what = match cluster {
        ClusterKind::Topology => "a pool of a cluster of kind `topology`".to_owned(),
        _ => format!("a pool of type `{}`", word(kind)),
    };
    keys(node, (pool(kind, cluster), &[]), &what, problems);
    if let Some(node) = node.get("patches").filter(|_| cluster != ClusterKind::Topology) {
        let own = [pool_patches(kind, cluster)];
        keys(node, (&[], &own), &format!("what {what} is made of"), problems);
    }
}

/// Checks what was typed for the control plane of a cluster.
pub(super) fn check_control_plane(node: &Node, cluster: ClusterKind, problems: &mut Problems<'_>) {
    let (tables, what): (Tables, _) = match cluster {
        ClusterKind::Topology => (
            &[CONTROL_PLANE, CONTROL_PLANE_CLASS],
            "the control plane of a cluster of kind `topology`",
        ),
        _ => (&[CONTROL_PLANE, CONTROL_PLANE_MACHINES, POOL_SHAPE], "a control plane"),
    };
    keys(node, (tables, &[]), what, problems);
    if let Some(node) = node.get("patches").filter(|_| cluster != ClusterKind::Topology) {
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
        let has = |key: &str| tables.iter().any(|table| table.contains(&key));
        problem.hints.extend(hint(key, has).map(str::to_owned));
        if problem.hints.is_empty() && tables.is_empty() {
            let all: Vec<&str> = more.iter().copied().flatten().copied().collect();
            let verb = if all.len() == 1 { "is" } else { "are" };
            problem.hints.push(format!("there {verb} {}", quoted(&all)));
        }
        problems.add(problem, entry.place);
    }
}

/// What says the same where that is a key here, or where it stands.
fn hint(key: &str, has: impl Fn(&str) -> bool) -> Option<&'static str> {
    let same = match key {
        "ring" => Some(("version", "set `version: <x.y.z>`, a version of Kubernetes")),
        "sshKey" => Some(("sshPublicKey", "set `sshPublicKey: <the key itself>`")),
        "sshPublicKey" => Some(("sshKey", "name a Secret: `sshKey: {from: <namespace>/<name>}`")),
        "autoRepair" => Some(("healthCheck", "set `healthCheck: {}`")),
        "healthCheck" => Some(("autoRepair", "set `autoRepair: true`")),
        "hostedCluster" | "nodePool" => Some(("patches", "give raw fields by kind: `patches: {<kind>: …}`")),
        "existing" => Some((
            "madeBy",
            "set `madeBy: capoci`, and name its parts in `patches: {OCICluster: {networkSpec: …}}`",
        )),
        _ => None,
    };
    if let Some((_, text)) = same.filter(|(other, _)| has(other)) {
        return Some(text);
    }
    if has("variables") {
        return Some("its class says that: set one of the class's `variables`");
    }
    Some(match key {
        "controlPlane" => "it is for clusters of `kind: selfManaged` or `topology`",
        "resourceSets" | "patches" => "it is for clusters of `kind: selfManaged`, `oke` or `topology`",
        "failureDomain" | "failureDomains" | "healthCheck" => "it is for pools of type `machineDeployment`",
        "class" | "variables" => "it is for clusters of `kind: topology`",
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
        let settings = [COMMON, IN_OCI, HOSTED, MACHINES, SSH, WITH_CONTROL_PLANE, TOPOLOGY];
        assert_eq!(keys_of::<Settings>(), all(&settings));
        let network = all(&[
            NETWORK,
            NETWORK_SHARED,
            NETWORK_MADE,
            NETWORK_HOSTED,
            NETWORK_MACHINES,
            NETWORK_CAPOCI,
        ]);
        assert_eq!(keys_of::<NetworkSettings>(), network);
        let pool = [
            POOL,
            POOL_OF_NODES,
            POOL_CLASS,
            POOL_SHAPE,
            POOL_HOSTED,
            POOL_MACHINES,
            POOL_PATCHES,
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
