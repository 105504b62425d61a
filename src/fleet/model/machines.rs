//! Clusters that Cluster API makes of machines: self-managed ones, and those of Oracle's own Kubernetes service.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::{Scale, Taint};
use crate::resource::{NodePoolName, Ocid};

/// A cluster whose control plane is made of machines.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SelfManaged {
    /// Its control plane.
    pub control_plane: ControlPlane,
    /// The rest.
    #[serde(flatten)]
    pub machines: Machines,
}

/// A cluster of Oracle's own Kubernetes service.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Oke {
    /// All there is to say of it.
    #[serde(flatten)]
    pub machines: Machines,
}

/// A cluster that Cluster API makes as a ClusterClass says.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Topology {
    /// The class.
    pub class: ClassRef,
    /// Values of the class's variables, by name.
    pub variables: BTreeMap<String, Value>,
    /// What is said of its control plane.
    pub control_plane: TopologyControlPlane,
    /// The rest.
    #[serde(flatten)]
    pub machines: Machines,
}

/// A ClusterClass by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClassRef {
    /// Its namespace; the cluster's own where none.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// Whether the fleet files have it, among the extra manifests of the cluster or of its management cluster.
    #[serde(skip)]
    pub is_ours: bool,
}

/// What a cluster says of a control plane that its class makes.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TopologyControlPlane {
    /// How many machines; as Cluster API has it where none.
    pub replicas: Option<u32>,
    /// Values of variables that hold for it alone, by name.
    pub variables: BTreeMap<String, Value>,
    /// When a machine counts as broken and is replaced; as the class has it where none.
    pub health_check: Option<HealthCheck>,
}

/// What every cluster of machines has.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Machines {
    /// Kubernetes version of the control plane.
    pub version: semver::Version,
    /// Raw patches by kind, each merged over the spec of the one object of its kind (`null` removes).
    pub patches: Patches,
    /// Its pools.
    pub pools: BTreeMap<NodePoolName, MachineGroup>,
    /// What is put into it once it answers, by name.
    pub resource_sets: BTreeMap<String, ResourceSet>,
}

/// Raw patches by the kind of object.
pub type Patches = BTreeMap<String, Value>;

/// A control plane made of machines.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ControlPlane {
    /// The stem of its objects' names.
    pub object_name: String,
    /// How many machines; odd.
    pub replicas: u32,
    /// What each is.
    pub machine: Machine,
    /// When a machine counts as broken and is replaced; none where it never does.
    pub health_check: Option<HealthCheck>,
    /// Raw patches, as of the cluster.
    pub patches: Patches,
}

/// A pool of equal machines.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MachineGroup {
    /// Its name within the cluster: as typed, and for one of several failure domains that with its domain.
    pub name: NodePoolName,
    /// The pool as typed.
    #[serde(skip)]
    pub pool: NodePoolName,
    /// `<stem of the cluster>-<pool>`: the stem of its objects' names.
    pub object_name: String,
    /// Who makes its machines.
    #[serde(rename = "type")]
    pub kind: GroupKind,
    /// Kubernetes version.
    pub version: semver::Version,
    /// Size.
    pub scale: Scale,
    /// The class of its machines; only of a cluster of a class, of which each machine is what the class says.
    pub class: Option<String>,
    /// Values of the class's variables that hold for it alone, by name.
    pub variables: BTreeMap<String, Value>,
    /// What each machine is.
    pub machine: Machine,
    /// The failure domain that it is pinned to, `1` to `3`; where none, Cluster API Provider OCI chooses.
    pub failure_domain: Option<String>,
    /// Count or percentage.
    pub max_surge: Option<Value>,
    /// Count or percentage.
    pub max_unavailable: Option<Value>,
    /// Annotations of the object that holds its size.
    pub annotations: BTreeMap<String, String>,
    /// Node labels.
    pub node_labels: BTreeMap<String, String>,
    /// Taints.
    pub taints: Vec<Taint>,
    /// How long a drain may take.
    pub drain: Option<Duration>,
    /// How long detaching a volume may take.
    pub volume_detach: Option<Duration>,
    /// When a machine counts as broken and is replaced; none where it never does.
    pub health_check: Option<HealthCheck>,
    /// Raw patches, as of the cluster; of a template, over the spec of what it makes.
    pub patches: Patches,
}

/// Who makes the machines of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum GroupKind {
    /// Cluster API, one by one.
    MachineDeployment,
    /// An OCI instance pool.
    MachinePool,
    /// An OKE node pool.
    Managed,
    /// An OKE pool of virtual nodes.
    Virtual,
}

impl GroupKind {
    /// As typed.
    pub fn name(self) -> &'static str {
        match self {
            Self::MachineDeployment => "machineDeployment",
            Self::MachinePool => "machinePool",
            Self::Managed => "managed",
            Self::Virtual => "virtual",
        }
    }
}

/// One machine.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Machine {
    /// OCI shape; none of virtual nodes.
    pub shape: Option<String>,
    /// OCPUs of a flexible shape.
    pub ocpus: Option<u32>,
    /// Memory of a flexible shape.
    #[serde(rename = "memoryInGBs")]
    pub memory_gbs: Option<u32>,
    /// Boot volume size.
    #[serde(rename = "bootVolumeSizeInGBs")]
    pub boot_volume_gbs: Option<u64>,
    /// Image.
    pub image: Option<Ocid>,
    /// Subnet; that of its role where none.
    pub subnet: Option<Ocid>,
    /// The public key that lets in by SSH.
    pub ssh_public_key: Option<String>,
}

/// When a machine counts as broken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HealthCheck {
    /// After its node was not ready, or was not heard of, for so long.
    pub unhealthy: Duration,
    /// After it had no node for so long.
    pub startup: Duration,
    /// At most so many are replaced at once: count or percentage.
    pub max_unhealthy: Option<Value>,
}

/// A span of time, as the two versions of Cluster API's kinds spell it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Duration {
    /// In seconds.
    pub seconds: u64,
    /// `30m0s`: the one form that no reader rewrites.
    pub text: String,
}

impl Duration {
    /// Of so many seconds.
    pub fn of(seconds: u64) -> Self {
        let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        let text = match (hours, minutes) {
            (0, 0) => format!("{rest}s"),
            (0, _) => format!("{minutes}m{rest}s"),
            _ => format!("{hours}h{minutes}m{rest}s"),
        };
        Self { seconds, text }
    }

    /// `1h30m`, `45s`; none where it is no span.
    pub fn parse(text: &str) -> Option<Self> {
        let mut seconds = 0_u64;
        let mut rest = text;
        while !rest.is_empty() {
            let end = rest.find(|digit: char| !digit.is_ascii_digit())?;
            let (number, unit) = (rest.get(..end)?.parse::<u64>().ok()?, rest.get(end..=end)?);
            let factor = match unit {
                "h" => 3600,
                "m" => 60,
                "s" => 1,
                _ => return None,
            };
            seconds = seconds.checked_add(number.checked_mul(factor)?)?;
            rest = rest.get(end + 1..)?;
        }
        (!text.is_empty()).then(|| Self::of(seconds))
    }
}

/// What is put into a cluster once it answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ResourceSet {
    /// ConfigMaps in the cluster's namespace.
    pub config_maps: Vec<String>,
    /// Secrets there.
    pub secrets: Vec<String>,
    /// `ApplyOnce` or `Reconcile`.
    pub strategy: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_spelt_as_go_spells_them() {
        let spelt = |text: &str| Duration::parse(text).map(|it| (it.seconds, it.text));
        for (typed, seconds, text) in [
            ("30m", 1800, "30m0s"),
            ("90s", 90, "1m30s"),
            ("45s", 45, "45s"),
            ("1h", 3600, "1h0m0s"),
            ("1h30m10s", 5410, "1h30m10s"),
            ("0s", 0, "0s"),
        ] {
            assert_eq!(spelt(typed), Some((seconds, text.to_owned())), "{typed}");
        }
        for wrong in ["", "30", "m", "5d", "99999999999999999999h", "1h99999999999999999999s"] {
            assert_eq!(spelt(wrong), None, "{wrong}");
        }
    }
}
