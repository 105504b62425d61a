//! Which control planes a unit has to do with.
//!
//! Invariant: pure. Whatever may have to ask OCI counts as such: what does not is looked at apart, and waits for OCI at no time.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::ops::LoadedFleet;
use crate::resource::{Manifest, Target, UnitId};

/// Which control planes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// Management clusters alone.
    Kubernetes,
    /// OCI too, or that is not known.
    Oci,
}

/// The reach of each unit.
#[derive(Clone, Debug, Default)]
pub(super) struct Reaches {
    /// Those of Kubernetes alone.
    alone: Arc<BTreeSet<UnitId>>,
}

impl Reaches {
    /// That of each unit in some files.
    pub(super) fn of(loaded: &LoadedFleet) -> Self {
        let units = loaded.rendered.units.iter();
        let alone = units.filter(|(_, unit)| !unit.manifests.iter().any(asks_oci));
        Self {
            alone: Arc::new(alone.map(|(unit, _)| unit.clone()).collect()),
        }
    }

    /// A unit's. Of one that no file names, what was made of it is not known here.
    pub(super) fn get(&self, unit: &UnitId) -> Reach {
        if self.alone.contains(unit) {
            Reach::Kubernetes
        } else {
            Reach::Oci
        }
    }
}

fn asks_oci(manifest: &Manifest) -> bool {
    let needs = || manifest.depends_on.iter().any(|id| id.target == Target::Oci);
    manifest.id.target == Target::Oci || manifest.looks_up() || needs()
}
