//! What has to be merged over a rendered object so that it is what is live.
//!
//! Invariant: what a schema fills in by itself is no difference; merging the patch over the rendered spec gives the live one.

use serde_json::{Map, Value};

use super::live::{Object, defaulted};
use crate::resource::{FieldPath, PathElement};
use crate::schema::Schema;
use crate::ssa::owner_of;

/// The patch, and which fields are in it.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Difference {
    pub(super) patch: Map<String, Value>,
    pub(super) fields: Vec<String>,
}

/// Fields that the operator gives a HostedCluster and nobody else may: an identity belongs to the object, not to the files.
const GIVEN: [&str; 1] = ["clusterID"];

/// Compares what is live with what is rendered of it.
pub(super) fn difference(live: &Object, rendered: &Value, schema: Option<&Schema>) -> Difference {
    let raw = rendered.get("spec").cloned().unwrap_or_default();
    let full = defaulted(rendered, schema);
    let empty = Map::new();
    let map = |value: &Value| value.as_object().cloned().unwrap_or_default();
    let mut walk = Walk {
        live: &live.whole,
        path: vec!["spec".to_owned()],
        fields: Vec::new(),
    };
    let patch = walk.level(
        raw.as_object().unwrap_or(&empty),
        &map(&full),
        live.spec.as_object().unwrap_or(&empty),
    );
    Difference {
        patch,
        fields: walk.fields,
    }
}

struct Walk<'a> {
    live: &'a Value,
    path: Vec<String>,
    fields: Vec<String>,
}

impl Walk<'_> {
    /// One level: as rendered, the same with defaults, and as it is live.
    fn level(
        &mut self,
        raw: &Map<String, Value>,
        full: &Map<String, Value>,
        live: &Map<String, Value>,
    ) -> Map<String, Value> {
        let mut patch = Map::new();
        for (key, there) in live {
            self.path.push(key.clone());
            match (raw.get(key), full.get(key)) {
                (_, Some(same)) if same == there => {}
                (Some(Value::Object(raw)), Some(Value::Object(full))) if there.is_object() => {
                    let inner = self.level(raw, full, there.as_object().unwrap_or(&Map::new()));
                    if !inner.is_empty() {
                        patch.insert(key.clone(), Value::Object(inner));
                    }
                }
                (None, _) if self.is_the_operators() => {}
                // A default goes where anything is typed in its place, so that the whole has to be.
                (None | Some(_), _) => self.keep(&mut patch, key, there.clone()),
            }
            self.path.pop();
        }
        for key in raw.keys().filter(|key| !live.contains_key(*key)) {
            self.path.push(key.clone());
            self.keep(&mut patch, key, Value::Null);
            self.path.pop();
        }
        patch
    }

    fn keep(&mut self, patch: &mut Map<String, Value>, key: &str, value: Value) {
        patch.insert(key.to_owned(), value);
        self.fields.push(self.path.join("."));
    }

    /// Whether nobody but the operators of the kind has set it, so that it is not for the files to say.
    fn is_the_operators(&self) -> bool {
        if let [_, key] = self.path.as_slice()
            && GIVEN.contains(&key.as_str())
        {
            return true;
        }
        let path = FieldPath::new(self.path.iter().cloned().map(PathElement::Field).collect());
        is_set_by_operators(self.live, &path)
    }
}

/// Whether a field has owners, and all of them are operators.
pub(super) fn is_set_by_operators(live: &Value, path: &FieldPath) -> bool {
    // These write what somebody has in Git.
    const BY_HAND: [&str; 3] = ["argocd-controller", "kustomize-controller", "helm-controller"];
    let is_operator = |manager: &str| {
        ["operator", "controller", "autoscaler", "hypershift"]
            .iter()
            .any(|word| manager.contains(word))
            && !BY_HAND.contains(&manager)
    };
    let owners = owner_of(live, path);
    !owners.is_empty() && owners.iter().all(|owner| is_operator(&owner.manager))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::Found;
    use super::super::live::read;
    use super::*;

    fn live(spec: &Value, fields: &Value, manager: &str) -> Object {
        let entry = json!({"manager": manager, "operation": "Update", "fieldsV1": {"f:spec": fields}});
        let mut found = Found::of("m");
        found.hosted_clusters =
            vec![json!({"metadata": {"namespace": "n", "name": "a", "managedFields": [entry]}, "spec": spec})];
        read(&found, &mut Vec::new()).remove(0).cluster
    }

    fn patch(rendered: &Value, spec: &Value) -> Value {
        let found = difference(&live(spec, &json!({}), "kubectl"), &json!({"spec": rendered}), None);
        let mut merged = json!({"spec": rendered});
        crate::render::merge(&mut merged["spec"], &found.patch);
        assert_eq!(merged["spec"], *spec, "{:?}", found.patch);
        Value::Object(found.patch)
    }

    #[test]
    fn merging_it_gives_what_is_live() {
        let rendered = json!({"a": {"b": 1, "c": 2}, "list": [1, 2], "gone": {"x": 1}, "text": "t"});
        assert_eq!(patch(&rendered, &rendered), json!({}));
        assert_eq!(
            patch(
                &rendered,
                &json!({"a": {"b": 1, "d": {"e": 3}}, "list": [2], "text": {"now": "map"}})
            ),
            json!({"a": {"c": null, "d": {"e": 3}}, "gone": null, "list": [2], "text": {"now": "map"}})
        );
        assert_eq!(
            patch(&rendered, &json!({"a": {}, "list": [1, 2], "gone": 7, "text": "t"})),
            json!({"a": {"b": null, "c": null}, "gone": 7})
        );
    }

    #[test]
    fn what_operators_gave_is_not_for_the_files_to_say() {
        let spec = json!({"clusterID": "1", "a": {"set": 1}, "b": 2});
        let fields = json!({"f:a": {"f:set": {}}, "f:b": {}});
        let of = |manager: &str| difference(&live(&spec, &fields, manager), &json!({"spec": {"a": {}}}), None).fields;
        assert_eq!(of("hypershift-operator-manager"), Vec::<String>::new());
        assert_eq!(of("argocd-controller"), ["spec.a.set", "spec.b"]);
    }
}
