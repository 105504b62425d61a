//! What a plan costs those who run on the clusters, by what was seen of their pools.

use std::collections::BTreeMap;

use super::load::LoadedFleet;
use crate::plan::Plan;
use crate::plan::disruption::{Count, Facts, Forecast, Pace, forecast, nodes_of};
use crate::plan::graph::Cycle;
use crate::plan::guards::node_cap;
use crate::providers::{Observation, Observed};
use crate::resource::{ClusterName, ResourceId, Target, UnitId};

/// The forecast of a plan.
pub(super) fn of(plan: &Plan, loaded: &LoadedFleet, observed: &BTreeMap<Target, Observation>) -> Forecast {
    let nodes = |id: &ResourceId| {
        let Some(Observed::Present(live)) = observed.get(&id.target)?.objects.get(id) else {
            return None;
        };
        let object = live.parse().ok()?;
        let count = |pointer| object.pointer(pointer).and_then(serde_json::Value::as_u64);
        // A pool whose nodes are still to come says that it has none.
        let number = |count: u64| u32::try_from(count).ok().filter(|nodes| *nodes > 0);
        match count("/status/replicas").max(count("/spec/replicas")).and_then(number) {
            Some(nodes) => Some(Count::exactly(nodes)),
            // One that follows its load, of which nobody has told yet how many it has.
            None => Some(Count {
                min: count("/spec/autoScaling/min").and_then(number)?,
                max: count("/spec/autoScaling/max").and_then(number)?,
            }),
        }
    };
    let wanted = |cluster: &ClusterName, id: &ResourceId| {
        let unit = loaded.rendered.units.get(&UnitId::Cluster(cluster.clone()))?;
        let manifest = unit.manifests.iter().find(|manifest| manifest.id == *id)?;
        Some(manifest.body())
    };
    let facts = Facts {
        fleet: &loaded.fleet,
        nodes: &nodes,
        wanted: &wanted,
        pace: Pace::default(),
    };
    forecast(plan, facts)
}

/// Refuses what disrupts more nodes than the fleet's cap, and what follows it is left out of what the plan costs.
pub(super) fn cap(
    plan: &mut Plan,
    loaded: &LoadedFleet,
    observed: &BTreeMap<Target, Observation>,
) -> Result<(), Cycle> {
    let fleet = &loaded.fleet;
    let cap = fleet.limits.disrupted_nodes;
    if let Some(refusal) = cap.and_then(|cap| node_cap::check(plan, cap, nodes_of(fleet))) {
        plan.refuse(refusal)?;
        plan.forecast = of(plan, loaded, observed);
    }
    Ok(())
}
