//! Kinds that a rule may name although nothing of them is in the fleet at the moment.

use super::BUILT_IN;
use crate::resource::oci;

/// Kubernetes' own, and those of the operators that a fleet is made of.
const KUBERNETES: &[&str] = &[
    "ClusterRole",
    "ClusterRoleBinding",
    "ClusterClass",
    "ConfigMap",
    "CronJob",
    "CustomResourceDefinition",
    "DaemonSet",
    "Deployment",
    "HorizontalPodAutoscaler",
    "HostedCluster",
    "Ingress",
    "Job",
    "KubeadmConfig",
    "LimitRange",
    "MachineSet",
    "Namespace",
    "NetworkPolicy",
    "NodePool",
    "OCIClusterTemplate",
    "OCIMachinePoolMachine",
    "OCIManagedClusterTemplate",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "Pod",
    "PodDisruptionBudget",
    "PriorityClass",
    "ResourceQuota",
    "Role",
    "RoleBinding",
    "Route",
    "Secret",
    "Service",
    "ServiceAccount",
    "StatefulSet",
    "StorageClass",
];

/// All of them; some come twice.
pub fn known_kinds() -> impl Iterator<Item = &'static str> {
    let built_in = BUILT_IN.iter().flat_map(|rule| rule.kinds).copied();
    let of_oci = oci::KINDS.iter().map(|kind| kind.name);
    KUBERNETES.iter().copied().chain(built_in).chain(of_oci)
}
