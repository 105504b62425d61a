//! Unit tests of definitions.

use serde_json::{Value, json};

use super::*;

fn crd(schema: &Value) -> Value {
    json!({"metadata": {"name": "things.example.com"}, "spec": {
        "group": "example.com", "scope": "Namespaced",
        "names": {"plural": "things", "kind": "Thing", "shortNames": ["th"]},
        "versions": [{"name": "v1", "served": true, "storage": true,
            "schema": {"openAPIV3Schema": schema},
            "subresources": {"status": {}, "scale": {"specReplicasPath": ".spec.n", "statusReplicasPath": ".status.n"}},
            "additionalPrinterColumns": [{"name": "Phase", "type": "string", "jsonPath": ".status.phase"}],
            "selectableFields": [{"jsonPath": ".spec.a"}]}],
    }})
}

fn causes(crd: &Value) -> Vec<String> {
    let causes = check(crd).map_or_else(|rejected| rejected.to_status_causes(), |_| Vec::new());
    causes
        .into_iter()
        .map(|cause| format!("{}: {}", cause.field, cause.message))
        .collect()
}

#[test]
fn a_definition_is_read_with_the_names_that_may_be_left_out() {
    let definition = check(&crd(&json!({"type": "object"}))).unwrap();
    assert_eq!(
        (definition.group.as_str(), definition.scope),
        ("example.com", Scope::Namespaced)
    );
    let names = &definition.names;
    assert_eq!(
        (names.singular.as_str(), names.list_kind.as_str()),
        ("thing", "ThingList")
    );
    assert_eq!(names.short_names, ["th"]);
    let version = definition.storage().unwrap();
    assert!(version.has_status && version.served);
    assert_eq!(version.scale.as_ref().unwrap().spec_replicas, ".spec.n");
    assert_eq!(
        (version.columns[0].name.as_str(), version.selectable[0].as_str()),
        ("Phase", ".spec.a")
    );
    assert!(definition.version("v2").is_none());
}

#[test]
fn common_mistakes_are_told_in_a_servers_words() {
    let schema = json!({"type": "object", "properties": {"spec": {"type": "object", "properties": {
        "untyped": {"description": "x"},
        "list": {"type": "array"},
        "keyed": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["a"],
            "items": {"type": "object", "properties": {"a": {"type": "string"}}}},
        "either": {"type": "object", "anyOf": [{"type": "object"}]},
        "rule": {"type": "string", "x-kubernetes-validations": [{"message": "m"}]},
        "port": {"x-kubernetes-int-or-string": true, "anyOf": [{"type": "integer"}, {"type": "string"}]},
    }}}});
    let place = "spec.validation.openAPIV3Schema.properties[spec].properties";
    assert_eq!(
        causes(&crd(&schema)),
        [
            format!("{place}[either].anyOf[0].type: Forbidden: must be empty to be structural"),
            format!(
                "{place}[keyed].items.properties[a].default: Required value: this property is in \
                 x-kubernetes-list-map-keys, so it must have a default or be a required property"
            ),
            format!("{place}[list].items: Required value: must be specified"),
            format!("{place}[rule].x-kubernetes-validations[0].rule: Required value: rule is not specified"),
            format!("{place}[untyped].type: Required value: must not be empty for specified object fields"),
        ]
    );
    let mut misnamed = crd(&json!({"type": "object"}));
    misnamed["metadata"]["name"] = json!("other.example.com");
    misnamed["spec"]["scope"] = json!("Galaxy");
    misnamed["spec"]["versions"][0]["storage"] = json!(false);
    let told = causes(&misnamed);
    assert_eq!(
        told[0],
        "metadata.name: Invalid value: \"other.example.com\": must be spec.names.plural+\".\"+spec.group"
    );
    assert_eq!(
        told[1],
        "spec.scope: Unsupported value: \"Galaxy\": supported values: \"Cluster\", \"Namespaced\""
    );
    assert!(
        told[2].ends_with("must have exactly one version marked as storage version"),
        "{told:?}"
    );
}
