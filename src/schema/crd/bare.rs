//! A definition without what no verdict depends on: nine tenths of its text are descriptions.

use serde_json::{Map, Value, json};

/// Keeps group, names, scope and versions, without descriptions, columns and what a server notes.
pub fn bare(crd: &Value) -> Value {
    let spec = &crd["spec"];
    let mut kept = Map::new();
    for key in ["group", "names", "scope", "preserveUnknownFields"] {
        if let Some(value) = spec.get(key) {
            kept.insert(key.to_owned(), value.clone());
        }
    }
    let versions = spec["versions"].as_array().into_iter().flatten().map(version);
    kept.insert("versions".to_owned(), versions.collect());
    json!({
        "apiVersion": crd["apiVersion"],
        "kind": crd["kind"],
        "metadata": {"name": crd["metadata"]["name"]},
        "spec": kept,
    })
}

fn version(version: &Value) -> Value {
    let mut version = version.clone();
    if let Some(keys) = version.as_object_mut() {
        keys.retain(|key, _| key != "additionalPrinterColumns");
    }
    if let Some(schema) = version.pointer_mut("/schema/openAPIV3Schema") {
        without_descriptions(schema);
    }
    version
}

fn without_descriptions(schema: &mut Value) {
    let Some(keywords) = schema.as_object_mut() else { return };
    keywords.retain(|key, _| key != "description");
    for (key, value) in keywords {
        match (key.as_str(), value) {
            // A field may be called `description`, a default may hold one.
            ("properties", Value::Object(fields)) => fields.values_mut().for_each(without_descriptions),
            ("items" | "additionalProperties" | "not", one) => without_descriptions(one),
            ("allOf" | "anyOf" | "oneOf", Value::Array(all)) => all.iter_mut().for_each(without_descriptions),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptions_go_and_fields_of_that_name_stay() {
        let schema = json!({"type": "object", "description": "all", "properties": {
            "description": {"type": "string", "description": "one", "default": "x"},
            "list": {"type": "array", "items": {"type": "object", "description": "two", "default": {"description": "y"}}},
        }});
        let crd = json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": "things.example.io", "uid": "u"},
            "spec": {"group": "example.io", "scope": "Cluster", "names": {"kind": "Thing"}, "conversion": {"strategy": "None"},
                "versions": [{"name": "v1", "schema": {"openAPIV3Schema": schema}, "additionalPrinterColumns": []}]},
            "status": {},
        });
        let bare = bare(&crd);
        assert_eq!(bare["metadata"], json!({"name": "things.example.io"}));
        assert_eq!((bare.get("status"), bare["spec"].get("conversion")), (None, None));
        let kept = json!({"type": "object", "properties": {
            "description": {"type": "string", "default": "x"},
            "list": {"type": "array", "items": {"type": "object", "default": {"description": "y"}}},
        }});
        assert_eq!(
            bare["spec"]["versions"],
            json!([{"name": "v1", "schema": {"openAPIV3Schema": kept}}])
        );
    }
}
