//! What the references of a document stand for, as far as that is known before anything is made.
//!
//! A reference to what is there becomes its value. One to what is still to be made becomes a text that says so, for the
//! comparison and for people, and the reference again in the document that is written: the executor fills it then.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::inventory::InventoryKey;
use crate::providers::{LiveObject, Observation, Observed, Stored};
use crate::resource::reference::oci_id;
use crate::resource::{Reference, ResourceId, Target};

/// How a field is shown whose value is known only when what it refers to is there.
pub const KNOWN_AFTER_APPLY: &str = "(known after apply)";

/// What can be said of references.
pub(super) struct Known<'a> {
    observed: &'a BTreeMap<Target, Observation>,
    /// OCIDs of what is recorded: what can't be looked at now, or is out of scope, has the id that it had.
    recorded: BTreeMap<&'a ResourceId, &'a str>,
}

impl<'a> Known<'a> {
    pub(super) fn new(
        observed: &'a BTreeMap<Target, Observation>,
        inventories: &'a BTreeMap<InventoryKey, Stored>,
    ) -> Self {
        let entries = inventories.values().flat_map(|stored| &stored.inventory.entries);
        Self {
            observed,
            recorded: entries
                .filter(|entry| entry.id.target == Target::Oci)
                .filter_map(|entry| Some((&entry.id, entry.uid.as_deref()?)))
                .collect(),
        }
    }

    fn value(&self, reference: &Reference) -> Option<Value> {
        let seen = self
            .observed
            .get(&reference.id.target)
            .and_then(|observation| observation.objects.get(&reference.id));
        match seen {
            Some(Observed::Present(live)) => field_of(live, &reference.field),
            Some(Observed::Absent) => None,
            Some(Observed::Unknown(_)) | None => {
                let uid = self.recorded.get(&reference.id).filter(|_| reference.field == "id")?;
                Some(Value::from(*uid))
            }
        }
    }

    /// Fills a document in; gives the references that can't be known yet, for which [`KNOWN_AFTER_APPLY`] stands in it.
    pub(super) fn fill(&self, document: &mut Value) -> Vec<Reference> {
        let mut unresolved = Vec::new();
        visit(document, &mut |reference| {
            let value = self.value(&reference);
            Some(value.unwrap_or_else(|| {
                let placeholder = placeholder(&reference);
                unresolved.push(reference);
                placeholder
            }))
        });
        unresolved
    }
}

/// Fills a document's references in by what was made meanwhile; gives those that stay open.
pub fn resolve(document: &mut Value, value: impl Fn(&Reference) -> Option<Value>) -> Vec<Reference> {
    let mut open = Vec::new();
    visit(document, &mut |reference| {
        let found = value(&reference);
        if found.is_none() {
            open.push(reference);
        }
        found
    });
    open
}

/// A field of a live OCI document: its OCID as `id`, else a path of names below `status` or `spec`, joined by dots.
pub fn field_of(live: &LiveObject, field: &str) -> Option<Value> {
    if field == "id" {
        return Some(Value::from(live.uid.as_str()));
    }
    let document = live.parse().ok()?;
    let path = field.replace('.', "/");
    let at = |part: &str| document.pointer(&format!("/{part}/{path}")).cloned();
    at("status").or_else(|| at("spec")).filter(|value| !value.is_null())
}

fn placeholder(reference: &Reference) -> Value {
    let Reference { id, field } = reference;
    Value::from(format!("{KNOWN_AFTER_APPLY} {}/{}.{field}", id.kind, id.name))
}

/// Puts the references back that [`Known::fill`] took out.
pub(super) fn restore(document: &mut Value) {
    match document {
        Value::String(text) => {
            if let Some(reference) = parse(text) {
                *document = reference.to_value();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(restore),
        Value::Object(map) => map.values_mut().for_each(restore),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn parse(text: &str) -> Option<Reference> {
    let (kind, rest) = text.strip_prefix(KNOWN_AFTER_APPLY)?.strip_prefix(' ')?.split_once('/')?;
    let (name, field) = rest.rsplit_once('.')?;
    Some(Reference {
        id: oci_id(kind, name),
        field: field.to_owned(),
    })
}

/// Calls `replace` on every reference; what it gives takes the reference's place.
fn visit(value: &mut Value, replace: &mut impl FnMut(Reference) -> Option<Value>) {
    if let Some(reference) = Reference::parse(value) {
        if let Some(found) = replace(reference) {
            *value = found;
        }
        return;
    }
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| visit(item, replace)),
        Value::Object(map) => map.values_mut().for_each(|member| visit(member, replace)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn live(text: &Value) -> LiveObject {
        LiveObject {
            uid: "ocid1.subnet.oc1.iad.a".to_owned(),
            version: String::new(),
            text: text.to_string().into_boxed_str(),
        }
    }

    #[test]
    fn what_is_there_is_filled_in_and_what_is_to_come_stays_a_reference() {
        let mut observation = Observation::default();
        let there = Observed::Present(live(&json!({"status": {"address": {"ip": "10.0.0.7"}}})));
        observation.objects.insert(oci_id("Subnet", "there"), there);
        observation.objects.insert(oci_id("Subnet", "a.b"), Observed::Absent);
        let observed = BTreeMap::from([(Target::Oci, observation)]);
        let inventories = BTreeMap::new();
        let known = Known::new(&observed, &inventories);

        let to_come = Reference::to_oci("Subnet", "a.b");
        let original = json!({"list": [to_come.to_value()], "x": "(known after apply)"});
        let mut document = original.clone();
        document["here"] = Reference::to_oci("Subnet", "there").to_value();
        document["ip"] = json!({"$ref": {"kind": "Subnet", "name": "there"}, "field": "address.ip"});
        assert_eq!(known.fill(&mut document), [to_come]);
        assert_eq!(document["here"], "ocid1.subnet.oc1.iad.a");
        assert_eq!(document["ip"], "10.0.0.7");
        assert_eq!(document["list"][0], "(known after apply) Subnet/a.b.id");
        restore(&mut document);
        assert_eq!(document["list"], original["list"]);
        assert_eq!(document["x"], original["x"], "a text that only looks alike stays");
    }

    #[test]
    fn what_was_made_meanwhile_is_filled_in() {
        let reference = Reference::to_oci("Vcn", "a");
        let mut document = json!({"vcnId": reference.to_value()});
        assert_eq!(resolve(&mut document, |_| None), [reference]);
        assert!(resolve(&mut document, |_| Some("ocid1.vcn".into())).is_empty());
        assert_eq!(document, json!({"vcnId": "ocid1.vcn"}));
    }
}
