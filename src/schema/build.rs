//! Makes nodes, each once: schemas repeat themselves a lot.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use super::node::{
    Element, Field, JsonType, ListKind, ListType, MapType, Node, Normal, Relation, Rest, Scalar, TypeRef, by_length,
};
use super::{Origin, Schema, SchemaError};

/// Deeper than this no API server takes a schema, and recursion stays far from the end of the stack.
const MAX_DEPTH: usize = 200;

/// The type that allows anything and is owned as a whole.
pub(super) const UNTYPED: u32 = 0;
/// The type that allows anything; maps are owned key by key.
pub(super) const DEDUCED: u32 = 1;

/// Resolves a `$ref` to a type.
pub(super) type Resolve<'r> = &'r mut dyn FnMut(&mut Builder, &str) -> Result<TypeRef, SchemaError>;

pub(super) struct Builder {
    nodes: Vec<Node>,
    known: BTreeMap<String, u32>,
    names: BTreeSet<Arc<str>>,
}

/// How deep we are, and what is inherited from above.
#[derive(Clone, Copy, Default)]
pub(super) struct Place {
    depth: usize,
    preserve_unknown: bool,
}

pub(super) struct Finish {
    pub(super) root: TypeRef,
    pub(super) siblings: Vec<(Box<str>, TypeRef)>,
    pub(super) storage: Option<TypeRef>,
    pub(super) closed: bool,
    pub(super) api_version: String,
    pub(super) kind: String,
    pub(super) origin: Origin,
    pub(super) status_subresource: bool,
}

impl Builder {
    pub(super) fn new() -> Self {
        let anything = |relation, values| Node {
            scalar: Some(Scalar::Untyped),
            list: Some(Box::new(ListType {
                items: plain(UNTYPED),
                declared: false,
                kind: ListKind::Atomic,
            })),
            map: Some(Box::new(MapType {
                fields: Box::default(),
                rest: Some(plain(values)),
                rest_declared: Rest::Undeclared,
                relation,
            })),
            ..Node::of(JsonType::Any)
        };
        Self {
            nodes: vec![
                anything(Relation::Atomic, UNTYPED),
                anything(Relation::Separable, DEDUCED),
            ],
            known: BTreeMap::new(),
            names: BTreeSet::new(),
        }
    }

    pub(super) fn finish(self, of: Finish) -> Schema {
        Schema {
            nodes: self.nodes.into(),
            root: of.root,
            siblings: of.siblings.into(),
            storage: of.storage,
            closed: of.closed,
            api_version: of.api_version.into(),
            kind: of.kind.into(),
            origin: of.origin,
            status_subresource: of.status_subresource,
        }
    }

    pub(super) fn name(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.names.get(name) {
            return Arc::clone(known);
        }
        let new: Arc<str> = name.into();
        self.names.insert(Arc::clone(&new));
        new
    }

    /// Keeps a node, or finds its like.
    pub(super) fn intern(&mut self, node: Node) -> TypeRef {
        // Nodes are compared by their debug form: they hold JSON values, which have no order of their own.
        let key = format!("{node:?}");
        if let Some(id) = self.known.get(&key) {
            return TypeRef::plain(*id);
        }
        let id = self.reserve(node);
        self.known.insert(key, id);
        TypeRef::plain(id)
    }

    /// A number for a node that is still to come, so that it can refer to itself.
    pub(super) fn reserve(&mut self, node: Node) -> u32 {
        let id = u32::try_from(self.nodes.len()).unwrap_or(UNTYPED);
        self.nodes.push(node);
        id
    }

    pub(super) fn fill(&mut self, id: u32, node: Node) {
        if let Some(place) = self.nodes.get_mut(id as usize) {
            *place = node;
        }
    }

    pub(super) fn node(&self, of: TypeRef) -> &Node {
        self.nodes.get(of.id as usize).unwrap_or(&self.nodes[0])
    }

    /// Says of resources that the server, not the author, put `apiVersion`, `kind` and `metadata` there.
    pub(super) fn mark_frames(&mut self, root: TypeRef) {
        for (id, node) in self.nodes.iter_mut().enumerate() {
            node.embedded |= id == root.id as usize;
            if !node.embedded {
                continue;
            }
            for field in node.map.iter_mut().flat_map(|map| map.fields.iter_mut()) {
                field.implied |= matches!(&*field.name, "apiVersion" | "kind" | "metadata");
            }
        }
    }

    pub(super) fn untyped(&self) -> Node {
        self.nodes[UNTYPED as usize].clone()
    }

    /// An object of which only the frame is known.
    pub(super) fn open_object(&mut self) -> TypeRef {
        let node = self.nodes[DEDUCED as usize].clone();
        self.intern(Node {
            preserve_unknown: true,
            ..node
        })
    }

    /// The type that a schema describes in place.
    pub(super) fn inline(&mut self, schema: &Value, place: Place, resolve: Resolve<'_>) -> Result<Node, SchemaError> {
        if place.depth > MAX_DEPTH {
            return Err(SchemaError::TooDeep(schema["type"].as_str().unwrap_or("").to_owned()));
        }
        let preserve_unknown = schema["x-kubernetes-preserve-unknown-fields"] == Value::Bool(true);
        let place = Place {
            depth: place.depth + 1,
            preserve_unknown: place.preserve_unknown || preserve_unknown,
        };
        let json_type = json_type(schema);
        let format = schema["format"].as_str();
        let mut node = Node {
            nullable: schema["nullable"] == Value::Bool(true),
            preserve_unknown,
            embedded: schema["x-kubernetes-embedded-resource"] == Value::Bool(true),
            normal: normal(schema, format),
            format: format.map(|format| self.name(format)),
            choices: schema["enum"].as_array().map(|all| all.clone().into()),
            ..Node::of(json_type)
        };
        match json_type {
            JsonType::Any => {
                node.scalar = Some(Scalar::Untyped);
                node.list = Some(self.list(schema, place, resolve)?);
                node.map = Some(self.map(schema, place, resolve)?);
            }
            JsonType::Object => node.map = Some(self.map(schema, place, resolve)?),
            JsonType::Array => node.list = Some(self.list(schema, place, resolve)?),
            JsonType::Integer | JsonType::Number => node.scalar = Some(Scalar::Numeric),
            JsonType::Boolean => node.scalar = Some(Scalar::Boolean),
            JsonType::String => {
                node.scalar = Some(match format {
                    None | Some("" | "byte") => Scalar::String,
                    Some(_) => Scalar::Untyped,
                });
            }
        }
        Ok(node)
    }

    fn element(&mut self, schema: &Value, place: Place, resolve: Resolve<'_>) -> Result<Element, SchemaError> {
        let to = match reference(schema) {
            Some(target) => TypeRef {
                relation: relation(schema),
                ..resolve(self, target)?
            },
            None => {
                let node = self.inline(schema, place, resolve)?;
                self.intern(node)
            }
        };
        Ok(Element {
            to,
            default: schema
                .get("default")
                .filter(|default| !default.is_null())
                .map(|default| Arc::new(default.clone())),
        })
    }

    fn list(&mut self, schema: &Value, place: Place, resolve: Resolve<'_>) -> Result<Box<ListType>, SchemaError> {
        let kind = match schema["x-kubernetes-list-type"].as_str() {
            Some("set") => ListKind::Set,
            Some("map") => ListKind::Map(
                schema["x-kubernetes-list-map-keys"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(Value::as_str)
                    .map(|key| self.name(key))
                    .collect(),
            ),
            Some(_) => ListKind::Atomic,
            None => self.by_patch_strategy(schema),
        };
        let items = schema.get("items").filter(|items| items.is_object());
        Ok(Box::new(ListType {
            items: match items {
                Some(items) => self.element(items, place, resolve)?,
                None => plain(UNTYPED),
            },
            declared: items.is_some(),
            kind,
        }))
    }

    /// Some kinds of Kubernetes itself say only how a strategic merge patch treats a list.
    fn by_patch_strategy(&mut self, schema: &Value) -> ListKind {
        match schema["x-kubernetes-patch-strategy"].as_str() {
            Some("merge" | "merge,retainKeys") => match schema["x-kubernetes-patch-merge-key"].as_str() {
                Some(key) => ListKind::Map([self.name(key)].into()),
                None => ListKind::Set,
            },
            _ => ListKind::Atomic,
        }
    }

    fn map(&mut self, schema: &Value, place: Place, resolve: Resolve<'_>) -> Result<Box<MapType>, SchemaError> {
        let required: BTreeSet<&str> = schema["required"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let mut fields = Vec::new();
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            fields.push(Field {
                name: self.name(name),
                element: self.element(field, place, &mut *resolve)?,
                required: required.contains(name.as_str()),
                implied: false,
            });
        }
        fields.sort_by(|a, b| by_length(&a.name, &b.name));
        let (rest, rest_declared) = match schema.get("additionalProperties") {
            Some(Value::Bool(false)) => (None, Rest::Undeclared),
            Some(Value::Bool(true)) => (Some(plain(DEDUCED)), Rest::Anything),
            Some(typed @ Value::Object(_)) => (Some(self.element(typed, place, resolve)?), Rest::Typed),
            _ if place.preserve_unknown || fields.is_empty() => (Some(plain(DEDUCED)), Rest::Undeclared),
            _ => (None, Rest::Undeclared),
        };
        Ok(Box::new(MapType {
            fields: fields.into(),
            rest,
            rest_declared,
            relation: relation(schema).unwrap_or(Relation::Separable),
        }))
    }
}

fn plain(id: u32) -> Element {
    Element {
        to: TypeRef::plain(id),
        default: None,
    }
}

/// The name at the end of a `$ref`, also where it is wrapped so that something may stand beside it.
pub(super) fn reference(schema: &Value) -> Option<&str> {
    let direct = schema["$ref"].as_str();
    let wrapped = || match schema["allOf"].as_array().map(Vec::as_slice) {
        Some([only]) => only["$ref"].as_str(),
        _ => None,
    };
    direct
        .or_else(wrapped)
        .map(|target| target.rsplit_once('/').map_or(target, |(_, name)| name))
}

fn relation(schema: &Value) -> Option<Relation> {
    match schema["x-kubernetes-map-type"].as_str()? {
        "atomic" => Some(Relation::Atomic),
        _ => Some(Relation::Separable),
    }
}

fn json_type(schema: &Value) -> JsonType {
    match schema["type"].as_str() {
        Some("object") => JsonType::Object,
        Some("array") => JsonType::Array,
        Some("string") => JsonType::String,
        Some("integer") => JsonType::Integer,
        Some("number") => JsonType::Number,
        Some("boolean") => JsonType::Boolean,
        _ => JsonType::Any,
    }
}

fn normal(schema: &Value, format: Option<&str>) -> Normal {
    // Generators write the same pattern for every quantity; no other pattern has its binary suffixes.
    if schema["pattern"]
        .as_str()
        .is_some_and(|pattern| pattern.contains("[KMGTPE]i"))
    {
        return Normal::Quantity;
    }
    match format {
        Some("duration") => Normal::Duration,
        Some("quantity") => Normal::Quantity,
        Some("int-or-string") => Normal::IntOrString,
        _ if schema["x-kubernetes-int-or-string"] == Value::Bool(true) => Normal::IntOrString,
        _ => Normal::Exact,
    }
}

impl Place {
    /// Below something that keeps unknown fields.
    pub(super) fn preserving() -> Self {
        Self {
            depth: 0,
            preserve_unknown: true,
        }
    }
}
