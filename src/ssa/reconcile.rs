//! Brings a set that was written under an older schema in line with the present one.

use std::sync::Arc;

use super::field_set::{Entry, FieldSet};
use super::step::Step;
use crate::schema::{ListKind, MapType, Relation, Schema, TypeRef};

/// The set as the schema has it now: whoever owns fields within what has become one value owns that value. None where
/// nothing changes.
///
/// A change the other way needs none: who owned the whole goes on owning the place.
pub(super) fn reconcile(schema: &Schema, to: TypeRef, set: &FieldSet) -> Option<FieldSet> {
    below(schema, to, Some(set), false).map(|change| match change {
        Change::Collapse => FieldSet::new(),
        Change::Below(set) => set,
    })
}

enum Change {
    /// The place is one value now.
    Collapse,
    Below(FieldSet),
}

/// `whole` says that the place is owned and nothing below it is.
fn below(schema: &Schema, to: TypeRef, set: Option<&FieldSet>, whole: bool) -> Option<Change> {
    let node = schema.resolve(to);
    if let Some(map) = &node.map {
        if is_untyped(schema, map) {
            return None;
        }
        if !whole && to.relation.unwrap_or(map.relation) == Relation::Atomic {
            return set.is_some_and(|set| !set.is_empty()).then_some(Change::Collapse);
        }
        return entries(schema, set?, |step| match step {
            Step::Field(name) => map.element(name).map(|element| element.to),
            Step::Key(_) | Step::Value(_) | Step::Index(_) => map.rest.as_ref().map(|element| element.to),
        });
    }
    if node.scalar.is_some() {
        return None;
    }
    let list = node.list.as_ref()?;
    if !whole && (list.kind == ListKind::Atomic || to.relation == Some(Relation::Atomic)) {
        return Some(Change::Collapse);
    }
    entries(schema, set?, |_| Some(list.items.to))
}

fn entries(schema: &Schema, set: &FieldSet, to: impl Fn(&Step) -> Option<TypeRef>) -> Option<Change> {
    let mut changed: Option<Vec<Entry>> = None;
    for (at, entry) in set.entries.iter().enumerate() {
        let children = entry.children.as_deref();
        let whole = entry.member && children.is_none();
        let change = to(&entry.step).and_then(|to| below(schema, to, children, whole));
        let entry = match change {
            None => entry.clone(),
            Some(change) => {
                changed.get_or_insert_with(|| set.entries.iter().take(at).cloned().collect());
                let (member, children) = match change {
                    Change::Collapse => (true, None),
                    Change::Below(below) => (entry.member, (!below.is_empty()).then(|| Arc::new(below))),
                };
                Entry {
                    step: entry.step.clone(),
                    member,
                    children,
                }
            }
        };
        if let Some(entries) = &mut changed {
            entries.push(entry);
        }
    }
    changed.map(|entries| Change::Below(FieldSet { entries }))
}

/// A map of which nothing is declared: it can't have changed.
fn is_untyped(schema: &Schema, map: &MapType) -> bool {
    map.fields.is_empty() && map.rest.as_ref().is_some_and(|rest| schema.is_deduced(rest.to))
}
