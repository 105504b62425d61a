//! What clusters have in common → the layers above them.
//!
//! Invariant: merging the layers gives each cluster what it had; what is lifted saves more lines than it costs.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

type Settings = Map<String, Value>;

/// Keys of which a nearer layer can't take back what a farther one has in them: only what all have alike is lifted.
const WHOLE: [&str; 5] = ["hostedCluster", "nodePool", "pools", "existing", "poolDefaults"];

/// What a lone cluster has that the next one will have too.
const LIKELY: [&str; 9] = [
    "region",
    "tenancy",
    "compartment",
    "releaseRepository",
    "baseDomain",
    "etcd",
    "pullSecret",
    "sshKey",
    "poolDefaults",
];

/// What every cluster has unless the files say otherwise, as far as an import says anything of it.
pub(super) fn built_in() -> Settings {
    let all: Option<Settings> = serde_yaml::from_str(include_str!("../fleet/defaults.yaml")).ok();
    let mut all = all.unwrap_or_default();
    for key in ["manage", "poolDefaults"] {
        all.remove(key);
    }
    if let Some(network) = all.get_mut("network").and_then(Value::as_object_mut) {
        network.retain(|key, _| ["cluster", "hostPrefix", "service", "type"].contains(&key.as_str()));
    }
    all
}

/// Writes out what is left to the built-in layer, so that no other layer comes in between.
pub(super) fn fill(settings: &mut Settings, built_in: &Settings) {
    for (key, value) in built_in {
        match (settings.get_mut(key), value) {
            (Some(Value::Object(settings)), Value::Object(built_in)) => fill(settings, built_in),
            (Some(_), _) => {}
            (None, _) => drop(settings.insert(key.clone(), value.clone())),
        }
    }
}

/// Takes what is as the built-in layer has it out of the layers again; the farthest comes first.
pub(super) fn prune(layers: &mut [Vec<&mut Settings>], built_in: &Settings) {
    for (key, value) in built_in {
        if let Value::Object(inner) = value {
            let mut below: Vec<Vec<&mut Settings>> = Vec::new();
            for layer in layers.iter_mut() {
                let maps = layer.iter_mut().filter_map(|map| map.get_mut(key)?.as_object_mut());
                below.push(maps.collect());
            }
            prune(&mut below, inner);
            for map in layers.iter_mut().flatten() {
                if map.get(key).and_then(Value::as_object).is_some_and(Map::is_empty) {
                    map.remove(key);
                }
            }
            continue;
        }
        for layer in layers.iter_mut() {
            for map in layer.iter_mut() {
                if map.get(key) == Some(value) {
                    map.remove(key);
                }
            }
            // From here on it has to be said that it is as usual.
            if layer.iter().any(|map| map.contains_key(key)) {
                break;
            }
        }
    }
}

/// Takes out of some maps what most of them have.
pub(super) fn lift(maps: &mut [&mut Settings]) -> Settings {
    if let [only] = maps {
        let likely = LIKELY.iter().filter_map(|key| only.remove_entry(*key));
        return likely.collect();
    }
    lift_level(maps)
}

fn keys(maps: &[&mut Settings]) -> BTreeSet<String> {
    maps.iter().flat_map(|map| map.keys().cloned()).collect()
}

fn lift_level(maps: &mut [&mut Settings]) -> Settings {
    let mut base = Settings::new();
    for key in keys(maps) {
        let values = || maps.iter().filter_map(|map| map.get(&key));
        let lifted = if WHOLE.contains(&key.as_str()) {
            lift_alike(maps, &key)
        } else if values().all(Value::is_object) {
            Some(lift_map(maps, &key))
                .filter(|map| !map.is_empty())
                .map(Value::Object)
        } else {
            lift_leaf(maps, &key)
        };
        base.extend(lifted.map(|value| (key, value)));
    }
    base
}

/// The value that most have, where that spares lines: those that have none have to say so.
fn lift_leaf(maps: &mut [&mut Settings], key: &str) -> Option<Value> {
    let mut counts: BTreeMap<String, (usize, &Value)> = BTreeMap::new();
    for value in maps.iter().filter_map(|map| map.get(key)) {
        counts.entry(value.to_string()).or_insert((0, value)).0 += 1;
    }
    let have: usize = counts.values().map(|(count, _)| count).sum();
    let (_, (count, value)) = counts
        .iter()
        .max_by_key(|(text, (count, _))| (*count, std::cmp::Reverse(text.as_str())))?;
    if *count < maps.len() - have + 2 {
        return None;
    }
    let value = (*value).clone();
    for map in maps {
        match map.get(key) {
            Some(own) if *own == value => drop(map.remove(key)),
            Some(_) => {}
            // One of the two takes the place of the other.
            None if key == "shared" && map.contains_key("existing") => {}
            None => drop(map.insert(key.to_owned(), Value::Null)),
        }
    }
    Some(value)
}

/// The same of what is below a key; where a map lacks the key it is taken for empty.
fn lift_map(maps: &mut [&mut Settings], key: &str) -> Settings {
    let mut inner: Vec<&mut Settings> = Vec::new();
    for map in maps.iter_mut() {
        let value = map.entry(key.to_owned()).or_insert_with(|| Value::Object(Map::new()));
        inner.extend(value.as_object_mut());
    }
    let lifted = lift_level(&mut inner);
    for map in maps {
        if map.get(key).and_then(Value::as_object).is_some_and(Map::is_empty) {
            map.remove(key);
        }
    }
    lifted
}

/// What all have alike: of a map with names in it, each by itself.
fn lift_alike(maps: &mut [&mut Settings], key: &str) -> Option<Value> {
    let first = maps.first()?.get(key)?.clone();
    if maps.iter().all(|map| map.get(key) == Some(&first)) {
        maps.iter_mut().for_each(|map| drop(map.remove(key)));
        return Some(first);
    }
    if key == "existing" {
        // Parts of two networks are none.
        return None;
    }
    let alike: Settings = first
        .as_object()?
        .iter()
        .filter(|(name, value)| {
            let is_alike = |map: &&mut Settings| map.get(key).and_then(|own| own.get(name.as_str())) == Some(*value);
            maps.iter().all(is_alike)
        })
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    for map in maps.iter_mut() {
        if let Some(own) = map.get_mut(key).and_then(Value::as_object_mut) {
            own.retain(|name, _| !alike.contains_key(name));
        }
        if map.get(key).and_then(Value::as_object).is_some_and(Map::is_empty) {
            map.remove(key);
        }
    }
    (!alike.is_empty()).then_some(Value::Object(alike))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn lifted(maps: Value) -> (Value, Value) {
        let mut maps: Vec<Settings> = serde_json::from_value(maps).unwrap();
        let base = lift(&mut maps.iter_mut().collect::<Vec<_>>());
        (Value::Object(base), json!(maps))
    }

    #[test]
    fn what_most_have_is_lifted_and_who_lacks_it_says_so() {
        assert_eq!(
            lifted(
                json!([{"a": 1, "m": {"x": 1}}, {"a": 1, "m": {"x": 1, "y": 2}}, {"a": 1, "m": {"x": 1}}, {"m": {"x": 3}}])
            ),
            (
                json!({"a": 1, "m": {"x": 1}}),
                json!([{}, {"m": {"y": 2}}, {}, {"a": null, "m": {"x": 3}}])
            )
        );
        let apart = json!([{"a": 1}, {"a": 2}]);
        assert_eq!(lifted(apart.clone()), (json!({}), apart));
        let rare = json!([{"a": 1}, {"a": 1}, {}]);
        assert_eq!(lifted(rare.clone()), (json!({}), rare));
    }

    #[test]
    fn patches_pools_and_networks_are_lifted_only_where_all_have_them() {
        assert_eq!(
            lifted(json!([{"hostedCluster": {"a": {"b": 1}, "c": 1}}, {"hostedCluster": {"a": {"b": 1}, "c": 2}}])),
            (
                json!({"hostedCluster": {"a": {"b": 1}}}),
                json!([{"hostedCluster": {"c": 1}}, {"hostedCluster": {"c": 2}}])
            )
        );
        let networks =
            json!([{"network": {"existing": {"vcn": "a"}}}, {"network": {"existing": {"vcn": "a", "x": 1}}}]);
        assert_eq!(lifted(networks.clone()), (json!({}), networks));
        let empty = json!([{"network": {"existing": {}}}, {"network": {"existing": {}}}]);
        assert_eq!(lifted(empty), (json!({"network": {"existing": {}}}), json!([{}, {}])));
    }

    #[test]
    fn what_is_built_in_is_said_only_where_a_layer_says_otherwise() {
        let built_in = json!({"a": 1, "m": {"x": 1}}).as_object().unwrap().clone();
        let map = |value: Value| value.as_object().unwrap().clone();
        let (mut far, mut one, mut two) = (
            map(json!({"a": 2, "m": {"x": 1}})),
            map(json!({"a": 1, "m": {"x": 1}})),
            map(json!({"m": {"x": 2}})),
        );
        prune(&mut [vec![&mut far], vec![&mut one, &mut two]], &built_in);
        assert_eq!(json!([far, one, two]), json!([{"a": 2}, {"a": 1}, {"m": {"x": 2}}]));
    }

    #[test]
    fn the_built_in_layer_is_read() {
        assert_eq!(built_in()["network"]["hostPrefix"], 23);
    }
}
