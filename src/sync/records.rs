//! What was read of a fleet's objects on one management cluster.

use std::collections::BTreeMap;

use super::types::{FleetSync, UnitSync};
use super::{fleet_object, unit_object};
use crate::fleet::model::Fleet;
use crate::resource::UnitId;

/// What a look at one management cluster showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// The kinds are not installed there: nobody can have asked for anything by them.
    NotInstalled,
    /// They could not be read, and why: anything may be asked.
    Unknown(String),
    /// This is all of it.
    Known(Records),
}

/// Objects, by name. Other fleets' are among them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Records {
    /// Each `FleetStatus`.
    pub fleets: BTreeMap<String, Record<FleetSync>>,
    /// Each `ClusterSync`.
    pub units: BTreeMap<String, Record<UnitSync>>,
}

/// One object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record<T> {
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// Its resourceVersion.
    pub version: String,
    /// Its generation.
    pub generation: i64,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
    /// Its status; the empty one where it has none.
    pub status: T,
}

impl Read {
    /// The objects, where they are known.
    pub fn known(&self) -> Option<&Records> {
        match self {
            Self::Known(records) => Some(records),
            Self::NotInstalled | Self::Unknown(_) => None,
        }
    }
}

impl Records {
    /// A fleet's own.
    pub fn fleet(&self, fleet: &Fleet) -> Option<&Record<FleetSync>> {
        self.fleets.get(&fleet_object(&fleet.name))
    }

    /// A unit's own.
    pub fn unit(&self, fleet: &Fleet, unit: &UnitId) -> Option<&Record<UnitSync>> {
        self.units.get(&unit_object(&fleet.name, unit))
    }

    /// A unit's own, and those that it had under the names that it had before: what was asked of it then is asked of it.
    pub fn once(&self, fleet: &Fleet, unit: &UnitId) -> impl Iterator<Item = &Record<UnitSync>> {
        names(fleet, unit).into_iter().filter_map(|name| self.units.get(&name))
    }
}

/// What a unit's `ClusterSync` is called, and what it was called when the unit had other names.
pub fn names(fleet: &Fleet, unit: &UnitId) -> Vec<String> {
    let former = fleet
        .moved
        .iter()
        .filter(|moved| moved.to == *unit)
        .map(|moved| &moved.from);
    std::iter::once(unit)
        .chain(former)
        .map(|unit| unit_object(&fleet.name, unit))
        .collect()
}
