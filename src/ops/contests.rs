//! What a daemon tells of fields that it leaves alone: whoever plans should know why they stay as they are, and the daemon that
//! follows it has to leave them alone too.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::LoadedFleet;
use crate::plan::Plan;
use crate::plan::change::{Change, NOBODY_RECORDED, OwnedBy};
use crate::resource::{ManagementClusterName, ResourceId, UnitId};
use crate::sync::{DriftedField, DriftedObject, Read, cut};

/// The fields that a plan would mend and the daemon does not, with who writes them.
pub(super) fn told(loaded: &LoadedFleet, plan: &Plan, syncs: &BTreeMap<ManagementClusterName, Read>) -> Vec<String> {
    let mut all = Vec::new();
    for change in plan.changes.iter().filter(|change| change.is_drift()) {
        let object = change.id.to_string();
        for (_, field) in contested(loaded, change, syncs, &object) {
            let is_it = |diff: &&str| cut(diff) == field.field;
            let mut diffs = change.fields.iter().map(|diff| diff.field.as_str());
            if let Some(diff) = diffs.find(is_it) {
                let manager = field.manager.as_deref().unwrap_or("somebody");
                all.push(format!(
                    "{object}: `{diff}` is written again by {manager} as often as it is mended; the daemon leaves it alone for now"
                ));
            }
        }
    }
    all
}

/// A field that was fought over when its unit was last told of.
#[derive(Clone, Debug)]
pub struct Fought {
    /// The object.
    pub id: ResourceId,
    /// The field, and with whom.
    pub field: OwnedBy,
    /// When its object was first seen so.
    pub since: Timestamp,
}

/// What of a unit was fought over when it was last told of, as far as it is not as it should be still; none where that can't be
/// read.
pub fn fought(
    loaded: &LoadedFleet,
    plan: &Plan,
    syncs: &BTreeMap<ManagementClusterName, Read>,
    unit: &UnitId,
) -> Option<Vec<Fought>> {
    let changes = || plan.changes.iter().filter(|change| change.unit == *unit);
    let on = loaded.recorded_on(unit);
    let on = on.or_else(|| changes().next().map(|change| change.recorded_on.clone()))?;
    match syncs.get(&on)? {
        Read::Unknown(_) => return None,
        Read::NotInstalled => return Some(Vec::new()),
        Read::Known(_) => {}
    }
    let mut all = Vec::new();
    for change in changes().filter(|change| change.is_drift()) {
        let object = change.id.to_string();
        for (moved, field) in contested(loaded, change, syncs, &object) {
            if let Some(diff) = change.fields.iter().find(|diff| cut(&diff.field) == field.field) {
                let manager = field.manager.as_deref().unwrap_or(NOBODY_RECORDED);
                all.push(Fought {
                    id: change.id.clone(),
                    field: OwnedBy {
                        field: diff.field.clone(),
                        manager: manager.to_owned(),
                    },
                    since: moved.since.timestamp(),
                });
            }
        }
    }
    Some(all)
}

fn contested<'a>(
    loaded: &LoadedFleet,
    change: &Change,
    syncs: &'a BTreeMap<ManagementClusterName, Read>,
    object: &str,
) -> impl Iterator<Item = (&'a DriftedObject, &'a DriftedField)> {
    let records = syncs.get(&change.recorded_on).and_then(Read::known);
    let record = records.and_then(|records| records.unit(&loaded.fleet, &change.unit));
    let drift = record.and_then(|record| record.status.drift.as_ref());
    let moved = drift.and_then(|drift| drift.objects.iter().find(|moved| moved.object == object));
    let fields = moved
        .into_iter()
        .flat_map(|moved| moved.fields.iter().map(move |field| (moved, field)));
    fields.filter(|(_, field)| field.contested)
}
