//! The fields that an object has.

use serde_json::Value;

use super::deduce::{Handle, Shape};
use super::field_set::{Entry, FieldSet};
use super::step::Step;
use crate::schema::{ListType, MapType, Schema, TypeRef};

/// Every leaf of an object, and every item of its lists and maps that is there in its own right.
pub fn field_set_of(value: &Value, schema: &Schema) -> FieldSet {
    set_of(schema, schema.root_type(), value)
}

pub(super) fn set_of(schema: &Schema, to: TypeRef, value: &Value) -> FieldSet {
    collect(schema, to, value).1
}

/// Whether the value itself is a field, and the fields below it.
fn collect(schema: &Schema, to: TypeRef, value: &Value) -> (bool, FieldSet) {
    let shape = Shape::of(schema, to, Some(value));
    match (shape.handle(), value) {
        (Handle::Scalar, _) => (true, FieldSet::new()),
        _ if shape.is_atomic() => (true, FieldSet::new()),
        (Handle::Map(map), Value::Object(entries)) => (false, of_map(schema, map, entries)),
        (Handle::List(list), Value::Array(items)) => (false, of_list(schema, list, items)),
        _ => (false, FieldSet::new()),
    }
}

fn of_map(schema: &Schema, map: &MapType, values: &serde_json::Map<String, Value>) -> FieldSet {
    let mut entries = Vec::with_capacity(values.len());
    for (name, value) in values {
        let (field, element) = map.lookup(name);
        let Some(element) = element else { continue };
        let (leaf, below) = collect(schema, element.to, value);
        let empty = value.is_null() || value.as_object().is_some_and(serde_json::Map::is_empty);
        let step = match field {
            Some(field) => Step::Field(std::sync::Arc::clone(&field.name)),
            None => Step::field(name),
        };
        entries.extend(Entry::new(step, leaf || empty || field.is_none(), below));
    }
    FieldSet::from_entries(entries)
}

fn of_list(schema: &Schema, list: &ListType, items: &[Value]) -> FieldSet {
    let steps: Vec<Step> = items
        .iter()
        .map(|item| Step::of_item_or_nowhere(schema, list, item))
        .collect();
    let duplicates = duplicates(&steps);
    let mut entries = Vec::with_capacity(items.len());
    for (item, step) in items.iter().zip(steps) {
        let below = if duplicates.contains(&step) {
            FieldSet::new()
        } else {
            collect(schema, list.items.to, item).1
        };
        entries.extend(Entry::new(step, true, below));
    }
    FieldSet::from_entries(entries)
}

/// The steps that lead to several items.
fn duplicates(steps: &[Step]) -> Vec<Step> {
    let mut sorted: Vec<&Step> = steps.iter().collect();
    sorted.sort();
    sorted
        .windows(2)
        .filter_map(|pair| match pair {
            [first, second] if first == second => Some((*first).clone()),
            _ => None,
        })
        .collect()
}
