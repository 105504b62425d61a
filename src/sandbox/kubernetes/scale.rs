//! The scale subresource: the number of replicas as a small object of its own.

use serde_json::{Value, json};

use super::object::metadata_mut;
use super::place::Place;
use super::refusal::Refusal;
use super::request::WriteOptions;
use super::write::{Way, Writer, Written};
use crate::ssa;

/// The object that the scale subresource shows.
pub(super) fn scale_of(place: Place<'_>, object: &Value) -> Option<Value> {
    let scale = place.version.scale.as_ref()?;
    let at = |path: &str| object.pointer(&path.replace('.', "/")).cloned();
    let mut metadata = json!({"name": object["metadata"]["name"], "uid": object["metadata"]["uid"],
        "resourceVersion": object["metadata"]["resourceVersion"],
        "creationTimestamp": object["metadata"]["creationTimestamp"]});
    if !place.namespace.is_empty() {
        metadata["namespace"] = Value::from(place.namespace);
    }
    let mut status = json!({"replicas": at(&scale.status).unwrap_or_else(|| json!(0))});
    if let Some(selector) = scale.selector.as_deref().and_then(at) {
        status["selector"] = selector;
    }
    let spec = at(&scale.spec).map_or_else(|| json!({}), |replicas| json!({"replicas": replicas}));
    Some(json!({"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": metadata, "spec": spec, "status": status}))
}

/// Sets the number of replicas: `change` makes the new scale of the one that is shown.
pub(super) fn scale(
    writer: &mut Writer<'_>,
    place: Place<'_>,
    change: impl FnOnce(Value) -> Result<Value, Refusal>,
    options: &WriteOptions,
) -> Result<Written, Refusal> {
    let stored = writer.state.get(&place.kind.name, &place.key());
    let mut object = stored
        .ok_or_else(|| Refusal::not_found(place.about()))?
        .at(place.kind, place.version);
    let shown = scale_of(place, &object).ok_or_else(Refusal::no_such_resource)?;
    let wanted = change(shown)?;
    let version = wanted["metadata"]["resourceVersion"].clone();
    if let Some(scale) = &place.version.scale
        && let Some((parent, last)) = scale.spec.rsplit_once('.')
        && let Some(parent) = object
            .pointer_mut(&parent.replace('.', "/"))
            .and_then(Value::as_object_mut)
    {
        parent.insert(last.to_owned(), wanted["spec"]["replicas"].clone());
    }
    if version.is_string() {
        object["metadata"]["resourceVersion"] = version;
    }
    writer.update(place, object, Way::Patch, options)
}

/// A write through `scale` counts the generation, and leaves no time in its entry, which makes it the oldest.
pub(super) fn scaled(object: &mut Value, live: &Value) {
    timeless(object, live);
    let sorted = ssa::ManagedFields::of(object)
        .ok()
        .and_then(|managers| managers.encode());
    if let (Some(metadata), Some(sorted)) = (metadata_mut(object), sorted) {
        metadata.insert("managedFields".to_owned(), sorted);
    }
}

fn timeless(object: &mut Value, live: &Value) {
    let changed = object["spec"] != live["spec"];
    let Some(metadata) = metadata_mut(object) else { return };
    if let Some(generation) = live["metadata"]["generation"].as_i64() {
        metadata.insert("generation".to_owned(), Value::from(generation + i64::from(changed)));
    }
    let entries = metadata.get_mut("managedFields").and_then(Value::as_array_mut);
    for entry in entries
        .into_iter()
        .flatten()
        .filter(|entry| entry["subresource"] == "scale")
    {
        if let Some(entry) = entry.as_object_mut() {
            entry.remove("time");
        }
    }
}
