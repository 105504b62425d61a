//! Documents whose content is copied from another object of the same kind: `$copyFrom: {namespace, name}`.
//!
//! The content of a copied Secret exists in memory alone, inside [`Sensitive`]; Git and the plan hold the reference.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::KubernetesProvider;
use super::discovery::{Discovery, kind_of};
use super::http::gather;
use crate::providers::{Observed, Sensitive};
use crate::resource::{Manifest, ResourceId};

/// The key beside `apiVersion` and `kind`.
const KEY: &str = "$copyFrom";
/// What is copied: the content, not the names, labels or owners.
const CONTENT: [&str; 3] = ["data", "binaryData", "type"];

/// What came of each copied document: filled in, or why not.
pub(super) type Copies = BTreeMap<ResourceId, Result<Sensitive, String>>;

impl KubernetesProvider {
    /// Fills in all that copy; a source that many copy is read once.
    pub(super) async fn copies(&self, discovery: &Discovery, desired: &[&Manifest]) -> Copies {
        // Most documents copy nothing and are not parsed for this.
        let copying: Vec<_> = desired
            .iter()
            .filter(|manifest| manifest.canonical().contains(KEY))
            .map(|manifest| (*manifest, manifest.body()))
            .filter(|(_, body)| body.get(KEY).is_some())
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
                    Some(Ok(content)) => Ok(fill(body, content)),
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
        let text = body.pointer(&format!("/{KEY}/{name}")).and_then(Value::as_str);
        text.filter(|text| !text.is_empty())
            .map(str::to_owned)
            .ok_or_else(|| format!("`{KEY}` needs a `{name}`"))
    };
    Ok(ResourceId {
        namespace: Some(field("namespace")?),
        name: field("name")?,
        ..manifest.id.clone()
    })
}

/// The content of a source.
fn content(id: &ResourceId, observed: Observed) -> Result<Map<String, Value>, String> {
    match observed {
        Observed::Absent => Err(format!("{id}, from which it is copied, is not there")),
        Observed::Unknown(reason) => Err(format!("{id}, from which it is copied, can't be read: {reason}")),
        Observed::Present(object) => match object.parse() {
            Ok(Value::Object(mut map)) => {
                map.retain(|key, _| CONTENT.contains(&key.as_str()));
                Ok(map)
            }
            // Without serde's words, which quote what they stumble over.
            _ => Err(format!("{id}, from which it is copied, is no object")),
        },
    }
}

/// The document with the content in it. What the document says itself stays; maps are joined.
fn fill(body: &Value, content: &Map<String, Value>) -> Sensitive {
    let mut filled = body.clone();
    if let Some(map) = filled.as_object_mut() {
        map.remove(KEY);
        for (key, value) in content {
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
    Sensitive::new(filled)
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
        let filled = fill(&body, &content(&id, Observed::Present(object)).unwrap());
        assert_eq!(
            filled.expose(),
            &json!({"kind": "Secret", "metadata": {"name": "copy"}, "type": "t", "data": {"own": "1", "copied": "3"}})
        );
        assert_eq!(format!("{filled:?}"), "(sensitive)");
    }
}
