//! Values with their origins, for people.

use std::fmt::Write as _;

use serde_json::Value;

use super::style::{Style, Tone};
use crate::fleet::{Explained, Origin};

/// One line a value, one more for each that it overrode.
pub fn render(explained: &[Explained], style: Style) -> String {
    let left = |value: &Explained| format!("{}: {}", value.field, show(&value.value));
    // Columns line up, but one long value does not push all others off the screen.
    let width = explained
        .iter()
        .map(|value| left(value).chars().count())
        .filter(|&n| n <= 60)
        .max()
        .unwrap_or(0);
    let mut out = String::new();
    for value in explained {
        let origin = style.paint(Tone::Faint, place(&value.origin));
        // Writing to a String can't fail.
        writeln!(out, "{:width$}  {origin}", left(value)).ok();
        for other in value.overridden.iter().rev() {
            let text = format!("  over {}", show(&other.value));
            let text = style.paint(Tone::Faint, format!("{text:width$}  {}", place(other)));
            writeln!(out, "{text}").ok();
        }
    }
    out
}

fn place(origin: &Origin) -> String {
    format!("{} ({})", origin.span, origin.layer)
}

/// Strings as they are typed, all else as JSON; what was removed as such.
fn show(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "(removed)".to_owned(),
        other => other.to_string(),
    }
}
