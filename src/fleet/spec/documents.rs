//! The other documents.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{ManagementNetwork, OneOrMany, Patch, Settings, Suspend};

/// An environment: a layer between the fleet and its clusters.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(deny_unknown_fields)]
pub(in crate::fleet) struct EnvironmentSpec {
    /// Whether it serves production: some rules are stricter there. Taken from its name, `prod` or `production`, where absent.
    pub(in crate::fleet) production: Option<bool>,
    /// Nothing of its clusters is written or deleted for a while.
    pub(in crate::fleet) suspend: Option<Suspend>,
    /// What its clusters of a region have, by region id; nearer than the environment itself.
    pub(in crate::fleet) regions: Option<BTreeMap<String, Settings>>,
    #[allow(missing_docs, reason = "its fields are documented, it is no key")]
    #[serde(flatten)]
    pub(in crate::fleet) settings: Settings,
}

/// A cluster.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(deny_unknown_fields)]
pub(in crate::fleet) struct ClusterSpec {
    /// Its environment.
    pub(in crate::fleet) environment: Option<String>,
    /// Nothing of it is written or deleted for a while.
    pub(in crate::fleet) suspend: Option<Suspend>,
    #[allow(missing_docs, reason = "its fields are documented, it is no key")]
    #[serde(flatten)]
    pub(in crate::fleet) settings: Settings,
}

/// Many clusters at once; what stands beside `clusters` holds for each of them.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(in crate::fleet) struct ClustersSpec {
    /// The environment of all of them.
    pub(in crate::fleet) environment: Option<String>,
    /// Nothing of them is written or deleted for a while.
    pub(in crate::fleet) suspend: Option<Suspend>,
    /// The clusters by name, each with what is its own: `team-a: {}`.
    pub(in crate::fleet) clusters: BTreeMap<String, Option<ClusterSpec>>,
    #[allow(missing_docs, reason = "its fields are documented, it is no key")]
    #[serde(flatten)]
    pub(in crate::fleet) settings: Settings,
}

/// A management cluster: where control planes run.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::fleet) struct ManagementClusterSpec {
    /// OCI region id.
    pub(in crate::fleet) region: String,
    /// The kubeconfig context; its name where absent.
    pub(in crate::fleet) context: Option<String>,
    /// OCID of the OKE cluster behind it.
    pub(in crate::fleet) oke: Option<String>,
    /// Hosted clusters that it takes.
    #[serde(default = "capacity")]
    #[schemars(range(min = 1))]
    pub(in crate::fleet) capacity: u32,
    /// Which clusters it takes.
    #[serde(default)]
    pub(in crate::fleet) accepts: Accepts,
    /// The platform that its CRDs admit.
    #[serde(default)]
    pub(in crate::fleet) dialect: Dialect,
    /// The version of Cluster API's kinds that clusters of machines are written in: `v1beta2` needs 1.11 or later there.
    #[serde(default)]
    pub(in crate::fleet) cluster_api: ClusterApi,
    /// Whether it serves `route.openshift.io`.
    #[serde(default)]
    pub(in crate::fleet) routes: bool,
    /// Minor version of OpenShift that its operator is of, in quotes: `"4.20"`.
    #[schemars(regex(pattern = r"^\d+\.\d+$"))]
    pub(in crate::fleet) operator_version: Option<String>,
    /// Ranges of its network.
    #[serde(default)]
    pub(in crate::fleet) cidrs: Vec<String>,
    /// Its own VCN, for networks that are to be peered with it.
    pub(in crate::fleet) network: Option<ManagementNetwork>,
    /// Nodes that control planes run on; how many are sensible follows from it.
    #[schemars(range(min = 1))]
    pub(in crate::fleet) nodes: Option<u32>,
    /// Whether its own control plane runs on these nodes too.
    #[serde(default)]
    pub(in crate::fleet) compact: bool,
    /// Stable address of the load balancer in front of its nodes, for `publish: nodePort`.
    pub(in crate::fleet) node_port_address: Option<String>,
    /// Address of its router, IP or DNS name, to which the names of routes lead.
    pub(in crate::fleet) router_address: Option<String>,
    /// Labels of its own objects.
    #[serde(default)]
    pub(in crate::fleet) labels: BTreeMap<String, String>,
    /// OCI identities that its clusters use, by name.
    #[serde(default)]
    pub(in crate::fleet) identities: BTreeMap<String, Identity>,
    /// More manifests for it, as they are.
    #[serde(default)]
    pub(in crate::fleet) extra_manifests: Vec<Patch>,
}

fn capacity() -> u32 {
    80
}

/// Which clusters a management cluster takes; what is absent matches everything.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(in crate::fleet) struct Accepts {
    /// Only of this environment, or these.
    pub(in crate::fleet) environment: Option<OneOrMany>,
    /// Only of this region, or these; its own region where absent.
    pub(in crate::fleet) region: Option<OneOrMany>,
}

/// The platform that a management cluster's CRDs admit.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::fleet) enum Dialect {
    /// `platform.type: OCI`, which needs patched CRDs.
    #[default]
    Oci,
    /// `platform.type: None`.
    None,
    /// `platform.type: Agent`.
    Agent,
}

/// A version of Cluster API's kinds.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::fleet) enum ClusterApi {
    /// Which every release serves.
    #[default]
    V1Beta1,
    /// Of 1.11 and later.
    V1Beta2,
}

/// An OCI identity.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::fleet) struct Identity {
    /// How it proves itself.
    #[serde(rename = "type")]
    pub(in crate::fleet) kind: IdentityType,
    /// Its namespace.
    pub(in crate::fleet) namespace: Option<String>,
    /// The Secret of a `UserPrincipal`, `namespace/name`.
    #[schemars(regex(pattern = r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?/[a-z0-9]([a-z0-9.-]*[a-z0-9])?$"))]
    pub(in crate::fleet) principal_secret: Option<String>,
    /// Namespaces that may use it; every one where absent.
    #[serde(default)]
    pub(in crate::fleet) allowed_namespaces: Vec<String>,
}

/// How an identity proves itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
pub(in crate::fleet) enum IdentityType {
    /// A user's API key.
    UserPrincipal,
    /// The instance that the controller runs on.
    InstancePrincipal,
    /// The controller's service account.
    Workload,
}

/// Releases by ring; control planes and node pools move apart.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::fleet) struct ReleaseSpec {
    /// What each ring runs.
    pub(in crate::fleet) rings: BTreeMap<String, RingSpec>,
}

/// What a ring runs.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::fleet) struct RingSpec {
    /// Version of control planes.
    #[schemars(regex(pattern = r"^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$"))]
    pub(in crate::fleet) control_plane: String,
    /// Versions that control planes go through on their way; a cluster's own `via` counts before it.
    #[schemars(inner(regex(pattern = r"^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$")))]
    pub(in crate::fleet) via: Option<Vec<String>>,
    /// Version of node pools; the control plane's where absent.
    #[schemars(regex(pattern = r"^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$"))]
    pub(in crate::fleet) pools: Option<String>,
}

/// One rename: `cluster/old` → `cluster/new`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::fleet) struct MovedSpec {
    /// What it was called.
    #[schemars(regex(pattern = r"^(cluster|network|management|environment)/[a-z0-9]([a-z0-9-]*[a-z0-9])?$"))]
    pub(in crate::fleet) from: String,
    /// What it is called now.
    #[schemars(regex(pattern = r"^(cluster|network|management|environment)/[a-z0-9]([a-z0-9-]*[a-z0-9])?$"))]
    pub(in crate::fleet) to: String,
}
