//! DHCP options.

use serde_json::Value;

use super::super::call::{Call, objects, text, texts};
use super::super::kind::Kind;
use super::super::models::Body;
use super::super::refusal::Refusal;
use super::super::state::{Record, State};
use super::room;

pub(in super::super) static DHCP_OPTIONS: Kind = Kind {
    name: "DhcpOptions",
    ocid: "dhcpoptions",
    create: "CreateDhcpDetails",
    update: "UpdateDhcpDetails",
    prepare,
    change,
    ..Kind::PLAIN
};

/// Sets of options in a VCN.
const MAX_SETS: usize = 300;
const MAX_SERVERS: usize = 3;

fn prepare(state: &mut State, call: &Call, fields: &mut Body) -> Result<(), Refusal> {
    let vcn = super::vcn(state, call, fields)?;
    room(state, vcn, &DHCP_OPTIONS, MAX_SETS)?;
    fields.entry("domainNameType").or_insert("CUSTOM_DOMAIN".into());
    check(fields)
}

fn change(_: &mut State, _: &Call, _: &Record, fields: &mut Body) -> Result<(), Refusal> {
    check(fields)
}

fn check(fields: &mut Body) -> Result<(), Refusal> {
    if let Some(Value::Array(options)) = fields.get_mut("options") {
        for option in options.iter_mut().filter_map(Value::as_object_mut) {
            option.retain(|_, value| !value.is_null());
        }
    }
    match objects(fields, "options").find_map(refuse) {
        Some(refusal) => Err(refusal),
        None => Ok(()),
    }
}

fn refuse(option: &Body) -> Option<Refusal> {
    match text(option, "type") {
        "DomainNameServer" => {
            let servers = texts(option, "customDnsServers").count();
            match text(option, "serverType") {
                "VcnLocal" | "VcnLocalPlusInternet" if servers == 0 => None,
                "CustomDnsServer" if (1..=MAX_SERVERS).contains(&servers) => None,
                "VcnLocal" | "VcnLocalPlusInternet" | "CustomDnsServer" => Some(Refusal::invalid(format!(
                    "customDnsServers: one to {MAX_SERVERS}, with serverType CustomDnsServer alone"
                ))),
                other => Some(Refusal::invalid(format!("serverType: there is no {other:?}"))),
            }
        }
        "SearchDomain" if texts(option, "searchDomainNames").count() == 1 => None,
        "SearchDomain" => Some(Refusal::invalid("searchDomainNames: exactly one")),
        other => Some(Refusal::invalid(format!("options.type: there is no {other:?}"))),
    }
}
