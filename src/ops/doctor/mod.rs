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
    /// Only these management clusters; empty: all.
    pub management_clusters: Vec<String>,
}

/// Examines the control planes of a fleet.
pub async fn doctor(loaded: &LoadedFleet, options: &DoctorOptions) -> Vec<Finding> {
    let mut findings = vec![files(loaded)];
    let names = loaded.fleet.management_clusters.keys();
    let meant = &options.management_clusters;
    let names = names.filter(|name| meant.is_empty() || meant.iter().any(|meant| meant == name.as_str()));
    let clusters = names.map(|name| cluster::examine(loaded, name, options));
    let clusters: Vec<Vec<Finding>> = join_all(clusters.collect::<Vec<_>>()).await;
    if loaded.fleet.management_clusters.is_empty() {
        let hint = "add a document of `kind: ManagementCluster`";
        findings.push(Finding::warn(
            "connection",
            "",
            "the fleet has no management cluster",
            hint,
        ));
    }
    let is_unknown = |name: &&String| {
        !loaded
            .fleet
            .management_clusters
            .keys()
            .any(|known| known.as_str() == *name)
    };
    for name in meant.iter().filter(is_unknown) {
        let hint = "see `kind: ManagementCluster` in the fleet files";
        findings.push(Finding::fail(
            "connection",
            name,
            "the fleet has no management cluster of this name",
            hint,
        ));
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
