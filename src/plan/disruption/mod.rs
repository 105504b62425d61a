//! What a plan costs those who run on the clusters: which control planes roll, which nodes are replaced, what is lost.
//!
//! By HyperShift's rules for its own two kinds: a HostedCluster's fields roll its control plane, some of them its pools too;
//! a NodePool's machine template and configuration replace its nodes, or update them in place. What is said of time is an
//! estimate from counts, and no promise.

mod fields;
mod pools;
#[cfg(test)]
mod tests;
mod topology;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

pub use pools::{Count, PoolRollout, Rollout};

use super::build::Plan;
use super::change::{Action, Block, Change};
use crate::fleet::model::{Cluster, Fleet};
use crate::resource::{ClusterName, Part, ResourceId, UnitId};
use fields::Effect;
use pools::Rolling;

/// How bad it is, the worst last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Class {
    /// Nobody notices.
    #[default]
    None,
    /// Something that runs is changed, and goes on running.
    InPlace,
    /// Pods restart one after another.
    RollingRestart,
    /// The control plane's pods are replaced one after another; a single replica is away meanwhile.
    ControlPlaneRollout,
    /// Nodes are replaced, updated in place with a reboot, or taken away: what runs on them is drained.
    NodeReplacement,
    /// The object is deleted, or made anew: what it holds is lost.
    DataLoss,
    /// It can't be done in place, and is not tried.
    Refused,
}

impl Class {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::None => "no disruption",
            Self::InPlace => "in place",
            Self::RollingRestart => "rolling restart",
            Self::ControlPlaneRollout => "control-plane rollout",
            Self::NodeReplacement => "node replacement",
            Self::DataLoss => "data loss",
            Self::Refused => "refused",
        }
    }
}

/// What one change costs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Disruption {
    /// The worst of it.
    pub class: Class,
    /// Whether a control plane rolls.
    pub control_plane: bool,
    /// Pools whose nodes are replaced or updated.
    pub pools: Vec<PoolRollout>,
    /// Clusters that it is about, where that is not the one of its unit: those of a class.
    pub clusters: Vec<ClusterName>,
    /// Nodes that go and are not replaced.
    pub removed: Count,
    /// Whether its whole unit is to go, and the files say so: nobody counts on its nodes any more.
    pub is_meant: bool,
    /// The fields that make it so, sorted.
    pub because: Vec<String>,
    /// What to do instead, where it is refused.
    pub way_out: Option<String>,
}

/// What a whole plan costs, of what goes ahead and of what follows it by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Clusters that notice more than a rolling restart.
    pub clusters: usize,
    /// Control planes that roll.
    pub control_planes: usize,
    /// Pools whose nodes are replaced or updated.
    pub pools: usize,
    /// Nodes that are replaced.
    pub nodes: Count,
    /// Nodes that are updated in place.
    pub updated: Count,
    /// Nodes that go and are not replaced.
    pub removed: Count,
    /// Objects whose contents are lost.
    pub lost: usize,
    /// Those of them that are volumes; the others are control planes.
    pub volumes: usize,
    /// Minutes that the slowest pool takes.
    pub minutes: Count,
}

/// What is said of a plan.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Forecast {
    /// By object; those without any disruption are left out.
    pub changes: BTreeMap<ResourceId, Disruption>,
    /// Of all.
    pub totals: Totals,
    /// What the estimates go by.
    pub pace: Pace,
}

impl Forecast {
    /// Has the estimates go by another pace.
    pub fn go_by(&mut self, pace: Pace) {
        let before = self.pace.node_minutes.max(1);
        // Every estimate is a whole number of rounds.
        let minutes = |count: Count| Count {
            min: (count.min / before).saturating_mul(pace.node_minutes),
            max: (count.max / before).saturating_mul(pace.node_minutes),
        };
        for pool in self.changes.values_mut().flat_map(|disruption| &mut disruption.pools) {
            pool.minutes = minutes(pool.minutes);
        }
        self.totals.minutes = minutes(self.totals.minutes);
        self.pace = pace;
    }
}

impl Forecast {
    /// Leaves what is said of some changes alone, and counts that.
    pub fn narrow(&mut self, changes: &[Change]) {
        let shown: BTreeSet<&ResourceId> = changes.iter().map(|change| &change.id).collect();
        self.changes.retain(|id, _| shown.contains(id));
        let mut touched = Touched::default();
        for change in changes.iter().filter(|change| change.goes_ahead()) {
            if let Some(disruption) = self.changes.get(&change.id) {
                touched.add(change, disruption);
            }
        }
        self.totals = touched.totals();
    }
}

/// How long things take, for estimates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Minutes from draining one node to its successor being ready.
    pub node_minutes: u32,
}

impl Default for Pace {
    /// Ten minutes a node: virtual machines of OCI boot in three, draining takes the rest.
    fn default() -> Self {
        Self { node_minutes: 10 }
    }
}

/// What is known besides the plan.
#[derive(Clone, Copy)]
pub struct Facts<'a> {
    /// The fleet.
    pub fleet: &'a Fleet,
    /// How many nodes a NodePool has now; none where that is not known, and the files are gone by.
    pub nodes: &'a dyn Fn(&ResourceId) -> Option<Count>,
    /// A pool's object as a cluster's files have it rendered, where they do.
    pub wanted: &'a dyn Fn(&ClusterName, &ResourceId) -> Option<Value>,
    /// How long things take.
    pub pace: Pace,
}

/// Says what a plan costs.
pub fn forecast(plan: &Plan, facts: Facts<'_>) -> Forecast {
    let made: BTreeSet<&ResourceId> = plan
        .changes
        .iter()
        .filter(|change| change.action == Action::Create)
        .map(|change| &change.id)
        .collect();
    let mut forecast = Forecast {
        pace: facts.pace,
        ..Forecast::default()
    };
    let mut touched = Touched::default();
    for change in &plan.changes {
        let disruption = of_change(change, plan, facts, &made);
        if disruption.class == Class::None {
            continue;
        }
        if counts(change) {
            touched.add(change, &disruption);
        }
        forecast.changes.insert(change.id.clone(), disruption);
    }
    forecast.totals = touched.totals();
    forecast
}

fn counts(change: &Change) -> bool {
    change.goes_ahead() || change.follows()
}

/// The changes that disrupt nodes, of those that go ahead or follow by themselves, and how many: at most, and each pool with
/// the first change that rolls it. By the plan's forecast.
pub fn disrupted(plan: &Plan) -> Vec<(&Change, u64)> {
    let mut seen: BTreeSet<(&UnitId, &str)> = BTreeSet::new();
    let changes = plan.changes.iter().filter(|change| counts(change));
    let disrupted = changes.filter_map(|change| {
        let cost = plan.forecast.changes.get(&change.id)?;
        if cost.is_meant || (cost.pools.is_empty() && cost.removed.is_zero()) {
            return None;
        }
        let mut nodes = u64::from(cost.removed.max);
        for pool in cost.pools.iter().filter(|pool| pool.how.disrupts()) {
            if seen.insert((&change.unit, &pool.object_name)) {
                nodes += u64::from(pool.nodes.max);
            }
        }
        Some((change, nodes))
    });
    disrupted.collect()
}

/// The nodes that all pools of a fleet ask for, at most.
pub fn nodes_of(fleet: &Fleet) -> u64 {
    let pools = fleet.clusters.values().flat_map(Cluster::scales);
    pools.map(|(_, scale)| u64::from(Count::of(scale).max)).sum()
}

/// Each thing counted once, however many changes touch it.
#[derive(Default)]
struct Touched<'a> {
    clusters: BTreeSet<Cow<'a, UnitId>>,
    control_planes: BTreeSet<Cow<'a, UnitId>>,
    pools: BTreeMap<String, PoolRollout>,
    removed: Count,
    lost: usize,
    volumes: usize,
}

impl<'a> Touched<'a> {
    fn add(&mut self, change: &'a Change, disruption: &Disruption) {
        let of_class = disruption.clusters.iter().cloned().map(UnitId::Cluster);
        let mut units: Vec<Cow<'a, UnitId>> = of_class.map(Cow::Owned).collect();
        if units.is_empty() {
            units.push(Cow::Borrowed(&change.unit));
        }
        if disruption.class > Class::RollingRestart {
            self.clusters.extend(units.iter().cloned());
        }
        if disruption.control_plane {
            self.control_planes.extend(units);
        }
        for pool in disruption.pools.iter().filter(|pool| pool.how.disrupts()) {
            self.pools.insert(pool.object_name.clone(), pool.clone());
        }
        self.removed += disruption.removed;
        self.lost += usize::from(disruption.class == Class::DataLoss);
        self.volumes += usize::from(disruption.class == Class::DataLoss && is_volume(&change.id));
    }

    fn totals(self) -> Totals {
        let mut totals = Totals {
            clusters: self.clusters.len(),
            control_planes: self.control_planes.len(),
            pools: self.pools.len(),
            removed: self.removed,
            lost: self.lost,
            volumes: self.volumes,
            ..Totals::default()
        };
        for pool in self.pools.values() {
            match pool.how {
                Rollout::InPlace => totals.updated += pool.nodes,
                Rollout::Replace | Rollout::OnDelete | Rollout::Paused => totals.nodes += pool.nodes,
            }
            totals.minutes = totals.minutes.worse(pool.minutes);
        }
        totals
    }
}

fn of_change(change: &Change, plan: &Plan, facts: Facts<'_>, made: &BTreeSet<&ResourceId>) -> Disruption {
    let cluster = match &change.unit {
        UnitId::Cluster(name) => facts.fleet.clusters.get(name),
        UnitId::ManagementCluster(_) | UnitId::Network(_) => None,
    };
    if let Some(way_out) = refused(change, plan) {
        return Disruption {
            class: Class::Refused,
            because: change.fields.iter().map(|diff| diff.field.clone()).collect(),
            way_out: Some(way_out),
            ..Disruption::default()
        };
    }
    match change.action {
        Action::Update | Action::Adopt => {
            of_config(change, cluster, facts).unwrap_or_else(|| of_fields(change, cluster, made, facts))
        }
        Action::Delete => of_delete(change, plan, facts),
        Action::Create | Action::Forget | Action::Leave => Disruption::default(),
    }
}

/// How the refusal of what can't be changed is lifted; none where it is not refused for that.
fn refused(change: &Change, plan: &Plan) -> Option<String> {
    let by = |block: &Block| match block {
        Block::Guard { guard } => ["immutable", super::admission::ADMISSION]
            .contains(guard)
            .then_some(*guard),
        _ => None,
    };
    let guard = change.blocks.iter().find_map(by)?;
    let mut of = plan.refusals.iter().filter(|refusal| refusal.guard == guard);
    let refusal = of.find(|refusal| refusal.objects.contains(&change.id));
    Some(refusal.map(|refusal| refusal.lift.clone()).unwrap_or_default())
}

/// What is in a ConfigMap that pools name is a part of their configuration: another content rolls them as another name does.
fn of_config(change: &Change, cluster: Option<&Cluster>, facts: Facts<'_>) -> Option<Disruption> {
    let (id, cluster) = (&change.id, cluster?);
    let is_config = id.kind == "ConfigMap" && id.group.is_empty() && id.namespace.as_ref() == Some(&cluster.namespace);
    let data = |field: &str| [".data", ".binaryData"].iter().any(|data| field.starts_with(data));
    let because: Vec<String> = change
        .fields
        .iter()
        .map(|diff| diff.field.clone())
        .filter(|field| data(field))
        .collect();
    if !is_config || because.is_empty() {
        return None;
    }
    let named = cluster
        .node_pools()
        .filter(|pool| pool.config.iter().chain(&pool.tuning).any(|name| *name == id.name));
    let pools: Vec<PoolRollout> = named
        .map(|pool| pools::rollout(cluster, &Rolling::hosted(pool), facts))
        .collect();
    (!pools.is_empty()).then(|| Disruption {
        class: Class::NodeReplacement,
        pools,
        because,
        ..Disruption::default()
    })
}

fn of_fields(change: &Change, cluster: Option<&Cluster>, made: &BTreeSet<&ResourceId>, facts: Facts<'_>) -> Disruption {
    let mut disruption = Disruption::default();
    let mut rolls_pools = false;
    for diff in change.all_fields() {
        let effect = fields::effect(&change.id, diff);
        let class = match effect {
            Effect::Nothing => continue,
            Effect::InPlace => Class::InPlace,
            Effect::Restart => Class::RollingRestart,
            Effect::ControlPlane => Class::ControlPlaneRollout,
            Effect::ControlPlaneAndPools | Effect::Pool => Class::NodeReplacement,
        };
        disruption.control_plane |= matches!(effect, Effect::ControlPlane | Effect::ControlPlaneAndPools);
        rolls_pools |= matches!(effect, Effect::ControlPlaneAndPools | Effect::Pool);
        disruption.class = disruption.class.max(class);
        disruption.because.push(diff.field.clone());
    }
    let exactly = |count: Count| (count.min == count.max).then_some(count.max);
    if let Some(gone) = fields::removed(change, (facts.nodes)(&change.id).and_then(exactly)) {
        disruption.removed += gone;
        disruption.class = disruption.class.max(Class::NodeReplacement);
    }
    disruption.because.sort();
    if Part::of(&change.id.kind) == Some(Part::Class) {
        return of_class(disruption, change, facts);
    }
    let workers = match (&change.id.kind[..], cluster) {
        ("Cluster", Some(_)) => topology::workers(change),
        _ => topology::Workers::default(),
    };
    if workers.removed > 0 {
        disruption.removed += Count::exactly(workers.removed);
        disruption.class = disruption.class.max(Class::NodeReplacement);
    }
    let (true, Some(cluster)) = (rolls_pools || !workers.rolled.is_empty(), cluster) else {
        return disruption;
    };
    disruption.class = disruption.class.max(Class::NodeReplacement);
    let is_pool = matches!(Part::of(&change.id.kind), Some(Part::Pool | Part::PoolOfOci));
    let is_new = |name: &str| {
        let mut pools = made.iter().filter(|id| Part::of(&id.kind) == Some(Part::Pool));
        pools.any(|id| id.name == name)
    };
    for pool in Rolling::of(cluster) {
        let is_meant = if is_pool {
            pool.object_name == change.id.name
        } else if rolls_pools {
            !is_new(pool.object_name) && !workers.new.contains(pool.name.as_str())
        } else {
            workers.rolled.contains(pool.name.as_str())
        };
        if is_meant {
            disruption.pools.push(pools::rollout(cluster, &pool, facts));
        }
    }
    if !is_pool && disruption.pools.is_empty() && disruption.removed.is_zero() {
        disruption.class = Class::ControlPlaneRollout;
    }
    disruption
}

/// All clusters of a class follow it.
fn of_class(mut disruption: Disruption, class: &Change, facts: Facts<'_>) -> Disruption {
    for cluster in topology::of_class(&class.id, facts.fleet) {
        disruption.clusters.push(cluster.name.clone());
        let pools = Rolling::of(cluster).map(|pool| pools::rollout(cluster, &pool, facts));
        disruption.pools.extend(pools);
    }
    if disruption.clusters.is_empty() {
        // Nobody follows it.
        return Disruption::default();
    }
    if disruption.pools.is_empty() && disruption.class == Class::NodeReplacement {
        disruption.class = Class::ControlPlaneRollout;
    }
    disruption
}

fn has_control_plane(change: &Change, plan: &Plan) -> bool {
    let mut beside = plan.changes.iter().filter(|other| other.unit == change.unit);
    beside.any(|other| Part::of(&other.id.kind) == Some(Part::ControlPlane))
}

/// Whether an object is a volume, or the claim to one, which mostly takes it along.
pub fn is_volume(id: &ResourceId) -> bool {
    id.group.is_empty() && matches!(id.kind.as_str(), "PersistentVolumeClaim" | "PersistentVolume")
}

fn of_delete(change: &Change, plan: &Plan, facts: Facts<'_>) -> Disruption {
    let class = match Part::of(&change.id.kind) {
        // A Cluster and what it stands on go with its control plane, which holds the data.
        Some(Part::Hosted | Part::ControlPlane) => Class::DataLoss,
        // That of a cluster of a class is none of ours to delete: it goes with the Cluster.
        Some(Part::Cluster) if change.id.kind == "Cluster" && !has_control_plane(change, plan) => Class::DataLoss,
        Some(Part::Pool) => Class::NodeReplacement,
        _ if is_volume(&change.id) => Class::DataLoss,
        _ => Class::None,
    };
    // The files don't have it any more: only the live object tells.
    let nodes = (class == Class::NodeReplacement)
        .then(|| (facts.nodes)(&change.id))
        .flatten();
    Disruption {
        class,
        is_meant: facts.fleet.decommission.contains_key(&change.unit),
        removed: nodes.unwrap_or_default(),
        ..Disruption::default()
    }
}
