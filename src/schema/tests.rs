//! Unit tests of schemas.

use serde_json::{Value, json};

use super::*;
use crate::resource::{FieldPath, PathElement};

fn crd(schema: &Value) -> Value {
    json!({"spec": {
        "group": "example.com",
        "names": {"kind": "Thing"},
        "scope": "Namespaced",
        "versions": [
            {"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema},
             "subresources": {"status": {}}},
            {"name": "v1beta1", "served": true, "storage": false, "schema": {"openAPIV3Schema": {"type": "object"}}},
        ],
    }})
}

fn thing(spec: &Value) -> Schema {
    let schema = json!({"type": "object", "properties": {"spec": spec, "status": {"type": "object"}}});
    Schema::from_crd(&crd(&schema), "v1").unwrap()
}

#[test]
fn reads_the_kind_and_all_its_versions() {
    let schema = thing(&json!({"type": "object"}));
    assert_eq!((schema.api_version(), schema.kind()), ("example.com/v1", "Thing"));
    assert_eq!(schema.origin(), Origin::Custom);
    assert!(schema.has_status_subresource());
    assert!(schema.root_at("example.com/v1beta1").is_some());
    assert!(schema.root_at("example.com/v2").is_none());
    let missing = Schema::from_crd(&crd(&json!({"type": "object"})), "v2");
    assert_eq!(missing.unwrap_err(), SchemaError::NoSuchVersion("v2".to_owned()));
    assert!(matches!(
        Schema::from_crd(&json!({}), "v1"),
        Err(SchemaError::Malformed(_))
    ));
}

#[test]
fn keeps_what_the_merge_and_the_checks_need() {
    let schema = thing(&json!({"type": "object", "required": ["mode"], "properties": {
        "mode": {"type": "string", "enum": ["A", "B"], "default": "A"},
        "port": {"x-kubernetes-int-or-string": true},
        "memory": {"x-kubernetes-int-or-string": true, "pattern": "^([KMGTPE]i)$"},
        "every": {"type": "string", "format": "duration", "nullable": true},
        "set": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
        "keyed": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["b", "a"],
            "items": {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}}}},
        "plain": {"type": "array", "items": {"type": "object", "x-kubernetes-map-type": "atomic"}},
        "open": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
        "whole": {"type": "object", "x-kubernetes-embedded-resource": true},
    }}));
    let spec = schema.root().field("spec").unwrap();
    let field = |name: &str| spec.field(name).unwrap();
    assert_eq!(field("mode").choices(), [json!("A"), json!("B")]);
    let mode = spec.fields().find(|field| field.name == "mode").unwrap();
    assert!(mode.required);
    assert_eq!(mode.default, Some(&json!("A")));
    assert_eq!(field("port").normal(), Normal::IntOrString);
    assert_eq!(field("memory").normal(), Normal::Quantity);
    assert_eq!(
        (field("every").normal(), field("every").nullable()),
        (Normal::Duration, true)
    );
    assert_eq!(field("set").list(), Some(ListView::Set));
    assert_eq!(field("keyed").list(), Some(ListView::Map(vec!["b", "a"])));
    assert_eq!(field("plain").list(), Some(ListView::Atomic));
    assert!(field("plain").items().unwrap().is_atomic_map());
    assert!(field("open").is_open() && !spec.is_open());
    assert!(field("whole").is_embedded_resource());
    assert!(field("whole").field("metadata").unwrap().field("finalizers").is_some());
    let metadata = schema.root().field("metadata").unwrap();
    assert_eq!(
        metadata.field("ownerReferences").unwrap().list(),
        Some(ListView::Map(vec!["uid"]))
    );
    assert!(
        metadata
            .field("ownerReferences")
            .unwrap()
            .items()
            .unwrap()
            .is_atomic_map()
    );
    let path = FieldPath::new(vec![
        PathElement::Field("spec".to_owned()),
        PathElement::Field("keyed".to_owned()),
        PathElement::Key(vec![]),
        PathElement::Field("a".to_owned()),
    ]);
    assert_eq!(schema.root().at(&path).unwrap().json_type(), JsonType::String);
}

#[test]
fn fills_in_defaults_only_where_something_is_absent() {
    let schema = thing(&json!({"type": "object", "properties": {
        "a": {"type": "string", "default": "x"},
        "n": {"type": "string", "default": "x", "nullable": true},
        "outer": {"type": "object", "default": {}, "properties": {"inner": {"type": "integer", "default": 3}}},
        "absent": {"type": "object", "properties": {"inner": {"type": "integer", "default": 3}}},
        "list": {"type": "array", "items": {"type": "object", "properties": {"p": {"type": "string", "default": "TCP"}}}},
        "map": {"type": "object", "additionalProperties": {"type": "string", "default": "d"}},
    }}));
    let mut value = json!({"spec": {"n": null, "list": [{}, {"p": "UDP"}], "map": {"k": null, "l": "m"}}});
    schema.apply_defaults(&mut value);
    assert_eq!(
        value,
        json!({"spec": {"a": "x", "n": null, "outer": {"inner": 3}, "list": [{"p": "TCP"}, {"p": "UDP"}], "map": {"k": "d", "l": "m"}}})
    );
    let mut null = json!({"spec": {"a": null}});
    schema.apply_defaults(&mut null);
    assert_eq!(null["spec"]["a"], "x");
}

#[test]
fn prunes_what_the_schema_does_not_know() {
    let schema = thing(&json!({"type": "object", "properties": {
        "a": {"type": "string"},
        "d": {"type": "string", "default": "x"},
        "open": {"type": "object", "x-kubernetes-preserve-unknown-fields": true,
            "properties": {"closed": {"type": "object", "properties": {"k": {"type": "string"}}}}},
        "list": {"type": "array", "items": {"type": "object", "properties": {"p": {"type": "string"}}}},
    }}));
    let mut value = json!({"apiVersion": "example.com/v1", "kind": "Thing", "extra": 1,
        "metadata": {"name": "n", "labels": {}, "unknown": 1},
        "spec": {"a": null, "d": null, "b": 1, "open": {"any": 1, "closed": {"k": "v", "x": 1}}, "list": [{"p": "v", "q": 1}]}});
    schema.prune(&mut value);
    assert_eq!(
        value,
        json!({"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "n"},
            "spec": {"d": null, "open": {"any": 1, "closed": {"k": "v"}}, "list": [{"p": "v"}]}})
    );
}

#[test]
fn types_that_hold_themselves_end() {
    let document = json!({"components": {"schemas": {
        "io.k8s.api.test.v1.Node": {"type": "object", "x-kubernetes-group-version-kind":
            [{"group": "test", "version": "v1", "kind": "Node"}],
            "properties": {"next": {"allOf": [{"$ref": "#/components/schemas/io.k8s.api.test.v1.Node"}]},
                "size": {"$ref": "#/components/schemas/io.k8s.apimachinery.pkg.api.resource.Quantity"}}},
        "io.k8s.apimachinery.pkg.api.resource.Quantity": {"type": "string"},
    }}});
    let gvk = Gvk {
        group: "test",
        version: "v1",
        kind: "Node",
    };
    let schema = Schema::from_openapi_v3(&document, gvk).unwrap();
    let next = schema.root().field("next").unwrap().field("next").unwrap();
    assert_eq!(next.field("size").unwrap().normal(), Normal::Quantity);
    assert_eq!(schema.origin(), Origin::BuiltIn);
    let absent = Schema::from_openapi_v3(&document, Gvk { kind: "Other", ..gvk });
    assert_eq!(absent.unwrap_err(), SchemaError::NoSuchKind("Other".to_owned()));
}

#[test]
fn a_reference_that_leads_nowhere_is_named() {
    let document = json!({"components": {"schemas": {
        "io.k8s.api.test.v1.Node": {"type": "object", "x-kubernetes-group-version-kind":
            [{"group": "test", "version": "v1", "kind": "Node"}],
            "properties": {"next": {"$ref": "#/components/schemas/gone"}}},
    }}});
    let error = Schema::from_openapi_v3(
        &document,
        Gvk {
            group: "test",
            version: "v1",
            kind: "Node",
        },
    );
    assert_eq!(error.unwrap_err(), SchemaError::DanglingReference("gone".to_owned()));
}

#[test]
fn a_schema_without_bottom_is_refused() {
    let mut deep = json!({"type": "string"});
    for _ in 0..300 {
        deep = json!({"type": "object", "properties": {"a": deep}});
    }
    let error = Schema::from_crd(&crd(&json!({"type": "object", "properties": {"spec": deep}})), "v1");
    assert!(matches!(error, Err(SchemaError::TooDeep(_))));
}
