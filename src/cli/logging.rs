//! Logs: what the program says of its own work, on stderr.

use clap::ValueEnum;
use tracing_subscriber::{EnvFilter, Layer as _, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use super::Global;
use crate::report::style::Style;

/// Form of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For programs: a JSON object a line, and nothing else on stderr.
    Json,
}

/// Begins to log: warnings, with `-v` what is done, with `-vv` what is sent, with `-vvv` what libraries say too.
pub fn start_logging(global: &Global, style: Style) {
    let level = match global.verbose {
        0 => "warn",
        1 => "info",
        2 => "info,fleetwright=debug",
        _ => "debug",
    };
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let layer = match global.log_format {
        LogFormat::Text => layer.with_target(false).with_ansi(style == Style::Coloured).boxed(),
        // With the spans that it belongs to: which revision, which change, and so on.
        LogFormat::Json => layer.json().flatten_event(true).with_current_span(false).boxed(),
    };
    tracing_subscriber::registry()
        .with(layer.with_filter(EnvFilter::new(level)))
        .init();
}
