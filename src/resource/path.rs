//! Paths to fields, in the terms of server-side apply: list items are named by key, value or index.

use std::fmt;

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PathElement {
    /// A field of a struct, or a key of a map.
    Field(String),
    /// An item of a keyed list: its key fields in order of name.
    Key(Vec<(String, Value)>),
    /// A member of a set.
    Value(Value),
    /// An item of a list without keys.
    Index(usize),
}

/// A path from the top of an object. Shown as API servers show it: `.spec.services[service="APIServer"].port`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct FieldPath(Vec<PathElement>);

impl FieldPath {
    /// The object itself.
    pub fn root() -> Self {
        Self::default()
    }

    /// A path of these steps.
    pub fn new(elements: Vec<PathElement>) -> Self {
        Self(elements)
    }

    /// The steps.
    pub fn elements(&self) -> &[PathElement] {
        &self.0
    }

    /// This path, one step longer.
    #[must_use]
    pub fn join(&self, element: PathElement) -> Self {
        let mut elements = self.0.clone();
        elements.push(element);
        Self(elements)
    }

    /// Goes one step down, in place.
    pub fn push(&mut self, element: PathElement) {
        self.0.push(element);
    }

    /// Goes one step up, in place.
    pub fn pop(&mut self) -> Option<PathElement> {
        self.0.pop()
    }

    /// Whether this path is the other, or lies above it.
    pub fn contains(&self, other: &Self) -> bool {
        other.0.starts_with(&self.0)
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str(".");
        }
        for element in &self.0 {
            match element {
                PathElement::Field(name) => write!(f, ".{name}")?,
                PathElement::Key(keys) => {
                    f.write_str("[")?;
                    for (i, (name, value)) in keys.iter().enumerate() {
                        let comma = if i == 0 { "" } else { "," };
                        write!(f, "{comma}{name}={value}")?;
                    }
                    f.write_str("]")?;
                }
                PathElement::Value(value) => write!(f, "[={value}]")?,
                PathElement::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

impl Serialize for FieldPath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Calls `visit` on every object that `stops` picks out, with its path, in the order of the fields; goes no deeper into those.
pub(crate) fn visit_objects(
    value: &Value,
    stops: &impl Fn(&Map<String, Value>) -> bool,
    visit: &mut impl FnMut(&FieldPath, &Value),
) {
    visit_below(value, &mut FieldPath::root(), stops, visit);
}

fn visit_below(
    value: &Value,
    path: &mut FieldPath,
    stops: &impl Fn(&Map<String, Value>) -> bool,
    visit: &mut impl FnMut(&FieldPath, &Value),
) {
    match value {
        Value::Object(map) if stops(map) => visit(path, value),
        Value::Object(map) => {
            for (key, value) in map {
                if matches!(value, Value::Object(_) | Value::Array(_)) {
                    path.push(PathElement::Field(key.clone()));
                    visit_below(value, path, stops, visit);
                    path.pop();
                }
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                path.push(PathElement::Index(index));
                visit_below(value, path, stops, visit);
                path.pop();
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
