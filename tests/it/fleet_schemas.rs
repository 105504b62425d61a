//! The JSON Schemas in `schemas/fleet/` are those of the program. `FLEETWRIGHT_BLESS=1` rewrites them.

use fleetwright::fleet::Kind;

use super::fleet_support::repository;
use super::reference::keep;

#[test]
fn the_committed_schemas_are_current() {
    let directory = repository("schemas/fleet");
    let mut files: Vec<String> = Vec::new();
    let mut schemas = vec![("Document.json".to_owned(), Kind::any_schema())];
    schemas.extend(Kind::ALL.map(|kind| (format!("{}.json", kind.name()), kind.schema())));
    for (name, schema) in schemas {
        let text = format!("{}\n", serde_json::to_string_pretty(&schema).unwrap());
        keep(&format!("schemas/fleet/{name}"), &text);
        files.push(name);
    }
    for entry in std::fs::read_dir(directory).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(files.contains(&name), "{name} is of no kind");
    }
}

#[test]
fn every_key_has_a_description() {
    fn walk(value: &serde_json::Value, path: &str) {
        if let Some(properties) = value.get("properties").and_then(serde_json::Value::as_object) {
            for (key, property) in properties {
                let described = property.get("description").is_some() || path.is_empty() && key == "spec";
                assert!(described, "{path}.{key} has no description");
            }
        }
        if let Some(map) = value.as_object() {
            for (key, value) in map {
                walk(value, &format!("{path}.{key}"));
            }
        }
    }
    for kind in Kind::ALL {
        walk(&kind.schema(), "");
    }
}

#[test]
fn every_pattern_compiles_here_too() {
    fn walk(value: &serde_json::Value, count: &mut usize) {
        if let Some(pattern) = value.get("pattern").and_then(serde_json::Value::as_str) {
            regex::Regex::new(pattern).unwrap();
            *count += 1;
        }
        match value {
            serde_json::Value::Object(map) => map.values().for_each(|value| walk(value, count)),
            serde_json::Value::Array(items) => items.iter().for_each(|value| walk(value, count)),
            _ => {}
        }
    }
    let mut count = 0;
    for kind in Kind::ALL {
        walk(&kind.schema(), &mut count);
    }
    assert!(count > 30, "{count} patterns");
}
