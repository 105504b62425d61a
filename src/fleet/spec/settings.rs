//! What can be set at every layer.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{ClusterPatches, NetworkSettings, Patch, PoolSpec, ResourceSet, Texts};

/// What can be set at every layer.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(in crate::fleet) struct Settings {
    /// What kind of cluster it is; `hosted` where absent.
    pub(in crate::fleet) kind: Option<ClusterKind>,
    /// OCI region id, `eu-frankfurt-1`.
    pub(in crate::fleet) region: Option<String>,
    /// The management cluster to run on; where absent, one is chosen and the lock remembers it.
    pub(in crate::fleet) management_cluster: Option<String>,
    /// Who answers for it.
    pub(in crate::fleet) owner: Option<String>,
    /// How far it is ours to write.
    pub(in crate::fleet) manage: Option<Manage>,
    /// OCID of the tenancy.
    #[schemars(regex(pattern = r"^ocid1\.\S+$"))]
    pub(in crate::fleet) tenancy: Option<String>,
    /// The compartment: an OCID, a name from the fleet's `compartments`, or a path `parent/child` from the tenancy's root.
    pub(in crate::fleet) compartment: Option<String>,
    /// The OCI identity's name on the management cluster.
    pub(in crate::fleet) identity: Option<String>,
    /// Labels for every object that carries any.
    pub(in crate::fleet) labels: Option<Texts>,
    /// Annotations of the HostedCluster, or of the Cluster.
    pub(in crate::fleet) annotations: Option<Texts>,
    /// OCI freeform tags.
    pub(in crate::fleet) tags: Option<Texts>,
    /// OCI defined tags, by namespace.
    pub(in crate::fleet) defined_tags: Option<BTreeMap<String, Option<Texts>>>,
    /// OpenShift version of control plane and node pools, `4.20.3`; overrides `ring`. Of clusters of machines, their
    /// Kubernetes version, `1.31.1`.
    #[schemars(regex(pattern = r"^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$"))]
    pub(in crate::fleet) version: Option<String>,
    /// Ring of the release document; overrides `version` of farther layers.
    pub(in crate::fleet) ring: Option<Ring>,
    /// Versions that a control plane goes through on its way to its `version`, one for each minor version that it would else
    /// leave out; those that it has behind it, or not before it, say nothing. For a minor version that is not among them, it
    /// is the highest that a ring of any `Release` document names. Node pools go straight to theirs.
    #[schemars(inner(regex(pattern = r"^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$")))]
    pub(in crate::fleet) via: Option<Vec<String>>,
    /// Until when nothing of the cluster is deleted, `2027-01-31T12:00:00Z`. The inventory remembers it: a commit that takes
    /// the cluster out of the files does not lift it, nor does one that lowers it and takes the cluster out at once.
    #[schemars(regex(pattern = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(Z|[+-]\d{2}:\d{2})$"))]
    pub(in crate::fleet) protect_until: Option<String>,
    /// The `Release` document that `ring` is looked up in; needed only where there are several.
    pub(in crate::fleet) release: Option<String>,
    /// Repository of release images, without a tag.
    pub(in crate::fleet) release_repository: Option<String>,
    /// Update channel; `stable-<minor>` where absent.
    pub(in crate::fleet) channel: Option<String>,
    /// Base domain of clusters.
    pub(in crate::fleet) base_domain: Option<String>,
    /// Availability of the control plane.
    pub(in crate::fleet) availability: Option<Availability>,
    /// Availability of what the platform runs on workers; as the control plane's where absent.
    pub(in crate::fleet) infrastructure_availability: Option<Availability>,
    /// etcd's storage.
    pub(in crate::fleet) etcd: Option<Etcd>,
    /// FIPS mode.
    pub(in crate::fleet) fips: Option<bool>,
    /// The network.
    pub(in crate::fleet) network: Option<NetworkSettings>,
    /// Who reaches the API endpoint.
    pub(in crate::fleet) endpoint_access: Option<EndpointAccess>,
    /// How the cluster's four services are published.
    pub(in crate::fleet) publish: Option<Publish>,
    /// Exceptions from `publish`, by service.
    pub(in crate::fleet) services: Option<Services>,
    /// Where the names of its services are kept.
    pub(in crate::fleet) dns: Option<Dns>,
    /// The pull secret.
    pub(in crate::fleet) pull_secret: Option<SecretUse>,
    /// The SSH public key, key `id_rsa.pub` of a Secret.
    pub(in crate::fleet) ssh_key: Option<SecretUse>,
    /// More certificate authorities, key `ca-bundle.crt` of a ConfigMap.
    pub(in crate::fleet) trust_bundle: Option<SecretUse>,
    /// The AES-CBC key for secrets in etcd.
    pub(in crate::fleet) encryption_key: Option<SecretUse>,
    /// Pauses reconciliation by the operator: `true`, or a time such as `2027-01-31T12:00:00Z`.
    pub(in crate::fleet) paused_until: Option<PausedUntil>,
    /// The control plane of a self-managed cluster: its machines. Of a cluster of `kind: topology`, their number.
    pub(in crate::fleet) control_plane: Option<PoolSpec>,
    /// The ClusterClass of a cluster of `kind: topology`: its name, or `namespace/name` where it is not in the cluster's own
    /// namespace.
    #[schemars(regex(pattern = r"^([a-z0-9]([a-z0-9-]*[a-z0-9])?/)?[a-z0-9]([a-z0-9.-]*[a-z0-9])?$"))]
    pub(in crate::fleet) class: Option<String>,
    /// Values of the class's variables, by name.
    pub(in crate::fleet) variables: Option<Patch>,
    /// The public key that lets into machines by SSH.
    pub(in crate::fleet) ssh_public_key: Option<String>,
    /// What is put into a cluster of machines once it answers, by name.
    pub(in crate::fleet) resource_sets: Option<BTreeMap<String, Option<ResourceSet>>>,
    /// Anything else of a cluster of machines: by the kind of object, merged over the spec that is rendered.
    pub(in crate::fleet) patches: Option<ClusterPatches>,
    /// Node pools by name; a list `[general, gpu]` is short for one pool a profile, named after it.
    pub(in crate::fleet) pools: Option<Pools>,
    /// What every node pool has unless its profile or itself says otherwise.
    pub(in crate::fleet) pool_defaults: Option<PoolSpec>,
    /// Anything else of HostedCluster's spec, merged over what is rendered.
    pub(in crate::fleet) hosted_cluster: Option<Patch>,
    /// Anything else of every NodePool's spec, merged over what is rendered.
    pub(in crate::fleet) node_pool: Option<Patch>,
    /// More manifests for the cluster, as they are.
    pub(in crate::fleet) extra_manifests: Option<Vec<Patch>>,
}

/// What kind of cluster it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::fleet) enum ClusterKind {
    /// OpenShift; HyperShift hosts its control plane on the management cluster.
    #[default]
    Hosted,
    /// Kubernetes; Cluster API makes its control plane and its workers of machines.
    SelfManaged,
    /// Oracle's own Kubernetes service, made by Cluster API.
    Oke,
    /// Whatever a ClusterClass of Cluster API says.
    Topology,
}

impl ClusterKind {
    /// As typed.
    pub(in crate::fleet) fn name(self) -> &'static str {
        match self {
            Self::Hosted => "hosted",
            Self::SelfManaged => "selfManaged",
            Self::Oke => "oke",
            Self::Topology => "topology",
        }
    }
}

/// How far a cluster is ours to write.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::fleet) enum Manage {
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
pub(in crate::fleet) enum Ring {
    /// By number.
    Number(u32),
    /// By name.
    Name(String),
}

/// Highly available, or one replica of each.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::fleet) enum Availability {
    /// Three replicas over failure domains.
    High,
    /// One replica.
    Single,
}

/// Who reaches the API endpoint.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
pub(in crate::fleet) enum EndpointAccess {
    /// Only the network of the workers and what is peered with it.
    Private,
    /// The internet too.
    PublicAndPrivate,
}

/// How the four services are published.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::fleet) enum Publish {
    /// All by node ports, behind the management cluster's `nodePortAddress`.
    NodePort,
    /// All by routes, `<service>.<cluster>.<baseDomain>`; the management cluster needs the Route API.
    Route,
}

/// Exceptions from `publish`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::fleet) struct Services {
    /// The Kubernetes API.
    #[serde(rename = "APIServer")]
    pub(in crate::fleet) api_server: Option<Service>,
    /// The OAuth server.
    #[serde(rename = "OAuthServer")]
    pub(in crate::fleet) oauth_server: Option<Service>,
    /// The tunnel from control plane to workers.
    #[serde(rename = "Konnectivity")]
    pub(in crate::fleet) konnectivity: Option<Service>,
    /// Where new nodes get their configuration.
    #[serde(rename = "Ignition")]
    pub(in crate::fleet) ignition: Option<Service>,
}

/// How one service is published.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(in crate::fleet) struct Service {
    /// The way.
    pub(in crate::fleet) strategy: Option<Strategy>,
    /// Host name of a route or load balancer.
    #[schemars(regex(pattern = r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*\.[a-z]{2,}$"))]
    pub(in crate::fleet) hostname: Option<String>,
    /// Address for node ports.
    pub(in crate::fleet) address: Option<String>,
    /// A fixed node port.
    #[schemars(range(min = 30000, max = 32767))]
    pub(in crate::fleet) port: Option<u16>,
}

/// The way in which a service is published.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
pub(in crate::fleet) enum Strategy {
    /// A load balancer of its own.
    LoadBalancer,
    /// A port of the management cluster's nodes.
    NodePort,
    /// An OpenShift route.
    Route,
}

/// Where the names of services are kept.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(in crate::fleet) struct Dns {
    /// An OCI DNS zone, by name or OCID, that gets a record for each published service.
    pub(in crate::fleet) zone: Option<String>,
}

/// etcd's storage.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(in crate::fleet) struct Etcd {
    /// Size of one member's volume, `8Gi`.
    #[schemars(regex(pattern = r"^[1-9][0-9]*(Mi|Gi|Ti|M|G|T)$"))]
    pub(in crate::fleet) size: Option<String>,
    /// Storage class; the management cluster's default where absent.
    pub(in crate::fleet) storage_class: Option<String>,
}

/// One, or a list.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(in crate::fleet) enum OneOrMany {
    /// One.
    One(String),
    /// A list.
    Many(Vec<String>),
}

/// A Secret or ConfigMap in the cluster's namespace.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(in crate::fleet) struct SecretUse {
    /// Its name beside the HostedCluster, in which `{cluster}` stands for that one's; the source's name where absent.
    pub(in crate::fleet) name: Option<String>,
    /// Where it is copied from, `namespace/name`; absent where it is expected to be there.
    #[schemars(regex(pattern = r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?/[a-z0-9]([a-z0-9.-]*[a-z0-9])?$"))]
    pub(in crate::fleet) from: Option<String>,
}

/// `true`, or a time.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(in crate::fleet) enum PausedUntil {
    /// For good, or not at all.
    Flag(bool),
    /// Until a time, RFC 3339.
    Time(String),
}

/// Node pools.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(in crate::fleet) enum Pools {
    /// By name.
    Named(BTreeMap<String, Option<PoolSpec>>),
    /// One a profile, named after it.
    Profiles(Vec<String>),
}
