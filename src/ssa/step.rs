//! One step of a path, cheap to copy; the public [`PathElement`] is made of it where a path leaves this module.

use std::cmp::Ordering;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::value;
use crate::resource::PathElement;
use crate::schema::{ListKind, ListType, Schema};

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Field(Arc<str>),
    /// In order of name.
    Key(Arc<[(Arc<str>, Value)]>),
    Value(Arc<Value>),
    Index(usize),
}

impl Step {
    pub(crate) fn field(name: &str) -> Self {
        Self::Field(name.into())
    }

    /// The step to an item, or for one that lost what tells it apart, a step that leads nowhere. Such items come up
    /// while fields are taken out, and that a list has one makes a difference to what is above it.
    pub(crate) fn of_item_or_nowhere(schema: &Schema, list: &ListType, item: &Value) -> Self {
        Self::of_item(schema, list, item).unwrap_or(Self::Index(usize::MAX))
    }

    /// The step to an item of a list that isn't atomic; none where the item can't be told from others.
    pub(crate) fn of_item(schema: &Schema, list: &ListType, item: &Value) -> Result<Self, ItemError> {
        match &list.kind {
            ListKind::Atomic => Err(ItemError("items of an atomic list have no place of their own")),
            ListKind::Set => match item {
                Value::Object(_) => Err(ItemError("a map can't be in a set")),
                Value::Array(_) => Err(ItemError("a list can't be in a set")),
                Value::Null => Err(ItemError("null can't be in a set")),
                Value::String(_) | Value::Number(_) | Value::Bool(_) => Ok(Self::Value(Arc::new(item.clone()))),
            },
            ListKind::Map(keys) => {
                let Value::Object(entries) = item else {
                    return Err(ItemError("an item of a keyed list has to be a map"));
                };
                let mut fields: Vec<(Arc<str>, Value)> = Vec::with_capacity(keys.len());
                for key in keys {
                    if let Some(value) = key_value(schema, list, entries, key) {
                        fields.push((Arc::clone(key), value.clone()));
                    }
                }
                if fields.is_empty() && !keys.is_empty() {
                    return Err(ItemError("an item of a keyed list has none of the key fields"));
                }
                fields.sort_by(|a, b| a.0.cmp(&b.0));
                Ok(Self::Key(fields.into()))
            }
        }
    }
}

/// The value of a key field of an item, its default where it is absent.
pub(crate) fn key_value<'a>(
    schema: &'a Schema,
    list: &ListType,
    item: &'a Map<String, Value>,
    key: &str,
) -> Option<&'a Value> {
    item.get(key).or_else(|| {
        let map = schema.resolve(list.items.to).map.as_ref()?;
        map.field(key)?.element.default.as_deref()
    })
}

/// Why an item of a list has no place of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ItemError(pub(crate) &'static str);

impl PartialEq for Step {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Step {}

impl PartialOrd for Step {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Step {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Field(a), Self::Field(b)) => {
                if Arc::ptr_eq(a, b) {
                    Ordering::Equal
                } else {
                    a.cmp(b)
                }
            }
            (Self::Key(a), Self::Key(b)) => {
                let unequal = a
                    .iter()
                    .zip(b.iter())
                    .map(|(a, b)| a.0.cmp(&b.0).then_with(|| value::compare(&a.1, &b.1)))
                    .find(|order| order.is_ne());
                unequal.unwrap_or_else(|| a.len().cmp(&b.len()))
            }
            (Self::Value(a), Self::Value(b)) => value::compare(a, b),
            (Self::Index(a), Self::Index(b)) => a.cmp(b),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

impl Step {
    fn rank(&self) -> u8 {
        match self {
            Self::Field(_) => 0,
            Self::Key(_) => 1,
            Self::Value(_) => 2,
            Self::Index(_) => 3,
        }
    }
}

impl From<&Step> for PathElement {
    fn from(step: &Step) -> Self {
        match step {
            Step::Field(name) => Self::Field(name.to_string()),
            Step::Key(fields) => Self::Key(
                fields
                    .iter()
                    .map(|(name, value)| (name.to_string(), value.clone()))
                    .collect(),
            ),
            Step::Value(value) => Self::Value((**value).clone()),
            Step::Index(index) => Self::Index(*index),
        }
    }
}

impl From<&PathElement> for Step {
    fn from(element: &PathElement) -> Self {
        match element {
            PathElement::Field(name) => Self::field(name),
            PathElement::Key(fields) => {
                let mut fields: Vec<(Arc<str>, Value)> = fields
                    .iter()
                    .map(|(name, value)| (name.as_str().into(), value.clone()))
                    .collect();
                fields.sort_by(|a, b| a.0.cmp(&b.0));
                Self::Key(fields.into())
            }
            PathElement::Value(value) => Self::Value(Arc::new(value.clone())),
            PathElement::Index(index) => Self::Index(*index),
        }
    }
}
