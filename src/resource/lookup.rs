//! Look-ups: a field whose value is the OCID of something that the fleet does not make, found by its name when a plan is made.
//!
//! Two shapes and nothing else. `{"$lookup": {"kind": "Subnet", "name": "workers", "compartmentId": …, "region":
//! "eu-frankfurt-1", "tenancy": …, "vcnId": …}, "field": "id"}`, where `tenancy` and `vcnId` may be absent and both ids are
//! OCIDs or look-ups themselves; and `{"$compartment": {"path": "parent/child", "tenancy": "ocid1.tenancy…"}}`, where `tenancy` may be absent
//! and is then that of the credentials. A name that more than one thing has is no answer.

use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};

use super::path::visit_objects;
use super::{FieldPath, Ocid};

const LOOKUP: &str = "$lookup";
const COMPARTMENT: &str = "$compartment";

/// A compartment, by OCID or by path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Compartment {
    /// Known.
    Id(Ocid),
    /// To be found: names from the tenancy's root down.
    Path {
        /// The tenancy; that of the credentials where none.
        tenancy: Option<Ocid>,
        /// `parent/child`.
        path: String,
    },
}

/// An OCID, or what it is found by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OciId {
    /// Known.
    Known(Ocid),
    /// To be found.
    Named(Box<Lookup>),
}

/// What an OCID is found by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lookup {
    /// Kind of OCI document.
    pub kind: String,
    /// Display name.
    pub name: String,
    /// Where.
    pub compartment: Compartment,
    /// OCI region id.
    pub region: String,
    /// The tenancy, by whose credentials it is looked for; those for what names none where absent.
    pub tenancy: Option<Ocid>,
    /// The VCN that it is in, where it is in one.
    pub vcn: Option<OciId>,
}

/// One value that waits for a look-up.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pending {
    /// A resource.
    Resource(Lookup),
    /// A compartment by path.
    Compartment(Compartment),
}

impl Compartment {
    /// The value as it stands in a document.
    pub fn to_value(&self) -> Value {
        match self {
            Self::Id(ocid) => Value::from(ocid.as_str()),
            Self::Path { tenancy, path } => {
                let mut inner = Map::from_iter([("path".to_owned(), Value::from(path.as_str()))]);
                if let Some(tenancy) = tenancy {
                    inner.insert("tenancy".to_owned(), tenancy.as_str().into());
                }
                json!({ COMPARTMENT: inner })
            }
        }
    }

    /// Reads one; none where it is neither text nor of the shape.
    pub fn parse(value: &Value) -> Option<Self> {
        if let Some(text) = filled(Some(value)) {
            return Some(Self::Id(Ocid::new(text)));
        }
        let map = value.as_object().filter(|map| map.len() == 1)?;
        let inner = map.get(COMPARTMENT)?.as_object()?;
        let tenancy = optional(inner, "tenancy", |value| Some(Ocid::new(filled(Some(value))?)))?;
        let path = filled(inner.get("path"))?;
        let known = 1 + usize::from(tenancy.is_some());
        let whole = path.split('/').all(|name| !name.is_empty());
        (inner.len() == known && whole).then(|| Self::Path {
            tenancy,
            path: path.to_owned(),
        })
    }
}

impl OciId {
    /// The value as it stands in a document.
    pub fn to_value(&self) -> Value {
        match self {
            Self::Known(ocid) => Value::from(ocid.as_str()),
            Self::Named(lookup) => lookup.to_value(),
        }
    }

    fn parse(value: &Value) -> Option<Self> {
        match filled(Some(value)) {
            Some(text) => Some(Self::Known(Ocid::new(text))),
            None => Lookup::parse(value).map(|lookup| Self::Named(Box::new(lookup))),
        }
    }
}

impl Lookup {
    /// The value that stands in a document until it is resolved.
    pub fn to_value(&self) -> Value {
        let mut inner = Map::from_iter([
            ("kind".to_owned(), Value::from(self.kind.as_str())),
            ("name".to_owned(), self.name.as_str().into()),
            ("compartmentId".to_owned(), self.compartment.to_value()),
            ("region".to_owned(), self.region.as_str().into()),
        ]);
        if let Some(tenancy) = &self.tenancy {
            inner.insert("tenancy".to_owned(), tenancy.as_str().into());
        }
        if let Some(vcn) = &self.vcn {
            inner.insert("vcnId".to_owned(), vcn.to_value());
        }
        json!({ LOOKUP: inner, "field": "id" })
    }

    /// Reads one value; none where it is no look-up, be it for a wrong shape.
    pub fn parse(value: &Value) -> Option<Self> {
        let map = value.as_object()?;
        let inner = map.get(LOOKUP)?.as_object()?;
        if map.len() != 2 || map.get("field").and_then(Value::as_str) != Some("id") {
            return None;
        }
        let vcn = optional(inner, "vcnId", OciId::parse)?;
        let tenancy = optional(inner, "tenancy", |value| Some(Ocid::new(filled(Some(value))?)))?;
        if inner.len() != 4 + usize::from(vcn.is_some()) + usize::from(tenancy.is_some()) {
            return None;
        }
        Some(Self {
            kind: filled(inner.get("kind"))?.to_owned(),
            name: filled(inner.get("name"))?.to_owned(),
            compartment: Compartment::parse(inner.get("compartmentId")?)?,
            region: filled(inner.get("region"))?.to_owned(),
            tenancy,
            vcn,
        })
    }
}

impl Serialize for Compartment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_value().serialize(serializer)
    }
}

impl Serialize for OciId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_value().serialize(serializer)
    }
}

/// What is absent is fine, what is there has to parse: `None` where it does not.
#[expect(clippy::option_option, reason = "absent and malformed are two answers")]
fn optional<T>(map: &Map<String, Value>, key: &str, parse: impl FnOnce(&Value) -> Option<T>) -> Option<Option<T>> {
    match map.get(key) {
        None => Some(None),
        Some(value) => parse(value).map(Some),
    }
}

fn filled(value: Option<&Value>) -> Option<&str> {
    value?.as_str().filter(|text| !text.is_empty())
}

/// Every look-up of a document, in the order of its fields; those inside another are that one's part.
pub fn lookups(body: &Value) -> Vec<(FieldPath, Pending)> {
    let mut found = Vec::new();
    visit_objects(body, &holds_lookup, &mut |path, value| {
        found.extend(Pending::parse(value).map(|pending| (path.clone(), pending)));
    });
    found
}

/// Every place where `$lookup` or `$compartment` stands in another shape than a look-up's.
pub fn malformed_lookups(body: &Value) -> Vec<FieldPath> {
    let mut found = Vec::new();
    visit_objects(body, &holds_lookup, &mut |path, value| {
        if Pending::parse(value).is_none() {
            found.push(path.clone());
        }
    });
    found
}

/// Whether an object stands for something to be looked up, be it in a wrong shape.
pub fn holds_lookup(map: &Map<String, Value>) -> bool {
    map.contains_key(LOOKUP) || map.contains_key(COMPARTMENT)
}

impl Pending {
    fn parse(value: &Value) -> Option<Self> {
        if value.get(LOOKUP).is_some() {
            return Lookup::parse(value).map(Self::Resource);
        }
        Compartment::parse(value).map(Self::Compartment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subnet() -> Lookup {
        let compartment = Compartment::Path {
            tenancy: Some(Ocid::new("ocid1.tenancy.oc1..a")),
            path: "prod/network".to_owned(),
        };
        let vcn = Lookup {
            kind: "Vcn".to_owned(),
            name: "prod".to_owned(),
            compartment: compartment.clone(),
            region: "eu-frankfurt-1".to_owned(),
            tenancy: None,
            vcn: None,
        };
        Lookup {
            kind: "Subnet".to_owned(),
            name: "workers".to_owned(),
            compartment,
            region: vcn.region.clone(),
            tenancy: Some(Ocid::new("ocid1.tenancy.oc1..a")),
            vcn: Some(OciId::Named(Box::new(vcn))),
        }
    }

    #[test]
    fn what_is_printed_reads_back_at_its_place() {
        let compartment = subnet().compartment;
        let body = json!({"spec": {"list": [subnet().to_value()], "compartmentId": compartment.to_value()}});
        let found = lookups(&body);
        let paths: Vec<String> = found.iter().map(|(path, _)| path.to_string()).collect();
        assert_eq!(paths, [".spec.compartmentId", ".spec.list[0]"]);
        assert_eq!(found[0].1, Pending::Compartment(compartment));
        assert_eq!(found[1].1, Pending::Resource(subnet()));
        assert_eq!(malformed_lookups(&body), []);
    }

    #[test]
    fn another_shape_is_reported() {
        let good = subnet().to_value();
        let mut broken = vec![
            json!({"$lookup": "Subnet/a", "field": "id"}),
            json!({"$compartment": "a/b"}),
            json!({"$compartment": {"path": "a//b"}}),
            json!({"$compartment": {"path": "a", "more": 1}}),
            json!({"$compartment": {"path": "a"}, "field": "id"}),
        ];
        for key in ["kind", "name", "compartmentId", "region"] {
            let mut value = good.clone();
            value["$lookup"][key] = json!("");
            broken.push(value);
        }
        let mut more = good.clone();
        more["$lookup"]["role"] = json!("worker");
        broken.push(more);
        let mut field = good;
        field["field"] = json!("name");
        broken.push(field);
        for value in broken {
            let body = json!({"spec": {"subnetId": value}});
            assert_eq!(lookups(&body), [], "{body}");
            assert_eq!(malformed_lookups(&body).len(), 1, "{body}");
        }
    }
}
