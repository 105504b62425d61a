//! `apply`: makes a plan true.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;

use super::load::LoadedFleet;
use super::look::planes;
use super::plan::Planned;
use crate::apply::{self, Observer, Options, Outcome, Run};
use crate::providers::InventoryStore;
use crate::resource::ManagementClusterName;

/// Whether a plan may be applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leave {
    /// Yes.
    Granted,
    /// Something of it is refused, by a guard or since others hold a field, and the user did not ask to go on with the rest.
    Refused,
}

/// Asks whether a plan may be applied.
pub fn leave(planned: &Planned, keep_going: bool) -> Leave {
    if keep_going || !planned.plan.is_refused() {
        Leave::Granted
    } else {
        Leave::Refused
    }
}

/// Applies what goes ahead of a plan. `interrupted` stops it: what is under way is finished, nothing new is begun.
pub async fn apply(
    loaded: &LoadedFleet,
    planned: &Planned,
    options: Options,
    observer: &dyn Observer,
    interrupted: &AtomicBool,
) -> Outcome {
    let providers = planes(&planned.providers, planned.oci.as_deref());
    let stores: BTreeMap<ManagementClusterName, &dyn InventoryStore> = planned
        .stores
        .iter()
        .map(|(name, store)| (name.clone(), store as &dyn InventoryStore))
        .collect();
    let run = Run {
        plan: &planned.plan,
        providers: &providers,
        stores: &stores,
        inventories: &planned.inventories,
        revised: &loaded.revised,
        options,
        interrupted,
    };
    apply::execute(&run, observer).await
}
