//! Views: text and JSON of diagnostics, plans, outcomes. Commands never print by themselves.
//!
//! Invariant: pure; takes data, gives strings. Secrets never get here: what shows a document masks it first.

pub mod admission;
pub mod diagnostics;
pub mod disruption_text;
pub mod doctor_text;
pub mod explain_text;
pub mod json;
pub mod junit;
mod left_out;
pub mod markdown;
mod needs_text;
pub mod oci_text;
pub mod plan_text;
pub mod sarif;
pub mod schemas;
pub mod status_text;
pub mod style;
pub(crate) mod units;
pub mod upgrade_text;
pub mod verdict;

use std::borrow::Cow;

pub use left_out::contest;

use crate::redact::redacted;

/// An error with all its causes: `a: b: c`, without secrets that a server or a library quotes. Our errors' Display never
/// includes the source, so nothing is said twice.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        // Some libraries put the cause into their own words as well.
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    match redacted(&text) {
        Cow::Borrowed(_) => text,
        Cow::Owned(clean) => clean,
    }
}
