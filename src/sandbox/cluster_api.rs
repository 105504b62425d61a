//! Definitions of Cluster API's kinds and of its OCI provider's, for a sandbox that has none.
//!
//! Of their contents nothing is said: any field is taken. Whoever wants them judged applies upstream's definitions in their
//! place, and those stay.

use serde_json::{Value, json};

use crate::rights::plural::plural;

/// Both versions of Cluster API's contract.
const CORE: &[&str] = &["v1beta1", "v1beta2"];
const OCI: &[&str] = &["v1beta1", "v1beta2"];

/// Group, versions (the last is stored), and kinds.
const KINDS: [(&str, &[&str], &[&str]); 5] = [
    (
        "cluster.x-k8s.io",
        CORE,
        &[
            "Cluster",
            "ClusterClass",
            "Machine",
            "MachineDeployment",
            "MachineHealthCheck",
            "MachinePool",
            "MachineSet",
        ],
    ),
    (
        "controlplane.cluster.x-k8s.io",
        CORE,
        &["KubeadmControlPlane", "KubeadmControlPlaneTemplate"],
    ),
    (
        "bootstrap.cluster.x-k8s.io",
        CORE,
        &["KubeadmConfig", "KubeadmConfigTemplate"],
    ),
    ("addons.cluster.x-k8s.io", CORE, &["ClusterResourceSet"]),
    (
        "infrastructure.cluster.x-k8s.io",
        OCI,
        &[
            "OCICluster",
            "OCIClusterTemplate",
            "OCIMachine",
            "OCIMachinePool",
            "OCIMachineTemplate",
            "OCIManagedCluster",
            "OCIManagedClusterTemplate",
            "OCIManagedControlPlane",
            "OCIManagedControlPlaneTemplate",
            "OCIManagedMachinePool",
            "OCIManagedMachinePoolTemplate",
            "OCIVirtualMachinePool",
        ],
    ),
];

/// All of them.
pub(super) fn definitions() -> impl Iterator<Item = Value> {
    KINDS.iter().flat_map(|(group, versions, kinds)| {
        let of_kind = move |kind: &&str| definition(group, versions, kind);
        kinds.iter().map(of_kind)
    })
}

fn definition(group: &str, versions: &[&str], kind: &str) -> Value {
    let singular = kind.to_lowercase();
    let plural = plural(kind);
    let any = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let schema = json!({"type": "object", "properties": {"spec": any, "status": any}});
    let versions = versions.iter().enumerate().map(|(i, name)| {
        json!({"name": name, "served": true, "storage": i + 1 == versions.len(), "subresources": {"status": {}},
            "schema": {"openAPIV3Schema": schema}})
    });
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.{group}")},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": kind, "listKind": format!("{kind}List"), "plural": plural, "singular": singular},
            "versions": versions.collect::<Vec<_>>(),
        },
    })
}
