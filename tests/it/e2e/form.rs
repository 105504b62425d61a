//! Whether a document has the form that a JSON Schema gives it: as much of the language as our own schemas are written in.

use serde_json::{Map, Value};

/// Everything that is wrong with a document.
///
/// # Panics
/// Where the schema says something that isn't looked at here: it would else pass unseen.
pub(crate) fn problems(document: &Value, schema: &Value) -> Vec<String> {
    let mut found = Vec::new();
    check(document, schema, schema, "", &mut found);
    found
}

fn check(value: &Value, schema: &Value, root: &Value, at: &str, found: &mut Vec<String>) {
    let Some(schema) = schema.as_object() else {
        assert_eq!(schema, &Value::Bool(true), "a schema at {at}");
        return;
    };
    for (word, says) in schema {
        let fits = match word.as_str() {
            "$ref" => {
                let pointer = says
                    .as_str()
                    .and_then(|text| text.strip_prefix('#'))
                    .expect("a reference within");
                check(
                    value,
                    root.pointer(pointer).expect("what it refers to"),
                    root,
                    at,
                    found,
                );
                true
            }
            "type" => match says {
                Value::Array(all) => all.iter().any(|one| is_a(value, one)),
                one => is_a(value, one),
            },
            "const" => value == says,
            "enum" => says.as_array().expect("a list").contains(value),
            "minimum" => value.as_f64() >= says.as_f64(),
            "required" => {
                let names = says.as_array().expect("a list");
                names
                    .iter()
                    .all(|name| value.get(name.as_str().expect("a name")).is_some())
            }
            "anyOf" => says.as_array().expect("a list").iter().any(|one| {
                let mut wrong = Vec::new();
                check(value, one, root, at, &mut wrong);
                wrong.is_empty()
            }),
            "items" => {
                for (i, item) in value.as_array().into_iter().flatten().enumerate() {
                    check(item, says, root, &format!("{at}/{i}"), found);
                }
                true
            }
            "properties" => {
                members(value, says.as_object().expect("a mapping"), root, at, found);
                true
            }
            "$schema" | "$defs" | "title" | "description" | "format" => true,
            other => panic!("{other} at {at} is not looked at"),
        };
        if !fits {
            found.push(format!("{at}: {word} {says}, but is {value}"));
        }
    }
}

/// Members by name; our documents have none that their schema does not name.
fn members(value: &Value, known: &Map<String, Value>, root: &Value, at: &str, found: &mut Vec<String>) {
    for (name, member) in value.as_object().into_iter().flatten() {
        match known.get(name) {
            Some(schema) => check(member, schema, root, &format!("{at}/{name}"), found),
            None => found.push(format!("{at}/{name}: the schema does not name it")),
        }
    }
}

fn is_a(value: &Value, name: &Value) -> bool {
    match name.as_str().expect("a type") {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "null" => value.is_null(),
        other => panic!("a type {other}"),
    }
}

#[test]
fn finds_what_does_not_fit() {
    let schema = serde_json::json!({"$defs": {"n": {"type": "integer", "minimum": 0}}, "type": "object", "required": ["a"],
        "properties": {"a": {"items": {"$ref": "#/$defs/n"}, "type": "array"}, "b": {"const": "x"}}});
    let problems = |document: Value| problems(&document, &schema).len();
    assert_eq!(problems(serde_json::json!({"a": [0, 1], "b": "x"})), 0);
    assert_eq!(problems(serde_json::json!({"a": [0, -1, "x"]})), 3);
    assert_eq!(problems(serde_json::json!({"b": "y", "c": 1})), 3);
}
