//! Brings a set that was written under an older schema in line with the present one.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::field_set::{Entry, FieldSet};
use super::fields_v1::MEMBER;
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

/// Whether [`reconcile`] would leave a set as it is, told from its JSON.
pub(super) fn is_in_line(schema: &Schema, to: TypeRef, fields: &Map<String, Value>) -> bool {
    let below = || fields.iter().filter(|(key, _)| *key != MEMBER);
    if below().next().is_none() {
        return true;
    }
    let node = schema.resolve(to);
    if let Some(map) = &node.map {
        if is_untyped(schema, map) {
            return true;
        }
        if to.relation.unwrap_or(map.relation) == Relation::Atomic {
            return false;
        }
        return below().all(|(key, value)| {
            let element = match key.strip_prefix("f:") {
                Some(name) => map.element(name),
                None => map.rest.as_ref(),
            };
            match (element, value.as_object()) {
                (Some(element), Some(fields)) => is_in_line(schema, element.to, fields),
                _ => true,
            }
        });
    }
    let (None, Some(list)) = (node.scalar, &node.list) else {
        return true;
    };
    list.kind != ListKind::Atomic
        && to.relation != Some(Relation::Atomic)
        && below().all(|(_, value)| {
            let fields = value.as_object();
            fields.is_none_or(|fields| is_in_line(schema, list.items.to, fields))
        })
}

/// A map of which nothing is declared: it can't have changed.
fn is_untyped(schema: &Schema, map: &MapType) -> bool {
    map.fields.is_empty() && map.rest.as_ref().is_some_and(|rest| schema.is_deduced(rest.to))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_json_of_a_set_tells_as_much_as_the_set() {
        let port = json!({"type": "object", "properties": {"port": {"type": "integer"}, "args": {"type": "array", "items": {"type": "string"}}}});
        let spec = json!({"type": "object", "properties": {
            "size": {"type": "integer"},
            "args": {"type": "array", "items": {"type": "string"}},
            "tags": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
            "ports": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["port"], "items": port},
            "whole": {"type": "object", "x-kubernetes-map-type": "atomic", "properties": {"a": {"type": "string"}}},
            "labels": {"type": "object", "additionalProperties": {"type": "string"}},
            "any": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
        }});
        let versions = json!([{"name": "v1", "storage": true, "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}}}]);
        let crd = json!({"spec": {"group": "example.com", "names": {"kind": "Thing"}, "versions": versions}});
        let schema = Schema::from_crd(&crd, "v1").unwrap();
        for (below, in_line) in [
            (json!({"f:size": {}, "f:args": {}, "f:whole": {}, "f:tags": {}}), true),
            (json!({"f:size": {"f:zz": {}}, "f:unknown": {"f:zz": {}}}), true),
            (json!({"f:args": {".": {}}}), true),
            (json!({"f:args": {".": {}, "v:\"x\"": {}}}), false),
            (json!({"f:tags": {".": {}, "v:\"x\"": {}}}), true),
            (json!({"f:tags": {"v:\"x\"": {"f:zz": {}}}}), true),
            (
                json!({"f:ports": {"k:{\"port\":1}": {".": {}, "f:port": {}, "f:args": {}}}}),
                true,
            ),
            (json!({"f:ports": {"k:{\"port\":1}": {"f:args": {"i:0": {}}}}}), false),
            (json!({"f:whole": {"f:a": {}}}), false),
            (json!({"f:labels": {".": {}, "f:x": {"f:zz": {}}}}), true),
            (json!({"f:any": {"f:x": {"f:zz": {}}}}), true),
        ] {
            let fields = json!({"f:spec": below});
            let set = FieldSet::from_fields_v1(&fields).unwrap();
            let told = is_in_line(&schema, schema.root_type(), fields.as_object().unwrap());
            assert_eq!(told, in_line, "{fields}");
            assert_eq!(
                reconcile(&schema, schema.root_type(), &set).is_none(),
                in_line,
                "{fields}"
            );
        }
    }
}
