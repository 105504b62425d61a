//! The text format 0.0.4.

use std::fmt::Write as _;

use super::catalog::BUCKETS;
use super::registry::{Series, Value};
use super::{Entry, Kind};

/// Writes a family; nothing of one that holds nothing. A counter without labels always has a value.
pub(super) fn write(text: &mut String, entry: &Entry, parts: &[(Option<&str>, Option<&Series>)]) {
    let zero = Series::from([(Vec::new(), Value::Number(0.0))]);
    let is_alone = parts.len() == 1;
    let filled = |(fleet, series): &(Option<&'_ str>, Option<&'_ Series>)| {
        // Of several parts, only those count it whose it is: a fleet uses no processor time, the process has no source.
        let is_its_own = is_alone || fleet.is_none() == entry.name.starts_with("process_");
        let always = entry.kind == Kind::Counter && entry.labels.is_empty() && is_its_own;
        series.is_some_and(|series| !series.is_empty()) || always
    };
    let mut parts = parts.iter().filter(|part| filled(part)).peekable();
    if parts.peek().is_none() {
        return;
    }
    let Entry { name, kind, help, .. } = entry;
    push(
        text,
        format_args!("# HELP {name} {help}\n# TYPE {name} {}\n", kind.as_str()),
    );
    for (fleet, series) in parts {
        let series = series.filter(|series| !series.is_empty()).unwrap_or(&zero);
        for (values, value) in series {
            let own = entry.labels.iter().copied().zip(values.iter().map(String::as_str));
            let labels = fleet.map(|fleet| (FLEET, fleet)).into_iter().chain(own);
            write_one(text, name, &joined(labels), value);
        }
    }
}

/// The label of what is one fleet's of several.
const FLEET: &str = "fleet";

fn joined<'a>(labels: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut text = String::new();
    for (label, value) in labels {
        if !text.is_empty() {
            text.push(',');
        }
        push(&mut text, format_args!("{label}=\"{}\"", escaped(value)));
    }
    text
}

fn write_one(text: &mut String, name: &str, labels: &str, value: &Value) {
    match value {
        Value::Number(number) => push(text, format_args!("{name}{} {number}\n", braced(labels))),
        Value::Durations { counts, sum } => {
            let mut so_far = 0;
            for (index, count) in counts.iter().enumerate() {
                so_far += count;
                let comma = if labels.is_empty() { "" } else { "," };
                let bound = BUCKETS
                    .get(index)
                    .map_or_else(|| "+Inf".to_owned(), ToString::to_string);
                push(
                    text,
                    format_args!("{name}_bucket{{{labels}{comma}le=\"{bound}\"}} {so_far}\n"),
                );
            }
            let braced = braced(labels);
            push(
                text,
                format_args!("{name}_sum{braced} {sum}\n{name}_count{braced} {so_far}\n"),
            );
        }
    }
}

fn braced(labels: &str) -> String {
    if labels.is_empty() {
        String::new()
    } else {
        format!("{{{labels}}}")
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn push(text: &mut String, what: std::fmt::Arguments<'_>) {
    // Writing to a text can't fail.
    text.write_fmt(what).ok();
}
