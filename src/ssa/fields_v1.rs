//! The JSON form of field sets: `{"f:spec":{"f:replicas":{}}}`.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::field_set::{Entry, FieldSet};
use super::step::Step;

/// The key that says that the place itself is owned, besides what is below it.
pub(super) const MEMBER: &str = ".";

/// Why a `fieldsV1` can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FieldsError {
    /// It, or something in it, is no mapping.
    #[error("fieldsV1 holds something that is no mapping")]
    NotAMapping,
    /// A key is of no known form.
    #[error("fieldsV1 holds the key `{0}`, which is of no known form")]
    Key(String),
}

impl FieldSet {
    /// Reads the JSON form. Kinds of keys that a later server may know are passed over, as a server does.
    ///
    /// # Errors
    /// Where it isn't of that form.
    pub fn from_fields_v1(fields: &Value) -> Result<Self, FieldsError> {
        read(fields).map(|(set, _)| set)
    }

    /// Writes the JSON form.
    pub fn to_fields_v1(&self) -> Value {
        Value::Object(self.write(false))
    }

    fn write(&self, member: bool) -> Map<String, Value> {
        let mut fields = Map::new();
        if member && !self.is_empty() {
            fields.insert(MEMBER.to_owned(), Value::Object(Map::new()));
        }
        for entry in &self.entries {
            let below = entry
                .children
                .as_ref()
                .map_or_else(Map::new, |below| below.write(entry.member));
            fields.insert(write_step(&entry.step), Value::Object(below));
        }
        fields
    }
}

/// The set, and whether what holds it is a member too.
fn read(fields: &Value) -> Result<(FieldSet, bool), FieldsError> {
    let fields = fields.as_object().ok_or(FieldsError::NotAMapping)?;
    let mut member = false;
    let mut entries = Vec::with_capacity(fields.len());
    for (key, below) in fields {
        if key == MEMBER {
            member = true;
            continue;
        }
        let Some(step) = read_step(key)? else {
            continue;
        };
        let (children, is_member) = read(below)?;
        entries.extend(Entry::new(step, is_member, children));
    }
    let set = FieldSet::from_entries(entries);
    let member = member || set.is_empty();
    Ok((set, member))
}

fn read_step(key: &str) -> Result<Option<Step>, FieldsError> {
    let bad = || FieldsError::Key(key.to_owned());
    let (kind, content) = key.split_at_checked(2).ok_or_else(bad)?;
    Ok(Some(match kind {
        "f:" => Step::field(content),
        "v:" => Step::Value(Arc::new(serde_json::from_str(content).map_err(|_| bad())?)),
        "k:" => {
            let fields: Map<String, Value> = serde_json::from_str(content).map_err(|_| bad())?;
            let mut fields: Vec<(Arc<str>, Value)> =
                fields.into_iter().map(|(name, value)| (name.into(), value)).collect();
            fields.sort_by(|a, b| a.0.cmp(&b.0));
            Step::Key(fields.into())
        }
        "i:" => Step::Index(content.parse().map_err(|_| bad())?),
        _ if kind.ends_with(':') => return Ok(None),
        _ => return Err(bad()),
    }))
}

/// The key that stands for a step.
pub(super) fn write_step(step: &Step) -> String {
    match step {
        Step::Field(name) => format!("f:{name}"),
        Step::Value(value) => format!("v:{}", html_safe(value.to_string())),
        Step::Key(fields) => {
            let mut text = String::from("k:{");
            for (i, (name, value)) in fields.iter().enumerate() {
                if i > 0 {
                    text.push(',');
                }
                text.push_str(&Value::from(&**name).to_string());
                text.push(':');
                text.push_str(&html_safe(value.to_string()));
            }
            text.push('}');
            text
        }
        Step::Index(index) => format!("i:{index}"),
    }
}

/// The key that stands for a member of a set; none for what can't be one.
pub(super) fn set_member_key(value: &Value) -> Option<String> {
    match value {
        Value::String(_) | Value::Number(_) | Value::Bool(_) => Some(format!("v:{}", html_safe(value.to_string()))),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Go's JSON writers escape what HTML would take for markup, so the names of keys and set members hold it escaped.
fn html_safe(text: String) -> String {
    if !text.contains(['<', '>', '&', '\u{2028}', '\u{2029}']) {
        return text;
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            '<' => safe.push_str("\\u003c"),
            '>' => safe.push_str("\\u003e"),
            '&' => safe.push_str("\\u0026"),
            '\u{2028}' => safe.push_str("\\u2028"),
            '\u{2029}' => safe.push_str("\\u2029"),
            other => safe.push(other),
        }
    }
    safe
}
