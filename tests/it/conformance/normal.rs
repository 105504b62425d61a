//! What differs between any two runs of one server, evened out: UIDs, times, versions, generated names, addresses of
//! services, the hash of a kind's storage, the namespace of the case.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

static PATTERNS: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    let pattern = |text: &str, with| (Regex::new(text).expect("a pattern"), with);
    vec![
        pattern(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "<uid>"),
        pattern(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "<time>"),
        pattern(r"in record \(\d+\)", "in record (<version>)"),
        pattern(r"current: \d+", "current: <version>"),
        pattern(r"resource version: (\d+) \(\d+\)", "resource version: $1 (<version>)"),
    ]
});

/// An answer as one line of text.
pub(super) fn text(code: u16, mut body: Value, namespace: &str) -> String {
    even(&mut body);
    sort_causes(&mut body);
    let mut text = body.to_string().replace(namespace, "<namespace>");
    for (pattern, with) in PATTERNS.iter() {
        text = pattern.replace_all(&text, *with).into_owned();
    }
    format!("{code} {text}")
}

/// A server goes through maps in no order, and so are what it finds wrong and whose fields it finds.
fn sort_causes(body: &mut Value) {
    let Some(causes) = body.pointer_mut("/details/causes").and_then(Value::as_array_mut) else {
        return;
    };
    causes.sort_by_key(ToString::to_string);
    if causes.len() < 2 {
        return;
    }
    let message = body["message"].as_str().unwrap_or_default().replace(['[', ']'], "");
    let mut parts: Vec<&str> = message.split([',', '\n', ':']).map(str::trim).collect();
    parts.sort_unstable();
    body["message"] = Value::from(parts.join(" / "));
}

fn even(value: &mut Value) {
    match value {
        Value::Object(entries) => {
            entries.remove("storageVersionHash");
            if entries.get("generateName").is_some_and(Value::is_string) {
                entries.insert("name".to_owned(), Value::from("<generated>"));
            }
            // An empty token and none mean the same.
            if entries.get("continue").is_some_and(|token| token == "") {
                entries.remove("continue");
            }
            for (name, entry) in entries.iter_mut() {
                match name.as_str() {
                    "resourceVersion" if entry.is_string() => *entry = Value::from("<version>"),
                    "continue" if entry.is_string() => *entry = Value::from("<token>"),
                    "clusterIP" if entry.is_string() => *entry = Value::from("<address>"),
                    // Sorted by the second in which they were written: which of two is first depends on the clock.
                    "managedFields" if entry.is_array() => {
                        even(entry);
                        if let Value::Array(owners) = entry {
                            owners.sort_by_key(|owner| owner["manager"].to_string() + &owner["operation"].to_string());
                        }
                    }
                    "clusterIPs" if entry.is_array() => *entry = Value::from("<addresses>"),
                    _ => even(entry),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(even),
        _ => {}
    }
}
