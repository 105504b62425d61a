//! Rules of a firewall, kept small.
//!
//! A rule is a tree of small maps: as such a security list takes some fifty kilobytes, and as text five. Whoever keeps thousands
//! of lists keeps their rules as text until they are looked at.

use serde_json::{Map, Value};

/// The fields of a resource that hold security rules, as JSON text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PackedRules(Vec<(&'static str, Box<str>)>);

const FIELDS: [&str; 2] = ["egressSecurityRules", "ingressSecurityRules"];

impl PackedRules {
    /// Takes them out of a resource.
    pub(crate) fn take(resource: &mut Map<String, Value>) -> Self {
        let packed = FIELDS.into_iter().filter_map(|field| {
            let rules = resource.remove(field)?;
            Some((field, rules.to_string().into_boxed_str()))
        });
        Self(packed.collect())
    }

    /// Puts them back where they were taken from.
    pub(crate) fn put_back(&self, resource: &mut Map<String, Value>) {
        for (field, text) in &self.0 {
            // It was written here, and is JSON.
            let rules = serde_json::from_str(text).unwrap_or_default();
            resource.insert((*field).to_owned(), rules);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_taken_comes_back_and_nothing_else_is_touched() {
        let whole = json!({
            "id": "a", "ingressSecurityRules": [{"source": "10.0.0.0/8", "protocol": "6"}], "egressSecurityRules": null,
            "routeRules": [{"destination": "0.0.0.0/0"}]
        });
        for whole in [whole, json!({"id": "b"})] {
            let mut resource = whole.as_object().unwrap().clone();
            let packed = PackedRules::take(&mut resource);
            assert!(!resource.keys().any(|key| key.ends_with("SecurityRules")));
            packed.put_back(&mut resource);
            assert_eq!(Value::Object(resource), whole);
        }
    }
}
