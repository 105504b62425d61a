//! The resolved fleet: every layer merged, every derived value filled in, every reference followed.
//!
//! It is what `render` reads and templates see (in camelCase). Nothing in it is optional because it "was not typed": what
//! is `None` here is absent from the objects too.

mod hosted;
mod ignore;
mod machines;
mod network;
mod suspend;

use std::collections::{BTreeMap, BTreeSet};

pub use hosted::*;
pub use ignore::{Ignore, IgnoreRule, RuleSource};
use ipnet::IpNet;
use jiff::Timestamp;
pub use machines::*;
pub use network::*;
use serde::Serialize;
use serde_json::Value;
pub use suspend::{Suspend, Suspensions};

use crate::diag::{Span, Typed};
use crate::resource::{
    ClusterName, Compartment, EnvironmentName, FleetName, FleetUid, ManagementClusterName, NetworkName, NodePoolName,
    Ocid, ResourceId, Target, UnitId,
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
    /// What of live objects is left as it is.
    pub ignore: Ignore,
    /// What is not to be written for a while.
    pub suspend: Suspensions,
    /// Clusters that resolved only because a waiver holds: the first of those that end.
    pub waived: BTreeMap<ClusterName, Waived>,
    /// Units of which may be made again what has vanished from OCI, and until when.
    pub remake: BTreeMap<UnitId, Timestamp>,
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
            && self.remake == other.remake
            && self.conflicts == other.conflicts
            && self.drift == other.drift
            && self.ignore == other.ignore
            && self.protections().eq(other.protections())
    }

    fn protections(&self) -> impl Iterator<Item = (&ClusterName, Timestamp)> {
        let clusters = self.clusters.iter();
        clusters.filter_map(|(name, cluster)| Some((name, cluster.protect_until?)))
    }
}

/// Caps. A run that would exceed one is refused as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// Objects of protected kinds, or of any kind, that one run may delete.
    pub deletes: Cap,
    /// Nodes that one run may replace, update or take away; none: any number.
    pub disrupted_nodes: Option<Cap>,
}

/// A waiver without which a cluster would have an error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Waived {
    /// The rule's id.
    pub rule: String,
    /// When it ends: the beginning of the day after its last.
    pub until: Timestamp,
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

/// A version of Cluster API's contract.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ClusterApi {
    /// `v1beta1`, which every release serves.
    #[default]
    V1Beta1,
    /// `v1beta2`, of 1.11 and later.
    V1Beta2,
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
    /// The version of Cluster API's kinds that clusters of machines are written in.
    pub cluster_api: ClusterApi,
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

impl Manage {
    /// Whether an object of the cluster is ours to write, and to delete.
    pub fn covers(self, id: &ResourceId) -> bool {
        let is_pool = || id.kind == "NodePool" && id.group == "hypershift.openshift.io";
        match self {
            Self::Observe => false,
            Self::Network => id.target == Target::Oci,
            Self::Pools => id.target == Target::Oci || is_pool(),
            Self::All => true,
        }
    }
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
    /// OCI region id.
    pub region: String,
    /// Tenancy.
    pub tenancy: Option<Ocid>,
    /// Compartment.
    pub compartment: Option<Compartment>,
    /// The OCI identity's name.
    pub identity: Option<String>,
    /// Namespace of its objects on the management cluster.
    pub namespace: String,
    /// Whether others chose that namespace: it is theirs, and what else is in it, so that it is neither made nor deleted. No
    /// object tells it.
    #[serde(skip)]
    pub namespace_of_others: bool,
    /// Labels for every object that carries any.
    pub labels: BTreeMap<String, String>,
    /// Annotations of the HostedCluster, or of the Cluster.
    pub annotations: BTreeMap<String, String>,
    /// OCI freeform tags.
    pub freeform_tags: BTreeMap<String, String>,
    /// OCI defined tags, by namespace.
    pub defined_tags: BTreeMap<String, BTreeMap<String, String>>,
    /// Until when nothing of it is deleted. No object tells it, so templates don't see it.
    #[serde(skip)]
    pub protect_until: Option<Timestamp>,
    /// The network of its workers.
    pub network: ClusterNetwork,
    /// Extra manifests, as typed.
    pub extra_manifests: Vec<ExtraManifest>,
    /// What kind of cluster it is, and what only that kind has.
    #[serde(flatten)]
    pub kind: ClusterKind,
    /// Where it was typed.
    #[serde(skip)]
    pub typed: Typed,
}

/// The kinds of clusters. A kind's fields stand beside the common ones where templates see them, and `kind` names it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum ClusterKind {
    /// Its control plane is hosted by HyperShift.
    Hosted(Box<Hosted>),
    /// Cluster API makes it of machines, its control plane too.
    SelfManaged(Box<SelfManaged>),
    /// Oracle's own Kubernetes service, made by Cluster API.
    Oke(Box<Oke>),
    /// Made by Cluster API as a class says.
    Topology(Box<Topology>),
}

impl ClusterKind {
    /// As typed.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Hosted(_) => "hosted",
            Self::SelfManaged(_) => "selfManaged",
            Self::Oke(_) => "oke",
            Self::Topology(_) => "topology",
        }
    }
}

impl Cluster {
    /// What only a hosted cluster has; none of another kind.
    pub fn hosted(&self) -> Option<&Hosted> {
        match &self.kind {
            ClusterKind::Hosted(hosted) => Some(hosted),
            ClusterKind::SelfManaged(_) | ClusterKind::Oke(_) | ClusterKind::Topology(_) => None,
        }
    }

    /// The same, to be changed.
    pub fn hosted_mut(&mut self) -> Option<&mut Hosted> {
        match &mut self.kind {
            ClusterKind::Hosted(hosted) => Some(hosted),
            ClusterKind::SelfManaged(_) | ClusterKind::Oke(_) | ClusterKind::Topology(_) => None,
        }
    }

    /// The pools of a hosted cluster; none of another kind.
    pub fn node_pools(&self) -> impl Iterator<Item = &NodePool> {
        self.hosted().into_iter().flat_map(|hosted| hosted.node_pools.values())
    }

    /// Whether the load balancer of its endpoint has a public address; of a hosted cluster.
    pub fn has_public_endpoint(&self) -> bool {
        self.hosted()
            .is_some_and(|hosted| hosted.endpoint_access == "PublicAndPrivate")
    }

    /// What Cluster API makes of machines; none where HyperShift does.
    pub fn machines(&self) -> Option<&Machines> {
        match &self.kind {
            ClusterKind::Hosted(_) => None,
            ClusterKind::SelfManaged(own) => Some(&own.machines),
            ClusterKind::Oke(oke) => Some(&oke.machines),
            ClusterKind::Topology(own) => Some(&own.machines),
        }
    }

    /// The size of each of its pools of nodes, by the pool's name, whatever its kind.
    pub fn scales(&self) -> impl Iterator<Item = (&NodePoolName, Scale)> {
        let hosted = self.node_pools().map(|pool| (&pool.name, pool.scale));
        let machines = self.machines().into_iter().flat_map(|machines| machines.pools.values());
        hosted.chain(machines.map(|pool| (&pool.name, pool.scale)))
    }
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
