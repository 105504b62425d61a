//! The whole plan: every object decided, dependencies blocked, guards asked, order found.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use rayon::prelude::*;
use serde::Serialize;

use super::change::{Action, Block, Change, Reason};
use super::decide::{self, Context, Decision};
use super::dependents::block_dependents;
use super::disruption::Forecast;
use super::graph::{Cycle, Graph, rank};
use super::guards::{self, Facts, Refusal};
use super::ignore::{self, Contested, IgnoredField, Rules};
use super::known::{Known, LookUps};
use super::narrow::Narrowed;
use super::origins::Origins;
use super::preconditions::Need;
use super::records::{Fate, Records};
use super::rollout;
use super::unwanted;
use super::upgrade::{Course, HeldBack, Staged};
use crate::diag::Span;
use crate::fleet::model::Fleet;
use crate::inventory::{Entry, InventoryKey, OciEntry};
use crate::providers::{Observation, Observed, Stored};
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
    /// Objects that are recorded beside those, of units that were not looked into.
    pub recorded_beside: usize,
    /// What was seen, by target.
    pub observed: &'a BTreeMap<Target, Observation>,
    /// What documents name and the fleet does not make, as it was found; empty where nothing is compared.
    pub looked_up: &'a LookUps,
    /// What is applied.
    pub revised: Revised,
    /// Units last applied from a newer revision, and that revision.
    pub newer: &'a BTreeMap<UnitId, Revision>,
    /// Units that were last applied from a revision of another branch, with that revision.
    pub beside: &'a BTreeMap<UnitId, Revision>,
    /// Units that are suspended: nothing of theirs goes ahead.
    pub suspended: BTreeMap<UnitId, Suspension>,
    /// How clusters come to their releases: what of `desired` waits for its turn.
    pub staged: &'a Staged,
    /// What is fought over, and left as it is.
    pub contested: &'a Contested,
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
    /// Ways of clusters that are not at their release.
    pub courses: BTreeMap<UnitId, Course>,
    /// Until when units are protected from now on, where the record says otherwise; none lifts it.
    pub protections: BTreeMap<InventoryKey, Option<Timestamp>>,
    /// What it costs those who run on the clusters; empty until it is worked out.
    pub forecast: Forecast,
    /// Differences that rules say to pass over, or that are fought over, by unit and object.
    pub ignored: Vec<IgnoredField>,
    /// Fields that the daemon leaves alone, since somebody writes them again as often as it mends them, in words; empty until
    /// that is looked for.
    pub contests: Vec<String>,
    /// The places of rules of the files that were about nothing that is in scope.
    pub idle_rules: Vec<Span>,
    /// Units that were last applied from a revision of another branch, with that revision.
    pub beside: BTreeMap<UnitId, Revision>,
    /// What part of the plan this is; none where it is all.
    pub narrowed: Option<Narrowed>,
    /// Where what changes was typed; empty until it is looked for.
    pub origins: Origins,
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

    /// What is let through, and should be known before, in words.
    pub fn warnings(&self) -> Vec<String> {
        let mut all = guards::warnings(&self.changes);
        all.extend(self.taken_back());
        all.extend(ignore::warnings(&self.ignored));
        all.extend(self.contests.iter().cloned());
        all
    }

    /// Says of units that were last applied from another branch that what came from there may be taken back.
    fn taken_back(&self) -> Vec<String> {
        let changing: BTreeSet<&UnitId> = self.pending().map(|change| &change.unit).collect();
        let mut by_revision: BTreeMap<&Revision, Vec<&UnitId>> = BTreeMap::new();
        for (unit, revision) in self.beside.iter().filter(|(unit, _)| changing.contains(unit)) {
            by_revision.entry(revision).or_default().push(unit);
        }
        let say = |(revision, units): (&Revision, Vec<&UnitId>)| {
            let more = match units.len() {
                0 | 1 => String::new(),
                n => format!(" and {} more", n - 1),
            };
            let first = units.first().map(ToString::to_string).unwrap_or_default();
            format!(
                "{first}{more}: last applied from {revision}, which the revision at hand does not come after: what it brought and \
                 is not in these files is taken back; merge it first, or rebase onto it"
            )
        };
        by_revision.into_iter().map(say).collect()
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

    /// Whether a record lags behind what is there: an apply completes it, though nothing else changes.
    pub fn is_behind(&self) -> bool {
        !self.settled.is_empty() || !self.protections.is_empty()
    }

    /// The same of one unit.
    pub fn leaves_behind(&self, unit: &UnitId) -> bool {
        self.settled.iter().any(|settled| settled.unit == *unit)
            || self.protections.keys().any(|(_, protected)| protected == unit)
    }

    /// Whether a step of an upgrade follows, once the one before is complete.
    pub fn has_steps_to_come(&self) -> bool {
        self.courses.values().any(Course::goes_on) || self.changes.iter().any(Change::follows)
    }

    /// Whether all there is to change moved by itself.
    pub fn is_drift_only(&self) -> bool {
        // What names something that was taken away follows it.
        let follows = |change: &Change| change.is_drift() || change.reason == Reason::ReferenceChanged;
        self.pending().any(Change::is_drift) && self.pending().all(follows)
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
        let goes = |change: &&mut Change| change.goes_ahead() || change.follows();
        for change in self.changes.iter_mut().filter(goes) {
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
    let rules = Rules::new(&inputs.fleet.ignore, inputs.contested);
    let context = Context {
        ignore: &rules,
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
    let mut ignored = Vec::new();
    for of_unit in decided {
        ignored.extend(of_unit.ignored);
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
                Fate::Moved => changes.push(unwanted::moved(entry, unit, recorded_on)),
                // Nobody will look there any more.
                _ if is_let_go(inputs, recorded_on) => changes.push(unwanted::let_go(entry, unit, recorded_on)),
                Fate::Unwanted => changes.push(match may_be_wanted_by_a_failed_unit(unit, recorded_on, inputs) {
                    Some(reason) => unwanted::undecided(entry, unit, recorded_on, reason),
                    None => unwanted(entry, unit, recorded_on, (inputs, &context)),
                }),
            }
        }
    }
    let mut held: BTreeMap<&ResourceId, &HeldBack> = inputs
        .staged
        .held
        .iter()
        .map(|held| (&held.manifest.id, held))
        .collect();
    // Where something else of it changes now, it follows that.
    for change in changes.iter_mut().filter(|change| change.writes()) {
        change.later = held.remove(&change.id).map(|held| Box::new(held.later()));
    }
    for held in held.into_values() {
        let unit = inputs.desired.get(&held.manifest.unit);
        if let (Some(unit), Some(Observed::Present(live))) = (unit, observed(inputs, &held.manifest.id)) {
            changes.push(held.change(&unit.recorded_on, live));
            unchanged = unchanged.saturating_sub(1);
        }
    }
    // Its record is not written either.
    settled.retain(|settled| !inputs.suspended.contains_key(&settled.unit));
    // People read a plan from what holds others to what is held.
    changes.sort_by(|a, b| (&a.unit, rank(&a.id), &a.id).cmp(&(&b.unit, rank(&b.id), &b.id)));

    let protect_until = protect_until(inputs);
    let refusals = with_facts(inputs, &protect_until, |facts| guards::apply(&mut changes, facts));
    let protections = protections(inputs, &changes);
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
        courses: inputs.staged.courses.clone(),
        protections,
        forecast: Forecast::default(),
        ignored,
        contests: Vec::new(),
        idle_rules: rules.idle(),
        beside: inputs.beside.clone(),
        narrowed: None,
        origins: Origins::default(),
    })
}

/// Has the guards judge what the server answered instead of what was predicted: that is what would be written.
///
/// # Errors
/// None of a plan that [`build`] made.
pub fn judge_answers(plan: &mut Plan, inputs: &Inputs<'_>) -> Result<(), Cycle> {
    let refusals = with_facts(inputs, &protect_until(inputs), |facts| {
        guards::judge_answers(&plan.changes, facts)
    });
    plan.refuse_all(refusals)
}

/// Whether a management cluster has left the files by a line that says so.
fn is_let_go(inputs: &Inputs<'_>, name: &ManagementClusterName) -> bool {
    let unit = UnitId::ManagementCluster(name.clone());
    !inputs.fleet.management_clusters.contains_key(name) && inputs.fleet.decommission.contains_key(&unit)
}

/// An object that is not wanted any more: it goes, unless machines are still made by it.
fn unwanted(
    entry: &Entry,
    unit: &UnitId,
    recorded_on: &ManagementClusterName,
    (inputs, context): (&Inputs<'_>, &Context<'_>),
) -> Change {
    let mut change = unwanted::unwanted(entry, unit, recorded_on, context);
    // Whoever it was left to may want it still. Its record stays, for the day on which it is ours again.
    if change.action == Action::Delete && !is_ours(inputs.fleet, unit, &entry.id) {
        change.action = Action::Leave;
        change.blocks.push(Block::NotManaged);
    }
    if let Some(desired) = inputs.desired.get(unit) {
        let block = rollout::block(&change, desired.manifests, |id| observed(inputs, id));
        change.blocks.extend(block);
    }
    change
}

/// Whether an object of a unit is ours to delete, by what the files say of the unit. One that left them for good is ours as a
/// whole: that was asked for by name.
fn is_ours(fleet: &Fleet, unit: &UnitId, id: &ResourceId) -> bool {
    let manage = match unit {
        UnitId::Cluster(name) => fleet.clusters.get(name).map(|cluster| cluster.manage),
        UnitId::Network(name) => fleet.networks.get(name).map(|network| network.manage),
        UnitId::ManagementCluster(_) => None,
    };
    manage.is_none_or(|manage| manage.covers(id))
}

/// What was decided of one unit.
#[derive(Default)]
struct Decided {
    changes: Vec<Change>,
    settled: Vec<Settled>,
    unchanged: usize,
    ignored: Vec<IgnoredField>,
}

fn decide_unit(unit: &DesiredUnit<'_>, inputs: &Inputs<'_>, records: &Records<'_>, context: &Context<'_>) -> Decided {
    let mut decided = Decided::default();
    for manifest in unit
        .manifests
        .iter()
        .filter(|manifest| (inputs.targets)(&manifest.id.target))
    {
        let entry = records.entry(manifest);
        match decide::wanted(manifest, &unit.recorded_on, entry, context, &mut decided.ignored) {
            Decision::Change(change) => decided.changes.push(*change),
            Decision::Settled(kept) => {
                decided.unchanged += 1;
                decided.settled.extend(settle(manifest, kept, unit, (inputs, context)));
            }
        }
    }
    decided
}

/// What the record of an unchanged object lacks, if it does. What the fleet leaves to others is in no record, and a unit
/// that was applied from a newer revision keeps the record of that.
fn settle(
    manifest: &Manifest,
    kept: Option<OciEntry>,
    unit: &DesiredUnit<'_>,
    (inputs, context): (&Inputs<'_>, &Context<'_>),
) -> Option<Settled> {
    if manifest.stewardship == Stewardship::Observed || inputs.newer.contains_key(&manifest.unit) {
        return None;
    }
    let key = (unit.recorded_on.clone(), manifest.unit.clone());
    let recorded = inputs
        .inventories
        .get(&key)
        .and_then(|stored| stored.inventory.get(&manifest.id));
    let entry = decide::entry(manifest, recorded, kept, context).filter(|entry| Some(entry) != recorded)?;
    Some(Settled {
        unit: manifest.unit.clone(),
        recorded_on: unit.recorded_on.clone(),
        entry,
    })
}

/// Objects that several clusters share move between a cluster's unit and its management cluster's. While the other side
/// is left alone, be it that it did not render or could not be looked at, that this side does not want an object says nothing.
fn may_be_wanted_by_a_failed_unit(
    unit: &UnitId,
    recorded_on: &ManagementClusterName,
    inputs: &Inputs<'_>,
) -> Option<String> {
    let (failed, why) = match unit {
        UnitId::ManagementCluster(_) => inputs.failed.first_key_value(),
        UnitId::Cluster(_) => inputs
            .failed
            .get_key_value(&UnitId::ManagementCluster(recorded_on.clone())),
        UnitId::Network(_) => None,
    }?;
    Some(format!("{failed} may want it, and is left alone: {why}"))
}

fn observed<'a>(inputs: &'a Inputs<'_>, id: &ResourceId) -> Option<&'a Observed> {
    inputs.observed.get(&id.target)?.objects.get(id)
}

/// Until when units are protected, by what was last applied or by the files, whichever is later.
fn protect_until(inputs: &Inputs<'_>) -> BTreeMap<UnitId, Timestamp> {
    let recorded = inputs.inventories.values().map(|stored| &stored.inventory);
    let recorded = recorded.filter_map(|inventory| Some((inventory.unit.clone(), inventory.protect_until?)));
    let clusters = inputs.fleet.clusters.iter();
    let typed = clusters.filter_map(|(name, cluster)| Some((UnitId::Cluster(name.clone()), cluster.protect_until?)));
    let mut latest: BTreeMap<UnitId, Timestamp> = BTreeMap::new();
    for (unit, until) in recorded.chain(typed) {
        let known = latest.entry(unit).or_insert(until);
        *known = until.max(*known);
    }
    latest
}

/// What records should say of it. A commit that takes something away does not lift what protects that, so the record stays as
/// it is while something is refused for it.
fn protections(inputs: &Inputs<'_>, changes: &[Change]) -> BTreeMap<InventoryKey, Option<Timestamp>> {
    let refused = |change: &Change| {
        let by = |block: &Block| matches!(block, Block::Guard { guard } if *guard == guards::PROTECT_UNTIL);
        change.blocks.iter().any(by)
    };
    let kept: BTreeSet<&UnitId> = changes
        .iter()
        .filter(|change| refused(change))
        .map(|change| &change.unit)
        .collect();
    let begun: BTreeSet<(&ManagementClusterName, &UnitId)> = changes
        .iter()
        .filter(|change| change.goes_ahead())
        .map(|change| (&change.recorded_on, &change.unit))
        .collect();
    let mut protections = BTreeMap::new();
    for (unit, desired) in &inputs.desired {
        let UnitId::Cluster(name) = unit else { continue };
        let Some(cluster) = inputs.fleet.clusters.get(name) else {
            continue;
        };
        let key = (desired.recorded_on.clone(), unit.clone());
        let stored = inputs.inventories.get(&key);
        let recorded = stored.and_then(|stored| stored.inventory.protect_until);
        let is_ours = stored.is_some() || begun.contains(&(&key.0, unit));
        let is_left = kept.contains(unit) || inputs.suspended.contains_key(unit) || inputs.newer.contains_key(unit);
        if recorded != cluster.protect_until && is_ours && !is_left {
            protections.insert(key, cluster.protect_until);
        }
    }
    protections
}

/// Where on OCI something that is recorded was seen.
fn sighted(inputs: &Inputs<'_>) -> BTreeSet<guards::Place> {
    let entries = inputs.inventories.values().flat_map(|stored| &stored.inventory.entries);
    let seen = entries.filter(|entry| matches!(observed(inputs, &entry.id), Some(Observed::Present(_))));
    let places = seen.filter_map(|entry| entry.oci.as_ref());
    places
        .map(|entry| (entry.tenancy.clone(), entry.region.clone()))
        .collect()
}

/// What guards go by.
fn with_facts<R>(
    inputs: &Inputs<'_>,
    protect_until: &BTreeMap<UnitId, Timestamp>,
    ask: impl FnOnce(&Facts<'_>) -> R,
) -> R {
    let fleet = inputs.fleet;
    let clusters = fleet.clusters.keys().chain(&fleet.failed).cloned().map(UnitId::Cluster);
    let units: BTreeSet<UnitId> = clusters
        .chain(fleet.networks.keys().cloned().map(UnitId::Network))
        .chain(fleet.management_clusters.keys().cloned().map(UnitId::ManagementCluster))
        .chain(inputs.failed.keys().cloned())
        .collect();
    let mut recorded_of: BTreeMap<UnitId, usize> = BTreeMap::new();
    for ((_, unit), stored) in inputs.inventories {
        *recorded_of.entry(unit.clone()).or_default() += stored.inventory.entries.len();
    }
    let sighted = sighted(inputs);
    let observations = inputs.observed.values().flat_map(|observation| &observation.strangers);
    let strangers = observations.map(|(id, found)| (id.clone(), found.clone())).collect();
    let desired = inputs.desired.values().map(|unit| unit.manifests.len());
    let facts = Facts {
        remake: &fleet.remake,
        sighted: &sighted,
        strangers: &strangers,
        limits: &fleet.limits,
        decommission: &fleet.decommission,
        units: &units,
        recorded: recorded_of.values().sum::<usize>() + inputs.recorded_beside,
        recorded_of: &recorded_of,
        protect_until,
        waived: &fleet.waived,
        courses: &inputs.staged.courses,
        // By an unreadable clock nothing has ended.
        now: inputs.now.parse().unwrap_or(Timestamp::MIN),
        desired: desired.sum::<usize>() + inputs.wanted_elsewhere.len(),
        incomplete: fleet.incomplete,
        adopt: inputs.adopt,
        newer: inputs.newer,
        suspended: &inputs.suspended,
    };
    ask(&facts)
}
