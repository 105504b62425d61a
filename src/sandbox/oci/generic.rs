//! What is done alike with every kind: create, read, change, delete, move to another compartment.
//!
//! Invariant: nothing is deleted that something else holds on to, and a refusal names what does.

use serde_json::Value;

use super::call::{Call, Reply, body, text};
use super::kind::Kind;
use super::models::{self, Body};
use super::refusal::Refusal;
use super::state::{Record, State, Then, after};

/// Creates a resource of the call's kind.
pub(super) fn create(state: &mut State, call: &Call) -> Result<Reply, Refusal> {
    let id = make(state, call, call.kind, call.body.clone())?;
    let record = state.find(&id).ok_or_else(Refusal::not_found)?;
    Ok(Reply::record(record))
}

/// Makes a resource of a kind, and writes it down in the log.
pub(super) fn make(state: &mut State, call: &Call, kind: &'static Kind, mut fields: Body) -> Result<String, Refusal> {
    models::check(kind.create, &mut fields)?;
    if fields.contains_key("compartmentId") && !state.open(call, text(&fields, "compartmentId")) {
        return Err(Refusal::not_found());
    }
    (kind.prepare)(state, call, &mut fields)?;
    let id = state.mint(kind, call.region);
    state.insert(call, kind, &id, fields);
    (kind.born)(state, call, &id);
    record_write(state, call, &id);
    Ok(id)
}

/// Makes what the server itself makes along with another resource: unchecked, not in the log.
pub(super) fn beget(state: &mut State, call: &Call, kind: &'static Kind, fields: Body) -> String {
    let id = state.mint(kind, call.region);
    state.insert(call, kind, &id, fields);
    id
}

/// Writes down that the call changed a resource.
pub(super) fn record_write(state: &mut State, call: &Call, id: &str) {
    if let Some((kind, before)) = state.find(id).map(|record| (record.kind.name, record.body().clone())) {
        state.log.write(call, kind, id, &before);
    }
}

/// The resource that the path names.
pub(super) fn get(state: &mut State, call: &Call) -> Result<Reply, Refusal> {
    state.get(call, call.kind, call.param(0)).map(Reply::record)
}

/// The resource that the path names, if it may be written to.
pub(super) fn writable<'a>(state: &'a State, call: &Call) -> Result<&'a Record, Refusal> {
    let record = state.get(call, call.kind, call.param(0))?;
    if record.gone() {
        return Err(Refusal::not_found());
    }
    if call.if_match.as_ref().is_some_and(|etag| *etag != record.etag()) {
        return Err(Refusal::etag(&record.id));
    }
    if !record.lives() || matches!(record.state(), "UPDATING" | "CREATING") {
        return Err(Refusal::state(format!("{} is {}", record.id, record.state())));
    }
    Ok(record)
}

/// Changes the fields that are given.
pub(super) fn update(state: &mut State, call: &Call) -> Result<Reply, Refusal> {
    let id = writable(state, call)?.id.clone();
    let mut fields = call.body.clone();
    models::check(call.kind.update, &mut fields)?;
    // The hook reads the record while it may look at the rest of the state.
    let record = state.detach(&id).ok_or_else(Refusal::not_found)?;
    let checked = (call.kind.change)(state, call, &record, &mut fields);
    state.attach(record);
    checked?;
    record_write(state, call, &id);
    state.amend(&id, |record| record.body_mut().extend(fields));
    state.find(&id).map(Reply::record).ok_or_else(Refusal::not_found)
}

/// Deletes the resource that the path names.
pub(super) fn delete(state: &mut State, call: &Call) -> Result<Reply, Refusal> {
    let id = writable(state, call)?.id.clone();
    remove(state, call, &id)?;
    Ok(Reply::done(&id))
}

/// Deletes a resource, if nothing holds on to it.
pub(super) fn remove(state: &mut State, call: &Call, id: &str) -> Result<(), Refusal> {
    let record = state.find(id).ok_or_else(Refusal::not_found)?;
    (record.kind.release)(state, record)?;
    if let Some(holder) = state.holders(id).find(|holder| blocks(holder, record)) {
        return Err(Refusal::conflict(format!(
            "{} {id} can't be deleted: {} {} references it",
            record.kind.name, holder.kind.name, holder.id
        )));
    }
    record_write(state, call, id);
    end(state, call, id);
    Ok(())
}

/// Ends a resource's life, and that of what goes with it.
pub(super) fn end(state: &mut State, call: &Call, id: &str) {
    let Some(record) = state.detach(id) else { return };
    let (kind, lives) = (record.kind, record.lives());
    if lives {
        (kind.dies)(state, call, &record);
    }
    state.attach(record);
    if lives {
        state.amend(id, |record| {
            record
                .body_mut()
                .insert("lifecycleState".to_owned(), kind.life.unmaking.into());
        });
        state.schedule(id, [(after(call.now, kind.life.unmakes), Then::Gone)]);
    }
}

fn blocks(holder: &Record, target: &Record) -> bool {
    let born_with = || {
        text(target.body(), "defaultRouteTableId") == holder.id
            || text(target.body(), "defaultSecurityListId") == holder.id
            || text(target.body(), "defaultDhcpOptionsId") == holder.id
    };
    let default_of_drg = || {
        let tables = target.body().get("defaultDrgRouteTables").and_then(Value::as_object);
        tables.is_some_and(|tables| tables.values().any(|id| *id == *holder.id))
    };
    let of_a_peering = || {
        let details = holder.body().get("networkDetails").and_then(Value::as_object);
        details.is_some_and(|details| text(details, "type") == "REMOTE_PEERING_CONNECTION")
    };
    !holder.gone()
        && match (holder.kind.name, target.kind.name) {
            ("RouteTable" | "SecurityList" | "DhcpOptions", "Vcn") => !born_with(),
            ("DrgRouteTable", "Drg") => !default_of_drg(),
            // The attachment of a peering connection that is gone is on its way out, and nobody can wait for it.
            ("DrgAttachment", "Drg") if of_a_peering() => holder.lives(),
            // A peering connection's attachment goes with it.
            ("DrgAttachment", "RemotePeeringConnection")
            | ("LocalPeeringGateway", "LocalPeeringGateway")
            | ("RemotePeeringConnection", "RemotePeeringConnection")
            // A backend that is gone is merely unhealthy.
            | ("NetworkLoadBalancer" | "LoadBalancer", "Instance" | "PrivateIp")
            | ("VnicAttachment" | "PrivateIp" | "Vnic", "Instance" | "Vnic")
            | ("PublicIp", "PrivateIp" | "NatGateway")
            // Instances go with their pool, and outlive what they were launched by.
            | ("Instance", "InstancePool" | "InstanceConfiguration")
            | ("WorkRequest" | "InstancePool", _) => false,
            _ => true,
        }
}

/// Moves a resource to another compartment.
pub(super) fn change_compartment(state: &mut State, call: &Call) -> Result<Reply, Refusal> {
    let id = writable(state, call)?.id.clone();
    let mut fields = call.body.clone();
    models::check("ChangeCompartmentDetails", &mut fields)?;
    if !state.open(call, text(&fields, "compartmentId")) {
        return Err(Refusal::not_found());
    }
    record_write(state, call, &id);
    state.amend(&id, |record| record.body_mut().extend(fields));
    let work = super::work::finished(state, call, &id);
    Ok(Reply::done(&id).work_request(work))
}

/// One field.
pub(super) fn set(state: &mut State, id: &str, field: &'static str, value: impl Into<Value>) {
    let fields = body([(field, value.into())]);
    state.amend(id, |record| record.body_mut().extend(fields));
}
