//! From fields of what is rendered back to the fleet files.
//!
//! Invariant: a place is one in a file of the user's; the built-in layer is none.

use std::collections::BTreeMap;

use super::load::LoadedFleet;
use crate::diag::Span;
use crate::fleet::{Explained, Explainer};
use crate::render::settings;
use crate::resource::{ResourceId, UnitId};

/// Follows fields of several objects; what it found out about a cluster it keeps.
pub(super) struct Tracer<'a> {
    loaded: &'a LoadedFleet,
    explainer: Explainer<'a>,
    explained: BTreeMap<String, Vec<Explained>>,
}

impl<'a> Tracer<'a> {
    pub(super) fn new(loaded: &'a LoadedFleet) -> Self {
        Self {
            loaded,
            explainer: Explainer::new(&loaded.loaded),
            explained: BTreeMap::new(),
        }
    }

    /// Where a field of an object was typed, or else what makes the object.
    pub(super) fn place(&mut self, unit: &UnitId, id: &ResourceId, field: &str) -> Option<Span> {
        self.field(unit, id, field).or_else(|| self.unit(unit))
    }

    /// Where what makes a unit was typed.
    pub(super) fn unit(&self, unit: &UnitId) -> Option<Span> {
        let fleet = &self.loaded.fleet;
        match unit {
            UnitId::Cluster(name) => fleet.clusters.get(name)?.typed.0.clone(),
            UnitId::ManagementCluster(_) | UnitId::Network(_) => None,
        }
    }

    /// Where a field of an object was typed; none where no line says it by itself.
    pub(super) fn field(&mut self, unit: &UnitId, id: &ResourceId, field: &str) -> Option<Span> {
        let UnitId::Cluster(name) = unit else {
            return None;
        };
        let cluster = self.loaded.fleet.clusters.get(name)?;
        let is_typed = |body: &serde_json::Value| body["kind"] == *id.kind && body["metadata"]["name"] == *id.name;
        if let Some(extra) = cluster.extra_manifests.iter().find(|extra| is_typed(&extra.body)) {
            return extra.typed.0.clone();
        }
        let mut pools = cluster.node_pools();
        let pool = pools.find(|pool| id.kind == "NodePool" && pool.object_name == id.name);
        let pool = pool.map(|pool| pool.name.as_str());
        let found = self
            .explained
            .entry(name.as_str().to_owned())
            .or_insert_with(|| self.explainer.explain(name.as_str(), None).unwrap_or_default());
        let wanted = settings::of_field(&id.kind, pool, field);
        let setting = wanted.iter().find_map(|wanted| at(found, wanted));
        // What no file says of a pool is said of the pool itself.
        let pool = || pool.and_then(|pool| at(found, &format!("pools.{pool}")));
        // The built-in layer is no file of the user's.
        let typed = |one: &&Explained| one.origin.layer != "built-in";
        let set = setting.filter(typed).or_else(|| pool().filter(typed));
        set.map(|one| one.origin.span.clone())
    }
}

/// A setting, or the first below it.
fn at<'e>(all: &'e [Explained], setting: &str) -> Option<&'e Explained> {
    let is_below = |field: &str| {
        field
            .strip_prefix(setting)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    all.iter().find(|one| is_below(&one.field))
}
