//! JSON patches (RFC 6902), merge patches (RFC 7386) and strategic merge patches, as functions of two documents.

use serde_json::{Map, Value};

use super::refusal::Refusal;

/// Applies a JSON patch.
pub(super) fn json_patch(mut document: Value, patch: &Value) -> Result<Value, Refusal> {
    let Some(steps) = patch.as_array() else {
        let message =
            "error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp";
        return Err(Refusal::bad_request(message));
    };
    for step in steps {
        apply_step(&mut document, step).ok_or_else(Refusal::patch_failed)?;
    }
    Ok(document)
}

fn apply_step(document: &mut Value, step: &Value) -> Option<()> {
    let path = step["path"].as_str()?;
    match step["op"].as_str()? {
        "add" => add(document, path, step.get("value")?.clone()),
        "remove" => remove(document, path).map(drop),
        "replace" if path.is_empty() => {
            *document = step.get("value")?.clone();
            Some(())
        }
        "replace" => {
            *document.pointer_mut(path)? = step.get("value")?.clone();
            Some(())
        }
        "move" => {
            let value = remove(document, step["from"].as_str()?)?;
            add(document, path, value)
        }
        "copy" => {
            let value = document.pointer(step["from"].as_str()?)?.clone();
            add(document, path, value)
        }
        // A field that is absent equals null.
        "test" => (document.pointer(path).unwrap_or(&Value::Null) == step.get("value")?).then_some(()),
        _ => None,
    }
}

fn split(path: &str) -> Option<(&str, String)> {
    let (parent, last) = path.rsplit_once('/')?;
    Some((parent, last.replace("~1", "/").replace("~0", "~")))
}

fn add(document: &mut Value, path: &str, value: Value) -> Option<()> {
    if path.is_empty() {
        *document = value;
        return Some(());
    }
    let (parent, last) = split(path)?;
    match document.pointer_mut(parent)? {
        Value::Object(entries) => {
            entries.insert(last, value);
        }
        Value::Array(items) if last == "-" => items.push(value),
        Value::Array(items) => {
            let index: usize = last.parse().ok().filter(|index| *index <= items.len())?;
            items.insert(index, value);
        }
        _ => return None,
    }
    Some(())
}

fn remove(document: &mut Value, path: &str) -> Option<Value> {
    let (parent, last) = split(path)?;
    match document.pointer_mut(parent)? {
        Value::Object(entries) => entries.remove(&last),
        Value::Array(items) => {
            let index: usize = last.parse().ok().filter(|index| *index < items.len())?;
            Some(items.remove(index))
        }
        _ => None,
    }
}

/// Applies a merge patch: null removes.
pub(super) fn merge_patch(document: &mut Value, patch: &Value) {
    let Value::Object(changes) = patch else {
        *document = patch.clone();
        return;
    };
    if !document.is_object() {
        *document = Value::Object(Map::new());
    }
    let Value::Object(entries) = document else { return };
    for (name, change) in changes {
        if change.is_null() {
            entries.remove(name);
        } else {
            merge_patch(entries.entry(name.clone()).or_insert(Value::Null), change);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn json_patches_do_what_their_operations_say_or_nothing() {
        let document = json!({"a": [1, 2], "b": {"c/d": 3}});
        let patch = json!([
            {"op": "test", "path": "/b/c~1d", "value": 3},
            {"op": "add", "path": "/a/1", "value": 9},
            {"op": "add", "path": "/a/-", "value": 8},
            {"op": "move", "from": "/b/c~1d", "path": "/e"},
            {"op": "copy", "from": "/e", "path": "/f"},
            {"op": "replace", "path": "/f", "value": null},
            {"op": "remove", "path": "/a/0"},
        ]);
        let after = json_patch(document.clone(), &patch).unwrap();
        assert_eq!(after, json!({"a": [9, 2, 8], "b": {}, "e": 3, "f": null}));
        for wrong in [
            json!({"op": "test", "path": "/a", "value": 1}),
            json!({"op": "remove", "path": "/z"}),
            json!({"op": "replace", "path": "/z", "value": 1}),
            json!({"op": "add", "path": "/z/y", "value": 1}),
            json!({"op": "zork", "path": "/a"}),
        ] {
            assert_eq!(json_patch(document.clone(), &json!([wrong])).unwrap_err().code, 422);
        }
    }

    #[test]
    fn merge_patches_merge_maps_and_replace_the_rest() {
        let mut document = json!({"a": {"b": 1, "c": 2}, "l": [1]});
        merge_patch(
            &mut document,
            &json!({"a": {"b": null, "d": {"e": null, "f": 1}}, "l": [2, 3]}),
        );
        assert_eq!(document, json!({"a": {"c": 2, "d": {"f": 1}}, "l": [2, 3]}));
    }
}
