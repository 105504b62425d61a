//! The definitions of a fleet: those for every management cluster, and those that one of them has of its own.

use std::collections::BTreeMap;

use crate::resource::ManagementClusterName;
use crate::schema::admission::{Definitions, Lookup};

/// Definitions by management cluster.
#[derive(Debug, Default)]
pub struct DefinitionSets {
    /// For all of them.
    pub everywhere: Definitions,
    /// For one, before those for all.
    pub only_on: BTreeMap<ManagementClusterName, Definitions>,
}

impl DefinitionSets {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.everywhere.is_empty() && self.only_on.values().all(Definitions::is_empty)
    }

    /// What is said of a kind on a management cluster.
    pub fn find(&self, on: &ManagementClusterName, api_version: &str, kind: &str) -> Lookup<'_> {
        let own = self.only_on.get(on).map(|own| own.find(api_version, kind));
        match own {
            Some(Lookup::Unknown) | None => self.everywhere.find(api_version, kind),
            Some(found) => found,
        }
    }
}
