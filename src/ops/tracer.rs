//! From fields of what is rendered back to the fleet files.
//!
//! Invariant: a place is one in a file of the user's; the built-in layer is none.

use std::collections::BTreeMap;

use super::load::LoadedFleet;
use crate::diag::Span;
use crate::fleet::model::{Cluster, ClusterKind};
use crate::fleet::{Explained, Explainer, Kind};
use crate::render::settings;
use crate::resource::{ResourceId, UnitId};

/// Follows fields of several objects; what it found out about a unit it keeps.
pub(super) struct Tracer<'a> {
    loaded: &'a LoadedFleet,
    explainer: Explainer<'a>,
    explained: BTreeMap<UnitId, Vec<Explained>>,
}

/// Lines that a field may come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Lines {
    /// Those that say it, the likeliest first; empty where no line says it by itself.
    pub(super) said: Vec<Span>,
    /// Those that may have led to it besides: which of them did is seen by what was set since.
    pub(super) led: Vec<Span>,
}

impl Lines {
    /// All of them, those that say it first.
    pub(super) fn all(&self) -> impl Iterator<Item = &Span> {
        self.said.iter().chain(&self.led)
    }
}

impl From<Vec<Span>> for Lines {
    fn from(said: Vec<Span>) -> Self {
        Self { said, led: Vec::new() }
    }
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
        let typed = self.field(unit, id, field).said.into_iter().next();
        typed.or_else(|| self.unit(unit))
    }

    /// Where the fleet itself is typed.
    pub(super) fn fleet(&self) -> Option<Span> {
        self.explainer.fleet()
    }

    /// Where what makes a unit was typed.
    pub(super) fn unit(&self, unit: &UnitId) -> Option<Span> {
        match unit {
            UnitId::Cluster(name) => self.loaded.fleet.clusters.get(name)?.typed.0.clone(),
            UnitId::ManagementCluster(name) => self.explainer.place(Kind::ManagementCluster, name.as_str()),
            UnitId::Network(name) => self.explainer.place(Kind::Network, name.as_str()),
        }
    }

    /// Where a field of an object may have been typed.
    pub(super) fn field(&mut self, unit: &UnitId, id: &ResourceId, field: &str) -> Lines {
        if let Some(extra) = self.extra(unit, id) {
            return vec![self.explainer.within(&extra, field)].into();
        }
        // Whose layers a cluster has, and a pool's profile.
        let environment = match unit {
            UnitId::Cluster(name) => self.explainer.environment(name.as_str()),
            UnitId::ManagementCluster(_) | UnitId::Network(_) => None,
        };
        let part = self.part_of(unit, id);
        let found = self.explained(unit);
        let settings = settings::of_field(&id.kind, part.as_deref(), field);
        let settings = settings.iter().map(|setting| match unit {
            // What a cluster has below `network`, a network has itself.
            UnitId::Network(_) => setting.strip_prefix("network.").unwrap_or(setting),
            UnitId::Cluster(_) | UnitId::ManagementCluster(_) => setting,
        });
        let mut lines = Lines::default();
        for setting in settings {
            let below = found
                .iter()
                .filter(|one| is_typed(one) && is_below(&one.field, setting));
            // Of a map, another entry than the one that is meant says nothing.
            let is_it = |one: &&Explained| one.field == setting || !settings::is_map(setting);
            lines.said.extend(below.clone().find(is_it).map(place));
            lines.led.extend(below.map(place));
        }
        // What no file says of a part is said of the part itself.
        let of_part = part
            .as_deref()
            .and_then(|part| at(found, part))
            .filter(|one| is_typed(one));
        if lines.said.is_empty() && lines.led.is_empty() {
            lines.said.extend(of_part.map(place));
        }
        let profile = part.map(|part| format!("{part}.profile"));
        let by_profile = profile
            .and_then(|profile| at(found, &profile))
            .filter(|one| is_typed(one));
        lines.led.extend(by_profile.map(place).into_iter().chain(environment));
        lines
    }

    /// Where a manifest of an object is typed as it is.
    fn extra(&self, unit: &UnitId, id: &ResourceId) -> Option<Span> {
        let UnitId::Cluster(name) = unit else { return None };
        let is_it = |body: &serde_json::Value| body["kind"] == *id.kind && body["metadata"]["name"] == *id.name;
        let mut extras = self.loaded.fleet.clusters.get(name)?.extra_manifests.iter();
        extras.find(|extra| is_it(&extra.body))?.typed.0.clone()
    }

    /// What of its unit an object is made for; none where it is made for all of it.
    fn part_of(&self, unit: &UnitId, id: &ResourceId) -> Option<String> {
        let UnitId::Cluster(name) = unit else { return None };
        part(self.loaded.fleet.clusters.get(name)?, id)
    }

    /// Where the part of a unit may have been typed that an object is made for; empty where it is made for all of it.
    pub(super) fn part(&mut self, unit: &UnitId, id: &ResourceId) -> Vec<Span> {
        if let Some(extra) = self.extra(unit, id) {
            return vec![extra];
        }
        let Some(part) = self.part_of(unit, id) else {
            return Vec::new();
        };
        let found = self.explained(unit).iter();
        let of_part = found.filter(|one| is_typed(one) && is_below(&one.field, &part));
        of_part.map(|one| one.origin.span.clone()).collect()
    }

    /// All lines of the user's that an object may have come from: those of the part that it is of, or else what makes its unit, then
    /// those of its unit.
    pub(super) fn lines(&mut self, unit: &UnitId, id: &ResourceId) -> Vec<Span> {
        let mut lines = self.part(unit, id);
        if lines.is_empty() {
            lines.extend(self.unit(unit));
        }
        let of_unit = self.explained(unit).iter().filter(|one| is_typed(one));
        lines.extend(of_unit.map(|one| one.origin.span.clone()));
        lines
    }

    /// All that the files say of a unit.
    fn explained(&mut self, unit: &UnitId) -> &[Explained] {
        let (explainer, fleet) = (&self.explainer, &self.loaded.fleet);
        self.explained.entry(unit.clone()).or_insert_with(|| {
            let beside = |name: &str| {
                let of_document = explainer.document(Kind::ManagementCluster, name).unwrap_or_default();
                of_document.into_iter().map(|mut one| {
                    one.field.insert_str(0, "managementCluster.");
                    one
                })
            };
            let (said, on) = match unit {
                UnitId::Cluster(name) => (
                    explainer.explain(name.as_str(), None),
                    fleet.clusters.get(name).map(|cluster| &cluster.management_cluster),
                ),
                UnitId::Network(name) => (
                    explainer.document(Kind::Network, name.as_str()),
                    fleet.networks.get(name).map(|network| &network.management_cluster),
                ),
                UnitId::ManagementCluster(name) => (None, Some(name)),
            };
            let said = said.into_iter().flatten();
            said.chain(on.into_iter().flat_map(|name| beside(name.as_str())))
                .collect()
        })
    }
}

/// What of a cluster an object is of, as settings are named: `pools.gpu`, `controlPlane`.
fn part(cluster: &Cluster, id: &ResourceId) -> Option<String> {
    let mut pools = cluster.node_pools();
    if let Some(pool) = pools.find(|pool| id.kind == "NodePool" && pool.object_name == id.name) {
        return Some(format!("pools.{}", pool.name));
    }
    // A template's name has the digest of what is in it behind it.
    let is_of = |stem: &str| {
        let rest = id.name.strip_prefix(stem);
        rest.is_some_and(|rest| rest.is_empty() || id.kind.ends_with("Template") && rest.starts_with('-'))
    };
    let groups = cluster
        .machines()?
        .pools
        .values()
        .filter(|group| is_of(&group.object_name));
    if let Some(group) = groups.max_by_key(|group| group.object_name.len()) {
        return Some(format!("pools.{}", group.pool));
    }
    match &cluster.kind {
        ClusterKind::SelfManaged(own) => is_of(&own.control_plane.object_name).then(|| "controlPlane".to_owned()),
        ClusterKind::Hosted(_) | ClusterKind::Oke(_) | ClusterKind::Topology(_) => None,
    }
}

fn place(one: &Explained) -> Span {
    one.origin.span.clone()
}

/// Whether it is said in a file of the user's, which the built-in layer is not.
fn is_typed(one: &Explained) -> bool {
    one.origin.layer != "built-in"
}

/// A setting, or the first below it.
fn at<'e>(all: &'e [Explained], setting: &str) -> Option<&'e Explained> {
    all.iter().find(|one| is_below(&one.field, setting))
}

/// Whether a field is a setting, or below it.
fn is_below(field: &str, setting: &str) -> bool {
    let rest = field.strip_prefix(setting);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}
