//! Work requests: what goes on after an answer was given.

use serde_json::{Value, json};

use super::call::{Call, Reply, body};
use super::kind::{Kind, STATELESS};
use super::list;
use super::refusal::Refusal;
use super::state::{Record, State, Then, after, time};

pub(super) static WORK_REQUEST: Kind = Kind {
    name: "WorkRequest",
    ocid: "workrequest",
    // A work request has a status of its own, and no state.
    life: STATELESS,
    ..Kind::PLAIN
};

/// Seconds for which a finished one is still shown.
const SHOWN: i64 = 24 * 3600;

/// What reads show of one.
const FIELDS: &[&str] = &[
    "operationType",
    "status",
    "id",
    "compartmentId",
    "resources",
    "percentComplete",
    "timeAccepted",
    "timeStarted",
    "timeFinished",
];

/// A work request that takes that many seconds.
pub(super) fn begun(state: &mut State, call: &Call, resource: &str, seconds: i64) -> String {
    let id = accept(state, call, resource);
    let running = body([
        ("status", "IN_PROGRESS".into()),
        ("percentComplete", 50.0.into()),
        ("timeStarted", time(call.now)),
    ]);
    let end = after(call.now, seconds);
    let steps = [
        (after(call.now, seconds.min(1)), Then::Set(running)),
        (end, Then::Set(succeeded(call, end))),
        (after(end, SHOWN), Then::Purge),
    ];
    state.schedule(&id, steps);
    id
}

/// A work request that is done already.
pub(super) fn finished(state: &mut State, call: &Call, resource: &str) -> String {
    let id = accept(state, call, resource);
    let done = succeeded(call, call.now);
    state.amend(&id, |record| record.body_mut().extend(done));
    state.schedule(&id, [(after(call.now, SHOWN), Then::Purge)]);
    id
}

fn succeeded(call: &Call, end: jiff::Timestamp) -> super::models::Body {
    body([
        ("status", "SUCCEEDED".into()),
        ("percentComplete", 100.0.into()),
        ("timeStarted", time(call.now)),
        ("timeFinished", time(end)),
    ])
}

fn accept(state: &mut State, call: &Call, resource: &str) -> String {
    let (compartment, entity) = state
        .find(resource)
        .map_or((call.principal.tenancy.clone(), call.kind), |record| {
            (record.compartment().to_owned(), record.kind)
        });
    let action = match call.operation {
        create if create.starts_with("Create") => "CREATED",
        delete if delete.starts_with("Delete") => "DELETED",
        _ => "UPDATED",
    };
    let fields = body([
        ("operationType", operation_type(call.operation).into()),
        ("status", "ACCEPTED".into()),
        ("compartmentId", compartment.into()),
        (
            "resources",
            json!([{
                "actionType": action,
                "entityType": entity.ocid,
                "identifier": resource,
                "entityUri": format!("/{}/{resource}", entity.ocid),
            }]),
        ),
        ("percentComplete", 0.0.into()),
        ("timeAccepted", time(call.now)),
    ]);
    let id = state.mint(&WORK_REQUEST, call.region);
    state.insert(call, &WORK_REQUEST, &id, fields);
    id
}

/// `CreateBackendSet` as `CREATE_BACKENDSET`, `CreateNetworkLoadBalancer` as `CREATE_NETWORK_LOAD_BALANCER`.
fn operation_type(operation: &str) -> String {
    let mut name = String::new();
    for char in operation.chars() {
        if char.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(char.to_ascii_uppercase());
    }
    name.replace("BACKEND_SET", "BACKENDSET")
        .replace("NETWORK_SECURITY_GROUPS", "NSGS")
}

fn view(record: &Record) -> Value {
    FIELDS
        .iter()
        .filter_map(|field| Some(((*field).to_owned(), record.body().get(*field)?.clone())))
        .collect::<super::models::Body>()
        .into()
}

pub(super) fn get(state: &mut State, call: &Call) -> Result<Reply, Refusal> {
    state
        .get(call, &WORK_REQUEST, call.param(0))
        .map(|record| Reply::value(view(record)))
}

pub(super) fn list(state: &mut State, call: &Call) -> Result<Reply, Refusal> {
    let compartment = call.required("compartmentId")?;
    if !state.open(call, compartment) {
        return Err(Refusal::not_found());
    }
    let resource = call.query.get("resourceId");
    let of_resource = |record: &&Record| {
        let resources = record.body().get("resources").and_then(Value::as_array);
        let mut named = resources
            .into_iter()
            .flatten()
            .filter_map(|it| it.get("identifier")?.as_str());
        resource.is_none_or(|resource| named.any(|id| id == resource))
    };
    let found: Vec<_> = state
        .within(&WORK_REQUEST, call.region, compartment)
        .filter(of_resource)
        .map(view)
        .collect();
    list::values(call, found)
}

/// Errors and log entries: there are none, since what is accepted succeeds.
pub(super) fn nothing(state: &mut State, call: &Call) -> Result<Reply, Refusal> {
    state.get(call, &WORK_REQUEST, call.param(0))?;
    list::values(call, [])
}
