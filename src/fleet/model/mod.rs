//! The resolved fleet: every layer merged, every derived value filled in, every reference followed.
//!
//! It is what `render` reads and templates see (in camelCase). Nothing in it is optional because it "was not typed": what
//! is `None` here is absent from the objects too.

mod network;
mod suspend;

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
pub use network::*;
use serde::Serialize;
use serde_json::Value;
pub use suspend::{Suspend, Suspensions};

use crate::diag::{Span, Typed};
use crate::resource::{
    ClusterName, Compartment, EnvironmentName, FleetName, FleetUid, ManagementClusterName, NetworkName, NodePoolName,
    Ocid, UnitId,
};

/// A whole fleet.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Fleet {
    /// As typed.
    pub name: FleetName,
    /// From the lock.
    pub uid: FleetUid,
    /// Those that clusters are placed on.
    pub management_clusters: BTreeMap<ManagementClusterName, ManagementCluster>,
    /// Networks that several clusters share.
    pub networks: BTreeMap<NetworkName, Network>,
    /// The clusters that resolved without an error.
    pub clusters: BTreeMap<ClusterName, Cluster>,
    /// Clusters that are in the files but did not resolve: nothing of theirs is changed or pruned.
    pub failed: BTreeSet<ClusterName>,
    /// Caps on what one run may do.
    pub limits: Limits,
    /// Units that may be deleted although they are protected.
    pub decommission: BTreeMap<UnitId, Decommission>,
    /// Renames: what it is called now, by what it was called.
    pub moved: Vec<Moved>,
    /// Who wins where another field manager owns a field; the first rule that matches counts.
    pub conflicts: Vec<ConflictRule>,
    /// What the daemon does about drift; the first rule that matches counts.
    pub drift: Vec<DriftRule>,
    /// What is not to be written for a while.
    pub suspend: Suspensions,
    /// Whether the file set as a whole is unusable, so that nothing may be concluded from what is absent.
    pub incomplete: bool,
}

impl Fleet {
    /// The tenancies that anything of it is in.
    pub fn tenancies(&self) -> BTreeSet<&Ocid> {
        let clusters = self.clusters.values().filter_map(|cluster| cluster.tenancy.as_ref());
        let networks = self.networks.values().filter_map(|network| network.tenancy.as_ref());
        let peers = self.management_clusters.values().filter_map(|it| it.network.as_ref());
        clusters
            .chain(networks)
            .chain(peers.filter_map(|network| network.tenancy.as_ref()))
            .collect()
    }

    /// Whether what it allows of changes and deletes is what another allows.
    pub fn has_policies_of(&self, other: &Self) -> bool {
        self.limits == other.limits
            && self.decommission == other.decommission
            && self.conflicts == other.conflicts
            && self.drift == other.drift
    }
}

/// Caps. A run that would exceed one is refused as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// Objects of protected kinds, or of any kind, that one run may delete.
    pub deletes: Cap,
}

/// A count or a percentage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Cap {
    /// At most so many.
    Count(u64),
    /// At most so many of a hundred.
    Percent(u8),
}

/// Leave to delete something protected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Decommission {
    /// Why, as typed.
    pub reason: String,
    /// Where it was typed.
    #[serde(skip)]
    pub span: Span,
}

/// A rename.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Moved {
    /// The old name.
    pub from: UnitId,
    /// The new name.
    pub to: UnitId,
}

/// What to do where another manager owns a field that we want.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum OnConflict {
    /// Take the field.
    Force,
    /// Leave the field to the other.
    Yield,
    /// Leave the object alone and report.
    Fail,
}

/// One conflict rule. What is absent matches everything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConflictRule {
    /// The object's kind.
    pub kind: Option<String>,
    /// A dotted field path; it matches itself and all below it.
    pub field: Option<String>,
    /// The other manager's name.
    pub manager: Option<String>,
    /// What to do.
    pub action: OnConflict,
}

/// What is done about what moved by itself; in the order of how much that is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DriftAction {
    /// Nothing: it is not even shown.
    Off,
    /// It is shown, and left as it is.
    Report,
    /// It is mended.
    #[default]
    Correct,
}

/// One drift rule. What is absent matches everything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DriftRule {
    /// The object's kind.
    pub kind: Option<String>,
    /// Its name.
    pub name: Option<String>,
    /// The cluster that it belongs to.
    pub cluster: Option<ClusterName>,
    /// A dotted field path; it matches itself and all below it.
    pub field: Option<String>,
    /// What to do.
    pub action: DriftAction,
}

/// How the platform is spelled in HostedCluster and NodePool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    /// `platform.type: OCI`, by the proposal; needs patched CRDs.
    Oci,
    /// `platform.type: None`, which every upstream CRD admits.
    None,
    /// `platform.type: Agent`.
    Agent,
}

/// A management cluster.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ManagementCluster {
    /// Its name.
    pub name: ManagementClusterName,
    /// The kubeconfig context; its name unless typed.
    pub context: String,
    /// OCI region id.
    pub region: String,
    /// The OKE cluster behind it.
    pub oke: Option<Ocid>,
    /// Hosted clusters that it takes.
    pub capacity: u32,
    /// The platform dialect that its CRDs admit.
    pub dialect: Dialect,
    /// Whether it serves `route.openshift.io`.
    pub routes: bool,
    /// Minor version of OpenShift that its operator is of (`4.20`), where typed.
    pub operator_version: Option<String>,
    /// CIDRs of its VCN, for peering checks.
    pub cidrs: Vec<IpNet>,
    /// Its own network, as far as other networks are peered with it; none where the fleet doesn't say.
    pub network: Option<ManagementNetwork>,
    /// Nodes that control planes run on, where typed.
    pub nodes: Option<u32>,
    /// Whether its own control plane runs on these nodes too.
    pub compact: bool,
    /// Stable address of the load balancer in front of its nodes, for NodePort publishing.
    pub node_port_address: Option<String>,
    /// Address of its router, to which the names of routes lead.
    pub router_address: Option<String>,
    /// Labels for its own objects.
    pub labels: BTreeMap<String, String>,
    /// OCI identities that its clusters use, by name.
    pub identities: BTreeMap<String, Identity>,
    /// Extra manifests, as typed.
    pub extra_manifests: Vec<ExtraManifest>,
}

/// A manifest typed in the fleet files.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub struct ExtraManifest {
    /// The document.
    pub body: Value,
    /// Where it was typed.
    #[serde(skip)]
    pub typed: Typed,
}

impl From<Value> for ExtraManifest {
    fn from(body: Value) -> Self {
        Self {
            body,
            typed: Typed::default(),
        }
    }
}

/// An OCIClusterIdentity to render.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Identity {
    /// Its name.
    pub name: String,
    /// UserPrincipal, InstancePrincipal or Workload.
    #[serde(rename = "type")]
    pub kind: String,
    /// Namespace that it is in.
    pub namespace: String,
    /// The Secret that a UserPrincipal needs.
    pub principal_secret: Option<SecretRef>,
    /// Namespaces that may use it.
    pub allowed_namespaces: Vec<String>,
}

/// A Secret or ConfigMap by name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SecretRef {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// How far a cluster is ours to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Manage {
    /// Nothing.
    Observe,
    /// The OCI network documents.
    Network,
    /// These and the NodePools.
    Pools,
    /// All.
    All,
}

/// One cluster.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Cluster {
    /// Its name in the fleet files.
    pub name: ClusterName,
    /// The HostedCluster's name, and the stem of all other objects' names: the name that it had at first, from the lock,
    /// so that a renamed cluster keeps its objects.
    pub object_name: String,
    /// Immutable id from the lock.
    pub id: String,
    /// Its environment.
    pub environment: EnvironmentName,
    /// Where its control plane runs (placement pinned in the lock).
    pub management_cluster: ManagementClusterName,
    /// Who answers for it.
    pub owner: Option<String>,
    /// How far it is ours to write.
    pub manage: Manage,
    /// The platform dialect, of its management cluster.
    pub dialect: Dialect,
    /// OCI region id.
    pub region: String,
    /// Tenancy.
    pub tenancy: Option<Ocid>,
    /// Compartment.
    pub compartment: Option<Compartment>,
    /// The OCI identity's name.
    pub identity: Option<String>,
    /// Namespace of the HostedCluster.
    pub namespace: String,
    /// `<namespace>-<name>` with dots as dashes: what HyperShift makes.
    pub control_plane_namespace: String,
    /// Immutable infra id.
    pub infra_id: String,
    /// Labels for every object that carries any.
    pub labels: BTreeMap<String, String>,
    /// Annotations of the HostedCluster.
    pub annotations: BTreeMap<String, String>,
    /// OCI freeform tags.
    pub freeform_tags: BTreeMap<String, String>,
    /// OCI defined tags, by namespace.
    pub defined_tags: BTreeMap<String, BTreeMap<String, String>>,
    /// The control plane's release.
    pub release: Release,
    /// `stable-4.20`.
    pub channel: Option<String>,
    /// DNS.
    pub base_domain: String,
    /// `HighlyAvailable` or `SingleReplica`.
    pub controller_availability: String,
    /// The same for what runs on workers.
    pub infrastructure_availability: String,
    /// etcd.
    pub etcd: Etcd,
    /// FIPS mode.
    pub fips: bool,
    /// The network of its workers.
    pub network: ClusterNetwork,
    /// `Private` or `PublicAndPrivate`; only the `oci` dialect has it.
    pub endpoint_access: String,
    /// The four services in the order in which they are rendered.
    pub services: Vec<Service>,
    /// A load balancer of ours at the endpoint; none where HyperShift or the management cluster has one.
    pub endpoint: Option<EndpointBalancer>,
    /// The zone in which the services' names are kept, by name or OCID; none where they are kept elsewhere.
    pub dns_zone: Option<String>,
    /// Pull secret.
    pub pull_secret: SecretUse,
    /// SSH key.
    pub ssh_key: Option<SecretUse>,
    /// CA bundle, a ConfigMap.
    pub trust_bundle: Option<SecretUse>,
    /// AES-CBC key for secret encryption.
    pub encryption_key: Option<SecretUse>,
    /// Anything else of HostedCluster's spec, merged over what is rendered (`null` removes).
    pub hosted_cluster_patch: Value,
    /// Its node pools.
    pub node_pools: BTreeMap<NodePoolName, NodePool>,
    /// Extra manifests, as typed.
    pub extra_manifests: Vec<ExtraManifest>,
    /// Where it was typed.
    #[serde(skip)]
    pub typed: Typed,
}

/// A release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Release {
    /// `4.20.3`.
    pub version: semver::Version,
    /// The image reference.
    pub image: String,
}

/// etcd of a hosted control plane.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Etcd {
    /// `8Gi`.
    pub size: String,
    /// Storage class; the management cluster's default where none.
    pub storage_class: Option<String>,
}

/// A Secret or ConfigMap that the HostedCluster needs in its namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SecretUse {
    /// Its name beside the HostedCluster.
    pub name: String,
    /// Where it is copied from; none where it is expected to be there.
    pub copy_from: Option<SecretRef>,
}

/// How one of HyperShift's services is published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Service {
    /// `APIServer`, `OAuthServer`, `Konnectivity`, `Ignition`.
    pub name: String,
    /// `LoadBalancer`, `NodePort`, `Route`.
    pub strategy: String,
    /// Hostname of a route or load balancer.
    pub hostname: Option<String>,
    /// Address for node ports.
    pub address: Option<String>,
    /// Fixed node port.
    pub port: Option<u16>,
}

/// One node pool.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NodePool {
    /// Its name within the cluster.
    pub name: NodePoolName,
    /// `<stem of the cluster>-<pool>`: the NodePool object's name.
    pub object_name: String,
    /// Its release.
    pub release: Release,
    /// OCI shape.
    pub shape: String,
    /// OCPUs of a flexible shape.
    pub ocpus: Option<u32>,
    /// Memory of a flexible shape.
    #[serde(rename = "memoryInGBs")]
    pub memory_gbs: Option<u32>,
    /// Boot volume size.
    #[serde(rename = "bootVolumeSizeInGBs")]
    pub boot_volume_gbs: Option<u64>,
    /// Image; the platform's own where none.
    pub image: Option<Ocid>,
    /// Subnet; the network's worker subnet where none.
    pub subnet: Option<Ocid>,
    /// Size.
    pub scale: Scale,
    /// `amd64` or `arm64`.
    pub arch: String,
    /// `Replace` or `InPlace`.
    pub upgrade_type: String,
    /// Count or percentage.
    pub max_surge: Option<Value>,
    /// Count or percentage.
    pub max_unavailable: Option<Value>,
    /// Whether unhealthy machines are replaced.
    pub auto_repair: bool,
    /// Node labels.
    pub node_labels: BTreeMap<String, String>,
    /// Taints.
    pub taints: Vec<Taint>,
    /// ConfigMaps with machine config.
    pub config: Vec<String>,
    /// ConfigMaps with tuning.
    pub tuning: Vec<String>,
    /// `30m`.
    pub drain_timeout: Option<String>,
    /// `5m`.
    pub volume_detach_timeout: Option<String>,
    /// Anything else of NodePool's spec, merged over what is rendered (`null` removes).
    pub node_pool_patch: Value,
}

/// A pool's size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Scale {
    /// Always so many.
    Replicas(u32),
    /// By load.
    Autoscale {
        /// At least.
        min: u32,
        /// At most.
        max: u32,
    },
}

/// A node taint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Taint {
    /// Key.
    pub key: String,
    /// Value.
    pub value: Option<String>,
    /// `NoSchedule`, `PreferNoSchedule`, `NoExecute`.
    pub effect: String,
}
