//! Whether a value is of its type at all; the merge goes on only with values that are.

use serde_json::Value;

use super::deduce::{Handle, Shape};
use super::step::Step;
use crate::resource::{FieldPath, PathElement};
use crate::schema::{ListKind, ListType, MapType, Scalar, Schema, TypeRef};

/// What is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Where.
    pub field: FieldPath,
    /// What.
    pub reason: &'static str,
}

/// Whether a list may hold two items of one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Duplicates {
    Allowed,
    Refused,
}

pub(super) fn validate(schema: &Schema, to: TypeRef, value: &Value, duplicates: Duplicates) -> Result<(), Violation> {
    let mut walker = Walker {
        schema,
        duplicates,
        path: FieldPath::root(),
    };
    walker.value(to, value)
}

struct Walker<'a> {
    schema: &'a Schema,
    duplicates: Duplicates,
    path: FieldPath,
}

impl Walker<'_> {
    fn fail(&self, reason: &'static str) -> Result<(), Violation> {
        Err(Violation {
            field: self.path.clone(),
            reason,
        })
    }

    fn value(&mut self, to: TypeRef, value: &Value) -> Result<(), Violation> {
        let shape = Shape::of(self.schema, to, Some(value));
        match (shape.handle(), value) {
            (Handle::Map(_) | Handle::List(_), Value::Null) => Ok(()),
            (Handle::Map(map), Value::Object(entries)) => self.map(map, entries),
            (Handle::Map(_), _) => self.fail("isn't the map that it should be"),
            (Handle::List(list), Value::Array(items)) => self.list(list, items),
            (Handle::List(_), _) => self.fail("isn't the list that it should be"),
            (Handle::Scalar, _) => self.scalar(shape.node.scalar, value),
        }
    }

    fn scalar(&self, scalar: Option<Scalar>, value: &Value) -> Result<(), Violation> {
        let Some(scalar) = scalar else {
            return self.fail("has a type that nothing can be of");
        };
        match (scalar, value) {
            (_, Value::Null)
            | (Scalar::Numeric, Value::Number(_))
            | (Scalar::String, Value::String(_))
            | (Scalar::Boolean, Value::Bool(_))
            | (Scalar::Untyped, Value::Bool(_) | Value::Number(_) | Value::String(_)) => Ok(()),
            (Scalar::Numeric, _) => self.fail("isn't the number that it should be"),
            (Scalar::String, _) => self.fail("isn't the string that it should be"),
            (Scalar::Boolean, _) => self.fail("isn't the boolean that it should be"),
            (Scalar::Untyped, _) => self.fail("isn't the scalar that it should be"),
        }
    }

    fn map(&mut self, map: &MapType, entries: &serde_json::Map<String, Value>) -> Result<(), Violation> {
        for (name, value) in entries {
            self.path.push(PathElement::Field(name.clone()));
            match map.element(name) {
                Some(element) => self.value(element.to, value)?,
                None => return self.fail("isn't declared in the schema"),
            }
            self.path.pop();
        }
        Ok(())
    }

    fn list(&mut self, list: &ListType, items: &[Value]) -> Result<(), Violation> {
        let mut steps = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let element = if list.kind == ListKind::Atomic {
                PathElement::Index(index)
            } else {
                let step = match Step::of_item(self.schema, list, item) {
                    Ok(step) => step,
                    Err(error) => {
                        self.path.push(PathElement::Index(index));
                        return self.fail(error.0);
                    }
                };
                let element = PathElement::from(&step);
                steps.push(step);
                element
            };
            self.path.push(element);
            self.value(list.items.to, item)?;
            self.path.pop();
        }
        if self.duplicates == Duplicates::Refused {
            steps.sort();
            if let Some([twice, _]) = steps.windows(2).find(|pair| pair.first() == pair.last()) {
                self.path.push(PathElement::from(twice));
                return self.fail("stands twice in its list");
            }
        }
        Ok(())
    }
}
