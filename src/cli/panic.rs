//! What is said of a panic, which shows whatever it was given.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{self, Write as _};

use crate::redact::redacted;

/// Has panics told as ever, through the redactor.
pub fn redact_panics() {
    std::panic::set_hook(Box::new(|info| {
        let thread = std::thread::current();
        let name = thread.name().unwrap_or("<unnamed>");
        let backtrace = Backtrace::capture();
        let trace = match backtrace.status() {
            BacktraceStatus::Captured => format!("stack backtrace:\n{backtrace}"),
            _ => "note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace\n".to_owned(),
        };
        let text = format!("\nthread '{name}' {info}\n{trace}");
        // Where stderr is closed there is nobody left to tell.
        io::stderr().lock().write_all(redacted(&text).as_bytes()).ok();
    }));
}
