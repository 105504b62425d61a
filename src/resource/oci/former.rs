//! What a document named before and names no longer.
//!
//! OCI keeps what nobody mentions, so a line that is taken out of the files would stay for good: the record holds the names of
//! the fields that we set, and those that are gone from the document are compared as what is to go.
//!
//! Invariant: where nothing is recorded, nothing is former. What OCI has put there itself, or somebody else, is never touched.

use serde_json::{Map, Value};

use super::normal::in_one_spelling;
use super::{Call, Field, OciKind, Shape, Unset};

/// What we set before, as the record has it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Former<'a> {
    /// Keys of freeform tags.
    pub tags: &'a [String],
    /// Fields, each as the steps that lead to it below the spec: `publicIpId`; `definedTags`, `ops`, `cost`.
    pub fields: &'a [Vec<String>],
}

impl Former<'_> {
    /// Whether a field was set.
    pub(super) fn holds(&self, steps: &[&str]) -> bool {
        self.fields.iter().any(|field| field == steps)
    }
}

/// The names of what a spec sets, for the record; in the order of the kind's fields. Left out is what says where the resource
/// is, and what OCI never shows or has a value of its own for: that can't be missed.
pub fn named(kind: &OciKind, spec: &Map<String, Value>) -> Vec<Vec<String>> {
    let spec = in_one_spelling(kind, spec);
    let mut found = Vec::new();
    names(kind.all_fields(), &spec, &mut Vec::new(), &mut found);
    found
}

fn names<'f>(
    fields: impl Iterator<Item = &'f Field>,
    spec: &Map<String, Value>,
    at: &mut Vec<String>,
    found: &mut Vec<Vec<String>>,
) {
    for field in fields.filter(|field| is_remembered(field)) {
        let Some(value) = spec.get(field.name).filter(|value| !value.is_null()) else {
            continue;
        };
        at.push(field.name.to_owned());
        match (field.shape, value) {
            (Shape::DefinedTags, Value::Object(namespaces)) => {
                for (namespace, keys) in namespaces {
                    let set = keys
                        .as_object()
                        .into_iter()
                        .flatten()
                        .filter(|(_, value)| !value.is_null());
                    found.extend(set.map(|(key, _)| [at.as_slice(), &[namespace.clone(), key.clone()]].concat()));
                }
            }
            (Shape::Map(fields), Value::Object(map)) => names(fields.iter(), map, at, found),
            (Shape::Named(fields), Value::Object(parts)) => {
                found.push(at.clone());
                for (name, part) in parts {
                    at.push(name.clone());
                    names(fields.iter(), part.as_object().unwrap_or(&Map::new()), at, found);
                    at.pop();
                }
            }
            _ => found.push(at.clone()),
        }
        at.pop();
    }
}

fn is_remembered(field: &Field) -> bool {
    let is_told_by_steps = matches!(field.shape, Shape::DefinedTags | Shape::Map(_));
    let is_of_place = matches!(field.call, Call::Place | Call::ChangeCompartment);
    let is_compared = !matches!(field.shape, Shape::Tags | Shape::Unseen);
    is_compared && !is_of_place && (is_told_by_steps || field.unset != Unset::Stays)
}

/// Whether a spec names all that was named before.
pub(super) fn names_all(spec: &Map<String, Value>, former: Former<'_>) -> bool {
    former.fields.iter().all(|steps| {
        let Some((first, rest)) = steps.split_first() else {
            return true;
        };
        let named = rest.iter().try_fold(spec.get(first), |at, step| Some(at?.get(step)));
        named.flatten().is_some_and(|value| !value.is_null())
    })
}

/// Says outright of what is no longer named that it is to go, where OCI takes a value that says so: a list is empty, a flag is
/// off; a defined tag is null. What can't be taken away stands in no document: [`super::differences()`] tells it.
pub fn say_outright(kind: &OciKind, spec: &mut Map<String, Value>, former: Former<'_>) {
    for steps in former.fields {
        let Some((first, rest)) = steps.split_first() else {
            continue;
        };
        if let Some(field) = kind.field(first).filter(|field| is_remembered(field))
            && !is_said_otherwise(kind, field, spec)
        {
            say(field, spec, rest);
        }
    }
}

fn say(field: &Field, spec: &mut Map<String, Value>, rest: &[String]) {
    let is_there = spec.get(field.name).is_some_and(|value| !value.is_null());
    match (field.shape, rest) {
        (_, []) if !is_there => drop(field.unset_to().map(|value| spec.insert(field.name.to_owned(), value))),
        (Shape::DefinedTags, [namespace, key]) => {
            if let Some(keys) = below(spec, field.name).and_then(|namespaces| below(namespaces, namespace)) {
                keys.entry(key.clone()).or_insert(Value::Null);
            }
        }
        (Shape::Map(fields), [name, rest @ ..]) => {
            let inner = fields.iter().find(|inner| inner.name == name);
            if let (Some(inner), Some(map)) = (inner, below(spec, field.name)) {
                say(inner, map, rest);
            }
        }
        // A part that is gone as a whole takes its fields with it.
        (Shape::Named(fields), [part, name, rest @ ..]) => {
            let part = spec.get_mut(field.name).and_then(|parts| parts.get_mut(part));
            let inner = fields.iter().find(|inner| inner.name == name);
            if let (Some(inner), Some(Value::Object(part))) = (inner, part) {
                say(inner, part, rest);
            }
        }
        _ => {}
    }
}

/// The map under a key; made where there is nothing, none where something else stands there.
fn below<'m>(map: &'m mut Map<String, Value>, key: &str) -> Option<&'m mut Map<String, Value>> {
    let value = map.entry(key.to_owned()).or_insert(Value::Null);
    if value.is_null() {
        *value = Value::Object(Map::new());
    }
    value.as_object_mut()
}

/// Whether the document says the same by the other of two names that OCI has for it.
pub(super) fn is_said_otherwise(kind: &OciKind, field: &Field, spec: &Map<String, Value>) -> bool {
    let other = match (kind.name, field.name) {
        ("Subnet", "cidrBlock") => "ipv4CidrBlocks",
        ("Subnet", "ipv4CidrBlocks") => "cidrBlock",
        ("Subnet", "ipv6CidrBlock") => "ipv6CidrBlocks",
        ("Subnet", "ipv6CidrBlocks") => "ipv6CidrBlock",
        ("DrgAttachment", "vcnId" | "routeTableId") => "networkDetails",
        _ => return false,
    };
    spec.get(other).is_some_and(|value| !value.is_null())
}
