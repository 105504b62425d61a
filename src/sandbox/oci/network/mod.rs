//! Networking: VCNs and what is in them.

mod blocks;
pub(super) mod dhcp;
pub(super) mod drg;
pub(super) mod gateway;
pub(super) mod group;
pub(super) mod local_peering;
pub(super) mod public_ip;
pub(super) mod remote_peering;
pub(super) mod route_table;
pub(super) mod routes;
pub(super) mod rules;
pub(super) mod security_list;
pub(super) mod services;
pub(super) mod subnet;
pub(super) mod vcn;

use super::call::{Call, text};
use super::kind::Kind;
use super::models::Body;
use super::refusal::Refusal;
use super::state::{Record, State};

/// The VCN that a create's body names, if it takes children now.
fn vcn<'a>(state: &'a State, call: &Call, fields: &Body) -> Result<&'a Record, Refusal> {
    let vcn = state.related(call, "vcnId", &vcn::VCN, text(fields, "vcnId"))?;
    settled(vcn)?;
    Ok(vcn)
}

/// Refuses while a VCN's CIDRs change.
fn settled(vcn: &Record) -> Result<(), Refusal> {
    if vcn.state() == "UPDATING" {
        return Err(Refusal::state(format!("the VCN {} is UPDATING", vcn.id)));
    }
    Ok(())
}

/// How many of a kind live in a VCN.
fn count(state: &State, vcn: &str, kind: &Kind) -> usize {
    state.held(vcn, kind).filter(|record| record.lives()).count()
}

/// Refuses one more than a VCN may have.
fn room(state: &State, vcn: &Record, kind: &Kind, limit: usize) -> Result<(), Refusal> {
    if count(state, &vcn.id, kind) >= limit {
        return Err(Refusal::limit(format!(
            "the VCN {} has {limit} of {} already",
            vcn.id, kind.name
        )));
    }
    Ok(())
}

/// Checks that an optional field names a resource of that VCN.
fn of_vcn(state: &State, call: &Call, fields: &Body, field: &str, kind: &Kind, vcn: &str) -> Result<(), Refusal> {
    let id = text(fields, field);
    if id.is_empty() {
        return Ok(());
    }
    same_vcn(state.related(call, field, kind, id)?, field, vcn)
}

fn same_vcn(record: &Record, field: &str, vcn: &str) -> Result<(), Refusal> {
    if record.text("vcnId") != vcn {
        return Err(Refusal::invalid(format!(
            "{field}: {} is not of the VCN {vcn}",
            record.id
        )));
    }
    Ok(())
}

/// Checks a DNS label.
fn label(fields: &Body) -> Result<(), Refusal> {
    let Some(label) = fields.get("dnsLabel").and_then(serde_json::Value::as_str) else {
        return Ok(());
    };
    let starts = label.starts_with(|first: char| first.is_ascii_alphabetic());
    if starts && label.len() <= 15 && label.chars().all(|char| char.is_ascii_alphanumeric()) {
        return Ok(());
    }
    Err(Refusal::invalid(format!(
        "dnsLabel: {label:?} must be a letter and up to 14 letters and digits"
    )))
}
