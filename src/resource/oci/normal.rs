//! Normal forms: what OCI shows of a list's item beside what was asked for is taken off, and what it assumes is filled in,
//! on both sides of a comparison.

use std::borrow::Cow;
use std::net::IpAddr;

use serde_json::{Map, Value};

use super::{Item, OciKind, Shape};

/// A copy without nulls, at any depth of maps: to OCI a null is a field that is not there.
pub fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(
            map.iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(key, value)| (key.clone(), without_nulls(value)))
                .collect(),
        ),
        Value::Array(items) => Value::Array(items.iter().map(without_nulls).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

/// A spec in its normal form: no nulls, one spelling where OCI has two, lists whose order does not matter sorted. Two specs
/// that ask for the same have the same normal form; it is what digests of specs are taken of.
pub fn normal_spec(kind: &OciKind, spec: &Value) -> Value {
    let mut spec = without_nulls(spec);
    let Some(map) = spec.as_object_mut() else { return spec };
    one_spelling(kind, map);
    for field in kind.all_fields() {
        if let (Shape::Set(item), Some(Value::Array(items))) = (field.shape, map.get_mut(field.name)) {
            *items = normal_items(item, items);
        }
    }
    spec
}

/// The single address block of a VCN is the old spelling of a list of one.
pub(super) fn one_spelling(kind: &OciKind, spec: &mut Map<String, Value>) {
    if kind.name == "Vcn"
        && let Some(block) = spec.remove("cidrBlock")
        && !spec.contains_key("cidrBlocks")
    {
        spec.insert("cidrBlocks".to_owned(), Value::Array(vec![block]));
    }
}

/// A spec in one spelling, copied only where it has another.
pub(super) fn in_one_spelling<'a>(kind: &OciKind, spec: &'a Map<String, Value>) -> Cow<'a, Map<String, Value>> {
    let mut spec = Cow::Borrowed(spec);
    if kind.name == "Vcn" && spec.contains_key("cidrBlock") {
        one_spelling(kind, spec.to_mut());
    }
    spec
}

/// The items in their normal forms, sorted; those that say nothing are left out.
pub(super) fn normal_items(item: Item, items: &[Value]) -> Vec<Value> {
    sorted(counted(item, items).map(|value| normal_item(item, value)).collect())
}

/// The items but for those that say nothing.
pub(super) fn counted(item: Item, items: &[Value]) -> impl Iterator<Item = &Value> {
    items.iter().filter(move |value| counts(item, value))
}

/// In the order of their texts.
pub(super) fn sorted(items: Vec<Value>) -> Vec<Value> {
    let mut items: Vec<(String, Value)> = items.into_iter().map(|value| (value.to_string(), value)).collect();
    items.sort_by(|a, b| a.0.cmp(&b.0));
    items.into_iter().map(|(_, value)| value).collect()
}

/// Routes within the VCN are shown beside the others and belong to OCI.
fn counts(item: Item, value: &Value) -> bool {
    item != Item::RouteRule || value.get("routeType").and_then(Value::as_str) != Some("LOCAL")
}

/// One item of a list in its normal form.
pub fn normal_item(item: Item, value: &Value) -> Value {
    let mut value = without_nulls(value);
    let Some(map) = value.as_object_mut() else { return value };
    match item {
        Item::Plain => {}
        Item::SecurityRule => security_rule(map),
        Item::RouteRule => route_rule(map),
        Item::Service => map.retain(|key, _| key == "serviceId"),
        Item::DhcpOption => map.retain(|_, value| value.as_array().is_none_or(|items| !items.is_empty())),
        Item::Record => record(map),
        Item::Backend => backend(map),
    }
    value
}

fn security_rule(rule: &mut Map<String, Value>) {
    for shown_only in ["id", "isValid", "timeCreated"] {
        rule.remove(shown_only);
    }
    assume(rule, "isStateless", false.into());
    for (end, end_type) in [("source", "sourceType"), ("destination", "destinationType")] {
        if rule.contains_key(end) {
            assume(rule, end_type, "CIDR_BLOCK".into());
        } else {
            rule.remove(end_type);
        }
    }
    // No ranges are all ports, as are no options.
    for options in ["tcpOptions", "udpOptions"] {
        if rule.get(options).and_then(Value::as_object).is_some_and(Map::is_empty) {
            rule.remove(options);
        }
    }
    no_empty_description(rule);
}

fn route_rule(rule: &mut Map<String, Value>) {
    // The old spelling; OCI shows both.
    if let Some(block) = rule.remove("cidrBlock") {
        assume(rule, "destination", block);
    }
    assume(rule, "destinationType", "CIDR_BLOCK".into());
    rule.remove("routeType");
    no_empty_description(rule);
}

fn record(record: &mut Map<String, Value>) {
    record.retain(|key, _| ["domain", "rdata", "rtype", "ttl"].contains(&key.as_str()));
    // DNS compares names without regard to case, and a final dot says nothing more.
    if let Some(Value::String(domain)) = record.get_mut("domain") {
        *domain = domain.trim_end_matches('.').to_ascii_lowercase();
    }
    // OCI writes what a record leads to in one way: names with a final dot, addresses as short as they are.
    let leads_to_a_name = record.get("rtype").is_some_and(|rtype| rtype == "CNAME");
    if let Some(Value::String(rdata)) = record.get_mut("rdata") {
        if leads_to_a_name {
            *rdata = rdata.trim_end_matches('.').to_ascii_lowercase();
        } else if let Ok(address) = rdata.parse::<IpAddr>() {
            *rdata = address.to_string();
        }
    }
}

fn backend(backend: &mut Map<String, Value>) {
    // OCI names a backend by address and port where the document does not.
    let address = ["ipAddress", "targetId"]
        .iter()
        .find_map(|key| backend.get(*key)?.as_str());
    let port = backend.get("port").map(Value::to_string).unwrap_or_default();
    if let Some(name) = address.map(|address| format!("{address}:{port}")) {
        assume(backend, "name", name.into());
    }
    assume(backend, "weight", 1.into());
    for flag in ["isBackup", "isDrain", "isOffline"] {
        assume(backend, flag, false.into());
    }
}

fn assume(map: &mut Map<String, Value>, key: &str, value: Value) {
    map.entry(key).or_insert(value);
}

fn no_empty_description(map: &mut Map<String, Value>) {
    if map.get("description").and_then(Value::as_str) == Some("") {
        map.remove("description");
    }
}
