//! Which fields two objects differ in.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::deduce::{Handle, Shape};
use super::field_set::{Entry, FieldSet};
use super::step::Step;
use super::value::equal;
use crate::schema::{ListType, MapType, Schema, TypeRef};

/// No field is in two of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Comparison {
    pub(super) removed: FieldSet,
    pub(super) modified: FieldSet,
    pub(super) added: FieldSet,
}

impl Comparison {
    /// Without some fields and all below them.
    pub(super) fn without(self, fields: &FieldSet) -> Self {
        if fields.is_empty() {
            return self;
        }
        Self {
            removed: self.removed.recursive_difference(fields),
            modified: self.modified.recursive_difference(fields),
            added: self.added.recursive_difference(fields),
        }
    }
}

pub(super) fn compare(schema: &Schema, to: TypeRef, before: &Value, after: &Value) -> Comparison {
    let mut delta = Delta::default();
    values(schema, to, Some(before), Some(after), &mut delta);
    Comparison {
        removed: FieldSet::from_entries(delta.removed.below),
        modified: FieldSet::from_entries(delta.modified.below),
        added: FieldSet::from_entries(delta.added.below),
    }
}

/// What differs at a place and below it.
#[derive(Default)]
struct Delta {
    removed: Part,
    modified: Part,
    added: Part,
}

#[derive(Default)]
struct Part {
    here: bool,
    below: Vec<Entry>,
}

impl Part {
    fn is_empty(&self) -> bool {
        !self.here && self.below.is_empty()
    }

    /// Hangs what was found below a step under it.
    fn take(&mut self, step: &Step, part: Self) {
        if !part.is_empty() {
            self.below
                .extend(Entry::new(step.clone(), part.here, FieldSet::from_entries(part.below)));
        }
    }
}

impl Delta {
    fn is_empty(&self) -> bool {
        self.removed.is_empty() && self.modified.is_empty() && self.added.is_empty()
    }

    fn take(&mut self, step: &Step, below: Self) {
        self.removed.take(step, below.removed);
        self.modified.take(step, below.modified);
        self.added.take(step, below.added);
    }
}

fn values(schema: &Schema, to: TypeRef, before: Option<&Value>, after: Option<&Value>, delta: &mut Delta) {
    let left = Shape::of(schema, to, before);
    let right = Shape::of(schema, to, after);
    let leaf = match (before, after) {
        (_, None) => handle(schema, left, before, after, delta),
        (None, Some(_)) => handle(schema, right, before, after, delta),
        (Some(_), Some(_)) if left.same(&right) => handle(schema, right, before, after, delta),
        (Some(_), Some(_)) => {
            handle(schema, left, before, after, delta);
            handle(schema, right, before, after, delta)
        }
    };
    if !leaf {
        delta.added.here |= before.is_none();
        delta.removed.here |= after.is_none();
    }
}

/// Compares a place as a thing of one kind; true where it is one value.
fn handle(schema: &Schema, shape: Shape<'_>, before: Option<&Value>, after: Option<&Value>, delta: &mut Delta) -> bool {
    match shape.handle() {
        Handle::Scalar => leaf(before, after, delta),
        Handle::Map(map) => {
            let (left, right) = (before.and_then(Value::as_object), after.and_then(Value::as_object));
            if shape.is_atomic() || (left.is_none_or(Map::is_empty) && right.is_none_or(Map::is_empty)) {
                return leaf(before, after, delta);
            }
            maps(schema, map, left, right, delta);
            false
        }
        Handle::List(list) => {
            let (left, right) = (before.and_then(Value::as_array), after.and_then(Value::as_array));
            if shape.is_atomic() || (left.is_none_or(Vec::is_empty) && right.is_none_or(Vec::is_empty)) {
                return leaf(before, after, delta);
            }
            lists(
                schema,
                list,
                left.map_or(&[], Vec::as_slice),
                right.map_or(&[], Vec::as_slice),
                delta,
            );
            false
        }
    }
}

fn leaf(before: Option<&Value>, after: Option<&Value>, delta: &mut Delta) -> bool {
    match (before, after) {
        (None, _) => delta.added.here = true,
        (Some(_), None) => delta.removed.here = true,
        (Some(before), Some(after)) => delta.modified.here |= !equal(before, after),
    }
    true
}

fn maps(
    schema: &Schema,
    map: &MapType,
    before: Option<&Map<String, Value>>,
    after: Option<&Map<String, Value>>,
    delta: &mut Delta,
) {
    let mut visit = |name: &str, left: Option<&Value>, right: Option<&Value>| {
        let Some(element) = map.element(name) else { return };
        let mut below = Delta::default();
        values(schema, element.to, left, right, &mut below);
        if !below.is_empty() {
            let step = map
                .field(name)
                .map_or_else(|| Step::field(name), |field| Step::Field(Arc::clone(&field.name)));
            delta.take(&step, below);
        }
    };
    for (name, value) in before.into_iter().flatten() {
        visit(name, Some(value), after.and_then(|after| after.get(name)));
    }
    for (name, value) in after.into_iter().flatten() {
        if before.is_none_or(|before| !before.contains_key(name)) {
            visit(name, None, Some(value));
        }
    }
}

fn lists(schema: &Schema, list: &ListType, before: &[Value], after: &[Value], delta: &mut Delta) {
    let mut items: BTreeMap<Step, (Vec<&Value>, Vec<&Value>)> = BTreeMap::new();
    for item in before {
        if let Ok(step) = Step::of_item(schema, list, item) {
            items.entry(step).or_default().0.push(item);
        }
    }
    for item in after {
        if let Ok(step) = Step::of_item(schema, list, item) {
            items.entry(step).or_default().1.push(item);
        }
    }
    for (step, (left, right)) in &items {
        let mut below = Delta::default();
        match (left.as_slice(), right.as_slice()) {
            ([] | [_], [] | [_]) => {
                values(
                    schema,
                    list.items.to,
                    left.first().copied(),
                    right.first().copied(),
                    &mut below,
                );
            }
            // Several items of one step are owned together.
            ([_, _, ..], [_, _, ..]) => {
                let same = left.len() == right.len() && left.iter().zip(right).all(|(a, b)| equal(a, b));
                below.modified.here |= !same;
            }
            ([_, _, ..], single) => {
                if let [only] = single {
                    values(schema, list.items.to, None, Some(only), &mut below);
                }
                below.removed.here = true;
            }
            (single, [_, _, ..]) => {
                if let [only] = single {
                    values(schema, list.items.to, Some(only), None, &mut below);
                }
                below.added.here = true;
            }
        }
        delta.take(step, below);
    }
}
