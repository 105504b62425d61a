//! A writer in front of another one.

use std::borrow::Cow;
use std::io::{self, Write};

/// Redacts what is written. Whoever writes gives whole messages: a secret that comes in two pieces is not seen.
#[derive(Debug)]
pub struct Redacting<W>(pub W);

impl<W: Write> Write for Redacting<W> {
    fn write(&mut self, message: &[u8]) -> io::Result<usize> {
        // Of what is no text nothing can be told.
        let text = String::from_utf8_lossy(message);
        match super::redacted(&text) {
            Cow::Borrowed(_) => self.0.write_all(message)?,
            Cow::Owned(clean) => self.0.write_all(clean.as_bytes())?,
        }
        Ok(message.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
