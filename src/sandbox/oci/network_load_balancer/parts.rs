//! Backend sets, backends and listeners: maps and lists inside a network load balancer.

use serde_json::Value;

use super::super::call::{Call, Reply, text};
use super::super::list;
use super::super::models::Body;
use super::super::refusal::Refusal;
use super::super::state::State;
use super::{NLB, alter, checked, complete_backend, complete_set, entries};

/// Something by name within a map of the load balancer.
fn named<'a>(fields: &'a mut Body, map: &str, name: &str) -> Result<&'a mut Body, Refusal> {
    entries(fields, map)
        .find(|(key, _)| key == name)
        .map(|(_, value)| value)
        .ok_or_else(Refusal::not_found)
}

fn add(fields: &mut Body, field: &'static str, item: Body) -> Result<(), Refusal> {
    let name = text(&item, "name").to_owned();
    let Some(map) = fields.get_mut(field).and_then(Value::as_object_mut) else {
        return Err(Refusal::not_found());
    };
    if map.contains_key(&name) {
        return Err(Refusal::conflict(format!("{field} has {name} already")));
    }
    map.insert(name, Value::Object(item));
    Ok(())
}

fn take_out(fields: &mut Body, field: &str, name: &str) -> Result<(), Refusal> {
    fields
        .get_mut(field)
        .and_then(Value::as_object_mut)
        .and_then(|map| map.remove(name))
        .map(|_| ())
        .ok_or_else(Refusal::not_found)
}

pub(super) fn create_set(state: &mut State, call: &Call) -> Result<Reply, Refusal> {
    let mut set = checked(call, "CreateBackendSetDetails")?;
    complete_set(&mut set);
    alter(state, call, |balancer| add(balancer, "backendSets", set))
}

pub(super) fn update_set(state: &mut State, call: &Call) -> Result<Reply, Refusal> {
    let fields = checked(call, "UpdateBackendSetDetails")?;
    alter(state, call, |balancer| {
        let set = named(balancer, "backendSets", call.param(1))?;
        set.extend(fields);
        complete_set(set);
        Ok(())
    })
}

pub(super) fn delete_set(state: &mut State, call: &Call) -> Result<Reply, Refusal> {
    alter(state, call, |balancer| {
        let name = call.param(1);
        let user = entries(balancer, "listeners").find(|(_, it)| text(it, "defaultBackendSetName") == name);
        match user {
            Some((listener, _)) => Err(Refusal::conflict(format!(
                "the listener {listener} uses the backend set {name}"
            ))),
            None => take_out(balancer, "backendSets", name),
        }
    })
}

pub(super) fn create_listener(state: &mut State, call: &Call) -> Result<Reply, Refusal> {
    let mut listener = checked(call, "CreateListenerDetails")?;
    listener.entry("ipVersion").or_insert("IPV4".into());
    alter(state, call, |balancer| add(balancer, "listeners", listener))
}

pub(super) fn update_listener(state: &mut State, call: &Call) -> Result<Reply, Refusal> {
    let fields = checked(call, "UpdateListenerDetails")?;
    alter(state, call, |balancer| {
        named(balancer, "listeners", call.param(1))?.extend(fields);
        Ok(())
    })
}

pub(super) fn delete_listener(state: &mut State, call: &Call) -> Result<Reply, Refusal> {
    alter(state, call, |balancer| take_out(balancer, "listeners", call.param(1)))
}

/// The backends of the set that the path names.
fn backends<'a>(balancer: &'a mut Body, call: &Call) -> Result<&'a mut Vec<Value>, Refusal> {
    named(balancer, "backendSets", call.param(1))?
        .get_mut("backends")
        .and_then(Value::as_array_mut)
        .ok_or_else(Refusal::not_found)
}

fn is_named(backend: &Value, name: &str) -> bool {
    backend.get("name").and_then(Value::as_str) == Some(name)
}

pub(super) fn create_backend(state: &mut State, call: &Call) -> Result<Reply, Refusal> {
    let mut backend = checked(call, "CreateBackendDetails")?;
    complete_backend(&mut backend);
    alter(state, call, |balancer| {
        let backends = backends(balancer, call)?;
        if backends.iter().any(|other| is_named(other, text(&backend, "name"))) {
            return Err(Refusal::conflict(format!(
                "there is a backend {} already",
                text(&backend, "name")
            )));
        }
        backends.push(Value::Object(backend));
        Ok(())
    })
}

pub(super) fn update_backend(state: &mut State, call: &Call) -> Result<Reply, Refusal> {
    let fields = checked(call, "UpdateBackendDetails")?;
    alter(state, call, |balancer| {
        let mut backends = backends(balancer, call)?.iter_mut();
        let backend = backends.find(|backend| is_named(backend, call.param(2)));
        let backend = backend.and_then(Value::as_object_mut).ok_or_else(Refusal::not_found)?;
        backend.extend(fields);
        Ok(())
    })
}

pub(super) fn delete_backend(state: &mut State, call: &Call) -> Result<Reply, Refusal> {
    alter(state, call, |balancer| {
        let backends = backends(balancer, call)?;
        let before = backends.len();
        backends.retain(|backend| !is_named(backend, call.param(2)));
        if before == backends.len() {
            return Err(Refusal::not_found());
        }
        Ok(())
    })
}

fn list_map(state: &State, call: &Call, field: &str) -> Result<Reply, Refusal> {
    let balancer = state.get(call, NLB, call.param(0))?;
    let map = balancer.body().get(field).and_then(Value::as_object);
    list::values(call, map.into_iter().flat_map(|map| map.values().cloned()))
}

fn get_named(state: &State, call: &Call, field: &str) -> Result<Reply, Refusal> {
    let balancer = state.get(call, NLB, call.param(0))?;
    let item = balancer.body().get(field).and_then(|map| map.get(call.param(1)));
    let value = item.cloned().ok_or_else(Refusal::not_found)?;
    Ok(Reply {
        etag: Some(balancer.etag()),
        ..Reply::value(value)
    })
}

pub(super) fn list_sets(state: &mut State, call: &Call) -> Result<Reply, Refusal> {
    list_map(state, call, "backendSets")
}

pub(super) fn get_set(state: &mut State, call: &Call) -> Result<Reply, Refusal> {
    get_named(state, call, "backendSets")
}

pub(super) fn list_listeners(state: &mut State, call: &Call) -> Result<Reply, Refusal> {
    list_map(state, call, "listeners")
}

pub(super) fn get_listener(state: &mut State, call: &Call) -> Result<Reply, Refusal> {
    get_named(state, call, "listeners")
}

pub(super) fn list_backends(state: &mut State, call: &Call) -> Result<Reply, Refusal> {
    let mut fields = state.get(call, NLB, call.param(0))?.body().clone();
    let found = backends(&mut fields, call)?.clone();
    list::values(call, found)
}

pub(super) fn get_backend(state: &mut State, call: &Call) -> Result<Reply, Refusal> {
    let balancer = state.get(call, NLB, call.param(0))?;
    let mut fields = balancer.body().clone();
    let found = backends(&mut fields, call)?
        .iter()
        .find(|backend| is_named(backend, call.param(2)));
    let value = found.cloned().ok_or_else(Refusal::not_found)?;
    Ok(Reply {
        etag: Some(balancer.etag()),
        ..Reply::value(value)
    })
}
