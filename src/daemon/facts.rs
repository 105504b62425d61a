//! What a look at a unit showed, for whoever tells it on.
//!
//! Invariant: pure. What was done is what the outcome says, never what was meant. May depend on `plan`, on what `ops` and
//! `apply` give back, `inventory` and `sync`.

use std::collections::BTreeMap;

use super::state::State;
use crate::apply::{ChangeResult, Outcome};
use crate::inventory::InventoryKey;
use crate::ops::{LoadedFleet, Planned};
use crate::plan::Plan;
use crate::plan::change::{Action, Block, Change, FieldDiff, OwnedBy, Reason};
use crate::plan::ignore::rule_for;
use crate::providers::Stored;
use crate::report::json::action as action_word;
use crate::resource::{ManagementClusterName, ResourceId, Revision, Target, UnitId};
use crate::sync::{DriftedField, Inventory, PendingChange, Suspension, cut};

/// Changes and drifted objects that are listed; the others are only counted.
const LISTED: usize = 20;
/// Fields of a drifted object that are listed.
const FIELDS: usize = 8;
/// Kinds that are counted apart.
const KINDS: usize = 40;

/// How a unit stands.
#[derive(Clone, Debug)]
pub(super) struct UnitFacts {
    /// Where it is recorded.
    pub(super) on: ManagementClusterName,
    /// Its environment, where the files have it.
    pub(super) environment: Option<String>,
    /// The revision by which it was looked at.
    pub(super) revision: Revision,
    /// None where it could not be looked at.
    pub(super) state: Option<State>,
    /// Why the attempt did not succeed.
    pub(super) error: Option<String>,
    /// None where it could not be looked at.
    pub(super) details: Option<Details>,
}

/// What was seen and done.
#[derive(Clone, Debug, Default)]
pub(super) struct Details {
    /// The revision that last changed something of it.
    pub(super) applied: Option<Revision>,
    /// How many changes are left to do.
    pub(super) pending: usize,
    /// The first of them.
    pub(super) changes: Vec<PendingChange>,
    /// What moved by itself and was not mended.
    pub(super) drift: Vec<DriftSeen>,
    /// What is recorded of it.
    pub(super) inventory: Inventory,
    /// What keeps it from being written.
    pub(super) suspension: Option<Suspension>,
    /// Changes made, those that mended something apart.
    pub(super) made: usize,
    /// What was mended.
    pub(super) mended: Vec<DriftSeen>,
}

/// An object that moved by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DriftSeen {
    pub(super) object: String,
    pub(super) vanished: bool,
    pub(super) fields: Vec<DriftedField>,
}

/// What a batch says of one unit; none where it is recorded nowhere.
pub(super) fn of(
    loaded: &LoadedFleet,
    planned: &Planned,
    outcome: &Outcome,
    (unit, state, error): (&UnitId, &State, Option<&str>),
) -> Option<UnitFacts> {
    let recorded = || planned.inventories.keys().find(|(_, recorded)| recorded == unit);
    let on = loaded
        .recorded_on(unit)
        .or_else(|| recorded().map(|(on, _)| on.clone()))?;
    Some(UnitFacts {
        state: Some(state.clone()),
        error: error.map(str::to_owned),
        details: Some(details(unit, &planned.plan, outcome, &planned.inventories)),
        ..unseen(loaded, unit, on)
    })
}

/// What is known of a unit that could not be looked at.
pub(super) fn unseen(loaded: &LoadedFleet, unit: &UnitId, on: ManagementClusterName) -> UnitFacts {
    let cluster = match unit {
        UnitId::Cluster(name) => loaded.fleet.clusters.get(name),
        UnitId::Network(_) | UnitId::ManagementCluster(_) => None,
    };
    UnitFacts {
        on,
        environment: cluster.map(|cluster| cluster.environment.to_string()),
        revision: loaded.revised.revision.clone(),
        state: None,
        error: None,
        details: None,
    }
}

/// What a plan and its outcome say of one unit.
fn details(unit: &UnitId, plan: &Plan, outcome: &Outcome, inventories: &BTreeMap<InventoryKey, Stored>) -> Details {
    let mut details = Details {
        suspension: plan.suspended.get(unit).cloned(),
        ..Details::default()
    };
    for ((_, recorded), stored) in inventories {
        if recorded == unit {
            let revision = &stored.inventory.revision;
            details.applied = Some(revision.clone()).filter(|revision| !revision.as_str().is_empty());
            count(&mut details.inventory, stored);
        }
    }
    for (at, change) in plan
        .changes
        .iter()
        .enumerate()
        .filter(|(_, change)| change.unit == *unit)
    {
        let result = outcome.results.get(at).and_then(Option::as_ref);
        let is_done = result == Some(&ChangeResult::Done);
        match (is_done, change.is_drift()) {
            (true, true) => details.mended.push(drift(change)),
            (true, false) => details.made += 1,
            (false, is_drift) => {
                if is_drift && !change.blocks.contains(&Block::Ignored) {
                    details.drift.push(drift(change));
                }
                if is_wanted(change) {
                    details.pending += 1;
                    if details.changes.len() < LISTED {
                        details.changes.push(pending(change, plan));
                    }
                }
            }
        }
    }
    for contested in contested(unit, plan) {
        details.pending += 1;
        if details.changes.len() < LISTED {
            details.changes.push(contested.pending);
        }
        details.drift.push(contested.seen);
    }
    if details.made > 0 || !details.mended.is_empty() {
        details.applied = Some(plan.revised.revision.clone());
    }
    details
}

/// An object of which nothing is left to do but what is fought over.
struct ContestedObject {
    pending: PendingChange,
    seen: DriftSeen,
}

fn contested(unit: &UnitId, plan: &Plan) -> Vec<ContestedObject> {
    let mut objects: BTreeMap<&ResourceId, (Vec<OwnedBy>, Vec<&FieldDiff>)> = BTreeMap::new();
    for field in plan.ignored.iter().filter(|field| field.unit == *unit) {
        if let Some(manager) = field.contested_by() {
            let (owned, diffs) = objects.entry(&field.id).or_default();
            owned.push(OwnedBy {
                field: field.diff.field.clone(),
                manager: manager.to_owned(),
            });
            diffs.push(&field.diff);
        }
    }
    let of_object = |(id, (owned, diffs)): (&ResourceId, (Vec<OwnedBy>, Vec<&FieldDiff>))| ContestedObject {
        pending: PendingChange {
            object: id.to_string(),
            action: action_word(Action::Update).to_owned(),
            waits_for: Some(cut(&peace(id, &owned))),
        },
        seen: DriftSeen {
            object: id.to_string(),
            vanished: false,
            fields: diffs
                .into_iter()
                .take(FIELDS)
                .map(|field| drifted(field, true))
                .collect(),
        },
    };
    objects.into_iter().map(of_object).collect()
}

/// What ends a fight, in words.
fn peace(id: &ResourceId, fields: &[OwnedBy]) -> String {
    let said = fields
        .iter()
        .map(|owned| format!("{} to leave `{}` alone", owned.manager, owned.field));
    let rule = fields.iter().find_map(|owned| rule_for(id, &owned.field));
    let or = rule.map(|rule| format!("; or for the Fleet to `ignore` it: {rule}"));
    said.collect::<Vec<_>>().join(", ") + &or.unwrap_or_default()
}

/// How many objects are listed at most.
pub(super) fn listed<T>(all: &[T]) -> &[T] {
    all.get(..LISTED).unwrap_or(all)
}

fn count(inventory: &mut Inventory, stored: &Stored) {
    for entry in &stored.inventory.entries {
        inventory.objects += 1;
        match entry.id.target {
            Target::Oci => inventory.oci += 1,
            Target::Kubernetes(_) => inventory.kubernetes += 1,
        }
        if inventory.kinds.len() < KINDS || inventory.kinds.contains_key(&entry.id.kind) {
            *inventory.kinds.entry(entry.id.kind.clone()).or_default() += 1;
        }
    }
}

/// Whether it is ours to do: what the fleet leaves to others is not.
fn is_wanted(change: &Change) -> bool {
    let others = |block: &Block| matches!(block, Block::NotManaged | Block::NoProvider | Block::Ignored);
    !change.blocks.iter().any(others) && (change.action != Action::Leave || !change.blocks.is_empty())
}

fn drift(change: &Change) -> DriftSeen {
    let is_contested = |field: &FieldDiff| {
        let mut blocks = change.blocks.iter();
        blocks.any(
            |block| matches!(block, Block::Contested { fields } if fields.iter().any(|one| one.field == field.field)),
        )
    };
    let fields = change.fields.iter().take(FIELDS);
    let fields = fields.map(|field| drifted(field, is_contested(field)));
    let vanished = change.reason == Reason::Vanished;
    DriftSeen {
        object: change.id.to_string(),
        vanished,
        // Of what is gone every field would be one.
        fields: if vanished { Vec::new() } else { fields.collect() },
    }
}

fn drifted(field: &FieldDiff, contested: bool) -> DriftedField {
    DriftedField {
        field: cut(&field.field),
        manager: field.owner.as_ref().map(|owner| cut(&owner.manager)),
        written_at: field.owner.as_ref().and_then(|owner| owner.time.clone()),
        contested,
    }
}

fn pending(change: &Change, plan: &Plan) -> PendingChange {
    PendingChange {
        object: change.id.to_string(),
        action: action_word(change.action).to_owned(),
        waits_for: change.blocks.first().map(|block| cut(&words(block, change, plan))),
    }
}

fn words(block: &Block, change: &Change, plan: &Plan) -> String {
    match block {
        Block::Guard { guard } => {
            let covers = plan
                .refusals
                .iter()
                .find(|refusal| refusal.guard == *guard && refusal.objects.contains(&change.id));
            covers.map_or_else(|| (*guard).to_owned(), |refusal| refusal.message.clone())
        }
        Block::Unknown { reason } | Block::LeftAlone { reason } => reason.clone(),
        Block::Conflict { fields } => {
            let said = fields
                .iter()
                .map(|owned| format!("`{}` is owned by {}", owned.field, owned.manager));
            said.collect::<Vec<_>>().join(", ")
        }
        Block::Dependency { needs } => format!("{needs}, which waits itself"),
        Block::Terminating { finalizers, .. } => format!("the old one to be gone ({})", finalizers.join(", ")),
        Block::Invalid { message } => message.clone(),
        Block::Precondition { what, lacks } => crate::plan::preconditions::sentence(what, lacks),
        Block::Upgrade { after } => after.clone(),
        Block::Contested { fields } => peace(&change.id, fields),
        Block::Ignored => "nobody".to_owned(),
        Block::NotManaged => "others".to_owned(),
        Block::NoProvider => "a provider".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::change::FieldOwner;
    use crate::plan::change::tests::{change, plan};

    fn moved(name: &str) -> Change {
        let mut change = change("a", "ConfigMap", name, Action::Update);
        change.reason = Reason::Drifted;
        change.fields.push(FieldDiff {
            field: ".data.x".to_owned(),
            before: None,
            after: None,
            owner: Some(FieldOwner {
                manager: "kubectl-edit".to_owned(),
                time: None,
            }),
            replaces: false,
        });
        change
    }

    #[test]
    fn what_was_done_is_not_pending_and_drift_names_its_manager() {
        let plan = plan(vec![moved("x"), moved("y"), change("a", "Secret", "z", Action::Create)]);
        let outcome = Outcome {
            results: vec![Some(ChangeResult::Done), None, Some(ChangeResult::Done)],
            ..Outcome::default()
        };
        let unit = plan.changes[0].unit.clone();
        let details = details(&unit, &plan, &outcome, &BTreeMap::new());
        assert_eq!((details.made, details.mended.len(), details.pending), (1, 1, 1));
        assert_eq!(details.drift.len(), 1);
        assert_eq!(details.drift[0].fields[0].manager.as_deref(), Some("kubectl-edit"));
        assert_eq!(details.applied, Some(plan.revised.revision));
    }

    #[test]
    fn lists_are_cut_and_counts_are_not() {
        let names: Vec<String> = (0..50).map(|n| format!("x{n}")).collect();
        let plan = plan(names.iter().map(|name| moved(name)).collect());
        let unit = plan.changes[0].unit.clone();
        let details = details(&unit, &plan, &Outcome::default(), &BTreeMap::new());
        assert_eq!(
            (details.pending, details.changes.len(), details.drift.len()),
            (50, LISTED, 50)
        );
        assert_eq!(listed(&details.drift).len(), LISTED);
    }
}
