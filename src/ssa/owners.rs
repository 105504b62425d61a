//! Who owns a field.

use serde_json::{Map, Value};

use super::fields_v1::write_step;
use super::managed::Operation;
use super::step::Step;
use crate::resource::FieldPath;

/// A manager that owns a field.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Owner {
    /// Its name.
    pub manager: String,
    /// How it wrote.
    pub operation: Operation,
    /// When it last changed something; empty where that isn't recorded.
    pub time: String,
    /// Through which subresource; empty for the object itself.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub subresource: String,
}

/// The managers that own a field of a live object, in the order of its managedFields; none where it isn't recorded.
///
/// Who owns a list or a map as a whole owns what is in it.
pub fn owner_of(live: &Value, field: &FieldPath) -> Vec<Owner> {
    let entries = live
        .get("metadata")
        .and_then(|metadata| metadata.get("managedFields"))
        .and_then(Value::as_array);
    entries
        .into_iter()
        .flatten()
        .filter_map(|entry| owner(entry, field))
        .collect()
}

fn owner(entry: &Value, field: &FieldPath) -> Option<Owner> {
    if !owns(entry.get("fieldsV1")?.as_object()?, field) {
        return None;
    }
    let text = |key| entry.get(key).and_then(Value::as_str).unwrap_or("").to_owned();
    Some(Owner {
        manager: text("manager"),
        operation: if entry.get("operation")? == "Apply" {
            Operation::Apply
        } else {
            Operation::Update
        },
        time: text("time"),
        subresource: text("subresource"),
    })
}

fn owns(fields: &Map<String, Value>, field: &FieldPath) -> bool {
    let mut here = fields;
    for (depth, element) in field.elements().iter().enumerate() {
        // Nothing below is recorded: the place is owned as a whole.
        if depth > 0 && here.is_empty() {
            return true;
        }
        match here.get(&write_step(&Step::from(element))).and_then(Value::as_object) {
            Some(below) => here = below,
            None => return false,
        }
    }
    !field.elements().is_empty() && (here.is_empty() || here.contains_key("."))
}
