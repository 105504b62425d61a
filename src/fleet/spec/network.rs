//! Networks: what a cluster says of its own, what a shared one is, and what a management cluster tells of its.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Manage, OneOrMany};

/// The network: `existing`, `shared`, or, where neither is there, one made for the cluster.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(in crate::fleet) struct NetworkSettings {
    /// What kind of network to make.
    pub(in crate::fleet) preset: Option<HostedPreset>,
    /// Who makes it; only of clusters of machines.
    pub(in crate::fleet) made_by: Option<MadeBy>,
    /// Security groups of a network that Cluster API Provider OCI makes, by the role of what is in them; its own, with rules
    /// for its own ranges, where absent.
    pub(in crate::fleet) groups: Option<BTreeMap<String, Option<GroupRules>>>,
    /// What to peer it with.
    pub(in crate::fleet) peer_with: Option<PeerWith>,
    /// The range of the network to make, or several; from the region's pool where absent. Subnets are cut out of the first.
    /// An IPv6 range among them, a /48 to a /60 of `fd00::/8`, gives each subnet one of its /64.
    pub(in crate::fleet) vcn: Option<OneOrMany>,
    /// The availability domain of its subnets, `Uocm:PHX-AD-1`; they are regional where absent.
    pub(in crate::fleet) availability_domain: Option<String>,
    /// Reserved public addresses by name; `nat` becomes that of the NAT gateway.
    pub(in crate::fleet) public_ips: Option<Vec<String>>,
    /// The private endpoint.
    pub(in crate::fleet) endpoint: Option<Endpoint>,
    /// A network that exists already.
    pub(in crate::fleet) existing: Option<Existing>,
    /// The name of a `Network` that several clusters share.
    pub(in crate::fleet) shared: Option<String>,
    /// Range of the workers; derived for a network that is made here.
    pub(in crate::fleet) machine: Option<OneOrMany>,
    /// Range of the pods.
    pub(in crate::fleet) cluster: Option<OneOrMany>,
    /// Prefix length of one node's share of the pod range.
    #[schemars(range(min = 9, max = 28))]
    pub(in crate::fleet) host_prefix: Option<u8>,
    /// Range of the services.
    pub(in crate::fleet) service: Option<OneOrMany>,
    /// The network plugin.
    #[serde(rename = "type")]
    pub(in crate::fleet) kind: Option<NetworkType>,
}

/// The private endpoint.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(in crate::fleet) struct Endpoint {
    /// Makes a network load balancer in the endpoint's subnet that hands the services' node ports on to the management
    /// cluster's nodes.
    pub(in crate::fleet) load_balancer: Option<bool>,
}

/// The rules of a security group: each a protocol, ports and far ends, `tcp 443 30000-32767 from 10.0.0.0/16 anywhere`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(in crate::fleet) struct GroupRules {
    /// What comes in, and `from` where.
    pub(in crate::fleet) ingress: Option<Vec<String>>,
    /// What goes out, and `to` where; `services` are Oracle's in the region.
    pub(in crate::fleet) egress: Option<Vec<String>>,
}

/// Who makes a cluster's own network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::fleet) enum MadeBy {
    /// We do, as one more part of the plan.
    Fleetwright,
    /// Cluster API Provider OCI does, by its own rules and by what `patches` say of its `networkSpec`.
    Capoci,
}

/// What kind of network to make for a cluster with a hosted control plane.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(in crate::fleet) enum HostedPreset {
    /// Workers without public addresses, egress by NAT.
    HostedPrivate,
    /// The same, with public load balancers.
    HostedPublic,
}

/// What kind of network to make.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(in crate::fleet) enum NetworkPreset {
    /// For hosted control planes: workers without public addresses, egress by NAT.
    HostedPrivate,
    /// The same, with public load balancers.
    HostedPublic,
    /// For a stand-alone cluster that Cluster API Provider OCI makes of machines.
    SelfManaged,
    /// For an OKE cluster whose pods have addresses of the VCN.
    Oke,
}

/// What to peer a network with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::fleet) enum PeerWith {
    /// The network of the cluster's management cluster.
    Management,
    /// Nothing.
    None,
}

/// The network plugin.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
pub(in crate::fleet) enum NetworkType {
    /// OpenShift's own.
    OVNKubernetes,
    /// Removed from current releases.
    OpenShiftSDN,
    /// Calico.
    Calico,
    /// Another one, installed by its own means.
    Other,
}

/// A network that exists, each part by OCID or by name.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(in crate::fleet) struct Existing {
    /// The VCN. A cluster of the dialect `none` or `agent` may leave it out, as no object of such a one names it.
    pub(in crate::fleet) vcn: Option<ByIdOrName>,
    /// Subnet of the private API endpoint's load balancer.
    pub(in crate::fleet) endpoint_subnet: Option<ByIdOrName>,
    /// Subnet of the workers, unless a pool names its own.
    pub(in crate::fleet) worker_subnet: Option<ByIdOrName>,
}

/// An OCID, or a name to look up.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(in crate::fleet) enum ByIdOrName {
    /// An OCID.
    Id(String),
    /// A name.
    Name(ByName),
}

/// A name to look up: `{name: prod-vcn, compartment: shared/network}`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::fleet) struct ByName {
    /// Its display name; there must be only one of it.
    #[schemars(length(min = 1))]
    pub(in crate::fleet) name: String,
    /// The compartment that it is in; that of the VCN, or of the cluster or network, where absent.
    pub(in crate::fleet) compartment: Option<String>,
}

/// A network that clusters share.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::fleet) struct NetworkSpec {
    /// OCI region id.
    pub(in crate::fleet) region: String,
    /// OCID of the tenancy; that of the fleet's defaults where absent.
    #[schemars(regex(pattern = r"^ocid1\.\S+$"))]
    pub(in crate::fleet) tenancy: Option<String>,
    /// The compartment: an OCID, a name from the fleet's `compartments`, or a path `parent/child` from the tenancy's root.
    pub(in crate::fleet) compartment: Option<String>,
    /// The management cluster that writes it; the only one of its region where absent.
    pub(in crate::fleet) management_cluster: Option<String>,
    /// How far it is ours to write.
    pub(in crate::fleet) manage: Option<Manage>,
    /// What kind of network to make.
    pub(in crate::fleet) preset: Option<NetworkPreset>,
    /// What to peer it with.
    pub(in crate::fleet) peer_with: Option<PeerWith>,
    /// The range of the network to make, or several; from the region's pool where absent. Subnets are cut out of the first.
    /// An IPv6 range among them, a /48 to a /60 of `fd00::/8`, gives each subnet one of its /64.
    pub(in crate::fleet) vcn: Option<OneOrMany>,
    /// The availability domain of its subnets, `Uocm:PHX-AD-1`; they are regional where absent.
    pub(in crate::fleet) availability_domain: Option<String>,
    /// Reserved public addresses by name; `nat` becomes that of the NAT gateway.
    pub(in crate::fleet) public_ips: Option<Vec<String>>,
    /// A network that exists already.
    pub(in crate::fleet) existing: Option<Existing>,
    /// OCI freeform tags.
    #[serde(default)]
    pub(in crate::fleet) tags: BTreeMap<String, String>,
    /// OCI defined tags, by namespace.
    #[serde(default)]
    pub(in crate::fleet) defined_tags: BTreeMap<String, BTreeMap<String, String>>,
}

/// A management cluster's own VCN, as far as peering needs it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::fleet) struct ManagementNetwork {
    /// OCID of its VCN.
    pub(in crate::fleet) vcn: String,
    /// The compartment of the gateways that peer with it: an OCID, a name from the fleet's `compartments`, or a path.
    pub(in crate::fleet) compartment: String,
    /// OCIDs of the route tables of its nodes' subnets, which get the routes back.
    pub(in crate::fleet) route_tables: Vec<String>,
    /// OCID of the DRG that its VCN is attached to, for networks in other regions; one is made where absent and needed.
    pub(in crate::fleet) drg: Option<String>,
    /// Addresses of its nodes within the VCN, for `endpoint: {loadBalancer: true}`.
    #[serde(default)]
    pub(in crate::fleet) nodes: Vec<String>,
}
