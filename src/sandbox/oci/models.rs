//! What requests may hold: the fields of OCI's models, which are mandatory, and of what type or enumeration.
//!
//! Invariant: a body that passed has all mandatory fields, no nulls, no unknown fields, and tags within the limits. The
//! table `models.txt` has one model a line: `field`, `*` where mandatory, then `:` and the type where it is not text.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::{Map, Value};

use super::refusal::Refusal;

/// A JSON object.
pub(super) type Body = Map<String, Value>;

const MAX_FREEFORM_TAGS: usize = 10;
const MAX_DEFINED_TAGS: usize = 64;
const MAX_TAG_KEY: usize = 100;
const MAX_TAG_VALUE: usize = 256;

#[derive(Debug)]
enum Shape {
    Text,
    Bool,
    Int,
    Number,
    Texts,
    List,
    Tags,
    DefinedTags,
    Any,
    One(&'static str),
    Many(&'static str),
    ByName(&'static str),
    Enum(Vec<&'static str>),
}

#[derive(Debug)]
struct Field {
    name: &'static str,
    mandatory: bool,
    shape: Shape,
}

static MODELS: LazyLock<BTreeMap<&'static str, Vec<Field>>> = LazyLock::new(|| {
    include_str!("models.txt")
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            Some((words.next()?, words.map(field).collect()))
        })
        .collect()
});

fn field(word: &'static str) -> Field {
    let (name, shape) = word.split_once(':').unwrap_or((word, ""));
    let mandatory = name.ends_with('*');
    let inner = |open: char, close: char| shape.strip_prefix(open).and_then(|rest| rest.strip_suffix(close));
    let shape = match shape {
        "" => Shape::Text,
        "bool" => Shape::Bool,
        "int" => Shape::Int,
        "num" => Shape::Number,
        "[]" => Shape::Texts,
        "list" => Shape::List,
        "tags" => Shape::Tags,
        "nested" => Shape::DefinedTags,
        "any" => Shape::Any,
        other if other.contains('|') => Shape::Enum(other.split('|').collect()),
        other => match (inner('[', ']'), inner('{', '}')) {
            (Some(model), _) => Shape::Many(model),
            (_, Some(model)) => Shape::ByName(model),
            _ => Shape::One(other),
        },
    };
    Field {
        name: name.trim_end_matches('*'),
        mandatory,
        shape,
    }
}

/// Checks a body against a model, and takes its nulls out.
pub(super) fn check(model: &str, body: &mut Body) -> Result<(), Refusal> {
    check_at(model, "", body)
}

fn check_at(model: &str, at: &str, body: &mut Body) -> Result<(), Refusal> {
    let Some(fields) = MODELS.get(model) else {
        return Ok(());
    };
    body.retain(|_, value| !value.is_null());
    if let Some(unknown) = body.keys().find(|key| !fields.iter().any(|field| field.name == *key)) {
        return Err(Refusal::unparsable(format!("{at}{unknown} is no field of {model}")));
    }
    for field in fields {
        let path = format!("{at}{}", field.name);
        match body.get_mut(field.name) {
            None if field.mandatory => return Err(Refusal::missing(&path)),
            None => {}
            Some(value) => check_value(&field.shape, &path, value)?,
        }
    }
    Ok(())
}

fn check_value(shape: &Shape, path: &str, value: &mut Value) -> Result<(), Refusal> {
    let is = |right: bool, what: &str| {
        if right {
            Ok(())
        } else {
            Err(Refusal::invalid(format!("{path} must be {what}")))
        }
    };
    match shape {
        Shape::Text => is(value.is_string(), "text"),
        Shape::Bool => is(value.is_boolean(), "true or false"),
        Shape::Int => is(value.is_i64() || value.is_u64(), "a whole number"),
        Shape::Number => is(value.is_number(), "a number"),
        Shape::List => is(value.is_array(), "a list"),
        Shape::Texts => is(
            value.as_array().is_some_and(|items| items.iter().all(Value::is_string)),
            "a list of texts",
        ),
        Shape::Enum(words) => is(
            value.as_str().is_some_and(|word| words.contains(&word)),
            &format!("one of {}", words.join(", ")),
        ),
        Shape::Any => Ok(()),
        Shape::Tags => check_tags(path, value),
        Shape::DefinedTags => check_defined_tags(path, value),
        Shape::One(model) => match value {
            Value::Object(body) => check_at(model, &format!("{path}."), body),
            _ => is(false, "an object"),
        },
        Shape::Many(model) => match value {
            Value::Array(items) => items.iter_mut().enumerate().try_for_each(|(index, item)| match item {
                Value::Object(body) => check_at(model, &format!("{path}[{index}]."), body),
                _ => is(false, "a list of objects"),
            }),
            _ => is(false, "a list"),
        },
        Shape::ByName(model) => match value {
            Value::Object(items) => items.iter_mut().try_for_each(|(name, item)| match item {
                // The name is the key; clients repeat it inside or leave it out.
                Value::Object(body) => {
                    if model.starts_with("Listener") {
                        body.entry("name").or_insert_with(|| Value::from(name.clone()));
                    }
                    check_at(model, &format!("{path}.{name}."), body)
                }
                _ => is(false, "a map of objects"),
            }),
            _ => is(false, "a map"),
        },
    }
}

fn check_tags(path: &str, value: &Value) -> Result<(), Refusal> {
    let Some(tags) = value.as_object() else {
        return Err(Refusal::invalid(format!("{path} must be a map of texts")));
    };
    if tags.len() > MAX_FREEFORM_TAGS {
        return Err(Refusal::limit(format!("{path} has more than {MAX_FREEFORM_TAGS} tags")));
    }
    tags.iter().try_for_each(|(key, value)| check_tag(path, key, value))
}

fn check_defined_tags(path: &str, value: &Value) -> Result<(), Refusal> {
    let Some(namespaces) = value.as_object() else {
        return Err(Refusal::invalid(format!("{path} must be a map of maps")));
    };
    let mut count = 0;
    for (namespace, tags) in namespaces {
        let Some(tags) = tags.as_object() else {
            return Err(Refusal::invalid(format!("{path}.{namespace} must be a map")));
        };
        count += tags.len();
        // A security attribute is an object with a value and a mode; a defined tag is a text.
        for (key, value) in tags.iter().filter(|(_, value)| !value.is_object()) {
            check_tag(path, key, value)?;
        }
    }
    if count > MAX_DEFINED_TAGS {
        return Err(Refusal::limit(format!("{path} has more than {MAX_DEFINED_TAGS} tags")));
    }
    Ok(())
}

fn check_tag(path: &str, key: &str, value: &Value) -> Result<(), Refusal> {
    if key.is_empty() || key.chars().count() > MAX_TAG_KEY || key.contains(['.', ' ']) {
        return Err(Refusal::invalid(format!(
            "{path}: the key {key:?} must have 1 to {MAX_TAG_KEY} characters, without dots and spaces"
        )));
    }
    match value.as_str() {
        Some(text) if text.chars().count() <= MAX_TAG_VALUE => Ok(()),
        _ => Err(Refusal::invalid(format!(
            "{path}: the value of {key:?} must be a text of at most {MAX_TAG_VALUE} characters"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn checked(model: &str, body: Value) -> Result<Body, &'static str> {
        let Value::Object(mut body) = body else { panic!() };
        check(model, &mut body).map(|()| body).map_err(|refusal| refusal.code)
    }

    #[test]
    fn nested_models_of_the_table_exist() {
        for (model, fields) in MODELS.iter() {
            for field in fields {
                if let Shape::One(name) | Shape::Many(name) | Shape::ByName(name) = field.shape {
                    assert!(MODELS.contains_key(name), "{model}.{} is a {name}", field.name);
                }
            }
        }
        assert!(MODELS.len() > 60);
    }

    #[test]
    fn a_body_is_checked_to_the_depth() {
        let rule = |port: Value| {
            json!({"compartmentId": "c", "vcnId": "v", "egressSecurityRules": [], "ingressSecurityRules":
                [{"protocol": "6", "source": "10.0.0.0/8", "tcpOptions": {"destinationPortRange": {"min": 1, "max": port}}}]})
        };
        assert!(checked("CreateSecurityListDetails", rule(json!(2))).is_ok());
        assert_eq!(
            checked("CreateSecurityListDetails", rule(json!("2"))),
            Err("InvalidParameter")
        );
        assert_eq!(
            checked("CreateSecurityListDetails", rule(Value::Null)),
            Err("MissingParameter")
        );
        assert_eq!(
            checked("CreateVcnDetails", json!({"compartmentId": "c", "cidr": "10.0.0.0/16"})),
            Err("CannotParseRequest")
        );
        assert_eq!(
            checked("UpdateVcnDetails", json!({"displayName": null})),
            Ok(Body::new())
        );
    }

    #[test]
    fn tags_have_limits() {
        let tags =
            |count: usize| json!({"freeformTags": (0..count).map(|n| (format!("k{n}"), json!("v"))).collect::<Body>()});
        assert!(checked("UpdateVcnDetails", tags(10)).is_ok());
        assert_eq!(checked("UpdateVcnDetails", tags(11)), Err("LimitExceeded"));
        assert_eq!(
            checked("UpdateVcnDetails", json!({"freeformTags": {"a.b": "v"}})),
            Err("InvalidParameter")
        );
        assert_eq!(
            checked("UpdateVcnDetails", json!({"freeformTags": {"a": "v".repeat(257)}})),
            Err("InvalidParameter")
        );
    }
}
