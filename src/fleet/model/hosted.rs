//! A cluster whose control plane HyperShift hosts, and its node pools.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::{Dialect, EndpointBalancer, Scale, SecretRef, Taint};
use crate::resource::{NodePoolName, Ocid};

/// What only a hosted cluster has.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Hosted {
    /// The platform dialect, of its management cluster.
    pub dialect: Dialect,
    /// `<namespace>-<name>` with dots as dashes: what HyperShift makes.
    pub control_plane_namespace: String,
    /// Immutable infra id.
    pub infra_id: String,
    /// The control plane's release.
    pub release: Release,
    /// Releases that it goes through on its way there, the lowest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub via: Vec<Release>,
    /// One release of each lower minor version that the fleet knows of, the lowest first: what it goes through where neither
    /// it nor `via` has one of that. No object tells it.
    #[serde(skip)]
    pub known: Vec<Release>,
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
