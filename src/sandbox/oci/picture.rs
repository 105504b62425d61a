//! What there is, whoever made it, for tests to compare.

use serde_json::Value;

use super::kinds;
use super::state::{Record, State};

/// A resource as it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Resource {
    /// `Vcn`, `Subnet`, …
    pub kind: &'static str,
    /// The OCID.
    pub id: String,
    /// What a read shows.
    pub body: Value,
    /// What other reads show: rules of a group, records of a zone.
    pub details: Value,
}

/// Whatever is neither gone nor going, by kind.
pub(super) fn of(state: &State) -> Vec<Resource> {
    let living = kinds::all()
        .flat_map(|kind| state.all(kind))
        .filter(|record| record.lives());
    living
        .map(|record: &Record| Resource {
            kind: record.kind.name,
            id: record.id.clone(),
            body: record.view(),
            details: Value::Object(record.extra().clone()),
        })
        .collect()
}
