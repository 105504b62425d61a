//! Whole resources that stand within another.

use serde_json::{Map, Value};

use super::error::FieldError;
use super::meta::{Metadata, path_segment};
use super::names::letter_label;
use super::path::{Path, Step};
use super::shape::Shape;

/// Checks every resource below the object; not the object itself.
pub(super) fn validate(shape: &Shape, value: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    walk(shape, value, &Path::ROOT, &mut errors);
    errors
}

fn walk(shape: &Shape, value: &Value, path: &Path<'_>, errors: &mut Vec<FieldError>) {
    if !shape.has_embedded {
        return;
    }
    match value {
        Value::Object(entries) => {
            if shape.embedded && !path.is_root() {
                resource(value, entries, path, errors);
            }
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
            for (at, item) in items.iter().enumerate() {
                if let Some(below) = &shape.items {
                    walk(below, item, &path.then(Step::Index(at)), errors);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn resource(object: &Value, entries: &Map<String, Value>, path: &Path<'_>, errors: &mut Vec<FieldError>) {
    let at = |field: &str| path.field(field).bracketed();
    for field in ["apiVersion", "kind"] {
        match entries.get(field) {
            None => errors.push(FieldError::required(at(field), "")),
            Some(Value::String(text)) if text.is_empty() => {
                errors.push(FieldError::invalid(at(field), "", "must not be empty"));
            }
            Some(Value::String(text)) if field == "kind" => {
                let wrong = letter_label(&text.to_lowercase());
                if !wrong.is_empty() {
                    let why = format!("may have mixed case, but should otherwise match: {}", wrong.join(","));
                    errors.push(FieldError::invalid(at(field), text.as_str(), why));
                }
            }
            Some(Value::String(text)) if text.matches('/').count() > 1 => {
                let why = format!("unexpected GroupVersion string: {text}");
                errors.push(FieldError::invalid(at(field), text.as_str(), why));
            }
            Some(Value::String(_)) => {}
            Some(other) => errors.push(FieldError::invalid(at(field), other.clone(), "must be a string")),
        }
    }
    let Some(metadata) = entries.get("metadata") else {
        return;
    };
    let place = at("metadata");
    if let Some(why) = super::meta::unreadable(object) {
        errors.push(FieldError::invalid(place, metadata.clone(), why));
        return;
    }
    // A nameless one is a template.
    let is_empty = |field: &str| metadata[field].as_str().is_none_or(str::is_empty);
    let namespaced = !is_empty("namespace");
    let nameless = format!("{place}.name");
    let mut wrong = Metadata::new(object, &place).on_create(namespaced, path_segment);
    wrong.retain(|error| !(is_empty("name") && error.path == nameless));
    errors.append(&mut wrong);
}
