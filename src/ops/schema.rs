//! `schema`: every JSON Schema that the program has.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::daemon;
use crate::fleet::Kind;
use crate::report::schemas;

/// The schemas by name: `fleet/Cluster` and the like for documents of the fleet files, `output/plan.v1` and the like for
/// JSON output; `daemon/fleets` for the list of fleets that a daemon follows. The files below `schemas/` are called so.
pub fn schemas() -> BTreeMap<String, Value> {
    let fleet = Kind::ALL
        .iter()
        .map(|kind| (format!("fleet/{}", kind.name()), kind.schema()));
    let output = schemas::output()
        .into_iter()
        .map(|(name, schema)| (format!("output/{name}"), schema));
    let daemon = [("daemon/fleets".to_owned(), daemon::list_schema())];
    fleet.chain(output).chain(daemon).collect()
}
