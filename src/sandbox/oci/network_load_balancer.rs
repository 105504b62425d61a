//! Network load balancers, with their listeners, backend sets and backends: changed one at a time, each change a work
//! request.

use http::StatusCode;
use serde_json::{Value, json};

use super::call::{Call, Reply, body, objects, text, texts};
use super::generic;
use super::kind::{Kind, Life};
use super::list;
use super::models::{self, Body};
use super::network::group::NETWORK_SECURITY_GROUP;
use super::network::public_ip::{self, PUBLIC_IP};
use super::network::subnet::{self, SUBNET};
use super::refusal::Refusal;
use super::route::{Route, route};
use super::state::{Record, State, Then, after, time};
use super::work::{self, WORK_REQUEST};

pub(super) static NETWORK_LOAD_BALANCER: Kind = Kind {
    name: "NetworkLoadBalancer",
    ocid: "networkloadbalancer",
    life: BALANCER,
    create: "CreateNetworkLoadBalancerDetails",
    update: "UpdateNetworkLoadBalancerDetails",
    filters: &["displayName", "lifecycleState"],
    collection: true,
    prepare,
    ..Kind::PLAIN
};

/// The life of a load balancer of either service.
pub(super) const BALANCER: Life = Life {
    making: "CREATING",
    ready: "ACTIVE",
    unmaking: "DELETING",
    gone: "DELETED",
    makes: 5,
    unmakes: 5,
};

/// Seconds that a change takes.
const CHANGE: i64 = 2;

const NLB: &Kind = &NETWORK_LOAD_BALANCER;

pub(super) static ROUTES: &[Route] = &[
    route("POST", "networkLoadBalancers", "CreateNetworkLoadBalancer", NLB, create),
    route("GET", "networkLoadBalancers", "ListNetworkLoadBalancers", NLB, list::list),
    route("GET", "networkLoadBalancers/{}", "GetNetworkLoadBalancer", NLB, generic::get),
    route("PUT", "networkLoadBalancers/{}", "UpdateNetworkLoadBalancer", NLB, update),
    route("DELETE", "networkLoadBalancers/{}", "DeleteNetworkLoadBalancer", NLB, delete),
    route("GET", "networkLoadBalancers/{}/health", "GetNetworkLoadBalancerHealth", NLB, health),
    route(
        "POST",
        "networkLoadBalancers/{}/actions/changeCompartment",
        "ChangeNetworkLoadBalancerCompartment",
        NLB,
        generic::change_compartment,
    ),
    route("PUT", "networkLoadBalancers/{}/networkSecurityGroups", "UpdateNetworkSecurityGroups", NLB, update_groups),
    route("GET", "networkLoadBalancers/{}/backendSets", "ListBackendSets", NLB, list_sets),
    route("POST", "networkLoadBalancers/{}/backendSets", "CreateBackendSet", NLB, create_set),
    route("GET", "networkLoadBalancers/{}/backendSets/{}", "GetBackendSet", NLB, get_set),
    route("PUT", "networkLoadBalancers/{}/backendSets/{}", "UpdateBackendSet", NLB, update_set),
    route("DELETE", "networkLoadBalancers/{}/backendSets/{}", "DeleteBackendSet", NLB, delete_set),
    route("GET", "networkLoadBalancers/{}/backendSets/{}/health", "GetBackendSetHealth", NLB, health),
    route("GET", "networkLoadBalancers/{}/backendSets/{}/backends", "ListBackends", NLB, list_backends),
    route("POST", "networkLoadBalancers/{}/backendSets/{}/backends", "CreateBackend", NLB, create_backend),
    route("GET", "networkLoadBalancers/{}/backendSets/{}/backends/{}", "GetBackend", NLB, get_backend),
    route("PUT", "networkLoadBalancers/{}/backendSets/{}/backends/{}", "UpdateBackend", NLB, update_backend),
    route("DELETE", "networkLoadBalancers/{}/backendSets/{}/backends/{}", "DeleteBackend", NLB, delete_backend),
    route("GET", "networkLoadBalancers/{}/listeners", "ListListeners", NLB, list_listeners),
    route("POST", "networkLoadBalancers/{}/listeners", "CreateListener", NLB, create_listener),
    route("GET", "networkLoadBalancers/{}/listeners/{}", "GetListener", NLB, get_listener),
    route("PUT", "networkLoadBalancers/{}/listeners/{}", "UpdateListener", NLB, update_listener),
    route("DELETE", "networkLoadBalancers/{}/listeners/{}", "DeleteListener", NLB, delete_listener),
    route("GET", "workRequests", "ListWorkRequests", NLB, work::list),
    route("GET", "workRequests/{}", "GetWorkRequest", &WORK_REQUEST, work::get),
    route("GET", "workRequests/{}/errors", "ListWorkRequestErrors", NLB, work::nothing),
    route("GET", "workRequests/{}/logs", "ListWorkRequestLogs", NLB, work::nothing),
];

fn prepare(state: &mut State, call: &Call, fields: &mut Body) -> Result<(), Refusal> {
    let present = state
        .all(NLB)
        .filter(|it| it.region == call.region.id && it.tenancy == call.principal.tenancy && it.lives());
    if present.count() >= state.limits.network_load_balancers {
        return Err(Refusal::limit(format!(
            "the region has {} network load balancers already",
            state.limits.network_load_balancers
        )));
    }
    groups(state, call, fields)?;
    let number = state.next();
    let subnet = state.related(call, "subnetId", &SUBNET, text(fields, "subnetId"))?;
    addresses(state, call, fields, subnet, number)?;
    for (field, default) in [
        ("isPrivate", json!(false)),
        ("isPreserveSourceDestination", json!(false)),
        ("isSymmetricHashEnabled", json!(false)),
        ("nlbIpVersion", json!("IPV4")),
        ("networkSecurityGroupIds", json!([])),
        ("listeners", json!({})),
        ("backendSets", json!({})),
    ] {
        fields.entry(field).or_insert(default);
    }
    for (name, set) in entries(fields, "backendSets") {
        set.insert("name".to_owned(), name.into());
        complete_set(set);
    }
    for (_, listener) in entries(fields, "listeners") {
        listener.entry("ipVersion").or_insert("IPV4".into());
    }
    listeners_have_sets(fields)?;
    fields.remove("assignedPrivateIpv4");
    fields.remove("reservedIps");
    fields.insert("timeUpdated".to_owned(), time(call.now));
    Ok(())
}

/// Gives a new load balancer its addresses: a private one, and before it a public one where it is not private.
pub(super) fn addresses(
    state: &State,
    call: &Call,
    fields: &mut Body,
    subnet: &Record,
    number: u64,
) -> Result<(), Refusal> {
    let private = subnet::address(state, subnet, text(fields, "assignedPrivateIpv4"))?;
    let mut addresses = vec![json!({"ipAddress": private.to_string(), "isPublic": false, "ipVersion": "IPV4"})];
    if fields.get("isPrivate") != Some(&Value::Bool(true)) {
        if subnet.body.get("prohibitPublicIpOnVnic") == Some(&Value::Bool(true)) {
            return Err(Refusal::invalid(format!("the subnet {} has no public addresses", subnet.id)));
        }
        let reserved = objects(fields, "reservedIps").find(|ip| text(ip, "id").contains(".publicip."));
        let public = match reserved {
            Some(ip) => {
                let id = text(ip, "id");
                let ip = state.related(call, "reservedIps", &PUBLIC_IP, id)?;
                json!({"ipAddress": ip.text("ipAddress"), "isPublic": true, "ipVersion": "IPV4", "reservedIp": {"id": id}})
            }
            None => json!({"ipAddress": public_ip::address(number), "isPublic": true, "ipVersion": "IPV4"}),
        };
        addresses.insert(0, public);
    }
    fields.insert("ipAddresses".to_owned(), addresses.into());
    Ok(())
}

fn groups(state: &State, call: &Call, fields: &Body) -> Result<(), Refusal> {
    texts(fields, "networkSecurityGroupIds").try_for_each(|id| {
        state.related(call, "networkSecurityGroupIds", &NETWORK_SECURITY_GROUP, id)?;
        Ok(())
    })
}

/// The objects of a map, by name.
fn entries<'a>(fields: &'a mut Body, field: &str) -> impl Iterator<Item = (String, &'a mut Body)> {
    fields
        .get_mut(field)
        .and_then(Value::as_object_mut)
        .into_iter()
        .flatten()
        .filter_map(|(name, value)| Some((name.clone(), value.as_object_mut()?)))
}

fn complete_set(set: &mut Body) {
    for (field, default) in [
        ("policy", json!("FIVE_TUPLE")),
        ("isPreserveSource", json!(true)),
        ("isFailOpen", json!(false)),
        ("ipVersion", json!("IPV4")),
        ("backends", json!([])),
    ] {
        set.entry(field).or_insert(default);
    }
    if let Some(checker) = set.get_mut("healthChecker").and_then(Value::as_object_mut) {
        for (field, default) in [("port", 0), ("retries", 3), ("timeoutInMillis", 3000), ("intervalInMillis", 10_000)] {
            checker.entry(field).or_insert(default.into());
        }
    }
    if let Some(backends) = set.get_mut("backends").and_then(Value::as_array_mut) {
        backends.iter_mut().filter_map(Value::as_object_mut).for_each(complete_backend);
    }
}

fn complete_backend(backend: &mut Body) {
    let address = match text(backend, "ipAddress") {
        "" => text(backend, "targetId"),
        address => address,
    };
    let port = backend.get("port").and_then(Value::as_u64).unwrap_or_default();
    let name = format!("{address}:{port}");
    backend.entry("name").or_insert(name.into());
    backend.entry("weight").or_insert(1.into());
    for field in ["isBackup", "isDrain", "isOffline"] {
        backend.entry(field).or_insert(false.into());
    }
}

fn listeners_have_sets(fields: &Body) -> Result<(), Refusal> {
    let listeners = fields.get("listeners").and_then(Value::as_object).into_iter().flatten();
    for (name, listener) in listeners {
        let set = listener.get("defaultBackendSetName").and_then(Value::as_str).unwrap_or_default();
        if fields.get("backendSets").and_then(|sets| sets.get(set)).is_none() {
            return Err(Refusal::invalid(format!("the listener {name} names the backend set {set:?}, which is not there")));
        }
    }
    Ok(())
}

fn create(state: &mut State, call: &Call) -> Result<Reply, Refusal> {
    let reply = generic::create(state, call)?;
    let id = reply.resource.clone().unwrap_or_default();
    let request = work::begun(state, call, &id, NLB.life.makes);
    Ok(reply.status(StatusCode::ACCEPTED).work_request(request))
}

fn update(state: &mut State, call: &Call) -> Result<Reply, Refusal> {
    let fields = checked(call, NLB.update)?;
    alter(state, call, |balancer| {
        balancer.extend(fields);
        Ok(())
    })
}

fn delete(state: &mut State, call: &Call) -> Result<Reply, Refusal> {
    generic::delete(state, call)?;
    let request = work::begun(state, call, call.param(0), NLB.life.unmakes);
    Ok(accepted(call, request))
}

fn accepted(call: &Call, request: String) -> Reply {
    Reply::done(call.param(0))
        .status(StatusCode::ACCEPTED)
        .work_request(request)
}

fn checked(call: &Call, model: &str) -> Result<Body, Refusal> {
    let mut fields = call.body.clone();
    models::check(model, &mut fields)?;
    Ok(fields)
}

/// Changes a load balancer, which is `UPDATING` for a while.
fn alter(
    state: &mut State,
    call: &Call,
    change: impl FnOnce(&mut Body) -> Result<(), Refusal>,
) -> Result<Reply, Refusal> {
    let balancer = generic::writable(state, call)?;
    let (id, mut fields) = (balancer.id.clone(), balancer.body.clone());
    change(&mut fields)?;
    listeners_have_sets(&fields)?;
    generic::record_write(state, call, &id);
    fields.insert("lifecycleState".to_owned(), "UPDATING".into());
    fields.insert("timeUpdated".to_owned(), time(call.now));
    state.amend(&id, |record| record.body = fields);
    let active = body([("lifecycleState", NLB.life.ready.into())]);
    state.schedule(&id, [(after(call.now, CHANGE), Then::Set(active))]);
    let request = work::begun(state, call, &id, CHANGE);
    Ok(accepted(call, request))
}

fn update_groups(state: &mut State, call: &Call) -> Result<Reply, Refusal> {
    let fields = checked(call, "UpdateNetworkSecurityGroupsDetails")?;
    groups(state, call, &fields)?;
    alter(state, call, |balancer| {
        balancer.extend(fields);
        Ok(())
    })
}

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

fn create_set(state: &mut State, call: &Call) -> Result<Reply, Refusal> {
    let mut set = checked(call, "CreateBackendSetDetails")?;
    complete_set(&mut set);
    alter(state, call, |balancer| add(balancer, "backendSets", set))
}

fn update_set(state: &mut State, call: &Call) -> Result<Reply, Refusal> {
    let fields = checked(call, "UpdateBackendSetDetails")?;
    alter(state, call, |balancer| {
        let set = named(balancer, "backendSets", call.param(1))?;
        set.extend(fields);
        complete_set(set);
        Ok(())
    })
}

fn delete_set(state: &mut State, call: &Call) -> Result<Reply, Refusal> {
    alter(state, call, |balancer| {
        let name = call.param(1);
        let user = entries(balancer, "listeners").find(|(_, it)| text(it, "defaultBackendSetName") == name);
        match user {
            Some((listener, _)) => Err(Refusal::conflict(format!("the listener {listener} uses the backend set {name}"))),
            None => take_out(balancer, "backendSets", name),
        }
    })
}

fn create_listener(state: &mut State, call: &Call) -> Result<Reply, Refusal> {
    let mut listener = checked(call, "CreateListenerDetails")?;
    listener.entry("ipVersion").or_insert("IPV4".into());
    alter(state, call, |balancer| add(balancer, "listeners", listener))
}

fn update_listener(state: &mut State, call: &Call) -> Result<Reply, Refusal> {
    let fields = checked(call, "UpdateListenerDetails")?;
    alter(state, call, |balancer| {
        named(balancer, "listeners", call.param(1))?.extend(fields);
        Ok(())
    })
}

fn delete_listener(state: &mut State, call: &Call) -> Result<Reply, Refusal> {
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

fn create_backend(state: &mut State, call: &Call) -> Result<Reply, Refusal> {
    let mut backend = checked(call, "CreateBackendDetails")?;
    complete_backend(&mut backend);
    alter(state, call, |balancer| {
        let backends = backends(balancer, call)?;
        if backends.iter().any(|other| is_named(other, text(&backend, "name"))) {
            return Err(Refusal::conflict(format!("there is a backend {} already", text(&backend, "name"))));
        }
        backends.push(Value::Object(backend));
        Ok(())
    })
}

fn update_backend(state: &mut State, call: &Call) -> Result<Reply, Refusal> {
    let fields = checked(call, "UpdateBackendDetails")?;
    alter(state, call, |balancer| {
        let mut backends = backends(balancer, call)?.iter_mut();
        let backend = backends.find(|backend| is_named(backend, call.param(2)));
        let backend = backend.and_then(Value::as_object_mut).ok_or_else(Refusal::not_found)?;
        backend.extend(fields);
        Ok(())
    })
}

fn delete_backend(state: &mut State, call: &Call) -> Result<Reply, Refusal> {
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
    let map = balancer.body.get(field).and_then(Value::as_object);
    list::values(call, map.into_iter().flat_map(|map| map.values().cloned()))
}

fn get_named(state: &State, call: &Call, field: &str) -> Result<Reply, Refusal> {
    let balancer = state.get(call, NLB, call.param(0))?;
    let item = balancer.body.get(field).and_then(|map| map.get(call.param(1)));
    let value = item.cloned().ok_or_else(Refusal::not_found)?;
    Ok(Reply {
        etag: Some(balancer.etag()),
        ..Reply::value(value)
    })
}

fn list_sets(state: &mut State, call: &Call) -> Result<Reply, Refusal> {
    list_map(state, call, "backendSets")
}

fn get_set(state: &mut State, call: &Call) -> Result<Reply, Refusal> {
    get_named(state, call, "backendSets")
}

fn list_listeners(state: &mut State, call: &Call) -> Result<Reply, Refusal> {
    list_map(state, call, "listeners")
}

fn get_listener(state: &mut State, call: &Call) -> Result<Reply, Refusal> {
    get_named(state, call, "listeners")
}

fn list_backends(state: &mut State, call: &Call) -> Result<Reply, Refusal> {
    let mut fields = state.get(call, NLB, call.param(0))?.body.clone();
    let found = backends(&mut fields, call)?.clone();
    list::values(call, found)
}

fn get_backend(state: &mut State, call: &Call) -> Result<Reply, Refusal> {
    let balancer = state.get(call, NLB, call.param(0))?;
    let mut fields = balancer.body.clone();
    let found = backends(&mut fields, call)?
        .iter()
        .find(|backend| is_named(backend, call.param(2)));
    let value = found.cloned().ok_or_else(Refusal::not_found)?;
    Ok(Reply {
        etag: Some(balancer.etag()),
        ..Reply::value(value)
    })
}

/// Nothing runs behind these backends: their health is not known.
fn health(state: &mut State, call: &Call) -> Result<Reply, Refusal> {
    state.get(call, NLB, call.param(0))?;
    Ok(Reply::value(json!({
        "status": "UNKNOWN",
        "totalBackendSetCount": 0,
        "totalBackendCount": 0,
        "warningStateBackendSetNames": [],
        "criticalStateBackendSetNames": [],
        "unknownStateBackendSetNames": [],
        "warningStateBackendNames": [],
        "criticalStateBackendNames": [],
        "unknownStateBackendNames": [],
    })))
}
