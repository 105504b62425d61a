//! The JSON view of a cluster's way to another release.

use schemars::JsonSchema;
use serde::Serialize;

use super::{UnitReport, unit};
use crate::plan::Plan;
use crate::plan::upgrade::{Course, PoolCourse};
use crate::report::upgrade_text::stop;
use crate::resource::UnitId;

/// A cluster's way to another release.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UpgradeReport {
    /// The cluster.
    pub unit: UnitReport,
    /// The version that its control plane completed last.
    pub from: String,
    /// The version that its control plane is asked for and has not completed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub under_way: Option<String>,
    /// Versions that its control plane is still to be asked for, in order.
    pub steps: Vec<String>,
    /// Pools that follow.
    pub pools: Vec<PoolUpgradeReport>,
    /// What the next step waits for; absent where it is taken now, or stopped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits: Option<String>,
    /// Whether the next step is not taken although its turn has come: the change that takes it says what stops it.
    pub stopped: bool,
}

/// A pool's way to another release.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PoolUpgradeReport {
    /// The pool.
    pub pool: String,
    /// What it is asked for at present, where that can be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Where it goes.
    pub to: String,
}

/// The JSON view of a cluster's way.
pub fn upgrade(plan: &Plan, of: &UnitId, course: &Course) -> UpgradeReport {
    let pool = |pool: &PoolCourse| PoolUpgradeReport {
        pool: pool.name.clone(),
        from: pool.from.as_ref().map(ToString::to_string),
        to: pool.to.to_string(),
    };
    UpgradeReport {
        unit: unit(of),
        from: course.from.to_string(),
        under_way: course.under_way.as_ref().map(ToString::to_string),
        steps: course.steps.iter().map(ToString::to_string).collect(),
        pools: course.pools.iter().map(pool).collect(),
        waits: course.waits.clone(),
        stopped: course.waits.is_none() && !course.steps.is_empty() && stop(plan, of).is_some(),
    }
}
