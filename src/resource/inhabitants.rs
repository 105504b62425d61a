//! Kinds of objects that people put into a namespace beside the fleet's.
//!
//! Invariant: a kind stands here where an object without an owner is somebody's work or data, lost with the namespace, and where
//! leave to list it shows no secrets. Service accounts, roles, quotas and network policies are no more than the namespace's own
//! furniture, and distributions put some into each; Secrets are left out since a right to list them is a right to read them.

/// A kind that is looked for in a namespace before it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inhabitant {
    /// Group; empty for core.
    pub group: &'static str,
    /// The plural in paths and rules.
    pub plural: &'static str,
    /// Kind.
    pub kind: &'static str,
    /// Versions by which a server is asked for it that does not name it. None for Kubernetes' own kinds, which every server names
    /// from its start.
    pub versions: &'static [&'static str],
}

const fn own(group: &'static str, plural: &'static str, kind: &'static str) -> Inhabitant {
    of_crd(group, plural, kind, &[])
}

const fn of_crd(
    group: &'static str,
    plural: &'static str,
    kind: &'static str,
    versions: &'static [&'static str],
) -> Inhabitant {
    Inhabitant {
        group,
        plural,
        kind,
        versions,
    }
}

/// All of them.
pub const INHABITANTS: &[Inhabitant] = &[
    // Settings that somebody wrote, or a program's only memory.
    own("", "configmaps", "ConfigMap"),
    // Data. Those of a StatefulSet have no owner and outlive it on purpose.
    own("", "persistentvolumeclaims", "PersistentVolumeClaim"),
    // Something runs, and nothing will start it again.
    own("", "pods", "Pod"),
    // The same, kept running; as old charts and DeploymentConfigs have it.
    own("", "replicationcontrollers", "ReplicationController"),
    // An address that others use, behind which may be a load balancer with an IP of its own.
    own("", "services", "Service"),
    // Workloads, each of which owns its pods, so that these are not named one by one.
    own("apps", "deployments", "Deployment"),
    own("apps", "statefulsets", "StatefulSet"),
    own("apps", "daemonsets", "DaemonSet"),
    own("apps", "replicasets", "ReplicaSet"),
    // Work that is under way.
    own("batch", "jobs", "Job"),
    // Work that comes again: backups often are such.
    own("batch", "cronjobs", "CronJob"),
    // A name by which others come in.
    own("networking.k8s.io", "ingresses", "Ingress"),
    // Control planes and machines made by hand, or by a tool that takes a namespace as an argument: what runs on them goes too.
    of_crd(
        "hypershift.openshift.io",
        "hostedclusters",
        "HostedCluster",
        &["v1beta1"],
    ),
    of_crd("hypershift.openshift.io", "nodepools", "NodePool", &["v1beta1"]),
    of_crd("cluster.x-k8s.io", "clusters", "Cluster", &["v1beta2", "v1beta1"]),
    // A backup: most classes delete it in the storage as well.
    of_crd("snapshot.storage.k8s.io", "volumesnapshots", "VolumeSnapshot", &["v1"]),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_kind_stands_once_and_no_secret_is_among_them() {
        let kinds: BTreeSet<(&str, &str)> = INHABITANTS.iter().map(|one| (one.group, one.kind)).collect();
        assert_eq!(kinds.len(), INHABITANTS.len());
        assert!(!kinds.contains(&("", "Secret")));
    }

    #[test]
    fn only_what_a_definition_brings_may_be_named_late() {
        // A group with such an end, or without a dot, is Kubernetes' own.
        let is_own = |group: &str| !group.contains('.') || group == "networking.k8s.io";
        for one in INHABITANTS {
            assert_eq!(one.versions.is_empty(), is_own(one.group), "{one:?}");
        }
    }
}
