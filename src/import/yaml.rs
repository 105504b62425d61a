//! Values → YAML as people write it: short things on one line, the important keys first.
//!
//! Invariant: reading it again gives the value; what a reader could take for something else stands in quotes.

use serde_json::{Map, Value};

/// At most so many characters a line, where there is a choice.
const WIDTH: usize = 120;

/// Keys whose maps have a line for each entry however short they are.
const LONG: [&str; 2] = ["clusters", "defaults"];

/// Keys in the order in which they are read best; all others follow by name, and patches come last.
const FIRST: [&str; 41] = [
    "kind",
    "metadata",
    "name",
    "profile",
    "environment",
    "context",
    "region",
    "dialect",
    "tenancy",
    "compartment",
    "version",
    "releaseRepository",
    "channel",
    "baseDomain",
    "availability",
    "infrastructureAvailability",
    "etcd",
    "fips",
    "endpointAccess",
    "publish",
    "services",
    "pullSecret",
    "sshKey",
    "trustBundle",
    "encryptionKey",
    "labels",
    "annotations",
    "network",
    "existing",
    "vcn",
    "shape",
    "ocpus",
    "memoryInGBs",
    "bootVolumeSizeInGBs",
    "replicas",
    "autoscale",
    "rule",
    "cluster",
    "reason",
    "defaults",
    "spec",
];
const LAST: [&str; 5] = ["poolDefaults", "pools", "clusters", "hostedCluster", "nodePool"];

/// One document.
pub(super) fn document(value: &Value) -> String {
    let mut text = String::new();
    match value {
        Value::Object(map) if !map.is_empty() => block(map, 0, &mut text),
        _ => {
            text.push_str(&flow(value));
            text.push('\n');
        }
    }
    text
}

fn place(key: &str) -> (usize, &str) {
    let last = || {
        LAST.iter()
            .position(|known| *known == key)
            .map(|at| FIRST.len() + 1 + at)
    };
    let first = FIRST.iter().position(|known| *known == key);
    (first.or_else(last).unwrap_or(FIRST.len()), key)
}

fn sorted(map: &Map<String, Value>) -> Vec<(&String, &Value)> {
    let mut entries: Vec<_> = map.iter().collect();
    entries.sort_by_key(|(key, _)| place(key));
    entries
}

fn block(map: &Map<String, Value>, indent: usize, text: &mut String) {
    for (key, value) in sorted(map) {
        let pad = " ".repeat(indent);
        let head = format!("{pad}{}:", plain(key));
        text.push_str(&head);
        below(
            value,
            LONG.contains(&key.as_str()),
            (indent, head.chars().count()),
            text,
        );
    }
}

/// What follows a key or a dash: on its line where it fits, else below it.
fn below(value: &Value, long: bool, (indent, used): (usize, usize), text: &mut String) {
    let line = flow(value);
    let fits = used + 1 + line.chars().count() <= WIDTH && !holds_long(value) && !long;
    match value {
        Value::Object(map) if !map.is_empty() && !fits => {
            text.push('\n');
            block(map, indent + 2, text);
        }
        Value::Array(items) if !items.is_empty() && !fits => {
            text.push('\n');
            for item in items {
                let pad = " ".repeat(indent + 2);
                text.push_str(&pad);
                text.push('-');
                below(item, false, (indent + 2, pad.len() + 1), text);
            }
        }
        _ => {
            text.push(' ');
            text.push_str(&line);
            text.push('\n');
        }
    }
}

fn holds_long(value: &Value) -> bool {
    match value {
        Value::Object(map) => map
            .iter()
            .any(|(key, value)| LONG.contains(&key.as_str()) || holds_long(value)),
        _ => false,
    }
}

/// A value on one line.
fn flow(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let entries = sorted(map).into_iter();
            let entries: Vec<String> = entries
                .map(|(key, value)| format!("{}: {}", plain(key), flow(value)))
                .collect();
            format!("{{{}}}", entries.join(", "))
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(flow).collect();
            format!("[{}]", items.join(", "))
        }
        Value::String(text) => plain(text),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

/// A text, without quotes where no reader takes it for anything else, in a flow or out of it.
fn plain(text: &str) -> String {
    const WORDS: [&str; 9] = ["null", "true", "false", "yes", "no", "on", "off", "y", "n"];
    let inner = |c: char| c.is_ascii_alphanumeric() || "-_./@".contains(c);
    let is_word = text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(inner);
    if (is_word && !WORDS.contains(&text.to_ascii_lowercase().as_str())) || is_plain_number(text) {
        return text.to_owned();
    }
    quoted(text)
}

/// What begins with a digit and is no number, time or date all the same: versions, IPv4 ranges, sizes, `3-12`.
fn is_plain_number(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let dotted = |text: &str| text.matches('.').count() >= 2 && text.split('.').all(digits);
    let range = text
        .split_once('/')
        .is_some_and(|(net, length)| dotted(net) && digits(length));
    let from_to = text
        .split_once('-')
        .is_some_and(|(from, to)| digits(from) && digits(to));
    let size = ["Mi", "Gi", "Ti", "h", "m", "s", "%"]
        .iter()
        .any(|unit| text.strip_suffix(unit).is_some_and(digits));
    dotted(text) || range || from_to || size
}

fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            // What some readers take for the end of a line, or do not take at all.
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}') => {
                quoted.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn read(text: &str) -> Value {
        serde_yaml::from_str(text).unwrap_or_else(|error| panic!("{error}:\n{text}"))
    }

    #[test]
    fn short_things_are_on_one_line() {
        let cluster =
            json!({"kind": "Cluster", "metadata": {"name": "a"}, "spec": {"pools": ["x"], "version": "4.20.3"}});
        assert_eq!(
            document(&cluster),
            "kind: Cluster\nmetadata: {name: a}\nspec: {version: 4.20.3, pools: [x]}\n"
        );
        let long = json!({"spec": {"clusters": {"a": {}, "b": {"hostedCluster": {"x": "y".repeat(120), "z": [1, {"q": null}]}}}}});
        let expected = format!(
            "spec:\n  clusters:\n    a: {{}}\n    b:\n      hostedCluster:\n        x: {}\n        z: [1, {{q: null}}]\n",
            "y".repeat(120)
        );
        assert_eq!(document(&long), expected);
    }

    #[test]
    fn what_could_be_something_else_is_quoted() {
        for text in [
            "",
            "no",
            "Y",
            "null",
            "~",
            "4.20",
            "1e3",
            "0x1f",
            "010",
            "-1",
            "+1",
            ".5",
            "1_000",
            "2027-01-31",
            "12:30",
            "a: b",
            "a #b",
            "#a",
            "a,b",
            "[a",
            "{a",
            "*a",
            "&a",
            "!a",
            "|",
            ">",
            "%a",
            "@a",
            "`a",
            "'a'",
            "\"",
            "\\",
            "a\nb",
            "\u{85}",
            "\u{2028}",
            "\u{feff}",
            "é",
            "a ",
            " a",
            "-",
            "---",
            "?",
            "=",
            "<<",
            "true",
            "10.0.0.0/16",
            "fd00::/48",
            "3-12",
            "8Gi",
            "4.20.3",
            "ocid1.vcn.oc1..a",
            "VM.Standard.E5.Flex",
            "a@sha256",
            "10%",
        ] {
            let value = json!({text: [text, {"a": text}]});
            assert_eq!(read(&document(&value)), value, "{}", document(&value));
        }
    }

    fn tree() -> impl Strategy<Value = Value> {
        let text = prop_oneof!["[a-zA-Z0-9:#,.{}&*!|>'%@`/ -]{0,8}", ".{0,6}", "[0-9.:/-]{1,10}"];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            text.clone().prop_map(Value::from)
        ];
        leaf.prop_recursive(4, 32, 4, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(text.clone(), inner, 0..4).prop_map(|map| json!(map)),
            ]
        })
    }

    proptest! {
        #[test]
        fn it_is_read_again_as_it_was(tree in tree(), wide in "[a-z]{0,130}") {
            let value = json!({"spec": {"clusters": {wide: tree}, "other": tree}});
            prop_assert_eq!(read(&document(&value)), value);
        }
    }
}
