//! One stored object: its text, and the few fields that every request looks at.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use super::kind::{Kind, Version};
use crate::schema::Origin;

/// Where an object stands in its collection; the namespace is empty where there is none.
///
/// The order is that of the store's keys, `namespace/name`: pages are cut along it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) namespace: String,
    pub(super) name: String,
}

impl Key {
    pub(super) fn new(namespace: &str, name: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }
    }

    fn bytes(&self) -> impl Iterator<Item = u8> + '_ {
        self.namespace.bytes().chain(*b"/").chain(self.name.bytes())
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        self.bytes().cmp(other.bytes())
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// An object as it is stored.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) key: Key,
    pub(super) uid: String,
    /// The revision of its last write.
    pub(super) version: u64,
    pub(super) labels: BTreeMap<String, String>,
    /// The UIDs of its owners.
    pub(super) owners: Vec<String>,
    /// JSON, at the version of storage. Kinds of the server itself are stored without their kind, as lists show them.
    pub(super) text: Arc<str>,
}

#[derive(Deserialize)]
struct Head {
    metadata: Meta,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct Meta {
    name: String,
    namespace: String,
    uid: String,
    resource_version: String,
    labels: BTreeMap<String, String>,
    owner_references: Vec<Owner>,
}

#[derive(Deserialize)]
struct Owner {
    #[serde(default)]
    uid: String,
}

impl Stored {
    /// Reads the head of a text; none where it has none, which nothing that was stored here lacks.
    pub(super) fn parse(text: Arc<str>) -> Option<Self> {
        let head: Head = serde_json::from_str(&text).ok()?;
        let meta = head.metadata;
        Some(Self {
            key: Key {
                namespace: meta.namespace,
                name: meta.name,
            },
            uid: meta.uid,
            version: meta.resource_version.parse().ok()?,
            labels: meta.labels,
            owners: meta.owner_references.into_iter().map(|owner| owner.uid).collect(),
            text,
        })
    }

    /// The object as it is stored, its kind put back.
    pub(super) fn value(&self, kind: &Kind) -> Value {
        let mut value: Value = serde_json::from_str(&self.text).unwrap_or_default();
        if let (Origin::BuiltIn, Some(version)) = (kind.origin, kind.stored()) {
            name_kind(&mut value, &kind.api_version(&version.name), &kind.kind);
        }
        value
    }

    /// The object as it is read at a version.
    pub(super) fn at(&self, kind: &Kind, version: &Version) -> Value {
        let mut value = self.value(kind);
        let api_version = kind.api_version(&version.name);
        if value["apiVersion"] != api_version.as_str() {
            let schema = kind.schema(version);
            name_kind(&mut value, &api_version, &kind.kind);
            schema.prune(&mut value);
            schema.apply_defaults(&mut value);
        }
        value
    }

    /// The text as it is read at a version, its kind named.
    pub(super) fn text_at(&self, kind: &Kind, version: &Version) -> String {
        match kind.origin {
            Origin::BuiltIn => {
                let rest = self.text.strip_prefix('{').unwrap_or("}");
                let api_version = kind.api_version(&version.name);
                format!("{{\"kind\":\"{}\",\"apiVersion\":\"{api_version}\",{rest}", kind.kind)
            }
            Origin::Custom if self.is_at(kind, version) => (*self.text).to_owned(),
            Origin::Custom => self.at(kind, version).to_string(),
        }
    }

    /// Whether the stored text is what is read at a version.
    pub(super) fn is_at(&self, kind: &Kind, version: &Version) -> bool {
        kind.origin == Origin::BuiltIn || kind.stored().is_some_and(|stored| stored.name == version.name)
    }
}

/// Sets what kind an object says that it is.
pub(super) fn name_kind(object: &mut Value, api_version: &str, kind: &str) {
    if let Some(entries) = object.as_object_mut() {
        entries.insert("apiVersion".to_owned(), Value::from(api_version));
        entries.insert("kind".to_owned(), Value::from(kind));
    }
}

/// The metadata, made where there are none.
pub(super) fn metadata_mut(object: &mut Value) -> Option<&mut serde_json::Map<String, Value>> {
    let metadata = object.as_object_mut()?.entry("metadata").or_insert(Value::Null);
    if !metadata.is_object() {
        *metadata = Value::Object(serde_json::Map::new());
    }
    metadata.as_object_mut()
}

/// A text of the metadata; empty where there is none.
pub(super) fn meta_text<'a>(object: &'a Value, field: &str) -> &'a str {
    object["metadata"][field].as_str().unwrap_or_default()
}

/// The finalizers.
pub(super) fn finalizers(object: &Value) -> Vec<&str> {
    let finalizers = object["metadata"]["finalizers"].as_array();
    finalizers.into_iter().flatten().filter_map(Value::as_str).collect()
}
