//! Whether a server would take a definition: the mistakes that people make, in its words.
//!
//! Not looked at: conversion webhooks, what rules cost, and whether rules fit the types of the schema.

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::admission::names::{letter_label, subdomain};
use super::super::admission::{ErrorKind, FieldError, Rejected};
use super::Definition;
use super::structural;

/// Checks a definition (`apiextensions.k8s.io/v1`), and reads it.
///
/// # Errors
/// Where a server refuses it, with its answer.
pub fn check(crd: &Value) -> Result<Definition, Rejected> {
    let errors = errors(crd);
    let name = crd["metadata"]["name"].as_str().unwrap_or_default();
    let invalid = |errors| Rejected::Invalid {
        group: "apiextensions.k8s.io".to_owned(),
        kind: "CustomResourceDefinition".to_owned(),
        name: name.to_owned(),
        errors,
    };
    if !errors.is_empty() {
        return Err(invalid(errors));
    }
    Definition::parse(crd).map_err(|why| invalid(vec![FieldError::invalid("spec", "", why.to_string())]))
}

fn text<'a>(json: &'a Value, key: &str) -> &'a str {
    json[key].as_str().unwrap_or_default()
}

fn errors(crd: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let spec = &crd["spec"];
    let names = &spec["names"];
    let (name, group, plural) = (
        text(&crd["metadata"], "name"),
        text(spec, "group"),
        text(names, "plural"),
    );
    if name.is_empty() {
        errors.push(FieldError::required(
            "metadata.name",
            "name or generateName is required",
        ));
    } else {
        let wrong = subdomain(name).into_iter();
        errors.extend(wrong.map(|why| FieldError::invalid("metadata.name", name, why)));
        if name != format!("{plural}.{group}") {
            let why = "must be spec.names.plural+\".\"+spec.group";
            errors.push(FieldError::invalid("metadata.name", name, why));
        }
    }
    let wrong = subdomain(group);
    if group.is_empty() {
        errors.push(FieldError::required("spec.group", ""));
    } else if !wrong.is_empty() {
        errors.push(FieldError::invalid("spec.group", group, wrong.join(",")));
    } else if !group.contains('.') {
        errors.push(FieldError::invalid(
            "spec.group",
            group,
            "should be a domain with at least one dot",
        ));
    }
    match text(spec, "scope") {
        "" => errors.push(FieldError::required("spec.scope", "")),
        "Cluster" | "Namespaced" => {}
        other => {
            let supported = ["Cluster", "Namespaced"].into_iter();
            errors.push(FieldError::not_supported("spec.scope", other.into(), supported));
        }
    }
    versions(spec, &mut errors);
    for key in ["plural", "kind"] {
        if text(names, key).is_empty() {
            errors.push(FieldError::required(format!("spec.names.{key}"), ""));
        }
    }
    self::names(names, &mut errors);
    errors
}

fn names(names: &Value, errors: &mut Vec<FieldError>) {
    for key in ["plural", "singular", "kind", "listKind"] {
        let name = text(names, key);
        let mixed = matches!(key, "kind" | "listKind");
        let wrong = letter_label(&if mixed { name.to_lowercase() } else { name.to_owned() });
        if name.is_empty() || wrong.is_empty() {
            continue;
        }
        let begin = if mixed {
            "may have mixed case, but should otherwise match: "
        } else {
            ""
        };
        let why = format!("{begin}{}", wrong.join(","));
        errors.push(FieldError::invalid(format!("spec.names.{key}"), name, why));
    }
    if !text(names, "kind").is_empty() && names["kind"] == names["listKind"] {
        let why = "kind and listKind may not be the same";
        errors.push(FieldError::invalid("spec.names.listKind", text(names, "kind"), why));
    }
    for key in ["shortNames", "categories"] {
        for (at, name) in names[key].as_array().into_iter().flatten().enumerate() {
            let name = name.as_str().unwrap_or_default();
            let wrong = letter_label(name);
            if !wrong.is_empty() {
                errors.push(FieldError::invalid(
                    format!("spec.names.{key}[{at}]"),
                    name,
                    wrong.join(","),
                ));
            }
        }
    }
}

fn versions(spec: &Value, errors: &mut Vec<FieldError>) {
    let versions = spec["versions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let schemas = || versions.iter().map(|version| &version["schema"]["openAPIV3Schema"]);
    for (at, _) in schemas().enumerate().filter(|(_, schema)| !schema.is_object()) {
        let place = format!("spec.versions[{at}].schema.openAPIV3Schema");
        errors.push(FieldError::required(place, ""));
    }
    // What all versions have alike, a server keeps once, and names so.
    let first = schemas().next();
    let alike = schemas().all(|schema| Some(schema) == first);
    let mut known = BTreeSet::new();
    for (at, version) in versions.iter().enumerate() {
        let name = text(version, "name");
        known.insert(name);
        let wrong = letter_label(name);
        if !wrong.is_empty() {
            let place = format!("spec.versions[{at}].name");
            errors.push(FieldError::invalid(place, name, wrong.join(",")));
        }
        if alike && at > 0 {
            continue;
        }
        let place = if alike {
            "spec.validation.openAPIV3Schema".to_owned()
        } else {
            format!("spec.versions[{at}].schema.openAPIV3Schema")
        };
        let schema = &version["schema"]["openAPIV3Schema"];
        if schema.is_object() {
            structural::check(schema, &place, errors);
        }
    }
    let shown = || Some(spec["versions"].clone());
    if known.len() != versions.len() {
        let why = "must contain unique version names";
        errors.push(FieldError::new("spec.versions", ErrorKind::Invalid, shown(), why));
    }
    if versions
        .iter()
        .filter(|version| version["storage"] == Value::Bool(true))
        .count()
        != 1
    {
        let why = "must have exactly one version marked as storage version";
        errors.push(FieldError::new("spec.versions", ErrorKind::Invalid, shown(), why));
    }
}
