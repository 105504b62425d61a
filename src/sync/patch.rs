//! JSON merge patches.

use serde_json::{Map, Value};

/// The merge patch (RFC 7386) that makes one document into another; none where there is nothing to change. Lists are
/// replaced as a whole, as the RFC has it.
pub fn merge_patch(before: &Value, after: &Value) -> Option<Value> {
    let (Value::Object(before), Value::Object(after)) = (before, after) else {
        return (before != after).then(|| after.clone());
    };
    let mut patch = Map::new();
    for key in before.keys().filter(|key| !after.contains_key(*key)) {
        patch.insert(key.clone(), Value::Null);
    }
    for (key, value) in after {
        let part = match before.get(key) {
            Some(known) => merge_patch(known, value),
            None => Some(value.clone()),
        };
        if let Some(part) = part {
            patch.insert(key.clone(), part);
        }
    }
    (!patch.is_empty()).then_some(Value::Object(patch))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn holds_what_changed_and_nothing_else() {
        let before = json!({"a": 1, "b": {"c": 1, "d": [1, 2]}, "e": "x"});
        let after = json!({"a": 1, "b": {"c": 1, "d": [2]}, "f": {"g": true}});
        let patch = merge_patch(&before, &after).unwrap();
        assert_eq!(patch, json!({"b": {"d": [2]}, "e": null, "f": {"g": true}}));
        assert_eq!(merge_patch(&after, &after), None);
    }
}
