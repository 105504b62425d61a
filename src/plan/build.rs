//! The whole plan: every object decided, dependencies blocked, guards asked, order found.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;
use serde::Serialize;

use super::change::{Action, Block, Change, Reason};
use super::decide::{self, Context};
use super::disruption::Forecast;
use super::graph::{Cycle, Graph, rank};
use super::guards::{self, Facts, Refusal};
use super::known::{Known, LookUps};
use super::preconditions::Need;
use crate::fleet::model::Fleet;
use crate::inventory::{Entry, InventoryKey};
use crate::providers::{Observation, Stored};
use crate::resource::{FleetUid, ManagementClusterName, Manifest, ResourceId, Revision, Stewardship, Target, UnitId};
use crate::sync::Suspension;

/// The fleet and the revision that a plan is of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Revised {
    /// The fleet.
    pub fleet: FleetUid,
    /// What is applied.
    pub revision: Revision,
    /// Its committer time, seconds since 1970; 0 for a tree that is no commit.
    pub time: i64,
}

/// A unit that is left alone as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Held {
    /// The unit.
    pub unit: UnitId,
    /// Why.
    pub reason: String,
}

/// An object that is as it should be, and that its inventory does not know as it is: a run ended before it could write that
/// down, or the fleet files changed in a way that makes no difference. An apply completes the record; nothing else changes.
#[derive(Clone, Debug)]
pub struct Settled {
    /// The unit.
    pub unit: UnitId,
    /// The management cluster whose inventory holds it.
    pub recorded_on: ManagementClusterName,
    /// What the record should say.
    pub entry: Entry,
}

/// One unit of the desired state.
#[derive(Clone, Debug)]
pub struct DesiredUnit<'a> {
    /// Its manifests.
    pub manifests: &'a [Manifest],
    /// The management cluster whose inventory holds it.
    pub recorded_on: ManagementClusterName,
}

/// Everything that a plan is made of.
pub struct Inputs<'a> {
    /// The resolved fleet.
    pub fleet: &'a Fleet,
    /// What is wanted, for the units in scope that resolved and rendered.
    pub desired: BTreeMap<UnitId, DesiredUnit<'a>>,
    /// What units out of scope want: it may be recorded under a unit in scope, and is not pruned from there.
    pub wanted_elsewhere: BTreeSet<&'a ResourceId>,
    /// Units in the files that did not resolve or render, and why.
    pub failed: BTreeMap<UnitId, String>,
    /// Whether a unit is in the scope of this run; what is not is neither written nor pruned.
    pub in_scope: &'a (dyn Fn(&UnitId) -> bool + Sync),
    /// Whether objects on a control plane are in the scope of this run.
    pub targets: &'a (dyn Fn(&Target) -> bool + Sync),
    /// All inventories, of the whole fleet, old names replaced by new ones.
    pub inventories: &'a BTreeMap<InventoryKey, Stored>,
    /// What was seen, by target.
    pub observed: &'a BTreeMap<Target, Observation>,
    /// What documents name and the fleet does not make, as it was found; empty where nothing is compared.
    pub looked_up: &'a LookUps,
    /// What is applied.
    pub revised: Revised,
    /// Units last applied from a newer revision, and that revision.
    pub newer: &'a BTreeMap<UnitId, Revision>,
    /// Units that are suspended: nothing of theirs goes ahead.
    pub suspended: BTreeMap<UnitId, Suspension>,
    /// Whether what was found may be adopted.
    pub adopt: bool,
    /// The time for predicted managedFields, RFC 3339.
    pub now: &'a str,
}

/// What would be done. Immutable once made; `apply` takes nothing else.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What it is a plan of.
    pub revised: Revised,
    /// Everything that is not as it should be, by unit, and within one in the order in which kinds are made.
    pub changes: Vec<Change>,
    /// The order between them.
    pub graph: Graph,
    /// Objects that are as they should be.
    pub unchanged: usize,
    /// Those of them whose record is to be completed.
    pub settled: Vec<Settled>,
    /// What guards refuse.
    pub refusals: Vec<Refusal>,
    /// Units that are left alone.
    pub held: Vec<Held>,
    /// What has to be there and is not ours to make, for what is about to be made.
    pub needs: Vec<Need>,
    /// Units that are suspended.
    pub suspended: BTreeMap<UnitId, Suspension>,
    /// What it costs those who run on the clusters; empty until it is worked out.
    pub forecast: Forecast,
}

impl Plan {
    /// The changes that are wanted of us: those that go ahead, and those that something of this run stands in the way of.
    /// What the fleet leaves to another tool is none.
    fn pending(&self) -> impl Iterator<Item = &Change> {
        self.changes.iter().filter(|change| {
            change.action != Action::Leave
                && !change
                    .blocks
                    .iter()
                    .any(|block| matches!(block, Block::NotManaged | Block::Dependency { .. }))
        })
    }

    /// Whether something would be changed.
    pub fn has_changes(&self) -> bool {
        self.pending().next().is_some()
    }

    /// Whether something is refused: by a guard, or for a field that another manager owns.
    pub fn is_refused(&self) -> bool {
        let conflicts = |change: &Change| {
            change
                .blocks
                .iter()
                .any(|block| matches!(block, Block::Conflict { .. }))
        };
        !self.refusals.is_empty() || self.changes.iter().any(conflicts)
    }

    /// Whether something has to be gone before it can be made again.
    pub fn waits_for_deletes(&self) -> bool {
        let waits = |change: &Change| {
            change
                .blocks
                .iter()
                .any(|block| matches!(block, Block::Terminating { .. }))
        };
        self.changes.iter().any(waits)
    }

    /// Whether something could not be looked at, or can't be planned.
    pub fn has_unknowns(&self) -> bool {
        self.changes.iter().flat_map(|change| &change.blocks).any(|block| {
            matches!(
                block,
                Block::Unknown { .. } | Block::Invalid { .. } | Block::Precondition { .. }
            )
        })
    }

    /// Whether all there is to change moved by itself.
    pub fn is_drift_only(&self) -> bool {
        self.has_changes() && self.pending().all(Change::is_drift)
    }
}

impl Plan {
    /// Blocks what a refusal covers, and what needs that.
    ///
    /// # Errors
    /// None of a plan that [`build`] made.
    pub fn refuse(&mut self, refusal: Refusal) -> Result<(), Cycle> {
        self.refuse_all(vec![refusal])
    }

    /// Blocks what several refusals cover, and what needs that.
    ///
    /// # Errors
    /// None of a plan that [`build`] made.
    pub fn refuse_all(&mut self, refusals: Vec<Refusal>) -> Result<(), Cycle> {
        if refusals.is_empty() {
            return Ok(());
        }
        let covered = refusals.iter().flat_map(|refusal| {
            let guard = refusal.guard;
            refusal.objects.iter().map(move |id| (id, guard))
        });
        let covered: BTreeMap<&ResourceId, &'static str> = covered.collect();
        for change in self.changes.iter_mut().filter(|change| change.goes_ahead()) {
            let guard = covered.get(&change.id);
            change.blocks.extend(guard.map(|guard| Block::Guard { guard }));
        }
        self.refusals.extend(refusals);
        block_dependents(&mut self.changes, &self.graph)
    }

    /// Blocks changes for which there is a reason, and what needs them.
    ///
    /// # Errors
    /// None of a plan that [`build`] made.
    pub fn leave_alone(&mut self, mut block: impl FnMut(&Change) -> Option<Block>) -> Result<(), Cycle> {
        for change in self.changes.iter_mut().filter(|change| change.goes_ahead()) {
            change.blocks.extend(block(change));
        }
        block_dependents(&mut self.changes, &self.graph)
    }
}

/// Makes the plan.
///
/// # Errors
/// Where objects wait for each other in a ring.
pub fn build(inputs: &Inputs<'_>) -> Result<Plan, Cycle> {
    let known = Known::new(inputs.observed, inputs.inventories, inputs.looked_up);
    let context = Context {
        fleet: &inputs.revised.fleet,
        conflicts: &inputs.fleet.conflicts,
        observed: inputs.observed,
        known: &known,
        now: inputs.now,
    };
    let records = Records::new(inputs);

    let decided: Vec<Decided> = inputs
        .desired
        .par_iter()
        .map(|(_, unit)| decide_unit(unit, inputs, &records, &context))
        .collect();
    let (mut changes, mut settled, mut unchanged) = (Vec::new(), Vec::new(), 0);
    for of_unit in decided {
        changes.extend(of_unit.changes);
        settled.extend(of_unit.settled);
        unchanged += of_unit.unchanged;
    }
    for ((recorded_on, unit), stored) in inputs.inventories {
        if inputs.failed.contains_key(unit) || !(inputs.in_scope)(unit) {
            continue;
        }
        for entry in stored
            .inventory
            .entries
            .iter()
            .filter(|entry| (inputs.targets)(&entry.id.target))
        {
            match records.fate(entry, unit) {
                Fate::Kept => {}
                Fate::Moved => changes.push(decide::moved(entry, unit, recorded_on)),
                Fate::Unwanted => changes.push(match may_be_wanted_by_a_failed_unit(unit, recorded_on, inputs) {
                    Some(reason) => decide::undecided(entry, unit, recorded_on, reason),
                    None => decide::unwanted(entry, unit, recorded_on, &context),
                }),
            }
        }
    }
    // Its record is not written either.
    settled.retain(|settled| !inputs.suspended.contains_key(&settled.unit));
    // People read a plan from what holds others to what is held.
    changes.sort_by(|a, b| (&a.unit, rank(&a.id), &a.id).cmp(&(&b.unit, rank(&b.id), &b.id)));

    let refusals = refuse(&mut changes, inputs);
    let graph = Graph::new(&changes)?;
    block_dependents(&mut changes, &graph)?;
    Ok(Plan {
        revised: inputs.revised.clone(),
        changes,
        graph,
        unchanged,
        settled,
        refusals,
        held: inputs
            .failed
            .iter()
            .map(|(unit, reason)| Held {
                unit: unit.clone(),
                reason: reason.clone(),
            })
            .collect(),
        needs: Vec::new(),
        suspended: inputs.suspended.clone(),
        forecast: Forecast::default(),
    })
}

/// What was decided of one unit.
#[derive(Default)]
struct Decided {
    changes: Vec<Change>,
    settled: Vec<Settled>,
    unchanged: usize,
}

fn decide_unit(unit: &DesiredUnit<'_>, inputs: &Inputs<'_>, records: &Records<'_>, context: &Context<'_>) -> Decided {
    let mut decided = Decided::default();
    for manifest in unit
        .manifests
        .iter()
        .filter(|manifest| (inputs.targets)(&manifest.id.target))
    {
        match decide::wanted(manifest, &unit.recorded_on, records.entry(manifest), context) {
            Some(change) => decided.changes.push(change),
            None => {
                decided.unchanged += 1;
                decided.settled.extend(settle(manifest, unit, inputs, context));
            }
        }
    }
    decided
}

/// What the record of an unchanged object lacks, if it does. What the fleet leaves to others is in no record, and a unit
/// that was applied from a newer revision keeps the record of that.
fn settle(manifest: &Manifest, unit: &DesiredUnit<'_>, inputs: &Inputs<'_>, context: &Context<'_>) -> Option<Settled> {
    if manifest.stewardship == Stewardship::Observed || inputs.newer.contains_key(&manifest.unit) {
        return None;
    }
    let key = (unit.recorded_on.clone(), manifest.unit.clone());
    let recorded = inputs
        .inventories
        .get(&key)
        .and_then(|stored| stored.inventory.get(&manifest.id));
    let entry = decide::entry(manifest, recorded, context).filter(|entry| Some(entry) != recorded)?;
    Some(Settled {
        unit: manifest.unit.clone(),
        recorded_on: unit.recorded_on.clone(),
        entry,
    })
}

/// What the inventories hold, and what of it somebody wants.
struct Records<'a> {
    /// The unit that wants an object.
    wanted: BTreeMap<&'a ResourceId, &'a UnitId>,
    elsewhere: &'a BTreeSet<&'a ResourceId>,
    /// The entries of every object: one, or for a while two when it moves from a unit to another.
    entries: BTreeMap<&'a ResourceId, Vec<(&'a UnitId, &'a Entry)>>,
}

enum Fate {
    /// Its unit wants it, or one out of scope does.
    Kept,
    /// Another unit wants it now, and records it.
    Moved,
    /// Nobody wants it.
    Unwanted,
}

impl<'a> Records<'a> {
    fn new(inputs: &'a Inputs<'_>) -> Self {
        let manifests = inputs.desired.values().flat_map(|unit| unit.manifests);
        let mut entries: BTreeMap<&ResourceId, Vec<(&UnitId, &Entry)>> = BTreeMap::new();
        for ((_, unit), stored) in inputs.inventories {
            for entry in &stored.inventory.entries {
                entries.entry(&entry.id).or_default().push((unit, entry));
            }
        }
        Self {
            wanted: manifests.map(|manifest| (&manifest.id, &manifest.unit)).collect(),
            elsewhere: &inputs.wanted_elsewhere,
            entries,
        }
    }

    /// The entry of an object: its own unit's, else that of the unit that it moves from.
    fn entry(&self, manifest: &Manifest) -> Option<&'a Entry> {
        let entries = self.entries.get(&manifest.id)?;
        let own = entries.iter().find(|(unit, _)| **unit == manifest.unit);
        own.or(entries.first()).map(|(_, entry)| *entry)
    }

    fn fate(&self, entry: &Entry, unit: &UnitId) -> Fate {
        match self.wanted.get(&entry.id) {
            Some(wanting) if *wanting == unit => Fate::Kept,
            Some(_) => Fate::Moved,
            None if self.elsewhere.contains(&entry.id) => Fate::Kept,
            None => Fate::Unwanted,
        }
    }
}

/// Objects that several clusters share move between a cluster's unit and its management cluster's. While the other side
/// did not render, that this side does not want an object says nothing.
fn may_be_wanted_by_a_failed_unit(
    unit: &UnitId,
    recorded_on: &ManagementClusterName,
    inputs: &Inputs<'_>,
) -> Option<&'static str> {
    let failed = match unit {
        UnitId::ManagementCluster(_) => !inputs.failed.is_empty(),
        UnitId::Cluster(_) => inputs
            .failed
            .contains_key(&UnitId::ManagementCluster(recorded_on.clone())),
        UnitId::Network(_) => false,
    };
    failed.then_some("a unit that may want it did not render")
}

/// Asks the guards.
fn refuse(changes: &mut [Change], inputs: &Inputs<'_>) -> Vec<Refusal> {
    let fleet = inputs.fleet;
    let clusters = fleet.clusters.keys().chain(&fleet.failed).cloned().map(UnitId::Cluster);
    let units: BTreeSet<UnitId> = clusters
        .chain(fleet.networks.keys().cloned().map(UnitId::Network))
        .chain(fleet.management_clusters.keys().cloned().map(UnitId::ManagementCluster))
        .chain(inputs.failed.keys().cloned())
        .collect();
    let facts = Facts {
        limits: &fleet.limits,
        decommission: &fleet.decommission,
        units: &units,
        recorded: inputs
            .inventories
            .values()
            .map(|stored| stored.inventory.entries.len())
            .sum(),
        desired: inputs.desired.values().map(|unit| unit.manifests.len()).sum(),
        incomplete: fleet.incomplete,
        adopt: inputs.adopt,
        newer: inputs.newer,
        suspended: &inputs.suspended,
    };
    guards::apply(changes, &facts)
}

/// What needs an object that is not there and will not be made is blocked too; so is the delete of what still holds
/// something that stays.
fn block_dependents(changes: &mut [Change], graph: &Graph) -> Result<(), Cycle> {
    let places: BTreeMap<ResourceId, usize> = changes
        .iter()
        .enumerate()
        .filter(|(_, change)| change.writes())
        .map(|(i, change)| (change.id.clone(), i))
        .collect();
    for wave in graph.waves(changes)? {
        for i in wave {
            // One reason is enough; what it would wait for besides only hides it.
            if changes[i].action == Action::Leave || !changes[i].blocks.is_empty() {
                continue;
            }
            let needs = graph.before[i].iter().find(|&&j| {
                let record_stays = changes[i].reason == Reason::Moved && !changes[j].goes_ahead();
                record_stays || stays_missing(&changes[j]) || stays_there(&changes[j])
            });
            let missing = || {
                let made = |id: &ResourceId| places.get(id).is_some_and(|&j| changes[j].goes_ahead());
                let mut open = changes[i].unresolved.iter().map(|reference| &reference.id);
                open.find(|id| !made(id)).cloned()
            };
            if let Some(needs) = needs.map(|&j| changes[j].id.clone()).or_else(missing) {
                changes[i].blocks.push(Block::Dependency { needs });
            }
        }
    }
    Ok(())
}

/// A write that is not made, of an object that is not there or not known to be. Nor is what others made on OCI, and is not
/// taken over, there for us: nothing is put into somebody else's network.
fn stays_missing(change: &Change) -> bool {
    let write = match change.action {
        Action::Create => true,
        Action::Adopt => change.id.target == Target::Oci,
        Action::Leave => change.reason == Reason::Unseen,
        Action::Update | Action::Delete | Action::Forget => false,
    };
    write && !change.goes_ahead()
}

/// A delete that is not made.
fn stays_there(change: &Change) -> bool {
    change.removes() && !change.goes_ahead()
}
