//! What is wanted of one object, less what its rules leave as it is.

use serde_json::{Map, Value};

use super::{About, IgnoredField, is_ours};
use crate::fleet::model::{IgnoreRule, RuleSource};
use crate::plan::change::{Change, FieldDiff};
use crate::plan::cloud::field_diff;
use crate::plan::decide::{MANAGER, is_predecessor, shown};
use crate::plan::drift::is_below;
use crate::resource::oci::{self, Former, OciKind, Shape};
use crate::resource::pointer::{Reach, Token};
use crate::resource::{FieldPath, PathElement};
use crate::schema::Schema;
use crate::ssa;

/// What is left of what is wanted, and what was passed over.
pub(in crate::plan) struct Left {
    /// What is to be applied.
    pub(in crate::plan) document: Value,
    /// The differences that are none.
    pub(in crate::plan) ignored: Vec<IgnoredField>,
    /// What of an OCI document we set before, and is not left.
    pub(in crate::plan) former: Vec<Vec<String>>,
}

/// Of a Kubernetes object. `forced` is what would come of the whole document, where that can be told. None where no rule
/// covers anything of it.
pub(in crate::plan) fn kubernetes(
    about: &About<'_>,
    change: &Change,
    document: &Value,
    live: &Value,
    schema: &Schema,
    forced: impl FnOnce() -> Option<Value>,
) -> Option<Left> {
    let rules: Vec<&IgnoreRule> = about.rules().collect();
    let held = ssa::hold(document, live, MANAGER, schema, |path, holds_fields| {
        left(&rules, (path, holds_fields), document, live)
    });
    // Who owns what can't be read: then nothing is written anyway.
    let held = held.ok()??;
    let mut ignored = Vec::new();
    for difference in forced()
        .iter()
        .flat_map(|after| ssa::field_changes(Some(live), after, schema))
    {
        let path = &difference.field;
        let by = rules.iter().find(|rule| match covers(rule, path, document, live) {
            Some(Reach::Covers) => true,
            Some(Reach::Into(_)) => held.alike.contains(path),
            Some(Reach::Elsewhere) | None => false,
        });
        if let Some(rule) = by {
            ignored.push(field(change, rule, shown(&change.id, live, difference)));
        }
    }
    Some(Left {
        document: held.document,
        ignored,
        former: Vec::new(),
    })
}

fn field(change: &Change, rule: &IgnoreRule, diff: FieldDiff) -> IgnoredField {
    IgnoredField {
        id: change.id.clone(),
        unit: change.unit.clone(),
        diff,
        rule: rule.source.clone(),
    }
}

fn left<'a>(
    rules: &[&'a IgnoreRule],
    (path, holds_fields): (&FieldPath, bool),
    document: &Value,
    live: &Value,
) -> ssa::Left<'a> {
    let mut parts = Vec::new();
    // Who owns a map owns nothing of what is in it.
    let is_meant = |rule: &&&IgnoreRule| !holds_fields || !is_by_owner(rule);
    for rule in rules.iter().filter(is_meant) {
        match covers(rule, path, document, live) {
            Some(Reach::Covers) => return ssa::Left::Whole,
            Some(Reach::Into(steps)) => parts.push(steps),
            Some(Reach::Elsewhere) | None => {}
        }
    }
    if parts.is_empty() {
        ssa::Left::Nothing
    } else {
        ssa::Left::Parts(parts)
    }
}

/// Whether it depends on who owns a field.
fn is_by_owner(rule: &IgnoreRule) -> bool {
    rule.manager.is_some() || matches!(rule.source, RuleSource::BuiltIn(_))
}

/// How a rule stands to a field of a live object.
fn covers<'a>(rule: &'a IgnoreRule, path: &FieldPath, document: &Value, live: &Value) -> Option<Reach<'a>> {
    if is_ours(path) {
        return None;
    }
    let reach = match (&rule.source, &rule.pointer) {
        (RuleSource::Contested { field, .. }, _) if is_below(&path.to_string(), field) => Reach::Covers,
        (RuleSource::Contested { .. }, _) => Reach::Elsewhere,
        (_, Some(pointer)) => pointer.reach(path, document),
        (_, None) => Reach::Covers,
    };
    if reach == Reach::Elsewhere {
        return None;
    }
    let owned = |by: &dyn Fn(&str) -> bool| ssa::owner_of(live, path).iter().any(|owner| by(&owner.manager));
    let is_meant = match (&rule.source, &rule.manager) {
        (_, Some(manager)) => owned(&|name| name == manager),
        (RuleSource::BuiltIn(_), None) => owned(&is_controller),
        (RuleSource::Typed(_) | RuleSource::Contested { .. }, None) => true,
    };
    is_meant.then_some(reach)
}

/// Whether a field manager is a program that runs by itself, as far as its name says.
fn is_controller(manager: &str) -> bool {
    // A console writes under the name of the browser.
    const PEOPLE: [&str; 3] = ["oc", "Mozilla", "unknown"];
    manager != MANAGER && !is_predecessor(manager, ssa::Operation::Update) && !PEOPLE.contains(&manager)
}

/// Of an OCI document's spec. None where no rule covers anything of it.
pub(in crate::plan) fn oci(
    about: &About<'_>,
    change: &Change,
    kind: &'static OciKind,
    (document, live): (&Value, &Value),
    former: Former<'_>,
) -> Option<Left> {
    let mut fields = Vec::new();
    let pointers = || {
        about
            .rules()
            .filter_map(|rule| rule.pointer.as_ref().filter(|_| rule.manager.is_none()))
    };
    // What was set before, and is no longer named, is found in no document.
    let is_left = |steps: &Vec<String>| {
        let names: Vec<&str> = ["spec"].into_iter().chain(steps.iter().map(String::as_str)).collect();
        pointers().any(|pointer| pointer.may_hold(&names))
    };
    let all_stay = !former.fields.iter().any(is_left);
    for pointer in pointers() {
        if let [Token::Name(first), Token::Name(name), rest @ ..] = pointer.tokens()
            && &**first == "spec"
            && let Some(field) = kind.field(name)
            && field.call != oci::Call::Place
            && (pointer.finds(document) || (is_kept(field.shape) && pointer.finds(live)))
        {
            fields.push((field, rest));
        }
    }
    // Most of a fleet is as it should be, and no rule has anything to do with it.
    let differences =
        |document: &Value, former: Former<'_>| oci::differences(kind, &document["spec"], &live["spec"], former);
    let all = if fields.is_empty() && all_stay {
        Vec::new()
    } else {
        differences(document, former)
    };
    if all.is_empty() {
        return None;
    }
    let mut left = document.clone();
    for (field, rest) in fields {
        leave(&mut left["spec"], &live["spec"], field.name, (field.shape, rest));
    }
    if left == *document && all_stay {
        return None;
    }
    let kept: Vec<Vec<String>> = former.fields.iter().filter(|steps| !is_left(steps)).cloned().collect();
    let stay = differences(
        &left,
        Former {
            fields: &kept,
            ..former
        },
    );
    let mut fields = Vec::new();
    for difference in all.into_iter().filter(|difference| !stay.contains(difference)) {
        let mut rules = about.rules();
        let by = rules.find(|rule| {
            let reach = rule
                .pointer
                .as_ref()
                .map(|pointer| reach_of_oci(pointer.tokens(), &difference.path));
            reach == Some(true)
        });
        if let Some(rule) = by {
            fields.push(field(change, rule, field_diff(difference)));
        }
    }
    Some(Left {
        document: left,
        ignored: fields,
        former: kept,
    })
}

/// Whether a pointer leads to a place or to what holds it; a member of a list has no step of its own.
fn reach_of_oci(tokens: &[Token], path: &FieldPath) -> bool {
    let names = path.elements().iter().map_while(|element| match element {
        PathElement::Field(name) => Some(name.as_str()),
        PathElement::Key(_) | PathElement::Value(_) | PathElement::Index(_) => None,
    });
    let names: Vec<&str> = names.collect();
    tokens.len() <= names.len()
        && tokens.iter().zip(names).all(|(token, name)| match token {
            Token::Every => true,
            Token::Name(there) => **there == *name,
        })
}

/// Whether what of a field is not named would be taken away.
fn is_kept(shape: Shape) -> bool {
    matches!(shape, Shape::Tags | Shape::Named(_))
}

/// Leaves a field of a spec as it is. What is not named is not compared, and not sent either; only where what is not named
/// would be taken away, in tags and in parts by name, has it to be named as it is.
fn leave(spec: &mut Value, live: &Value, name: &str, (shape, rest): (Shape, &[Token])) {
    let Some(map) = spec.as_object_mut() else { return };
    if rest.is_empty() && !is_kept(shape) {
        map.remove(name);
        return;
    }
    let Some(there) = live.get(name) else {
        if rest.is_empty() {
            map.remove(name);
        }
        return;
    };
    if rest.is_empty() {
        map.insert(name.to_owned(), without_marks(there));
    } else if is_kept(shape) || map.contains_key(name) {
        let to_be = map.entry(name.to_owned()).or_insert_with(|| Value::Object(Map::new()));
        copy(to_be, &without_marks(there), rest);
        if to_be.as_object().is_some_and(Map::is_empty) {
            map.remove(name);
        }
    }
}

/// Tags of ours are no document's to name.
fn without_marks(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let others = map.iter().filter(|(key, _)| !key.starts_with(oci::TAG_PREFIX));
            Value::Object(others.map(|(key, value)| (key.clone(), value.clone())).collect())
        }
        other => other.clone(),
    }
}

/// Has a map look like another where the steps lead.
fn copy(to_be: &mut Value, there: &Value, steps: &[Token]) {
    let (Some((first, rest)), Some(to_be), Some(there)) =
        (steps.split_first(), to_be.as_object_mut(), there.as_object())
    else {
        return;
    };
    let names: Vec<String> = match first {
        Token::Name(name) => vec![name.to_string()],
        Token::Every => to_be.keys().chain(there.keys()).cloned().collect(),
    };
    for name in names {
        match (there.get(&name), rest.is_empty()) {
            (Some(live), true) => drop(to_be.insert(name, live.clone())),
            (Some(live), false) => {
                if let Some(below) = to_be.get_mut(&name) {
                    copy(below, live, rest);
                }
            }
            (None, true) => drop(to_be.remove(&name)),
            (None, false) => {}
        }
    }
}
