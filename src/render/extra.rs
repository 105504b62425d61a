//! Manifests typed in the fleet files.

use serde_json::Value;

use super::finish::Document;
use crate::diag::Span;
use crate::fleet::model::ExtraManifest;

/// Core and well-known kinds that live in no namespace. Another such kind says so itself, with `namespace: null`.
const CLUSTER_SCOPED: [&str; 17] = [
    "APIService",
    "CSIDriver",
    "ClusterRole",
    "ClusterRoleBinding",
    "CustomResourceDefinition",
    "IngressClass",
    "MutatingWebhookConfiguration",
    "Namespace",
    "Node",
    "PersistentVolume",
    "PriorityClass",
    "PriorityLevelConfiguration",
    "RuntimeClass",
    "StorageClass",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "ValidatingWebhookConfiguration",
];

/// The documents, each in `namespace` unless it names another, says `null`, or is of a kind that has none.
/// `unit` is where their unit was typed, for those whose own place is not known.
pub(super) fn documents<'a>(
    typed: &'a [ExtraManifest],
    namespace: Option<&'a str>,
    unit: Option<&'a Span>,
) -> impl Iterator<Item = Document> + 'a {
    typed.iter().map(move |ExtraManifest { body, typed }| {
        let mut body = body.clone();
        let scoped = body
            .get("kind")
            .and_then(Value::as_str)
            .is_some_and(|kind| CLUSTER_SCOPED.contains(&kind));
        if let Some(metadata) = body.get_mut("metadata").and_then(Value::as_object_mut) {
            if metadata.get("namespace").is_some_and(Value::is_null) {
                metadata.remove("namespace");
            } else if let (Some(namespace), false) = (namespace, scoped) {
                metadata.entry("namespace").or_insert_with(|| namespace.into());
            }
        }
        Document {
            body,
            span: typed.0.as_ref().or(unit).cloned(),
            origin: "an extra manifest".to_owned(),
        }
    })
}
