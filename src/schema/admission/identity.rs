//! Sets and keyed lists hold each item once.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::error::{ErrorKind, FieldError};
use super::path::{Path, Step};
use super::shape::{Identity, Shape};

pub(super) fn validate(shape: &Shape, value: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    walk(shape, value, &Path::ROOT, &mut errors);
    errors
}

fn walk(shape: &Shape, value: &Value, path: &Path<'_>, errors: &mut Vec<FieldError>) {
    if !shape.has_identities {
        return;
    }
    match value {
        Value::Object(entries) => {
            for (name, entry) in entries {
                let step = match shape.property(name) {
                    Some(_) => Step::Field(name),
                    None => Step::Key(name),
                };
                if let Some(below) = shape.below(name) {
                    walk(below, entry, &path.then(step), errors);
                }
            }
        }
        Value::Array(items) => {
            match &shape.identity {
                Identity::None => {}
                Identity::Set => repeated(items, path, errors, |item| item.clone()),
                Identity::Keys(keys) => keyed(keys, items, path, errors),
            }
            if let Some(below) = &shape.items {
                for (at, item) in items.iter().enumerate() {
                    walk(below, item, &path.then(Step::Index(at)), errors);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn keyed(keys: &[Box<str>], items: &[Value], path: &Path<'_>, errors: &mut Vec<FieldError>) {
    if let Some((at, item)) = items
        .iter()
        .enumerate()
        .find(|(_, item)| !item.is_object() && !item.is_null())
    {
        let place = path.then(Step::Index(at)).bracketed();
        let detail = "must be an object for an array of list-type map";
        errors.push(FieldError::invalid(place, item.clone(), detail));
        return;
    }
    repeated(items, path, errors, |item| {
        let present = keys
            .iter()
            .filter_map(|key| Some((key.to_string(), item.get(&**key)?.clone())));
        Value::Object(present.collect::<Map<String, Value>>())
    });
}

/// Reports the second item of each that there are several of.
fn repeated(items: &[Value], path: &Path<'_>, errors: &mut Vec<FieldError>, identity: impl Fn(&Value) -> Value) {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for (at, item) in items.iter().enumerate() {
        let identity = identity(item);
        let times = seen.entry(identity.to_string()).or_default();
        *times += 1;
        if *times == 2 {
            let place = path.then(Step::Index(at)).bracketed();
            errors.push(FieldError::new(place, ErrorKind::Duplicate, Some(identity), ""));
        }
    }
}
