//! The metadata that every object has, whatever its own schema says of them.

use serde_json::{Value, json};

/// `ObjectMeta` as a schema: which of its lists are sets, which are keyed, which are owned as a whole.
pub(super) fn schema() -> Value {
    let text = || json!({"type": "string"});
    let time = || json!({"type": "string", "format": "date-time"});
    let texts = || json!({"type": "object", "additionalProperties": {"type": "string"}});
    json!({"type": "object", "properties": {
        "name": text(),
        "generateName": text(),
        "namespace": text(),
        "selfLink": text(),
        "uid": text(),
        "resourceVersion": text(),
        "generation": {"type": "integer", "format": "int64"},
        "creationTimestamp": time(),
        "deletionTimestamp": time(),
        "deletionGracePeriodSeconds": {"type": "integer", "format": "int64"},
        "labels": texts(),
        "annotations": texts(),
        "finalizers": {"type": "array", "items": text(), "x-kubernetes-list-type": "set"},
        "ownerReferences": {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["uid"],
            "items": {"type": "object", "x-kubernetes-map-type": "atomic", "properties": {
                "apiVersion": text(),
                "kind": text(),
                "name": text(),
                "uid": text(),
                "controller": {"type": "boolean"},
                "blockOwnerDeletion": {"type": "boolean"},
            }},
        },
        "managedFields": {
            "type": "array",
            "x-kubernetes-list-type": "atomic",
            "items": {"type": "object", "properties": {
                "manager": text(),
                "operation": text(),
                "apiVersion": text(),
                "time": time(),
                "fieldsType": text(),
                "fieldsV1": {"type": "object"},
                "subresource": text(),
            }},
        },
    }})
}
