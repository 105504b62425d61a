//! The identity service: regions, domains, compartments.
//!
//! A compartment that was never seen is there: a sandbox needs no setting up.

use serde_json::{Value, json};

use super::call::{Call, Reply, text};
use super::generic;
use super::identity;
use super::kind::{COMMON, Kind, Life};
use super::list;
use super::models::Body;
use super::refusal::Refusal;
use super::route::{Route, routes};
use super::state::{Record, State, time};
use crate::resource::regions::{self, Region};

pub(super) static COMPARTMENT: Kind = Kind {
    name: "Compartment",
    ocid: "compartment",
    life: Life {
        making: "CREATING",
        ready: "ACTIVE",
        unmaking: "DELETING",
        gone: "DELETED",
        makes: 1,
        unmakes: 5,
    },
    create: "CreateCompartmentDetails",
    update: "UpdateCompartmentDetails",
    filters: &["name", "lifecycleState"],
    global: true,
    prepare: prepare_compartment,
    release: release_compartment,
    ..Kind::PLAIN
};

/// Tells the operations that are of no kind.
static NOTHING: Kind = Kind {
    name: "",
    life: COMMON,
    ..Kind::PLAIN
};

pub(super) static ROUTES: &[Route] = routes! {
    GET "regions" ListRegions NOTHING regions;
    GET "tenancies/{}" GetTenancy NOTHING tenancy;
    GET "tenancies/{}/regionSubscriptions" ListRegionSubscriptions NOTHING subscriptions;
    GET "users/{}" GetUser NOTHING user;
    GET "availabilityDomains" ListAvailabilityDomains NOTHING domains;
    GET "faultDomains" ListFaultDomains NOTHING fault_domains;
    GET "compartments" ListCompartments COMPARTMENT compartments;
    POST "compartments" CreateCompartment COMPARTMENT generic::create;
    GET "compartments/{}" GetCompartment COMPARTMENT compartment;
    PUT "compartments/{}" UpdateCompartment COMPARTMENT generic::update;
    DELETE "compartments/{}" DeleteCompartment COMPARTMENT generic::delete;
};

/// The regions that have three availability domains; the rest have one.
const LARGE: &[&str] = &["us-ashburn-1", "us-phoenix-1", "uk-london-1", "eu-frankfurt-1"];

/// The names of a region's availability domains. The first part is the tenancy's own in OCI, and the sandbox's here.
pub(super) fn availability_domains(region: &Region) -> impl Iterator<Item = String> {
    let count = if LARGE.contains(&region.id) { 3 } else { 1 };
    let place = match region.key {
        key @ ("iad" | "phx") => key.to_ascii_uppercase(),
        _ => region.id.to_ascii_uppercase(),
    };
    (1..=count).map(move |number| format!("Fwsb:{place}-AD-{number}"))
}

fn regions(_: &mut State, call: &Call) -> Result<Reply, Refusal> {
    // A list of regions has no pages.
    let all: Vec<Value> = regions::all()
        .filter(|region| region.realm == call.region.realm)
        .map(|region| json!({"key": region.key.to_ascii_uppercase(), "name": region.id}))
        .collect();
    Ok(Reply::value(all.into()))
}

fn own_tenancy(call: &Call) -> Result<&str, Refusal> {
    let id = call.param(0);
    if id == call.principal.tenancy {
        Ok(id)
    } else {
        Err(Refusal::not_found())
    }
}

fn tenancy(_: &mut State, call: &Call) -> Result<Reply, Refusal> {
    let id = own_tenancy(call)?;
    Ok(Reply::value(identity::tenancy(id, call.region.key)))
}

/// A tenancy is subscribed to all regions of its realm; its home is the region that answers.
fn subscriptions(_: &mut State, call: &Call) -> Result<Reply, Refusal> {
    own_tenancy(call)?;
    let all: Vec<Value> = regions::all()
        .filter(|region| region.realm == call.region.realm)
        .map(|region| {
            json!({
                "regionKey": region.key.to_ascii_uppercase(),
                "regionName": region.id,
                "status": "READY",
                "isHomeRegion": region.id == call.region.id,
            })
        })
        .collect();
    Ok(Reply::value(all.into()))
}

fn user(_: &mut State, call: &Call) -> Result<Reply, Refusal> {
    let id = call.param(0);
    if id != call.principal.user {
        return Err(Refusal::not_found());
    }
    Ok(Reply::value(json!({
        "id": id,
        "compartmentId": call.principal.tenancy,
        "name": "sandbox",
        "description": "The sandbox's user",
        "timeCreated": time(jiff::Timestamp::UNIX_EPOCH),
        "lifecycleState": "ACTIVE",
        "isMfaActivated": false,
    })))
}

fn in_compartment<'a>(state: &State, call: &'a Call) -> Result<&'a str, Refusal> {
    let compartment = call.required("compartmentId")?;
    if state.open(call, compartment) {
        Ok(compartment)
    } else {
        Err(Refusal::not_found())
    }
}

fn domains(state: &mut State, call: &Call) -> Result<Reply, Refusal> {
    let compartment = in_compartment(state, call)?;
    let all: Vec<Value> = availability_domains(call.region)
        .zip(1..)
        .map(|(name, number)| {
            let id = format!(
                "ocid1.availabilitydomain.{}..aaaaaaaa{}{number}",
                call.region.realm, call.region.key
            );
            json!({"name": name, "id": id, "compartmentId": compartment})
        })
        .collect();
    Ok(Reply::value(all.into()))
}

fn fault_domains(state: &mut State, call: &Call) -> Result<Reply, Refusal> {
    let compartment = in_compartment(state, call)?;
    let domain = call.required("availabilityDomain")?;
    if !availability_domains(call.region).any(|known| known == domain) {
        return Err(Refusal::not_found());
    }
    let all: Vec<Value> = (1..=3)
        .map(|number| {
            json!({
                "name": format!("FAULT-DOMAIN-{number}"),
                "id": format!("ocid1.faultdomain.{}..aaaaaaaa{}{number}", call.region.realm, call.region.key),
                "compartmentId": compartment,
                "availabilityDomain": domain,
            })
        })
        .collect();
    Ok(Reply::value(all.into()))
}

fn prepare_compartment(state: &mut State, call: &Call, fields: &mut Body) -> Result<(), Refusal> {
    let parent = text(fields, "compartmentId").to_owned();
    let name = text(fields, "name");
    let twin = state
        .within(&COMPARTMENT, call.region, &parent)
        .any(|other| other.lives() && other.text("name") == name);
    if twin {
        return Err(Refusal::exists(format!("{parent} has a compartment {name} already")));
    }
    fields.insert("isAccessible".to_owned(), true.into());
    Ok(())
}

fn release_compartment(state: &State, compartment: &Record) -> Result<(), Refusal> {
    match state.occupant(&compartment.id) {
        Some(inside) => Err(Refusal::conflict(format!("{} is in {}", inside.id, compartment.id))),
        None => Ok(()),
    }
}

/// A compartment; one that was never made is made up.
fn compartment(state: &mut State, call: &Call) -> Result<Reply, Refusal> {
    let id = call.param(0);
    if let Ok(record) = state.get(call, &COMPARTMENT, id) {
        return Ok(Reply::record(record));
    }
    if !state.open(call, id) {
        return Err(Refusal::not_found());
    }
    let tail = id.rsplit('.').next().unwrap_or_default();
    let name = tail.get(tail.len().saturating_sub(12)..).unwrap_or(tail);
    Ok(Reply::value(json!({
        "id": id,
        "compartmentId": call.principal.tenancy,
        "name": if id == call.principal.tenancy { "sandbox" } else { name },
        "description": "in use, but not made here",
        "timeCreated": time(jiff::Timestamp::UNIX_EPOCH),
        "lifecycleState": "ACTIVE",
        "freeformTags": {},
        "definedTags": {},
    })))
}

fn compartments(state: &mut State, call: &Call) -> Result<Reply, Refusal> {
    let parent = in_compartment(state, call)?;
    let subtree = call.query.get("compartmentIdInSubtree").is_some_and(|it| it == "true");
    if subtree && parent != call.principal.tenancy {
        return Err(Refusal::invalid("compartmentIdInSubtree goes with the tenancy alone"));
    }
    let filters = list::Filters::of(call);
    let found = state
        .all(&COMPARTMENT)
        .filter(|record| record.tenancy == call.principal.tenancy)
        .filter(|record| subtree || record.compartment() == parent)
        .filter(|record| filters.pass(record));
    list::records(call, found)
}
