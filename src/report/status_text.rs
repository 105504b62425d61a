//! The state of clusters, as an aligned table.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::style::{Style, Tone};
use crate::resource::{ManagementClusterName, Part, ResourceId, UnitId};
use crate::status::{Readiness, State};
use crate::sync::{Suspension, UnitSync};

/// One object's state.
#[derive(Clone, Debug)]
pub struct ObjectStatus {
    /// The object.
    pub id: ResourceId,
    /// How far it is; none where it is absent or can't be seen.
    pub readiness: Option<Readiness>,
    /// `absent`, or why it can't be seen, where there is no readiness.
    pub missing: Option<String>,
    /// The version that it runs, where it says so.
    pub version: Option<String>,
}

/// One cluster's state.
#[derive(Clone, Debug)]
pub struct ClusterStatus {
    /// The unit.
    pub unit: UnitId,
    /// Where its control plane is.
    pub management_cluster: ManagementClusterName,
    /// The control plane, what it stands on, and the pools, and nothing else: the rest is ready by being there.
    pub objects: Vec<ObjectStatus>,
    /// Changes that a plan would show.
    pub pending: usize,
    /// What the daemon tells of it, where one does.
    pub sync: Option<UnitSync>,
    /// What keeps it from being written.
    pub suspension: Option<Suspension>,
}

impl ClusterStatus {
    /// Whether every object is ready.
    pub fn is_ready(&self) -> bool {
        self.objects.iter().all(|object| {
            object
                .readiness
                .as_ref()
                .is_some_and(|readiness| readiness.state == State::Ready)
        })
    }
}

/// The table: a line a cluster, and a line for each of its objects that is not ready.
pub fn render(clusters: &[ClusterStatus], style: Style) -> String {
    let mut head = ["CLUSTER", "ON", "CONTROL PLANE", "POOLS READY", "PENDING"]
        .map(str::to_owned)
        .to_vec();
    let mut rows: Vec<Vec<String>> = clusters.iter().map(|cluster| row(cluster).to_vec()).collect();
    // Where no daemon tells anything there is no column for it.
    if clusters.iter().any(|cluster| cluster.sync.is_some()) {
        head.extend(["SYNC", "REVISION"].map(str::to_owned));
        for (cluster, row) in clusters.iter().zip(&mut rows) {
            row.extend(synced(cluster));
        }
    }
    let widths: Vec<usize> = (0..head.len())
        .map(|i| {
            let cells = rows.iter().chain([&head]).filter_map(|row| row.get(i));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        })
        .collect();
    let line = |row: &Vec<String>| {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| (cell, *width))
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        cells.join("  ").trim_end().to_owned()
    };
    let mut out = String::new();
    // Writing to a String can't fail.
    let _ = writeln!(out, "{}", style.paint(Tone::Strong, line(&head)));
    for (cluster, row) in clusters.iter().zip(&rows) {
        let tone = if cluster.is_ready() { Tone::Good } else { Tone::Warn };
        let _ = writeln!(out, "{}", style.paint(tone, line(row)));
        for said in notes(cluster) {
            let _ = writeln!(out, "  {said}");
        }
        for object in cluster.objects.iter().filter(|object| !is_ready(object)) {
            let _ = writeln!(out, "  {} {}: {}", object.id.kind, object.id.name, says(object));
        }
    }
    let ready = clusters.iter().filter(|cluster| cluster.is_ready()).count();
    let _ = writeln!(out, "{ready} of {} clusters ready.", clusters.len());
    out
}

/// What the daemon tells, in two cells.
fn synced(cluster: &ClusterStatus) -> [String; 2] {
    /// As many characters of a commit as people read.
    const SHORT: usize = 12;
    let Some(sync) = &cluster.sync else {
        return ["-", "-"].map(str::to_owned);
    };
    let revision = sync.observed_revision.as_deref().unwrap_or("-");
    [sync.state.clone(), revision.chars().take(SHORT).collect()]
}

/// What somebody should know of a cluster, a line each.
fn notes(cluster: &ClusterStatus) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(suspension) = &cluster.suspension {
        notes.push(format!("suspended {suspension}"));
    }
    let Some(sync) = &cluster.sync else { return notes };
    for object in sync.drift.iter().flat_map(|drift| &drift.objects) {
        let managers: BTreeSet<&str> = object
            .fields
            .iter()
            .filter_map(|field| field.manager.as_deref())
            .collect();
        let by = match managers.is_empty() {
            true => String::new(),
            false => format!(", by {}", managers.into_iter().collect::<Vec<_>>().join(", ")),
        };
        let what = if object.vanished { "gone" } else { "drifted" };
        notes.push(format!("{}: {what} since {}{by}", object.object, object.since));
    }
    if let Some(error) = &sync.last_error {
        notes.push(format!("failing since {}: {}", error.since, error.message));
    } else if ["Refused", "Held", "Waiting"].contains(&sync.state.as_str()) {
        notes.push(sync.message.clone());
    }
    notes
}

fn row(cluster: &ClusterStatus) -> [String; 5] {
    let pools: Vec<&ObjectStatus> = cluster
        .objects
        .iter()
        .filter(|object| Part::of(&object.id.kind) == Some(Part::Pool))
        .collect();
    let ready = pools.iter().filter(|pool| is_ready(pool)).count();
    let is_control_plane = |object: &&ObjectStatus| Part::of(&object.id.kind).is_some_and(Part::is_control_plane);
    // That of a cluster of a class is none of our objects: its Cluster tells of it.
    let is_cluster = |object: &&ObjectStatus| object.id.kind == "Cluster";
    let control_plane = cluster.objects.iter().find(is_control_plane);
    let control_plane = control_plane.or_else(|| cluster.objects.iter().find(is_cluster));
    let state = control_plane.map_or_else(String::new, |object| match &object.version {
        Some(version) => format!("{} ({version})", word(object)),
        None => word(object).to_owned(),
    });
    [
        cluster.unit.name().to_owned(),
        cluster.management_cluster.to_string(),
        state,
        format!("{ready}/{}", pools.len()),
        if cluster.pending == 0 {
            "-".to_owned()
        } else {
            format!("{} changes", cluster.pending)
        },
    ]
}

fn is_ready(object: &ObjectStatus) -> bool {
    object
        .readiness
        .as_ref()
        .is_some_and(|readiness| readiness.state == State::Ready)
}

/// One word for an object's state.
pub(super) fn word(object: &ObjectStatus) -> &'static str {
    match object.readiness.as_ref().map(|readiness| readiness.state) {
        Some(State::Ready) => "ready",
        Some(State::InProgress) => "in progress",
        Some(State::Failed) => "failed",
        Some(State::Terminating) => "terminating",
        Some(State::Unknown) => "unknown",
        None if object.missing.as_deref() == Some("absent") => "absent",
        None => "unknown",
    }
}

/// What an object that is not ready says.
pub(super) fn says(object: &ObjectStatus) -> String {
    match (&object.readiness, &object.missing) {
        (Some(readiness), _) if readiness.state == State::Ready => String::new(),
        (Some(readiness), _) if readiness.message.is_empty() => readiness.reason.clone(),
        (Some(readiness), _) => format!("{}: {}", readiness.reason, readiness.message),
        (None, Some(missing)) => missing.clone(),
        (None, None) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::ClusterName;
    use crate::sync::{Drift, DriftedField, DriftedObject, Time};

    fn cluster(sync: Option<UnitSync>) -> ClusterStatus {
        ClusterStatus {
            unit: UnitId::Cluster(ClusterName::new("a")),
            management_cluster: ManagementClusterName::new("m"),
            objects: Vec::new(),
            pending: 1,
            sync,
            suspension: None,
        }
    }

    #[test]
    fn what_a_daemon_tells_has_columns_of_its_own_where_there_is_one() {
        let alone = render(&[cluster(None)], Style::Plain);
        assert!(!alone.contains("SYNC"), "{alone}");
        let field = |manager: &str| DriftedField {
            field: ".spec.replicas".to_owned(),
            manager: Some(manager.to_owned()),
            written_at: None,
            contested: false,
        };
        let drift = Drift {
            count: 1,
            since: Time::of_second(0),
            objects: vec![DriftedObject {
                object: "NodePool n/x".to_owned(),
                since: Time::of_second(0),
                vanished: false,
                fields: vec![field("kubectl"), field("kubectl")],
            }],
        };
        let sync = UnitSync {
            state: "Drifted".to_owned(),
            observed_revision: Some("0123456789abcdef".to_owned()),
            drift: Some(drift),
            ..UnitSync::default()
        };
        let told = render(&[cluster(Some(sync)), cluster(None)], Style::Plain);
        assert!(told.contains("Drifted  0123456789ab\n"), "{told}");
        assert!(
            told.contains("  NodePool n/x: drifted since 1970-01-01T00:00:00Z, by kubectl\n"),
            "{told}"
        );
    }
}
