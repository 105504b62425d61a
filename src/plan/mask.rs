//! Secrets in field diffs: shown as a keyed digest, so that equal values look equal and nothing can be read back.

use serde_json::Value;

use crate::resource::{Digest, FieldPath, FleetUid, PathElement, ResourceId};

/// Whether a field of this object holds a secret.
pub(super) fn is_secret(id: &ResourceId, field: &FieldPath) -> bool {
    id.group.is_empty()
        && id.kind == "Secret"
        && matches!(field.elements().first(), Some(PathElement::Field(name)) if name == "data" || name == "stringData")
}

/// What is shown instead of a secret value: `(sensitive 1f3a…)`.
pub(super) fn mask(fleet: &FleetUid, value: &Value) -> Value {
    let digest = Digest::of_parts([fleet.as_str().as_bytes(), value.to_string().as_bytes()]);
    Value::String(format!("(sensitive {})", &digest.to_hex()[..8]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::Target;

    #[test]
    fn equal_values_look_equal_and_other_fleets_differ() {
        let (a, b) = (FleetUid::new("a"), FleetUid::new("b"));
        let value = Value::from("hunter2");
        assert_eq!(mask(&a, &value), mask(&a, &value));
        assert_ne!(mask(&a, &value), mask(&b, &value));
        assert!(!mask(&a, &value).to_string().contains("hunter"));
    }

    #[test]
    fn only_the_data_of_a_core_secret_is_secret() {
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
        assert!(!is_secret(&id, &path(&["metadata", "labels"])));
        id.kind = "ConfigMap".to_owned();
        assert!(!is_secret(&id, &path(&["data", "key"])));
    }
}
