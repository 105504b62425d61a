//! A schema as others read it.

use serde_json::Value;

use super::Schema;
use super::node::{Element, Field, JsonType, ListKind, Node, Normal, Relation, Rest, TypeRef};

/// One place in a schema.
#[derive(Clone, Copy, Debug)]
pub struct SchemaView<'a> {
    schema: &'a Schema,
    of: TypeRef,
}

/// A field of an object.
#[derive(Clone, Copy, Debug)]
pub struct FieldView<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its type.
    pub schema: SchemaView<'a>,
    /// Whether an object without it is invalid.
    pub required: bool,
    /// What takes its place where it is absent.
    pub default: Option<&'a Value>,
}

/// How the items of a list are told apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListView<'a> {
    /// Not at all: the list is one value.
    Atomic,
    /// By their value.
    Set,
    /// By these fields.
    Map(Vec<&'a str>),
}

impl<'a> SchemaView<'a> {
    pub(super) fn new(schema: &'a Schema, of: TypeRef) -> Self {
        Self { schema, of }
    }

    fn node(&self) -> &'a Node {
        self.schema.resolve(self.of)
    }

    fn to(&self, element: &'a Element) -> Self {
        Self::new(self.schema, element.to)
    }

    /// The declared type.
    pub fn json_type(&self) -> JsonType {
        self.node().json_type
    }

    /// Which spellings mean the same.
    pub fn normal(&self) -> Normal {
        self.node().normal
    }

    /// Whether null is a value here.
    pub fn nullable(&self) -> bool {
        self.node().nullable
    }

    /// The declared format.
    pub fn format(&self) -> Option<&'a str> {
        self.node().format.as_deref()
    }

    /// The only values allowed; empty where any is.
    pub fn choices(&self) -> &'a [Value] {
        self.node().choices.as_deref().unwrap_or(&[])
    }

    /// Whether fields that aren't declared are kept.
    pub fn is_open(&self) -> bool {
        let node = self.node();
        node.preserve_unknown
            || node
                .map
                .as_ref()
                .is_some_and(|map| map.rest_declared != Rest::Undeclared)
    }

    /// Whether a whole resource stands here.
    pub fn is_embedded_resource(&self) -> bool {
        self.node().embedded
    }

    /// Whether the object here has one owner.
    pub fn is_atomic_map(&self) -> bool {
        let declared = self.node().map.as_ref().map(|map| map.relation);
        self.of.relation.or(declared) == Some(Relation::Atomic)
    }

    /// The declared fields, in order of name.
    pub fn fields(&self) -> impl Iterator<Item = FieldView<'a>> + use<'a> {
        let here = *self;
        let mut fields: Vec<&'a Field> = self.node().map.iter().flat_map(|map| map.fields.iter()).collect();
        fields.sort_by(|a, b| a.name.cmp(&b.name));
        fields.into_iter().map(move |field| FieldView {
            name: &field.name,
            schema: here.to(&field.element),
            required: field.required,
            default: field.element.default.as_deref(),
        })
    }

    /// A declared field.
    pub fn field(&self, name: &str) -> Option<Self> {
        let field = self.node().map.as_ref()?.field(name)?;
        Some(self.to(&field.element))
    }

    /// The type of keys that are no declared fields.
    pub fn additional(&self) -> Option<Self> {
        let map = self.node().map.as_ref()?;
        map.rest.as_ref().map(|element| self.to(element))
    }

    /// The type of a list's items.
    pub fn items(&self) -> Option<Self> {
        self.node().list.as_ref().map(|list| self.to(&list.items))
    }

    /// How a list's items are told apart; none where no list can stand here.
    pub fn list(&self) -> Option<ListView<'a>> {
        self.node().list.as_ref().map(|list| match &list.kind {
            ListKind::Atomic => ListView::Atomic,
            ListKind::Set => ListView::Set,
            ListKind::Map(keys) => ListView::Map(keys.iter().map(|key| &**key).collect()),
        })
    }

    /// The type of the place that a path leads to.
    pub fn at(&self, path: &crate::resource::FieldPath) -> Option<Self> {
        use crate::resource::PathElement;
        path.elements().iter().try_fold(*self, |here, element| match element {
            PathElement::Field(name) => here.field(name).or_else(|| here.additional()),
            PathElement::Key(_) | PathElement::Value(_) | PathElement::Index(_) => here.items(),
        })
    }
}
