//! The four services of a hosted control plane, derived from a publishing preset.
//!
//! Invariant: the API fixes the list at creation, its order included, so the order here never changes.

use super::cluster::Merged;
use super::model::Service;
use super::node::Place;
use super::problems::Problems;
use super::shared::Manager;
use super::spec::{self, Publish, Strategy};
use crate::diag::{Code, Diagnostic};

/// The services of one cluster; those published by node port without an address of their own get the one given.
pub(super) fn derive(
    merged: &Merged,
    (cluster, base_domain): (&str, &str),
    (manager, address): (&Manager, Option<&String>),
    (place, problems): (Place, &mut Problems<'_>),
) -> Vec<Service> {
    let publish = merged.settings.publish.unwrap_or(Publish::NodePort);
    let typed = merged.settings.services.clone().unwrap_or_default();
    let list: [(&str, &str, Option<spec::Service>); 4] = [
        ("APIServer", "api", typed.api_server),
        ("OAuthServer", "oauth", typed.oauth_server),
        ("Konnectivity", "konnectivity", typed.konnectivity),
        ("Ignition", "ignition", typed.ignition),
    ];
    let mut lacks_address = false;
    let services = list
        .into_iter()
        .map(|(name, host, typed)| {
            let typed = typed.unwrap_or_default();
            let strategy = typed.strategy.unwrap_or(match publish {
                Publish::NodePort => Strategy::NodePort,
                Publish::Route => Strategy::Route,
            });
            let node_port = matches!(strategy, Strategy::NodePort);
            let found = typed.address.or_else(|| address.cloned()).filter(|_| node_port);
            lacks_address |= node_port && found.is_none();
            let derived = matches!(strategy, Strategy::Route).then(|| format!("{host}.{cluster}.{base_domain}"));
            Service {
                name: name.to_owned(),
                strategy: match strategy {
                    Strategy::LoadBalancer => "LoadBalancer",
                    Strategy::NodePort => "NodePort",
                    Strategy::Route => "Route",
                }
                .to_owned(),
                hostname: typed.hostname.filter(|_| !node_port).or(derived),
                address: found,
                port: typed.port.filter(|_| node_port),
            }
        })
        .collect();
    if lacks_address {
        let node = merged
            .node
            .get("publish")
            .filter(|node| node.place.file != super::load::builtin_file(problems.files));
        let name = &manager.model.name;
        let message = format!("publishing by node ports needs an address, and management cluster `{name}` gives none");
        let problem = Diagnostic::new(Code::MissingKey, message)
            .related(&manager.place.span(problems.files), "this one")
            .hint("set its `nodePortAddress`: the stable IP or DNS name of a load balancer in front of its nodes")
            .hint("or `publish: route`, where it serves the Route API");
        problems.add(problem, node.map_or(place, |node| node.place));
    }
    services
}
