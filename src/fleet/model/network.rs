//! Networks in the model: where one comes from, and of what a network to be made consists.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::Serialize;

use super::Manage;
use crate::resource::{Compartment, ManagementClusterName, NetworkName, OciId, Ocid};

/// The three networks of a cluster and the OCI things it lives in.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClusterNetwork {
    /// Worker subnets' range.
    pub machine: Vec<IpNet>,
    /// Pods.
    pub cluster: Vec<IpNet>,
    /// Prefix of one node's share of the pod range.
    pub host_prefix: Option<u8>,
    /// Services.
    pub service: Vec<IpNet>,
    /// `OVNKubernetes` unless typed.
    #[serde(rename = "type")]
    pub kind: String,
    /// Where the workers' OCI network comes from.
    pub source: NetworkSource,
}

/// Where an OCI network comes from.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", tag = "from")]
pub enum NetworkSource {
    /// Made for this cluster alone, of this plan.
    Managed(Box<NetworkPlan>),
    /// A shared `Network`.
    Shared {
        /// Its name.
        name: NetworkName,
    },
    /// It exists; its OCIDs are known, or can be looked up.
    Existing(ExistingNetwork),
    /// Cluster API Provider OCI makes it, with the cluster.
    Capoci {
        /// Its security groups, by the role of what is in them; the provider's own where there is none.
        groups: BTreeMap<String, SecurityGroup>,
    },
}

/// A security group of a network that Cluster API Provider OCI makes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SecurityGroup {
    /// What comes in.
    pub ingress: Vec<SecurityRule>,
    /// What goes out.
    pub egress: Vec<SecurityRule>,
}

/// A rule of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SecurityRule {
    /// The line that it was typed in.
    pub description: String,
    /// `all`, or the protocol's number.
    pub protocol: String,
    /// The far end: a range, or the label of Oracle's services.
    pub far: String,
    /// `CIDR_BLOCK` or `SERVICE_CIDR_BLOCK`.
    pub far_type: String,
    /// Destination ports; all where none.
    pub ports: Option<Ports>,
    /// Of ICMP; all where none.
    pub icmp: Option<IcmpType>,
}

/// Ports, both ends included.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Ports {
    /// The first.
    pub min: u16,
    /// The last.
    pub max: u16,
}

/// A type of ICMP, and a code of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct IcmpType {
    /// The type.
    #[serde(rename = "type")]
    pub kind: u8,
    /// The code; all of them where none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<u8>,
}

impl NetworkSource {
    /// The plan, where a network is to be made here.
    pub fn plan(&self) -> Option<&NetworkPlan> {
        match self {
            Self::Managed(plan) => Some(plan),
            Self::Shared { .. } | Self::Existing(_) | Self::Capoci { .. } => None,
        }
    }
}

/// A network shared by clusters.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Network {
    /// Its name in the fleet files.
    pub name: NetworkName,
    /// The stem of its objects' names: the name that it had at first, from the lock, so that a renamed network keeps them.
    pub object_name: String,
    /// Immutable id from the lock.
    pub id: String,
    /// Region.
    pub region: String,
    /// Tenancy.
    pub tenancy: Option<Ocid>,
    /// Compartment.
    pub compartment: Option<Compartment>,
    /// How far it is ours to write.
    pub manage: Manage,
    /// The management cluster that writes it.
    pub management_cluster: ManagementClusterName,
    /// Made by us, or there already.
    pub source: NetworkSource,
    /// OCI freeform tags.
    pub freeform_tags: BTreeMap<String, String>,
    /// OCI defined tags.
    pub defined_tags: BTreeMap<String, BTreeMap<String, String>>,
}

/// A network that exists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExistingNetwork {
    /// The VCN; none where no object names it, which only the dialect `oci` does.
    pub vcn: Option<OciId>,
    /// Subnet of the private API endpoint's load balancer.
    pub endpoint_subnet: Option<OciId>,
    /// Subnet of the workers, unless a pool names its own.
    pub worker_subnet: Option<OciId>,
}

/// What kind of network to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// For workers of hosted control planes; nothing in it is reached from the internet.
    HostedPrivate,
    /// The same, with public load balancers.
    HostedPublic,
    /// For a stand-alone cluster whose control plane is made of machines.
    SelfManaged,
    /// For an OKE cluster whose pods have addresses of the VCN.
    Oke,
}

impl Preset {
    /// Every preset.
    pub const ALL: [Self; 4] = [Self::HostedPrivate, Self::HostedPublic, Self::SelfManaged, Self::Oke];

    /// As typed.
    pub fn name(self) -> &'static str {
        match self {
            Self::HostedPrivate => "hosted-private",
            Self::HostedPublic => "hosted-public",
            Self::SelfManaged => "self-managed",
            Self::Oke => "oke",
        }
    }

    /// Whether clusters with a hosted control plane can live in it.
    pub fn is_hosted(self) -> bool {
        matches!(self, Self::HostedPrivate | Self::HostedPublic)
    }
}

/// What a subnet is for. The names of the stand-alone presets are Cluster API Provider OCI's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Workers of hosted control planes.
    Workers,
    /// Private endpoint of a hosted control plane.
    Endpoint,
    /// Load balancers that the guest makes for its own services.
    LoadBalancers,
    /// Load balancer of a stand-alone cluster's API.
    ControlPlaneEndpoint,
    /// Machines of a stand-alone control plane.
    ControlPlane,
    /// Nodes of a stand-alone cluster.
    Worker,
    /// Load balancers that a stand-alone cluster makes.
    ServiceLb,
    /// Pods with addresses of their own.
    Pod,
}

impl Role {
    /// As it stands in the names of objects.
    pub fn name(self) -> &'static str {
        match self {
            Self::Workers => "workers",
            Self::Endpoint => "endpoint",
            Self::LoadBalancers => "load-balancers",
            Self::ControlPlaneEndpoint => "control-plane-endpoint",
            Self::ControlPlane => "control-plane",
            Self::Worker => "worker",
            Self::ServiceLb => "service-lb",
            Self::Pod => "pod",
        }
    }

    /// The DNS label of its subnet: at most 15 letters and digits.
    pub fn dns_label(self) -> &'static str {
        match self {
            Self::Workers => "workers",
            Self::Endpoint => "endpoint",
            Self::LoadBalancers => "lb",
            Self::ControlPlaneEndpoint => "cpe",
            Self::ControlPlane => "controlplane",
            Self::Worker => "worker",
            Self::ServiceLb => "servicelb",
            Self::Pod => "pod",
        }
    }
}

/// One subnet to be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SubnetPlan {
    /// What it is for; one a role.
    pub role: Role,
    /// Its IPv4 range, then its IPv6 range where the VCN has one.
    pub cidrs: Vec<IpNet>,
    /// Whether what is in it has addresses on the internet.
    pub public: bool,
}

/// A network to be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NetworkPlan {
    /// Its kind.
    pub preset: Preset,
    /// The VCN's ranges: subnets are cut out of the first of each family.
    pub vcn: Vec<IpNet>,
    /// Its subnets, in the preset's order.
    pub subnets: Vec<SubnetPlan>,
    /// VCN's DNS label.
    pub dns_label: String,
    /// Where the subnets are of one availability domain: its name. Else they are regional.
    pub availability_domain: Option<String>,
    /// Ranges in which workers find their control plane: the management cluster's where peered, else its one address, or all.
    pub control_plane: Vec<IpNet>,
    /// How it is peered with the management cluster's network.
    pub peering: Option<Peering>,
    /// Reserved public addresses by name; `nat` is the NAT gateway's.
    pub public_ips: Vec<String>,
    /// Whether the endpoint's load balancer is ours.
    pub endpoint_balancer: bool,
}

impl NetworkPlan {
    /// The subnet of a role; none where the preset has no such role.
    pub fn subnet(&self, role: Role) -> Option<&SubnetPlan> {
        self.subnets.iter().find(|subnet| subnet.role == role)
    }

    /// The ranges of its workers.
    pub fn workers(&self) -> &[IpNet] {
        let role = if self.preset.is_hosted() {
            Role::Workers
        } else {
            Role::Worker
        };
        self.subnet(role).map_or(&[], |subnet| &subnet.cidrs)
    }

    /// Whether it has IPv6 too.
    pub fn is_dual(&self) -> bool {
        self.vcn.iter().any(|net| net.addr().is_ipv6())
    }
}

/// How a network is peered with the management cluster's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Peering {
    /// The management cluster.
    pub with: ManagementClusterName,
    /// Whether it is in another region: then by two DRGs, which are the management cluster's unit; else by two gateways.
    pub remote: bool,
    /// The far side's ranges.
    pub cidrs: Vec<IpNet>,
    /// The far side.
    pub far: ManagementNetwork,
}

/// A management cluster's own network, which others made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ManagementNetwork {
    /// OCI region id.
    pub region: String,
    /// Tenancy.
    pub tenancy: Option<Ocid>,
    /// The compartment in which peering objects are made.
    pub compartment: Compartment,
    /// Its VCN.
    pub vcn: Ocid,
    /// The route tables that get routes back.
    pub route_tables: Vec<Ocid>,
    /// The DRG that its VCN is attached to; one is made where absent and needed.
    pub drg: Option<Ocid>,
    /// Addresses of the nodes that node ports are reached at.
    pub nodes: Vec<IpAddr>,
}

/// A network load balancer of ours at a cluster's endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EndpointBalancer {
    /// The name that leads to it.
    pub hostname: String,
    /// The management cluster's nodes.
    pub nodes: Vec<IpAddr>,
}
