//! Whether applying would change nothing, found without computing what it would make.
//!
//! A fleet that is as it should be is compared object by object, thousands of them: so the desired object, the live one
//! and the JSON of our managedFields entry are walked together, and no set is built.

use std::borrow::Cow;
use std::cell::Cell;

use serde_json::{Map, Value};

use super::apply::{ApplyOutcome, ApplyRequest, apply, without_managed_fields};
use super::deduce::{Handle, Shape};
use super::fields_v1::{MEMBER, set_member_key, write_step};
use super::normal::same;
use super::reconcile::is_in_line;
use super::step::{Step, key_value};
use super::update::first_tracking;
use super::value::{equal, equal_structs, is_zero};
use crate::schema::{Element, ListKind, ListType, MapType, Normal, Origin, Schema, TypeRef};

/// True when every leaf of `desired` stands in `live` in the same normal form, and what `manager` applied last is
/// just the fields that `desired` has, and what others own is recorded as the schema has it now.
pub fn is_noop(desired: &Value, live: &Value, manager: &str, schema: &Schema) -> bool {
    let entries = entries(live);
    // Who owns nothing has no entry.
    let fields = match entries.iter().find(|entry| is_own(entry, manager)) {
        None => None,
        Some(entry) if entry.get("apiVersion") != desired.get("apiVersion") => return false,
        Some(entry) => match entry.get("fieldsV1").and_then(Value::as_object) {
            None => return false,
            fields => fields,
        },
    };
    let walk = Walk {
        schema,
        status_ignored: schema.has_status_subresource(),
        forgotten: Cell::new(false),
    };
    if !walk.root(desired, live, fields) || !others_stay(live, entries, manager, schema) {
        return false;
    }
    // What isn't kept is added anew by each write, and then taken from others who own it: so that is tried, if there is any.
    if !walk.forgotten.get() {
        return true;
    }
    // A server counts a null that it does not keep as a change of the spec: the object is the same, its generation is not.
    !holds_null(desired)
        && (entries.iter().all(|entry| is_own(entry, manager)) || is_agreed((desired, live), manager, schema))
}

fn holds_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.iter().any(holds_null),
        Value::Object(map) => map.values().any(holds_null),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// Whether applying meets no conflict.
fn is_agreed((desired, live): (&Value, &Value), manager: &str, schema: &Schema) -> bool {
    let request = ApplyRequest {
        live: Some(live),
        config: desired,
        manager,
        force: false,
        schema,
        now: "",
    };
    !matches!(apply(request), Ok(ApplyOutcome::Conflicts(_)))
}

fn entries(live: &Value) -> &[Value] {
    let entries = live
        .get("metadata")
        .and_then(|metadata| metadata.get("managedFields"))
        .and_then(Value::as_array);
    entries.map_or(&[], Vec::as_slice)
}

fn is_own(entry: &Value, manager: &str) -> bool {
    let text = |key: &str| entry.get(key).and_then(Value::as_str).unwrap_or("");
    text("manager") == manager && text("operation") == "Apply" && text("subresource").is_empty()
}

/// Whether a write that changes nothing else leaves the record of the other managers as it is: any write drops entries
/// that own nothing or are of a version that is gone, brings the others in line with the schema, and where nobody is
/// recorded it begins to.
fn others_stay(live: &Value, entries: &[Value], manager: &str, schema: &Schema) -> bool {
    if entries.is_empty() {
        let live = without_managed_fields(live);
        return first_tracking(schema, &live, "").is_ok_and(|managers| managers.is_empty());
    }
    entries.iter().filter(|entry| !is_own(entry, manager)).all(|entry| {
        let version = entry.get("apiVersion").and_then(Value::as_str);
        let fields = entry.get("fieldsV1").and_then(Value::as_object);
        match (version.and_then(|version| schema.root_at(version)), fields) {
            (Some(root), Some(fields)) => !fields.is_empty() && is_in_line(schema, root, fields),
            (Some(_), None) => false,
            // Of a custom kind the server refuses the write, which changes nothing either.
            (None, _) => schema.origin() == Origin::Custom,
        }
    })
}

/// Where we are, as far as it matters: what identifies an object is compared and owned by nobody.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Root,
    Metadata,
    Below,
}

/// What of a field is to be owned.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ownership {
    /// Nothing: an empty list leaves no trace.
    None,
    /// The field, besides what is below it.
    Itself,
    /// The field where it is a leaf, else what is below it.
    ByWhatItIs,
}

/// The keys of one level of a `fieldsV1`, taken in order as long as they come as expected.
struct Fields<'a> {
    /// None where nothing at or below the place is owned.
    all: Option<&'a Map<String, Value>>,
    rest: Option<serde_json::map::Iter<'a>>,
    taken: usize,
}

impl<'a> Fields<'a> {
    fn new(all: Option<&'a Map<String, Value>>) -> Self {
        Self {
            all,
            rest: all.map(Map::iter),
            taken: 0,
        }
    }

    /// What is owned at and below a field.
    fn take_field(&mut self, name: &str) -> Option<&'a Map<String, Value>> {
        let found = match self.rest.as_mut()?.find(|(key, _)| *key != MEMBER) {
            Some((key, value)) if key.strip_prefix("f:") == Some(name) => value,
            // Out of step: some field is owned that isn't desired, or maps aren't sorted after all.
            _ => self.all?.get(&format!("f:{name}"))?,
        };
        self.taken += 1;
        found.as_object()
    }

    fn take(&mut self, key: &str) -> Option<&'a Map<String, Value>> {
        let found = self.all?.get(key)?;
        self.taken += 1;
        found.as_object()
    }

    /// Whether nothing else is owned here, and the place itself just if it should be.
    fn is_done(&self, member: bool) -> bool {
        let Some(all) = self.all else { return !member };
        let dot = all.contains_key(MEMBER);
        self.taken + usize::from(dot) == all.len() && (dot || all.is_empty()) == member
    }
}

struct Walk<'a> {
    schema: &'a Schema,
    status_ignored: bool,
    /// Whether something is desired that the server doesn't keep.
    forgotten: Cell<bool>,
}

impl Walk<'_> {
    fn root(&self, desired: &Value, live: &Value, fields: Option<&Map<String, Value>>) -> bool {
        let (Some(desired), Some(live)) = (desired.as_object(), live.as_object()) else {
            return false;
        };
        let Some(map) = &self.schema.resolve(self.schema.root_type()).map else {
            return false;
        };
        self.map(map, desired, Some(live), &mut Fields::new(fields), Level::Root)
    }

    /// Compares a value whose place has these owned fields; `member` where the place is owned whatever stands there.
    fn value(
        &self,
        to: TypeRef,
        desired: &Value,
        live: Option<&Value>,
        owned: Option<&Map<String, Value>>,
        member: bool,
    ) -> bool {
        let shape = Shape::of(self.schema, to, Some(desired));
        let leaf = |owned: Option<&Map<String, Value>>| owned.is_some_and(Map::is_empty);
        match (shape.handle(), desired) {
            (_, Value::Null) => leaf(owned) && live.is_none_or(Value::is_null),
            (Handle::Scalar, _) => leaf(owned) && live.is_some_and(|live| same(shape.node.normal, desired, live)),
            _ if shape.is_atomic() => leaf(owned) && live.is_some_and(|live| self.same(to, desired, live)),
            (Handle::Map(_), Value::Object(desired)) if desired.is_empty() => {
                leaf(owned) && live.is_some_and(Value::is_object)
            }
            (Handle::Map(map), Value::Object(desired)) => {
                let Some(Value::Object(live)) = live else { return false };
                let mut fields = Fields::new(owned);
                self.map(map, desired, Some(live), &mut fields, Level::Below) && fields.is_done(member)
            }
            (Handle::List(_), Value::Array(desired)) if desired.is_empty() => {
                let fields_match = if member { leaf(owned) } else { owned.is_none() };
                fields_match && live.is_some_and(Value::is_array)
            }
            (Handle::List(list), Value::Array(desired)) => {
                let Some(Value::Array(live)) = live else { return false };
                let mut fields = Fields::new(owned);
                self.list(list, desired, live, &mut fields) && fields.is_done(member)
            }
            _ => false,
        }
    }

    fn map(
        &self,
        map: &MapType,
        desired: &Map<String, Value>,
        live: Option<&Map<String, Value>>,
        fields: &mut Fields<'_>,
        level: Level,
    ) -> bool {
        for (name, value) in desired {
            let there = live.and_then(|live| live.get(name));
            match (level, name.as_str()) {
                (Level::Root, "apiVersion" | "kind") => {
                    if there.is_some_and(|there| there != value) {
                        return false;
                    }
                    continue;
                }
                (Level::Root, "status") if self.status_ignored => continue,
                (Level::Root, "metadata") => {
                    if !self.metadata(map, value, there, fields) {
                        return false;
                    }
                    continue;
                }
                (Level::Metadata, "name" | "namespace" | "uid") => {
                    if there.is_some_and(|there| there != value) {
                        return false;
                    }
                    continue;
                }
                (
                    Level::Metadata,
                    "creationTimestamp" | "selfLink" | "clusterName" | "generation" | "managedFields"
                    | "resourceVersion",
                ) => continue,
                _ => {}
            }
            let (field, element) = map.lookup(name);
            let Some(element) = element else { return false };
            let is_member = field.is_none();
            let unowned = !is_member
                && value.as_array().is_some_and(Vec::is_empty)
                && !Shape::of(self.schema, element.to, Some(value)).is_atomic();
            let (owned, member) = match (unowned, is_member) {
                (true, _) => (None, Ownership::None),
                (false, true) => (fields.take_field(name), Ownership::Itself),
                (false, false) => (fields.take_field(name), Ownership::ByWhatItIs),
            };
            if !self.entry(element, value, there, owned, (member, level)) {
                return false;
            }
        }
        level != Level::Root || fields.taken == fields.all.map_or(0, Map::len)
    }

    fn entry(
        &self,
        element: &Element,
        desired: &Value,
        live: Option<&Value>,
        owned: Option<&Map<String, Value>>,
        (member, level): (Ownership, Level),
    ) -> bool {
        let zero = self.schema.origin() == Origin::BuiltIn && is_zero(desired);
        if live.is_none() && (is_hollow(desired) || zero) {
            self.forgotten.set(true);
            // Null is absent; and what the server keeps in types of its own is absent when it is empty.
            let forgotten = level == Level::Metadata || self.schema.origin() == Origin::BuiltIn;
            let owns = member == Ownership::None || owned.is_some_and(Map::is_empty);
            return owns && (desired.is_null() || forgotten);
        }
        if desired.is_null()
            && !self.schema.resolve(element.to).nullable
            && let (Some(default), Some(live)) = (element.default.as_deref(), live)
        {
            return owned.is_some_and(Map::is_empty) && equal(default, live);
        }
        self.value(element.to, desired, live, owned, member == Ownership::Itself)
    }

    fn metadata(&self, map: &MapType, desired: &Value, live: Option<&Value>, fields: &mut Fields<'_>) -> bool {
        let Some(Value::Object(desired)) = Some(desired) else {
            return false;
        };
        let Some(inner) = map
            .field("metadata")
            .and_then(|field| self.schema.resolve(field.element.to).map.as_deref())
        else {
            return false;
        };
        let mut below = Fields::new(fields.take_field("metadata"));
        self.map(
            inner,
            desired,
            live.and_then(Value::as_object),
            &mut below,
            Level::Metadata,
        ) && below.is_done(false)
    }

    fn list(&self, list: &ListType, desired: &[Value], live: &[Value], fields: &mut Fields<'_>) -> bool {
        let mut after = 0;
        for item in desired {
            // Its keys are defaults that nobody owns, so the next write takes it out.
            if matches!(list.kind, ListKind::Map(_)) && item.as_object().is_some_and(Map::is_empty) {
                return false;
            }
            let (at, owned) = match &list.kind {
                ListKind::Set => {
                    let Some(key) = set_member_key(item) else { return false };
                    (live.iter().position(|there| equal(item, there)), fields.take(&key))
                }
                ListKind::Map(keys) => {
                    let Some(key) = self.item_key(list, item) else {
                        return false;
                    };
                    let at = live.iter().position(|there| self.same_item(list, keys, item, there));
                    (at, fields.take(&key))
                }
                ListKind::Atomic => return false,
            };
            // Items in another order would be put in ours.
            let Some(at) = at.filter(|at| *at >= after) else {
                return false;
            };
            after = at + 1;
            let Some(there) = live.get(at) else { return false };
            let matches = match list.kind {
                ListKind::Set => owned.is_some_and(Map::is_empty),
                ListKind::Map(_) | ListKind::Atomic => self.value(list.items.to, item, Some(there), owned, true),
            };
            if !matches {
                return false;
            }
        }
        true
    }

    fn item_key(&self, list: &ListType, item: &Value) -> Option<Cow<'static, str>> {
        Step::of_item(self.schema, list, item)
            .ok()
            .map(|step| write_step(&step).into())
    }

    fn same_item(&self, list: &ListType, keys: &[std::sync::Arc<str>], a: &Value, b: &Value) -> bool {
        let (Some(a), Some(b)) = (a.as_object(), b.as_object()) else {
            return false;
        };
        keys.iter().all(|key| {
            match (
                key_value(self.schema, list, a, key),
                key_value(self.schema, list, b, key),
            ) {
                (Some(a), Some(b)) => equal(a, b),
                (None, None) => true,
                _ => false,
            }
        })
    }

    /// Whether two values that are owned as a whole mean the same, all the way down.
    fn same(&self, to: TypeRef, a: &Value, b: &Value) -> bool {
        let node = self.schema.resolve(to);
        if self.schema.origin() == Origin::BuiltIn && equal_structs(a, b) {
            return true;
        }
        match (a, b) {
            (Value::Object(a), Value::Object(b)) => {
                let Some(map) = &node.map else { return a == b };
                let present = |all: &Map<String, Value>| all.values().filter(|value| !value.is_null()).count();
                let defaulted = |name: &str| map.field(name).and_then(|field| field.element.default.as_deref());
                let extra = b.iter().filter(|(name, there)| {
                    a.get(*name).is_none_or(Value::is_null)
                        && defaulted(name).is_some_and(|default| equal(default, there))
                });
                present(a) + extra.count() == present(b)
                    && a.iter().filter(|(_, value)| !value.is_null()).all(|(name, value)| {
                        let Some(there) = b.get(name) else { return false };
                        match map.element(name) {
                            Some(element) => self.same(element.to, value, there),
                            None => equal(value, there),
                        }
                    })
            }
            (Value::Array(a), Value::Array(b)) => {
                a.len() == b.len()
                    && a.iter().zip(b).all(|(a, b)| match &node.list {
                        Some(list) => self.same(list.items.to, a, b),
                        None => equal(a, b),
                    })
            }
            _ if node.normal == Normal::Exact => equal(a, b),
            _ => same(node.normal, a, b),
        }
    }
}

fn is_hollow(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(entries) => entries.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}
