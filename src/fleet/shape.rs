//! A JSON Schema, in the form in which documents are checked quickly.
//!
//! Invariant: made of the very schema that goes into `schemas/fleet/`, so that an editor and this program agree. It knows
//! the words that our own types produce, and no others.

use std::collections::BTreeMap;

use regex::Regex;
use serde_json::Value;

/// What a value may be.
#[derive(Debug)]
pub(super) enum Shape {
    /// Anything.
    Any,
    /// `true` or `false`.
    Bool,
    /// A whole number.
    Int { min: Option<i64>, max: Option<i64> },
    /// A string.
    Text { pattern: Option<Regex>, min: usize },
    /// One of some words.
    Word(Vec<String>),
    /// A list.
    List { item: Box<Shape>, most: Option<usize> },
    /// A mapping with keys of the user's.
    Map(Box<Shape>),
    /// A mapping with keys of ours.
    Object {
        fields: BTreeMap<String, Field>,
        required: Vec<String>,
    },
    /// One of several, told apart by the value's type.
    OneOf(Vec<Shape>),
}

/// Compiled patterns.
pub(super) type Patterns = BTreeMap<String, Option<Regex>>;

/// What the whole of a schema gives to its parts.
struct Root<'a> {
    schema: &'a Value,
    patterns: &'a mut Patterns,
}

impl Root<'_> {
    fn pattern(&mut self, text: &str) -> Option<Regex> {
        let made = self
            .patterns
            .entry(text.to_owned())
            .or_insert_with(|| Regex::new(text).ok());
        made.clone()
    }
}

/// One key of ours.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) shape: Shape,
    pub(super) nullable: bool,
}

impl Shape {
    /// Compiles a root schema. Patterns are compiled once for all schemas that share them.
    pub(super) fn of(root: &Value, patterns: &mut Patterns) -> Self {
        Self::compile(root, &mut Root { schema: root, patterns }).0
    }

    /// The shape, and whether `null` is fine too.
    fn compile(schema: &Value, root: &mut Root<'_>) -> (Self, bool) {
        if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
            let found = target
                .strip_prefix('#')
                .and_then(|pointer| root.schema.pointer(pointer));
            return found.map_or((Self::Any, true), |found| Self::compile(found, root));
        }
        if let Some([inner]) = schema.get("allOf").and_then(Value::as_array).map(Vec::as_slice) {
            return Self::compile(inner, root);
        }
        if let Some(choices) = schema
            .get("anyOf")
            .or_else(|| schema.get("oneOf"))
            .and_then(Value::as_array)
        {
            return Self::choice(choices, root);
        }
        if let Some(words) = schema.get("enum").and_then(Value::as_array) {
            let nullable = words.iter().any(Value::is_null);
            return (
                Self::Word(words.iter().filter_map(Value::as_str).map(str::to_owned).collect()),
                nullable,
            );
        }
        if let Some(word) = schema.get("const").and_then(Value::as_str) {
            return (Self::Word(vec![word.to_owned()]), false);
        }
        let (kind, nullable) = match schema.get("type") {
            Some(Value::String(kind)) => (kind.as_str(), false),
            Some(Value::Array(kinds)) => {
                let kind = kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null");
                (kind.unwrap_or_default(), kinds.iter().any(|kind| kind == "null"))
            }
            _ => return (Self::Any, true),
        };
        let shape = match kind {
            "boolean" => Self::Bool,
            "integer" => Self::Int {
                min: int(schema, "minimum"),
                max: int(schema, "maximum"),
            },
            "string" => Self::Text {
                pattern: schema
                    .get("pattern")
                    .and_then(Value::as_str)
                    .and_then(|text| root.pattern(text)),
                min: size(schema, "minLength").unwrap_or_default(),
            },
            "array" => Self::List {
                item: Box::new(
                    schema
                        .get("items")
                        .map_or(Self::Any, |item| Self::compile(item, root).0),
                ),
                most: size(schema, "maxItems"),
            },
            "object" => Self::object(schema, root),
            _ => Self::Any,
        };
        (shape, nullable)
    }

    fn choice(choices: &[Value], root: &mut Root<'_>) -> (Self, bool) {
        let mut shapes = Vec::new();
        let mut words = Vec::new();
        let mut nullable = false;
        for choice in choices {
            if choice.get("type").and_then(Value::as_str) == Some("null") {
                nullable = true;
                continue;
            }
            let (shape, null) = Self::compile(choice, root);
            nullable |= null;
            match shape {
                Self::Word(mut more) => words.append(&mut more),
                shape => shapes.push(shape),
            }
        }
        if !words.is_empty() {
            shapes.push(Self::Word(words));
        }
        match shapes.pop() {
            Some(only) if shapes.is_empty() => (only, nullable),
            Some(last) => {
                shapes.push(last);
                (Self::OneOf(shapes), nullable)
            }
            None => (Self::Any, true),
        }
    }

    fn object(schema: &Value, root: &mut Root<'_>) -> Self {
        let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
            return match schema.get("additionalProperties") {
                Some(values @ Value::Object(_)) => Self::Map(Box::new(Self::nullable(values, root))),
                Some(Value::Bool(false)) => Self::Object {
                    fields: BTreeMap::new(),
                    required: Vec::new(),
                },
                _ => Self::Map(Box::new(Self::Any)),
            };
        };
        let fields = properties
            .iter()
            .map(|(key, value)| {
                let (shape, nullable) = Self::compile(value, root);
                (key.clone(), Field { shape, nullable })
            })
            .collect();
        let required = schema.get("required").and_then(Value::as_array);
        Self::Object {
            fields,
            required: required
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
        }
    }

    /// A map's values: `null` is told apart where the map is checked.
    fn nullable(schema: &Value, root: &mut Root<'_>) -> Self {
        let (shape, nullable) = Self::compile(schema, root);
        match (shape, nullable) {
            (Self::Any, _) => Self::Any,
            (shape, true) => Self::OneOf(vec![shape, Self::Any]),
            (shape, false) => shape,
        }
    }

    /// What to call it in a message.
    pub(super) fn expected(&self) -> String {
        match self {
            Self::Any => "anything".to_owned(),
            Self::Bool => "true or false".to_owned(),
            Self::Int { .. } => "a whole number".to_owned(),
            Self::Text { .. } => "a string".to_owned(),
            Self::Word(words) => match words.as_slice() {
                [only] => format!("`{only}`"),
                words => format!("one of {}", quoted(words)),
            },
            Self::List { .. } => "a list".to_owned(),
            Self::Map(_) | Self::Object { .. } => "a mapping".to_owned(),
            Self::OneOf(shapes) => {
                let mut names: Vec<_> = shapes
                    .iter()
                    .filter(|shape| !matches!(shape, Self::Any))
                    .map(Self::expected)
                    .collect();
                names.dedup();
                names.join(" or ")
            }
        }
    }
}

/// `a`, `b` and `c`, each in back quotes.
pub(super) fn quoted<T: AsRef<str>>(words: &[T]) -> String {
    words
        .iter()
        .map(|word| format!("`{}`", word.as_ref()))
        .collect::<Vec<_>>()
        .join(", ")
}

fn int(schema: &Value, key: &str) -> Option<i64> {
    // Schemas of unsigned types may carry their bounds as floats.
    let value = schema.get(key)?;
    value.as_i64().or_else(|| value.as_f64().map(|value| value as i64))
}

fn size(schema: &Value, key: &str) -> Option<usize> {
    schema
        .get(key)
        .and_then(Value::as_u64)
        .and_then(|value| usize::try_from(value).ok())
}
