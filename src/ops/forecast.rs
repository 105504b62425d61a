//! What a plan costs those who run on the clusters, by what was seen of their pools.

use std::collections::BTreeMap;

use crate::fleet::model::Fleet;
use crate::plan::Plan;
use crate::plan::disruption::{Facts, Forecast, Pace, forecast};
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
