//! Schemas from the OpenAPI v3 documents that API servers serve.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::build::{Builder, Finish, Place, reference};
use super::node::{JsonType, Node, Normal, Scalar, TypeRef};
use super::{Gvk, Origin, Schema, SchemaError, api_version, object};

/// Definitions of Kubernetes itself begin so; those of custom resources begin with their group, reversed.
const BUILT_IN: [&str; 4] = [
    "io.k8s.api.",
    "io.k8s.apimachinery.",
    "io.k8s.apiextensions-apiserver.",
    "io.k8s.kube-aggregator.",
];

impl Schema {
    /// Reads one kind from a document of `/openapi/v3/apis/<group>/<version>` or `/openapi/v3/api/v1`.
    ///
    /// # Errors
    /// Where the document doesn't know the kind, or a reference in it leads nowhere.
    pub fn from_openapi_v3(document: &Value, gvk: Gvk<'_>) -> Result<Self, SchemaError> {
        let schemas = object(document["components"].get("schemas"), "components.schemas")?;
        let name = schemas
            .iter()
            .find(|(_, schema)| mentions(&schema["x-kubernetes-group-version-kind"], gvk))
            .map(|(name, _)| name)
            .ok_or_else(|| SchemaError::NoSuchKind(gvk.kind.to_owned()))?;
        let mut builder = Builder::new();
        let mut definitions = Definitions {
            schemas,
            known: BTreeMap::new(),
        };
        let root = definitions.resolve(&mut builder, name)?;
        let built_in = BUILT_IN.iter().any(|prefix| name.starts_with(prefix));
        if !built_in {
            builder.mark_frames(root);
        }
        Ok(builder.finish(Finish {
            root,
            siblings: Vec::new(),
            storage: None,
            closed: false,
            api_version: api_version(gvk.group, gvk.version),
            kind: gvk.kind.to_owned(),
            origin: if built_in { Origin::BuiltIn } else { Origin::Custom },
            status_subresource: has_status(document, gvk),
        }))
    }
}

struct Definitions<'a> {
    schemas: &'a Map<String, Value>,
    known: BTreeMap<&'a str, u32>,
}

impl<'a> Definitions<'a> {
    fn resolve(&mut self, builder: &mut Builder, name: &str) -> Result<TypeRef, SchemaError> {
        if let Some(id) = self.known.get(name) {
            return Ok(TypeRef::plain(*id));
        }
        let (name, schema): (&'a String, &'a Value) = self
            .schemas
            .get_key_value(name)
            .ok_or_else(|| SchemaError::DanglingReference(name.to_owned()))?;
        if let Some(target) = reference(schema) {
            return self.resolve(builder, target);
        }
        // The number is known before the type is, so that the type may refer to itself.
        let id = builder.reserve(Node::of(JsonType::Any));
        self.known.insert(name, id);
        let node = match name.as_str() {
            "io.k8s.apimachinery.pkg.api.resource.Quantity" => Node {
                scalar: Some(Scalar::Untyped),
                normal: Normal::Quantity,
                ..Node::of(JsonType::String)
            },
            "io.k8s.apimachinery.pkg.runtime.RawExtension" => builder.untyped(),
            _ => builder.inline(schema, Place::default(), &mut |builder, target| {
                self.resolve(builder, target)
            })?,
        };
        builder.fill(id, node);
        Ok(TypeRef::plain(id))
    }
}

fn mentions(kinds: &Value, gvk: Gvk<'_>) -> bool {
    kinds.as_array().into_iter().flatten().any(|one| is(one, gvk))
}

fn is(one: &Value, gvk: Gvk<'_>) -> bool {
    one["group"].as_str() == Some(gvk.group)
        && one["version"].as_str() == Some(gvk.version)
        && one["kind"].as_str() == Some(gvk.kind)
}

/// Subresources show only in the paths.
fn has_status(document: &Value, gvk: Gvk<'_>) -> bool {
    document["paths"]
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(path, _)| path.ends_with("}/status"))
        .flat_map(|(_, operations)| operations.as_object().into_iter().flatten())
        .any(|(_, operation)| is(&operation["x-kubernetes-group-version-kind"], gvk))
}
