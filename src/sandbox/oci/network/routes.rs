//! The operations of the networking API.

use super::super::generic;
use super::super::list;
use super::super::route::{Route, routes};
use super::super::work::{self, WORK_REQUEST};
use super::blocks;
use super::dhcp::DHCP_OPTIONS;
use super::drg::{self, DRG, DRG_ATTACHMENT, DRG_ROUTE_TABLE};
use super::gateway::{INTERNET_GATEWAY, NAT_GATEWAY, SERVICE_GATEWAY};
use super::group::{self, NETWORK_SECURITY_GROUP};
use super::local_peering::{self, LOCAL_PEERING_GATEWAY};
use super::public_ip::{self, PUBLIC_IP};
use super::remote_peering::{self, REMOTE_PEERING_CONNECTION};
use super::route_table::ROUTE_TABLE;
use super::security_list::SECURITY_LIST;
use super::services;
use super::subnet::SUBNET;
use super::vcn::VCN;

pub(in super::super) static ROUTES: &[Route] = routes! {
    POST "vcns" CreateVcn VCN generic::create;
    GET "vcns" ListVcns VCN list::list;
    GET "vcns/{}" GetVcn VCN generic::get;
    PUT "vcns/{}" UpdateVcn VCN generic::update;
    DELETE "vcns/{}" DeleteVcn VCN generic::delete;
    POST "vcns/{}/actions/changeCompartment" ChangeVcnCompartment VCN generic::change_compartment;
    POST "vcns/{}/actions/addCidr" AddVcnCidr VCN blocks::add_vcn;
    POST "vcns/{}/actions/modifyCidr" ModifyVcnCidr VCN blocks::modify_vcn;
    POST "vcns/{}/actions/removeCidr" RemoveVcnCidr VCN blocks::remove_vcn;
    POST "vcns/{}/actions/addIpv6Cidr" AddIpv6VcnCidr VCN blocks::add_ipv6;
    POST "vcns/{}/actions/removeIpv6Cidr" RemoveIpv6VcnCidr VCN blocks::remove_ipv6;
    POST "subnets" CreateSubnet SUBNET generic::create;
    GET "subnets" ListSubnets SUBNET list::list;
    GET "subnets/{}" GetSubnet SUBNET generic::get;
    PUT "subnets/{}" UpdateSubnet SUBNET generic::update;
    DELETE "subnets/{}" DeleteSubnet SUBNET generic::delete;
    POST "subnets/{}/actions/changeCompartment" ChangeSubnetCompartment SUBNET generic::change_compartment;
    POST "subnets/{}/actions/addIpv4Cidr" AddIpv4SubnetCidr SUBNET blocks::add_subnet;
    POST "subnets/{}/actions/modifyIpv4Cidr" ModifyIpv4SubnetCidr SUBNET blocks::modify_subnet;
    POST "subnets/{}/actions/removeIpv4Cidr" RemoveIpv4SubnetCidr SUBNET blocks::remove_subnet;
    POST "internetGateways" CreateInternetGateway INTERNET_GATEWAY generic::create;
    GET "internetGateways" ListInternetGateways INTERNET_GATEWAY list::list;
    GET "internetGateways/{}" GetInternetGateway INTERNET_GATEWAY generic::get;
    PUT "internetGateways/{}" UpdateInternetGateway INTERNET_GATEWAY generic::update;
    DELETE "internetGateways/{}" DeleteInternetGateway INTERNET_GATEWAY generic::delete;
    POST "internetGateways/{}/actions/changeCompartment" ChangeInternetGatewayCompartment
        INTERNET_GATEWAY generic::change_compartment;
    POST "natGateways" CreateNatGateway NAT_GATEWAY generic::create;
    GET "natGateways" ListNatGateways NAT_GATEWAY list::list;
    GET "natGateways/{}" GetNatGateway NAT_GATEWAY generic::get;
    PUT "natGateways/{}" UpdateNatGateway NAT_GATEWAY generic::update;
    DELETE "natGateways/{}" DeleteNatGateway NAT_GATEWAY generic::delete;
    POST "natGateways/{}/actions/changeCompartment" ChangeNatGatewayCompartment NAT_GATEWAY generic::change_compartment;
    POST "serviceGateways" CreateServiceGateway SERVICE_GATEWAY generic::create;
    GET "serviceGateways" ListServiceGateways SERVICE_GATEWAY list::list;
    GET "serviceGateways/{}" GetServiceGateway SERVICE_GATEWAY generic::get;
    PUT "serviceGateways/{}" UpdateServiceGateway SERVICE_GATEWAY generic::update;
    DELETE "serviceGateways/{}" DeleteServiceGateway SERVICE_GATEWAY generic::delete;
    POST "serviceGateways/{}/actions/changeCompartment" ChangeServiceGatewayCompartment
        SERVICE_GATEWAY generic::change_compartment;
    GET "services" ListServices SERVICE_GATEWAY services::list;
    GET "services/{}" GetService SERVICE_GATEWAY services::get;
    POST "routeTables" CreateRouteTable ROUTE_TABLE generic::create;
    GET "routeTables" ListRouteTables ROUTE_TABLE list::list;
    GET "routeTables/{}" GetRouteTable ROUTE_TABLE generic::get;
    PUT "routeTables/{}" UpdateRouteTable ROUTE_TABLE generic::update;
    DELETE "routeTables/{}" DeleteRouteTable ROUTE_TABLE generic::delete;
    POST "routeTables/{}/actions/changeCompartment" ChangeRouteTableCompartment ROUTE_TABLE generic::change_compartment;
    POST "securityLists" CreateSecurityList SECURITY_LIST generic::create;
    GET "securityLists" ListSecurityLists SECURITY_LIST list::list;
    GET "securityLists/{}" GetSecurityList SECURITY_LIST generic::get;
    PUT "securityLists/{}" UpdateSecurityList SECURITY_LIST generic::update;
    DELETE "securityLists/{}" DeleteSecurityList SECURITY_LIST generic::delete;
    POST "securityLists/{}/actions/changeCompartment" ChangeSecurityListCompartment
        SECURITY_LIST generic::change_compartment;
    POST "networkSecurityGroups" CreateNetworkSecurityGroup NETWORK_SECURITY_GROUP generic::create;
    GET "networkSecurityGroups" ListNetworkSecurityGroups NETWORK_SECURITY_GROUP list::list;
    GET "networkSecurityGroups/{}" GetNetworkSecurityGroup NETWORK_SECURITY_GROUP generic::get;
    PUT "networkSecurityGroups/{}" UpdateNetworkSecurityGroup NETWORK_SECURITY_GROUP generic::update;
    DELETE "networkSecurityGroups/{}" DeleteNetworkSecurityGroup NETWORK_SECURITY_GROUP generic::delete;
    POST "networkSecurityGroups/{}/actions/changeCompartment" ChangeNetworkSecurityGroupCompartment
        NETWORK_SECURITY_GROUP generic::change_compartment;
    GET "networkSecurityGroups/{}/securityRules" ListNetworkSecurityGroupSecurityRules
        NETWORK_SECURITY_GROUP group::rules;
    POST "networkSecurityGroups/{}/actions/addSecurityRules" AddNetworkSecurityGroupSecurityRules
        NETWORK_SECURITY_GROUP group::add_rules;
    POST "networkSecurityGroups/{}/actions/updateSecurityRules" UpdateNetworkSecurityGroupSecurityRules
        NETWORK_SECURITY_GROUP group::update_rules;
    POST "networkSecurityGroups/{}/actions/removeSecurityRules" RemoveNetworkSecurityGroupSecurityRules
        NETWORK_SECURITY_GROUP group::remove_rules;
    GET "networkSecurityGroups/{}/vnics" ListNetworkSecurityGroupVnics NETWORK_SECURITY_GROUP group::vnics;
    POST "dhcps" CreateDhcpOptions DHCP_OPTIONS generic::create;
    GET "dhcps" ListDhcpOptions DHCP_OPTIONS list::list;
    GET "dhcps/{}" GetDhcpOptions DHCP_OPTIONS generic::get;
    PUT "dhcps/{}" UpdateDhcpOptions DHCP_OPTIONS generic::update;
    DELETE "dhcps/{}" DeleteDhcpOptions DHCP_OPTIONS generic::delete;
    POST "dhcps/{}/actions/changeCompartment" ChangeDhcpOptionsCompartment DHCP_OPTIONS generic::change_compartment;
    POST "localPeeringGateways" CreateLocalPeeringGateway LOCAL_PEERING_GATEWAY generic::create;
    GET "localPeeringGateways" ListLocalPeeringGateways LOCAL_PEERING_GATEWAY list::list;
    GET "localPeeringGateways/{}" GetLocalPeeringGateway LOCAL_PEERING_GATEWAY generic::get;
    PUT "localPeeringGateways/{}" UpdateLocalPeeringGateway LOCAL_PEERING_GATEWAY generic::update;
    DELETE "localPeeringGateways/{}" DeleteLocalPeeringGateway LOCAL_PEERING_GATEWAY generic::delete;
    POST "localPeeringGateways/{}/actions/changeCompartment" ChangeLocalPeeringGatewayCompartment
        LOCAL_PEERING_GATEWAY generic::change_compartment;
    POST "localPeeringGateways/{}/actions/connect" ConnectLocalPeeringGateways
        LOCAL_PEERING_GATEWAY local_peering::connect;
    POST "drgs" CreateDrg DRG generic::create;
    GET "drgs" ListDrgs DRG list::list;
    GET "drgs/{}" GetDrg DRG generic::get;
    PUT "drgs/{}" UpdateDrg DRG generic::update;
    DELETE "drgs/{}" DeleteDrg DRG generic::delete;
    POST "drgs/{}/actions/changeCompartment" ChangeDrgCompartment DRG generic::change_compartment;
    POST "drgs/{}/actions/upgrade" UpgradeDrg DRG drg::upgrade;
    POST "drgs/{}/actions/getAllDrgAttachments" GetAllDrgAttachments DRG_ATTACHMENT drg::all_attachments;
    POST "drgAttachments" CreateDrgAttachment DRG_ATTACHMENT generic::create;
    GET "drgAttachments" ListDrgAttachments DRG_ATTACHMENT drg::list_attachments;
    GET "drgAttachments/{}" GetDrgAttachment DRG_ATTACHMENT generic::get;
    PUT "drgAttachments/{}" UpdateDrgAttachment DRG_ATTACHMENT generic::update;
    DELETE "drgAttachments/{}" DeleteDrgAttachment DRG_ATTACHMENT generic::delete;
    POST "drgRouteTables" CreateDrgRouteTable DRG_ROUTE_TABLE generic::create;
    GET "drgRouteTables" ListDrgRouteTables DRG_ROUTE_TABLE drg::route_tables;
    GET "drgRouteTables/{}" GetDrgRouteTable DRG_ROUTE_TABLE generic::get;
    PUT "drgRouteTables/{}" UpdateDrgRouteTable DRG_ROUTE_TABLE generic::update;
    DELETE "drgRouteTables/{}" DeleteDrgRouteTable DRG_ROUTE_TABLE generic::delete;
    POST "remotePeeringConnections" CreateRemotePeeringConnection REMOTE_PEERING_CONNECTION generic::create;
    GET "remotePeeringConnections" ListRemotePeeringConnections REMOTE_PEERING_CONNECTION list::list;
    GET "remotePeeringConnections/{}" GetRemotePeeringConnection REMOTE_PEERING_CONNECTION generic::get;
    PUT "remotePeeringConnections/{}" UpdateRemotePeeringConnection REMOTE_PEERING_CONNECTION generic::update;
    DELETE "remotePeeringConnections/{}" DeleteRemotePeeringConnection REMOTE_PEERING_CONNECTION generic::delete;
    POST "remotePeeringConnections/{}/actions/changeCompartment" ChangeRemotePeeringConnectionCompartment
        REMOTE_PEERING_CONNECTION generic::change_compartment;
    POST "remotePeeringConnections/{}/actions/connect" ConnectRemotePeeringConnections
        REMOTE_PEERING_CONNECTION remote_peering::connect;
    POST "publicIps" CreatePublicIp PUBLIC_IP generic::create;
    GET "publicIps" ListPublicIps PUBLIC_IP public_ip::list;
    GET "publicIps/{}" GetPublicIp PUBLIC_IP generic::get;
    PUT "publicIps/{}" UpdatePublicIp PUBLIC_IP generic::update;
    DELETE "publicIps/{}" DeletePublicIp PUBLIC_IP generic::delete;
    POST "publicIps/{}/actions/changeCompartment" ChangePublicIpCompartment PUBLIC_IP generic::change_compartment;
    POST "publicIps/actions/getByIpAddress" GetPublicIpByIpAddress PUBLIC_IP public_ip::look_up;
    POST "publicIps/actions/getByPrivateIpId" GetPublicIpByPrivateIpId PUBLIC_IP public_ip::look_up;
    GET "workRequests" ListWorkRequests WORK_REQUEST work::list;
    GET "workRequests/{}" GetWorkRequest WORK_REQUEST work::get;
    GET "workRequests/{}/errors" ListWorkRequestErrors WORK_REQUEST work::nothing;
    GET "workRequests/{}/logs" ListWorkRequestLogs WORK_REQUEST work::nothing;
};
