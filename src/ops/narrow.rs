//! A plan of which a part is shown.

use std::collections::BTreeSet;

use super::load::{LoadedFleet, Scope, ScopeError, did_you_mean};
use super::plan::Planned;
use crate::plan::narrow::Narrow;

/// Takes what is not asked for out of a plan that is to be shown. It was made, and judged by the guards, as a whole.
///
/// # Errors
/// Where a kind is asked for that is neither in the fleet files nor in the plan.
pub fn narrow(loaded: &LoadedFleet, planned: &mut Planned, scope: &Scope, to: &Narrow) -> Result<(), ScopeError> {
    let view = loaded.scope(scope);
    let units = loaded.rendered.units.iter();
    let known: BTreeSet<&str> = units
        .clone()
        .flat_map(|(_, unit)| &unit.manifests)
        .map(|manifest| manifest.id.kind.as_str())
        .chain(planned.plan.changes.iter().map(|change| change.id.kind.as_str()))
        .collect();
    if let Some(name) = to.kinds.iter().find(|kind| !known.contains(kind.as_str())) {
        return Err(ScopeError {
            kind: "kind",
            name: name.clone(),
            hint: did_you_mean(name, known.iter().copied()),
        });
    }
    let wanted = units
        .filter(|(unit, _)| view.holds(unit))
        .flat_map(|(_, unit)| &unit.manifests)
        .filter(|manifest| view.reaches(&manifest.id.target) && to.is_of_kind(&manifest.id.kind))
        .count();
    planned.plan.narrow(to, wanted);
    Ok(())
}
