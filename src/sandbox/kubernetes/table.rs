//! Tables: what `kubectl get` shows.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::kind::{Column, Kind, Version};
use super::object::meta_text;

/// The columns of a kind.
fn columns(kind: &Kind, version: &Version) -> Vec<Column> {
    let column = |name: &str, json_type: &str, path: &str| Column {
        name: name.to_owned(),
        json_type: json_type.to_owned(),
        format: String::new(),
        description: String::new(),
        priority: 0,
        path: path.to_owned(),
    };
    let age = column("Age", "date", ".metadata.creationTimestamp");
    let mut all = vec![Column {
        format: "name".to_owned(),
        ..column("Name", "string", ".metadata.name")
    }];
    if let Some(declared) = &version.columns {
        all.extend(declared.iter().cloned());
        return all;
    }
    let own: &[(&str, &str, &str)] = match (kind.name.group.as_str(), kind.name.plural.as_str()) {
        ("", "configmaps") => &[("Data", "integer", "#.data+.binaryData")],
        ("", "secrets") => &[("Type", "string", ".type"), ("Data", "integer", "#.data")],
        ("", "namespaces") => &[("Status", "string", ".status.phase")],
        ("", "serviceaccounts") => &[("Secrets", "integer", "#.secrets")],
        ("", "services") => &[
            ("Type", "string", ".spec.type"),
            ("Cluster-IP", "string", ".spec.clusterIP"),
            ("External-IP", "string", "@external"),
            ("Port(s)", "string", "@ports"),
        ],
        ("", "events") => {
            let named = [
                column("Last Seen", "string", "@seen"),
                column("Type", "string", ".type"),
                column("Reason", "string", ".reason"),
                column("Object", "string", "@involved"),
                column("Message", "string", ".message"),
            ];
            return named.into_iter().collect();
        }
        ("apiextensions.k8s.io", "customresourcedefinitions") => {
            all.push(column("Created At", "date", "=.metadata.creationTimestamp"));
            return all;
        }
        ("coordination.k8s.io", "leases") => &[("Holder", "string", ".spec.holderIdentity")],
        ("rbac.authorization.k8s.io", "rolebindings" | "clusterrolebindings") => &[("Role", "string", "@role")],
        ("rbac.authorization.k8s.io", _) => {
            all.push(column("Created At", "date", "=.metadata.creationTimestamp"));
            return all;
        }
        ("scheduling.k8s.io", _) => &[
            ("Value", "integer", ".value"),
            ("Global-Default", "boolean", ".globalDefault"),
        ],
        _ => &[],
    };
    all.extend(own.iter().map(|(name, json_type, path)| column(name, json_type, path)));
    all.push(age);
    all
}

/// A table of some objects.
pub(super) fn of(kind: &Kind, version: &Version, objects: &[Value], metadata: &Value, now: Timestamp) -> Value {
    let columns = columns(kind, version);
    let definitions: Vec<Value> = columns
        .iter()
        .map(|column| {
            json!({"name": column.name, "type": column.json_type, "format": column.format,
                "description": column.description, "priority": column.priority})
        })
        .collect();
    let rows: Vec<Value> = objects
        .iter()
        .map(|object| {
            let cells: Vec<Value> = columns.iter().map(|column| cell(column, object, now)).collect();
            json!({"cells": cells, "object": partial(object)})
        })
        .collect();
    json!({"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata, "columnDefinitions": definitions,
        "rows": rows})
}

/// The metadata of an object alone.
pub(super) fn partial(object: &Value) -> Value {
    json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object["metadata"]})
}

fn cell(column: &Column, object: &Value, now: Timestamp) -> Value {
    let path = column.path.as_str();
    if let Some(lists) = path.strip_prefix('#') {
        let count = |path: &str| match find(object, path).first() {
            Some(Value::Object(map)) => map.len(),
            Some(Value::Array(items)) => items.len(),
            _ => 0,
        };
        return Value::from(lists.split('+').map(count).sum::<usize>());
    }
    if let Some(path) = path.strip_prefix('=') {
        return find(object, path).first().map_or(Value::Null, |value| (*value).clone());
    }
    if let Some(special) = path.strip_prefix('@') {
        return Value::from(special_cell(special, object, now));
    }
    let found = find(object, path);
    let Some(first) = found.first() else {
        return match path {
            ".globalDefault" => Value::Bool(false),
            _ if column.json_type == "string" && path != ".metadata.name" && !path.contains('[') => Value::from(""),
            _ => Value::Null,
        };
    };
    match column.json_type.as_str() {
        "date" => Value::from(
            first
                .as_str()
                .map_or_else(|| "<unknown>".to_owned(), |time| age(time, now)),
        ),
        "string" => {
            let shown = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            Value::from(found.iter().map(|value| shown(value)).collect::<Vec<_>>().join(","))
        }
        _ => (*first).clone(),
    }
}

fn special_cell(what: &str, object: &Value, now: Timestamp) -> String {
    match what {
        "external" => "<none>".to_owned(),
        "ports" => {
            let ports = object["spec"]["ports"].as_array().into_iter().flatten();
            let shown = ports.map(|port| {
                let protocol = port["protocol"].as_str().unwrap_or("TCP");
                match port["nodePort"].as_i64() {
                    Some(node) => format!("{}:{node}/{protocol}", port["port"]),
                    None => format!("{}/{protocol}", port["port"]),
                }
            });
            let shown: Vec<String> = shown.collect();
            if shown.is_empty() {
                "<none>".to_owned()
            } else {
                shown.join(",")
            }
        }
        "role" => {
            let role = &object["roleRef"];
            let text = |field: &str| role[field].as_str().unwrap_or_default();
            format!("{}/{}", text("kind"), text("name"))
        }
        "involved" => {
            let involved = &object["involvedObject"];
            let text = |field: &str| involved[field].as_str().unwrap_or_default();
            format!("{}/{}", text("kind").to_lowercase(), text("name"))
        }
        _ => ["lastTimestamp", "eventTime"]
            .into_iter()
            .find_map(|field| object[field].as_str())
            .or(Some(meta_text(object, "creationTimestamp")).filter(|time| !time.is_empty()))
            .map_or_else(|| "<unknown>".to_owned(), |time| age(time, now)),
    }
}

/// How long ago, as briefly as `kubectl` says it.
fn age(time: &str, now: Timestamp) -> String {
    let Ok(time) = time.parse::<Timestamp>() else {
        return "<invalid>".to_owned();
    };
    let seconds = now.as_second() - time.as_second();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    let with = |big: i64, unit: &str, small: i64, below: &str| {
        if small == 0 {
            format!("{big}{unit}")
        } else {
            format!("{big}{unit}{small}{below}")
        }
    };
    match seconds {
        ..-1 => "<invalid>".to_owned(),
        -1..0 => "0s".to_owned(),
        0..120 => format!("{seconds}s"),
        120..600 => with(minutes, "m", seconds % 60, "s"),
        600..10_800 => format!("{minutes}m"),
        10_800..28_800 => with(hours, "h", minutes % 60, "m"),
        28_800..172_800 => format!("{hours}h"),
        172_800..691_200 => with(days, "d", hours % 24, "h"),
        691_200..63_072_000 => format!("{days}d"),
        _ => with(days / 365, "y", days % 365, "d"),
    }
}

/// What a JSON path of a column finds: fields, `[*]`, `[0]` and `[?(@.type=="Ready")]`.
fn find<'a>(object: &'a Value, path: &str) -> Vec<&'a Value> {
    let mut found = vec![object];
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('[') {
            let Some((inside, after)) = after.split_once(']') else {
                return Vec::new();
            };
            // A bracket inside of a filter's text is none of ours.
            found = found.into_iter().flat_map(|value| step(value, inside)).collect();
            rest = after;
        } else {
            let name = rest.strip_prefix('.').unwrap_or(rest);
            let (name, after) = field_name(name);
            found = found
                .into_iter()
                .filter_map(|value| value.get(&name))
                .filter(|value| !value.is_null())
                .collect();
            rest = after;
        }
    }
    found
}

/// The next field's name, in which a dot may be escaped, and what comes after it.
fn field_name(path: &str) -> (String, &str) {
    let mut name = String::new();
    let mut chars = path.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => name.extend(chars.next().map(|(_, c)| c)),
            '.' | '[' => return (name, path.get(at..).unwrap_or_default()),
            _ => name.push(c),
        }
    }
    (name, "")
}

fn step<'a>(value: &'a Value, inside: &str) -> Vec<&'a Value> {
    let Some(items) = value.as_array() else {
        let quoted = inside.trim_matches(['\'', '"']);
        return value.get(quoted).into_iter().collect();
    };
    if inside == "*" {
        return items.iter().collect();
    }
    if let Ok(index) = inside.parse::<usize>() {
        return items.get(index).into_iter().collect();
    }
    let filter = inside.strip_prefix("?(@.").and_then(|filter| filter.strip_suffix(')'));
    let Some((field, wanted)) = filter.and_then(|filter| filter.split_once("==")) else {
        return Vec::new();
    };
    let wanted = wanted.trim().trim_matches(['\'', '"']);
    items
        .iter()
        .filter(|item| item.get(field.trim()).and_then(Value::as_str) == Some(wanted))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_as_brief_as_those_of_kubectl() {
        let now = Timestamp::from_second(100_000_000).unwrap();
        let ago = |seconds: i64| age(&Timestamp::from_second(100_000_000 - seconds).unwrap().to_string(), now);
        for (seconds, shown) in [
            (0, "0s"),
            (119, "119s"),
            (125, "2m5s"),
            (600, "10m"),
            (10_860, "3h1m"),
            (30_000, "8h"),
            (180_000, "2d2h"),
            (864_000, "10d"),
            (70_000_000, "2y80d"),
        ] {
            assert_eq!(ago(seconds), shown);
        }
    }

    #[test]
    fn paths_find_fields_items_and_conditions() {
        let object = json!({"status": {"conditions": [{"type": "A", "status": "False"}, {"type": "Ready", "status": "True"}]},
            "metadata": {"labels": {"a.b/c": "x"}}});
        let ready = r#".status.conditions[?(@.type=="Ready")].status"#;
        assert_eq!(find(&object, ready), [&json!("True")]);
        assert_eq!(find(&object, ".status.conditions[*].type").len(), 2);
        assert_eq!(find(&object, ".status.conditions[0].status"), [&json!("False")]);
        assert_eq!(find(&object, r".metadata.labels.a\.b/c"), [&json!("x")]);
        assert!(find(&object, ".spec.x").is_empty());
    }
}
