//! What the references of a document stand for, as far as that is known before anything is made.
//!
//! A reference to what is there becomes its value. One to what is still to be made becomes a text that says so, for the
//! comparison and for people, and the reference again in the document that is written: the executor fills it then.
//!
//! What is looked up by name (`$lookup`, `$compartment`) is no reference: it is there already or it is an error, and
//! whoever makes a plan has asked for it before. `$service` is a word of the OCI provider's own.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::inventory::InventoryKey;
use crate::providers::{LiveObject, Observation, Observed, Stored};
use crate::resource::lookup::holds_lookup;
use crate::resource::reference::at_field;
use crate::resource::{Reference, ResourceId, Target, visit_objects};

/// How a field is shown whose value is known only when what it refers to is there.
pub const KNOWN_AFTER_APPLY: &str = "(known after apply)";

/// Something to be looked up.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LookUp {
    /// Region of the document that it stands in; empty where the document has none, and the look-up names its own.
    pub region: String,
    /// OCID of the document's tenancy, where it names one. What the look-up names itself comes first.
    pub tenancy: Option<String>,
    /// What stands in the document, as canonical JSON text.
    pub what: String,
}

/// What look-ups came to: a value, or why there is none.
pub type LookUps = BTreeMap<LookUp, Result<Value, String>>;

/// Where a document is: a look-up that names no place is there.
struct Whereabouts {
    region: String,
    tenancy: Option<String>,
}

impl Whereabouts {
    fn of(document: &Value) -> Self {
        // A HostedCluster has both among what it says of its platform.
        let spec = &document["spec"];
        let text = |name: &str| {
            let value = spec[name].as_str().or_else(|| spec["platform"]["oci"][name].as_str());
            value.map(str::to_owned)
        };
        Self {
            region: text("region").unwrap_or_default(),
            tenancy: text("tenancy"),
        }
    }

    fn look_up(&self, what: &Value) -> LookUp {
        LookUp {
            region: self.region.clone(),
            tenancy: self.tenancy.clone(),
            what: what.to_string(),
        }
    }
}

impl LookUp {
    /// Everything to be looked up for a document.
    pub fn all(document: &Value) -> Vec<Self> {
        let (mut found, at) = (Vec::new(), Whereabouts::of(document));
        visit_objects(document, &holds_lookup, &mut |_, value| {
            found.push(at.look_up(value));
        });
        found
    }
}

fn is_looked_up(value: &Value) -> bool {
    value.as_object().is_some_and(holds_lookup)
}

/// What could not be filled in.
#[derive(Debug, Default)]
pub(super) struct Open {
    /// References to what is still to be made; [`KNOWN_AFTER_APPLY`] stands for them.
    pub(super) unresolved: Vec<Reference>,
    /// Why something that was looked up is not known.
    pub(super) unknown: Vec<String>,
}

/// What can be said of references.
pub(super) struct Known<'a> {
    looked_up: &'a LookUps,
    observed: &'a BTreeMap<Target, Observation>,
    /// OCIDs of what is recorded: what can't be looked at now, or is out of scope, has the id that it had.
    recorded: BTreeMap<&'a ResourceId, &'a str>,
}

impl<'a> Known<'a> {
    pub(super) fn new(
        observed: &'a BTreeMap<Target, Observation>,
        inventories: &'a BTreeMap<InventoryKey, Stored>,
        looked_up: &'a LookUps,
    ) -> Self {
        let entries = inventories.values().flat_map(|stored| &stored.inventory.entries);
        Self {
            looked_up,
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

    /// Fills a document in. What nobody looked up stays as it is: then nothing is compared either.
    pub(super) fn fill(&self, document: &mut Value) -> Open {
        let mut open = Open::default();
        let at = Whereabouts::of(document);
        visit(document, &mut |value| {
            if let Some(reference) = Reference::parse(value) {
                *value = self.value(&reference).unwrap_or_else(|| {
                    let placeholder = placeholder(&reference);
                    open.unresolved.push(reference);
                    placeholder
                });
                return Visited::Whole;
            }
            if !is_looked_up(value) {
                return Visited::Within;
            }
            match self.looked_up.get(&at.look_up(value)) {
                Some(Ok(found)) => *value = found.clone(),
                Some(Err(reason)) if !open.unknown.contains(reason) => open.unknown.push(reason.clone()),
                Some(Err(_)) => {}
                None => {}
            }
            Visited::Whole
        });
        open
    }
}

/// Fills in what was found of what a document names; what was not found stays.
pub fn fill_found(document: &mut Value, look_ups: &LookUps) {
    let at = Whereabouts::of(document);
    visit(document, &mut |value| {
        if !is_looked_up(value) {
            return Visited::Within;
        }
        if let Some(Ok(found)) = look_ups.get(&at.look_up(value)) {
            *value = found.clone();
        }
        Visited::Whole
    });
}

/// Fills a document's references in by what was made meanwhile; gives those that stay open.
pub fn resolve(document: &mut Value, value: impl Fn(&Reference) -> Option<Value>) -> Vec<Reference> {
    let mut open = Vec::new();
    visit(document, &mut |at| {
        let Some(reference) = Reference::parse(at) else {
            return Visited::Within;
        };
        match value(&reference) {
            Some(found) => *at = found,
            None => open.push(reference),
        }
        Visited::Whole
    });
    open
}

/// A field of a live OCI document: its OCID as `id`, else one below `status` or `spec`.
pub fn field_of(live: &LiveObject, field: &str) -> Option<Value> {
    if field == "id" {
        return Some(Value::from(live.uid.as_str()));
    }
    let document = live.parse().ok()?;
    let parts = ["status", "spec"];
    parts
        .iter()
        .find_map(|part| at_field(document.get(part)?, field))
        .cloned()
}

fn placeholder(reference: &Reference) -> Value {
    let Reference { id, field } = reference;
    Value::from(format!("{KNOWN_AFTER_APPLY} {}/{}.{field}", id.kind, id.name))
}

/// Puts the references back that [`Known::fill`] took out and could not resolve.
pub(super) fn restore(document: &mut Value, unresolved: &[Reference]) {
    if unresolved.is_empty() {
        return;
    }
    visit(document, &mut |value| {
        let reference = unresolved.iter().find(|reference| *value == placeholder(reference));
        match reference {
            Some(reference) => {
                *value = reference.to_value();
                Visited::Whole
            }
            None => Visited::Within,
        }
    });
}

enum Visited {
    /// There is nothing more to see in it.
    Whole,
    /// Its members come next.
    Within,
}

/// Calls `see` on every value, from the outside in.
fn visit(value: &mut Value, see: &mut impl FnMut(&mut Value) -> Visited) {
    if let Visited::Whole = see(value) {
        return;
    }
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| visit(item, see)),
        Value::Object(map) => map.values_mut().for_each(|member| visit(member, see)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::resource::reference::oci_id;

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
        let there = Observed::Present(live(&json!({"status": {"addresses": [{"ip": "10.0.0.7"}]}})));
        observation.objects.insert(oci_id("Subnet", "there"), there);
        observation.objects.insert(oci_id("Subnet", "a.b"), Observed::Absent);
        let observed = BTreeMap::from([(Target::Oci, observation)]);
        let inventories = BTreeMap::new();
        let compartment = |path: &str| json!({"$compartment": {"path": path}});
        let (found, lost) = (compartment("a"), compartment("a/b"));
        let look_up = |what: &Value| LookUp {
            region: "eu-frankfurt-1".to_owned(),
            tenancy: None,
            what: what.to_string(),
        };
        let looked_up = LookUps::from([
            (look_up(&found), Ok("ocid1.compartment".into())),
            (look_up(&lost), Err("no such compartment".to_owned())),
        ]);
        let known = Known::new(&observed, &inventories, &looked_up);

        let to_come = Reference::to_oci("Subnet", "a.b");
        let nested = json!({"$ref": {"kind": "Subnet", "name": "a.b"}, "field": "ipAddresses[0].ipAddress"});
        let original = json!({"list": [to_come.to_value()], "nested": nested, "x": "(known after apply)"});
        let mut document = original.clone();
        document["here"] = Reference::to_oci("Subnet", "there").to_value();
        document["ip"] = json!({"$ref": {"kind": "Subnet", "name": "there"}, "field": "addresses[0].ip"});
        document["spec"] = json!({"region": "eu-frankfurt-1", "a": found, "b": lost});
        assert_eq!(LookUp::all(&document), [look_up(&found), look_up(&lost)]);
        let open = known.fill(&mut document);
        let nested = Reference {
            field: "ipAddresses[0].ipAddress".to_owned(),
            ..to_come.clone()
        };
        assert_eq!(open.unresolved, [to_come, nested]);
        assert_eq!(open.unknown, ["no such compartment"]);
        assert_eq!(document["spec"]["a"], "ocid1.compartment");
        assert_eq!(document["here"], "ocid1.subnet.oc1.iad.a");
        assert_eq!(document["ip"], "10.0.0.7");
        assert_eq!(document["list"][0], "(known after apply) Subnet/a.b.id");
        restore(&mut document, &open.unresolved);
        assert_eq!(document["list"], original["list"]);
        assert_eq!(document["nested"], original["nested"]);
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
