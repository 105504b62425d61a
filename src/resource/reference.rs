//! References: a field whose value is a field of another object, known only once that object is there.
//!
//! The grammar is one shape and nothing else: an object of exactly two keys,
//! `{"$ref": {"kind": "Subnet", "name": "payments-workers"}, "field": "id"}`, where `$ref` has exactly `kind` and `name`.
//! It always names an OCI document: what Kubernetes objects need of each other they name by themselves.

use serde_json::{Map, Value, json};

use super::path::visit_objects;
use super::{FieldPath, ResourceId, Target};

/// API group of the OCI documents.
pub const OCI_GROUP: &str = "oci.fleetwright.dev";

/// `apiVersion` of the OCI documents.
pub const OCI_API_VERSION: &str = "oci.fleetwright.dev/v1alpha1";

const REF: &str = "$ref";

/// A reference to a field of another object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// The object.
    pub id: ResourceId,
    /// Its field: `id` is its OCID, `ipAddresses[0].ipAddress` one deeper in it.
    pub field: String,
}

impl Reference {
    /// A reference to an OCI document's OCID.
    pub fn to_oci(kind: &str, name: &str) -> Self {
        Self {
            id: oci_id(kind, name),
            field: "id".to_owned(),
        }
    }

    /// The value that stands in a document until it is resolved.
    pub fn to_value(&self) -> Value {
        json!({ REF: { "kind": self.id.kind, "name": self.id.name }, "field": self.field })
    }

    /// Reads one value; none where it is no reference, be it for a wrong shape.
    pub fn parse(value: &Value) -> Option<Self> {
        let map = value.as_object()?;
        let target = map.get(REF)?.as_object()?;
        if map.len() != 2 || target.len() != 2 {
            return None;
        }
        let kind = text(target, "kind")?;
        let name = text(target, "name")?;
        let field = text(map, "field")?;
        Some(Self {
            id: oci_id(kind, name),
            field: field.to_owned(),
        })
    }
}

/// The id of an OCI document.
pub fn oci_id(kind: &str, name: &str) -> ResourceId {
    ResourceId {
        target: Target::Oci,
        group: OCI_GROUP.to_owned(),
        kind: kind.to_owned(),
        namespace: None,
        name: name.to_owned(),
    }
}

/// What stands at a reference's field: names joined by dots, and `[0]` after one for an item of its list.
pub fn at_field<'a>(value: &'a Value, field: &str) -> Option<&'a Value> {
    let pointer = field.replace('[', ".").replace(']', "").replace('.', "/");
    value.pointer(&format!("/{pointer}")).filter(|found| !found.is_null())
}

fn text<'a>(map: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    map.get(key)?.as_str().filter(|text| !text.is_empty())
}

/// Every reference of a document, in the order of its fields.
pub fn references(body: &Value) -> Vec<(FieldPath, Reference)> {
    let mut found = Vec::new();
    visit_objects(body, &holds_ref, &mut |path, value| {
        found.extend(Reference::parse(value).map(|reference| (path.clone(), reference)));
    });
    found
}

/// Every place where `$ref` stands in another shape than a reference's.
pub fn malformed_references(body: &Value) -> Vec<FieldPath> {
    let mut found = Vec::new();
    visit_objects(body, &holds_ref, &mut |path, value| {
        if Reference::parse(value).is_none() {
            found.push(path.clone());
        }
    });
    found
}

fn holds_ref(map: &Map<String, Value>) -> bool {
    map.contains_key(REF)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_references_in_maps_and_lists_with_their_paths() {
        let subnet = Reference::to_oci("Subnet", "a-workers");
        let body = json!({"spec": {"list": [1, subnet.to_value()], "vcnId": Reference::to_oci("Vcn", "a").to_value()}});
        let found = references(&body);
        let paths: Vec<String> = found.iter().map(|(path, _)| path.to_string()).collect();
        assert_eq!(paths, [".spec.list[1]", ".spec.vcnId"]);
        assert_eq!(found[0].1, subnet);
        assert_eq!(found[0].1.field, "id");
    }

    #[test]
    fn a_field_may_be_an_item_of_a_list() {
        let shown = json!({"id": "o", "ipAddresses": [{"ipAddress": "10.0.0.7"}], "none": null});
        assert_eq!(at_field(&shown, "id"), Some(&json!("o")));
        assert_eq!(at_field(&shown, "ipAddresses[0].ipAddress"), Some(&json!("10.0.0.7")));
        for missing in ["ipAddresses[1].ipAddress", "ipAddress", "none"] {
            assert_eq!(at_field(&shown, missing), None, "{missing}");
        }
    }

    #[test]
    fn another_shape_is_no_reference_and_is_reported() {
        for broken in [
            json!({"$ref": "Subnet/a", "field": "id"}),
            json!({"$ref": {"kind": "Subnet", "name": "a"}}),
            json!({"$ref": {"kind": "Subnet", "name": ""}, "field": "id"}),
            json!({"$ref": {"kind": "Subnet", "name": "a", "namespace": "b"}, "field": "id"}),
            json!({"$ref": {"kind": "Subnet", "name": "a"}, "field": "id", "more": 1}),
        ] {
            let body = json!({"spec": {"subnetId": broken}});
            assert_eq!(references(&body), []);
            assert_eq!(malformed_references(&body).len(), 1, "{body}");
        }
    }
}
