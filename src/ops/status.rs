//! `status`: how far each cluster is, by what its objects say of themselves.

use std::collections::BTreeMap;

use serde_json::Value;

use super::load::LoadedFleet;
use super::look::look;
use super::plan::{self, Against, PlanError, PlanOptions};
use crate::providers::Observed;
use crate::report::status_text::{ClusterStatus, ObjectStatus};
use crate::resource::{Manifest, Part, UnitId};
use crate::status;
use crate::sync::UnitSync;

/// Looks at the clusters in scope.
///
/// # Errors
/// As `plan`'s.
pub async fn status(loaded: &LoadedFleet, options: &PlanOptions) -> Result<Vec<ClusterStatus>, PlanError> {
    let Against::Live(access) = &options.against else {
        return Ok(Vec::new());
    };
    let seen = look(loaded, access, &options.scope).await?;
    let made = plan::decide(loaded, options, &seen)?;
    let mut pending: BTreeMap<&UnitId, usize> = BTreeMap::new();
    for change in &made.changes {
        *pending.entry(&change.unit).or_default() += 1;
    }
    let view = loaded.scope(&options.scope);
    let clusters = loaded
        .rendered
        .units
        .iter()
        .filter(|(unit, _)| view.holds(unit))
        .filter_map(|(unit, rendered)| {
            let UnitId::Cluster(_) = unit else { return None };
            let objects = rendered
                .manifests
                .iter()
                .filter(|manifest| tells(&manifest.id.kind))
                .map(|manifest| {
                    let observation = seen.observed.get(&manifest.id.target);
                    object(
                        manifest,
                        observation.and_then(|observation| observation.objects.get(&manifest.id)),
                    )
                })
                .collect();
            let on = loaded.recorded_on(unit)?;
            let records = seen.syncs.get(&on).and_then(|read| read.known());
            let sync = records.and_then(|records| records.unit(&loaded.fleet, unit));
            Some(ClusterStatus {
                unit: unit.clone(),
                management_cluster: on,
                sync: sync.map(|record| record.status.clone()).filter(is_told),
                suspension: made.suspended.get(unit).cloned(),
                objects,
                pending: pending.get(unit).copied().unwrap_or_default(),
            })
        });
    Ok(clusters.collect())
}

/// Whether objects of a kind tell how a cluster is; the others are ready by being there, or with these.
fn tells(kind: &str) -> bool {
    match Part::of(kind) {
        Some(Part::Hosted | Part::Cluster | Part::ControlPlane | Part::Pool | Part::PoolOfOci) => true,
        Some(Part::Class | Part::HealthCheck | Part::Template) | None => false,
    }
}

/// An object that the daemon has not written to yet tells nothing.
fn is_told(status: &UnitSync) -> bool {
    !status.state.is_empty()
}

fn object(manifest: &Manifest, seen: Option<&Observed>) -> ObjectStatus {
    let (readiness, missing, version) = match seen {
        None => (None, Some("no provider".to_owned()), None),
        Some(Observed::Absent) => (None, Some("absent".to_owned()), None),
        Some(Observed::Unknown(reason)) => (None, Some(reason.clone()), None),
        Some(Observed::Present(live)) => match live.parse() {
            Ok(value) => (Some(status::readiness(&value)), None, version(&value)),
            Err(error) => (None, Some(format!("the server's answer is no JSON: {error}")), None),
        },
    };
    ObjectStatus {
        id: manifest.id.clone(),
        readiness,
        missing,
        version,
    }
}

/// The version that an object says it runs.
fn version(live: &Value) -> Option<String> {
    let completed = live
        .pointer("/status/version/history")
        .and_then(Value::as_array)
        .and_then(|history| {
            history
                .iter()
                .find(|entry| entry.get("state") == Some(&Value::from("Completed")))
        })
        .and_then(|entry| entry.get("version"));
    let pool = live.pointer("/status/version");
    completed.or(pool).and_then(Value::as_str).map(str::to_owned)
}
