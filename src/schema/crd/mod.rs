//! CustomResourceDefinitions: schemas from them, what they say of a kind, and whether a server would take them.

mod bare;
mod check;
mod definition;
mod structural;
#[cfg(test)]
mod tests;

pub use bare::bare;
pub use check::check;
pub use definition::{Column, Definition, Names, Scale, Scope, Version};

use std::sync::Arc;

use serde_json::Value;

use super::build::{Builder, Finish, Place};
use super::node::{Element, Field, JsonType, Node, Scalar, TypeRef, by_length};
use super::{Origin, Schema, SchemaError, api_version, object, object_meta, text};

impl Schema {
    /// Reads one version of a definition (`apiextensions.k8s.io/v1`).
    ///
    /// The other versions are read too: fields that were applied at one of them are merged by its schema.
    ///
    /// # Errors
    /// Where the definition has no such version, or isn't of the shape of a definition.
    pub fn from_crd(crd: &Value, version: &str) -> Result<Self, SchemaError> {
        let spec = object(crd.get("spec"), "spec")?;
        let group = text(spec.get("group"), "spec.group")?;
        let names = object(spec.get("names"), "spec.names")?;
        let kind = text(names.get("kind"), "spec.names.kind")?;
        let versions = spec
            .get("versions")
            .and_then(Value::as_array)
            .ok_or_else(|| SchemaError::Malformed("spec.versions".to_owned()))?;
        let keep_all = spec.get("preserveUnknownFields") == Some(&Value::Bool(true));

        let mut builder = Builder::new();
        let mut wanted = None;
        let mut siblings = Vec::new();
        let mut storage = None;
        for candidate in versions {
            let name = text(candidate.get("name"), "spec.versions[].name")?;
            let root = root(&mut builder, candidate, keep_all)?;
            if name == version {
                wanted = Some((root, candidate));
            } else {
                siblings.push((api_version(group, name).into(), root));
                if candidate.get("storage") == Some(&Value::Bool(true)) {
                    storage = Some(root);
                }
            }
        }
        let (root, chosen) = wanted.ok_or_else(|| SchemaError::NoSuchVersion(version.to_owned()))?;
        Ok(builder.finish(Finish {
            root,
            siblings,
            storage,
            closed: true,
            api_version: api_version(group, version),
            kind: kind.to_owned(),
            origin: Origin::Custom,
            status_subresource: chosen["subresources"].get("status").is_some_and(Value::is_object),
        }))
    }
}

fn root(builder: &mut Builder, version: &Value, keep_all: bool) -> Result<TypeRef, SchemaError> {
    let Some(schema) = version["schema"]
        .get("openAPIV3Schema")
        .filter(|schema| schema.is_object())
    else {
        return Ok(builder.open_object());
    };
    let place = if keep_all {
        Place::preserving()
    } else {
        Place::default()
    };
    let mut no_references = |_: &mut Builder, target: &str| Err(SchemaError::DanglingReference(target.to_owned()));
    let mut node = builder.inline(schema, place, &mut no_references)?;
    node.embedded = true;
    complete(builder, &mut node)?;
    embed(builder, node)
}

/// Gives the embedded resources below a node the frame that every resource has.
fn embed(builder: &mut Builder, mut node: Node) -> Result<TypeRef, SchemaError> {
    for field in node
        .map
        .iter_mut()
        .flat_map(|map| map.fields.iter_mut())
        .filter(|field| !field.implied)
    {
        embed_element(builder, &mut field.element)?;
    }
    if let Some(rest) = node
        .map
        .as_mut()
        .filter(|map| map.rest_declared == super::node::Rest::Typed)
        && let Some(element) = rest.rest.as_mut()
    {
        embed_element(builder, element)?;
    }
    if let Some(list) = node.list.as_mut().filter(|list| list.declared) {
        embed_element(builder, &mut list.items)?;
    }
    Ok(builder.intern(node))
}

fn embed_element(builder: &mut Builder, element: &mut Element) -> Result<(), SchemaError> {
    let mut node = builder.node(element.to).clone();
    if node.embedded {
        complete(builder, &mut node)?;
    }
    element.to = TypeRef {
        relation: element.to.relation,
        ..embed(builder, node)?
    };
    Ok(())
}

/// Adds `apiVersion`, `kind` and `metadata`, over what the author may have said of them.
fn complete(builder: &mut Builder, node: &mut Node) -> Result<(), SchemaError> {
    let mut none = |_: &mut Builder, target: &str| Err(SchemaError::DanglingReference(target.to_owned()));
    let metadata = builder.inline(&object_meta::schema(), Place::default(), &mut none)?;
    let metadata = builder.intern(metadata);
    let text = builder.intern(Node {
        scalar: Some(Scalar::String),
        ..Node::of(JsonType::String)
    });
    let Some(map) = node.map.as_mut() else { return Ok(()) };
    let mut fields: Vec<Field> = std::mem::take(&mut map.fields).into_vec();
    fields.retain(|field| !matches!(&*field.name, "apiVersion" | "kind" | "metadata"));
    for (name, to) in [("apiVersion", text), ("kind", text), ("metadata", metadata)] {
        fields.push(Field {
            name: Arc::clone(&builder.name(name)),
            element: Element { to, default: None },
            required: false,
            implied: true,
        });
    }
    fields.sort_by(|a, b| by_length(&a.name, &b.name));
    map.fields = fields.into();
    Ok(())
}
