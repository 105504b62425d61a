//! Documents whose content is copied from another object of the same kind: `$copyFrom: {namespace, name}`.
//!
//! The content of a copied Secret exists in memory alone, inside [`Sensitive`]; Git and the plan hold the reference.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::KubernetesProvider;
use super::discovery::{Discovery, kind_of};
use super::http::gather;
use crate::providers::{Copied, Observed, Sensitive};
use crate::resource::{COPY_FROM, Manifest, ResourceId, regions};

/// What is copied: the content, not the names, labels or owners.
const CONTENT: [&str; 3] = ["data", "binaryData", "type"];

/// What came of each copied document: filled in, or why not.
pub(super) type Copies = BTreeMap<ResourceId, Result<Copied, String>>;

impl KubernetesProvider {
    /// Fills in all that copy; a source that many copy is read once.
    pub(super) async fn copies(&self, discovery: &Discovery, desired: &[&Manifest]) -> Copies {
        // Most documents copy nothing and are not parsed for this.
        let copying: Vec<_> = desired
            .iter()
            .filter(|manifest| manifest.canonical().contains(COPY_FROM))
            .map(|manifest| (*manifest, manifest.body()))
            .filter(|(_, body)| body.get(COPY_FROM).is_some())
            .map(|(manifest, body)| (manifest, source(manifest, &body), body))
            .collect();
        let mut sources: BTreeMap<&ResourceId, &str> = BTreeMap::new();
        for (manifest, source, _) in &copying {
            if let Ok(source) = source {
                sources.insert(source, &manifest.api_version);
            }
        }
        let reads = sources.into_iter().map(|(id, api_version)| async move {
            let kind = kind_of(id, api_version);
            (id, content(id, self.look_up(discovery, &kind, id).await))
        });
        let contents: BTreeMap<_, _> = gather(reads, self.options.concurrency).await.into_iter().collect();
        copying
            .iter()
            .map(|(manifest, source, body)| {
                let filled = source.clone().and_then(|source| match contents.get(&source) {
                    Some(Ok(content)) => Ok(content.fill(body)),
                    Some(Err(reason)) => Err(reason.clone()),
                    None => Err(format!("{source} was not read")),
                });
                (manifest.id.clone(), filled)
            })
            .collect()
    }
}

/// The object that a document copies.
fn source(manifest: &Manifest, body: &Value) -> Result<ResourceId, String> {
    if !manifest.id.group.is_empty() || !["Secret", "ConfigMap"].contains(&manifest.id.kind.as_str()) {
        return Err(format!(
            "a {} can't be copied, only a Secret or a ConfigMap",
            manifest.id.kind
        ));
    }
    let field = |name: &str| {
        let text = body.pointer(&format!("/{COPY_FROM}/{name}")).and_then(Value::as_str);
        text.filter(|text| !text.is_empty())
            .map(str::to_owned)
            .ok_or_else(|| format!("`{COPY_FROM}` needs a `{name}`"))
    };
    Ok(ResourceId {
        namespace: Some(field("namespace")?),
        name: field("name")?,
        ..manifest.id.clone()
    })
}

/// The content of a source.
struct Content {
    uid: String,
    version: String,
    fields: Map<String, Value>,
}

fn content(id: &ResourceId, observed: Observed) -> Result<Content, String> {
    match observed {
        Observed::Absent => Err(format!("{id}, from which it is copied, is not there")),
        Observed::Unknown(reason) => Err(format!("{id}, from which it is copied, can't be read: {reason}")),
        Observed::Present(object) => match object.parse() {
            Ok(Value::Object(mut map)) => {
                map.retain(|key, _| CONTENT.contains(&key.as_str()));
                if id.kind == "Secret" {
                    map.get("data").into_iter().for_each(remember);
                }
                Ok(Content {
                    uid: object.uid,
                    version: object.version,
                    fields: map,
                })
            }
            // Without serde's words, which quote what they stumble over.
            _ => Err(format!("{id}, from which it is copied, is no object")),
        },
    }
}

/// Has the redactor know the contents of a Secret: what is in its documents, and what else is no word or public key.
fn remember(data: &Value) {
    let texts = data.as_object().into_iter().flatten().filter_map(|(_, value)| {
        let bytes = STANDARD.decode(value.as_str()?).ok()?;
        String::from_utf8(bytes).ok()
    });
    for text in texts {
        match serde_json::from_str::<Value>(&text) {
            Ok(document @ (Value::Object(_) | Value::Array(_))) => remember_credentials(&document),
            _ if is_opaque(&text) => crate::redact::remember(&text),
            _ => {}
        }
    }
}

/// What registries are signed in to with.
fn remember_credentials(document: &Value) {
    match document {
        Value::Object(map) => {
            for (key, value) in map {
                match value.as_str() {
                    Some(secret) if ["auth", "password", "identitytoken", "registrytoken"].contains(&key.as_str()) => {
                        crate::redact::remember(secret);
                    }
                    _ => remember_credentials(value),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(remember_credentials),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Whether a text is neither a name, which other texts may hold as well, nor a public key or a certificate.
fn is_opaque(text: &str) -> bool {
    let is_public = text.starts_with("ssh-") || text.starts_with("ecdsa-") || text.contains("-----BEGIN CERTIFICATE");
    let has = |of: fn(&char) -> bool| text.chars().any(|c| of(&c));
    !is_public
        && text.len() >= 16
        && has(char::is_ascii_digit)
        && has(char::is_ascii_alphabetic)
        && !text.starts_with("ocid1.")
        // Shown all over.
        && regions::find(text).is_none()
}

impl Content {
    /// A document with the content in it. What the document says itself stays; maps are joined.
    fn fill(&self, body: &Value) -> Copied {
        let mut filled = body.clone();
        if let Some(map) = filled.as_object_mut() {
            map.remove(COPY_FROM);
            for (key, value) in &self.fields {
                match (map.get_mut(key), value) {
                    (None, _) => {
                        map.insert(key.clone(), value.clone());
                    }
                    (Some(Value::Object(own)), Value::Object(copied)) => {
                        for (name, item) in copied {
                            own.entry(name.clone()).or_insert_with(|| item.clone());
                        }
                    }
                    (Some(_), _) => {}
                }
            }
        }
        Copied {
            document: Sensitive::new(filled),
            uid: self.uid.clone(),
            version: self.version.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn content_is_copied_and_nothing_else() {
        let body = json!({"kind": "Secret", "metadata": {"name": "copy"}, "$copyFrom": {"namespace": "a", "name": "b"},
            "data": {"own": "1"}});
        let object = crate::providers::LiveObject {
            uid: "u".to_owned(),
            version: "1".to_owned(),
            text: json!({"kind": "Secret", "metadata": {"name": "b", "labels": {"l": "1"}}, "type": "t", "immutable": true,
                "data": {"own": "2", "copied": "3"}})
            .to_string()
            .into(),
        };
        let id = ResourceId {
            target: crate::resource::Target::Oci,
            group: String::new(),
            kind: "Secret".to_owned(),
            namespace: Some("a".to_owned()),
            name: "b".to_owned(),
        };
        let copied = content(&id, Observed::Present(object)).unwrap().fill(&body);
        assert_eq!((copied.uid.as_str(), copied.version.as_str()), ("u", "1"));
        let filled = copied.document;
        assert_eq!(
            filled.expose(),
            &json!({"kind": "Secret", "metadata": {"name": "copy"}, "type": "t", "data": {"own": "1", "copied": "3"}})
        );
        assert_eq!(format!("{filled:?}"), "(sensitive)");
    }

    #[test]
    fn a_region_is_no_secret() {
        assert!(!is_opaque("us-gov-chicago-1"));
        for secret in ["us-gov-chicago-1x", "us-gov-nowhere-1", "a1b2c3d4e5f6a7b8"] {
            assert!(is_opaque(secret), "{secret}");
        }
    }
}
