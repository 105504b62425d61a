//! Strategic merge patches: maps merge, lists merge by the keys that the kind's own schema names.
//!
//! Directives are `$patch` (`delete`, `replace`, `merge`), `$deleteFromPrimitiveList/<field>`,
//! `$setElementOrder/<field>` and `$retainKeys`.

use serde_json::{Map, Value};

use super::openapi;

/// Where in the schema a value stands; none where nothing is known of it.
type Place<'a> = Option<&'a Value>;

/// Applies a patch to an object of the type that `definition` names.
pub(super) fn merge(document: &mut Value, patch: &Value, definition: &str) {
    merge_map(document, patch, openapi::definition(definition));
}

/// What a schema says beside a reference, and what it refers to.
fn resolve(schema: &Value) -> &Value {
    let target = schema["$ref"].as_str().or_else(|| schema["allOf"][0]["$ref"].as_str());
    target.and_then(openapi::definition).unwrap_or(schema)
}

fn field<'a>(place: Place<'a>, name: &str) -> Place<'a> {
    let place = resolve(place?);
    place["properties"]
        .get(name)
        .or_else(|| place.get("additionalProperties"))
}

fn merge_map(document: &mut Value, patch: &Value, place: Place<'_>) {
    let Value::Object(changes) = patch else {
        *document = patch.clone();
        return;
    };
    if changes.get("$patch").is_some_and(|directive| directive == "replace") {
        let mut whole = changes.clone();
        whole.remove("$patch");
        *document = Value::Object(whole);
        return;
    }
    if !document.is_object() {
        *document = Value::Object(Map::new());
    }
    let Value::Object(entries) = document else { return };
    if let Some(kept) = changes.get("$retainKeys").and_then(Value::as_array) {
        entries.retain(|name, _| kept.iter().any(|keep| keep == name.as_str()));
    }
    for (name, change) in changes {
        if let Some(list) = name.strip_prefix("$deleteFromPrimitiveList/") {
            let gone = change.as_array().map(Vec::as_slice).unwrap_or_default();
            if let Some(Value::Array(items)) = entries.get_mut(list) {
                items.retain(|item| !gone.contains(item));
            }
        }
    }
    for (name, change) in changes.iter().filter(|(name, _)| !name.starts_with('$')) {
        let below = field(place, name);
        match change {
            Value::Null => {
                entries.remove(name);
            }
            Value::Object(map) if map.get("$patch").is_some_and(|directive| directive == "delete") => {
                entries.remove(name);
            }
            Value::Object(_) => merge_map(entries.entry(name.clone()).or_insert(Value::Null), change, below),
            Value::Array(items) => {
                let order = changes
                    .get(&format!("$setElementOrder/{name}"))
                    .and_then(Value::as_array);
                let live = entries.entry(name.clone()).or_insert_with(|| Value::Array(Vec::new()));
                merge_list(live, items, below, order);
            }
            scalar => {
                entries.insert(name.clone(), scalar.clone());
            }
        }
    }
    // An order alone sorts what is there.
    for (name, order) in changes {
        let Some(list) = name
            .strip_prefix("$setElementOrder/")
            .filter(|list| !changes.contains_key(*list))
        else {
            continue;
        };
        let key = merge_key(field(place, list));
        if let (Some(Value::Array(items)), Some(order)) = (entries.get_mut(list), order.as_array()) {
            let before = items.clone();
            sort(items, &before, order, key);
        }
    }
}

fn merges(place: Place<'_>) -> bool {
    place.is_some_and(|place| {
        let strategy = place["x-kubernetes-patch-strategy"].as_str().unwrap_or_default();
        strategy.split(',').any(|one| one == "merge")
    })
}

fn merge_key(place: Place<'_>) -> Option<&str> {
    place?["x-kubernetes-patch-merge-key"].as_str()
}

fn merge_list(live: &mut Value, items: &[Value], place: Place<'_>, order: Option<&Vec<Value>>) {
    let is_replacement = |item: &Value| item["$patch"] == "replace";
    let Value::Array(current) = live else {
        *live = Value::Array(items.to_vec());
        return;
    };
    if !merges(place) || items.iter().any(is_replacement) {
        *current = items.iter().filter(|item| !is_replacement(item)).cloned().collect();
        return;
    }
    let before = current.clone();
    let key = merge_key(place);
    let below = place.map(resolve).and_then(|list| list.get("items"));
    for item in items {
        let Some(key) = key else {
            if !current.contains(item) {
                current.push(item.clone());
            }
            continue;
        };
        let at = current.iter().position(|have| have.get(key) == item.get(key));
        match (item["$patch"] == "delete", at) {
            (true, _) => current.retain(|have| have.get(key) != item.get(key)),
            (false, Some(at)) => {
                if let Some(have) = current.get_mut(at) {
                    merge_map(have, item, below);
                }
            }
            (false, None) => current.push(item.clone()),
        }
    }
    sort(current, &before, order.map_or(items, Vec::as_slice), key);
}

/// Items that the patch names come in its order; among the others they stand where they stood, new ones before those.
fn sort(items: &mut Vec<Value>, before: &[Value], order: &[Value], key: Option<&str>) {
    let same = |a: &Value, b: &Value| match key {
        Some(key) => a.get(key) == b.get(key),
        None => a == b,
    };
    let named = |item: &Value| order.iter().position(|wanted| same(wanted, item));
    let stood = |item: &Value| before.iter().position(|one| same(one, item));
    let (mut wanted, others): (Vec<Value>, Vec<Value>) = std::mem::take(items)
        .into_iter()
        .partition(|item| named(item).is_some());
    wanted.sort_by_key(|item| named(item));
    let mut others = others.into_iter().peekable();
    for item in wanted {
        while let Some(other) = others.next_if(|other| stood(other) < stood(&item)) {
            items.push(other);
        }
        items.push(item);
    }
    items.extend(others);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SERVICE: &str = "io.k8s.api.core.v1.Service";

    #[test]
    fn lists_merge_by_the_keys_of_the_kind() {
        let mut service = json!({"metadata": {"finalizers": ["a"]}, "spec": {
            "ports": [{"port": 80, "name": "web"}, {"port": 443, "name": "tls"}], "externalIPs": ["1.1.1.1"]}});
        let patch = json!({"metadata": {"finalizers": ["b"]}, "spec": {"externalIPs": ["2.2.2.2"],
            "ports": [{"port": 443, "$patch": "delete"}, {"port": 80, "targetPort": 8080}, {"port": 81}],
            "$setElementOrder/ports": [{"port": 81}, {"port": 80}]}});
        merge(&mut service, &patch, SERVICE);
        assert_eq!(
            service["spec"]["ports"],
            json!([{"port": 81}, {"port": 80, "name": "web", "targetPort": 8080}])
        );
        assert_eq!(service["metadata"]["finalizers"], json!(["b", "a"]));
        // A list without a strategy is replaced.
        assert_eq!(service["spec"]["externalIPs"], json!(["2.2.2.2"]));
        merge(
            &mut service,
            &json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"]}}),
            SERVICE,
        );
        assert_eq!(service["metadata"]["finalizers"], json!(["b"]));
        merge(
            &mut service,
            &json!({"spec": {"$patch": "replace", "type": "x"}}),
            SERVICE,
        );
        assert_eq!(service["spec"], json!({"type": "x"}));
    }
}
