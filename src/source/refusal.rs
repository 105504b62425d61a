//! What is said of a file that is not read, alike for a directory and for a commit.

use std::sync::Arc;

use crate::diag::{Code, Diagnostic, Span};

/// A file that is left out; the path is relative, empty for the whole fleet.
pub(super) fn refusal(code: Code, path: &str, what: impl std::fmt::Display) -> Diagnostic {
    match path {
        "" => Diagnostic::new(code, format!("the fleet directory holds {what}")),
        path => Diagnostic::new(code, format!("`{path}` {what}")).at(&top_of(path)),
    }
}

/// A file's bytes as text.
pub(super) fn text(path: &str, bytes: &[u8]) -> Result<Arc<str>, Box<Diagnostic>> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.into()),
        Err(error) => {
            let offset = error.valid_up_to();
            let span = span_at(path, bytes, offset, error.error_len());
            let message = format!("`{path}` is not UTF-8: byte {offset} begins no character");
            Err(Box::new(
                Diagnostic::new(Code::Unreadable, message)
                    .at(&span)
                    .hint("save the file as UTF-8"),
            ))
        }
    }
}

fn top_of(path: &str) -> Span {
    Span {
        file: path.into(),
        line: 1,
        column: 1,
        start: 0,
        end: 0,
    }
}

/// The place of a byte that is no text; what comes before it is.
fn span_at(path: &str, bytes: &[u8], offset: usize, length: Option<usize>) -> Span {
    let before = String::from_utf8_lossy(&bytes[..offset]);
    let line = before.matches('\n').count();
    let column = before.rsplit('\n').next().map_or(0, |line| line.chars().count());
    let small = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    Span {
        file: path.into(),
        line: small(line.saturating_add(1)),
        column: small(column.saturating_add(1)),
        start: small(offset),
        end: small(offset + length.unwrap_or(bytes.len() - offset)),
    }
}
