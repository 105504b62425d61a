//! How a cluster's services are published → `publish`, and what differs from it.

use serde_json::{Map, Value};

use super::live::Object;
use super::words::is_hostname;

/// The services, and the label of the host name that each has by a route unless it says otherwise.
const SERVICES: [(&str, &str); 4] = [
    ("APIServer", "api"),
    ("OAuthServer", "oauth"),
    ("Konnectivity", "konnectivity"),
    ("Ignition", "ignition"),
];

/// What the live object publishes.
pub(super) fn published(cluster: &Object) -> impl Iterator<Item = &Value> {
    cluster
        .spec
        .get("services")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

/// `NodePort`, `Route`, `LoadBalancer`.
pub(super) fn strategy(service: &Value) -> Option<&str> {
    service.pointer("/servicePublishingStrategy/type")?.as_str()
}

/// `publish` and `services` of a cluster, where there is a need for them. `common` is the address of its management cluster.
pub(super) fn draft(
    cluster: &Object,
    (object_name, domain): (&str, &str),
    common: Option<&str>,
) -> Vec<(&'static str, Value)> {
    let count = |wanted: &str| {
        published(cluster)
            .filter(|service| strategy(service) == Some(wanted))
            .count()
    };
    let by_route = count("Route") > count("NodePort");
    let usual = if by_route { "Route" } else { "NodePort" };
    let mut exceptions = Map::new();
    for (name, label) in SERVICES {
        let Some(service) =
            published(cluster).find(|service| service.get("service").and_then(Value::as_str) == Some(name))
        else {
            continue;
        };
        let text = |pointer: &str| {
            service
                .pointer(&format!("/servicePublishingStrategy/{pointer}"))?
                .as_str()
        };
        let mut said = Map::new();
        let mut set = |key: &str, value: Value| drop(said.insert(key.to_owned(), value));
        let Some(way) = strategy(service) else { continue };
        if way != usual && ["NodePort", "Route", "LoadBalancer"].contains(&way) {
            set("strategy", way.into());
        }
        match way {
            "NodePort" => {
                if let Some(address) = text("nodePort/address").filter(|address| Some(*address) != common) {
                    set("address", address.into());
                }
                let port = service
                    .pointer("/servicePublishingStrategy/nodePort/port")
                    .and_then(Value::as_u64);
                if let Some(port) = port.filter(|port| (30000..=32767).contains(port)) {
                    set("port", port.into());
                }
            }
            "Route" => {
                let derived = format!("{label}.{object_name}.{domain}");
                let hostname = text("route/hostname").filter(|name| *name != derived && is_hostname(name));
                hostname.into_iter().for_each(|name| set("hostname", name.into()));
            }
            "LoadBalancer" => {
                let hostname = text("loadBalancer/hostname").filter(|name| is_hostname(name));
                hostname.into_iter().for_each(|name| set("hostname", name.into()));
            }
            _ => {}
        }
        if !said.is_empty() {
            exceptions.insert(name.to_owned(), Value::Object(said));
        }
    }
    let publish = if by_route { "route" } else { "nodePort" };
    let mut draft = vec![("publish", publish.into())];
    if !exceptions.is_empty() {
        draft.push(("services", Value::Object(exceptions)));
    }
    draft
}
