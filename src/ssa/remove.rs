//! Takes fields out of an object.

use serde_json::{Map, Value};

use super::deduce::{Handle, Shape};
use super::field_set::FieldSet;
use super::step::Step;
use crate::schema::{Schema, TypeRef};

/// The object without some fields and all below them. What loses all it had becomes null, as with the server.
pub(super) fn remove(schema: &Schema, to: TypeRef, value: &Value, fields: &FieldSet) -> Value {
    let shape = Shape::of(schema, to, Some(value));
    match (shape.handle(), value) {
        (Handle::Scalar, _) => value.clone(),
        _ if shape.is_atomic() => Value::Null,
        (Handle::Map(map), Value::Object(entries)) => {
            let mut kept = Map::new();
            for (name, entry) in entries {
                let at = fields.get(&Step::field(name));
                if at.is_some_and(|at| at.member) {
                    continue;
                }
                let to = map.element(name).map(|element| element.to);
                let left = match (at.and_then(|at| at.children.as_deref()), to) {
                    (Some(below), Some(to)) => remove(schema, to, entry, below),
                    _ => entry.clone(),
                };
                kept.insert(name.clone(), left);
            }
            if kept.is_empty() {
                Value::Null
            } else {
                Value::Object(kept)
            }
        }
        (Handle::List(list), Value::Array(items)) => {
            let mut kept = Vec::with_capacity(items.len());
            for item in items {
                let at = fields.get(&Step::of_item_or_nowhere(schema, list, item));
                if at.is_some_and(|at| at.member) {
                    continue;
                }
                kept.push(match at.and_then(|at| at.children.as_deref()) {
                    Some(below) => remove(schema, list.items.to, item, below),
                    None => item.clone(),
                });
            }
            if kept.is_empty() {
                Value::Null
            } else {
                Value::Array(kept)
            }
        }
        _ => Value::Null,
    }
}
