//! What to apply so that some fields of a live object stay as they are, in value and in owner.
//!
//! To leave such a field out would remove it where the applier alone owns it, and to put the live value in would take it over
//! where others own it. So what is applied has just those of the fields that the applier owns, at their live values: then
//! the apply neither changes, nor gives up, nor takes any of them.

use std::cell::OnceCell;

use serde_json::{Map, Value};

use super::field_set::FieldSet;
use super::managed::{EntryId, ManagedFields, ManagedFieldsError, Operation};
use super::to_set::field_set_of;
use super::value::equal;
use crate::resource::pointer::{Token, position};
use crate::resource::{FieldPath, PathElement};
use crate::schema::Schema;

/// What is to be left of a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Left<'a> {
    /// Nothing.
    Nothing,
    /// All of it.
    Whole,
    /// What these steps lead to within it. It counts where the place has one owner, as most lists have.
    Parts(Vec<&'a [Token]>),
}

/// A document in which some fields are held.
#[derive(Clone, PartialEq)]
pub struct Held {
    /// What to apply.
    pub document: Value,
    /// Places with one owner that differ from the live ones in nothing but parts to be left: they are left as a whole.
    pub alike: FieldSet,
}

/// Makes the document to apply; `left` says what of a place is to be left, which may hold fields of its own. None where nothing is to be left of what
/// the document has or the applier owns.
///
/// What goes with what it is in is not held: a field of an item that the document no longer has, say.
///
/// # Errors
/// Where the live object's managedFields can't be read.
pub fn hold<'a>(
    document: &Value,
    live: &Value,
    manager: &str,
    schema: &Schema,
    left: impl Fn(&FieldPath, bool) -> Left<'a>,
) -> Result<Option<Held>, ManagedFieldsError> {
    let wanted = field_set_of(document, schema);
    let managers = ManagedFields::of(live)?;
    let own = managers.entries.get(&EntryId::new(manager, Operation::Apply, "", ""));
    let own = own.map_or_else(FieldSet::new, |entry| entry.fields.clone());
    let (mut whole, mut alike) = (Vec::new(), FieldSet::new());
    let mut held = document.clone();
    for path in wanted.union(&own).iter() {
        let holds_fields = wanted.has_below(&path) || own.has_below(&path);
        match left(&path, holds_fields) {
            Left::Nothing => {}
            Left::Whole => whole.push(path),
            Left::Parts(parts) => {
                let (Some(there), Some(to_be)) = (at(live, &path), at_mut(&mut held, &path)) else {
                    continue;
                };
                // What has fields of its own is asked for field by field.
                if holds_fields || to_be.as_object().is_some_and(Map::is_empty) {
                    continue;
                }
                parts.iter().for_each(|steps| put_parts(to_be, there, steps));
                if equal(to_be, there) && at(document, &path).is_some_and(|typed| !equal(typed, there)) {
                    alike.insert(&path);
                    whole.push(path);
                }
            }
        }
    }
    if whole.is_empty() && held == *document {
        return Ok(None);
    }
    for path in &whole {
        take_out(&mut held, path, &own);
    }
    let leaves = own.leaves();
    let all = OnceCell::new();
    for path in &whole {
        if let (true, Some(value)) = (leaves.contains(path), at(live, path)) {
            let may_make = |above: &FieldPath| at(document, above).is_some() || left(above, true) == Left::Whole;
            // What others have put into a place that the applier owns is not the applier's.
            let is_hollow = !is_scalar(value) && all.get_or_init(|| field_set_of(live, schema)).has_below(path);
            let value = if is_hollow { &bare(path) } else { value };
            put(&mut held, path, value, &may_make);
        }
    }
    Ok(Some(Held { document: held, alike }))
}

fn is_scalar(value: &Value) -> bool {
    !matches!(value, Value::Object(_) | Value::Array(_))
}

/// A container of which nothing but itself is owned.
fn bare(path: &FieldPath) -> Value {
    match path.elements().last() {
        Some(PathElement::Key(keys)) => Value::Object(keys.iter().cloned().collect()),
        _ => Value::Object(Map::new()),
    }
}

/// The value at a place.
pub(super) fn at<'a>(value: &'a Value, path: &FieldPath) -> Option<&'a Value> {
    path.elements().iter().try_fold(value, |here, element| match element {
        PathElement::Field(name) => here.get(name),
        element => here.get(position(here, element)?),
    })
}

fn at_mut<'a>(value: &'a mut Value, path: &FieldPath) -> Option<&'a mut Value> {
    path.elements().iter().try_fold(value, |here, element| match element {
        PathElement::Field(name) => here.get_mut(name),
        element => {
            let position = position(here, element)?;
            here.get_mut(position)
        }
    })
}

/// Has a value look like another where the steps lead. Items of lists pair by position, in lists of one length.
fn put_parts(value: &mut Value, live: &Value, steps: &[Token]) {
    let Some((first, rest)) = steps.split_first() else {
        return;
    };
    match (value, live) {
        (Value::Object(to_be), Value::Object(there)) => {
            let names: Vec<String> = match first {
                Token::Name(name) => vec![name.to_string()],
                Token::Every => to_be.keys().chain(there.keys()).cloned().collect(),
            };
            for name in names {
                match (rest.is_empty(), there.get(&name)) {
                    (true, Some(live)) => drop(to_be.insert(name, live.clone())),
                    (true, None) => drop(to_be.remove(&name)),
                    (false, Some(live)) => {
                        if let Some(below) = to_be.get_mut(&name) {
                            put_parts(below, live, rest);
                        }
                    }
                    (false, None) => {}
                }
            }
        }
        (Value::Array(to_be), Value::Array(there)) if to_be.len() == there.len() => {
            let is_meant = |at: usize| match first {
                Token::Every => true,
                Token::Name(name) => name.parse() == Ok(at),
            };
            let pairs = to_be.iter_mut().zip(there).enumerate();
            for (_, (to_be, there)) in pairs.filter(|(at, _)| is_meant(*at)) {
                if rest.is_empty() {
                    *to_be = there.clone();
                } else {
                    put_parts(to_be, there, rest);
                }
            }
        }
        _ => {}
    }
}

/// Takes a field out, and what it was alone in, unless the applier owns that in its own right.
fn take_out(document: &mut Value, path: &FieldPath, own: &FieldSet) {
    let mut path = path.clone();
    while let Some(last) = path.pop() {
        let Some(above) = at_mut(document, &path) else {
            return;
        };
        let position = position(above, &last);
        let is_empty = match (above, &last) {
            (Value::Object(map), PathElement::Field(name)) => {
                map.remove(name);
                map.is_empty()
            }
            (Value::Array(items), _) => {
                if let Some(position) = position.filter(|position| *position < items.len()) {
                    items.remove(position);
                }
                items.is_empty()
            }
            _ => return,
        };
        if !is_empty || path.elements().is_empty() || own.contains(&path) {
            return;
        }
    }
}

/// Puts a field in, and what it is in where that may be made.
fn put(document: &mut Value, path: &FieldPath, value: &Value, may_make: &dyn Fn(&FieldPath) -> bool) {
    let mut here = document;
    let mut above = FieldPath::root();
    let mut elements = path.elements().iter().peekable();
    while let Some(element) = elements.next() {
        above.push(element.clone());
        let is_last = elements.peek().is_none();
        let new = match (is_last, elements.peek()) {
            (true, _) => value.clone(),
            (false, Some(PathElement::Field(_)) | None) => Value::Object(Map::new()),
            (false, Some(_)) => Value::Array(Vec::new()),
        };
        let may = || is_last || may_make(&above);
        here = match (element, here) {
            (PathElement::Field(name), Value::Object(map)) => {
                if !map.contains_key(name) && !may() {
                    return;
                }
                let slot = map.entry(name.clone()).or_insert(new);
                if is_last {
                    slot.clone_from(value);
                }
                slot
            }
            (element, list @ Value::Array(_)) => {
                let there = position(list, element);
                let Value::Array(items) = list else { return };
                let there = match there {
                    Some(there) => there,
                    None if may() => {
                        items.push(match element {
                            PathElement::Key(keys) if !is_last => Value::Object(keys.iter().cloned().collect()),
                            _ => new,
                        });
                        items.len() - 1
                    }
                    None => return,
                };
                match items.get_mut(there) {
                    Some(item) => item,
                    None => return,
                }
            }
            _ => return,
        };
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::resource::Pointer;
    use crate::resource::pointer::Reach;
    use crate::schema::Gvk;
    use crate::ssa::{ApplyOutcome, ApplyRequest, apply};

    const NOW: &str = "2026-01-01T00:00:00Z";

    fn schema() -> Schema {
        Schema::deduced(Gvk {
            group: "",
            version: "v1",
            kind: "Thing",
        })
    }

    fn thing(spec: &Value) -> Value {
        json!({"apiVersion": "v1", "kind": "Thing", "metadata": {"name": "x"}, "spec": spec})
    }

    fn applied(live: Option<&Value>, config: &Value, manager: &str) -> Value {
        let request = ApplyRequest {
            live,
            config,
            manager,
            force: true,
            schema: &schema(),
            now: NOW,
        };
        match apply(request).unwrap() {
            ApplyOutcome::Applied(object) => object,
            ApplyOutcome::Conflicts(conflicts) => panic!("{conflicts:?}"),
        }
    }

    fn held(document: &Value, live: &Value, pointer: &str) -> Option<Held> {
        let pointer = Pointer::parse(pointer).unwrap();
        hold(document, live, "us", &schema(), |path, _| {
            match pointer.reach(path, document) {
                Reach::Elsewhere => Left::Nothing,
                Reach::Covers => Left::Whole,
                Reach::Into(steps) => Left::Parts(vec![steps]),
            }
        })
        .unwrap()
    }

    #[test]
    fn what_others_own_is_left_out_and_what_we_own_stays_at_its_live_value() {
        let ours = thing(&json!({"a": 1, "b": 1}));
        let live = applied(None, &ours, "us");
        let moved = applied(Some(&live), &thing(&json!({"a": 2})), "them");
        let now = held(&ours, &moved, "/spec/a").unwrap().document;
        assert_eq!(now["spec"], json!({"b": 1}), "they own it now");
        assert_eq!(applied(Some(&moved), &now, "us"), moved);

        let changed = thing(&json!({"a": 7, "b": 1}));
        let now = held(&changed, &live, "/spec/a").unwrap().document;
        assert_eq!(now["spec"], json!({"a": 1, "b": 1}), "we own it, at the value of yore");
        let dropped = thing(&json!({"b": 2}));
        let now = held(&dropped, &live, "/spec/a").unwrap().document;
        assert_eq!(now["spec"], json!({"a": 1, "b": 2}), "to leave it out would remove it");
    }

    #[test]
    fn what_loses_all_it_had_goes_and_what_goes_as_a_whole_is_not_held() {
        let ours = thing(&json!({"m": {"a": 1}, "b": 1}));
        let live = applied(None, &thing(&json!({"b": 1})), "us");
        let live = applied(Some(&live), &thing(&json!({"m": {"a": 5}})), "them");
        let now = held(&ours, &live, "/spec/m/a").unwrap().document;
        assert_eq!(now["spec"], json!({"b": 1}));
        assert_eq!(applied(Some(&live), &now, "us"), live);

        let live = applied(None, &ours, "us");
        let gone = thing(&json!({"b": 1}));
        assert_eq!(
            held(&gone, &live, "/spec/m/a").unwrap().document["spec"],
            json!({"b": 1})
        );
        let now = held(&gone, &live, "/spec/m").unwrap().document;
        assert_eq!(
            now["spec"],
            json!({"m": {"a": 1}, "b": 1}),
            "the rule is about all of it"
        );
        assert!(held(&thing(&json!({"b": 1})), &live, "/spec/c").is_none());
    }

    #[test]
    fn parts_of_a_list_with_one_owner_are_taken_as_they_are() {
        let ours = thing(&json!({"list": [{"n": "a"}, {"n": "b"}]}));
        let live = applied(None, &ours, "us");
        let filled = applied(
            Some(&live),
            &thing(&json!({"list": [{"n": "a", "id": 1}, {"n": "b", "id": 2}]})),
            "them",
        );
        let now = held(&ours, &filled, "/spec/list/*/id").unwrap();
        assert_eq!(now.document["spec"], json!({}), "nothing else differs: it is theirs");
        assert_eq!(applied(Some(&filled), &now.document, "us"), filled);
        assert_eq!(now.alike.len(), 1);
        let changed = thing(&json!({"list": [{"n": "a"}, {"n": "c"}]}));
        let now = held(&changed, &filled, "/spec/list/*/id").unwrap();
        assert_eq!(
            now.document["spec"]["list"],
            json!([{"n": "a", "id": 1}, {"n": "c", "id": 2}])
        );
        assert!(now.alike.is_empty());
        let longer = thing(&json!({"list": [{"n": "a"}]}));
        assert!(
            held(&longer, &filled, "/spec/list/*/id").is_none(),
            "another length is another list"
        );
    }
}
