//! `doctor`: whether everything that a fleet needs is there, before somebody needs it at night.
//!
//! Each check is a function that gives findings; none of them writes anything, and none keeps the others from being made.

mod clock;
mod cluster;
mod oci;

use futures::future::join_all;

use super::connect::Access;
use super::load::LoadedFleet;
use crate::diag::Severity;
use crate::report::doctor_text::Finding;
use crate::rights::kubernetes::Purpose;

/// Options of `doctor`.
#[derive(Clone, Debug)]
pub struct DoctorOptions {
    /// How control planes are reached.
    pub access: Access,
    /// What rights are asked for.
    pub purpose: Purpose,
    /// Only this management cluster; none: all.
    pub management_cluster: Option<String>,
}

/// Examines the control planes of a fleet.
pub async fn doctor(loaded: &LoadedFleet, options: &DoctorOptions) -> Vec<Finding> {
    let mut findings = vec![files(loaded)];
    let names = loaded.fleet.management_clusters.keys();
    let meant = options.management_cluster.as_deref();
    let names = names.filter(|name| meant.is_none_or(|meant| meant == name.as_str()));
    let clusters = names.map(|name| cluster::examine(loaded, name, options));
    let clusters: Vec<Vec<Finding>> = join_all(clusters.collect::<Vec<_>>()).await;
    if clusters.is_empty() {
        findings.push(match meant {
            Some(name) => Finding::fail(
                "connection",
                name,
                "the fleet has no management cluster of this name",
                "see `kind: ManagementCluster` in the fleet files",
            ),
            None => Finding::warn(
                "connection",
                "",
                "the fleet has no management cluster",
                "add a document of `kind: ManagementCluster`",
            ),
        });
    }
    findings.extend(clusters.into_iter().flatten());
    findings.extend(oci::examine(loaded, &options.access).await);
    findings
}

/// What is wrong with the files has been shown already.
fn files(loaded: &LoadedFleet) -> Finding {
    const CHECK: &str = "files";
    let summary = loaded.summary();
    if loaded.has_errors() {
        return Finding::fail(
            CHECK,
            "",
            summary,
            "`fleetwright validate` shows the errors in their places",
        );
    }
    if let Some(note) = loaded.notes.iter().find(|note| note.contains("fleet.lock")) {
        let note = note.trim_start_matches("note: ");
        return Finding::warn(
            CHECK,
            "",
            note,
            "a daemon does not take a revision whose lock is not up to date",
        );
    }
    if loaded.diagnostics.iter().any(|d| d.severity == Severity::Warning) {
        return Finding::warn(
            CHECK,
            "",
            summary,
            "`fleetwright validate` shows the warnings in their places",
        );
    }
    Finding::ok(CHECK, "", summary)
}
