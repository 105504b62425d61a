//! The fleet's cap on deletes over a day, whoever deletes: the ledgers that count it, asked before and entered at the delete.
//!
//! Invariant: what is deleted is in the ledger as stored; one that can't be read grants nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::load::LoadedFleet;
use super::plan::Planned;
use crate::fleet::model::Cap;
use crate::inventory::ledger::Allowance;
use crate::plan::change::{Action, Change};
use crate::plan::graph::Cycle;
use crate::plan::guards::Refusal;
use crate::providers::ProviderError;
use crate::resource::ManagementClusterName;

/// Why deletes can't be counted.
#[derive(Debug, thiserror::Error)]
pub enum CapError {
    /// The ledger.
    #[error("the ledger of deletes on {name} can't be used")]
    Ledger {
        /// Where.
        name: ManagementClusterName,
        /// Why.
        #[source]
        source: ProviderError,
    },
    /// Never of a plan that was made.
    #[error(transparent)]
    Cycle(#[from] Cycle),
}

/// The guard's name.
const GUARD: &str = "daily-delete-cap";
/// Others who grant deletes at the same moment make an attempt fail.
const ATTEMPTS: usize = 8;

/// Whether what is granted is entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Look,
    Enter,
}

/// Refuses what the ledgers would not grant now; enters nothing.
///
/// # Errors
/// Where a ledger can't be read.
pub(super) async fn foresee_deletes(loaded: &LoadedFleet, planned: &mut Planned) -> Result<(), CapError> {
    settle(loaded, planned, Mode::Look).await
}

/// Has the deletes of a plan granted by the ledger of the control plane that records them; what is not is refused.
///
/// # Errors
/// Where a ledger can't be read or stored.
pub async fn grant_deletes(loaded: &LoadedFleet, planned: &mut Planned) -> Result<(), CapError> {
    settle(loaded, planned, Mode::Enter).await
}

async fn settle(loaded: &LoadedFleet, planned: &mut Planned, mode: Mode) -> Result<(), CapError> {
    let mut wanted: BTreeMap<ManagementClusterName, BTreeMap<String, u64>> = BTreeMap::new();
    for change in planned.plan.changes.iter().filter(|change| deletes(change)) {
        let counted = counted(loaded, change);
        *wanted
            .entry(change.recorded_on.clone())
            .or_default()
            .entry(counted)
            .or_default() += 1;
    }
    let mut refused = BTreeSet::new();
    for (name, wanted) in wanted {
        let granted = ask(loaded, planned, &name, (&wanted, mode)).await;
        let not = granted.map_err(|source| CapError::Ledger {
            name: name.clone(),
            source,
        })?;
        refused.extend(not.into_iter().map(|counted| (name.clone(), counted)));
    }
    if refused.is_empty() {
        return Ok(());
    }
    let is_refused =
        |change: &&Change| deletes(change) && refused.contains(&(change.recorded_on.clone(), counted(loaded, change)));
    let mut objects: Vec<_> = planned
        .plan
        .changes
        .iter()
        .filter(is_refused)
        .map(|change| change.id.clone())
        .collect();
    objects.sort();
    let cap = match loaded.fleet.limits.deletes {
        Cap::Count(n) => n.to_string(),
        Cap::Percent(p) => format!("{p}% of what is recorded"),
    };
    planned.plan.refuse(Refusal {
        guard: GUARD,
        message: format!("within 24 hours the fleet deletes no more than its cap, {cap}, and this would be more"),
        lift: "raise limits.deletes in the Fleet document for this commit, or wait until a day has passed".to_owned(),
        objects,
    })?;
    Ok(())
}

fn deletes(change: &Change) -> bool {
    change.action == Action::Delete && change.goes_ahead()
}

/// What a delete counts as: its unit where that goes as a whole, else itself.
fn counted(loaded: &LoadedFleet, change: &Change) -> String {
    if loaded.recorded_on(&change.unit).is_some() || loaded.failed.contains_key(&change.unit) {
        format!("{} on {}", change.id, change.id.target)
    } else {
        change.unit.to_string()
    }
}

/// Gives what is refused.
async fn ask(
    loaded: &LoadedFleet,
    planned: &Planned,
    on: &ManagementClusterName,
    (wanted, mode): (&BTreeMap<String, u64>, Mode),
) -> Result<Vec<String>, ProviderError> {
    let Some(store) = planned.stores.get(on) else {
        return Ok(wanted.keys().cloned().collect());
    };
    let fleet = &loaded.revised.fleet;
    let inventories = planned.inventories.values();
    let recorded: usize = inventories.map(|stored| stored.inventory.entries.len()).sum();
    let allowance = match loaded.fleet.limits.deletes {
        Cap::Count(n) => Allowance::Count(n),
        Cap::Percent(p) => Allowance::Objects(recorded as u64 * u64::from(p) / 100),
    };
    for _ in 0..ATTEMPTS {
        let mut stored = store.load_ledger(fleet).await?;
        let before = stored.ledger.clone();
        let refused = stored.ledger.grant(wanted, allowance, jiff::Timestamp::now());
        if mode == Mode::Look || stored.ledger == before || store.save_ledger(fleet, &stored).await? {
            return Ok(refused);
        }
    }
    // Others are at it; nothing was granted, and the next look asks again.
    Ok(wanted.keys().cloned().collect())
}
