//! Which fields differ between an object before and after, for people to read.

use serde_json::{Map, Value};

use super::deduce::{Handle, Shape};
use super::normal::same;
use super::step::Step;
use crate::resource::{FieldPath, PathElement};
use crate::schema::{ListType, MapType, Normal, Schema, TypeRef};

/// One field that differs.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldChange {
    /// Which.
    pub field: FieldPath,
    /// What stands there now; none where nothing does.
    pub before: Option<Value>,
    /// What will stand there; none where nothing will.
    pub after: Option<Value>,
}

/// What the server keeps for itself.
const BOOKKEEPING: [&str; 5] = [
    "managedFields",
    "resourceVersion",
    "generation",
    "uid",
    "creationTimestamp",
];

/// The fields that differ, in order: maps by key, lists by their items.
///
/// Items of keyed lists and sets are matched by key and value wherever they stand; a list that only changes its order
/// is one change of the whole list. Lists and maps that have one owner are one field. Values that have one normal form
/// don't differ.
pub fn field_changes(before: Option<&Value>, after: &Value, schema: &Schema) -> Vec<FieldChange> {
    let mut walk = Walk {
        schema,
        path: FieldPath::root(),
        changes: Vec::new(),
    };
    walk.value(schema.root_type(), before, Some(after));
    walk.changes
}

struct Walk<'a> {
    schema: &'a Schema,
    path: FieldPath,
    changes: Vec<FieldChange>,
}

impl Walk<'_> {
    fn value(&mut self, to: TypeRef, before: Option<&Value>, after: Option<&Value>) {
        // Null is absent.
        let (before, after) = (
            before.filter(|value| !value.is_null()),
            after.filter(|value| !value.is_null()),
        );
        let Some(either) = after.or(before) else { return };
        let shape = Shape::of(self.schema, to, Some(either));
        let whole = shape.is_atomic() || is_other_kind(before, after);
        match (shape.handle(), before, after) {
            (Handle::Map(map), _, _) if !whole => {
                let (left, right) = (before.and_then(Value::as_object), after.and_then(Value::as_object));
                if left.is_none_or(Map::is_empty) && right.is_none_or(Map::is_empty) {
                    self.leaf(Normal::Exact, before, after);
                } else {
                    self.map(map, left, right);
                }
            }
            (Handle::List(list), _, _) if !whole => {
                let (left, right) = (before.and_then(Value::as_array), after.and_then(Value::as_array));
                if left.is_none_or(Vec::is_empty) && right.is_none_or(Vec::is_empty) {
                    self.leaf(Normal::Exact, before, after);
                } else {
                    self.list(list, left.map_or(&[], Vec::as_slice), right.map_or(&[], Vec::as_slice));
                }
            }
            _ => self.leaf(shape.node.normal, before, after),
        }
    }

    fn leaf(&mut self, normal: Normal, before: Option<&Value>, after: Option<&Value>) {
        let alike = match (before, after) {
            (Some(before), Some(after)) => same(normal, before, after),
            (None, None) => true,
            _ => false,
        };
        if !alike {
            self.changes.push(FieldChange {
                field: self.path.clone(),
                before: before.cloned(),
                after: after.cloned(),
            });
        }
    }

    fn map(&mut self, map: &MapType, before: Option<&Map<String, Value>>, after: Option<&Map<String, Value>>) {
        let mut names: Vec<&String> = before
            .into_iter()
            .flatten()
            .chain(after.into_iter().flatten())
            .map(|(name, _)| name)
            .collect();
        names.sort();
        names.dedup();
        let in_metadata = self.path.elements() == [PathElement::Field("metadata".to_owned())];
        for name in names {
            if in_metadata && BOOKKEEPING.contains(&name.as_str()) {
                continue;
            }
            let left = before.and_then(|before| before.get(name));
            let right = after.and_then(|after| after.get(name));
            self.path.push(PathElement::Field(name.clone()));
            match map.element(name) {
                Some(element) => self.value(element.to, left, right),
                None => self.leaf(Normal::Exact, left, right),
            }
            self.path.pop();
        }
    }

    fn list(&mut self, list: &ListType, before: &[Value], after: &[Value]) {
        let (Some(left), Some(right)) = (self.steps(list, before), self.steps(list, after)) else {
            // Items that can't be told apart are shown together.
            return self.leaf(
                Normal::Exact,
                Some(&Value::Array(before.to_vec())),
                Some(&Value::Array(after.to_vec())),
            );
        };
        let find = |steps: &[Step], values: &[Value], step: &Step| {
            steps
                .iter()
                .position(|known| known == step)
                .and_then(|at| values.get(at).cloned())
        };
        let found = self.changes.len();
        for (step, value) in left.iter().zip(before) {
            self.item(list, step, Some(value), find(&right, after, step).as_ref());
        }
        for (step, value) in right.iter().zip(after) {
            if !left.contains(step) {
                self.item(list, step, None, Some(value));
            }
        }
        let kept = left.iter().filter(|step| right.contains(step));
        let reordered = !kept.eq(right.iter().filter(|step| left.contains(step)));
        if reordered && self.changes.len() == found {
            self.leaf(
                Normal::Exact,
                Some(&Value::Array(before.to_vec())),
                Some(&Value::Array(after.to_vec())),
            );
        }
    }

    fn item(&mut self, list: &ListType, step: &Step, before: Option<&Value>, after: Option<&Value>) {
        self.path.push(PathElement::from(step));
        self.value(list.items.to, before, after);
        self.path.pop();
    }

    /// The steps to all items; none where two items have one step, or one has none.
    fn steps(&self, list: &ListType, items: &[Value]) -> Option<Vec<Step>> {
        let steps: Vec<Step> = items
            .iter()
            .map(|item| Step::of_item(self.schema, list, item))
            .collect::<Result<_, _>>()
            .ok()?;
        let mut sorted: Vec<&Step> = steps.iter().collect();
        sorted.sort();
        let twice = sorted.windows(2).any(|pair| pair.first() == pair.last());
        (!twice).then_some(steps)
    }
}

/// Whether a container became something else.
fn is_other_kind(before: Option<&Value>, after: Option<&Value>) -> bool {
    match (before, after) {
        (Some(before), Some(after)) => before.is_object() != after.is_object() || before.is_array() != after.is_array(),
        _ => false,
    }
}
