//! Oracle's services in a region, which documents name by a word: `{"$service": "all"}`.
//!
//! Their OCIDs and labels differ from region to region. A word stands for the OCID where a `serviceId` is asked for, and for
//! the label in a rule.

use serde_json::Value;

pub(super) const WORD: &str = "$service";

/// One service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OracleService {
    id: String,
    label: String,
}

/// Reads what the region lists.
pub(super) fn parse(listed: &[Value]) -> Vec<OracleService> {
    let text = |value: &Value, key: &str| value.get(key)?.as_str().map(str::to_owned);
    listed
        .iter()
        .filter_map(|value| {
            Some(OracleService {
                id: text(value, "id")?,
                label: text(value, "cidrBlock")?,
            })
        })
        .collect()
}

/// The words that a document uses.
pub(super) fn words(value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    collect(value, &mut found);
    found.sort_unstable();
    found.dedup();
    found
}

fn collect(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => match word(value) {
            Some(word) => found.push(word.to_owned()),
            None => map.values().for_each(|value| collect(value, found)),
        },
        Value::Array(items) => items.iter().for_each(|value| collect(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn word(value: &Value) -> Option<&str> {
    let map = value.as_object()?;
    if map.len() == 1 { map.get(WORD)?.as_str() } else { None }
}

fn find<'a>(word: &str, services: &'a [OracleService]) -> Option<&'a OracleService> {
    services.iter().find(|service| {
        let label = service.label.as_str();
        label == word
            || (word == "all" && label.starts_with("all-"))
            || label
                .strip_prefix("oci-")
                .and_then(|rest| rest.split_once('-'))
                .is_some_and(|(_, name)| name == word)
    })
}

/// The document with each word replaced by what it stands for.
///
/// # Errors
/// The first word that the region has no service for.
pub(super) fn resolved(value: &Value, services: &[OracleService]) -> Result<Value, String> {
    resolve(value, "", services)
}

fn resolve(value: &Value, key: &str, services: &[OracleService]) -> Result<Value, String> {
    match value {
        Value::Object(map) => match word(value) {
            Some(word) => {
                let service = find(word, services).ok_or_else(|| word.to_owned())?;
                Ok(if key == "serviceId" {
                    &service.id
                } else {
                    &service.label
                }
                .as_str()
                .into())
            }
            None => map
                .iter()
                .map(|(key, value)| Ok((key.clone(), resolve(value, key, services)?)))
                .collect::<Result<_, _>>()
                .map(Value::Object),
        },
        Value::Array(items) => items
            .iter()
            .map(|item| resolve(item, key, services))
            .collect::<Result<_, _>>()
            .map(Value::Array),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(value.clone()),
    }
}

/// What was read, in the words that the desired document uses: so that both compare alike.
pub(super) fn worded(value: &mut Value, words: &[String], services: &[OracleService]) {
    match value {
        Value::Object(map) => map.values_mut().for_each(|value| worded(value, words, services)),
        Value::Array(items) => items.iter_mut().for_each(|value| worded(value, words, services)),
        Value::String(text) => {
            let word = words
                .iter()
                .find(|word| find(word, services).is_some_and(|s| s.id == *text || s.label == *text));
            if let Some(word) = word {
                *value = serde_json::json!({ WORD: word });
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn words_stand_for_ids_and_labels_both_ways() {
        let services = parse(&[
            json!({"id": "ocid1.service.1", "cidrBlock": "all-fra-services-in-oracle-services-network", "name": "All FRA"}),
            json!({"id": "ocid1.service.2", "cidrBlock": "oci-fra-objectstorage", "name": "OCI FRA Object Storage"}),
        ]);
        let desired = json!({
            "services": [{"serviceId": {"$service": "all"}}],
            "routeRules": [{"destination": {"$service": "objectstorage"}}],
        });
        let concrete = resolved(&desired, &services).unwrap();
        assert_eq!(concrete["services"][0]["serviceId"], "ocid1.service.1");
        assert_eq!(concrete["routeRules"][0]["destination"], "oci-fra-objectstorage");
        let mut live = concrete;
        worded(&mut live, &words(&desired), &services);
        assert_eq!(live, desired);
        assert_eq!(
            resolved(&json!({"$service": "none"}), &services),
            Err("none".to_owned())
        );
    }
}
