//! The text format 0.0.4.

use std::fmt::Write as _;

use super::catalog::BUCKETS;
use super::registry::{Series, Value};
use super::{Entry, Kind};

/// Writes a family; nothing of one that holds nothing. A counter without labels always has a value.
pub(super) fn write(text: &mut String, entry: &Entry, series: Option<&Series>) {
    let zero;
    let series = match series {
        Some(series) if !series.is_empty() => series,
        _ if entry.kind == Kind::Counter && entry.labels.is_empty() => {
            zero = Series::from([(Vec::new(), Value::Number(0.0))]);
            &zero
        }
        _ => return,
    };
    let Entry { name, kind, help, .. } = entry;
    push(
        text,
        format_args!("# HELP {name} {help}\n# TYPE {name} {}\n", kind.as_str()),
    );
    for (values, value) in series {
        let mut labels = String::new();
        for (label, value) in entry.labels.iter().zip(values) {
            if !labels.is_empty() {
                labels.push(',');
            }
            push(&mut labels, format_args!("{label}=\"{}\"", escaped(value)));
        }
        match value {
            Value::Number(number) => push(text, format_args!("{name}{} {number}\n", braced(&labels))),
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
                let braced = braced(&labels);
                push(
                    text,
                    format_args!("{name}_sum{braced} {sum}\n{name}_count{braced} {so_far}\n"),
                );
            }
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
