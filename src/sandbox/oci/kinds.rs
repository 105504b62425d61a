//! All kinds of the server.

use super::compute::{INSTANCE, PRIVATE_IP, VNIC, VNIC_ATTACHMENT};
use super::dns::ZONE;
use super::identity_service::COMPARTMENT;
use super::kind::Kind;
use super::load_balancer::LOAD_BALANCER;
use super::network::dhcp::DHCP_OPTIONS;
use super::network::drg::{DRG, DRG_ATTACHMENT, DRG_ROUTE_TABLE};
use super::network::gateway::{INTERNET_GATEWAY, NAT_GATEWAY, SERVICE_GATEWAY};
use super::network::group::NETWORK_SECURITY_GROUP;
use super::network::local_peering::LOCAL_PEERING_GATEWAY;
use super::network::public_ip::PUBLIC_IP;
use super::network::remote_peering::REMOTE_PEERING_CONNECTION;
use super::network::route_table::ROUTE_TABLE;
use super::network::security_list::SECURITY_LIST;
use super::network::subnet::SUBNET;
use super::network::vcn::VCN;
use super::network_load_balancer::NETWORK_LOAD_BALANCER;
use super::pools::{INSTANCE_CONFIGURATION, INSTANCE_POOL};
use super::work::WORK_REQUEST;

static ALL: &[&Kind] = &[
    &VCN,
    &SUBNET,
    &INTERNET_GATEWAY,
    &NAT_GATEWAY,
    &SERVICE_GATEWAY,
    &ROUTE_TABLE,
    &SECURITY_LIST,
    &NETWORK_SECURITY_GROUP,
    &DHCP_OPTIONS,
    &LOCAL_PEERING_GATEWAY,
    &DRG,
    &DRG_ATTACHMENT,
    &DRG_ROUTE_TABLE,
    &REMOTE_PEERING_CONNECTION,
    &PUBLIC_IP,
    &INSTANCE,
    &VNIC,
    &VNIC_ATTACHMENT,
    &PRIVATE_IP,
    &INSTANCE_CONFIGURATION,
    &INSTANCE_POOL,
    &NETWORK_LOAD_BALANCER,
    &LOAD_BALANCER,
    &ZONE,
    &COMPARTMENT,
    &WORK_REQUEST,
];

/// All of them.
pub(super) fn all() -> impl Iterator<Item = &'static Kind> {
    ALL.iter().copied()
}

/// The kind of that name.
pub(super) fn named(name: &str) -> Option<&'static Kind> {
    ALL.iter().copied().find(|kind| kind.name == name)
}
