//! Identifiers. Each is a type of its own, so that a cluster's name can't stand where a network's belongs, and none is
//! ever joined to another by a separator and split again.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Defines a string newtype: ordered, hashable, serialised as the bare string.
macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Wraps a string that its source has already checked.
            pub fn new(value: impl Into<String>) -> Self {
                Self(value.into())
            }

            /// The bare string.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}

name_type!(
    /// The fleet's name, as typed in its `Fleet` document.
    FleetName
);
name_type!(
    /// The fleet's immutable id, made once by `lock` and kept in `fleet.lock/`; it outlives every rename.
    FleetUid
);
name_type!(
    /// A hosted cluster's name: a DNS label.
    ClusterName
);
name_type!(
    /// A management cluster's name.
    ManagementClusterName
);
name_type!(
    /// An environment's name.
    EnvironmentName
);
name_type!(
    /// A node pool's name within its cluster.
    NodePoolName
);
name_type!(
    /// A shared network's name.
    NetworkName
);
name_type!(
    /// An OCI resource identifier, `ocid1.<type>.<realm>.<region>.<unique>`.
    Ocid
);
name_type!(
    /// What is applied: a Git commit id, or `worktree:<digest>` for a tree that is no commit.
    Revision
);

/// A unit of work: what is planned, applied, recorded and, when it fails, isolated together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", content = "name", rename_all = "camelCase")]
pub enum UnitId {
    /// What a management cluster needs once, whatever runs on it (identities, shared namespaces).
    ManagementCluster(ManagementClusterName),
    /// A network that several clusters share.
    Network(NetworkName),
    /// A cluster with all that is its own.
    Cluster(ClusterName),
}

impl UnitId {
    /// The name without the kind.
    pub fn name(&self) -> &str {
        match self {
            Self::ManagementCluster(name) => name.as_str(),
            Self::Network(name) => name.as_str(),
            Self::Cluster(name) => name.as_str(),
        }
    }

    /// The kind in the words of the fleet files' addresses: `management`, `network`, `cluster`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::ManagementCluster(_) => "management",
            Self::Network(_) => "network",
            Self::Cluster(_) => "cluster",
        }
    }

    /// The unit of a kind, in the words of [`UnitId::kind`], and a name; none for another word.
    pub fn of_kind(kind: &str, name: &str) -> Option<Self> {
        Some(match kind {
            "management" => Self::ManagementCluster(ManagementClusterName::new(name)),
            "network" => Self::Network(NetworkName::new(name)),
            "cluster" => Self::Cluster(ClusterName::new(name)),
            _ => return None,
        })
    }
}

impl fmt::Display for UnitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind(), self.name())
    }
}

/// The control plane that an object lives on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "provider", content = "name", rename_all = "camelCase")]
pub enum Target {
    /// The OCI API.
    Oci,
    /// The API server of a management cluster.
    Kubernetes(ManagementClusterName),
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Oci => f.write_str("oci"),
            Self::Kubernetes(name) => write!(f, "{name}"),
        }
    }
}

/// What one object is, independent of the version of its API: two manifests with one id are one object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ResourceId {
    /// Where it lives.
    pub target: Target,
    /// API group; empty for the core group.
    pub group: String,
    /// Kind, in its official spelling.
    pub kind: String,
    /// Namespace; none for what is cluster-scoped, and for OCI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Name within namespace and kind.
    pub name: String,
}

impl fmt::Display for ResourceId {
    /// `NodePool clusters-payments/payments-gpu`: for people, never parsed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{} {}/{}", self.kind, namespace, self.name),
            None => write!(f, "{} {}", self.kind, self.name),
        }
    }
}
