//! Secrets in field diffs: that there is one, and that it is another one than before.
//!
//! Invariant: nothing that goes out, be it shown or kept, follows from a secret's value. A digest of it would: who can guess a
//! value can compute its digest, with whatever stands beside it as the key.

use serde_json::Value;

use crate::redact::is_secret_name;
use crate::resource::{FieldPath, PathElement, ResourceId};

/// Where `kubectl apply` keeps all that it applied, data too.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Whether an object is a Secret.
pub(super) fn holds_secrets(id: &ResourceId) -> bool {
    id.group.is_empty() && id.kind == "Secret"
}

/// Whether a field of this object holds a secret: of a Secret its data, and of anything else what has the name of one (`password`), as
/// files of settings have it that somebody has put where they do not belong.
pub(super) fn is_secret(id: &ResourceId, field: &FieldPath) -> bool {
    let mut names = field.elements().iter().map(|element| match element {
        PathElement::Field(name) => name.as_str(),
        PathElement::Key(_) | PathElement::Value(_) | PathElement::Index(_) => "",
    });
    let holds = match (names.next(), names.next(), names.next()) {
        (Some("data" | "stringData"), ..) | (Some("metadata"), Some("annotations"), None) => true,
        (Some("metadata"), Some("annotations"), Some(name)) => name == LAST_APPLIED,
        _ => false,
    };
    let last = field.elements().last();
    let is_named = matches!(last, Some(PathElement::Field(name)) if is_secret_name(name));
    holds && holds_secrets(id) || is_named
}

/// What is shown instead of a secret value that is there, and instead of the one that it becomes.
pub(super) fn mask(before: Option<&Value>, after: Option<&Value>) -> (Option<Value>, Option<Value>) {
    let shown = |text: &str| Some(Value::from(text));
    (
        before.and_then(|_| shown("(sensitive)")),
        after.and_then(|_| match before {
            Some(_) => shown("(sensitive, changed)"),
            None => shown("(sensitive)"),
        }),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::resource::Target;

    #[test]
    fn what_is_shown_is_the_same_whatever_the_value_is() {
        let shown = |before: Option<Value>, after: Option<Value>| mask(before.as_ref(), after.as_ref());
        let (low, high) = (json!("hunter2"), json!({"a": 1}));
        assert_eq!(
            shown(Some(low.clone()), Some(high.clone())),
            shown(Some(high.clone()), Some(low.clone()))
        );
        assert_eq!(shown(Some(low.clone()), None), shown(Some(high.clone()), None));
        assert_eq!(shown(None, Some(low)), shown(None, Some(high)));
        assert_eq!(shown(None, None), (None, None));
    }

    #[test]
    fn what_a_core_secret_holds_is_secret_and_what_was_applied_of_it() {
        let mut id = ResourceId {
            target: Target::Oci,
            group: String::new(),
            kind: "Secret".to_owned(),
            namespace: None,
            name: "s".to_owned(),
        };
        let path = |names: &[&str]| {
            FieldPath::new(
                names
                    .iter()
                    .map(|name| PathElement::Field((*name).to_owned()))
                    .collect(),
            )
        };
        assert!(is_secret(&id, &path(&["data", "key"])));
        assert!(is_secret(&id, &path(&["data"])));
        assert!(is_secret(&id, &path(&["metadata", "annotations", LAST_APPLIED])));
        assert!(is_secret(&id, &path(&["metadata", "annotations"])));
        assert!(!is_secret(&id, &path(&["metadata", "annotations", "team"])));
        assert!(!is_secret(&id, &path(&["metadata", "labels"])));
        assert!(is_secret(&id, &path(&["metadata", "labels", "password"])));
        id.kind = "ConfigMap".to_owned();
        assert!(!is_secret(&id, &path(&["data", "key"])));
    }
}
