//! How a value enters a template's output: always as JSON, which is YAML.
//!
//! `{{ name }}` gives `"name"` with its quotes, so a name such as `no`, `1e3` or `a: b` stays a string, whoever wrote the
//! template; nothing has to be remembered. What is to enter as text (a macro's output) is marked `| safe`, or is safe already.

use std::io;

use minijinja::value::{Serde, Value, ValueKind};
use minijinja::{Error, ErrorKind, Output, State};

/// Bytes that one template may emit, captured blocks and macros included.
pub(super) const OUTPUT_BUDGET: usize = 2 << 20;

/// Bytes emitted so far in one evaluation.
#[derive(Default)]
struct Emitted(usize);

/// The error that ends an evaluation over budget; recognised by its source.
#[derive(Debug, thiserror::Error)]
#[error("its output is larger than {} MiB", OUTPUT_BUDGET >> 20)]
pub(super) struct OverBudget;

/// The environment's formatter.
///
/// # Errors
/// Where the value is undefined, can't be JSON, or the budget is used up.
pub(super) fn format(out: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    if let Some(text) = value.as_str() {
        spend(state, text.len())?;
        return if value.is_safe() {
            out.write_str(text)
        } else {
            string(out, text)
        }
        .map_err(Error::from);
    }
    match value.kind() {
        ValueKind::Undefined => Err(Error::new(ErrorKind::UndefinedError, "the value is undefined")),
        ValueKind::None => out.write_str("null").map_err(Error::from),
        ValueKind::Bool => out
            .write_str(if value.is_true() { "true" } else { "false" })
            .map_err(Error::from),
        _ => {
            let json = json(value)?;
            spend(state, json.len())?;
            escaped(out, &json).map_err(Error::from)
        }
    }
}

/// The filter `text`: a value inside a longer string of YAML's own, unquoted. Refuses what could end that string.
///
/// # Errors
/// Where the value holds a character that means something to YAML.
pub(super) fn text(value: &Value) -> Result<Value, Error> {
    let text = value.to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        Ok(Value::from_safe_string(text))
    } else {
        let reason = "only letters, digits and `-_./` may enter as bare text";
        Err(Error::new(ErrorKind::InvalidOperation, reason))
    }
}

/// The function `fail`: ends the unit with a message of the template's own.
///
/// # Errors
/// Always.
pub(super) fn fail(message: &str) -> Result<Value, Error> {
    Err(Error::new(ErrorKind::InvalidOperation, message.to_owned()))
}

/// The function `ref`: a reference to a field of an OCI document, its id unless another is named.
pub(super) fn reference(kind: &str, name: &str, field: Option<&str>) -> Value {
    let mut reference = crate::resource::Reference::to_oci(kind, name);
    if let Some(field) = field {
        field.clone_into(&mut reference.field);
    }
    Value::from(Serde(reference.to_value()))
}

/// A list may hold itself so often that its JSON has no end: it is written within the budget.
fn json(value: &Value) -> Result<String, Error> {
    let mut json = Bounded::default();
    serde_json::to_writer(&mut json, value).map_err(|error| {
        if error.is_io() {
            Error::new(ErrorKind::WriteFailure, "output budget").with_source(OverBudget)
        } else {
            Error::new(ErrorKind::BadSerialization, "the value can't be written as JSON").with_source(error)
        }
    })?;
    String::from_utf8(json.into_bytes())
        .map_err(|error| Error::new(ErrorKind::BadSerialization, "the value is no text").with_source(error))
}

fn spend(state: &mut State<'_, '_>, bytes: usize) -> Result<(), Error> {
    let emitted = state.get_or_insert_extension(Emitted::default());
    emitted.0 = emitted.0.saturating_add(bytes);
    if emitted.0 > OUTPUT_BUDGET {
        return Err(Error::new(ErrorKind::WriteFailure, "output budget").with_source(OverBudget));
    }
    Ok(())
}

fn string(out: &mut Output<'_>, text: &str) -> std::fmt::Result {
    let simple = |b: u8| (0x20..0x7f).contains(&b) && b != b'"' && b != b'\\';
    if text.bytes().all(simple) {
        out.write_str("\"")?;
        out.write_str(text)?;
        return out.write_str("\"");
    }
    match serde_json::to_string(text) {
        Ok(json) => escaped(out, &json),
        Err(_) => Err(std::fmt::Error),
    }
}

/// Writes JSON text, with those characters escaped that JSON allows in a string but YAML reads otherwise or not at all.
fn escaped(out: &mut Output<'_>, json: &str) -> std::fmt::Result {
    let special = |c: char| {
        matches!(
            c,
            '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'
        )
    };
    let mut rest = json;
    while let Some(at) = rest.find(special) {
        out.write_str(&rest[..at])?;
        let mut tail = rest[at..].chars();
        if let Some(c) = tail.next() {
            write!(out, "\\u{:04x}", u32::from(c))?;
        }
        rest = tail.as_str();
    }
    out.write_str(rest)
}

/// A writer that stops at the output budget.
#[derive(Default)]
pub(super) struct Bounded(Vec<u8>);

impl Bounded {
    /// What was written.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > OUTPUT_BUDGET {
            return Err(io::Error::other(OverBudget));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
