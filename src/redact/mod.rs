//! The redactor: what every text passes on its way out, be it printed, logged, sent, or written into a file or a status.
//!
//! It is the second line. The first are types that can't be printed ([`crate::resource::Secret`] and the like), and masks for
//! documents; but a server may quote in its refusal what it was sent, a library may quote what it could not parse, and what
//! panics shows what it has. So texts are looked through for what has the shape of a secret (`shapes`), and for the very
//! secrets that this process has read (`known`).
//!
//! Invariant: what is no secret goes out byte for byte, JSON stays JSON; what was redacted is not redacted again. Pure but for
//! the memory of secrets, which nothing comes out of.

mod known;
mod shapes;
mod writer;

use std::borrow::Cow;
use std::ops::Range;

use serde_json::Value;

pub use known::remember;
pub use shapes::is_secret_name;
pub use writer::Redacting;

/// What stands where a secret was.
pub const REDACTED: &str = "(redacted)";

/// A text without what is a secret in it.
pub fn redacted(text: &str) -> Cow<'_, str> {
    let mut found = shapes::find(text);
    found.extend(known::find(text));
    if found.is_empty() {
        return Cow::Borrowed(text);
    }
    found.sort_by_key(|range| (range.start, range.end));
    let mut clean = String::with_capacity(text.len());
    let mut at = 0;
    for Range { start, end } in found {
        // Two that overlap are one.
        if start >= at {
            clean.push_str(text.get(at..start).unwrap_or_default());
            clean.push_str(REDACTED);
        }
        at = at.max(end);
    }
    clean.push_str(text.get(at..).unwrap_or_default());
    Cow::Owned(clean)
}

/// The same of every text in a document; its keys stay.
pub fn redact_value(value: &mut Value) {
    match value {
        Value::String(text) => {
            if let Cow::Owned(clean) = redacted(text) {
                *text = clean;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(redact_value),
        Value::Object(map) => map.values_mut().for_each(redact_value),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests;
