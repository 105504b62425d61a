//! Which old value a new one replaces, and whether it is still the same: what was there before may stay as it is, even
//! where it would not be taken today.

use serde_json::{Map, Value};

use super::shape::{Identity, Shape};

/// The old value of a place, and the schema by which what is below it is matched.
#[derive(Clone, Copy, Debug)]
pub(super) struct Old<'a> {
    pub(super) value: &'a Value,
    shape: &'a Shape,
}

impl<'a> Old<'a> {
    pub(super) fn new(value: &'a Value, shape: &'a Shape) -> Self {
        Self { value, shape }
    }

    /// What was under a key; none where nothing was, or where no schema knows the key.
    pub(super) fn key(self, name: &str) -> Option<Self> {
        let value = self.value.as_object()?.get(name)?;
        Some(Self::new(value, self.shape.below(name)?))
    }

    /// The item that a new item replaces: only items of keyed lists have predecessors.
    pub(super) fn item(self, new: &Value) -> Option<Self> {
        let items = self.value.as_array()?;
        let value = predecessor(&self.shape.identity, items, new)?;
        Some(Self::new(value, self.shape.items.as_deref()?))
    }

    /// Whether the new value is the old one. Keyed lists may be in another order.
    pub(super) fn is_unchanged(self, new: &Value) -> bool {
        match (self.value, new) {
            (Value::Object(old), Value::Object(entries)) => {
                old.len() == entries.len()
                    && entries
                        .iter()
                        .all(|(name, entry)| self.key(name).is_some_and(|old| old.is_unchanged(entry)))
            }
            (Value::Array(old), Value::Array(items)) if matches!(self.shape.identity, Identity::Keys(_)) => {
                old.len() == items.len()
                    && items
                        .iter()
                        .all(|item| self.item(item).is_some_and(|old| old.is_unchanged(item)))
            }
            (old, new) => old == new,
        }
    }
}

/// The item of a keyed list that has the same keys.
pub(super) fn predecessor<'a>(identity: &Identity, old: &'a [Value], new: &Value) -> Option<&'a Value> {
    let Identity::Keys(keys) = identity else { return None };
    let new = new.as_object()?;
    if keys.is_empty() || !keys.iter().all(|key| scalar(new, key).is_some()) {
        return None;
    }
    old.iter().find(|item| {
        item.as_object()
            .is_some_and(|item| keys.iter().all(|key| scalar(item, key) == scalar(new, key)))
    })
}

fn scalar<'a>(item: &'a Map<String, Value>, key: &str) -> Option<&'a Value> {
    item.get(key)
        .filter(|value| value.is_string() || value.is_number() || value.is_boolean())
}
