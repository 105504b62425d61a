//! The CRDs, made from the types: the files in `deploy/crds/`.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use super::types::{FleetSync, UnitSync};
use super::{GROUP, SyncKind, VERSION};

/// A kind's CRD.
pub fn definition(kind: SyncKind) -> Value {
    let (description, short, columns, status) = match kind {
        SyncKind::ClusterSync => (
            "How one unit of a fleet stands to its files: a cluster, a shared network, or what a management cluster needs \
             once. The daemon writes it.",
            "csync",
            unit_columns(),
            schema::<UnitSync>(),
        ),
        SyncKind::FleetStatus => (
            "How a fleet stands to its files, on this management cluster. The daemon writes it.",
            "fleet",
            fleet_columns(),
            schema::<FleetSync>(),
        ),
    };
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{}.{GROUP}", kind.plural())},
        "spec": {
            "group": GROUP,
            "names": {
                "kind": kind.name(),
                "listKind": format!("{}List", kind.name()),
                "plural": kind.plural(),
                "singular": kind.name().to_lowercase(),
                "shortNames": [short],
                "categories": ["fleetwright"],
            },
            "scope": "Namespaced",
            "versions": [{
                "name": VERSION,
                "served": true,
                "storage": true,
                "subresources": {"status": {}},
                "additionalPrinterColumns": columns,
                "schema": {"openAPIV3Schema": {
                    "description": description,
                    "type": "object",
                    "properties": {
                        "apiVersion": {"type": "string"},
                        "kind": {"type": "string"},
                        "metadata": {"type": "object"},
                        "status": status,
                    },
                }},
            }],
        },
    })
}

/// A column: name, type, path, and whether it is shown only with `-o wide`.
fn column((name, kind, path, wide): (&str, &str, &str, bool)) -> Value {
    let mut column = json!({"name": name, "type": kind, "jsonPath": path});
    if wide {
        column["priority"] = Value::from(1);
    }
    column
}

const READY: (&str, &str, &str, bool) = (
    "Ready",
    "string",
    ".status.conditions[?(@.type==\"Ready\")].status",
    false,
);
const AGE: (&str, &str, &str, bool) = ("Age", "date", ".metadata.creationTimestamp", false);

fn unit_columns() -> Vec<Value> {
    let columns = [
        READY,
        ("State", "string", ".status.state", false),
        ("Pending", "integer", ".status.pending.count", false),
        ("Drifted", "integer", ".status.drift.count", false),
        ("Drift since", "date", ".status.drift.since", false),
        ("Suspended until", "string", ".status.suspension.until", true),
        ("Revision", "string", ".status.observedRevision", true),
        ("Message", "string", ".status.message", true),
        AGE,
    ];
    columns.into_iter().map(column).collect()
}

fn fleet_columns() -> Vec<Value> {
    let columns = [
        READY,
        ("Units", "integer", ".status.units.total", false),
        ("In sync", "integer", ".status.units.ready", false),
        ("Drifted", "integer", ".status.units.drifted", false),
        ("Waiting", "integer", ".status.units.waiting", false),
        ("Refused", "integer", ".status.units.refused", false),
        ("Suspended", "integer", ".status.units.suspended", false),
        ("Failed", "integer", ".status.units.failed", false),
        ("Revision", "string", ".status.revision", false),
        AGE,
    ];
    columns.into_iter().map(column).collect()
}

/// The structural schema of a type.
fn schema<T: JsonSchema>() -> Value {
    let mut settings = SchemaSettings::openapi3();
    settings.inline_subschemas = true;
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    structural(&mut schema);
    if let Some(conditions) = schema
        .pointer_mut("/properties/conditions")
        .and_then(Value::as_object_mut)
    {
        conditions.insert("x-kubernetes-list-type".to_owned(), json!("map"));
        conditions.insert("x-kubernetes-list-map-keys".to_owned(), json!(["type"]));
    }
    schema
}

/// Takes out what a server has no use for, or does not admit: every field may be absent, and none is `null`.
fn structural(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            for key in ["$schema", "title", "nullable", "default", "components"] {
                // A property may be called so; a keyword is no schema.
                if map.get(key).is_none_or(|value| value.get("type").is_none()) {
                    map.remove(key);
                }
            }
            // Docs of enumerations come as a list of constants.
            if let Some(Value::Array(choices)) = map.remove("oneOf") {
                let words: Vec<Value> = choices
                    .into_iter()
                    .flat_map(|choice| match (choice.get("enum"), choice.get("const")) {
                        (Some(Value::Array(words)), _) => words.clone(),
                        (_, Some(word)) => vec![word.clone()],
                        _ => Vec::new(),
                    })
                    .collect();
                map.insert("type".to_owned(), json!("string"));
                map.insert("enum".to_owned(), Value::from(words));
            }
            map.values_mut().for_each(structural);
        }
        Value::Array(items) => items.iter_mut().for_each(structural),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(schema: &Value, path: &str) {
        for keyword in ["$ref", "anyOf", "oneOf", "nullable", "default"] {
            assert!(schema.get(keyword).is_none(), "{path} has {keyword}");
        }
        assert!(schema.get("type").is_some(), "{path} has no type");
        for (name, property) in schema
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            walk(property, &format!("{path}.{name}"));
        }
        for inner in ["items", "additionalProperties"] {
            if let Some(schema) = schema.get(inner).filter(|inner| inner.is_object()) {
                walk(schema, &format!("{path}.{inner}"));
            }
        }
    }

    #[test]
    fn schemas_are_structural() {
        for kind in SyncKind::ALL {
            let definition = definition(kind);
            let schema = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
            walk(schema, kind.name());
            let conditions = &schema["properties"]["status"]["properties"]["conditions"];
            assert_eq!(conditions["x-kubernetes-list-type"], "map");
        }
    }

    #[test]
    fn columns_show_fields_that_exist() {
        for kind in SyncKind::ALL {
            let definition = definition(kind);
            let version = &definition["spec"]["versions"][0];
            let root = &version["schema"]["openAPIV3Schema"]["properties"];
            for column in version["additionalPrinterColumns"].as_array().unwrap() {
                let path = column["jsonPath"].as_str().unwrap();
                let Some(rest) = path.strip_prefix(".status.") else {
                    continue;
                };
                let mut at = &root["status"];
                for part in rest.split('.').take_while(|part| !part.contains('[')) {
                    at = &at["properties"][part];
                    assert!(at.is_object(), "{path}");
                }
            }
        }
    }
}
