//! The types of a schema, as nodes that refer to one another by number.

use std::cmp::Ordering;
use std::sync::Arc;

use serde_json::Value;

/// A node, and what the place that refers to it says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TypeRef {
    pub(crate) id: u32,
    /// `x-kubernetes-map-type` beside a `$ref`.
    pub(crate) relation: Option<Relation>,
}

/// Whether the members of a map have owners of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Relation {
    Separable,
    Atomic,
}

/// The scalars that the merge tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scalar {
    Numeric,
    String,
    Boolean,
    Untyped,
}

/// The declared JSON type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonType {
    /// None declared.
    Any,
    /// `object`
    Object,
    /// `array`
    Array,
    /// `string`
    String,
    /// `integer`
    Integer,
    /// `number`
    Number,
    /// `boolean`
    Boolean,
}

/// Which spellings of a value mean the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Normal {
    /// None but its own.
    Exact,
    /// `1Gi` is `1024Mi`.
    Quantity,
    /// `60m` is `1h0m0s`.
    Duration,
    /// `80` is `"80"`.
    IntOrString,
}

/// A type, and the default of the place that has it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Element {
    pub(crate) to: TypeRef,
    pub(crate) default: Option<Arc<Value>>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ListKind {
    Atomic,
    Set,
    Map(Box<[Arc<str>]>),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ListType {
    pub(crate) items: Element,
    /// Whether `items` was declared, or stands for its absence.
    pub(crate) declared: bool,
    pub(crate) kind: ListKind,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Field {
    pub(crate) name: Arc<str>,
    pub(crate) element: Element,
    pub(crate) required: bool,
    /// Put there by the server rather than by the author (`metadata` and the like); pruning and defaults pass it by.
    pub(crate) implied: bool,
}

/// What the author of a schema says of keys that aren't fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rest {
    /// Nothing.
    Undeclared,
    /// `additionalProperties: {…}`
    Typed,
    /// `additionalProperties: true`
    Anything,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct MapType {
    /// In the order of [`by_length`].
    pub(crate) fields: Box<[Field]>,
    /// The type of other keys; none where there may be none.
    pub(crate) rest: Option<Element>,
    pub(crate) rest_declared: Rest,
    pub(crate) relation: Relation,
}

/// One type. It may be several things at once, where the schema says no type.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    pub(crate) json_type: JsonType,
    pub(crate) scalar: Option<Scalar>,
    pub(crate) list: Option<Box<ListType>>,
    pub(crate) map: Option<Box<MapType>>,
    pub(crate) nullable: bool,
    pub(crate) preserve_unknown: bool,
    pub(crate) embedded: bool,
    pub(crate) normal: Normal,
    pub(crate) format: Option<Arc<str>>,
    pub(crate) choices: Option<Box<[Value]>>,
}

impl TypeRef {
    pub(crate) fn plain(id: u32) -> Self {
        Self { id, relation: None }
    }
}

/// The order of fields: by the length of their names first, so that looking one up compares few bytes.
pub(crate) fn by_length(a: &str, b: &str) -> Ordering {
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

impl MapType {
    pub(crate) fn field(&self, name: &str) -> Option<&Field> {
        let at = self
            .fields
            .binary_search_by(|field| by_length(&field.name, name))
            .ok()?;
        self.fields.get(at)
    }

    /// The type of a key, whether it is a field or not.
    pub(crate) fn element(&self, name: &str) -> Option<&Element> {
        self.lookup(name).1
    }

    /// The field of a name, if it is one, and its type, also where it is none.
    pub(crate) fn lookup(&self, name: &str) -> (Option<&Field>, Option<&Element>) {
        let field = self.field(name);
        (field, field.map(|field| &field.element).or(self.rest.as_ref()))
    }
}

impl Node {
    pub(crate) fn of(json_type: JsonType) -> Self {
        Self {
            json_type,
            scalar: None,
            list: None,
            map: None,
            nullable: false,
            preserve_unknown: false,
            embedded: false,
            normal: Normal::Exact,
            format: None,
            choices: None,
        }
    }

    pub(crate) fn memory(&self) -> usize {
        let list = self.list.as_ref().map_or(0, |_| size_of::<ListType>());
        let map = self
            .map
            .as_ref()
            .map_or(0, |map| size_of::<MapType>() + map.fields.len() * size_of::<Field>());
        // Names are shared; a node's share of one is guessed at.
        let names = self.map.as_ref().map_or(0, |map| map.fields.len() * 8);
        let choices = self
            .choices
            .as_ref()
            .map_or(0, |all| all.len() * (size_of::<Value>() + 16));
        size_of::<Self>() + list + map + names + choices
    }
}
