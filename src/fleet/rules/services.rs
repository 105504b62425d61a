//! svc-four, svc-matrix, svc-route, svc-host-unique, apiserver-route-host: how services are published.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Facts, Wide};
use crate::diag::{Code, Diagnostic};
use crate::fleet::model::{Cluster, Fleet, Hosted};
use crate::fleet::node::Place;
use crate::fleet::problems::Problems;

/// What the HostedCluster will say of one service.
struct Published {
    name: String,
    strategy: String,
    hostname: Option<String>,
    place: Place,
}

const FOUR: [&str; 4] = ["APIServer", "OAuthServer", "Konnectivity", "Ignition"];

/// The services as rendered: a raw patch of the list replaces the derived one.
fn published(hosted: &Hosted, facts: &Facts<'_>, problems: &Problems<'_>) -> Vec<Published> {
    if let Some(list) = hosted.hosted_cluster_patch.get("services").and_then(Value::as_array) {
        let text = |value: &Value, pointer: &str| value.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let node = facts.merged.node.at(&["hostedCluster", "services"]);
        return list
            .iter()
            .enumerate()
            .map(|(index, item)| Published {
                name: text(item, "/service").unwrap_or_default(),
                strategy: text(item, "/servicePublishingStrategy/type").unwrap_or_default(),
                hostname: text(item, "/servicePublishingStrategy/route/hostname")
                    .or_else(|| text(item, "/servicePublishingStrategy/loadBalancer/hostname")),
                place: node
                    .and_then(|node| node.item(index))
                    .map_or(facts.place, |node| node.place),
            })
            .collect();
    }
    hosted
        .services
        .iter()
        .map(|service| {
            let key = if facts.merged.node.at(&["services", &service.name]).is_some() {
                Some(service.name.as_str())
            } else {
                None
            };
            let place = match key {
                Some(key) => facts.at(&["services", key], problems),
                None => facts.at(&["publish"], problems),
            };
            Published {
                name: service.name.clone(),
                strategy: service.strategy.clone(),
                hostname: service.hostname.clone(),
                place,
            }
        })
        .collect()
}

pub(super) fn check((cluster, hosted): (&Cluster, &Hosted), facts: &Facts<'_>, problems: &mut Problems<'_>) {
    let services = published(hosted, facts, problems);
    for name in FOUR {
        let mut all = services.iter().filter(|service| service.name == name);
        let place = facts.at(&["hostedCluster", "services"], problems);
        if all.next().is_none() {
            let message = format!("`{}` publishes no {name}", cluster.name);
            problems.rule(
                Diagnostic::new(Code::SvcFour, message).hint(format!("all of {} are needed", FOUR.join(", "))),
                place,
            );
        } else if let Some(second) = all.next() {
            problems.rule(
                Diagnostic::new(Code::SvcFour, format!("{name} is published twice")),
                second.place,
            );
        }
    }
    let mut hosts: BTreeMap<&str, &str> = BTreeMap::new();
    let routes = facts.manager.model.routes;
    if !routes && let Some(first) = services.iter().find(|service| service.strategy == "Route") {
        let manager = &facts.manager.model.name;
        let message = format!(
            "{} is published by a route, and `{manager}` serves no Route API",
            first.name
        );
        let problem = Diagnostic::new(Code::SvcRoute, message)
            .related(&facts.manager.place.span(problems.files), "this management cluster")
            .hint("set its `routes: true` once `route.openshift.io` is installed there, or `publish: nodePort`");
        problems.rule(problem, first.place);
    }
    for service in &services {
        let (name, strategy) = (service.name.as_str(), service.strategy.as_str());
        if strategy == "LoadBalancer" && (name == "Ignition" || name == "OAuthServer") {
            let message = format!("{name} can't be published by a load balancer on OCI");
            let problem = Diagnostic::new(Code::SvcMatrix, message)
                .hint("only APIServer and Konnectivity can; give this one a node port or a route");
            problems.rule(problem, service.place);
        }
        if name == "APIServer" && strategy == "Route" && service.hostname.is_none() {
            let problem = Diagnostic::new(Code::ApiserverRouteHost, "a route of APIServer needs a host name");
            problems.rule(problem, service.place);
        }
        if let Some(host) = service.hostname.as_deref()
            && let Some(other) = hosts.insert(host, name)
        {
            let message = format!("{other} and {name} share the host name `{host}`");
            problems.rule(Diagnostic::new(Code::SvcHostUnique, message), service.place);
        }
    }
}

/// Host names over the whole fleet.
pub(super) fn fleet(fleet: &Fleet, wide: &Wide<'_>, problems: &mut Problems<'_>) {
    let mut hosts: BTreeMap<&str, (&str, &str)> = BTreeMap::new();
    for cluster in fleet.clusters.values() {
        for service in cluster.hosted().into_iter().flat_map(|hosted| &hosted.services) {
            let Some(host) = service.hostname.as_deref() else {
                continue;
            };
            let here = (cluster.name.as_str(), service.name.as_str());
            let Some(other) = hosts.insert(host, here).filter(|other| other.0 != here.0) else {
                continue;
            };
            let places = (wide.index.clusters.get(here.0), wide.index.clusters.get(other.0));
            let (Some(place), Some(first)) = places else { continue };
            let message = format!("{} of `{}` has the host name `{host}` of `{}`", here.1, here.0, other.0);
            let problem = Diagnostic::new(Code::SvcHostUnique, message)
                .related(&first.place.span(problems.files), format!("its {} has it", other.1))
                .cluster(here.0)
                .cluster(other.0);
            problems.rule(problem, place.place);
        }
    }
}
