//! Pruning: what a server forgets of an object.

use serde_json::{Map, Value};

use super::node::{MapType, Node, Rest, TypeRef};
use super::{Origin, Schema};

impl Schema {
    /// Removes what the schema doesn't know, and nulls where there may be none and no default takes their place.
    pub fn prune(&self, value: &mut Value) {
        match self.origin {
            Origin::Custom => self.prune_as(value, self.root),
            Origin::BuiltIn => self.decode_struct(value, self.root),
        }
    }

    /// What an object is when it is read back after it was stored, perhaps at another version.
    pub(crate) fn round_trip(&self, value: &mut Value) {
        if let Some(storage) = self.storage {
            self.prune_as(value, storage);
            self.default(value, storage);
        }
        self.prune(value);
        if self.storage.is_none() {
            self.apply_defaults(value);
        }
    }

    fn prune_as(&self, value: &mut Value, root: TypeRef) {
        self.prune_below(value, Some(root));
        self.drop_nulls(value, Some(root));
        if let Some(metadata) = value.get_mut("metadata") {
            self.prune_metadata(metadata);
        }
    }

    fn prune_below(&self, value: &mut Value, of: Option<TypeRef>) {
        let Some(of) = of else {
            return forget(value);
        };
        let node = self.resolve(of);
        if node.preserve_unknown {
            return self.prune_known(value, node);
        }
        match value {
            Value::Object(entries) => {
                entries.retain(|name, entry| {
                    if is_frame(node, name) {
                        return true;
                    }
                    match declared(node, name) {
                        Declared::As(to) => self.prune_below(entry, Some(to)),
                        Declared::Anything => self.prune_below(entry, None),
                        Declared::Not => return false,
                    }
                    true
                });
            }
            Value::Array(items) => {
                let to = node
                    .list
                    .as_ref()
                    .filter(|list| list.declared)
                    .map(|list| list.items.to);
                items.iter_mut().for_each(|item| self.prune_below(item, to));
            }
            _ => {}
        }
    }

    /// Below `x-kubernetes-preserve-unknown-fields`, only what is declared is looked at.
    fn prune_known(&self, value: &mut Value, node: &Node) {
        match value {
            Value::Object(entries) => {
                for (name, entry) in entries {
                    if is_frame(node, name) {
                        continue;
                    }
                    match declared(node, name) {
                        Declared::As(to) => self.prune_below(entry, Some(to)),
                        Declared::Anything => self.prune_below(entry, None),
                        Declared::Not => {}
                    }
                }
            }
            Value::Array(items) => {
                let Some(list) = node.list.as_ref().filter(|list| list.declared) else {
                    return;
                };
                let inner = self.resolve(list.items.to);
                items.iter_mut().for_each(|item| self.prune_known(item, inner));
            }
            _ => {}
        }
    }

    fn drop_nulls(&self, value: &mut Value, of: Option<TypeRef>) {
        let node = of.map(|of| self.resolve(of));
        match value {
            Value::Object(entries) => entries.retain(|name, entry| {
                let element = node
                    .filter(|node| !is_frame(node, name))
                    .and_then(|node| node.map.as_ref())
                    .and_then(|map| match map.field(name) {
                        Some(field) => Some(&field.element),
                        None => map.rest.as_ref().filter(|_| map.rest_declared == Rest::Typed),
                    });
                let unwanted =
                    entry.is_null() && element.is_some_and(|e| e.default.is_none() && !self.resolve(e.to).nullable);
                if !unwanted {
                    self.drop_nulls(entry, element.map(|element| element.to));
                }
                !unwanted
            }),
            Value::Array(items) => {
                let to = node
                    .and_then(|node| node.list.as_ref())
                    .filter(|list| list.declared)
                    .map(|list| list.items.to);
                items.iter_mut().for_each(|item| self.drop_nulls(item, to));
            }
            _ => {}
        }
    }

    /// Metadata are read into a type of the server's own, which writes no empty field.
    fn prune_metadata(&self, metadata: &mut Value) {
        let root = self.resolve(self.root);
        let known = root
            .map
            .as_ref()
            .and_then(|map| map.field("metadata"))
            .map(|field| self.resolve(field.element.to));
        let Some(entries) = metadata.as_object_mut() else {
            return;
        };
        entries.retain(|name, entry| {
            let unknown = known
                .and_then(|node| node.map.as_ref())
                .is_some_and(|map| map.field(name).is_none());
            !unknown && !is_empty(entry)
        });
    }

    /// A kind of the server's own goes through its type: unknown fields and nulls don't come back, and fields that are
    /// empty are not written, unless the type always writes them.
    fn decode_struct(&self, value: &mut Value, of: TypeRef) {
        let node = self.resolve(of);
        match value {
            Value::Object(entries) => {
                let Some(map) = &node.map else { return };
                entries.retain(|name, entry| {
                    let Some(element) = map.element(name) else { return false };
                    self.decode_struct(entry, element.to);
                    let always_written = map.field(name).is_none_or(|field| field.required);
                    !entry.is_null() && (always_written || !self.is_nothing(entry, element.to))
                });
            }
            Value::Array(items) => {
                let Some(list) = &node.list else { return };
                items
                    .iter_mut()
                    .for_each(|item| self.decode_struct(item, list.items.to));
            }
            _ => {}
        }
    }
}

impl Schema {
    /// Whether a value is what a list or a map of a server's own type has when it was never set. Structs aren't among
    /// them: an empty one stays.
    fn is_nothing(&self, value: &Value, of: TypeRef) -> bool {
        match value {
            Value::Array(items) => items.is_empty(),
            Value::Object(entries) => {
                let is_map = |map: &MapType| map.fields.is_empty() && map.rest_declared != Rest::Undeclared;
                entries.is_empty() && self.resolve(of).map.as_deref().is_some_and(is_map)
            }
            _ => false,
        }
    }
}

enum Declared {
    As(TypeRef),
    Anything,
    Not,
}

fn declared(node: &Node, name: &str) -> Declared {
    let Some(map) = &node.map else { return Declared::Not };
    match (
        map.field(name).filter(|field| !field.implied),
        map.rest_declared,
        &map.rest,
    ) {
        (Some(field), _, _) => Declared::As(field.element.to),
        (None, Rest::Typed, Some(rest)) => Declared::As(rest.to),
        (None, Rest::Anything, _) => Declared::Anything,
        (None, _, _) => Declared::Not,
    }
}

/// `apiVersion`, `kind` and `metadata` of a resource, which have rules of their own.
fn is_frame(node: &Node, name: &str) -> bool {
    node.embedded && matches!(name, "apiVersion" | "kind" | "metadata")
}

/// Below no schema at all no field is known.
fn forget(value: &mut Value) {
    match value {
        Value::Object(entries) => *entries = Map::new(),
        Value::Array(items) => items.iter_mut().for_each(forget),
        _ => {}
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(entries) => entries.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::String(text) => text.is_empty(),
        _ => false,
    }
}
