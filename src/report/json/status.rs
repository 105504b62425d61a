//! The JSON view of the clusters' state.

use schemars::JsonSchema;
use serde::Serialize;

use super::{ObjectReport, Versioned, object};
use crate::report::status_text::{self, ClusterStatus};

/// The state of the clusters in scope.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StatusReport {
    /// By name.
    pub clusters: Vec<ClusterReport>,
}

/// One cluster's state.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterReport {
    /// Its name.
    pub name: String,
    /// Where its control plane is.
    pub management_cluster: String,
    /// Whether its HostedCluster and all of its NodePools are ready.
    pub ready: bool,
    /// Changes that a plan would show.
    pub pending: usize,
    /// Its HostedCluster and NodePools.
    pub objects: Vec<ObjectStatusReport>,
}

/// One object's state.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObjectStatusReport {
    /// The object.
    pub object: ObjectReport,
    /// `ready`, `in progress`, `failed`, `terminating`, `absent`, `unknown`.
    pub state: &'static str,
    /// What it says of itself; empty when it is ready.
    pub message: String,
    /// The version that it runs, where it says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// Form and version of the clusters' state.
pub const STATUS: &str = "fleetwright.dev/status/v1";

/// The JSON view of the clusters' state.
pub fn status(clusters: &[ClusterStatus]) -> Versioned<StatusReport> {
    let clusters = clusters
        .iter()
        .map(|cluster| ClusterReport {
            name: cluster.unit.name().to_owned(),
            management_cluster: cluster.management_cluster.to_string(),
            ready: cluster.is_ready(),
            pending: cluster.pending,
            objects: cluster
                .objects
                .iter()
                .map(|status| ObjectStatusReport {
                    object: object(&status.id),
                    state: status_text::word(status),
                    message: status_text::says(status),
                    version: status.version.clone(),
                })
                .collect(),
        })
        .collect();
    Versioned {
        form: STATUS,
        contents: StatusReport { clusters },
    }
}
