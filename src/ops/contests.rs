//! What the daemon tells of fields that it leaves alone: whoever plans should know why they stay as they are.

use std::collections::BTreeMap;

use super::LoadedFleet;
use crate::plan::Plan;
use crate::plan::change::Change;
use crate::resource::ManagementClusterName;
use crate::sync::{DriftedField, Read, cut};

/// The fields that a plan would mend and the daemon does not, with who writes them.
pub(super) fn told(loaded: &LoadedFleet, plan: &Plan, syncs: &BTreeMap<ManagementClusterName, Read>) -> Vec<String> {
    let mut all = Vec::new();
    for change in plan.changes.iter().filter(|change| change.is_drift()) {
        let object = change.id.to_string();
        for field in contested(loaded, change, syncs, &object) {
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

fn contested<'a>(
    loaded: &LoadedFleet,
    change: &Change,
    syncs: &'a BTreeMap<ManagementClusterName, Read>,
    object: &str,
) -> impl Iterator<Item = &'a DriftedField> {
    let records = syncs.get(&change.recorded_on).and_then(Read::known);
    let record = records.and_then(|records| records.unit(&loaded.fleet, &change.unit));
    let drift = record.and_then(|record| record.status.drift.as_ref());
    let moved = drift.and_then(|drift| drift.objects.iter().find(|moved| moved.object == object));
    let fields = moved.map(|moved| moved.fields.as_slice()).unwrap_or_default();
    fields.iter().filter(|field| field.contested)
}
