//! Lays an applied configuration over an object. It takes nothing away.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::deduce::{Handle, Shape};
use super::step::Step;
use crate::schema::{ListType, MapType, Schema, TypeRef};

/// The object with the configuration over it; both have been validated.
pub(super) fn merge(schema: &Schema, to: TypeRef, live: &Value, config: &Value) -> Value {
    merged(schema, to, Some(live), Some(config)).unwrap_or(Value::Null)
}

/// None where nothing is left to stand there.
fn merged(schema: &Schema, to: TypeRef, live: Option<&Value>, config: Option<&Value>) -> Option<Value> {
    let chosen = config.or(live)?;
    // Where the two are of different kinds, the configuration says how the place is treated.
    let shape = Shape::of(schema, to, Some(chosen));
    let leaf = || Some(chosen.clone());
    if shape.is_atomic() {
        return leaf();
    }
    match shape.handle() {
        Handle::Scalar => leaf(),
        Handle::Map(map) => {
            let (live, config) = (live.and_then(Value::as_object), config.and_then(Value::as_object));
            if live.is_none_or(Map::is_empty) && config.is_none_or(Map::is_empty) {
                return leaf();
            }
            maps(schema, map, live, config)
        }
        Handle::List(list) => {
            let (live, config) = (live.and_then(Value::as_array), config.and_then(Value::as_array));
            if live.is_none_or(Vec::is_empty) && config.is_none_or(Vec::is_empty) {
                return leaf();
            }
            lists(
                schema,
                list,
                live.map_or(&[], Vec::as_slice),
                config.map_or(&[], Vec::as_slice),
            )
        }
    }
}

fn maps(
    schema: &Schema,
    map: &MapType,
    live: Option<&Map<String, Value>>,
    config: Option<&Map<String, Value>>,
) -> Option<Value> {
    let mut out = Map::new();
    for (name, value) in live.into_iter().flatten() {
        let Some(element) = map.element(name) else { continue };
        let over = config.and_then(|config| config.get(name));
        if let Some(result) = merged(schema, element.to, Some(value), over) {
            out.insert(name.clone(), result);
        }
    }
    for (name, value) in config.into_iter().flatten() {
        if live.is_some_and(|live| live.contains_key(name)) {
            continue;
        }
        let Some(element) = map.element(name) else { continue };
        if let Some(result) = merged(schema, element.to, None, Some(value)) {
            out.insert(name.clone(), result);
        }
    }
    (!out.is_empty()).then_some(Value::Object(out))
}

/// Which items there are, by their step. Items of which there are several are treated as if they held nothing.
struct Index<'a> {
    steps: Vec<Step>,
    values: Vec<&'a Value>,
    first: BTreeMap<Step, &'a Value>,
}

const NOTHING: &Value = &Value::Null;

impl<'a> Index<'a> {
    fn of(schema: &Schema, list: &ListType, items: &'a [Value]) -> Self {
        let mut index = Self {
            steps: Vec::with_capacity(items.len()),
            values: Vec::with_capacity(items.len()),
            first: BTreeMap::new(),
        };
        for item in items {
            let Ok(step) = Step::of_item(schema, list, item) else {
                continue;
            };
            index
                .first
                .entry(step.clone())
                .and_modify(|known| *known = NOTHING)
                .or_insert(item);
            index.steps.push(step);
            index.values.push(item);
        }
        index
    }
}

/// Items keep the order of the object; where the configuration orders shared items otherwise, it wins, and its new
/// items stand where they stand in it.
fn lists(schema: &Schema, list: &ListType, live: &[Value], config: &[Value]) -> Option<Value> {
    let left = Index::of(schema, list, live);
    let right = Index::of(schema, list, config);
    let mut shared = right.steps.iter().filter(|step| left.first.contains_key(step));
    let mut next_shared = shared.next();
    let mut done: BTreeMap<&Step, ()> = BTreeMap::new();
    let mut out = Vec::with_capacity(left.steps.len().max(right.steps.len()));
    let mut emit = |left: Option<&Value>, right: Option<&Value>| {
        out.extend(merged(schema, list.items.to, left, right));
    };
    let (mut l, mut r) = (0, 0);
    while l < left.steps.len() || r < right.steps.len() {
        if let (Some(ours), Some(theirs)) = (left.steps.get(l), right.steps.get(r)) {
            if ours == theirs {
                done.insert(theirs, ());
                emit(left.first.get(ours).copied(), right.first.get(ours).copied());
                l += 1;
                r += 1;
                next_shared = shared.next();
                continue;
            }
            if right.first.contains_key(ours) && next_shared.is_some_and(|next| next != ours) {
                // Shared, and not the one whose turn it is.
                l += 1;
                continue;
            }
        }
        if let Some(ours) = left.steps.get(l) {
            if !right.first.contains_key(ours) {
                // By place and not by step: of several items with one step each is kept.
                emit(left.values.get(l).copied(), None);
                l += 1;
                continue;
            }
            if done.contains_key(ours) {
                l += 1;
            }
        }
        if let Some(theirs) = right.steps.get(r) {
            done.insert(theirs, ());
            emit(left.first.get(theirs).copied(), right.first.get(theirs).copied());
            r += 1;
            if next_shared == Some(theirs) {
                next_shared = shared.next();
            }
        }
    }
    (!out.is_empty()).then_some(Value::Array(out))
}
