//! Subnets.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use serde_json::{Value, json};

use super::super::call::{Call, objects, text, texts};
use super::super::cidr;
use super::super::identity_service;
use super::super::kind::Kind;
use super::super::models::Body;
use super::super::refusal::Refusal;
use super::super::state::{Record, State};
use super::dhcp::DHCP_OPTIONS;
use super::route_table::ROUTE_TABLE;
use super::security_list::SECURITY_LIST;
use super::vcn::{self, VCN};
use super::{label, of_vcn, room, settled};

pub(in super::super) static SUBNET: Kind = Kind {
    name: "Subnet",
    ocid: "subnet",
    create: "CreateSubnetDetails",
    update: "UpdateSubnetDetails",
    prepare,
    change,
    ..Kind::PLAIN
};

const MAX_SECURITY_LISTS: usize = 5;

fn prepare(state: &mut State, call: &Call, fields: &mut Body) -> Result<(), Refusal> {
    let vcn = super::vcn(state, call, fields)?;
    room(state, vcn, &SUBNET, state.limits.subnets)?;
    if fields.get("ipv4CidrBlocks").is_some() && fields.get("cidrBlock").is_some() {
        return Err(Refusal::invalid("cidrBlock and ipv4CidrBlocks can't both be given"));
    }
    let first = texts(fields, "ipv4CidrBlocks").next().map(str::to_owned);
    if let Some(block) = first {
        fields.insert("cidrBlock".to_owned(), block.into());
    }
    let block = place(state, vcn, text(fields, "cidrBlock"), None)?;
    fields.insert("ipv4CidrBlocks".to_owned(), json!([block]));
    if let Some(domain) = fields.get("availabilityDomain").and_then(Value::as_str)
        && !identity_service::availability_domains(call.region).any(|known| known == domain)
    {
        return Err(Refusal::invalid(format!("availabilityDomain: there is no {domain}")));
    }

    label(fields)?;
    if let Some(name) = fields.get("dnsLabel").and_then(Value::as_str) {
        if vcn.text("dnsLabel").is_empty() {
            return Err(Refusal::invalid("dnsLabel: the VCN has none"));
        }
        let siblings = state.held(&vcn.id, &SUBNET);
        if siblings.filter(|it| it.lives()).any(|it| it.text("dnsLabel") == name) {
            return Err(Refusal::conflict(format!("dnsLabel: {name} is taken in the VCN")));
        }
        let domain = format!("{name}.{}", vcn.text("vcnDomainName"));
        fields.insert("subnetDomainName".to_owned(), domain.into());
    }

    for (field, default) in [
        ("routeTableId", "defaultRouteTableId"),
        ("dhcpOptionsId", "defaultDhcpOptionsId"),
    ] {
        fields
            .entry(field)
            .or_insert_with(|| vcn.body().get(default).cloned().unwrap_or_default());
    }
    fields
        .entry("securityListIds")
        .or_insert_with(|| json!([vcn.text("defaultSecurityListId")]));
    let id = vcn.id.clone();
    attached(state, call, fields, &id)?;

    let private = fields.get("prohibitPublicIpOnVnic") == Some(&Value::Bool(true));
    fields.insert("prohibitPublicIpOnVnic".to_owned(), private.into());
    fields.entry("prohibitInternetIngress").or_insert(private.into());
    fields.insert("virtualRouterIp".to_owned(), cidr::router(&block).to_string().into());
    let number = state.next();
    let mac = format!(
        "00:00:17:{:02X}:{:02X}:{:02X}",
        (number >> 16) & 0xff,
        (number >> 8) & 0xff,
        number & 0xff
    );
    fields.insert("virtualRouterMac".to_owned(), mac.into());
    Ok(())
}

/// Whether a block lies within the VCN, and beside its other subnets.
pub(super) fn place(state: &State, vcn: &Record, text: &str, but: Option<&str>) -> Result<Ipv4Net, Refusal> {
    if text.is_empty() {
        return Err(Refusal::missing("cidrBlock"));
    }
    let block = cidr::network("cidrBlock", text)?;
    if !vcn::blocks(vcn).iter().any(|outer| outer.contains(&block)) {
        return Err(Refusal::invalid(format!(
            "cidrBlock: {block} is not within the VCN's CIDRs"
        )));
    }
    let clash = state
        .held(&vcn.id, &SUBNET)
        .filter(|subnet| !subnet.gone() && Some(&*subnet.id) != but)
        .find(|subnet| blocks(subnet).iter().any(|other| cidr::overlap(&block, other)));
    match clash {
        Some(subnet) => Err(Refusal::invalid(format!(
            "cidrBlock: {block} overlaps {} of the subnet {}",
            texts(subnet.body(), "ipv4CidrBlocks").collect::<Vec<_>>().join(", "),
            subnet.id
        ))),
        None => Ok(block),
    }
}

/// Checks what the subnet names of its VCN.
fn attached(state: &State, call: &Call, fields: &Body, vcn: &str) -> Result<(), Refusal> {
    of_vcn(state, call, fields, "routeTableId", &ROUTE_TABLE, vcn)?;
    of_vcn(state, call, fields, "dhcpOptionsId", &DHCP_OPTIONS, vcn)?;
    let lists: Vec<_> = texts(fields, "securityListIds").collect();
    if lists.len() > MAX_SECURITY_LISTS {
        return Err(Refusal::limit(format!(
            "a subnet has at most {MAX_SECURITY_LISTS} security lists"
        )));
    }
    lists.into_iter().try_for_each(|id| {
        let list = state.related(call, "securityListIds", &SECURITY_LIST, id)?;
        super::same_vcn(list, "securityListIds", vcn)
    })
}

fn change(state: &mut State, call: &Call, subnet: &Record, fields: &mut Body) -> Result<(), Refusal> {
    let vcn = state.related(call, "vcnId", &VCN, subnet.text("vcnId"))?;
    settled(vcn)?;
    if let Some(text) = fields.get("cidrBlock").and_then(Value::as_str) {
        let block = place(state, vcn, text, Some(&subnet.id))?;
        holds_what_is_in_use(state, &subnet.id, &[block])?;
        fields.insert("ipv4CidrBlocks".to_owned(), json!([block]));
    }
    attached(state, call, fields, subnet.text("vcnId"))
}

/// The IPv4 CIDRs of a subnet.
pub(super) fn blocks(subnet: &Record) -> Vec<Ipv4Net> {
    let blocks = texts(subnet.body(), "ipv4CidrBlocks");
    blocks.filter_map(|block| block.parse().ok()).collect()
}

/// Whether every address that is in use in a subnet lies in one of these.
pub(super) fn holds_what_is_in_use(state: &State, subnet: &str, blocks: &[Ipv4Net]) -> Result<(), Refusal> {
    let is_outside = |address: &Ipv4Addr| !blocks.iter().any(|block| block.contains(address));
    match taken(state, subnet).find(is_outside) {
        Some(address) => Err(Refusal::conflict(format!("cidrBlock: {address} is in use"))),
        None => Ok(()),
    }
}

/// The addresses that are in use in a subnet.
fn taken<'a>(state: &'a State, subnet: &'a str) -> impl Iterator<Item = Ipv4Addr> + 'a {
    state
        .holders(subnet)
        .filter(|holder| !holder.gone())
        .flat_map(|holder| {
            let own = match holder.kind.name {
                "PrivateIp" => holder.text("ipAddress").parse().ok(),
                _ => None,
            };
            let balanced =
                objects(holder.body(), "ipAddresses").filter_map(|address| text(address, "ipAddress").parse().ok());
            own.into_iter().chain(balanced)
        })
}

/// An address of a subnet: the one asked for, or the first that is free.
pub(in super::super) fn address(state: &State, subnet: &Record, wanted: &str) -> Result<Ipv4Addr, Refusal> {
    let taken: std::collections::BTreeSet<_> = taken(state, &subnet.id).collect();
    let blocks = blocks(subnet);
    if wanted.is_empty() {
        let mut free = blocks
            .iter()
            .filter_map(|block| cidr::free(block, |address| taken.contains(&address)));
        return free
            .next()
            .ok_or_else(|| Refusal::limit(format!("the subnet {} has no free address", subnet.id)));
    }
    match wanted.parse() {
        Ok(address) if blocks.iter().any(|block| block.contains(&address)) && !taken.contains(&address) => Ok(address),
        _ => Err(Refusal::invalid(format!(
            "{wanted} is no free address of the subnet {}",
            subnet.id
        ))),
    }
}
