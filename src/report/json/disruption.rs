//! The JSON view of what a plan costs those who run on the clusters.

use schemars::JsonSchema;
use serde::Serialize;

use crate::plan::disruption::{Class, Count, Disruption, PoolRollout, Rollout, Totals};

/// A number of which only bounds are known where a pool follows its load.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CountReport {
    /// At least.
    pub min: u32,
    /// At most.
    pub max: u32,
}

/// What one change costs.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DisruptionReport {
    /// The worst of it: `inPlace`, `rollingRestart`, `controlPlaneRollout`, `nodeReplacement`, `dataLoss`, `refused`.
    pub class: &'static str,
    /// Whether a control plane rolls.
    pub control_plane: bool,
    /// Pools whose nodes are replaced or updated.
    pub pools: Vec<PoolRolloutReport>,
    /// Nodes that go and are not replaced.
    pub removed: CountReport,
    /// The fields that make it so.
    pub because: Vec<String>,
    /// What to do instead, where it is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub way_out: Option<String>,
}

/// A pool that rolls.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PoolRolloutReport {
    /// The cluster.
    pub cluster: String,
    /// The pool.
    pub pool: String,
    /// `replace`, `inPlace`; `onDelete` and `paused` where nothing happens by itself.
    pub how: &'static str,
    /// Its nodes, by the fleet files.
    pub nodes: CountReport,
    /// Nodes above the size during it.
    pub surge: u32,
    /// Nodes that may be missing during it.
    pub unavailable: u32,
    /// Estimated minutes.
    pub minutes: CountReport,
}

/// What all that goes ahead costs.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DisruptionTotals {
    /// Clusters that notice more than a rolling restart.
    pub clusters: usize,
    /// Control planes that roll.
    pub control_planes: usize,
    /// Pools whose nodes are replaced or updated.
    pub pools: usize,
    /// Nodes that are replaced.
    pub nodes: CountReport,
    /// Nodes that are updated in place.
    pub updated: CountReport,
    /// Nodes that go and are not replaced.
    pub removed: CountReport,
    /// Control planes that are deleted with all data.
    pub lost: usize,
    /// Estimated minutes of the slowest pool.
    pub minutes: CountReport,
}

fn count(Count { min, max }: Count) -> CountReport {
    CountReport { min, max }
}

fn class(class: Class) -> &'static str {
    match class {
        Class::None => "none",
        Class::InPlace => "inPlace",
        Class::RollingRestart => "rollingRestart",
        Class::ControlPlaneRollout => "controlPlaneRollout",
        Class::NodeReplacement => "nodeReplacement",
        Class::DataLoss => "dataLoss",
        Class::Refused => "refused",
    }
}

/// The JSON view of what one change costs.
pub fn disruption(disruption: &Disruption) -> DisruptionReport {
    DisruptionReport {
        class: class(disruption.class),
        control_plane: disruption.control_plane,
        pools: disruption.pools.iter().map(pool).collect(),
        removed: count(disruption.removed),
        because: disruption.because.clone(),
        way_out: disruption.way_out.clone(),
    }
}

fn pool(pool: &PoolRollout) -> PoolRolloutReport {
    PoolRolloutReport {
        cluster: pool.cluster.clone(),
        pool: pool.pool.clone(),
        how: match pool.how {
            Rollout::Replace => "replace",
            Rollout::InPlace => "inPlace",
            Rollout::OnDelete => "onDelete",
            Rollout::Paused => "paused",
        },
        nodes: count(pool.nodes),
        surge: pool.surge,
        unavailable: pool.unavailable,
        minutes: count(pool.minutes),
    }
}

/// The JSON view of what all that goes ahead costs.
pub fn disruption_totals(totals: &Totals) -> DisruptionTotals {
    DisruptionTotals {
        clusters: totals.clusters,
        control_planes: totals.control_planes,
        pools: totals.pools,
        nodes: count(totals.nodes),
        updated: count(totals.updated),
        removed: count(totals.removed),
        lost: totals.lost,
        minutes: count(totals.minutes),
    }
}
