//! Structural schemas: what the merge, the normal forms and the defaults of a kind follow.
//!
//! A [`Schema`] is one kind, read from a CustomResourceDefinition or from the OpenAPI v3 documents of an API server. Its
//! types are kept once each however often they occur, so that a schema of some hundred kilobytes of YAML takes little.
//!
//! - [`admission`]: what an API server says of a custom resource
//! - [`crd`]: definitions of such, and whether a server would take them
//! - [`document`]: JSON text, with the fields that come twice
//!
//! Invariant: pure; recursive types are graphs, never endless. May depend on `resource` alone.

pub mod admission;
mod build;
pub mod crd;
mod defaults;
pub mod document;
mod node;
mod object_meta;
mod openapi;
mod prune;
pub(crate) mod quantity;
#[cfg(test)]
mod tests;
mod view;

use std::sync::Arc;

use serde_json::Value;

pub(crate) use node::{Element, ListKind, ListType, MapType, Node, Relation, Scalar, TypeRef};
pub use node::{JsonType, Normal};
pub use view::{FieldView, ListView, SchemaView};

/// Where a schema comes from, which decides how far it tells the whole truth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A custom resource: its defaults and its pruning are in the schema.
    Custom,
    /// A kind of Kubernetes itself: its defaults are in the server's code.
    BuiltIn,
}

/// Group, version and kind: `{"apps", "v1", "Deployment"}`; the core group is the empty one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gvk<'a> {
    /// API group.
    pub group: &'a str,
    /// Version within the group.
    pub version: &'a str,
    /// Kind.
    pub kind: &'a str,
}

/// The structural schema of one kind at one version.
#[derive(Clone, Debug)]
pub struct Schema {
    nodes: Arc<[Node]>,
    root: TypeRef,
    /// The kind at the other versions that its definition names, by `group/version`.
    siblings: Box<[(Box<str>, TypeRef)]>,
    /// The type at the version at which objects are stored, where that is another one.
    storage: Option<TypeRef>,
    /// Whether `siblings` are all the versions that there are.
    closed: bool,
    api_version: Box<str>,
    kind: Box<str>,
    origin: Origin,
    status_subresource: bool,
}

/// Why no schema could be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// The document isn't of the shape that it should have.
    #[error("{0} is missing, or isn't of the right type")]
    Malformed(String),
    /// The definition has no such version.
    #[error("the definition has no version `{0}`")]
    NoSuchVersion(String),
    /// The document has no such kind.
    #[error("the document has no kind `{0}`")]
    NoSuchKind(String),
    /// A reference leads nowhere.
    #[error("`{0}` is referred to and isn't there")]
    DanglingReference(String),
    /// The schema is nested deeper than any that a server takes.
    #[error("the schema is nested too deeply at `{0}`")]
    TooDeep(String),
}

impl Schema {
    /// `group/version`, or `v1`, as `apiVersion` has it.
    pub fn api_version(&self) -> &str {
        &self.api_version
    }

    /// The kind.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Whether it is a custom resource or one of Kubernetes' own.
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// Whether `status` is written through a subresource of its own, and what else is sent of it is thrown away.
    pub fn has_status_subresource(&self) -> bool {
        self.status_subresource
    }

    /// The schema of the whole object.
    pub fn root(&self) -> SchemaView<'_> {
        SchemaView::new(self, self.root)
    }

    /// About how many bytes it takes.
    pub fn memory(&self) -> usize {
        self.nodes.iter().map(Node::memory).sum::<usize>() + size_of::<Self>()
    }

    pub(crate) fn root_type(&self) -> TypeRef {
        self.root
    }

    /// The type of the object at another version of its group; none where there is no such version.
    pub(crate) fn root_at(&self, api_version: &str) -> Option<TypeRef> {
        if api_version == &*self.api_version {
            return Some(self.root);
        }
        if let Some((_, root)) = self.siblings.iter().find(|(version, _)| &**version == api_version) {
            return Some(*root);
        }
        (!self.closed && group_of(api_version) == group_of(&self.api_version)).then_some(self.root)
    }

    pub(crate) fn resolve(&self, of: TypeRef) -> &Node {
        // Every id was handed out for this very vector; the first node is the type that allows anything.
        self.nodes.get(of.id as usize).unwrap_or(&self.nodes[0])
    }

    /// Whether a type is the one of values of which nothing is declared.
    pub(crate) fn is_deduced(&self, to: TypeRef) -> bool {
        to.id == build::DEDUCED
    }

    /// Parses nothing and knows nothing: a schema that lets everything through, lists being atomic.
    ///
    /// It is what an API server itself uses for a kind without a schema.
    pub fn deduced(gvk: Gvk<'_>) -> Self {
        let mut builder = build::Builder::new();
        let root = builder.open_object();
        builder.finish(build::Finish {
            root,
            siblings: Vec::new(),
            storage: None,
            closed: false,
            api_version: api_version(gvk.group, gvk.version),
            kind: gvk.kind.to_owned(),
            origin: Origin::Custom,
            status_subresource: false,
        })
    }
}

fn group_of(api_version: &str) -> &str {
    api_version.split_once('/').map_or("", |(group, _)| group)
}

fn api_version(group: &str, version: &str) -> String {
    if group.is_empty() {
        version.to_owned()
    } else {
        format!("{group}/{version}")
    }
}

fn object<'a>(value: Option<&'a Value>, what: &str) -> Result<&'a serde_json::Map<String, Value>, SchemaError> {
    value
        .and_then(Value::as_object)
        .ok_or_else(|| SchemaError::Malformed(what.to_owned()))
}

fn text<'a>(value: Option<&'a Value>, what: &str) -> Result<&'a str, SchemaError> {
    value
        .and_then(Value::as_str)
        .ok_or_else(|| SchemaError::Malformed(what.to_owned()))
}
