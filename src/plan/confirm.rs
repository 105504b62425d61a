//! The server's own word on what was predicted.

use std::collections::BTreeMap;

use super::build::{Plan, Settled};
use super::change::{Action, Block, Change, OwnedBy, Preview};
use super::decide::{self, payload_value};
use crate::inventory::Entry;
use crate::providers::{Kind, Observation, Observed, ProviderError, Sensitive, WriteResponse};
use crate::resource::Target;
use crate::schema::{Gvk, Schema};

/// Whether the server is asked about a change: those that change an object which is there. What an adoption that moves
/// other managers' entries would come to takes two writes, and can't be asked for; nor can what names something that is
/// not there yet. OCI has no dry-run.
pub fn is_wanted(change: &Change) -> bool {
    change.goes_ahead()
        && matches!(change.action, Action::Update | Action::Adopt)
        && change.payload.managed_fields.is_none()
        && change.unresolved.is_empty()
        && change.id.target != Target::Oci
}

/// The document that a change writes.
pub fn document(change: &Change) -> Option<Sensitive> {
    payload_value(&change.payload.body)
}

/// Takes the server's answers: a prediction is confirmed, or replaced; what turns out to change nothing is dropped; what
/// the server would refuse is blocked.
pub fn settle(
    plan: &mut Plan,
    answers: impl IntoIterator<Item = (usize, Result<WriteResponse, ProviderError>)>,
    observed: &BTreeMap<Target, Observation>,
) {
    let mut settled = Vec::new();
    for (i, answer) in answers {
        let Some(change) = plan.changes.get_mut(i) else {
            continue;
        };
        match answer {
            Ok(response) => {
                if compare(change, &response, observed, &plan.revised.fleet) == Verdict::NothingChanges {
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
            Err(ProviderError::Forbidden { .. }) if change.preview == Preview::Predicted => {}
            Err(error) => change.blocks.push(Block::Unknown {
                reason: crate::report::chain(&error),
            }),
        }
    }
    drop_changes(plan, &settled);
}

#[derive(PartialEq, Eq)]
enum Verdict {
    NothingChanges,
    Changes,
}

fn compare(
    change: &mut Change,
    response: &WriteResponse,
    observed: &BTreeMap<Target, Observation>,
    fleet: &crate::resource::FleetUid,
) -> Verdict {
    let observation = observed.get(&change.id.target);
    let Some(Observed::Present(live)) = observation.and_then(|seen| seen.objects.get(&change.id)) else {
        return Verdict::Changes;
    };
    let (Ok(before), Ok(after)) = (live.parse(), response.object.parse()) else {
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
    let fields = decide::field_diffs(&change.id, &before, &after, schema, fleet);
    // A dry-run answers with the version that it was based on, so that only the contents tell.
    if fields.is_empty() && change.action == Action::Update && decide::owners(&before) == decide::owners(&after) {
        return Verdict::NothingChanges;
    }
    change.preview = if fields == change.fields {
        Preview::Confirmed
    } else {
        Preview::Server
    };
    change.fields = fields;
    Verdict::Changes
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
