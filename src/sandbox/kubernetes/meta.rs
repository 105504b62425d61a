//! The metadata of objects of the built-in kinds: names that it may have, and what may not change of them.

use serde_json::Value;

use super::kind::Kind;
use super::object::{finalizers, meta_text};
use super::refusal::Cause;

const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', \
    and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
    '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start \
    and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is \
    '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
/// What is wrong with the name of a new object.
pub(super) fn validate_name(kind: &Kind, object: &Value) -> Vec<Cause> {
    let name = meta_text(object, "name");
    if name.is_empty() {
        return vec![Cause::required("metadata.name", "name or generateName is required")];
    }
    let why = match (kind.name.group.as_str(), kind.name.plural.as_str()) {
        ("rbac.authorization.k8s.io", _) => return segment(name),
        ("", "namespaces" | "services") if name.contains('.') => Some("must not contain dots"),
        ("", "namespaces" | "services") => (!is_label(name)).then_some(LABEL),
        _ => (!is_subdomain(name)).then_some(SUBDOMAIN),
    };
    let why = why.map(|why| Cause::invalid("metadata.name", &Value::from(name), why));
    why.into_iter().collect()
}

fn segment(name: &str) -> Vec<Cause> {
    let why = match name {
        "." | ".." => Some(format!("may not be '{name}'")),
        _ => name
            .chars()
            .find(|c| "/%".contains(*c))
            .map(|c| format!("may not contain '{c}'")),
    };
    let why = why.map(|why| Cause::invalid("metadata.name", &Value::from(name), &why));
    why.into_iter().collect()
}

fn is_label(text: &str) -> bool {
    text.len() <= 63 && is_part(text)
}

fn is_part(text: &str) -> bool {
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !text.is_empty() && text.chars().all(good) && !text.starts_with('-') && !text.ends_with('-')
}

fn is_subdomain(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(is_part)
}

/// What is wrong with the metadata of an object that replaces another.
pub(super) fn validate_update(object: &Value, old: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    if !meta_text(old, "deletionTimestamp").is_empty() {
        let before = finalizers(old);
        let added: Vec<&str> = finalizers(object)
            .into_iter()
            .filter(|one| !before.contains(one))
            .collect();
        if !added.is_empty() {
            let quoted: Vec<String> = added.iter().map(|one| format!("{one:?}")).collect();
            let why = format!(
                "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
                quoted.join(", ")
            );
            causes.push(Cause::forbidden("metadata.finalizers", &why));
        }
    }
    causes
}

/// What is wrong with the owners and finalizers of an object.
pub(super) fn validate_references(object: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let owners = object["metadata"]["ownerReferences"].as_array();
    for owner in owners.into_iter().flatten() {
        for field in ["apiVersion", "kind", "name", "uid"] {
            if owner[field].as_str().unwrap_or_default().is_empty() {
                let field = format!("metadata.ownerReferences.{field}");
                causes.push(Cause::invalid(field, &Value::from(""), "must not be empty"));
            }
        }
    }
    if owners.is_some_and(|owners| owners.iter().filter(|owner| owner["controller"] == true).count() > 1) {
        let why = "Only one reference can have Controller set to true.";
        let shown = object["metadata"]["ownerReferences"].clone();
        causes.push(Cause::invalid("metadata.ownerReferences", &shown, why));
    }
    for finalizer in finalizers(object) {
        let known = ["foregroundDeletion", "orphan", "kubernetes"].contains(&finalizer);
        if !known && !finalizer.contains('/') {
            let why = "name is neither a standard finalizer name nor is it fully qualified";
            causes.push(Cause::invalid("metadata.finalizers[0]", &Value::from(finalizer), why));
        }
    }
    causes
}
