//! Taking fields over from the tool that managed an object before.

use std::sync::Arc;

use serde_json::Value;

use super::field_set::{Entry, FieldSet};
use super::managed::{EntryId, ManagedEntry, ManagedFields, Operation};

/// The `metadata.managedFields` in which `to` owns, as an applier, those of the given fields that the managers chosen
/// by `from` own; none where there is nothing to move.
///
/// After it is written, fields that `to` applies no more are removed, though it was the other tool that once set them.
/// A list or map whose every field moves, moves too. Entries of subresources stay: what is in them is not applied.
/// Fields recorded at another version move all the same.
pub fn take_over(
    live: &Value,
    from: &dyn Fn(&str, Operation) -> bool,
    fields: &FieldSet,
    to: &str,
    now: &str,
) -> Option<Value> {
    let mut managers = ManagedFields::of(live).ok()?;
    let own = EntryId::new(to, Operation::Apply, "", "");
    let mut moved = FieldSet::new();
    let mut newest: Option<(String, String)> = None;
    for (id, entry) in &mut managers.entries {
        if *id == own || !entry.subresource.is_empty() || !from(&entry.manager, entry.operation) {
            continue;
        }
        let (taken, left) = split(&entry.fields, fields);
        if taken.is_empty() {
            continue;
        }
        moved = moved.union(&taken);
        entry.fields = left;
        let candidate = (entry.time.clone(), entry.api_version.clone());
        newest = newest.max(Some(candidate));
    }
    let (_, api_version) = newest?;
    managers.entries.retain(|_, entry| !entry.fields.is_empty());
    let entry = managers.entries.entry(own).or_insert_with(|| ManagedEntry {
        manager: to.to_owned(),
        operation: Operation::Apply,
        api_version,
        time: String::new(),
        subresource: String::new(),
        fields: FieldSet::new(),
    });
    entry.fields = entry.fields.union(&moved);
    now.clone_into(&mut entry.time);
    managers.encode()
}

/// What of a set is wanted, and what is left of it.
fn split(set: &FieldSet, wanted: &FieldSet) -> (FieldSet, FieldSet) {
    let (mut taken, mut left) = (Vec::new(), Vec::new());
    for entry in &set.entries {
        let want = wanted.get(&entry.step);
        let (below, rest) = match (&entry.children, want.and_then(|want| want.children.as_ref())) {
            (Some(children), Some(wanted)) => split(children, wanted),
            (Some(children), None) => (FieldSet::new(), (**children).clone()),
            (None, _) => (FieldSet::new(), FieldSet::new()),
        };
        let hollow = entry.children.is_some() && rest.is_empty();
        let takes = entry.member && (want.is_some_and(|want| want.member) || hollow);
        let arc = |set: FieldSet| (!set.is_empty()).then(|| Arc::new(set));
        let part = |member: bool, children: FieldSet| {
            let children = arc(children);
            (member || children.is_some()).then(|| Entry {
                step: entry.step.clone(),
                member,
                children,
            })
        };
        taken.extend(part(takes, below));
        left.extend(part(entry.member && !takes, rest));
    }
    (FieldSet { entries: taken }, FieldSet { entries: left })
}
