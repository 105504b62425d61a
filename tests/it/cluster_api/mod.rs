//! Clusters that Cluster API makes of machines: the example fleet against upstream's templates, and on a real API server.

mod class;
mod normal;
mod sandbox;
mod server;
mod upstream;

use std::collections::BTreeSet;

use fleetwright::fleet::Resolved;
use fleetwright::render::Rendered;

use crate::fleet_demo::fleet;
use crate::render_golden::rendered;

/// The example: without a problem, its lock as it should be.
fn example() -> (Resolved, Rendered) {
    let fleet = fleet("examples/cluster-api");
    let rendered = rendered(&fleet.fleet);
    (fleet, rendered)
}

/// The names of its clusters.
fn names(fleet: &Resolved) -> BTreeSet<String> {
    fleet.fleet.clusters.keys().map(ToString::to_string).collect()
}
