//! The fleet's caps on deletes and on disrupted nodes over a day, whoever does it: the ledgers that count them, asked before
//! and entered at the change.
//!
//! Invariant: what is deleted or disrupted is in the ledger as stored; one that can't be read grants nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::load::LoadedFleet;
use super::plan::Planned;
use crate::fleet::model::Cap;
use crate::inventory::ledger::{self, Allowance, Ledger};
use crate::plan::change::{Action, Change};
use crate::plan::disruption::{disrupted, nodes_of};
use crate::plan::graph::Cycle;
use crate::plan::guards::{Refusal, node_cap};
use crate::providers::ProviderError;
use crate::report::chain;
use crate::resource::{ManagementClusterName, ResourceId};

/// Why deletes and disruptions can't be counted.
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

/// The guards' names.
const DELETES: &str = "daily-delete-cap";
const NODES: &str = "daily-node-cap";
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
/// Where a ledger can't be read; with `even_in_part` what it was asked for is refused, and [`Planned::uncounted`] says why.
pub(super) async fn foresee(loaded: &LoadedFleet, planned: &mut Planned, even_in_part: bool) -> Result<(), CapError> {
    settle(loaded, planned, Mode::Look, even_in_part).await
}

/// Has the deletes of a plan and what disrupts nodes granted by the ledger of the control plane that records it; what is not
/// is refused.
///
/// # Errors
/// Where a ledger can't be read or stored; with `even_in_part` what it was asked for is refused, and [`Planned::uncounted`]
/// says why.
pub async fn grant(loaded: &LoadedFleet, planned: &mut Planned, even_in_part: bool) -> Result<(), CapError> {
    settle(loaded, planned, Mode::Enter, even_in_part).await
}

async fn settle(loaded: &LoadedFleet, planned: &mut Planned, mode: Mode, even_in_part: bool) -> Result<(), CapError> {
    let failing = [
        settle_deletes(loaded, planned, mode).await?,
        settle_nodes(loaded, planned, mode).await?,
    ];
    for (name, source, objects) in failing.into_iter().flatten() {
        if !even_in_part {
            return Err(CapError::Ledger { name, source });
        }
        let error = chain(&CapError::Ledger { name, source });
        let changes = planned.plan.changes.iter();
        let units = changes
            .filter(|change| objects.contains(&change.id))
            .map(|change| &change.unit);
        let units: Vec<_> = units.map(|unit| (unit.clone(), error.clone())).collect();
        planned.uncounted.extend(units);
    }
    Ok(())
}

/// What else is to be said of what is refused where ledgers can't be used.
fn unusable(failing: &Failing) -> String {
    let names: Vec<&str> = failing.iter().map(|(name, ..)| name.as_str()).collect();
    match names[..] {
        [] => String::new(),
        _ => format!("; the ledger on {} can't be used, and grants nothing", names.join(", ")),
    }
}

/// Ledgers that could not be used, and what they were asked for.
type Failing = Vec<(ManagementClusterName, ProviderError, BTreeSet<ResourceId>)>;

/// Refuses what disrupts nodes beyond what a day may take. Without a cap nothing is counted.
async fn settle_nodes(loaded: &LoadedFleet, planned: &mut Planned, mode: Mode) -> Result<Failing, CapError> {
    let mut failing = Vec::new();
    let Some(cap) = loaded.fleet.limits.disrupted_nodes else {
        return Ok(failing);
    };
    let all = nodes_of(&loaded.fleet);
    let mut wanted: BTreeMap<ManagementClusterName, BTreeMap<String, u64>> = BTreeMap::new();
    let mut named: BTreeMap<String, ResourceId> = BTreeMap::new();
    for (change, nodes) in disrupted(&planned.plan) {
        if change.goes_ahead() {
            let name = disruption(change);
            named.insert(name.clone(), change.id.clone());
            wanted
                .entry(change.recorded_on.clone())
                .or_default()
                .insert(name, nodes);
        }
    }
    let allowance = node_cap::allowance(cap, all);
    let mut objects = Vec::new();
    let mut lift = None;
    for (name, wanted) in wanted {
        let grant = |ledger: &mut Ledger, on: &ManagementClusterName, wanted: &BTreeMap<String, u64>| {
            ledger.grant_nodes(wanted, share(loaded, allowance, on), jiff::Timestamp::now())
        };
        let (refused, failed) = ask(loaded, planned, (&name, &wanted), mode, grant).await;
        let sizes = refused.iter().filter_map(|change| wanted.get(change)).copied();
        lift = lift.max(
            sizes
                .max()
                .and_then(|nodes| too_large(loaded, (allowance, nodes), &name)),
        );
        let these: Vec<_> = refused.iter().filter_map(|name| named.get(name).cloned()).collect();
        if let Some(error) = failed {
            failing.push((name, error, these.iter().cloned().collect()));
        }
        objects.extend(these);
    }
    if objects.is_empty() {
        return Ok(failing);
    }
    objects.sort();
    planned.plan.refuse(Refusal {
        guard: NODES,
        message: format!(
            "within 24 hours the fleet disrupts no more nodes than its cap, {}, and for these too few of them are left{}{}",
            node_cap::words(cap, all),
            shared_out(loaded),
            unusable(&failing)
        ),
        lift: match lift {
            Some((needed, nodes)) => format!(
                "raise limits.disruptedNodes in the Fleet document to {needed} or more for this commit: one of these changes \
                 takes {nodes} nodes, which is more than what a management cluster may grant of the cap, so that to wait \
                 does not help"
            ),
            None => "raise limits.disruptedNodes in the Fleet document for this commit, or wait until a day has passed"
                .to_owned(),
        },
        objects,
    })?;
    Ok(failing)
}

/// What a change counts as: the same change once, however often it is tried.
fn disruption(change: &Change) -> String {
    let becomes = change.payload.digest.map(|digest| digest.to_string());
    ledger::disruption(&object(change), becomes.as_deref())
}

/// An object's name among all of the fleet.
fn object(change: &Change) -> String {
    format!("{} on {}", change.id, change.id.target)
}

async fn settle_deletes(loaded: &LoadedFleet, planned: &mut Planned, mode: Mode) -> Result<Failing, CapError> {
    let mut wanted: BTreeMap<ManagementClusterName, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
    for change in planned.plan.changes.iter().filter(|change| deletes(change)) {
        let uid = change.precondition.as_ref().map_or("", |known| &known.uid);
        wanted
            .entry(change.recorded_on.clone())
            .or_default()
            .entry(counted(loaded, change))
            .or_default()
            .insert(ledger::mark(&object(change), uid));
    }
    let recorded = |on: &ManagementClusterName| -> u64 {
        let there = planned.inventories.iter().filter(|((known, _), _)| known == on);
        there.map(|(_, stored)| stored.inventory.entries.len() as u64).sum()
    };
    let allowance = |on: &ManagementClusterName| match loaded.fleet.limits.deletes {
        Cap::Count(n) => Allowance::Count(share(loaded, n, on)),
        Cap::Percent(p) => Allowance::Objects(recorded(on) * u64::from(p) / 100),
    };
    let mut refused = BTreeSet::new();
    let mut failed = BTreeMap::new();
    for (name, wanted) in wanted {
        let grant = |ledger: &mut Ledger, on: &ManagementClusterName, wanted: &BTreeMap<String, BTreeSet<String>>| {
            ledger.grant(wanted, allowance(on), jiff::Timestamp::now())
        };
        let (not, error) = ask(loaded, planned, (&name, &wanted), mode, grant).await;
        refused.extend(not.into_iter().map(|counted| (name.clone(), counted)));
        if let Some(error) = error {
            failed.insert(name, error);
        }
    }
    if refused.is_empty() {
        return Ok(Vec::new());
    }
    let is_refused =
        |change: &&Change| deletes(change) && refused.contains(&(change.recorded_on.clone(), counted(loaded, change)));
    let refused: Vec<&Change> = planned.plan.changes.iter().filter(is_refused).collect();
    let of = |name: &ManagementClusterName| {
        let changes = refused.iter().filter(|change| change.recorded_on == *name);
        changes.map(|change| change.id.clone()).collect()
    };
    let failing = failed.into_iter().map(|(name, error)| {
        let objects = of(&name);
        (name, error, objects)
    });
    let failing: Failing = failing.collect();
    let mut objects: Vec<_> = refused.iter().map(|change| change.id.clone()).collect();
    objects.sort();
    let cap = match loaded.fleet.limits.deletes {
        Cap::Count(n) => n.to_string(),
        Cap::Percent(p) => format!("{p}% of what is recorded"),
    };
    planned.plan.refuse(Refusal {
        guard: DELETES,
        message: format!(
            "within 24 hours the fleet deletes no more than its cap, {cap}, and for these too little of it is left{}{}",
            shared_out(loaded),
            unusable(&failing)
        ),
        lift: "raise limits.deletes in the Fleet document for this commit, or wait until a day has passed".to_owned(),
        objects,
    })?;
    Ok(failing)
}

fn deletes(change: &Change) -> bool {
    change.action == Action::Delete && change.goes_ahead()
}

/// What a delete counts as: its unit where that goes as a whole, else itself.
fn counted(loaded: &LoadedFleet, change: &Change) -> String {
    if loaded.recorded_on(&change.unit).is_some() || loaded.failed.contains_key(&change.unit) {
        object(change)
    } else {
        change.unit.to_string()
    }
}

/// What else is to be said of a cap.
fn shared_out(loaded: &LoadedFleet) -> String {
    match loaded.fleet.management_clusters.len() {
        0 | 1 => String::new(),
        count => format!(
            " (each of the {count} management clusters grants its share of it, a change is granted by one of them as a whole, \
             and one that is not reached grants nothing)"
        ),
    }
}

/// The part of a cap that the ledger of one management cluster grants. A daemon may reach that one alone, and knows nothing of
/// what others grant: so that all of them together stay within the cap, it is shared out, by what the files say alone.
fn share(loaded: &LoadedFleet, cap: u64, on: &ManagementClusterName) -> u64 {
    let all = &loaded.fleet.management_clusters;
    let place = all.keys().position(|name| name == on);
    place.map_or(0, |place| share_at(cap, all.len() as u64, place as u64))
}

/// The share of the one at a place among so many.
fn share_at(cap: u64, count: u64, place: u64) -> u64 {
    let even = cap.checked_div(count).unwrap_or(0);
    even + u64::from(place < cap.saturating_sub(even * count))
}

/// The cap by which a change of so many nodes would fit into a day of which nothing is taken, and those nodes; none where it
/// fits already.
fn too_large(loaded: &LoadedFleet, (cap, nodes): (u64, u64), on: &ManagementClusterName) -> Option<(u64, u64)> {
    if nodes <= share(loaded, cap, on) {
        return None;
    }
    let all = &loaded.fleet.management_clusters;
    let place = all.keys().position(|name| name == on)? as u64;
    Some((smallest_cap(nodes, all.len() as u64, place), nodes))
}

/// The smallest cap of which the one at a place among so many has a share of so many nodes.
fn smallest_cap(nodes: u64, count: u64, place: u64) -> u64 {
    match nodes {
        0 => 0,
        nodes => (nodes - 1).saturating_mul(count) + place + 1,
    }
}

/// Gives what the ledgers refuse. That of the management cluster is asked first; for what it has no room for, those of the
/// others that this run reaches: their shares are of the same cap. Where its own can't be used, all is refused, and it is said
/// why: what another would grant, it may have granted itself.
async fn ask<T: Clone>(
    loaded: &LoadedFleet,
    planned: &Planned,
    (own, wanted): (&ManagementClusterName, &BTreeMap<String, T>),
    mode: Mode,
    grant: impl Fn(&mut Ledger, &ManagementClusterName, &BTreeMap<String, T>) -> Vec<String>,
) -> (Vec<String>, Option<ProviderError>) {
    let mut open = wanted.clone();
    let others = planned.stores.keys().filter(|name| *name != own);
    for on in std::iter::once(own).chain(others) {
        let asked = one(loaded, planned, on, mode, |ledger| grant(ledger, on, &open)).await;
        match asked {
            Ok(Some(refused)) => open.retain(|name, _| refused.contains(name)),
            Ok(None) => {}
            Err(error) if on == own => return (open.into_keys().collect(), Some(error)),
            // It grants nothing.
            Err(error) => {
                let error = chain(&error);
                tracing::warn!(on = %on, error, "its ledger can't be used");
            }
        }
        if open.is_empty() {
            break;
        }
    }
    (open.into_keys().collect(), None)
}

/// Gives what one ledger refuses; none where it could not be asked, so that nothing was granted.
async fn one(
    loaded: &LoadedFleet,
    planned: &Planned,
    on: &ManagementClusterName,
    mode: Mode,
    grant: impl Fn(&mut Ledger) -> Vec<String>,
) -> Result<Option<Vec<String>>, ProviderError> {
    let Some(store) = planned.stores.get(on) else {
        return Ok(None);
    };
    let fleet = &loaded.revised.fleet;
    for _ in 0..ATTEMPTS {
        let mut stored = store.load_ledger(fleet).await?;
        let before = stored.ledger.clone();
        let refused = grant(&mut stored.ledger);
        if mode == Mode::Look || stored.ledger == before || store.save_ledger(fleet, &stored).await? {
            return Ok(Some(refused));
        }
    }
    // Others are at it; the next look asks again.
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_all_of_the_cap_and_the_smallest_cap_for_some_nodes_is_that() {
        for count in 1..6 {
            for cap in 0..20 {
                let shares = (0..count).map(|place| share_at(cap, count, place));
                assert_eq!(shares.sum::<u64>(), cap);
            }
            for place in 0..count {
                for nodes in 1..9 {
                    let cap = smallest_cap(nodes, count, place);
                    assert_eq!(share_at(cap, count, place), nodes);
                    assert_eq!(share_at(cap - 1, count, place), nodes - 1);
                }
            }
        }
    }
}
