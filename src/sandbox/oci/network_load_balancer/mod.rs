//! Network load balancers, with their listeners, backend sets and backends: changed one at a time, each change a work
//! request.

mod parts;

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
use super::route::{Route, routes};
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

pub(super) static ROUTES: &[Route] = routes! {
    POST "networkLoadBalancers" CreateNetworkLoadBalancer NETWORK_LOAD_BALANCER create;
    GET "networkLoadBalancers" ListNetworkLoadBalancers NETWORK_LOAD_BALANCER list::list;
    GET "networkLoadBalancers/{}" GetNetworkLoadBalancer NETWORK_LOAD_BALANCER generic::get;
    PUT "networkLoadBalancers/{}" UpdateNetworkLoadBalancer NETWORK_LOAD_BALANCER update;
    DELETE "networkLoadBalancers/{}" DeleteNetworkLoadBalancer NETWORK_LOAD_BALANCER delete;
    GET "networkLoadBalancers/{}/health" GetNetworkLoadBalancerHealth NETWORK_LOAD_BALANCER health;
    POST "networkLoadBalancers/{}/actions/changeCompartment" ChangeNetworkLoadBalancerCompartment
        NETWORK_LOAD_BALANCER generic::change_compartment;
    PUT "networkLoadBalancers/{}/networkSecurityGroups" UpdateNetworkSecurityGroups NETWORK_LOAD_BALANCER update_groups;
    GET "networkLoadBalancers/{}/backendSets" ListBackendSets NETWORK_LOAD_BALANCER parts::list_sets;
    POST "networkLoadBalancers/{}/backendSets" CreateBackendSet NETWORK_LOAD_BALANCER parts::create_set;
    GET "networkLoadBalancers/{}/backendSets/{}" GetBackendSet NETWORK_LOAD_BALANCER parts::get_set;
    PUT "networkLoadBalancers/{}/backendSets/{}" UpdateBackendSet NETWORK_LOAD_BALANCER parts::update_set;
    DELETE "networkLoadBalancers/{}/backendSets/{}" DeleteBackendSet NETWORK_LOAD_BALANCER parts::delete_set;
    GET "networkLoadBalancers/{}/backendSets/{}/health" GetBackendSetHealth NETWORK_LOAD_BALANCER health;
    GET "networkLoadBalancers/{}/backendSets/{}/backends" ListBackends NETWORK_LOAD_BALANCER parts::list_backends;
    POST "networkLoadBalancers/{}/backendSets/{}/backends" CreateBackend NETWORK_LOAD_BALANCER parts::create_backend;
    GET "networkLoadBalancers/{}/backendSets/{}/backends/{}" GetBackend NETWORK_LOAD_BALANCER parts::get_backend;
    PUT "networkLoadBalancers/{}/backendSets/{}/backends/{}" UpdateBackend NETWORK_LOAD_BALANCER parts::update_backend;
    DELETE "networkLoadBalancers/{}/backendSets/{}/backends/{}" DeleteBackend NETWORK_LOAD_BALANCER parts::delete_backend;
    GET "networkLoadBalancers/{}/listeners" ListListeners NETWORK_LOAD_BALANCER parts::list_listeners;
    POST "networkLoadBalancers/{}/listeners" CreateListener NETWORK_LOAD_BALANCER parts::create_listener;
    GET "networkLoadBalancers/{}/listeners/{}" GetListener NETWORK_LOAD_BALANCER parts::get_listener;
    PUT "networkLoadBalancers/{}/listeners/{}" UpdateListener NETWORK_LOAD_BALANCER parts::update_listener;
    DELETE "networkLoadBalancers/{}/listeners/{}" DeleteListener NETWORK_LOAD_BALANCER parts::delete_listener;
    GET "workRequests" ListWorkRequests NETWORK_LOAD_BALANCER work::list;
    GET "workRequests/{}" GetWorkRequest WORK_REQUEST work::get;
    GET "workRequests/{}/errors" ListWorkRequestErrors NETWORK_LOAD_BALANCER work::nothing;
    GET "workRequests/{}/logs" ListWorkRequestLogs NETWORK_LOAD_BALANCER work::nothing;
};

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
        if subnet.body().get("prohibitPublicIpOnVnic") == Some(&Value::Bool(true)) {
            return Err(Refusal::invalid(format!(
                "the subnet {} has no public addresses",
                subnet.id
            )));
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
        for (field, default) in [
            ("port", 0),
            ("retries", 3),
            ("timeoutInMillis", 3000),
            ("intervalInMillis", 10_000),
        ] {
            checker.entry(field).or_insert(default.into());
        }
    }
    if let Some(backends) = set.get_mut("backends").and_then(Value::as_array_mut) {
        backends
            .iter_mut()
            .filter_map(Value::as_object_mut)
            .for_each(complete_backend);
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
        let set = listener
            .get("defaultBackendSetName")
            .and_then(Value::as_str)
            .unwrap_or_default();
        if fields.get("backendSets").and_then(|sets| sets.get(set)).is_none() {
            return Err(Refusal::invalid(format!(
                "the listener {name} names the backend set {set:?}, which is not there"
            )));
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
    let (id, mut fields) = (balancer.id.clone(), balancer.body().clone());
    change(&mut fields)?;
    listeners_have_sets(&fields)?;
    generic::record_write(state, call, &id);
    fields.insert("lifecycleState".to_owned(), "UPDATING".into());
    fields.insert("timeUpdated".to_owned(), time(call.now));
    state.amend(&id, |record| *record.body_mut() = fields);
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
