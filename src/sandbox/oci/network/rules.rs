//! One security rule, of a list or of a group.

use serde_json::Value;

use super::super::call::{Call, text};
use super::super::cidr;
use super::super::models::Body;
use super::super::refusal::Refusal;
use super::super::state::State;
use super::group::NETWORK_SECURITY_GROUP;
use super::services;

/// Checks a rule, and says what it leaves out. `end` is `source` or `destination`.
pub(super) fn check(state: &State, call: &Call, rule: &mut Body, end: &str) -> Result<(), Refusal> {
    let kind = format!("{end}Type");
    rule.entry(kind.clone()).or_insert("CIDR_BLOCK".into());
    rule.entry("isStateless").or_insert(Value::Bool(false));
    let other = text(rule, end);
    if other.is_empty() {
        return Err(Refusal::missing(end));
    }
    match text(rule, &kind) {
        "SERVICE_CIDR_BLOCK" if services::known(call.region, other) => {}
        "SERVICE_CIDR_BLOCK" => return Err(Refusal::invalid(format!("{end}: {other} is no service label here"))),
        "NETWORK_SECURITY_GROUP" => {
            state.related(call, end, &NETWORK_SECURITY_GROUP, other)?;
        }
        _ if other.contains(':') => {}
        _ => {
            cidr::any(end, other)?;
        }
    }
    protocol(rule)
}

fn protocol(rule: &Body) -> Result<(), Refusal> {
    let protocol = text(rule, "protocol");
    if protocol != "all" && protocol.parse::<u8>().is_err() {
        return Err(Refusal::invalid(format!(
            "protocol: {protocol} is neither a number nor all"
        )));
    }
    let fits = [
        ("tcpOptions", &["6"][..]),
        ("udpOptions", &["17"]),
        ("icmpOptions", &["1", "58"]),
    ];
    for (options, protocols) in fits {
        if rule.contains_key(options) && !protocols.contains(&protocol) {
            return Err(Refusal::invalid(format!(
                "{options} does not go with protocol {protocol}"
            )));
        }
    }
    let ranges = ["tcpOptions", "udpOptions"].into_iter().flat_map(|options| {
        ["destinationPortRange", "sourcePortRange"]
            .into_iter()
            .filter_map(move |range| rule.get(options)?.get(range))
    });
    for range in ranges {
        let bound = |name: &str| range.get(name).and_then(Value::as_i64).unwrap_or_default();
        if !(1..=65535).contains(&bound("min")) || !(bound("min")..=65535).contains(&bound("max")) {
            return Err(Refusal::invalid(format!("{range} is no range of ports")));
        }
    }
    Ok(())
}
