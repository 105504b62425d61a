//! A desired object.

use std::sync::Arc;

use serde_json::Value;

use super::{Digest, ResourceId, Target, UnitId};

/// The key beside `apiVersion` and `kind` that names what a document copies: `{namespace, name}`.
pub const COPY_FROM: &str = "$copyFrom";

/// Whether the fleet lets us write an object, or only read and show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Stewardship {
    /// Created, updated, pruned.
    Managed,
    /// Read and shown; never written (`manage:` leaves it to another tool).
    Observed,
}

/// One desired object: Kubernetes-shaped, whichever control plane it is for.
///
/// The body is kept as canonical JSON text (object keys sorted, no blanks), which is a tenth of the memory of a parsed
/// tree and is what the digest is taken of. A body never holds a secret: a Secret that is copied names its source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// What it is.
    pub id: ResourceId,
    /// `group/version`, or `v1`.
    pub api_version: String,
    /// The unit that it belongs to.
    pub unit: UnitId,
    /// Whether we write it.
    pub stewardship: Stewardship,
    /// Objects that have to be there (and, where a reference needs a field, ready) before this one is written, sorted:
    /// its Namespace, what its fields name, what it refers to.
    pub depends_on: Vec<ResourceId>,
    canonical: Arc<str>,
    digest: Digest,
}

/// Why a document can't be a manifest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// The document is no mapping.
    #[error("a manifest is a mapping, this is not one")]
    NotAMapping,
    /// A field that every object needs is missing, or is no string.
    #[error("`{0}` is missing, or is no string")]
    Missing(&'static str),
}

impl Manifest {
    /// Makes a manifest of a whole document.
    ///
    /// # Errors
    /// Where `apiVersion`, `kind` or `metadata.name` is missing.
    pub fn new(target: Target, unit: UnitId, stewardship: Stewardship, body: &Value) -> Result<Self, ManifestError> {
        let map = body.as_object().ok_or(ManifestError::NotAMapping)?;
        let api_version = text(map.get("apiVersion"), "apiVersion")?;
        let kind = text(map.get("kind"), "kind")?;
        let metadata = map.get("metadata");
        let name = text(metadata.and_then(|m| m.get("name")), "metadata.name")?;
        let namespace = metadata
            .and_then(|m| m.get("namespace"))
            .and_then(Value::as_str)
            .map(str::to_owned);
        let group = api_version.split_once('/').map_or("", |(group, _)| group);
        let canonical: Arc<str> = body.to_string().into();
        Ok(Self {
            id: ResourceId {
                target,
                group: group.to_owned(),
                kind: kind.to_owned(),
                namespace,
                name: name.to_owned(),
            },
            api_version: api_version.to_owned(),
            unit,
            stewardship,
            depends_on: Vec::new(),
            digest: Digest::of(canonical.as_bytes()),
            canonical,
        })
    }

    /// The same object with another document: one in which something was filled in. Its digest stays that of what the
    /// fleet files say.
    pub fn with_body(&self, body: &Value) -> Self {
        Self {
            canonical: body.to_string().into(),
            ..self.clone()
        }
    }

    /// The document, parsed anew.
    pub fn body(&self) -> Value {
        // The text was written by `Value::to_string`; that it reads back is serde_json's own invariant.
        serde_json::from_str(&self.canonical).unwrap_or(Value::Null)
    }

    /// The canonical JSON text.
    pub fn canonical(&self) -> &str {
        &self.canonical
    }

    /// The same text, shared: there are tens of thousands of them, and plans hold them too.
    pub fn canonical_shared(&self) -> Arc<str> {
        self.canonical.clone()
    }

    /// The digest of the canonical text.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Whether it may hold references to other objects, or names to be looked up.
    pub fn refers(&self) -> bool {
        self.canonical.contains("{\"$")
    }

    /// Whether it may hold names to be looked up: of most documents that is told without parsing them.
    pub fn looks_up(&self) -> bool {
        self.canonical.contains("{\"$lookup\"") || self.canonical.contains("{\"$compartment\"")
    }

    /// The version within the group: `v1beta1`.
    pub fn version(&self) -> &str {
        self.api_version
            .split_once('/')
            .map_or(self.api_version.as_str(), |(_, version)| version)
    }

    /// The object whose content is to be copied into this one; none where none is named, by namespace and name.
    pub fn copied(&self) -> Option<ResourceId> {
        // Most documents copy nothing, and are not parsed for this.
        if !self.canonical.contains(COPY_FROM) {
            return None;
        }
        let body = self.body();
        let field = |name: &str| body.get(COPY_FROM)?.get(name)?.as_str().map(str::to_owned);
        Some(ResourceId {
            namespace: Some(field("namespace")?),
            name: field("name")?,
            ..self.id.clone()
        })
    }
}

fn text<'a>(value: Option<&'a Value>, what: &'static str) -> Result<&'a str, ManifestError> {
    value
        .and_then(Value::as_str)
        .filter(|text| !text.is_empty())
        .ok_or(ManifestError::Missing(what))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::resource::ClusterName;

    fn manifest(body: &Value) -> Result<Manifest, ManifestError> {
        Manifest::new(
            Target::Oci,
            UnitId::Cluster(ClusterName::new("a")),
            Stewardship::Managed,
            body,
        )
    }

    #[test]
    fn digest_is_of_the_canonical_form() {
        let a: Value = serde_json::from_str(r#"{"kind":"K","apiVersion":"g/v1","metadata":{"name":"n"}}"#).unwrap();
        let b: Value = serde_json::from_str(r#"{"metadata": {"name":"n"},"apiVersion":"g/v1","kind":"K"}"#).unwrap();
        assert_eq!(manifest(&a).unwrap().digest(), manifest(&b).unwrap().digest());
        assert_eq!(manifest(&a).unwrap().body(), b);
        assert_eq!(manifest(&a).unwrap().id.group, "g");
    }

    #[test]
    fn a_name_or_a_path_alone_is_to_be_looked_up_and_a_reference_is_not() {
        let looks_up = |value: Value| {
            let body = json!({"kind": "K", "apiVersion": "g/v1", "metadata": {"name": "n"}, "spec": {"at": value}});
            manifest(&body).unwrap().looks_up()
        };
        assert!(looks_up(json!({"$compartment": {"path": "a/b"}})));
        assert!(looks_up(
            json!({"field": "id", "$lookup": {"kind": "Vcn", "name": "a"}})
        ));
        assert!(!looks_up(json!({"$ref": "Vcn/a", "field": "id"})) && !looks_up(json!("ocid1.vcn.a")));
    }

    #[test]
    fn refuses_a_document_without_a_name() {
        let error = manifest(&json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": ""}}));
        assert_eq!(error, Err(ManifestError::Missing("metadata.name")));
        assert_eq!(manifest(&json!([])), Err(ManifestError::NotAMapping));
    }
}
