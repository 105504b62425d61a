//! Values in the place of those that are known only later: of the right form, so that nothing else is judged by them.

use serde_json::{Map, Value};

use crate::plan::known::KNOWN_AFTER_APPLY;
use crate::plan::rendered::kind_of_id;
use crate::resource::Reference;
use crate::resource::lookup::holds_lookup;

/// Fills a document in; gives the paths of what was filled, as a server writes them.
pub fn fill(document: &mut Value) -> Vec<String> {
    let mut filled = Vec::new();
    visit(document, &mut String::new(), &mut filled);
    filled
}

fn visit(value: &mut Value, path: &mut String, filled: &mut Vec<String>) {
    if let Some(stand_in) = stand_in(value) {
        *value = stand_in;
        filled.push(path.clone());
        return;
    }
    let end = path.len();
    match value {
        Value::Object(entries) => {
            for (name, entry) in entries {
                if end > 0 {
                    path.push('.');
                }
                path.push_str(name);
                visit(entry, path, filled);
                path.truncate(end);
            }
        }
        Value::Array(items) => {
            for (at, item) in items.iter_mut().enumerate() {
                path.push_str(&format!("[{at}]"));
                visit(item, path, filled);
                path.truncate(end);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn stand_in(value: &Value) -> Option<Value> {
    match value {
        Value::Object(map) => reference(value).or_else(|| lookup(map)),
        Value::String(text) => {
            if let Some(kind) = kind_of_id(text) {
                return Some(of_field(kind, "id"));
            }
            let (kind, rest) = text.strip_prefix(KNOWN_AFTER_APPLY)?.trim_start().split_once('/')?;
            Some(of_field(kind, rest.rsplit_once('.').map_or("", |(_, field)| field)))
        }
        _ => None,
    }
}

fn reference(value: &Value) -> Option<Value> {
    let Reference { id, field } = Reference::parse(value)?;
    Some(of_field(&id.kind, &field))
}

fn lookup(map: &Map<String, Value>) -> Option<Value> {
    if !holds_lookup(map) {
        return None;
    }
    let kind = map.get("$lookup").and_then(|lookup| lookup["kind"].as_str());
    Some(of_field(kind.unwrap_or("Compartment"), "id"))
}

/// A value of the form that a field of an OCI resource has.
fn of_field(kind: &str, field: &str) -> Value {
    if field == "id" {
        let kind = kind.to_lowercase();
        return format!("ocid1.{kind}.oc1.eu-frankfurt-1.aaaaaaaaaaaaaaaa").into();
    }
    // What is referred to besides are addresses.
    "10.0.0.1".into()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_value_to_come_is_filled_and_named() {
        let mut document = json!({"spec": {
            "vcn": Reference::to_oci("Vcn", "a").to_value(),
            "list": [{"compartment": {"$compartment": {"path": "a/b"}}}, "plain"],
            "old": "(id of Vcn/a)",
            "later": format!("{KNOWN_AFTER_APPLY} NetworkLoadBalancer/a.b.ipAddresses[0].ipAddress"),
        }});
        let filled = fill(&mut document);
        assert_eq!(
            filled,
            ["spec.later", "spec.list[0].compartment", "spec.old", "spec.vcn"]
        );
        assert_eq!(document["spec"]["vcn"], "ocid1.vcn.oc1.eu-frankfurt-1.aaaaaaaaaaaaaaaa");
        assert_eq!(document["spec"]["later"], "10.0.0.1");
        assert_eq!(document["spec"]["list"][1], "plain");
        assert_eq!(document["spec"]["old"], document["spec"]["vcn"]);
    }
}
