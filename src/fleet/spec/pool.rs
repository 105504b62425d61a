//! Node pools and what they have in common.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{GroupKind, HealthCheck, Patch, PoolPatches, Texts};

/// How a taint looks in short: `key=value:Effect`.
const TAINT: &str = r"^[^=:\s]+(=[^=:\s]*)?:(NoSchedule|PreferNoSchedule|NoExecute)$";

/// `3`, or `10%`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(in crate::fleet) enum CountOrPercent {
    /// A count.
    Count(#[schemars(range(min = 0))] u32),
    /// A percentage.
    Percent(#[schemars(regex(pattern = r"^([0-9]|[1-9][0-9]|100)%$"))] String),
}

/// A node pool, or what several have in common.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(in crate::fleet) struct PoolSpec {
    /// The `NodePoolProfile` that it begins with.
    pub(in crate::fleet) profile: Option<String>,
    /// Who makes the machines of a pool, where Cluster API does: `managed` of an OKE cluster and
    /// `machineDeployment` of any other, where absent.
    #[serde(rename = "type")]
    pub(in crate::fleet) kind: Option<GroupKind>,
    /// The class of its machines, of those that the cluster's ClusterClass has; only of a cluster of `kind: topology`.
    pub(in crate::fleet) class: Option<String>,
    /// Values of the class's variables that hold for this pool alone, by name; of a cluster of `kind: topology`.
    pub(in crate::fleet) variables: Option<Patch>,
    /// OpenShift version; the ring's, or the cluster's, where absent. Of machines, their Kubernetes version.
    #[schemars(regex(pattern = r"^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$"))]
    pub(in crate::fleet) version: Option<String>,
    /// OCI shape.
    #[schemars(regex(pattern = r"^(VM|BM)\.[A-Za-z0-9.]+$"))]
    pub(in crate::fleet) shape: Option<String>,
    /// OCPUs of a flexible shape.
    #[schemars(range(min = 1, max = 256))]
    pub(in crate::fleet) ocpus: Option<u32>,
    /// Memory of a flexible shape.
    #[serde(rename = "memoryInGBs")]
    #[schemars(range(min = 1, max = 4096))]
    pub(in crate::fleet) memory_gbs: Option<u32>,
    /// Size of the boot volume.
    #[serde(rename = "bootVolumeSizeInGBs")]
    #[schemars(range(min = 50, max = 32768))]
    pub(in crate::fleet) boot_volume_gbs: Option<u64>,
    /// OCID of the image; the release's own where absent.
    pub(in crate::fleet) image: Option<String>,
    /// OCID of the subnet; the network's worker subnet where absent.
    pub(in crate::fleet) subnet: Option<String>,
    /// Always so many nodes.
    pub(in crate::fleet) replicas: Option<u32>,
    /// So many nodes as load needs: `3-12`.
    pub(in crate::fleet) autoscale: Option<Autoscale>,
    /// Processor architecture.
    pub(in crate::fleet) arch: Option<Arch>,
    /// How nodes are updated.
    pub(in crate::fleet) upgrade_type: Option<UpgradeType>,
    /// Nodes above the size during an update.
    pub(in crate::fleet) max_surge: Option<CountOrPercent>,
    /// Nodes that may be missing during an update.
    pub(in crate::fleet) max_unavailable: Option<CountOrPercent>,
    /// Whether unhealthy machines are replaced.
    pub(in crate::fleet) auto_repair: Option<bool>,
    /// Labels of the nodes.
    pub(in crate::fleet) node_labels: Option<Texts>,
    /// Taints, `key=value:Effect`.
    #[schemars(inner(regex(pattern = TAINT)))]
    pub(in crate::fleet) taints: Option<Vec<String>>,
    /// The failure domain that its machines are made in, `"1"` to `"3"`; where neither it nor `failureDomains` is there,
    /// Cluster API Provider OCI chooses.
    #[schemars(regex(pattern = r"^[1-3]$"))]
    pub(in crate::fleet) failure_domain: Option<String>,
    /// The failure domains that its machines are spread over, `[1, 2, 3]`: a MachineDeployment in each, and the size divided
    /// evenly among them; what is over goes to those named first.
    #[schemars(length(min = 1, max = 3), inner(range(min = 1, max = 3)))]
    pub(in crate::fleet) failure_domains: Option<Vec<u8>>,
    /// When one of its machines counts as broken and is replaced; never, where absent.
    pub(in crate::fleet) health_check: Option<HealthCheck>,
    /// Annotations of its MachineDeployment or MachinePool.
    pub(in crate::fleet) annotations: Option<Texts>,
    /// Anything else of its machines: by the kind of object, merged over the spec that is rendered.
    pub(in crate::fleet) patches: Option<PoolPatches>,
    /// ConfigMaps with machine configuration.
    #[schemars(length(max = 10))]
    pub(in crate::fleet) config: Option<Vec<String>>,
    /// ConfigMaps with tuning.
    #[schemars(length(max = 10))]
    pub(in crate::fleet) tuning: Option<Vec<String>>,
    /// How long a drain may take, `30m`.
    #[schemars(regex(pattern = r"^([0-9]+(h|m|s))+$"))]
    pub(in crate::fleet) drain_timeout: Option<String>,
    /// How long detaching a volume may take, `5m`.
    #[schemars(regex(pattern = r"^([0-9]+(h|m|s))+$"))]
    pub(in crate::fleet) volume_detach_timeout: Option<String>,
    /// Anything else of NodePool's spec, merged over what is rendered.
    pub(in crate::fleet) node_pool: Option<Patch>,
}

/// `3-12`, or the two numbers.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(in crate::fleet) enum Autoscale {
    /// `3-12`.
    Short(#[schemars(regex(pattern = r"^[0-9]{1,5}-[0-9]{1,5}$"))] String),
    /// The two numbers.
    Long(AutoscaleRange),
}

/// From how many to how many.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::fleet) struct AutoscaleRange {
    /// At least.
    pub(in crate::fleet) min: u32,
    /// At most.
    pub(in crate::fleet) max: u32,
}

/// Processor architecture.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::fleet) enum Arch {
    /// x86.
    Amd64,
    /// Ampere.
    Arm64,
}

/// How nodes are updated.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
pub(in crate::fleet) enum UpgradeType {
    /// New nodes take the place of the old.
    Replace,
    /// The nodes are updated and rebooted.
    InPlace,
}
