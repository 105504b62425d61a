//! Semantic rules: what is well-formed and still wrong, as far as it can be judged without looking at anything live.
//!
//! Invariant: a rule only reports; it changes nothing. Each has a stable code, an id and a waiver.

mod availability;
mod cidr;
mod limits;
mod names;
mod peering;
mod platform;
mod scale;
mod services;
pub(in crate::fleet) mod versions;

use ipnet::{IpNet, Ipv4Net};

use super::addresses::{self, Taken};
use super::cluster::Merged;
use super::index::Index;
use super::kind::Kind;
use super::load::{Loaded, builtin_file};
use super::lock::Lock;
use super::model::{Cluster, Fleet, Hosted};
use super::networks::Networks;
use super::node::{Node, Place, Yaml};
use super::pools::PoolPlaces;
use super::problems::Problems;
use super::shared::{Management, Manager};
use super::spec;
use crate::diag::Severity;
use crate::resource::{ClusterName, NodePoolName};

/// What rules of one cluster look at beside it.
pub(super) struct Facts<'a> {
    pub(super) merged: &'a Merged,
    pub(super) manager: &'a Manager,
    pub(super) pools: &'a PoolPlaces,
    pub(super) production: bool,
    pub(super) spec: &'a spec::FleetSpec,
    pub(super) networks: &'a Networks,
    pub(super) now: jiff::Timestamp,
    /// Where the cluster is declared.
    pub(super) place: Place,
}

impl Facts<'_> {
    /// Where a setting was written, or the cluster where it is a built-in one.
    fn at(&self, path: &[&str], problems: &Problems<'_>) -> Place {
        let node = self.merged.node.at(path);
        node.map(|node| node.place)
            .filter(|place| place.file != builtin_file(problems.files))
            .unwrap_or(self.place)
    }

    /// Where a pool's setting was written, or the pool.
    fn pool(&self, name: &NodePoolName, key: &str, problems: &Problems<'_>) -> Place {
        let Some((node, place)) = self.pools.get(name) else {
            return self.place;
        };
        node.get(key)
            .map(|node| node.place)
            .filter(|place| place.file != builtin_file(problems.files))
            .unwrap_or(*place)
    }
}

/// Rules about one hosted cluster.
type OfHosted = fn((&Cluster, &Hosted), &Facts<'_>, &mut Problems<'_>);

/// The rules about one cluster.
pub(super) fn cluster(cluster: &Cluster, facts: &Facts<'_>, problems: &mut Problems<'_>) {
    let groups: [fn(&Cluster, &Facts<'_>, &mut Problems<'_>); 4] =
        [names::check, cidr::check, platform::check, scale::check];
    for group in groups {
        group(cluster, facts, problems);
    }
    let Some(hosted) = cluster.hosted() else { return };
    let groups: [OfHosted; 5] = [
        names::hosted,
        availability::check,
        versions::check,
        services::check,
        platform::hosted,
    ];
    for group in groups {
        group((cluster, hosted), facts, problems);
    }
}

/// What the rules about the whole fleet look at.
pub(super) struct Wide<'a> {
    pub(super) index: &'a Index<'a>,
    pub(super) management: &'a Management,
    pub(super) spec: &'a spec::FleetSpec,
    pub(super) lock: &'a Lock,
}

/// The rules about the whole fleet. A cluster that breaks one as an error is moved to those that failed.
pub(super) fn fleet_wide(fleet: &mut Fleet, wide: &Wide<'_>, problems: &mut Problems<'_>) {
    let before = problems.found.len();
    scale::fleet(fleet, wide, problems);
    scale::density(fleet, wide, problems);
    limits::fleet(fleet, wide, problems);
    peering::fleet(fleet, wide, problems);
    services::fleet(fleet, wide, problems);
    names::fleet(wide, problems);
    let failed: Vec<_> = problems
        .found
        .iter()
        .skip(before)
        .filter(|problem| problem.severity == Severity::Error)
        .flat_map(|problem| &problem.clusters)
        .map(ClusterName::new)
        .collect();
    for name in failed {
        if fleet.clusters.remove(&name).is_some() {
            fleet.failed.insert(name);
        }
    }
}

/// What is never handed out: pod and service ranges of every layer, and the networks that somebody typed.
pub(super) fn reserve(index: &Index<'_>, loaded: &Loaded, taken: &mut Taken) {
    for node in index.of(Kind::Network).filter_map(|network| network.spec.get("vcn")) {
        for net in ranges(node) {
            taken.add(net);
        }
    }
    let mut add = |settings: Option<&Node>| {
        for key in ["cluster", "service", "vcn"] {
            let Some(node) = settings.and_then(|settings| settings.at(&["network", key])) else {
                continue;
            };
            for net in ranges(node) {
                taken.add(net);
            }
        }
    };
    add(Some(&loaded.builtin));
    let sections = |spec: Option<&Node>| -> Vec<Node> {
        let regions = spec.and_then(|spec| spec.get("regions"));
        regions.map_or_else(Vec::new, |regions| {
            regions.entries().iter().map(|entry| entry.value.clone()).collect()
        })
    };
    add(index.fleet_spec().and_then(|fleet| fleet.get("defaults")));
    for section in sections(index.fleet_spec()) {
        add(Some(&section));
    }
    for environment in index.of(Kind::Environment) {
        add(Some(&environment.spec));
        for section in sections(Some(&environment.spec)) {
            add(Some(&section));
        }
    }
    for declared in index.clusters.values() {
        add(declared.shared());
        add(Some(declared.own));
    }
}

/// The IPv4 ranges of a value that is one or a list of them; what is none is reported elsewhere.
fn ranges(node: &Node) -> impl Iterator<Item = Ipv4Net> {
    let items = match &node.value {
        Yaml::List(items) => items.as_slice(),
        _ => std::slice::from_ref(node),
    };
    let nets = items
        .iter()
        .filter_map(Node::as_str)
        .filter_map(|text| text.parse::<IpNet>().ok());
    nets.filter_map(addresses::v4)
}
