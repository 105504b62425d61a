//! The documents that a user writes, as Rust types: their JSON Schemas, their validation and their decoding all come from
//! here.
//!
//! Invariant: no key that nothing reads. What can stand in every layer is in [`Settings`]; each of its fields is optional,
//! and `null` in a nearer layer removes what a farther one set.

#![allow(
    dead_code,
    reason = "some fields are read as nodes, with their places, and stand here for the schema and the check alone"
)]

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

/// How a taint looks in short: `key=value:Effect`.
pub(super) const TAINT: &str = r"^[^=:\s]+(=[^=:\s]*)?:(NoSchedule|PreferNoSchedule|NoExecute)$";

/// Texts by key, of which `null` removes one.
pub(super) type Texts = BTreeMap<String, Option<String>>;

/// Free-form fields of an API, as typed.
pub(super) type Patch = Map<String, Value>;

/// The fleet: what holds for all of it.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(super) struct FleetSpec {
    /// What every cluster has unless a nearer layer says otherwise.
    pub(super) defaults: Option<Settings>,
    /// What clusters of a region have, by region id; nearer than `defaults`.
    pub(super) regions: Option<BTreeMap<String, Settings>>,
    /// Names for compartments, so that other files need no OCIDs.
    pub(super) compartments: Option<BTreeMap<String, String>>,
    /// Where address blocks for managed networks come from.
    pub(super) addresses: Option<Addresses>,
    /// Caps on what one run may do.
    pub(super) limits: Option<Limits>,
    /// Who wins where another field manager owns a field; the first rule that matches counts.
    pub(super) conflicts: Option<Vec<ConflictRule>>,
    /// Units that may be deleted although they are protected.
    pub(super) decommission: Option<Vec<Decommission>>,
    /// Rules that somebody decided not to follow, and why.
    pub(super) waivers: Option<Vec<Waiver>>,
    /// Numbers that some rules compare with.
    pub(super) thresholds: Option<Thresholds>,
}

/// Where address blocks come from.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Addresses {
    /// One range a region, by region id.
    pub(super) pools: BTreeMap<String, String>,
    /// Prefix length of one cluster's block.
    #[serde(default = "per_cluster")]
    #[schemars(range(min = 16, max = 24))]
    pub(super) per_cluster: u8,
    /// Ranges that are never handed out, because something else uses them.
    #[serde(default)]
    pub(super) exclude: Vec<String>,
}

fn per_cluster() -> u8 {
    20
}

/// Caps on what one run may do.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Limits {
    /// Objects that one run may delete: a count, or a percentage such as `5%`.
    pub(super) deletes: Option<CountOrPercent>,
    /// Nodes that one run may disrupt: a count, or a percentage such as `10%`.
    pub(super) disrupted_nodes: Option<CountOrPercent>,
}

/// `3`, or `10%`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum CountOrPercent {
    /// A count.
    Count(#[schemars(range(min = 0))] u32),
    /// A percentage.
    Percent(#[schemars(regex(pattern = r"^([0-9]|[1-9][0-9]|100)%$"))] String),
}

/// What to do where another manager owns a field.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) enum OnConflict {
    /// Take the field.
    Force,
    /// Leave the field to the other.
    Yield,
    /// Leave the object alone and report.
    Fail,
}

/// Who wins where another field manager owns a field. What is absent matches everything.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct ConflictRule {
    /// The object's kind.
    pub(super) kind: Option<String>,
    /// A dotted field path; it matches itself and all below it.
    pub(super) field: Option<String>,
    /// The other manager's name.
    pub(super) manager: Option<String>,
    /// What to do.
    pub(super) action: OnConflict,
}

/// Leave to delete something protected; one of `cluster` and `network`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Decommission {
    /// A cluster.
    pub(super) cluster: Option<String>,
    /// A network.
    pub(super) network: Option<String>,
    /// Why.
    #[schemars(length(min = 1))]
    pub(super) reason: String,
}

/// A rule that somebody decided not to follow.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Waiver {
    /// The rule's id, as its diagnostic names it.
    pub(super) rule: String,
    /// The cluster; all of them where absent.
    pub(super) cluster: Option<String>,
    /// Why.
    #[schemars(length(min = 1))]
    pub(super) reason: String,
    /// The last day on which it holds, `2027-03-31`.
    #[schemars(regex(pattern = r"^\d{4}-\d{2}-\d{2}$"))]
    pub(super) until: Option<String>,
}

/// Numbers that some rules compare with.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(super) struct Thresholds {
    /// Hosted clusters of one management cluster above which a warning is due; 80.
    pub(super) hosted_clusters_warn: Option<u32>,
    /// Hosted clusters of one management cluster above which it is an error; 100.
    pub(super) hosted_clusters_most: Option<u32>,
    /// Node pools of one cluster above which a warning is due; 100.
    pub(super) node_pools_warn: Option<u32>,
    /// Workers of one cluster above which a warning is due; 500.
    pub(super) workers_warn: Option<u32>,
}

/// An environment: a layer between the fleet and its clusters.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(deny_unknown_fields)]
pub(super) struct EnvironmentSpec {
    /// Whether it serves production: some rules are stricter there. Taken from its name, `prod` or `production`, where absent.
    pub(super) production: Option<bool>,
    /// What its clusters of a region have, by region id; nearer than the environment itself.
    pub(super) regions: Option<BTreeMap<String, Settings>>,
    #[allow(missing_docs, reason = "its fields are documented, it is no key")]
    #[serde(flatten)]
    pub(super) settings: Settings,
}

/// A cluster.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(deny_unknown_fields)]
pub(super) struct ClusterSpec {
    /// Its environment.
    pub(super) environment: Option<String>,
    #[allow(missing_docs, reason = "its fields are documented, it is no key")]
    #[serde(flatten)]
    pub(super) settings: Settings,
}

/// Many clusters at once; what stands beside `clusters` holds for each of them.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(super) struct ClustersSpec {
    /// The environment of all of them.
    pub(super) environment: Option<String>,
    /// The clusters by name, each with what is its own: `team-a: {}`.
    pub(super) clusters: BTreeMap<String, Option<ClusterSpec>>,
    #[allow(missing_docs, reason = "its fields are documented, it is no key")]
    #[serde(flatten)]
    pub(super) settings: Settings,
}

/// What can be set at every layer.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(super) struct Settings {
    /// OCI region id, `eu-frankfurt-1`.
    pub(super) region: Option<String>,
    /// The management cluster to run on; where absent, one is chosen and the lock remembers it.
    pub(super) management_cluster: Option<String>,
    /// Who answers for it.
    pub(super) owner: Option<String>,
    /// How far it is ours to write.
    pub(super) manage: Option<Manage>,
    /// OCID of the tenancy.
    #[schemars(regex(pattern = r"^ocid1\.\S+$"))]
    pub(super) tenancy: Option<String>,
    /// The compartment: an OCID, or a name from the fleet's `compartments`.
    pub(super) compartment: Option<String>,
    /// The OCI identity's name on the management cluster.
    pub(super) identity: Option<String>,
    /// Labels for every object that carries any.
    pub(super) labels: Option<Texts>,
    /// Annotations of the HostedCluster.
    pub(super) annotations: Option<Texts>,
    /// OCI freeform tags.
    pub(super) tags: Option<Texts>,
    /// OCI defined tags, by namespace.
    pub(super) defined_tags: Option<BTreeMap<String, Option<Texts>>>,
    /// OpenShift version of control plane and node pools, `4.20.3`; overrides `ring`.
    #[schemars(regex(pattern = r"^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$"))]
    pub(super) version: Option<String>,
    /// Ring of the release document; overrides `version` of farther layers.
    pub(super) ring: Option<Ring>,
    /// The `Release` document that `ring` is looked up in; needed only where there are several.
    pub(super) release: Option<String>,
    /// Repository of release images, without a tag.
    pub(super) release_repository: Option<String>,
    /// Update channel; `stable-<minor>` where absent.
    pub(super) channel: Option<String>,
    /// Base domain of clusters.
    pub(super) base_domain: Option<String>,
    /// Availability of the control plane.
    pub(super) availability: Option<Availability>,
    /// Availability of what the platform runs on workers; as the control plane's where absent.
    pub(super) infrastructure_availability: Option<Availability>,
    /// etcd's storage.
    pub(super) etcd: Option<Etcd>,
    /// FIPS mode.
    pub(super) fips: Option<bool>,
    /// The network.
    pub(super) network: Option<NetworkSettings>,
    /// Who reaches the API endpoint.
    pub(super) endpoint_access: Option<EndpointAccess>,
    /// How the cluster's four services are published.
    pub(super) publish: Option<Publish>,
    /// Exceptions from `publish`, by service.
    pub(super) services: Option<Services>,
    /// The pull secret.
    pub(super) pull_secret: Option<SecretUse>,
    /// The SSH public key, key `id_rsa.pub` of a Secret.
    pub(super) ssh_key: Option<SecretUse>,
    /// More certificate authorities, key `ca-bundle.crt` of a ConfigMap.
    pub(super) trust_bundle: Option<SecretUse>,
    /// The AES-CBC key for secrets in etcd.
    pub(super) encryption_key: Option<SecretUse>,
    /// Pauses reconciliation by the operator: `true`, or a time such as `2027-01-31T12:00:00Z`.
    pub(super) paused_until: Option<PausedUntil>,
    /// Node pools by name; a list `[general, gpu]` is short for one pool a profile, named after it.
    pub(super) pools: Option<Pools>,
    /// What every node pool has unless its profile or itself says otherwise.
    pub(super) pool_defaults: Option<PoolSpec>,
    /// Anything else of HostedCluster's spec, merged over what is rendered.
    pub(super) hosted_cluster: Option<Patch>,
    /// Anything else of every NodePool's spec, merged over what is rendered.
    pub(super) node_pool: Option<Patch>,
    /// More manifests for the cluster, as they are.
    pub(super) extra_manifests: Option<Vec<Patch>>,
}

/// How far a cluster is ours to write.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Manage {
    /// Nothing: read and shown only.
    Observe,
    /// The OCI network.
    Network,
    /// The OCI network and the node pools.
    Pools,
    /// All.
    All,
}

/// Ring of a release.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum Ring {
    /// By number.
    Number(u32),
    /// By name.
    Name(String),
}

/// Highly available, or one replica of each.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Availability {
    /// Three replicas over failure domains.
    High,
    /// One replica.
    Single,
}

/// Who reaches the API endpoint.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
pub(super) enum EndpointAccess {
    /// Only the network of the workers and what is peered with it.
    Private,
    /// The internet too.
    PublicAndPrivate,
}

/// How the four services are published.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) enum Publish {
    /// All by node ports, behind the management cluster's `nodePortAddress`.
    NodePort,
    /// All by routes, `<service>.<cluster>.<baseDomain>`; the management cluster needs the Route API.
    Route,
}

/// Exceptions from `publish`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Services {
    /// The Kubernetes API.
    #[serde(rename = "APIServer")]
    pub(super) api_server: Option<Service>,
    /// The OAuth server.
    #[serde(rename = "OAuthServer")]
    pub(super) oauth_server: Option<Service>,
    /// The tunnel from control plane to workers.
    #[serde(rename = "Konnectivity")]
    pub(super) konnectivity: Option<Service>,
    /// Where new nodes get their configuration.
    #[serde(rename = "Ignition")]
    pub(super) ignition: Option<Service>,
}

/// How one service is published.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(super) struct Service {
    /// The way.
    pub(super) strategy: Option<Strategy>,
    /// Host name of a route or load balancer.
    #[schemars(regex(pattern = r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*\.[a-z]{2,}$"))]
    pub(super) hostname: Option<String>,
    /// Address for node ports.
    pub(super) address: Option<String>,
    /// A fixed node port.
    #[schemars(range(min = 30000, max = 32767))]
    pub(super) port: Option<u16>,
}

/// The way in which a service is published.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
pub(super) enum Strategy {
    /// A load balancer of its own.
    LoadBalancer,
    /// A port of the management cluster's nodes.
    NodePort,
    /// An OpenShift route.
    Route,
}

/// etcd's storage.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(super) struct Etcd {
    /// Size of one member's volume, `8Gi`.
    #[schemars(regex(pattern = r"^[1-9][0-9]*(Mi|Gi|Ti|M|G|T)$"))]
    pub(super) size: Option<String>,
    /// Storage class; the management cluster's default where absent.
    pub(super) storage_class: Option<String>,
}

/// The network: `existing`, `shared`, or, where neither is there, one made for the cluster.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(super) struct NetworkSettings {
    /// What kind of network to make.
    pub(super) preset: Option<NetworkPreset>,
    /// What to peer it with.
    pub(super) peer_with: Option<PeerWith>,
    /// The range of the network to make; from the region's pool where absent.
    pub(super) vcn: Option<String>,
    /// A network that exists already.
    pub(super) existing: Option<Existing>,
    /// The name of a `Network` that several clusters share.
    pub(super) shared: Option<String>,
    /// Range of the workers; derived for a network that is made here.
    pub(super) machine: Option<OneOrMany>,
    /// Range of the pods.
    pub(super) cluster: Option<OneOrMany>,
    /// Prefix length of one node's share of the pod range.
    #[schemars(range(min = 9, max = 28))]
    pub(super) host_prefix: Option<u8>,
    /// Range of the services.
    pub(super) service: Option<OneOrMany>,
    /// The network plugin.
    #[serde(rename = "type")]
    pub(super) kind: Option<NetworkType>,
}

/// One, or a list.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum OneOrMany {
    /// One.
    One(String),
    /// A list.
    Many(Vec<String>),
}

/// What kind of network to make.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum NetworkPreset {
    /// Workers without public addresses, egress by NAT.
    HostedPrivate,
    /// The same, with public load balancers.
    HostedPublic,
}

/// What to peer a network with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum PeerWith {
    /// The network of the cluster's management cluster.
    Management,
    /// Nothing.
    None,
}

/// The network plugin.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
pub(super) enum NetworkType {
    /// OpenShift's own.
    OVNKubernetes,
    /// Removed from current releases.
    OpenShiftSDN,
    /// Calico.
    Calico,
    /// Another one, installed by its own means.
    Other,
}

/// OCIDs of a network that exists.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(super) struct Existing {
    /// The VCN.
    pub(super) vcn: Option<String>,
    /// Subnet of the private API endpoint's load balancer.
    pub(super) endpoint_subnet: Option<String>,
    /// Subnet of the workers, unless a pool names its own.
    pub(super) worker_subnet: Option<String>,
}

/// A Secret or ConfigMap in the cluster's namespace.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(super) struct SecretUse {
    /// Its name beside the HostedCluster; the source's name where absent.
    pub(super) name: Option<String>,
    /// Where it is copied from, `namespace/name`; absent where it is expected to be there.
    #[schemars(regex(pattern = r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?/[a-z0-9]([a-z0-9.-]*[a-z0-9])?$"))]
    pub(super) from: Option<String>,
}

/// `true`, or a time.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum PausedUntil {
    /// For good, or not at all.
    Flag(bool),
    /// Until a time, RFC 3339.
    Time(String),
}

/// Node pools.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum Pools {
    /// By name.
    Named(BTreeMap<String, Option<PoolSpec>>),
    /// One a profile, named after it.
    Profiles(Vec<String>),
}

/// A node pool, or what several have in common.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(super) struct PoolSpec {
    /// The `NodePoolProfile` that it begins with.
    pub(super) profile: Option<String>,
    /// OpenShift version; the ring's, or the cluster's, where absent.
    #[schemars(regex(pattern = r"^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$"))]
    pub(super) version: Option<String>,
    /// OCI shape.
    #[schemars(regex(pattern = r"^(VM|BM)\.[A-Za-z0-9.]+$"))]
    pub(super) shape: Option<String>,
    /// OCPUs of a flexible shape.
    #[schemars(range(min = 1, max = 256))]
    pub(super) ocpus: Option<u32>,
    /// Memory of a flexible shape.
    #[serde(rename = "memoryInGBs")]
    #[schemars(range(min = 1, max = 4096))]
    pub(super) memory_gbs: Option<u32>,
    /// Size of the boot volume.
    #[serde(rename = "bootVolumeSizeInGBs")]
    #[schemars(range(min = 50, max = 32768))]
    pub(super) boot_volume_gbs: Option<u64>,
    /// OCID of the image; the release's own where absent.
    pub(super) image: Option<String>,
    /// OCID of the subnet; the network's worker subnet where absent.
    pub(super) subnet: Option<String>,
    /// Always so many nodes.
    pub(super) replicas: Option<u32>,
    /// So many nodes as load needs: `3-12`.
    pub(super) autoscale: Option<Autoscale>,
    /// Processor architecture.
    pub(super) arch: Option<Arch>,
    /// How nodes are updated.
    pub(super) upgrade_type: Option<UpgradeType>,
    /// Nodes above the size during an update.
    pub(super) max_surge: Option<CountOrPercent>,
    /// Nodes that may be missing during an update.
    pub(super) max_unavailable: Option<CountOrPercent>,
    /// Whether unhealthy machines are replaced.
    pub(super) auto_repair: Option<bool>,
    /// Labels of the nodes.
    pub(super) node_labels: Option<Texts>,
    /// Taints, `key=value:Effect`.
    #[schemars(inner(regex(pattern = TAINT)))]
    pub(super) taints: Option<Vec<String>>,
    /// ConfigMaps with machine configuration.
    #[schemars(length(max = 10))]
    pub(super) config: Option<Vec<String>>,
    /// ConfigMaps with tuning.
    #[schemars(length(max = 10))]
    pub(super) tuning: Option<Vec<String>>,
    /// How long a drain may take, `30m`.
    #[schemars(regex(pattern = r"^([0-9]+(h|m|s))+$"))]
    pub(super) drain_timeout: Option<String>,
    /// How long detaching a volume may take, `5m`.
    #[schemars(regex(pattern = r"^([0-9]+(h|m|s))+$"))]
    pub(super) volume_detach_timeout: Option<String>,
    /// Anything else of NodePool's spec, merged over what is rendered.
    pub(super) node_pool: Option<Patch>,
}

/// `3-12`, or the two numbers.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum Autoscale {
    /// `3-12`.
    Short(#[schemars(regex(pattern = r"^[0-9]{1,5}-[0-9]{1,5}$"))] String),
    /// The two numbers.
    Long(AutoscaleRange),
}

/// From how many to how many.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AutoscaleRange {
    /// At least.
    pub(super) min: u32,
    /// At most.
    pub(super) max: u32,
}

/// Processor architecture.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Arch {
    /// x86.
    Amd64,
    /// Ampere.
    Arm64,
}

/// How nodes are updated.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
pub(super) enum UpgradeType {
    /// New nodes take the place of the old.
    Replace,
    /// The nodes are updated and rebooted.
    InPlace,
}

/// A management cluster: where control planes run.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct ManagementClusterSpec {
    /// OCI region id.
    pub(super) region: String,
    /// The kubeconfig context; its name where absent.
    pub(super) context: Option<String>,
    /// OCID of the OKE cluster behind it.
    pub(super) oke: Option<String>,
    /// Hosted clusters that it takes.
    #[serde(default = "capacity")]
    #[schemars(range(min = 1))]
    pub(super) capacity: u32,
    /// Which clusters it takes.
    #[serde(default)]
    pub(super) accepts: Accepts,
    /// The platform that its CRDs admit.
    #[serde(default)]
    pub(super) dialect: Dialect,
    /// Whether it serves `route.openshift.io`.
    #[serde(default)]
    pub(super) routes: bool,
    /// Minor version of OpenShift that its operator is of, in quotes: `"4.20"`.
    #[schemars(regex(pattern = r"^\d+\.\d+$"))]
    pub(super) operator_version: Option<String>,
    /// Ranges of its network.
    #[serde(default)]
    pub(super) cidrs: Vec<String>,
    /// Stable address of the load balancer in front of its nodes, for `publish: nodePort`.
    pub(super) node_port_address: Option<String>,
    /// Labels of its own objects.
    #[serde(default)]
    pub(super) labels: BTreeMap<String, String>,
    /// OCI identities that its clusters use, by name.
    #[serde(default)]
    pub(super) identities: BTreeMap<String, Identity>,
    /// More manifests for it, as they are.
    #[serde(default)]
    pub(super) extra_manifests: Vec<Patch>,
}

fn capacity() -> u32 {
    80
}

/// Which clusters a management cluster takes; what is absent matches everything.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(super) struct Accepts {
    /// Only of this environment, or these.
    pub(super) environment: Option<OneOrMany>,
    /// Only of this region, or these; its own region where absent.
    pub(super) region: Option<OneOrMany>,
}

/// The platform that a management cluster's CRDs admit.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Dialect {
    /// `platform.type: OCI`, which needs patched CRDs.
    #[default]
    Oci,
    /// `platform.type: None`.
    None,
    /// `platform.type: Agent`.
    Agent,
}

/// An OCI identity.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Identity {
    /// How it proves itself.
    #[serde(rename = "type")]
    pub(super) kind: IdentityType,
    /// Its namespace.
    pub(super) namespace: Option<String>,
    /// The Secret of a `UserPrincipal`, `namespace/name`.
    #[schemars(regex(pattern = r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?/[a-z0-9]([a-z0-9.-]*[a-z0-9])?$"))]
    pub(super) principal_secret: Option<String>,
    /// Namespaces that may use it; every one where absent.
    #[serde(default)]
    pub(super) allowed_namespaces: Vec<String>,
}

/// How an identity proves itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
pub(super) enum IdentityType {
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
pub(super) struct ReleaseSpec {
    /// What each ring runs.
    pub(super) rings: BTreeMap<String, RingSpec>,
}

/// What a ring runs.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct RingSpec {
    /// Version of control planes.
    #[schemars(regex(pattern = r"^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$"))]
    pub(super) control_plane: String,
    /// Version of node pools; the control plane's where absent.
    #[schemars(regex(pattern = r"^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$"))]
    pub(super) pools: Option<String>,
}

/// A network that clusters share.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct NetworkSpec {
    /// OCI region id.
    pub(super) region: String,
    /// The compartment: an OCID, or a name from the fleet's `compartments`.
    pub(super) compartment: Option<String>,
    /// The management cluster that writes it; the only one of its region where absent.
    pub(super) management_cluster: Option<String>,
    /// How far it is ours to write.
    pub(super) manage: Option<Manage>,
    /// What kind of network to make.
    pub(super) preset: Option<NetworkPreset>,
    /// What to peer it with.
    pub(super) peer_with: Option<PeerWith>,
    /// The range of the network to make; from the region's pool where absent.
    pub(super) vcn: Option<String>,
    /// A network that exists already.
    pub(super) existing: Option<Existing>,
    /// OCI freeform tags.
    #[serde(default)]
    pub(super) tags: BTreeMap<String, String>,
    /// OCI defined tags, by namespace.
    #[serde(default)]
    pub(super) defined_tags: BTreeMap<String, BTreeMap<String, String>>,
}

/// One rename: `cluster/old` → `cluster/new`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct MovedSpec {
    /// What it was called.
    #[schemars(regex(pattern = r"^(cluster|network|management)/[a-z0-9]([a-z0-9-]*[a-z0-9])?$"))]
    pub(super) from: String,
    /// What it is called now.
    #[schemars(regex(pattern = r"^(cluster|network|management)/[a-z0-9]([a-z0-9-]*[a-z0-9])?$"))]
    pub(super) to: String,
}
