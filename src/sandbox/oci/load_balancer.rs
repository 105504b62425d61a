//! Flexible load balancers, as guests make them for their services: no more than what hangs in a subnet and can be
//! deleted.

use serde_json::{Value, json};

use super::call::{Call, Reply, text, texts};
use super::generic;
use super::kind::Kind;
use super::list;
use super::models::Body;
use super::network::group::NETWORK_SECURITY_GROUP;
use super::network::subnet::SUBNET;
use super::network_load_balancer::{self, BALANCER};
use super::refusal::Refusal;
use super::route::{Route, routes};
use super::state::State;
use super::work::{self, WORK_REQUEST};

pub(super) static LOAD_BALANCER: Kind = Kind {
    name: "LoadBalancer",
    ocid: "loadbalancer",
    life: BALANCER,
    create: "LbCreateLoadBalancerDetails",
    update: "LbUpdateLoadBalancerDetails",
    filters: &["displayName", "lifecycleState"],
    prepare,
    ..Kind::PLAIN
};

pub(super) static ROUTES: &[Route] = routes! {
    POST "loadBalancers" CreateLoadBalancer LOAD_BALANCER create;
    GET "loadBalancers" ListLoadBalancers LOAD_BALANCER list::list;
    GET "loadBalancers/{}" GetLoadBalancer LOAD_BALANCER generic::get;
    PUT "loadBalancers/{}" UpdateLoadBalancer LOAD_BALANCER update;
    DELETE "loadBalancers/{}" DeleteLoadBalancer LOAD_BALANCER delete;
    GET "loadBalancerWorkRequests/{}" GetWorkRequest WORK_REQUEST work_request;
};

fn prepare(state: &mut State, call: &Call, fields: &mut Body) -> Result<(), Refusal> {
    let number = state.next();
    let Some(first) = texts(fields, "subnetIds").next().map(str::to_owned) else {
        return Err(Refusal::missing("subnetIds"));
    };
    for id in texts(fields, "subnetIds") {
        state.related(call, "subnetIds", &SUBNET, id)?;
    }
    for id in texts(fields, "networkSecurityGroupIds") {
        state.related(call, "networkSecurityGroupIds", &NETWORK_SECURITY_GROUP, id)?;
    }
    let subnet = state.related(call, "subnetIds", &SUBNET, &first)?;
    network_load_balancer::addresses(state, call, fields, subnet, number)?;
    fields.remove("reservedIps");
    for (field, default) in [
        ("isPrivate", json!(false)),
        ("networkSecurityGroupIds", json!([])),
        ("listeners", json!({})),
        ("backendSets", json!({})),
        ("hostnames", json!({})),
        ("certificates", json!({})),
        ("ruleSets", json!({})),
    ] {
        fields.entry(field).or_insert(default);
    }
    Ok(())
}

/// The answer has no body: the work request says what was made.
fn create(state: &mut State, call: &Call) -> Result<Reply, Refusal> {
    let reply = generic::create(state, call)?;
    let id = reply.resource.unwrap_or_default();
    let request = work::begun(state, call, &id, LOAD_BALANCER.life.makes);
    Ok(Reply::done(&id).work_request(request))
}

fn update(state: &mut State, call: &Call) -> Result<Reply, Refusal> {
    let id = generic::update(state, call)?.resource.unwrap_or_default();
    let request = work::finished(state, call, &id);
    Ok(Reply::done(&id).work_request(request))
}

fn delete(state: &mut State, call: &Call) -> Result<Reply, Refusal> {
    let reply = generic::delete(state, call)?;
    let request = work::begun(state, call, call.param(0), LOAD_BALANCER.life.unmakes);
    Ok(reply.work_request(request))
}

/// This service's work requests have a form of their own.
fn work_request(state: &mut State, call: &Call) -> Result<Reply, Refusal> {
    let record = state.get(call, &WORK_REQUEST, call.param(0))?;
    let resource = record
        .body()
        .get("resources")
        .and_then(|all| all.get(0)?.get("identifier"));
    Ok(Reply::value(json!({
        "id": record.id,
        "loadBalancerId": resource,
        "type": record.text("operationType"),
        "compartmentId": record.compartment(),
        "lifecycleState": text(record.body(), "status"),
        "message": "",
        "timeAccepted": record.body().get("timeAccepted"),
        "timeFinished": record.body().get("timeFinished").unwrap_or(&Value::Null),
        "errorDetails": [],
    })))
}
