//! What waits since something that it needs does.
//!
//! Invariant: a change that is blocked already keeps its own reason.

use std::collections::BTreeMap;

use serde_json::Value;

use super::change::{Action, Block, Change, Preview, Reason};
use super::graph::{Cycle, Graph};
use super::upgrade::IMAGE;
use crate::resource::{Part, ResourceId, Target, UnitId};

/// What needs an object that is not there and will not be made is blocked too; so is the delete of what still holds
/// something that stays, and of what is still in use by what does not let go of it.
pub(super) fn block_dependents(changes: &mut [Change], graph: &Graph) -> Result<(), Cycle> {
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
                record_stays
                    || changes[j].is_remade()
                    || stays_missing(&changes[j])
                    || stays_there(&changes[j])
                    || (!changes[j].goes_ahead() && lets_go(&changes[j], &changes[i]))
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
    block_what_follows(changes);
    Ok(())
}

/// What follows a step of its control plane does not come where that step is not taken.
fn block_what_follows(changes: &mut [Change]) {
    let stopped: BTreeMap<UnitId, ResourceId> = changes
        .iter()
        .filter(|change| change.id.kind == "HostedCluster" && !change.goes_ahead() && !change.follows())
        .filter(|change| change.all_fields().any(|diff| diff.field == IMAGE))
        .map(|change| (change.unit.clone(), change.id.clone()))
        .collect();
    for change in changes.iter_mut() {
        let Some(needs) = stopped.get(&change.unit) else {
            continue;
        };
        // What else there is to change goes on.
        if change.id != *needs {
            change.later = None;
        }
        if change.follows() {
            change.blocks.push(Block::Dependency { needs: needs.clone() });
        }
    }
}

/// Of deletes, by their index, the indices of the writes that let go of what goes.
pub(super) fn releases(changes: &[Change]) -> BTreeMap<usize, Vec<usize>> {
    let mut by_name: BTreeMap<(&Target, Option<&str>, &str), Vec<usize>> = BTreeMap::new();
    let mut open: BTreeMap<(&Target, Option<&str>), Vec<usize>> = BTreeMap::new();
    for (j, change) in changes.iter().enumerate().filter(|(_, change)| may_let_go(change)) {
        let (target, namespace) = (&change.id.target, change.id.namespace.as_deref());
        if is_open(change) {
            open.entry((target, namespace)).or_default().push(j);
        }
        let before = change.fields.iter().filter_map(|field| field.before.as_ref());
        before.for_each(|value| {
            each_text(value, &mut |text| {
                by_name.entry((target, namespace, text)).or_default().push(j);
            });
        });
    }
    let of_delete = |(i, change): (usize, &Change)| {
        let (target, namespace) = (&change.id.target, change.id.namespace.as_deref());
        let named = handle(change).and_then(|handle| by_name.get(&(target, namespace, handle)));
        let writes = named.into_iter().chain(open.get(&(target, namespace))).flatten();
        let writes: Vec<usize> = writes.copied().filter(|&j| lets_go(&changes[j], change)).collect();
        (!writes.is_empty()).then_some((i, writes))
    };
    let deletes = changes
        .iter()
        .enumerate()
        .filter(|(_, change)| change.action == Action::Delete);
    deletes.filter_map(of_delete).collect()
}

/// Whether a write lets go of what is to be deleted, or may: until it is made, that is in use.
fn lets_go(write: &Change, delete: &Change) -> bool {
    let is_near = write.id.target == delete.id.target && write.id.namespace == delete.id.namespace;
    if delete.action != Action::Delete || delete.is_remade() || !is_near || !may_let_go(write) {
        return false;
    }
    // Of what can't be seen it is not known what it uses; parts of a cluster hold each other in their own ways.
    let may_use = is_open(write) && Part::of(&delete.id.kind).is_none();
    may_use || handle(delete).is_some_and(|handle| mentions(write, handle))
}

/// What is there, and is written to or can't be seen.
fn may_let_go(change: &Change) -> bool {
    match change.action {
        Action::Update | Action::Adopt => true,
        Action::Leave => change.reason == Reason::Unseen,
        Action::Create | Action::Delete | Action::Forget => false,
    }
}

/// Whether what it holds on to is not known.
fn is_open(change: &Change) -> bool {
    let is_predicted = change.preview != Preview::Document || !change.fields.is_empty();
    Part::of(&change.id.kind).is_some() && change.id.target != Target::Oci && !is_predicted
}

/// By what others name an object.
fn handle(change: &Change) -> Option<&str> {
    match change.id.target {
        Target::Oci => change.precondition.as_ref().map(|there| there.uid.as_str()),
        Target::Kubernetes(_) => Some(&change.id.name),
    }
}

fn mentions(write: &Change, handle: &str) -> bool {
    let mut found = false;
    let before = write.fields.iter().filter_map(|field| field.before.as_ref());
    before.for_each(|value| each_text(value, &mut |text| found |= text == handle));
    found
}

fn each_text<'v>(value: &'v Value, take: &mut impl FnMut(&'v str)) {
    match value {
        Value::String(text) => take(text),
        Value::Array(items) => items.iter().for_each(|item| each_text(item, take)),
        Value::Object(map) => map.values().for_each(|item| each_text(item, take)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::change::tests::change;
    use super::super::change::{FieldDiff, Later};
    use super::*;

    fn releasing(cluster: &str, before: Value) -> Change {
        let mut hosted = change(cluster, "HostedCluster", cluster, Action::Update);
        hosted.preview = Preview::Predicted;
        hosted.fields = vec![FieldDiff {
            field: ".spec.sshKey".to_owned(),
            before: Some(before),
            after: None,
            owner: None,
            replaces: false,
        }];
        hosted
    }

    /// Which of the changes go ahead, where the first is refused.
    fn goes(mut changes: Vec<Change>) -> Vec<bool> {
        let graph = Graph::new(&changes).unwrap();
        changes[0].blocks.push(Block::Guard { guard: "g" });
        block_dependents(&mut changes, &graph).unwrap();
        changes.iter().map(Change::goes_ahead).collect()
    }

    #[test]
    fn what_a_refused_write_lets_go_of_stays_and_all_else_goes() {
        let mut of_another_unit = change("a", "Secret", "old", Action::Delete);
        of_another_unit.unit = UnitId::ManagementCluster(of_another_unit.recorded_on.clone());
        for delete in [change("a", "Secret", "old", Action::Delete), of_another_unit] {
            let changes = vec![
                releasing("a", json!({"name": "old"})),
                delete,
                change("a", "Secret", "other", Action::Delete),
                change("b", "Secret", "old", Action::Delete),
            ];
            assert!(Graph::new(&changes).unwrap().before[1].contains(&0));
            assert_eq!(goes(changes), [false, false, true, true]);
        }
    }

    #[test]
    fn what_follows_a_step_that_is_refused_does_not_come_and_all_else_of_it_does() {
        let image = |mut change: Change| {
            change.fields = releasing("a", json!("4.20.3")).fields;
            change.fields[0].field = IMAGE.to_owned();
            change
        };
        let mut pool = change("a", "NodePool", "a-x", Action::Update);
        pool.later = Some(Box::new(Later {
            field: image(pool.clone()).fields.remove(0),
            after: "it".to_owned(),
        }));
        let mut changes = vec![image(change("a", "HostedCluster", "a", Action::Update)), pool];
        let graph = Graph::new(&changes).unwrap();
        block_dependents(&mut changes, &graph).unwrap();
        assert!(changes[1].later.is_some());
        changes[0].blocks.push(Block::Guard { guard: "g" });
        block_dependents(&mut changes, &graph).unwrap();
        assert!(changes[1].goes_ahead() && changes[1].later.is_none());
    }

    #[test]
    fn of_what_can_not_be_seen_nothing_goes_that_it_may_use() {
        let mut unseen = change("a", "HostedCluster", "a", Action::Leave);
        unseen.reason = Reason::Unseen;
        let changes = vec![
            unseen,
            change("a", "Secret", "old", Action::Delete),
            change("a", "NodePool", "a-x", Action::Delete),
            change("b", "Secret", "old", Action::Delete),
        ];
        assert_eq!(goes(changes), [false, false, true, true]);
    }
}
