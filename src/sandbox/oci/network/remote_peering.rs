//! Remote peering connections: two of them make a peering of two DRGs, of two regions perhaps.

use super::super::call::{Call, Reply, body, text};
use super::super::generic;
use super::super::kind::{COMMON, Kind, Life};
use super::super::models::{self, Body};
use super::super::refusal::Refusal;
use super::super::state::{Record, State};
use super::drg::{self, DRG};

pub(in super::super) static REMOTE_PEERING_CONNECTION: Kind = Kind {
    name: "RemotePeeringConnection",
    ocid: "remotepeeringconnection",
    life: Life {
        makes: 3,
        unmakes: 3,
        ..COMMON
    },
    create: "CreateRemotePeeringConnectionDetails",
    update: "UpdateRemotePeeringConnectionDetails",
    filters: &["drgId"],
    prepare,
    born,
    dies,
    ..Kind::PLAIN
};

fn prepare(state: &mut State, call: &Call, fields: &mut Body) -> Result<(), Refusal> {
    let drg = state.related(call, "drgId", &DRG, text(fields, "drgId"))?;
    let present = state.held(&drg.id, &REMOTE_PEERING_CONNECTION).filter(|it| it.lives());
    if present.count() >= state.limits.remote_peerings {
        return Err(Refusal::limit(format!(
            "the DRG {} has {} remote peering connections already",
            drg.id, state.limits.remote_peerings
        )));
    }
    fields.insert("peeringStatus".to_owned(), "NEW".into());
    fields.insert("isCrossTenancyPeering".to_owned(), false.into());
    Ok(())
}

fn born(state: &mut State, call: &Call, id: &str) {
    drg::attach_connection(state, call, id);
}

pub(in super::super) fn connect(state: &mut State, call: &Call) -> Result<Reply, Refusal> {
    let mut fields = call.body.clone();
    models::check("ConnectRemotePeeringConnectionsDetails", &mut fields)?;
    let near = generic::writable(state, call)?;
    let (peer, region) = (text(&fields, "peerId"), text(&fields, "peerRegionName"));
    let missing = || Refusal::related("peerId", peer);
    let far = state
        .find(peer)
        .filter(|far| far.kind.is(call.kind) && far.region == region && far.lives() && far.tenancy == near.tenancy)
        .ok_or_else(missing)?;
    if far.id == near.id {
        return Err(Refusal::invalid("peerId: a connection does not peer with itself"));
    }
    for connection in [near, far] {
        if connection.text("peeringStatus") != "NEW" {
            return Err(Refusal::state(format!(
                "{} is {}, not NEW",
                connection.id,
                connection.text("peeringStatus")
            )));
        }
    }
    let ends = [
        (near.id.clone(), far.id.clone(), far.region),
        (far.id.clone(), near.id.clone(), near.region),
    ];
    for (id, peer, region) in ends {
        let peered = body([
            ("peerId", peer.into()),
            ("peerRegionName", region.into()),
            ("peerTenancyId", call.principal.tenancy.clone().into()),
            ("peeringStatus", "PEERED".into()),
        ]);
        generic::record_write(state, call, &id);
        state.amend(&id, |record| record.body_mut().extend(peered));
    }
    Ok(Reply::done(call.param(0)))
}

fn dies(state: &mut State, call: &Call, connection: &Record) {
    drg::detach_connection(state, call, &connection.id);
    let revoked = body([("peeringStatus", "REVOKED".into())]);
    state.amend(connection.text("peerId"), |peer| peer.body_mut().extend(revoked));
}
