//! OpenAPI v3 documents: an index with a hash for each, and one document for each group and version.
//!
//! The types of Kubernetes' own kinds come from `schemas/kubernetes.json`; those of custom resources from their definitions.
//! Of operations, only what clients look for is said: which kind one is about, and that it knows `fieldValidation` and
//! `dryRun`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::kind::{Kind, Version};
use crate::schema::Origin;

const DEFINITIONS: &str = include_str!("../../../schemas/kubernetes.json");
const META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.";
const REFERENCE: &str = "#/components/schemas/";

static BUILT_IN: LazyLock<Map<String, Value>> = LazyLock::new(|| serde_json::from_str(DEFINITIONS).unwrap_or_default());

/// The index: group and version as a path, and the hash of its document. The hash is of what the document is made from,
/// so that it can be told without making it.
pub(super) fn index(kinds: &[Arc<Kind>]) -> Value {
    let mut hashes: BTreeMap<String, Sha256> = BTreeMap::new();
    for kind in kinds {
        for version in kind.versions.iter().filter(|version| version.served) {
            let hash = hashes.entry(path(kind, version)).or_default();
            hash.update(kind.name.plural.as_bytes());
            match &kind.definition {
                Some(definition) => hash.update(definition["spec"].to_string().as_bytes()),
                None => hash.update(DEFINITIONS.as_bytes()),
            }
        }
    }
    let paths = hashes.into_iter().map(|(path, hash)| {
        let hash: String = hash.finalize().iter().map(|byte| format!("{byte:02X}")).collect();
        let link = json!({"serverRelativeURL": format!("/openapi/v3/{path}?hash={hash}")});
        (path, link)
    });
    json!({"paths": paths.collect::<Map<_, _>>()})
}

/// `api/v1`, `apis/apps/v1`
fn path(kind: &Kind, version: &Version) -> String {
    match kind.name.group.as_str() {
        "" => format!("api/{}", version.name),
        group => format!("apis/{group}/{}", version.name),
    }
}

/// The document of a group and version; none where nothing is served there.
pub(super) fn document(kinds: &[Arc<Kind>], wanted: &str) -> Option<Value> {
    let served = kinds.iter().flat_map(|kind| {
        let versions = kind.versions.iter().filter(|version| version.served);
        versions.map(move |version| (&**kind, version))
    });
    let here: Vec<(&Kind, &Version)> = served.filter(|(kind, version)| path(kind, version) == wanted).collect();
    (!here.is_empty()).then(|| build(&here))
}

/// A type of Kubernetes' own, by its name or by a reference to it.
pub(super) fn definition(name: &str) -> Option<&'static Value> {
    BUILT_IN.get(name.strip_prefix(REFERENCE).unwrap_or(name))
}

/// The document of one kind alone.
pub(super) fn document_of(kind: &Kind, version: &Version) -> Value {
    build(&[(kind, version)])
}

fn build(kinds: &[(&Kind, &Version)]) -> Value {
    let mut schemas = Map::new();
    let mut paths = Map::new();
    for (kind, version) in kinds {
        let name = definition_name(kind, version);
        match &kind.definition {
            Some(_) => {
                schemas.insert(name.clone(), custom(kind, version));
                schemas.insert(format!("{name}List"), list_of(kind, version, &name));
                add(&mut schemas, &format!("{META}ObjectMeta"));
                add(&mut schemas, &format!("{META}ListMeta"));
            }
            None => {
                add(&mut schemas, &name);
                add(&mut schemas, &format!("{name}List"));
            }
        }
        operations(kind, version, &name, &mut paths);
    }
    for name in ["DeleteOptions", "Patch", "Status"] {
        add(&mut schemas, &format!("{META}{name}"));
    }
    json!({"openapi": "3.0.0", "info": {"title": "Kubernetes", "version": super::discovery::VERSION},
        "components": {"schemas": schemas}, "paths": paths})
}

/// Adds a type of Kubernetes' own and all that it refers to.
fn add(schemas: &mut Map<String, Value>, name: &str) {
    let mut todo = vec![name.to_owned()];
    while let Some(name) = todo.pop() {
        if schemas.contains_key(&name) {
            continue;
        }
        let Some(schema) = BUILT_IN.get(&name) else { continue };
        let mut references = BTreeSet::new();
        gather(schema, &mut references);
        todo.extend(references.into_iter().map(str::to_owned));
        schemas.insert(name, schema.clone());
    }
}

fn gather<'a>(schema: &'a Value, references: &mut BTreeSet<&'a str>) {
    match schema {
        Value::Object(entries) => {
            if let Some(Value::String(target)) = entries.get("$ref") {
                references.extend(target.strip_prefix(REFERENCE));
            }
            entries.values().for_each(|entry| gather(entry, references));
        }
        Value::Array(items) => items.iter().for_each(|item| gather(item, references)),
        _ => {}
    }
}

/// `io.example.widgets.v1.Widget` for a custom resource of the group `widgets.example.io`.
pub(super) fn definition_name(kind: &Kind, version: &Version) -> String {
    if kind.origin == Origin::Custom {
        let mut parts: Vec<&str> = kind.name.group.split('.').collect();
        parts.reverse();
        return format!("{}.{}.{}", parts.join("."), version.name, kind.kind);
    }
    let package = match kind.name.group.as_str() {
        "" => "io.k8s.api.core.",
        "apiextensions.k8s.io" => "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.",
        "coordination.k8s.io" => "io.k8s.api.coordination.",
        "events.k8s.io" => "io.k8s.api.events.",
        "rbac.authorization.k8s.io" => "io.k8s.api.rbac.",
        _ => "io.k8s.api.scheduling.",
    };
    format!("{package}{}.{}", version.name, kind.kind)
}

fn gvk(kind: &Kind, version: &Version, name: &str) -> Value {
    json!({"group": kind.name.group, "version": version.name, "kind": name})
}

fn custom(kind: &Kind, version: &Version) -> Value {
    let mut schema = version.declared.clone().unwrap_or_else(|| json!({"type": "object"}));
    if !schema.is_object() {
        schema = json!({"type": "object"});
    }
    spell_out(&mut schema);
    if let Some(properties) = frame(&mut schema, "properties") {
        properties.insert("apiVersion".to_owned(), json!({"type": "string"}));
        properties.insert("kind".to_owned(), json!({"type": "string"}));
        let metadata = json!({"allOf": [{"$ref": format!("{REFERENCE}{META}ObjectMeta")}]});
        properties.insert("metadata".to_owned(), metadata);
    }
    schema["x-kubernetes-group-version-kind"] = json!([gvk(kind, version, &kind.kind)]);
    schema
}

/// What may be a number or a text is published with both types named.
fn spell_out(schema: &mut Value) {
    match schema {
        Value::Object(entries) => {
            if entries.get("x-kubernetes-int-or-string") == Some(&Value::Bool(true)) && !entries.contains_key("anyOf") {
                entries.insert("anyOf".to_owned(), json!([{"type": "integer"}, {"type": "string"}]));
            }
            entries.values_mut().for_each(spell_out);
        }
        Value::Array(items) => items.iter_mut().for_each(spell_out),
        _ => {}
    }
}

fn frame<'a>(schema: &'a mut Value, key: &str) -> Option<&'a mut Map<String, Value>> {
    let entry = schema.as_object_mut()?.entry(key).or_insert_with(|| json!({}));
    entry.as_object_mut()
}

fn list_of(kind: &Kind, version: &Version, item: &str) -> Value {
    json!({"type": "object", "required": ["items"], "properties": {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {"allOf": [{"$ref": format!("{REFERENCE}{META}ListMeta")}]},
        "items": {"type": "array", "items": {"$ref": format!("{REFERENCE}{item}")}},
    }, "x-kubernetes-group-version-kind": [gvk(kind, version, &kind.list_kind)]})
}

fn operations(kind: &Kind, version: &Version, name: &str, paths: &mut Map<String, Value>) {
    let root = format!("/{}", path(kind, version));
    let collection = if kind.namespaced {
        format!("{root}/namespaces/{{namespace}}/{}", kind.name.plural)
    } else {
        format!("{root}/{}", kind.name.plural)
    };
    let gvk = gvk(kind, version, &kind.kind);
    let parameter =
        |name: &str, kind: &str| json!({"name": name, "in": "query", "schema": {"type": kind, "uniqueItems": true}});
    let operation = |action: &str, parameters: &[Value]| {
        let schema = json!({"$ref": format!("{REFERENCE}{name}")});
        json!({"x-kubernetes-action": action, "x-kubernetes-group-version-kind": gvk, "parameters": parameters,
            "responses": {"200": {"description": "OK", "content": {"application/json": {"schema": schema}}}}})
    };
    let writing = [
        parameter("dryRun", "string"),
        parameter("fieldManager", "string"),
        parameter("fieldValidation", "string"),
    ];
    let patching = [writing.as_slice(), &[parameter("force", "boolean")]].concat();
    let one = json!({
        "get": operation("get", &[]),
        "put": operation("put", &writing),
        "patch": operation("patch", &patching),
        "delete": operation("delete", &[parameter("dryRun", "string")]),
    });
    paths.insert(
        collection.clone(),
        json!({"get": operation("list", &[]), "post": operation("post", &writing)}),
    );
    if version.status {
        let mut status = one.clone();
        if let Some(status) = status.as_object_mut() {
            status.remove("delete");
        }
        paths.insert(format!("{collection}/{{name}}/status"), status);
    }
    paths.insert(format!("{collection}/{{name}}"), one);
}
