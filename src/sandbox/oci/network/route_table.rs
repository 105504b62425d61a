//! Route tables.

use serde_json::Value;

use super::super::call::{Call, objects, text};
use super::super::cidr;
use super::super::kind::Kind;
use super::super::models::Body;
use super::super::refusal::Refusal;
use super::super::state::{Record, State};
use super::drg::DRG_ATTACHMENT;
use super::vcn::VCN;
use super::{room, services, settled};

pub(in super::super) static ROUTE_TABLE: Kind = Kind {
    name: "RouteTable",
    ocid: "routetable",
    create: "CreateRouteTableDetails",
    update: "UpdateRouteTableDetails",
    prepare,
    change,
    ..Kind::PLAIN
};

fn prepare(state: &mut State, call: &Call, fields: &mut Body) -> Result<(), Refusal> {
    let vcn = super::vcn(state, call, fields)?;
    room(state, vcn, &ROUTE_TABLE, state.limits.route_tables)?;
    let id = vcn.id.clone();
    rules(state, call, fields, &id)
}

fn change(state: &mut State, call: &Call, table: &Record, fields: &mut Body) -> Result<(), Refusal> {
    let vcn = state.related(call, "vcnId", &VCN, table.text("vcnId"))?;
    settled(vcn)?;
    rules(state, call, fields, table.text("vcnId"))
}

fn rules(state: &State, call: &Call, fields: &mut Body, vcn: &str) -> Result<(), Refusal> {
    let Some(Value::Array(rules)) = fields.get_mut("routeRules") else {
        return Ok(());
    };
    if rules.len() > state.limits.route_rules {
        return Err(Refusal::limit(format!(
            "a route table has at most {} rules",
            state.limits.route_rules
        )));
    }
    let mut destinations = std::collections::BTreeSet::new();
    for rule in rules.iter_mut().filter_map(Value::as_object_mut) {
        // The old name of the field; answers have both.
        if let Some(old) = rule.get("cidrBlock").cloned() {
            rule.entry("destination").or_insert(old);
        }
        rule.entry("destinationType").or_insert("CIDR_BLOCK".into());
        rule.entry("routeType").or_insert("STATIC".into());
        let destination = text(rule, "destination").to_owned();
        if destination.is_empty() {
            return Err(Refusal::missing("routeRules.destination"));
        }
        target(state, call, rule, vcn)?;
        if !destinations.insert(destination.clone()) {
            return Err(Refusal::invalid(format!("routeRules: two rules for {destination}")));
        }
    }
    Ok(())
}

/// Whether a rule's target is there, is of this VCN, and takes such a destination.
fn target(state: &State, call: &Call, rule: &Body, vcn: &str) -> Result<(), Refusal> {
    let (id, destination) = (text(rule, "networkEntityId"), text(rule, "destination"));
    let missing = || Refusal::related("networkEntityId", id);
    let entity = state.find(id).filter(|record| record.lives()).ok_or_else(missing)?;
    let entity = state.related(call, "networkEntityId", entity.kind, id)?;
    let to_service = text(rule, "destinationType") == "SERVICE_CIDR_BLOCK";
    if to_service {
        if !services::known(call.region, destination) {
            return Err(Refusal::invalid(format!(
                "destination: {destination} is no service label here"
            )));
        }
    } else if !destination.contains(':') {
        cidr::any("destination", destination)?;
    }
    let attached = match entity.kind.name {
        "InternetGateway" | "NatGateway" | "LocalPeeringGateway" => !to_service && entity.text("vcnId") == vcn,
        "ServiceGateway" => {
            let reached = objects(entity.body(), "services").any(|service| {
                services::all(call.region)
                    .iter()
                    .any(|known| known.id == text(service, "serviceId") && known.label == destination)
            });
            to_service && reached && entity.text("vcnId") == vcn
        }
        "Drg" => {
            !to_service
                && state
                    .held(id, &DRG_ATTACHMENT)
                    .any(|it| it.lives() && it.text("vcnId") == vcn)
        }
        "PrivateIp" => !to_service,
        _ => false,
    };
    if attached {
        return Ok(());
    }
    Err(Refusal::invalid(format!(
        "networkEntityId: {id} is no target for {destination} in the VCN {vcn}"
    )))
}

/// Whether any rule of a table has that target.
pub(super) fn routes_to(table: &Record, target: &str) -> bool {
    table.kind.is(&ROUTE_TABLE)
        && objects(table.body(), "routeRules").any(|rule| text(rule, "networkEntityId") == target)
}
