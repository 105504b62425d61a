//! Network security groups, and their rules: a set of its own, changed a few at a time.

use serde_json::{Value, json};

use super::super::call::{Call, Reply, objects, text, texts};
use super::super::generic;
use super::super::kind::Kind;
use super::super::list;
use super::super::models::{self, Body};
use super::super::refusal::Refusal;
use super::super::state::{State, time};
use super::{room, rules};

pub(in super::super) static NETWORK_SECURITY_GROUP: Kind = Kind {
    name: "NetworkSecurityGroup",
    ocid: "networksecuritygroup",
    create: "CreateNetworkSecurityGroupDetails",
    update: "UpdateNetworkSecurityGroupDetails",
    prepare,
    ..Kind::PLAIN
};

/// Rules that one call takes.
const MAX_CALL: usize = 25;
const RULES: &str = "rules";

fn prepare(state: &mut State, call: &Call, fields: &mut Body) -> Result<(), Refusal> {
    let vcn = super::vcn(state, call, fields)?;
    room(state, vcn, &NETWORK_SECURITY_GROUP, state.limits.groups)
}

pub(in super::super) fn rules(state: &mut State, call: &Call) -> Result<Reply, Refusal> {
    let group = state.get(call, call.kind, call.param(0))?;
    let direction = call.query.get("direction");
    let shown = objects(group.extra(), RULES)
        .filter(|rule| direction.is_none_or(|direction| text(rule, "direction") == direction))
        .cloned()
        .map(Value::Object);
    list::values(call, shown)
}

/// The rules that a call brings, checked.
fn given(state: &State, call: &Call, model: &str) -> Result<Vec<Body>, Refusal> {
    let mut fields = call.body.clone();
    models::check(model, &mut fields)?;
    let mut given: Vec<_> = objects(&fields, "securityRules").cloned().collect();
    if given.len() > MAX_CALL {
        return Err(Refusal::invalid(format!("at most {MAX_CALL} rules a call")));
    }
    for rule in &mut given {
        let (end, other) = match text(rule, "direction") {
            "INGRESS" => ("source", "destination"),
            _ => ("destination", "source"),
        };
        if !text(rule, other).is_empty() {
            return Err(Refusal::invalid(format!(
                "{other} does not go with direction {}",
                text(rule, "direction")
            )));
        }
        rules::check(state, call, rule, end)?;
    }
    Ok(given)
}

pub(in super::super) fn add_rules(state: &mut State, call: &Call) -> Result<Reply, Refusal> {
    let group = generic::writable(state, call)?;
    let (id, present) = (group.id.clone(), objects(group.extra(), RULES).count());
    let mut added = given(state, call, "AddNetworkSecurityGroupSecurityRulesDetails")?;
    let limit = state.limits.group_rules;
    if present + added.len() > limit {
        return Err(Refusal::limit(format!(
            "a network security group has at most {limit} rules"
        )));
    }
    for rule in &mut added {
        let number = state.next();
        rule.insert("id".to_owned(), format!("{number:06X}").into());
        rule.insert("isValid".to_owned(), true.into());
        rule.insert("timeCreated".to_owned(), time(call.now));
    }
    let answer = json!({ "securityRules": added });
    change(state, call, &id, |rules| {
        rules.extend(added.into_iter().map(Value::Object));
    });
    Ok(answered(answer, &id))
}

pub(in super::super) fn update_rules(state: &mut State, call: &Call) -> Result<Reply, Refusal> {
    let id = generic::writable(state, call)?.id.clone();
    let mut given = given(state, call, "UpdateNetworkSecurityGroupSecurityRulesDetails")?;
    let group = generic::writable(state, call)?;
    for rule in &mut given {
        let wanted = text(rule, "id").to_owned();
        let old = objects(group.extra(), RULES).find(|old| text(old, "id") == wanted);
        let old = old.ok_or_else(|| Refusal::invalid(format!("there is no rule {wanted}")))?;
        for kept in ["isValid", "timeCreated"] {
            rule.insert(kept.to_owned(), old.get(kept).cloned().unwrap_or_default());
        }
    }
    let answer = json!({ "securityRules": given });
    change(state, call, &id, |rules| {
        for rule in rules {
            let new = given.iter().find(|new| new.get("id") == rule.get("id"));
            if let Some(new) = new {
                *rule = Value::Object(new.clone());
            }
        }
    });
    Ok(answered(answer, &id))
}

pub(in super::super) fn remove_rules(state: &mut State, call: &Call) -> Result<Reply, Refusal> {
    let group = generic::writable(state, call)?;
    let id = group.id.clone();
    let mut fields = call.body.clone();
    models::check("RemoveNetworkSecurityGroupSecurityRulesDetails", &mut fields)?;
    let removed: Vec<_> = texts(&fields, "securityRuleIds").collect();
    if removed.len() > MAX_CALL {
        return Err(Refusal::invalid(format!("at most {MAX_CALL} rules a call")));
    }
    let known = |wanted: &str| objects(group.extra(), RULES).any(|rule| text(rule, "id") == wanted);
    if let Some(unknown) = removed.iter().find(|wanted| !known(wanted)) {
        return Err(Refusal::invalid(format!("there is no rule {unknown}")));
    }
    change(state, call, &id, |rules| {
        rules.retain(|rule| {
            !rule
                .get("id")
                .and_then(Value::as_str)
                .is_some_and(|id| removed.contains(&id))
        });
    });
    Ok(Reply::done(&id))
}

fn change(state: &mut State, call: &Call, id: &str, change: impl FnOnce(&mut Vec<Value>)) {
    generic::record_write(state, call, id);
    state.amend(id, |group| {
        if let Value::Array(rules) = group.extra_mut().entry(RULES).or_insert_with(|| json!([])) {
            change(rules);
        }
    });
}

fn answered(body: Value, id: &str) -> Reply {
    Reply {
        resource: Some(id.to_owned()),
        ..Reply::value(body)
    }
}

/// The VNICs that are in a group.
pub(in super::super) fn vnics(state: &mut State, call: &Call) -> Result<Reply, Refusal> {
    let group = state.get(call, call.kind, call.param(0))?;
    let vnics = state
        .holders(&group.id)
        .filter(|holder| holder.kind.name == "Vnic" && holder.lives())
        .map(|vnic| {
            json!({
                "vnicId": vnic.id,
                "resourceId": vnic.extra().get("instanceId"),
                "timeAssociated": vnic.body().get("timeCreated"),
            })
        });
    list::values(call, vnics)
}
