//! Network load balancers: groups, backend sets and listeners have calls of their own, all of them asynchronous.

use http::Method;
use serde_json::{Map, Value, json};

use super::super::step::Step;
use super::{encode, over};
use crate::resource::oci;

/// Reserved addresses are taken as a list of ids and shown among all addresses.
pub(super) fn as_created(shown: &mut Map<String, Value>) {
    let reserved: Vec<Value> = shown
        .get("ipAddresses")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|address| address.get("reservedIp")?.get("id").filter(|id| id.is_string()))
        .map(|id| json!({"id": id}))
        .collect();
    shown.insert("reservedIps".to_owned(), reserved.into());
}

/// The calls that bring the parts to what is wanted. A listener goes before the backend set that it leads to, and comes
/// after it.
pub(in super::super) fn steps(wanted: &Map<String, Value>, live: &Map<String, Value>) -> Vec<Step> {
    let part = |spec: &Map<String, Value>, field: &str| {
        let map = spec.get(field).and_then(Value::as_object).cloned().unwrap_or_default();
        map.into_iter()
            .filter(|(_, value)| !value.is_null())
            .collect::<Map<_, _>>()
    };
    let mut steps = Vec::new();
    if let Some(groups) = wanted.get("networkSecurityGroupIds").filter(|groups| !groups.is_null())
        && live.get("networkSecurityGroupIds") != Some(groups)
    {
        let body = json!({"networkSecurityGroupIds": groups});
        steps.push(Step::new(
            "UpdateNetworkSecurityGroups",
            Method::PUT,
            "/networkSecurityGroups",
            body,
        ));
    }
    let (sets, live_sets) = (part(wanted, "backendSets"), part(live, "backendSets"));
    let (listeners, live_listeners) = (part(wanted, "listeners"), part(live, "listeners"));
    if wanted.contains_key("listeners") {
        for name in live_listeners.keys().filter(|name| !listeners.contains_key(*name)) {
            steps.push(Step::delete("DeleteListener", format!("/listeners/{}", encode(name))));
        }
    }
    steps.extend(made_or_updated(
        ("CreateBackendSet", "UpdateBackendSet", "backendSets"),
        &sets,
        &live_sets,
    ));
    steps.extend(made_or_updated(
        ("CreateListener", "UpdateListener", "listeners"),
        &listeners,
        &live_listeners,
    ));
    if wanted.contains_key("backendSets") {
        for name in live_sets.keys().filter(|name| !sets.contains_key(*name)) {
            steps.push(Step::delete(
                "DeleteBackendSet",
                format!("/backendSets/{}", encode(name)),
            ));
        }
    }
    steps
}

fn made_or_updated(
    (create, update, field): (&'static str, &'static str, &str),
    wanted: &Map<String, Value>,
    live: &Map<String, Value>,
) -> Vec<Step> {
    let mut steps = Vec::new();
    for (name, part) in wanted {
        let Some(there) = live.get(name) else {
            let mut body = part.clone();
            body["name"] = name.as_str().into();
            steps.push(Step::new(create, Method::POST, &format!("/{field}"), body));
            continue;
        };
        if differs(field, part, there) {
            // An update replaces the part: what is not named here keeps what it has.
            let mut body = over(there, part);
            if let Some(body) = body.as_object_mut() {
                body.remove("name");
            }
            let path = format!("/{field}/{}", encode(name));
            steps.push(Step::new(update, Method::PUT, &path, body));
        }
    }
    steps
}

/// Whether a part is not as it is wanted: OCI shows more of it than it takes, of each backend its name and weight.
fn differs(field: &str, wanted: &Value, there: &Value) -> bool {
    let alone = |part: &Value| json!({field: {"part": part}});
    let kind = oci::kind("NetworkLoadBalancer");
    kind.is_none_or(|kind| !oci::differences(kind, &alone(wanted), &alone(there), oci::Former::default()).is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(value: Value) -> Map<String, Value> {
        match value {
            Value::Object(map) => map,
            _ => Map::new(),
        }
    }

    #[test]
    fn listeners_go_before_their_backend_sets_and_come_after_them() {
        let live = map(json!({"backendSets": {"a": {"name": "a"}}, "listeners": {"a": {"name": "a", "port": 1}}}));
        let wanted = map(json!({"backendSets": {"b": {"policy": "FIVE_TUPLE"}}, "listeners": {"b": {"port": 1}}}));
        let operations: Vec<_> = steps(&wanted, &live).iter().map(|step| step.operation).collect();
        assert_eq!(
            operations,
            [
                "DeleteListener",
                "CreateBackendSet",
                "CreateListener",
                "DeleteBackendSet"
            ]
        );
        assert!(steps(&live, &live).is_empty());
        assert!(steps(&Map::new(), &live).is_empty(), "what is not named stays");
    }

    #[test]
    fn an_update_keeps_what_is_not_named() {
        let live = map(
            json!({"backendSets": {"a": {"name": "a", "policy": "P", "healthChecker": {"port": 1, "retries": 3}}}}),
        );
        let wanted = map(json!({"backendSets": {"a": {"healthChecker": {"port": 2}}}}));
        let steps = steps(&wanted, &live);
        assert_eq!(steps.len(), 1);
        assert_eq!(steps[0].suffix, "/backendSets/a");
        assert_eq!(
            steps[0].body,
            Some(json!({"policy": "P", "healthChecker": {"port": 2, "retries": 3}}))
        );
    }

    #[test]
    fn what_is_as_wanted_is_left_alone() {
        let shown = |addresses: &[&str]| {
            let backends: Vec<Value> = addresses
                .iter()
                .map(|address| json!({"ipAddress": address, "port": 1, "name": format!("{address}:1"), "weight": 1}))
                .collect();
            json!({"name": "s", "policy": "P", "backends": backends})
        };
        let live = map(json!({"backendSets": {"a": shown(&["10.0.0.1"]), "b": shown(&["10.0.0.1", "10.0.0.2"])}}));
        let part = json!({"policy": "P", "backends": [{"ipAddress": "10.0.0.2", "port": 1}, {"ipAddress": "10.0.0.1", "port": 1}]});
        let wanted = map(json!({"backendSets": {"a": part, "b": part}}));
        let suffixes: Vec<String> = steps(&wanted, &live).into_iter().map(|step| step.suffix).collect();
        assert_eq!(suffixes, ["/backendSets/a"]);
    }
}
