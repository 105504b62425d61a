//! A schema as it is validated against: everything that it says, compiled once.

use std::sync::Arc;

use regex::Regex;
use serde_json::Value;

use super::AdmissionError;
use super::cel::Rule;
use super::format::Format;
use super::pattern::Patterns;

/// Deeper than this no server takes a schema, and recursion stays far from the end of the stack.
const MAX_DEPTH: usize = 200;

/// A JSON type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Object,
    Array,
    String,
    Integer,
    Number,
    Boolean,
}

impl Type {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Object => "object",
            Self::Array => "array",
            Self::String => "string",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Boolean => "boolean",
        }
    }

    fn of(name: &str) -> Option<Self> {
        let all = [
            Self::Object,
            Self::Array,
            Self::String,
            Self::Integer,
            Self::Number,
            Self::Boolean,
        ];
        all.into_iter().find(|one| one.name() == name)
    }
}

/// Which types a value may have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Types {
    #[default]
    Any,
    One(Type),
    IntOrString,
}

/// A declared format that is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Declared {
    Text(Format),
    Int32,
    Int64,
    Float,
    Double,
}

/// The numbers that a numeric value is measured with.
#[derive(Debug, Default)]
pub(super) struct Range {
    pub(super) minimum: Option<f64>,
    pub(super) exclusive_minimum: bool,
    pub(super) maximum: Option<f64>,
    pub(super) exclusive_maximum: bool,
    pub(super) multiple_of: Option<f64>,
}

/// Least and most of something counted.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Count {
    pub(super) least: Option<i64>,
    pub(super) most: Option<i64>,
}

/// How the items of a list are told apart.
#[derive(Debug, Default, PartialEq)]
pub(super) enum Identity {
    #[default]
    None,
    Set,
    Keys(Box<[Box<str>]>),
}

/// What keys may stand beside the declared fields.
#[derive(Debug, Default)]
pub(super) enum Additional {
    #[default]
    Undeclared,
    Anything,
    Nothing,
    Typed(Box<Shape>),
}

/// One schema.
#[derive(Debug, Default)]
pub(super) struct Shape {
    pub(super) types: Types,
    pub(super) nullable: bool,
    pub(super) format: Option<Declared>,
    /// The name that the format was given: messages repeat it.
    pub(super) format_name: Box<str>,
    pub(super) choices: Box<[Value]>,
    pub(super) range: Option<Box<Range>>,
    pub(super) length: Count,
    pub(super) pattern: Option<(Box<str>, Arc<Regex>)>,
    pub(super) items_count: Count,
    pub(super) unique_items: bool,
    pub(super) properties_count: Count,
    pub(super) required: Box<[Box<str>]>,
    /// Sorted by name.
    pub(super) properties: Box<[(Box<str>, Shape)]>,
    pub(super) additional: Additional,
    pub(super) items: Option<Box<Shape>>,
    pub(super) all_of: Box<[Shape]>,
    pub(super) any_of: Box<[Shape]>,
    pub(super) one_of: Box<[Shape]>,
    pub(super) not: Option<Box<Shape>>,
    pub(super) identity: Identity,
    pub(super) embedded: bool,
    /// Whether sets, keyed lists or embedded resources are here or below.
    pub(super) has_identities: bool,
    pub(super) has_embedded: bool,
    /// Whether rules are here or below, alternatives that all hold among them.
    pub(super) has_rules: bool,
    pub(super) rules: Box<[Rule]>,
}

impl Shape {
    pub(super) fn property(&self, name: &str) -> Option<&Shape> {
        let at = self
            .properties
            .binary_search_by(|(known, _)| (**known).cmp(name))
            .ok()?;
        self.properties.get(at).map(|(_, shape)| shape)
    }

    /// The schema of a key, declared or not.
    pub(super) fn below(&self, name: &str) -> Option<&Shape> {
        self.property(name).or(match &self.additional {
            Additional::Typed(shape) => Some(shape),
            Additional::Undeclared | Additional::Anything | Additional::Nothing => None,
        })
    }

    pub(super) fn is_type(&self, of: Type) -> bool {
        self.types == Types::One(of)
    }
}

/// Reads schemas.
#[derive(Default)]
pub(super) struct Compiler {
    patterns: Patterns,
}

impl Compiler {
    pub(super) fn shape(&mut self, json: &Value, depth: usize) -> Result<Shape, AdmissionError> {
        if depth > MAX_DEPTH {
            return Err(AdmissionError::TooDeep);
        }
        let flag = |key: &str| json[key] == Value::Bool(true);
        let types = if flag("x-kubernetes-int-or-string") {
            Types::IntOrString
        } else {
            json["type"].as_str().and_then(Type::of).map_or(Types::Any, Types::One)
        };
        let format_name = json["format"].as_str().unwrap_or_default();
        let pattern = match json["pattern"].as_str().filter(|pattern| !pattern.is_empty()) {
            None => None,
            Some(pattern) => Some((pattern.into(), self.pattern(pattern)?)),
        };
        let mut shape = Shape {
            types,
            nullable: flag("nullable"),
            format: declared(types, format_name),
            format_name: format_name.into(),
            choices: json["enum"].as_array().cloned().unwrap_or_default().into(),
            range: range(json),
            length: count(json, "minLength", "maxLength"),
            pattern,
            items_count: count(json, "minItems", "maxItems"),
            unique_items: flag("uniqueItems"),
            properties_count: count(json, "minProperties", "maxProperties"),
            required: texts(json, "required").into(),
            identity: match json["x-kubernetes-list-type"].as_str() {
                Some("set") => Identity::Set,
                Some("map") => Identity::Keys(texts(json, "x-kubernetes-list-map-keys").into()),
                _ => Identity::None,
            },
            embedded: flag("x-kubernetes-embedded-resource"),
            rules: super::cel::compile(&json["x-kubernetes-validations"])?,
            ..Shape::default()
        };
        let mut properties = Vec::new();
        for (name, property) in json["properties"].as_object().into_iter().flatten() {
            properties.push((name.as_str().into(), self.shape(property, depth + 1)?));
        }
        properties.sort_by(|(a, _): &(Box<str>, Shape), (b, _)| a.cmp(b));
        shape.properties = properties.into();
        shape.additional = match &json["additionalProperties"] {
            Value::Bool(true) => Additional::Anything,
            Value::Bool(false) => Additional::Nothing,
            typed @ Value::Object(_) => Additional::Typed(Box::new(self.shape(typed, depth + 1)?)),
            _ => Additional::Undeclared,
        };
        shape.items = self.one(&json["items"], depth)?;
        shape.not = self.one(&json["not"], depth)?;
        shape.all_of = self.several(&json["allOf"], depth)?;
        shape.any_of = self.several(&json["anyOf"], depth)?;
        shape.one_of = self.several(&json["oneOf"], depth)?;
        shape.mark();
        Ok(shape)
    }

    fn one(&mut self, json: &Value, depth: usize) -> Result<Option<Box<Shape>>, AdmissionError> {
        if !json.is_object() {
            return Ok(None);
        }
        Ok(Some(Box::new(self.shape(json, depth + 1)?)))
    }

    fn several(&mut self, json: &Value, depth: usize) -> Result<Box<[Shape]>, AdmissionError> {
        let all = json.as_array().into_iter().flatten();
        all.map(|one| self.shape(one, depth + 1)).collect()
    }

    fn pattern(&mut self, pattern: &str) -> Result<Arc<Regex>, AdmissionError> {
        self.patterns
            .compile(pattern)
            .map_err(|source| AdmissionError::Pattern {
                pattern: pattern.to_owned(),
                source: Box::new(source),
            })
    }
}

impl Shape {
    fn mark(&mut self) {
        let additional = match &self.additional {
            Additional::Typed(shape) => Some(&**shape),
            Additional::Undeclared | Additional::Anything | Additional::Nothing => None,
        };
        let below = || {
            let properties = self.properties.iter().map(|(_, shape)| shape);
            properties.chain(additional).chain(self.items.as_deref())
        };
        let has_identities = self.identity != Identity::None || below().any(|shape| shape.has_identities);
        let has_embedded = self.embedded || below().any(|shape| shape.has_embedded);
        let has_rules = !self.rules.is_empty() || below().chain(&self.all_of).any(|shape| shape.has_rules);
        (self.has_identities, self.has_embedded, self.has_rules) = (has_identities, has_embedded, has_rules);
    }
}

/// The format as far as it is checked, which depends on the type that it stands beside.
fn declared(types: Types, name: &str) -> Option<Declared> {
    match (types, name) {
        (Types::Any | Types::IntOrString | Types::One(Type::String), name) => Format::of(name).map(Declared::Text),
        (Types::One(Type::Integer), "int32") => Some(Declared::Int32),
        (Types::One(Type::Integer), "int64") => Some(Declared::Int64),
        (Types::One(Type::Number), "float") => Some(Declared::Float),
        (Types::One(Type::Number), "double") => Some(Declared::Double),
        _ => None,
    }
}

fn range(json: &Value) -> Option<Box<Range>> {
    let of = |key: &str| json[key].as_f64();
    let range = Range {
        minimum: of("minimum"),
        exclusive_minimum: json["exclusiveMinimum"] == Value::Bool(true),
        maximum: of("maximum"),
        exclusive_maximum: json["exclusiveMaximum"] == Value::Bool(true),
        multiple_of: of("multipleOf"),
    };
    let says_something = range.minimum.is_some() || range.maximum.is_some() || range.multiple_of.is_some();
    says_something.then(|| Box::new(range))
}

fn count(json: &Value, least: &str, most: &str) -> Count {
    Count {
        least: json[least].as_i64(),
        most: json[most].as_i64(),
    }
}

fn texts(json: &Value, key: &str) -> Vec<Box<str>> {
    let all = json[key].as_array().into_iter().flatten();
    all.filter_map(Value::as_str).map(Into::into).collect()
}
