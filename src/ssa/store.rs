//! What a server makes of an object between merging and storing it.

use serde_json::{Map, Value};

use super::managed::{ManagedFields, seconds};
use super::value::{equal, equal_structs};
use crate::schema::{Origin, Schema};

/// A write that is about to be stored.
#[derive(Clone, Copy)]
pub(super) struct Writing<'a> {
    pub(super) schema: &'a Schema,
    /// The object that it replaces, as it was stored; none for a create.
    pub(super) stored: Option<&'a Value>,
    /// The same as it was read: at the version of the request, without managedFields.
    pub(super) live: Option<&'a Value>,
    pub(super) subresource: &'a str,
}

/// Fills in defaults, resets what this way of writing may not change, counts the generation, forgets what the schema
/// doesn't know, and records the managers.
pub(super) fn store(writing: Writing<'_>, mut object: Value, managers: ManagedFields) -> Value {
    let schema = writing.schema;
    schema.apply_defaults(&mut object);
    if writing.subresource.is_empty() {
        if schema.has_status_subresource() {
            keep_status(schema, &mut object, writing.live);
        }
        set_generation(schema, &mut object, writing.live);
    }
    if schema.origin() == Origin::BuiltIn {
        schema.prune(&mut object);
    }
    let managers = match kept_times(writing, &object, &managers) {
        Some(old) => old,
        None => managers,
    };
    schema.round_trip(&mut object);
    record(&mut object, &managers);
    object
}

fn keep_status(schema: &Schema, object: &mut Value, live: Option<&Value>) {
    let Some(entries) = object.as_object_mut() else { return };
    match (live.map(|live| live.get("status")), schema.origin()) {
        (Some(Some(status)), _) => {
            entries.insert("status".to_owned(), status.clone());
        }
        (Some(None), _) | (None, Origin::Custom) => {
            entries.remove("status");
        }
        (None, Origin::BuiltIn) => {
            let zero = schema.zero().get("status").cloned();
            entries.remove("status");
            entries.extend(zero.map(|zero| ("status".to_owned(), zero)));
        }
    }
}

fn set_generation(schema: &Schema, object: &mut Value, live: Option<&Value>) {
    let generation = match (live, schema.origin()) {
        (None, Origin::Custom) => Some(1),
        (None, Origin::BuiltIn) => None,
        (Some(live), origin) => {
            let changed = match origin {
                Origin::Custom => differs_beside_metadata(live, object),
                Origin::BuiltIn => !equal(&live["spec"], &object["spec"]),
            };
            live["metadata"]["generation"]
                .as_i64()
                .map(|before| before + i64::from(changed))
        }
    };
    let Some(generation) = generation else { return };
    if let Some(entries) = object.as_object_mut() {
        let metadata = entries.entry("metadata").or_insert_with(|| Value::Object(Map::new()));
        if let Some(metadata) = metadata.as_object_mut() {
            metadata.insert("generation".to_owned(), Value::from(generation));
        }
    }
}

fn differs_beside_metadata(a: &Value, b: &Value) -> bool {
    let (Some(a), Some(b)) = (a.as_object(), b.as_object()) else {
        return true;
    };
    let beside = |name: &&String| *name != "metadata";
    a.keys().filter(beside).count() != b.keys().filter(beside).count()
        || a.iter()
            .filter(|(name, _)| *name != "metadata")
            .any(|(name, value)| b.get(name).is_none_or(|other| !equal(value, other)))
}

/// The old entries, where a write changes their time stamps and nothing else: then it changes nothing.
fn kept_times(writing: Writing<'_>, object: &Value, managers: &ManagedFields) -> Option<ManagedFields> {
    let old = ManagedFields::of(writing.stored?).ok()?;
    let (before, after) = (old.entries(), managers.entries());
    let pairs = || before.iter().zip(&after);
    let alike = before.len() == after.len()
        && pairs().any(|(a, b)| seconds(&a.time) != seconds(&b.time))
        && pairs().all(|(a, b)| a.id() == b.id() && a.api_version == b.api_version && a.fields == b.fields);
    let live = writing.live?;
    let same = || match writing.schema.origin() {
        Origin::Custom => equal(live, object),
        Origin::BuiltIn => equal_structs(live, object),
    };
    (alike && same()).then_some(old)
}

/// Puts the entries into the object.
pub(super) fn record(object: &mut Value, managers: &ManagedFields) {
    let (Some(object), Some(entries)) = (object.as_object_mut(), managers.encode()) else {
        return;
    };
    let metadata = object.entry("metadata").or_insert(Value::Null);
    if !metadata.is_object() {
        *metadata = Value::Object(Map::new());
    }
    if let Some(metadata) = metadata.as_object_mut() {
        metadata.insert("managedFields".to_owned(), entries);
    }
}

/// What the server alone sets stays, whatever a writer sends.
pub(super) fn keep_identity(object: &mut Value, live: &Value) {
    let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else {
        return;
    };
    for name in [
        "uid",
        "creationTimestamp",
        "resourceVersion",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
    ] {
        match live["metadata"].get(name) {
            Some(value) => metadata.insert(name.to_owned(), value.clone()),
            None => metadata.remove(name),
        };
    }
}
