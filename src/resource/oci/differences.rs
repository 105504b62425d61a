//! What of a spec is not as it is wanted.

use serde_json::{Map, Value};

use super::former::{is_said_otherwise, names_all, say_outright};
use super::normal::{counted, in_one_spelling, normal_item, normal_items};
use super::{Call, Change, Field, Former, Item, OciKind, Shape, TAG_PREFIX, Unset, without_nulls};
use crate::resource::{FieldPath, PathElement};

/// One field that differs.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FieldDifference {
    /// From the top of the document: `.spec.cidrBlock`. A member of a list without an order is named by its value.
    pub path: FieldPath,
    /// As it is; none: not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// As it is wanted; none: to go.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
    /// What making it so comes to.
    pub change: Change,
}

/// Where two specs differ, in the order of the kind's fields. Only what is wanted is compared: a field that the desired
/// spec does not name, or names with null, may be anything. A field that the kind does not have is a difference that
/// nothing can mend.
///
/// `former` is what we set before: what of it is no longer wanted is to go. In the desired spec, a null for a tag says the
/// same.
pub fn differences(kind: &OciKind, desired: &Value, live: &Value, former: Former<'_>) -> Vec<FieldDifference> {
    let empty = Map::new();
    let wanted = desired.as_object().unwrap_or(&empty);
    let found = live.as_object().unwrap_or(&empty);
    let (mut wanted, found) = (in_one_spelling(kind, wanted), in_one_spelling(kind, found));
    if !names_all(&wanted, former) {
        say_outright(kind, wanted.to_mut(), former);
    }
    let mut comparison = Comparison {
        kind,
        path: FieldPath::new(vec![PathElement::Field("spec".to_owned())]),
        former,
        differences: Vec::new(),
    };
    comparison.map(kind.all_fields(), &wanted, &found);
    for (name, value) in wanted.iter() {
        if kind.field(name).is_none() && !value.is_null() {
            comparison.within(name, |c| c.push(None, Some(value), Change::ReadOnly));
        }
    }
    comparison.differences
}

struct Comparison<'a> {
    kind: &'a OciKind,
    path: FieldPath,
    former: Former<'a>,
    differences: Vec<FieldDifference>,
}

impl Comparison<'_> {
    fn within(&mut self, name: &str, compare: impl FnOnce(&mut Self)) {
        self.path.push(PathElement::Field(name.to_owned()));
        compare(self);
        self.path.pop();
    }

    fn push(&mut self, before: Option<&Value>, after: Option<&Value>, change: Change) {
        self.differences.push(FieldDifference {
            path: self.path.clone(),
            before: before.cloned(),
            after: after.cloned(),
            change,
        });
    }

    fn map<'f>(
        &mut self,
        fields: impl Iterator<Item = &'f Field>,
        desired: &Map<String, Value>,
        live: &Map<String, Value>,
    ) {
        for field in fields {
            let wanted = desired.get(field.name).filter(|value| !value.is_null());
            let found = live.get(field.name).filter(|value| !value.is_null());
            let tagged = matches!(field.shape, Shape::Tags) && !self.former.tags.is_empty();
            if wanted.is_some() || tagged || found.is_some_and(|found| is_ended(field, found)) {
                self.within(field.name, |c| c.field(field, wanted, found));
            } else if found.is_some_and(|found| *found != Value::Bool(false))
                && self.can_not_go(field)
                && !is_said_otherwise(self.kind, field, desired)
            {
                self.within(field.name, |c| c.push(found, None, Change::Replace));
            }
        }
    }

    /// Whether we set a field, here where the comparison is, of which OCI can't be rid.
    fn can_not_go(&self, field: &Field) -> bool {
        if field.unset != Unset::Never || self.former.fields.is_empty() {
            return false;
        }
        let here = self.path.elements().iter().skip(1).filter_map(|element| match element {
            PathElement::Field(name) => Some(name.as_str()),
            PathElement::Key(_) | PathElement::Value(_) | PathElement::Index(_) => None,
        });
        let steps: Vec<&str> = here.chain([field.name]).collect();
        self.former.holds(&steps)
    }

    fn field(&mut self, field: &Field, wanted: Option<&Value>, found: Option<&Value>) {
        let empty = Map::new();
        let as_map = |value| Option::<&Value>::and_then(value, Value::as_object).unwrap_or(&empty);
        match (field.shape, wanted) {
            (Shape::Unseen, _) => {}
            (Shape::Tags, _) => self.tags(as_map(wanted), as_map(found)),
            (Shape::DefinedTags, Some(Value::Object(wanted))) => self.defined_tags(wanted, as_map(found)),
            (Shape::Map(fields), Some(Value::Object(wanted))) => {
                let found = found.and_then(Value::as_object).unwrap_or(&empty);
                self.map(fields.iter(), wanted, found);
            }
            (Shape::Named(fields), Some(Value::Object(wanted))) => self.named(fields, wanted, as_map(found)),
            (Shape::Set(item), Some(Value::Array(wanted))) => {
                let found = found.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
                self.set(field, item, wanted, found);
            }
            // A reference that is not known yet may stand in place of any shape.
            (_, Some(wanted)) => {
                // A flag that OCI does not show is off, and what it does not show names nothing.
                let off = found.is_none() && (*wanted == Value::Bool(false) || *wanted == Value::String(String::new()));
                if !off && found != Some(wanted) && found.map(without_nulls).as_ref() != Some(&without_nulls(wanted)) {
                    self.push(found, Some(wanted), verdict(field, found));
                }
            }
            // Neither can this side be connected again, whichever of the two was to do it.
            (_, None) if found.is_some_and(|found| is_ended(field, found)) => self.push(found, None, Change::Replace),
            (_, None) => {}
        }
    }

    /// As multisets: an item that stands twice is wanted twice.
    fn set(&mut self, field: &Field, item: Item, wanted: &[Value], found: &[Value]) {
        // Mostly they are the same, in the same order: then nothing has to be copied and sorted, which takes the time.
        let is_same = |(wanted, found): (&Value, &Value)| {
            wanted == found || same(item, &normal_item(item, wanted), &normal_item(item, found))
        };
        if counted(item, wanted).count() == counted(item, found).count()
            && counted(item, wanted).zip(counted(item, found)).all(is_same)
        {
            return;
        }
        let (wanted, mut left) = (normal_items(item, wanted), normal_items(item, found));
        let mut missing = Vec::new();
        for value in &wanted {
            match left.iter().position(|other| same(item, value, other)) {
                Some(i) => drop(left.remove(i)),
                None => missing.push(value),
            }
        }
        let change = verdict(field, found.first());
        for value in &left {
            if item == Item::DhcpOption && !wanted.iter().any(|other| other["type"] == value["type"]) && searches(value)
            {
                continue;
            }
            self.member(value, |c| c.push(Some(value), None, change));
        }
        for value in missing {
            self.member(value, |c| c.push(None, Some(value), change));
        }
    }

    fn member(&mut self, value: &Value, compare: impl FnOnce(&mut Self)) {
        self.path.push(PathElement::Value(value.clone()));
        compare(self);
        self.path.pop();
    }

    fn named(&mut self, fields: &[Field], wanted: &Map<String, Value>, found: &Map<String, Value>) {
        for (name, live) in found {
            if !live.is_null() && wanted.get(name).is_none_or(Value::is_null) {
                self.within(name, |c| c.push(Some(live), None, Change::InPlace));
            }
        }
        for (name, part) in wanted {
            let live = found.get(name).filter(|value| !value.is_null());
            match (part, live.and_then(Value::as_object)) {
                (Value::Null, _) => {}
                (Value::Object(part), Some(live)) => self.within(name, |c| c.map(fields.iter(), part, live)),
                _ => self.within(name, |c| c.push(live, Some(part), Change::InPlace)),
            }
        }
    }

    fn tags(&mut self, wanted: &Map<String, Value>, found: &Map<String, Value>) {
        for (key, value) in wanted.iter().filter(|(_, value)| !value.is_null()) {
            if found.get(key) != Some(value) {
                self.within(key, |c| c.push(found.get(key), Some(value), Change::InPlace));
            }
        }
        let wanted_gone = wanted.iter().filter(|(_, value)| value.is_null()).map(|(key, _)| key);
        let mut gone: Vec<&String> = self.former.tags.iter().chain(wanted_gone).collect();
        gone.sort();
        gone.dedup();
        for key in gone {
            let kept = wanted.get(key).is_some_and(|value| !value.is_null()) || key.starts_with(TAG_PREFIX);
            if let (false, Some(value)) = (kept, found.get(key)) {
                self.within(key, |c| c.push(Some(value), None, Change::InPlace));
            }
        }
    }

    fn defined_tags(&mut self, wanted: &Map<String, Value>, found: &Map<String, Value>) {
        for (namespace, keys) in wanted {
            let live = found.get(namespace);
            for (key, value) in keys.as_object().into_iter().flatten() {
                let live = live.and_then(|keys| keys.get(key));
                let after = Some(value).filter(|value| !value.is_null());
                if live != after {
                    self.within(namespace, |c| {
                        c.within(key, |c| c.push(live, after, Change::InPlace));
                    });
                }
            }
        }
    }
}

/// Whether a connection was ended by its other side: such a peer is shown as no OCID.
fn is_ended(field: &Field, found: &Value) -> bool {
    field.call == Call::Connect && found.is_object()
}

/// A backend's health and the like is OCI's to say; all else of an item is compared.
fn same(item: Item, wanted: &Value, found: &Value) -> bool {
    match (item, wanted.as_object(), found.as_object()) {
        (Item::Backend, Some(wanted), Some(found)) => wanted.iter().all(|(key, value)| found.get(key) == Some(value)),
        _ => wanted == found,
    }
}

/// A search domain that was not asked for follows from the kind of the domain name.
fn searches(option: &Value) -> bool {
    option["type"] == "SearchDomain"
}

fn verdict(field: &Field, found: Option<&Value>) -> Change {
    let set = found.is_some_and(|value| *value != Value::Bool(false));
    if field.once && set {
        Change::Replace
    } else {
        field.change
    }
}
