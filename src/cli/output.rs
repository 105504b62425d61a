//! The one place that writes to stdout and stderr: through the redactor.

use std::io::{self, IsTerminal as _, Write as _};

use serde::Serialize;

use super::args::{Color, Global};
use super::logging::LogFormat;
use crate::redact::redacted;
use crate::report::style::Style;
use crate::resource::Secret;

/// Writes data to stdout and everything else to stderr, coloured where that is wanted.
#[derive(Debug)]
pub struct Printer {
    stdout: Style,
    stderr: Style,
    quiet: bool,
    log_format: LogFormat,
}

impl Printer {
    /// By the options, the terminal, and whether NO_COLOR is set.
    pub fn new(global: &Global, no_color: bool) -> Self {
        let style = |terminal: bool| match global.color {
            Color::Always => Style::Coloured,
            Color::Never => Style::Plain,
            Color::Auto if terminal && !no_color => Style::Coloured,
            Color::Auto => Style::Plain,
        };
        Self {
            stdout: style(io::stdout().is_terminal()),
            stderr: style(io::stderr().is_terminal()),
            quiet: global.quiet,
            log_format: global.log_format,
        }
    }

    /// Colour of stdout.
    pub fn style(&self) -> Style {
        self.stdout
    }

    /// Colour of stderr.
    pub fn error_style(&self) -> Style {
        self.stderr
    }

    /// Whether progress and hints are unwanted.
    pub fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Data.
    ///
    /// # Errors
    /// Where stdout can't be written; a reader that went away is no error (`fleetwright plan | head`).
    pub fn data(&self, text: &str) -> io::Result<()> {
        write(&redacted(text))
    }

    /// Documents made of the fleet's own files, for other programs to apply: what they hold is what was typed, and goes on as
    /// it is.
    ///
    /// # Errors
    /// Where stdout can't be written.
    pub fn documents(&self, text: &str) -> io::Result<()> {
        write(text)
    }

    /// A secret that somebody asked for: printed as it is.
    ///
    /// # Errors
    /// Where stdout can't be written.
    pub fn secret(&self, secret: &Secret) -> io::Result<()> {
        write(secret.expose())
    }

    /// Data as one JSON document.
    ///
    /// # Errors
    /// Where stdout can't be written.
    pub fn json(&self, value: &impl Serialize) -> anyhow::Result<()> {
        let mut text = serde_json::to_string_pretty(value)?;
        text.push('\n');
        Ok(self.data(&text)?)
    }

    /// A line for people, unless they asked for quiet.
    pub fn note(&self, text: &str) {
        match self.log_format {
            LogFormat::Text if self.quiet => {}
            LogFormat::Text => self.complain(text),
            LogFormat::Json => tracing::info!("{}", text.trim_end()),
        }
    }

    /// A line for people that they have to see.
    pub fn complain(&self, text: &str) {
        if self.log_format == LogFormat::Json {
            return tracing::warn!("{}", text.trim_end());
        }
        let mut out = io::stderr().lock();
        // Where stderr is closed there is nobody left to tell.
        writeln!(out, "{}", redacted(text.trim_end())).ok();
    }
}

/// To stdout.
fn write(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}
