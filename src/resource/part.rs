//! What part of a cluster a Kubernetes object is, by its kind.
//!
//! Invariant: one list, so that guards, order, forecasts and reports mean the same objects.

/// What part of a cluster an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The cluster as a whole, and what it stands on: lost with it.
    Cluster,
    /// Its control plane: lost with it.
    ControlPlane,
    /// What has both in one.
    Hosted,
    /// A pool of nodes.
    Pool,
    /// What a pool is in OCI; who deletes the pool deletes it.
    PoolOfOci,
    /// What clusters are made as.
    Class,
    /// What is decided of machines by their health.
    HealthCheck,
    /// What machines are made by: never changed, and read just when one is made.
    Template,
}

impl Part {
    /// The part that a kind is; none of what only surrounds a cluster.
    pub fn of(kind: &str) -> Option<Self> {
        Some(match kind {
            "HostedCluster" => Self::Hosted,
            "Cluster" | "OCICluster" | "OCIManagedCluster" => Self::Cluster,
            "KubeadmControlPlane" | "OCIManagedControlPlane" => Self::ControlPlane,
            "NodePool" | "MachineDeployment" | "MachinePool" => Self::Pool,
            "OCIMachinePool" | "OCIManagedMachinePool" | "OCIVirtualMachinePool" => Self::PoolOfOci,
            "MachineHealthCheck" => Self::HealthCheck,
            "ClusterClass" => Self::Class,
            "OCIMachineTemplate" | "KubeadmConfigTemplate" | "KubeadmConfig" | "KubeadmControlPlaneTemplate" => {
                Self::Template
            }
            _ => return None,
        })
    }

    /// Whether its loss is the loss of a cluster.
    pub fn is_vital(self) -> bool {
        matches!(self, Self::Cluster | Self::ControlPlane | Self::Hosted)
    }

    /// Whether it tells how a control plane is.
    pub fn is_control_plane(self) -> bool {
        matches!(self, Self::ControlPlane | Self::Hosted)
    }
}
