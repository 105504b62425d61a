//! What only clusters of machines have.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{CountOrPercent, Patch};

/// Who makes the machines of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::fleet) enum GroupKind {
    /// Cluster API, one by one.
    MachineDeployment,
    /// An OCI instance pool.
    MachinePool,
    /// An OKE node pool.
    Managed,
    /// An OKE pool of virtual nodes.
    Virtual,
}

/// When a machine counts as broken.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(in crate::fleet) struct HealthCheck {
    /// After its node was not ready, or was not heard of, for so long; `5m` where absent.
    #[schemars(regex(pattern = r"^([0-9]+(h|m|s))+$"))]
    pub(in crate::fleet) unhealthy: Option<String>,
    /// After it had no node for so long; `20m` where absent.
    #[schemars(regex(pattern = r"^([0-9]+(h|m|s))+$"))]
    pub(in crate::fleet) startup: Option<String>,
    /// Machines of which no more than so many are broken are replaced; however many are, where absent.
    pub(in crate::fleet) max_unhealthy: Option<CountOrPercent>,
}

/// What is put into a cluster once it answers.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(in crate::fleet) struct ResourceSet {
    /// ConfigMaps in the cluster's namespace, whose values are manifests.
    pub(in crate::fleet) config_maps: Option<Vec<String>>,
    /// Secrets there.
    pub(in crate::fleet) secrets: Option<Vec<String>>,
    /// Whether what changes in them is put there again; `ApplyOnce` where absent.
    pub(in crate::fleet) strategy: Option<ApplyStrategy>,
}

/// Whether what changes is put there again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
pub(in crate::fleet) enum ApplyStrategy {
    /// Never.
    ApplyOnce,
    /// Always.
    Reconcile,
}

/// Raw patches over the objects that a cluster has one of.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::fleet) struct ClusterPatches {
    /// Of any cluster of machines.
    #[serde(rename = "Cluster")]
    pub(in crate::fleet) cluster: Option<Patch>,
    /// Of a self-managed cluster.
    #[serde(rename = "OCICluster")]
    pub(in crate::fleet) oci_cluster: Option<Patch>,
    /// Of an OKE cluster.
    #[serde(rename = "OCIManagedCluster")]
    pub(in crate::fleet) oci_managed_cluster: Option<Patch>,
    /// Of an OKE cluster.
    #[serde(rename = "OCIManagedControlPlane")]
    pub(in crate::fleet) oci_managed_control_plane: Option<Patch>,
}

/// Raw patches over the objects of a control plane, or of a pool.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::fleet) struct PoolPatches {
    /// Of a control plane.
    #[serde(rename = "KubeadmControlPlane")]
    pub(in crate::fleet) kubeadm_control_plane: Option<Patch>,
    /// Of a machine: over `spec.template.spec`.
    #[serde(rename = "OCIMachineTemplate")]
    pub(in crate::fleet) oci_machine_template: Option<Patch>,
    /// Of a `machineDeployment` of a self-managed cluster: over `spec.template.spec`.
    #[serde(rename = "KubeadmConfigTemplate")]
    pub(in crate::fleet) kubeadm_config_template: Option<Patch>,
    /// Of a `machineDeployment`.
    #[serde(rename = "MachineDeployment")]
    pub(in crate::fleet) machine_deployment: Option<Patch>,
    /// Of any other pool.
    #[serde(rename = "MachinePool")]
    pub(in crate::fleet) machine_pool: Option<Patch>,
    /// Of a `machinePool`.
    #[serde(rename = "KubeadmConfig")]
    pub(in crate::fleet) kubeadm_config: Option<Patch>,
    /// Of a `machinePool`.
    #[serde(rename = "OCIMachinePool")]
    pub(in crate::fleet) oci_machine_pool: Option<Patch>,
    /// Of a `managed` pool.
    #[serde(rename = "OCIManagedMachinePool")]
    pub(in crate::fleet) oci_managed_machine_pool: Option<Patch>,
    /// Of a `virtual` pool.
    #[serde(rename = "OCIVirtualMachinePool")]
    pub(in crate::fleet) oci_virtual_machine_pool: Option<Patch>,
    /// Of a pool, or of a control plane, with a `healthCheck`.
    #[serde(rename = "MachineHealthCheck")]
    pub(in crate::fleet) machine_health_check: Option<Patch>,
}
