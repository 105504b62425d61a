//! Semantic rules: what is well-formed and still wrong, as far as it can be judged without looking at anything live.
//!
//! Invariant: a rule only reports; it changes nothing. Each has a stable code, an id and a waiver.

use ipnet::IpNet;

use super::addresses::{self, Taken};
use super::cluster::Merged;
use super::index::Index;
use super::load::Loaded;
use super::model::{Cluster, Fleet};
use super::networks::Networks;
use super::node::{Node, Place, Yaml};
use super::pools::PoolPlaces;
use super::problems::Problems;
use super::shared::Manager;
use super::spec;

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
    /// Where a setting was written, or the cluster.
    pub(super) fn at(&self, path: &[&str]) -> Place {
        self.merged.node.at(path).map_or(self.place, |node| node.place)
    }
}

/// The rules about one cluster.
pub(super) fn cluster(_cluster: &Cluster, _facts: &Facts<'_>, _problems: &mut Problems<'_>) {}

/// The rules about the whole fleet. A cluster that breaks one as an error is moved to those that failed.
pub(super) fn fleet_wide(_fleet: &mut Fleet, _index: &Index<'_>, _spec: &spec::FleetSpec, _problems: &mut Problems<'_>) {}

/// Pod and service ranges of every layer are never handed out.
pub(super) fn reserve_pods(index: &Index<'_>, loaded: &Loaded, taken: &mut Taken) {
    let mut reserve = |settings: Option<&Node>| {
        for key in ["cluster", "service"] {
            let Some(node) = settings.and_then(|settings| settings.at(&["network", key])) else { continue };
            let texts = match &node.value {
                Yaml::List(items) => items.iter().collect(),
                _ => vec![node],
            };
            let nets = texts.into_iter().filter_map(Node::as_str).filter_map(|text| text.parse::<IpNet>().ok());
            for net in nets.filter_map(addresses::v4) {
                taken.add(net);
            }
        }
    };
    reserve(Some(&loaded.builtin));
    let sections = |spec: Option<&Node>| -> Vec<Node> {
        let regions = spec.and_then(|spec| spec.get("regions"));
        regions.map_or_else(Vec::new, |regions| regions.entries().iter().map(|entry| entry.value.clone()).collect())
    };
    reserve(index.fleet_spec().and_then(|fleet| fleet.get("defaults")));
    for section in sections(index.fleet_spec()) {
        reserve(Some(&section));
    }
    for environment in index.of(super::kind::Kind::Environment) {
        reserve(Some(&environment.spec));
        for section in sections(Some(&environment.spec)) {
            reserve(Some(&section));
        }
    }
    for declared in index.clusters.values() {
        reserve(declared.shared());
        reserve(Some(declared.own));
    }
}
