//! The JSON view of the clusters' state.

use schemars::JsonSchema;
use serde::Serialize;

use super::{ObjectReport, Versioned, object};
use crate::report::status_text::{self, ClusterStatus};
use crate::sync::{Suspension, UnitSync};

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
    /// What the daemon tells of it; absent where none does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sync: Option<SyncReport>,
    /// What keeps it from being written; absent where nothing does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suspension: Option<SuspendedReport>,
    /// Its HostedCluster and NodePools.
    pub objects: Vec<ObjectStatusReport>,
}

/// What the daemon tells of a cluster.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SyncReport {
    /// `InSync`, `Reconciling`, `Drifted`, `Refused`, `Waiting`, `Held`, `Suspended`, `Failed`, `Unknown`.
    pub state: String,
    /// The same for people.
    pub message: String,
    /// The revision by which it was last looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_revision: Option<String>,
    /// The revision that last changed something of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub applied_revision: Option<String>,
    /// When the oldest drift was first seen, RFC 3339; absent where nothing has drifted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drift_since: Option<String>,
    /// How many objects have drifted.
    pub drifted: i64,
    /// Why the last attempt did not succeed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
}

/// A suspension.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SuspendedReport {
    /// Why.
    pub reason: String,
    /// When it ends by itself, RFC 3339; absent: when somebody ends it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Where it is asked for.
    pub by: String,
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

fn sync(sync: &UnitSync) -> SyncReport {
    let drift = sync.drift.as_ref();
    SyncReport {
        state: sync.state.clone(),
        message: sync.message.clone(),
        observed_revision: sync.observed_revision.clone(),
        applied_revision: sync.applied_revision.clone(),
        drift_since: drift.map(|drift| drift.since.to_string()),
        drifted: drift.map_or(0, |drift| drift.count),
        last_error: sync.last_error.as_ref().map(|error| error.message.clone()),
    }
}

fn suspension(suspension: &Suspension) -> SuspendedReport {
    SuspendedReport {
        reason: suspension.reason.clone(),
        until: suspension.until.map(|until| until.to_string()),
        by: suspension.by.to_string(),
    }
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
            sync: cluster.sync.as_ref().map(sync),
            suspension: cluster.suspension.as_ref().map(suspension),
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
