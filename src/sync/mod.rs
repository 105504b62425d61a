//! What the daemon keeps in the cluster for people, `ClusterSync` and `FleetStatus`, and what people ask of it there.
//!
//! Invariant: pure. Whoever reads the objects gives what was read; what could not be read, or not be understood, is never
//! taken for "nothing is asked". May depend on `resource` and on the model of `fleet`.

pub mod annotations;
mod condition;
pub mod crd;
mod patch;
mod records;
pub mod suspension;
mod types;

pub use self::condition::{Condition, Truth, set};
pub use self::patch::merge_patch;
pub use self::records::{Read, Record, Records, names};
pub use self::suspension::Suspension;
pub use self::types::{
    Drift, DriftedField, DriftedObject, FleetSync, Inventory, LastError, Pending, PendingChange, SuspensionReport,
    Time, UnitCounts, UnitRef, UnitSync, cut,
};
use crate::resource::{FleetName, UnitId};

/// Their API group.
pub const GROUP: &str = "fleetwright.dev";
/// Its version.
pub const VERSION: &str = "v1alpha1";
/// Both.
pub const API_VERSION: &str = "fleetwright.dev/v1alpha1";

/// The two kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SyncKind {
    /// One a unit.
    ClusterSync,
    /// One a fleet, on each management cluster.
    FleetStatus,
}

impl SyncKind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::ClusterSync, Self::FleetStatus];

    /// The kind, as written in objects.
    pub fn name(self) -> &'static str {
        match self {
            Self::ClusterSync => "ClusterSync",
            Self::FleetStatus => "FleetStatus",
        }
    }

    /// The plural, as written in paths.
    pub fn plural(self) -> &'static str {
        match self {
            Self::ClusterSync => "clustersyncs",
            Self::FleetStatus => "fleetstatuses",
        }
    }
}

/// The name of a fleet's `FleetStatus`.
pub fn fleet_object(fleet: &FleetName) -> String {
    fleet.to_string()
}

/// The name of a unit's `ClusterSync`: `prod.payments`, `prod.network.hub`. Names of fleets and units are DNS labels, which
/// hold no dots; which unit an object stands for is read from its mark, and never from this.
pub fn unit_object(fleet: &FleetName, unit: &UnitId) -> String {
    match unit {
        UnitId::Cluster(name) => format!("{fleet}.{name}"),
        UnitId::Network(_) | UnitId::ManagementCluster(_) => format!("{fleet}.{}.{}", unit.kind(), unit.name()),
    }
}
