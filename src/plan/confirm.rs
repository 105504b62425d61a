//! The server's own word on what was predicted.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::build::{Plan, Settled};
use super::change::{Action, Block, Body, Change, FieldDiff, OwnedBy, Preview};
use super::decide::{self, payload_value};
use super::dependents::block_dependents;
use super::graph::Cycle;
use super::mask::holds_secrets;
use crate::inventory::Entry;
use crate::providers::{Kind, Observation, Observed, ProviderError, Sensitive, WriteResponse};
use crate::resource::{Target, UnitId};
use crate::schema::{Gvk, Schema};

/// The changes that the server is asked about, by their indices. What an adoption that moves other managers' entries would come
/// to takes two writes, and can't be asked for; nor can what names or needs something that is not there yet, be it its
/// namespace. OCI has no dry-run.
pub fn wanted(plan: &Plan) -> Vec<usize> {
    let mut made: BTreeMap<&UnitId, BTreeSet<&str>> = BTreeMap::new();
    for change in plan.changes.iter().filter(|change| is_made(change)) {
        made.entry(&change.unit).or_default().insert(&change.id.kind);
    }
    let is_there = |j: &usize| {
        plan.changes
            .get(*j)
            .is_none_or(|needed| needed.action != Action::Create)
    };
    let can_be_tried = |(at, change): &(usize, &Change)| match change.action {
        Action::Update | Action::Adopt => true,
        // What is made with it may be needed in ways that nobody here knows of, as a Role is by its binding.
        Action::Create => {
            let is_of_one_kind = made.get(&change.unit).is_none_or(|kinds| kinds.len() < 2);
            is_of_one_kind
                && plan
                    .graph
                    .before
                    .get(*at)
                    .is_some_and(|before| before.iter().all(is_there))
        }
        Action::Delete | Action::Forget | Action::Leave => false,
    };
    let changes = plan.changes.iter().enumerate().filter(|(_, change)| {
        change.goes_ahead()
            && change.payload.managed_fields.is_none()
            && change.unresolved.is_empty()
            && change.id.target != Target::Oci
    });
    changes.filter(can_be_tried).map(|(at, _)| at).collect()
}

fn is_made(change: &Change) -> bool {
    change.action == Action::Create && change.id.target != Target::Oci
}

/// The document that a change writes.
pub fn document(change: &Change) -> Option<Sensitive> {
    payload_value(&change.payload.body)
}

/// Takes the server's answers: a prediction is confirmed, or replaced; what turns out to change nothing is dropped; what
/// the server would refuse is blocked, and what needs it.
///
/// Guards have judged the predictions: where one was replaced, [`super::build::judge_answers`] has them judge again.
///
/// # Errors
/// None of a plan that [`super::build()`] made.
pub fn settle(
    plan: &mut Plan,
    answers: impl IntoIterator<Item = (usize, Result<WriteResponse, ProviderError>)>,
    observed: &BTreeMap<Target, Observation>,
) -> Result<(), Cycle> {
    let mut settled = Vec::new();
    for (i, answer) in answers {
        let Some(change) = plan.changes.get_mut(i) else {
            continue;
        };
        match answer {
            Ok(response) => {
                if compare(change, &response, observed) == Verdict::NothingChanges {
                    settled.push(i);
                }
            }
            Err(ProviderError::Conflict(fields)) => change.blocks.push(Block::Conflict {
                fields: fields
                    .into_iter()
                    .map(|field| OwnedBy {
                        field: field.field,
                        manager: field.manager,
                    })
                    .collect(),
            }),
            Err(ProviderError::Invalid { message, .. }) => change.blocks.push(Block::Invalid { message }),
            // Who may only look is shown what is predicted.
            Err(ProviderError::Forbidden { .. })
                if change.preview == Preview::Predicted || change.action == Action::Create => {}
            Err(error) => change.blocks.push(Block::Unknown {
                reason: crate::report::chain(&error),
            }),
        }
    }
    drop_changes(plan, &settled);
    block_dependents(&mut plan.changes, &plan.graph)
}

#[derive(PartialEq, Eq)]
enum Verdict {
    NothingChanges,
    Changes,
}

fn compare(change: &mut Change, response: &WriteResponse, observed: &BTreeMap<Target, Observation>) -> Verdict {
    let observation = observed.get(&change.id.target);
    let live = match observation.and_then(|seen| seen.objects.get(&change.id)) {
        Some(Observed::Present(live)) => live.parse().ok(),
        Some(Observed::Absent | Observed::Unknown(_)) | None => None,
    };
    // Of what is not there it is what is asked for that may come to something else.
    let asked = || document(change).filter(|_| change.action == Action::Create);
    let before = live.or_else(|| asked().map(|asked| asked.expose().clone()));
    let (Some(before), Ok(after)) = (before, response.object.parse()) else {
        let reason = "the server's answer is no JSON".to_owned();
        change.blocks.push(Block::Unknown { reason });
        return Verdict::Changes;
    };
    let (group, version) = change.api_version.split_once('/').unwrap_or(("", &change.api_version));
    let open = Schema::deduced(Gvk {
        group,
        version,
        kind: &change.id.kind,
    });
    let kind = Kind {
        group: group.to_owned(),
        version: version.to_owned(),
        kind: change.id.kind.clone(),
    };
    let schema = observation
        .and_then(|seen| seen.schemas.get(&kind))
        .map_or(&open, |schema| schema);
    let fields = decide::field_diffs(&change.id, &before, &after, schema);
    if change.action == Action::Create {
        created(change, fields);
        return Verdict::Changes;
    }
    // A dry-run answers with the version that it was based on, so that only the contents tell.
    if fields.is_empty() && change.action == Action::Update && decide::owners(&before) == decide::owners(&after) {
        return Verdict::NothingChanges;
    }
    change.mutated = match change.preview {
        // Nothing was predicted: what it would come to is the server's word alone.
        Preview::Document => BTreeSet::new(),
        Preview::Predicted | Preview::Confirmed | Preview::Server => differing(&change.fields, &fields),
    };
    change.preview = if fields == change.fields && holds_our_secrets(change, &after) {
        Preview::Confirmed
    } else {
        Preview::Server
    };
    change.fields = fields;
    Verdict::Changes
}

/// What would be made: as it is asked for, or what the server would set otherwise. What it sets beside that are mostly defaults.
fn created(change: &mut Change, fields: Vec<FieldDiff>) {
    let others: Vec<FieldDiff> = fields.into_iter().filter(|field| field.before.is_some()).collect();
    change.preview = if others.is_empty() {
        Preview::Confirmed
    } else {
        Preview::Server
    };
    change.mutated = others.iter().map(|field| field.field.clone()).collect();
    change.fields = others;
}

/// Whether a Secret would hold the values that are asked for: its fields don't show them.
fn holds_our_secrets(change: &Change, answered: &Value) -> bool {
    let data = |object: &Value| {
        object
            .get("data")
            .and_then(Value::as_object)
            .cloned()
            .unwrap_or_default()
    };
    let (true, Body::Secret(asked)) = (holds_secrets(&change.id), &change.payload.body) else {
        return true;
    };
    let answered = data(answered);
    data(asked.expose())
        .iter()
        .all(|(name, value)| answered.get(name) == Some(value))
}

/// The fields that come to something else than was predicted; of one that keeps its value after all nothing is written.
fn differing(predicted: &[FieldDiff], answered: &[FieldDiff]) -> BTreeSet<String> {
    let predicted: BTreeMap<&str, &FieldDiff> = predicted.iter().map(|diff| (diff.field.as_str(), diff)).collect();
    let other = answered.iter().filter(|diff| {
        predicted
            .get(diff.field.as_str())
            .is_none_or(|known| known.after != diff.after)
    });
    other.map(|diff| diff.field.clone()).collect()
}

/// What the record of a change that changes nothing should say; it may say so already.
fn settled(change: Change) -> Option<Settled> {
    Some(Settled {
        unit: change.unit,
        recorded_on: change.recorded_on,
        entry: Entry {
            id: change.id,
            api_version: change.api_version,
            uid: Some(change.precondition?.uid),
            digest: change.payload.digest,
            oci: change.oci,
            going: false,
        },
    })
}

/// Takes out changes that change nothing.
fn drop_changes(plan: &mut Plan, dropped: &[usize]) {
    let gone = keep(plan, |at| dropped.binary_search(&at).is_err());
    plan.unchanged += gone.len();
    plan.settled.extend(gone.into_iter().filter_map(settled));
}

/// Keeps some changes, by their indices; the graph's follow. Gives the others.
pub(super) fn keep(plan: &mut Plan, stays: impl Fn(usize) -> bool) -> Vec<Change> {
    let mut gone = Vec::new();
    let mut place = Vec::with_capacity(plan.changes.len());
    let mut kept = 0;
    for i in 0..plan.changes.len() {
        let stays = stays(i);
        place.push(stays.then_some(kept));
        kept += usize::from(stays);
    }
    let changes = std::mem::take(&mut plan.changes);
    plan.changes.reserve_exact(kept);
    for (change, place) in changes.into_iter().zip(&place) {
        match place {
            Some(_) => plan.changes.push(change),
            None => gone.push(change),
        }
    }
    let before = std::mem::take(&mut plan.graph.before);
    plan.graph.before = before
        .into_iter()
        .enumerate()
        .filter(|(i, _)| place[*i].is_some())
        .map(|(_, before)| before.into_iter().filter_map(|j| place[j]).collect())
        .collect();
    gone
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::plan::change::tests::{change, plan};
    use crate::providers::LiveObject;

    fn object(value: &Value) -> LiveObject {
        LiveObject {
            uid: "u".to_owned(),
            version: "7".to_owned(),
            text: value.to_string().into(),
        }
    }

    /// What comes of a change of these predicted fields, for an answer of the server.
    fn settled(mut predicted: Change, live: &Value, answer: &Value) -> Plan {
        let observation = Observation {
            objects: BTreeMap::from([(predicted.id.clone(), Observed::Present(object(live)))]),
            ..Observation::default()
        };
        let observed = BTreeMap::from([(predicted.id.target.clone(), observation)]);
        predicted.preview = Preview::Predicted;
        let mut plan = plan(vec![predicted]);
        let response = WriteResponse { object: object(answer) };
        settle(&mut plan, [(0, Ok(response))], &observed).unwrap();
        plan
    }

    #[test]
    fn what_a_server_adds_to_a_change_is_told_apart_from_what_was_asked_for() {
        let mut pool = change("a", "NodePool", "a", Action::Update);
        pool.fields = vec![FieldDiff {
            field: ".spec.replicas".to_owned(),
            before: Some(json!(2)),
            after: Some(json!(3)),
            owner: None,
            replaces: false,
        }];
        let live = json!({"spec": {"replicas": 2}});
        let same = settled(pool.clone(), &live, &json!({"spec": {"replicas": 3}}));
        assert_eq!(same.changes[0].preview, Preview::Confirmed);
        assert!(same.changes[0].mutated.is_empty());
        let more = settled(pool.clone(), &live, &json!({"spec": {"replicas": 3, "arch": "arm64"}}));
        assert_eq!(more.changes[0].preview, Preview::Server);
        assert_eq!(more.changes[0].mutated, BTreeSet::from([".spec.arch".to_owned()]));
        let other = settled(pool, &live, &json!({"spec": {"replicas": 4}}));
        assert_eq!(other.changes[0].mutated, BTreeSet::from([".spec.replicas".to_owned()]));
    }

    #[test]
    fn what_is_new_is_tried_where_nothing_of_another_kind_is_made_with_it() {
        let new = |kind: &str, name: &str| change("a", kind, name, Action::Create);
        let tried = |changes: Vec<Change>| wanted(&plan(changes));
        assert_eq!(tried(vec![new("NodePool", "a-x"), new("NodePool", "a-y")]), [0, 1]);
        let of_another = change("b", "Role", "b-x", Action::Create);
        assert_eq!(tried(vec![new("NodePool", "a-x"), of_another]), [0, 1]);
        let update = change("a", "HostedCluster", "a", Action::Update);
        assert_eq!(tried(vec![new("Role", "a-x"), new("RoleBinding", "a-x"), update]), [2]);
        let mut needs = new("NodePool", "a-y");
        needs.depends_on = vec![new("NodePool", "a-x").id];
        assert_eq!(tried(vec![new("NodePool", "a-x"), needs]), [0]);
    }

    #[test]
    fn another_value_of_a_secret_is_not_taken_for_ours() {
        let mut secret = change("a", "Secret", "a", Action::Update);
        let (before, after) = (Some(json!("(sensitive)")), Some(json!("(sensitive, changed)")));
        secret.fields = vec![FieldDiff {
            field: ".data.a".to_owned(),
            before,
            after,
            owner: None,
            replaces: false,
        }];
        secret.payload.body = Body::Secret(Sensitive::new(json!({"data": {"a": "Mg=="}})));
        let live = json!({"data": {"a": "MQ=="}});
        let preview = |answer: Value| settled(secret.clone(), &live, &answer).changes[0].preview;
        assert_eq!(preview(json!({"data": {"a": "Mg=="}})), Preview::Confirmed);
        assert_eq!(preview(json!({"data": {"a": "Mw=="}})), Preview::Server);
    }
}
