//! Logs: what the program says of its own work, on stderr.

use clap::ValueEnum;
use tracing_subscriber::{EnvFilter, Layer as _, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use super::Global;
use crate::redact::Redacting;
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

/// What logs and traces; what it still holds is sent when it goes.
#[derive(Debug)]
pub struct Logging {
    #[cfg(feature = "otel")]
    _traces: Option<crate::otel::Traces>,
}

/// Begins to log: warnings, with `-v` what is done, with `-vv` what is sent, with `-vvv` what libraries say too.
///
/// # Errors
/// Where traces are asked for, and can't be sent.
pub fn start_logging(global: &Global, style: Style) -> anyhow::Result<Logging> {
    // What a client of an API server tells of each attempt that failed is told by us, once and with what it was about.
    let level = match global.verbose {
        0 => "warn,kube_client::client::builder=off",
        1 => "info,kube_client::client::builder=off",
        2 => "info,kube_client::client::builder=off,fleetwright=debug",
        _ => "debug",
    };
    let layer = tracing_subscriber::fmt::layer().with_writer(|| Redacting(std::io::stderr()));
    let layer = match global.log_format {
        LogFormat::Text => layer.with_target(false).with_ansi(style == Style::Coloured).boxed(),
        // With the spans that it belongs to: which revision, which change, and so on.
        LogFormat::Json => layer.json().flatten_event(true).with_current_span(false).boxed(),
    };
    let registry = tracing_subscriber::registry().with(layer.with_filter(EnvFilter::new(level)));
    #[cfg(feature = "otel")]
    {
        let traces = crate::otel::Traces::begin()?;
        registry.with(traces.as_ref().map(crate::otel::Traces::layer)).init();
        Ok(Logging { _traces: traces })
    }
    #[cfg(not(feature = "otel"))]
    {
        registry.init();
        Ok(Logging {})
    }
}
