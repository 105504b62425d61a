//! Local peering gateways: two of them make a peering of two VCNs of a region.

use serde_json::{Value, json};

use super::super::call::{Call, Reply, body, text, texts};
use super::super::cidr;
use super::super::generic;
use super::super::kind::Kind;
use super::super::models::{self, Body};
use super::super::refusal::Refusal;
use super::super::state::{Record, State};
use super::route_table::ROUTE_TABLE;
use super::vcn::{self, VCN};
use super::{of_vcn, room};

pub(in super::super) static LOCAL_PEERING_GATEWAY: Kind = Kind {
    name: "LocalPeeringGateway",
    ocid: "localpeeringgateway",
    create: "CreateLocalPeeringGatewayDetails",
    update: "UpdateLocalPeeringGatewayDetails",
    // These are listed by VCN alone.
    filters: &["vcnId"],
    prepare,
    change,
    dies,
    ..Kind::PLAIN
};

fn prepare(state: &mut State, call: &Call, fields: &mut Body) -> Result<(), Refusal> {
    let vcn = super::vcn(state, call, fields)?;
    room(state, vcn, &LOCAL_PEERING_GATEWAY, state.limits.peering_gateways)?;
    of_vcn(state, call, fields, "routeTableId", &ROUTE_TABLE, &vcn.id)?;
    fields.extend(body([
        ("peeringStatus", "NEW".into()),
        ("peeringStatusDetails", "not connected to a peer".into()),
        ("isCrossTenancyPeering", false.into()),
    ]));
    Ok(())
}

fn change(state: &mut State, call: &Call, gateway: &Record, fields: &mut Body) -> Result<(), Refusal> {
    of_vcn(state, call, fields, "routeTableId", &ROUTE_TABLE, gateway.text("vcnId"))
}

pub(in super::super) fn connect(state: &mut State, call: &Call) -> Result<Reply, Refusal> {
    let mut fields = call.body.clone();
    models::check("ConnectLocalPeeringGatewaysDetails", &mut fields)?;
    let near = generic::writable(state, call)?;
    let far = state.related(call, "peerId", call.kind, text(&fields, "peerId"))?;
    for gateway in [near, far] {
        if gateway.text("peeringStatus") != "NEW" {
            return Err(Refusal::state(format!(
                "{} is {}, not NEW",
                gateway.id,
                gateway.text("peeringStatus")
            )));
        }
    }
    let near_vcn = state.related(call, "vcnId", &VCN, near.text("vcnId"))?;
    let far_vcn = state.related(call, "vcnId", &VCN, far.text("vcnId"))?;
    if near_vcn.id == far_vcn.id {
        return Err(Refusal::invalid("peerId: both gateways are of one VCN"));
    }
    for block in vcn::blocks(near_vcn) {
        if let Some(other) = vcn::blocks(far_vcn).iter().find(|other| cidr::overlap(&block, other)) {
            return Err(Refusal::conflict(format!(
                "the VCNs' CIDRs {block} and {other} overlap"
            )));
        }
    }
    let advertised = |vcn: &Record| -> Vec<String> { texts(vcn.body(), "cidrBlocks").map(str::to_owned).collect() };
    let ends = [
        (near.id.clone(), far.id.clone(), advertised(far_vcn)),
        (far.id.clone(), near.id.clone(), advertised(near_vcn)),
    ];
    for (id, peer, blocks) in ends {
        let peered = body([
            ("peerId", peer.into()),
            ("peeringStatus", "PEERED".into()),
            ("peeringStatusDetails", "connected to a peer".into()),
            (
                "peerAdvertisedCidr",
                blocks.first().cloned().map_or(Value::Null, Value::from),
            ),
            ("peerAdvertisedCidrDetails", json!(blocks)),
        ]);
        generic::record_write(state, call, &id);
        state.amend(&id, |record| record.body_mut().extend(peered));
    }
    Ok(Reply::done(call.param(0)))
}

fn dies(state: &mut State, _: &Call, gateway: &Record) {
    let revoked = body([
        ("peeringStatus", "REVOKED".into()),
        ("peeringStatusDetails", "the peer was deleted".into()),
    ]);
    state.amend(gateway.text("peerId"), |peer| peer.body_mut().extend(revoked));
}
