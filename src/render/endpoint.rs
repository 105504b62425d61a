//! What leads to a cluster's published services: our own load balancer at its endpoint, and DNS records.

use std::net::IpAddr;

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::fleet::model::{Cluster, EndpointBalancer, Hosted, ManagementCluster, Service};
use crate::resource::Reference;

/// A network load balancer, as far as it has to be worked out.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Balancer {
    name: String,
    backend_sets: Value,
    listeners: Value,
}

/// One name in the cluster's zone.
#[derive(Debug, Serialize)]
pub(super) struct Record {
    name: String,
    pub(super) domain: String,
    rtype: &'static str,
    rdata: Value,
}

fn balancer_name(cluster: &Cluster) -> String {
    format!("{}-endpoint", cluster.object_name)
}

/// The load balancer: a listener at each node port, and behind it that port of each node.
pub(super) fn balancer(cluster: &Cluster) -> Option<Balancer> {
    let hosted = cluster.hosted()?;
    let EndpointBalancer { nodes, .. } = hosted.endpoint.as_ref()?;
    let mut sets = Map::new();
    let mut listeners = Map::new();
    for (service, port) in hosted
        .services
        .iter()
        .filter_map(|service| Some((service, service.port?)))
    {
        let name = service.name.to_lowercase();
        let backends: Vec<Value> = nodes
            .iter()
            .map(|node| json!({"ipAddress": node, "port": port}))
            .collect();
        let set = json!({
            "policy": "FIVE_TUPLE",
            "isPreserveSource": false,
            "healthChecker": {"protocol": "TCP", "port": port},
            "backends": backends,
        });
        sets.insert(name.clone(), set);
        let listener = json!({"name": name, "defaultBackendSetName": name, "port": port, "protocol": "TCP"});
        listeners.insert(name, listener);
    }
    Some(Balancer {
        name: balancer_name(cluster),
        backend_sets: Value::Object(sets),
        listeners: Value::Object(listeners),
    })
}

/// The records whose targets are known: of the load balancer, and of routes where the management cluster says where its
/// router is.
pub(super) fn records(cluster: &Cluster, management: Option<&ManagementCluster>) -> Vec<Record> {
    let Some(hosted) = cluster.hosted().filter(|hosted| hosted.dns_zone.is_some()) else {
        return Vec::new();
    };
    let own = hosted
        .endpoint
        .as_ref()
        .filter(|own| leads(hosted, own))
        .map(|own| Record {
            name: balancer_name(cluster),
            domain: own.hostname.clone(),
            rtype: "A",
            rdata: Reference {
                field: "ipAddresses[0].ipAddress".to_owned(),
                ..Reference::to_oci("NetworkLoadBalancer", &balancer_name(cluster))
            }
            .to_value(),
        });
    let router = management.and_then(|management| management.router_address.as_ref());
    let routes = router.into_iter().flat_map(|address| {
        let published = hosted.services.iter().filter(|service| service.strategy == "Route");
        published.filter_map(|service: &Service| {
            let name = format!("{}-{}", cluster.object_name, service.name.to_lowercase());
            let domain = service.hostname.clone()?;
            let rtype = match address.parse::<IpAddr>() {
                Ok(IpAddr::V4(_)) => "A",
                Ok(IpAddr::V6(_)) => "AAAA",
                Err(_) => "CNAME",
            };
            let rdata = address.as_str().into();
            Some(Record {
                name,
                domain,
                rtype,
                rdata,
            })
        })
    });
    own.into_iter().chain(routes).collect()
}

/// Whether a service is published at the load balancer's name.
fn leads(hosted: &Hosted, own: &EndpointBalancer) -> bool {
    let mut addresses = hosted.services.iter().filter_map(|service| service.address.as_ref());
    addresses.any(|address| *address == own.hostname)
}
