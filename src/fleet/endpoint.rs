//! A load balancer of ours at a cluster's endpoint, and the name that leads to it.
//!
//! Invariant: there is one only where it is known beforehand which ports it listens on and who answers behind it.

use std::collections::BTreeSet;

use super::model::{EndpointBalancer, NetworkPlan, Service};
use super::node::Place;
use super::problems::Problems;
use super::shared::Manager;
use crate::diag::{Code, Diagnostic};

/// The name under which a cluster's services are found there, unless an address is typed.
pub(super) fn hostname(cluster: &str, base_domain: &str) -> String {
    format!("hcp.{cluster}.{base_domain}")
}

/// What it needs to be made.
pub(super) struct Wish<'a> {
    pub(super) hostname: String,
    pub(super) services: &'a [Service],
    /// The cluster's own network, where it has one.
    pub(super) plan: Option<&'a NetworkPlan>,
    pub(super) dns_zone: Option<&'a str>,
    pub(super) manager: &'a Manager,
    /// Where it was asked for.
    pub(super) place: Place,
}

/// Resolves it; none, and said why, where something lacks.
pub(super) fn derive(wish: Wish<'_>, problems: &mut Problems<'_>) -> Option<EndpointBalancer> {
    let before = problems.found.len();
    let mut lack = |code, message: String, hint: String| {
        problems.add(Diagnostic::new(code, message).hint(hint), wish.place);
    };
    let name = &wish.manager.model.name;
    if wish.plan.is_none_or(|plan| plan.peering.is_none()) {
        lack(
            Code::NotAllowed,
            "a load balancer at the endpoint needs a network of the cluster's own, peered with its management cluster's".to_owned(),
            "set `network: {peerWith: management}`, without `shared` or `existing`".to_owned(),
        );
    }
    let nodes = wish.manager.model.network.as_ref().map(|network| network.nodes.clone());
    let nodes = nodes.unwrap_or_default();
    if nodes.is_empty() {
        lack(
            Code::MissingKey,
            format!(
                "a load balancer at the endpoint hands on to the nodes of `{name}`, which gives no addresses of them"
            ),
            format!("set `network: {{nodes: [<address>, …]}}` of management cluster `{name}`"),
        );
    }
    let published = || wish.services.iter().filter(|service| service.strategy == "NodePort");
    if published().next().is_none() {
        lack(
            Code::NotAllowed,
            "a load balancer at the endpoint hands on node ports, and no service is published by one".to_owned(),
            "set `publish: nodePort`".to_owned(),
        );
    }
    let mut ports = BTreeSet::new();
    for service in published() {
        let name = &service.name;
        match service.port {
            None => lack(
                Code::MissingKey,
                format!("a load balancer at the endpoint needs to know the node port of {name}"),
                format!("fix it: `services: {{{name}: {{port: 30000}}}}`, any of 30000 to 32767 that is free there"),
            ),
            Some(port) if !ports.insert(port) => lack(
                Code::NotAllowed,
                format!("two services are published at node port {port}"),
                "give each its own".to_owned(),
            ),
            Some(_) => {}
        }
    }
    let named = published().any(|service| service.address.as_deref() == Some(&wish.hostname));
    if named && wish.dns_zone.is_none() {
        lack(
            Code::MissingKey,
            format!(
                "`{}` leads to the load balancer at the endpoint, and no zone is given to hold it",
                wish.hostname
            ),
            "set `dns: {zone: <name or OCID>}`, or type each service's `address`".to_owned(),
        );
    }
    (problems.found.len() == before).then_some(EndpointBalancer {
        hostname: wish.hostname,
        nodes,
    })
}
