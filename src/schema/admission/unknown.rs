//! Fields that a schema doesn't know, and that a server would throw away: reported where a caller asks for it.

use serde_json::Value;

use super::super::node::{Node, Rest, TypeRef};
use super::super::{Schema, object_meta};
use super::path::{Path, Step};

/// Paths of the fields that a schema doesn't know, as `spec.items[0].name`; those in the metadata first.
pub fn fields(schema: &Schema, object: &Value) -> Vec<String> {
    let mut found = Vec::new();
    if let Some(metadata) = object.get("metadata") {
        let known = object_meta::schema();
        in_metadata(&known, metadata, &Path::ROOT.field("metadata"), &mut found);
    }
    let mut below = Found::default();
    let walk = Walk { schema };
    walk.visit(object, Some(schema.root_type()), &Path::ROOT, &mut below);
    below.fields.sort();
    below.in_embedded_metadata.sort();
    found.append(&mut below.fields);
    found.append(&mut below.in_embedded_metadata);
    found
}

fn in_metadata(schema: &Value, value: &Value, path: &Path<'_>, found: &mut Vec<String>) {
    match value {
        Value::Object(entries) => {
            let Some(known) = schema["properties"].as_object() else {
                return;
            };
            for (name, entry) in entries {
                let path = path.field(name);
                match known.get(name) {
                    Some(schema) => in_metadata(schema, entry, &path, found),
                    None => found.push(path.dotted()),
                }
            }
        }
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                in_metadata(&schema["items"], item, &path.then(Step::Index(at)), found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[derive(Default)]
struct Found {
    fields: Vec<String>,
    in_embedded_metadata: Vec<String>,
}

struct Walk<'s> {
    schema: &'s Schema,
}

impl Walk<'_> {
    fn visit(&self, value: &Value, of: Option<TypeRef>, path: &Path<'_>, found: &mut Found) {
        let node = of.map(|of| self.schema.resolve(of));
        let keeps = node.is_some_and(|node| node.preserve_unknown);
        match value {
            Value::Object(entries) => {
                for (name, entry) in entries {
                    let is_frame = matches!(name.as_str(), "apiVersion" | "kind" | "metadata");
                    if is_frame && node.is_some_and(|node| node.embedded) {
                        if name == "metadata" && !path.is_root() {
                            let known = object_meta::schema();
                            in_metadata(&known, entry, &path.field(name), &mut found.in_embedded_metadata);
                        }
                        continue;
                    }
                    let path = path.field(name);
                    match node.and_then(|node| below(node, name)) {
                        Some(to) => self.visit(entry, to, &path, found),
                        None if keeps => {}
                        None => found.fields.push(path.dotted()),
                    }
                }
            }
            Value::Array(items) => {
                let list = node.and_then(|node| node.list.as_ref()).filter(|list| list.declared);
                if keeps && list.is_none() {
                    return;
                }
                for (at, item) in items.iter().enumerate() {
                    let path = path.then(Step::Index(at));
                    self.visit(item, list.map(|list| list.items.to), &path, found);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
}

/// The type of a key; none inside where anything is taken and nothing known, none at all where the key is not declared.
fn below(node: &Node, name: &str) -> Option<Option<TypeRef>> {
    let map = node.map.as_ref()?;
    if let Some(field) = map.field(name).filter(|field| !field.implied) {
        return Some(Some(field.element.to));
    }
    match (map.rest_declared, &map.rest) {
        (Rest::Typed, Some(rest)) => Some(Some(rest.to)),
        (Rest::Anything, _) => Some(None),
        (Rest::Typed | Rest::Undeclared, _) => None,
    }
}
