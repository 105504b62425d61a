//! Defaults, as apiextensions fills them in.

use serde_json::Value;

use super::node::{Element, Node, Rest, TypeRef};
use super::{Origin, Schema};

impl Schema {
    /// Fills in the schema's defaults: where a field is absent, or null though it may not be.
    ///
    /// Kinds of Kubernetes itself are left as they are: their defaults are code, and what their schemas call a default
    /// is the zero value of a field.
    pub fn apply_defaults(&self, value: &mut Value) {
        if self.origin == Origin::Custom {
            self.default(value, self.root);
        }
    }

    pub(super) fn default(&self, value: &mut Value, of: TypeRef) {
        let node = self.resolve(of);
        match value {
            Value::Object(entries) => {
                let Some(map) = &node.map else { return };
                for field in map.fields.iter().filter(|field| !field.implied) {
                    let Some(default) = &field.element.default else {
                        continue;
                    };
                    let wanting = match entries.get(&*field.name) {
                        None => true,
                        Some(present) => present.is_null() && !self.resolve(field.element.to).nullable,
                    };
                    if wanting {
                        entries.insert(field.name.to_string(), (**default).clone());
                    }
                }
                let typed = map.rest.as_ref().filter(|_| map.rest_declared == Rest::Typed);
                for (name, entry) in entries {
                    match (map.field(name), typed) {
                        (Some(field), _) if field.implied => {}
                        (Some(field), _) => self.default(entry, field.element.to),
                        (None, Some(element)) => self.default_null(entry, element),
                        (None, None) => {}
                    }
                }
            }
            Value::Array(items) => {
                let Some(list) = node.list.as_ref().filter(|list| list.declared) else {
                    return;
                };
                for item in items {
                    self.default_null(item, &list.items);
                }
            }
            _ => {}
        }
    }

    fn default_null(&self, value: &mut Value, element: &Element) {
        if value.is_null() && !self.resolve(element.to).nullable {
            *value = element.default.as_deref().cloned().unwrap_or(Value::Null);
        }
        self.default(value, element.to);
    }

    /// What a server's own type holds before anything is set: its structs, and the zero values of fields that are
    /// always written. For a custom resource, that is nothing.
    pub(crate) fn zero(&self) -> Value {
        match self.origin {
            Origin::Custom => Value::Object(serde_json::Map::new()),
            Origin::BuiltIn => self.zero_of(self.root, 0),
        }
    }

    fn zero_of(&self, of: TypeRef, depth: usize) -> Value {
        let mut entries = serde_json::Map::new();
        self.add_zeros(&mut entries, of, depth);
        Value::Object(entries)
    }

    /// Gives structs of a server's own type what they always hold, all the way down.
    pub(crate) fn fill_zeros(&self, value: &mut Value) {
        if self.origin == Origin::BuiltIn {
            self.fill_zeros_of(value, self.root);
        }
    }

    fn fill_zeros_of(&self, value: &mut Value, of: TypeRef) {
        let node = self.resolve(of);
        match value {
            Value::Object(entries) => {
                self.add_zeros(entries, of, 0);
                let Some(map) = &node.map else { return };
                for (name, entry) in entries {
                    if let Some(element) = map.element(name) {
                        self.fill_zeros_of(entry, element.to);
                    }
                }
            }
            Value::Array(items) => {
                let Some(list) = &node.list else { return };
                for item in items {
                    self.fill_zeros_of(item, list.items.to);
                }
            }
            _ => {}
        }
    }

    fn add_zeros(&self, entries: &mut serde_json::Map<String, Value>, of: TypeRef, depth: usize) {
        let Some(map) = &self.resolve(of).map else { return };
        for field in &map.fields {
            // Structs can't hold themselves, so this ends; the bound is for documents that claim they do.
            if entries.contains_key(&*field.name) || depth > 32 {
                continue;
            }
            let node: &Node = self.resolve(field.element.to);
            let zero = match field.element.default.as_deref() {
                Some(Value::Object(empty)) if empty.is_empty() && node.map.is_some() => {
                    self.zero_of(field.element.to, depth + 1)
                }
                Some(default) if field.required => default.clone(),
                None if field.required && (node.list.is_some() || node.map.is_some()) => Value::Null,
                _ => continue,
            };
            entries.insert(field.name.to_string(), zero);
        }
    }
}
