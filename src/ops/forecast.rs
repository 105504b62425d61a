//! What a plan costs those who run on the clusters, by what was seen of their pools.

use std::collections::BTreeMap;

use crate::fleet::model::Fleet;
use crate::plan::Plan;
use crate::plan::disruption::{Facts, Forecast, Pace, forecast, nodes_of};
use crate::plan::graph::Cycle;
use crate::plan::guards::node_cap;
use crate::providers::{Observation, Observed};
use crate::resource::{ResourceId, Target};

/// The forecast of a plan.
pub(super) fn of(plan: &Plan, fleet: &Fleet, observed: &BTreeMap<Target, Observation>) -> Forecast {
    let nodes = |id: &ResourceId| {
        let Some(Observed::Present(live)) = observed.get(&id.target)?.objects.get(id) else {
            return None;
        };
        let object = live.parse().ok()?;
        let count = |pointer| object.pointer(pointer).and_then(serde_json::Value::as_u64);
        // A pool whose nodes are still to come says that it has none.
        let nodes = count("/status/replicas").max(count("/spec/replicas"))?;
        u32::try_from(nodes).ok().filter(|nodes| *nodes > 0)
    };
    let facts = Facts {
        fleet,
        nodes: &nodes,
        pace: Pace::default(),
    };
    forecast(plan, facts)
}

/// Refuses what disrupts more nodes than the fleet's cap, and what follows it is left out of what the plan costs.
pub(super) fn cap(plan: &mut Plan, fleet: &Fleet, observed: &BTreeMap<Target, Observation>) -> Result<(), Cycle> {
    let cap = fleet.limits.disrupted_nodes;
    if let Some(refusal) = cap.and_then(|cap| node_cap::check(plan, cap, nodes_of(fleet))) {
        plan.refuse(refusal)?;
        plan.forecast = of(plan, fleet, observed);
    }
    Ok(())
}
