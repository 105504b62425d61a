//! Whether a schema is structural: each field has one type, said in one place, and alternatives only narrow it down.

use serde_json::{Map, Value};

use super::super::admission::{FieldError, expression_error, pattern_error};

/// Deeper than this a schema can't be compiled, and is refused there.
const MAX_DEPTH: usize = 200;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Root,
    Field,
    Item,
}

pub(super) fn check(schema: &Value, place: &str, errors: &mut Vec<FieldError>) {
    let mut found = Vec::new();
    visit(schema, Level::Root, place, 0, &mut found);
    found.sort_by_key(ToString::to_string);
    errors.append(&mut found);
}

fn visit(schema: &Value, level: Level, place: &str, depth: usize, errors: &mut Vec<FieldError>) {
    let Some(keywords) = schema.as_object().filter(|_| depth <= MAX_DEPTH) else {
        return;
    };
    let flag = |key: &str| schema[key] == Value::Bool(true);
    let at = |key: &str| format!("{place}.{key}");
    let kind = schema["type"].as_str().unwrap_or_default();
    unsupported(keywords, place, errors);
    types(schema, level, kind, place, errors);
    lists(schema, kind, place, errors);
    if let Some(additional) = keywords.get("additionalProperties") {
        if level == Level::Root {
            errors.push(FieldError::forbidden(
                at("additionalProperties"),
                "must not be used at the root",
            ));
        }
        if schema["properties"]
            .as_object()
            .is_some_and(|properties| !properties.is_empty())
        {
            let why = "additionalProperties and properties are mutual exclusive";
            errors.push(FieldError::forbidden(at("additionalProperties"), why));
        }
        visit(additional, Level::Field, &at("additionalProperties"), depth + 1, errors);
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        if level == Level::Root && name == "metadata" {
            metadata(property, &format!("{place}.properties[metadata]"), errors);
            continue;
        }
        visit(
            property,
            Level::Field,
            &format!("{place}.properties[{name}]"),
            depth + 1,
            errors,
        );
    }
    visit(&schema["items"], Level::Item, &at("items"), depth + 1, errors);
    if let Some(pattern) = schema["pattern"].as_str()
        && let Some(why) = pattern_error(pattern)
    {
        let why = format!("must be a valid regular expression, but isn't: {why}");
        errors.push(FieldError::invalid(at("pattern"), pattern, why));
    }
    rules(schema, place, errors);
    for key in ["allOf", "anyOf", "oneOf"] {
        // Saying that a value is an integer or a text is the one exception.
        if key == "anyOf" && flag("x-kubernetes-int-or-string") {
            continue;
        }
        for (index, nested) in schema[key].as_array().into_iter().flatten().enumerate() {
            let or_string = key == "allOf" && index == 0 && flag("x-kubernetes-int-or-string");
            alternative(nested, &format!("{place}.{key}[{index}]"), or_string, depth + 1, errors);
        }
    }
    alternative(&schema["not"], &at("not"), false, depth + 1, errors);
}

fn unsupported(keywords: &Map<String, Value>, place: &str, errors: &mut Vec<FieldError>) {
    for (key, why) in [
        ("$ref", "$ref is not supported"),
        ("id", "id is not supported"),
        ("additionalItems", "additionalItems is not supported"),
        ("patternProperties", "patternProperties is not supported"),
        ("definitions", "definitions is not supported"),
        ("dependencies", "dependencies is not supported"),
    ] {
        if keywords.contains_key(key) {
            errors.push(FieldError::forbidden(format!("{place}.{key}"), why));
        }
    }
    if keywords.get("uniqueItems") == Some(&Value::Bool(true)) {
        let why = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic";
        errors.push(FieldError::forbidden(format!("{place}.uniqueItems"), why));
    }
}

fn types(schema: &Value, level: Level, kind: &str, place: &str, errors: &mut Vec<FieldError>) {
    let flag = |key: &str| schema[key] == Value::Bool(true);
    let at = |key: &str| format!("{place}.{key}");
    let (embedded, preserves) = (
        flag("x-kubernetes-embedded-resource"),
        flag("x-kubernetes-preserve-unknown-fields"),
    );
    if embedded && kind != "object" {
        let why = "must be object if x-kubernetes-embedded-resource is true";
        errors.push(match kind {
            "" => FieldError::required(at("type"), why),
            other => FieldError::invalid(at("type"), other, why),
        });
    } else if kind.is_empty() && !flag("x-kubernetes-int-or-string") && !preserves {
        let why = match level {
            Level::Root => "must not be empty at the root",
            Level::Item => "must not be empty for specified array items",
            Level::Field => "must not be empty for specified object fields",
        };
        errors.push(FieldError::required(at("type"), why));
    }
    if level == Level::Root && !kind.is_empty() && kind != "object" {
        errors.push(FieldError::invalid(at("type"), kind, "must be object at the root"));
    }
    let known = ["object", "array", "string", "integer", "number", "boolean"];
    if !kind.is_empty() && !known.contains(&kind) {
        let mut supported = known;
        supported.sort_unstable();
        errors.push(FieldError::not_supported(
            &at("type"),
            kind.into(),
            supported.into_iter(),
        ));
    }
    if embedded && !preserves && schema["properties"].as_object().is_none_or(Map::is_empty) {
        let why =
            "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields";
        errors.push(FieldError::required(at("properties"), why));
    }
    if schema.get("x-kubernetes-preserve-unknown-fields") == Some(&Value::Bool(false)) {
        let why = "must be true or undefined";
        errors.push(FieldError::invalid(
            at("x-kubernetes-preserve-unknown-fields"),
            false,
            why,
        ));
    }
}

fn lists(schema: &Value, kind: &str, place: &str, errors: &mut Vec<FieldError>) {
    let at = |key: &str| format!("{place}.{key}");
    let items = &schema["items"];
    if kind == "array" && !items.is_object() {
        errors.push(FieldError::required(at("items"), "must be specified"));
    }
    let list_type = schema["x-kubernetes-list-type"].as_str();
    if list_type.is_some() && kind != "array" {
        let why = "must be array if x-kubernetes-list-type is specified";
        errors.push(match kind {
            "" => FieldError::required(at("type"), why),
            other => FieldError::invalid(at("type"), other, why),
        });
    }
    let keys = schema["x-kubernetes-list-map-keys"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    if list_type != Some("map") {
        if !keys.is_empty() {
            let why = "must be map if x-kubernetes-list-map-keys is non-empty";
            errors.push(match list_type {
                None => FieldError::required(at("x-kubernetes-list-type"), why),
                Some(other) => FieldError::invalid(at("x-kubernetes-list-type"), other, why),
            });
        }
        return;
    }
    if keys.is_empty() {
        let why = "must not be empty if x-kubernetes-list-type is map";
        errors.push(FieldError::required(at("x-kubernetes-list-map-keys"), why));
    }
    if !items.is_object() {
        errors.push(FieldError::required(
            at("items"),
            "must have a schema if x-kubernetes-list-type is map",
        ));
        return;
    }
    if items["type"] != "object" {
        let why = "must be object if parent array's x-kubernetes-list-type is map";
        let found = items["type"].as_str().unwrap_or_default();
        errors.push(FieldError::invalid(at("items.type"), found, why));
    }
    let shown = &schema["x-kubernetes-list-map-keys"];
    for (index, key) in keys.iter().filter_map(Value::as_str).enumerate() {
        let property = &items["properties"][key];
        if !property.is_object() {
            let why = "entries must all be names of item properties";
            errors.push(FieldError::invalid(
                at("x-kubernetes-list-map-keys"),
                shown.clone(),
                why,
            ));
            continue;
        }
        if keys[..index].iter().any(|earlier| earlier == key) {
            let why = "must not contain duplicate entries";
            errors.push(FieldError::invalid(
                at("x-kubernetes-list-map-keys"),
                shown.clone(),
                why,
            ));
        }
        let required = items["required"]
            .as_array()
            .is_some_and(|all| all.iter().any(|one| one == key));
        if !required && property.get("default").is_none() {
            let why =
                "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property";
            errors.push(FieldError::required(
                format!("{place}.items.properties[{key}].default"),
                why,
            ));
        }
        if property["nullable"] == Value::Bool(true) {
            let why = "this property is in x-kubernetes-list-map-keys, so it cannot be nullable";
            errors.push(FieldError::forbidden(
                format!("{place}.items.properties[{key}].nullable"),
                why,
            ));
        }
    }
}

fn metadata(schema: &Value, place: &str, errors: &mut Vec<FieldError>) {
    if schema["type"] != "object" {
        let found = schema["type"].as_str().unwrap_or_default();
        errors.push(FieldError::invalid(format!("{place}.type"), found, "must be object"));
    }
    let others = schema.as_object().into_iter().flatten();
    let plain = others
        .filter(|(key, _)| !matches!(key.as_str(), "type" | "properties"))
        .count()
        == 0;
    let mut properties = schema["properties"].as_object().into_iter().flatten();
    if !plain || !properties.all(|(name, _)| matches!(name.as_str(), "name" | "generateName")) {
        let why = "must not specify anything other than name and generateName, but metadata is implicitly specified";
        errors.push(FieldError::forbidden(place, why));
    }
}

fn rules(schema: &Value, place: &str, errors: &mut Vec<FieldError>) {
    let all = schema["x-kubernetes-validations"].as_array().into_iter().flatten();
    for (index, rule) in all.enumerate() {
        let at = |key: &str| format!("{place}.x-kubernetes-validations[{index}].{key}");
        let text = |key: &str| rule[key].as_str();
        match text("rule").map(str::trim) {
            None | Some("") => errors.push(FieldError::required(at("rule"), "rule is not specified")),
            Some(source) => {
                if let Some(why) = expression_error(source) {
                    let why = format!("compilation failed: {why}");
                    errors.push(FieldError::invalid(at("rule"), source, why));
                }
                if source.contains('\n') && text("message").is_none_or(str::is_empty) {
                    let why = "message must be specified if rule contains line breaks";
                    errors.push(FieldError::required(at("message"), why));
                }
            }
        }
        if let Some(message) = text("message") {
            if message.trim().is_empty() && !message.is_empty() {
                errors.push(FieldError::invalid(
                    at("message"),
                    message,
                    "must be non-empty if specified",
                ));
            } else if message.trim().contains('\n') {
                errors.push(FieldError::invalid(
                    at("message"),
                    message,
                    "must not contain line breaks",
                ));
            }
        }
        if let Some(source) = text("messageExpression").filter(|source| !source.is_empty())
            && let Some(why) = expression_error(source)
        {
            let why = format!("compilation failed: {why}");
            errors.push(FieldError::invalid(at("messageExpression"), source, why));
        }
        if let Some(reason) = text("reason") {
            let known = [
                "FieldValueDuplicate",
                "FieldValueForbidden",
                "FieldValueInvalid",
                "FieldValueRequired",
            ];
            if !known.contains(&reason) {
                errors.push(FieldError::not_supported(
                    &at("reason"),
                    reason.into(),
                    known.into_iter(),
                ));
            }
        }
    }
}

/// Below alternatives, only what narrows values down may stand.
fn alternative(schema: &Value, place: &str, or_string: bool, depth: usize, errors: &mut Vec<FieldError>) {
    let Some(keywords) = schema.as_object().filter(|_| depth <= MAX_DEPTH) else {
        return;
    };
    for (key, why) in [
        ("type", "must be empty to be structural"),
        ("additionalProperties", "must be undefined to be structural"),
        ("default", "must be undefined to be structural"),
        ("title", "must be empty to be structural"),
        ("description", "must be empty to be structural"),
        ("nullable", "must be false to be structural"),
        ("x-kubernetes-preserve-unknown-fields", "must be false to be structural"),
        ("x-kubernetes-embedded-resource", "must be false to be structural"),
        ("x-kubernetes-int-or-string", "must be false to be structural"),
        ("x-kubernetes-list-map-keys", "must be empty to be structural"),
        ("x-kubernetes-list-type", "must be undefined to be structural"),
        ("x-kubernetes-map-type", "must be undefined to be structural"),
    ] {
        if keywords.get(key).is_some_and(|value| *value != Value::Bool(false)) {
            errors.push(FieldError::forbidden(format!("{place}.{key}"), why));
        }
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        alternative(
            property,
            &format!("{place}.properties[{name}]"),
            false,
            depth + 1,
            errors,
        );
    }
    alternative(&schema["items"], &format!("{place}.items"), false, depth + 1, errors);
    alternative(&schema["not"], &format!("{place}.not"), false, depth + 1, errors);
    for key in ["allOf", "anyOf", "oneOf"] {
        if key == "anyOf" && or_string {
            continue;
        }
        for (index, nested) in schema[key].as_array().into_iter().flatten().enumerate() {
            alternative(nested, &format!("{place}.{key}[{index}]"), false, depth + 1, errors);
        }
    }
}
