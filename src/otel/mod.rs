//! Traces: the program's spans, sent to an OpenTelemetry collector by OTLP over HTTP.
//!
//! Invariant: what can't be sent is dropped; nothing waits for a collector but the end of the program, and that not for
//! long. Spans hold names, methods, paths and codes, and never a body. The environment is read here and by the exporter,
//! in the variables that OpenTelemetry defines (`OTEL_EXPORTER_OTLP_ENDPOINT` and its kin): they are how every program is
//! told of its collector.

mod client;

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{ExporterBuildError, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::Metadata;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::registry::LookupSpan;

use self::client::Client;

/// How long the end of the program waits for what was not sent yet.
const PATIENCE: Duration = Duration::from_secs(2);

/// Why no traces are sent.
#[derive(Debug, thiserror::Error)]
pub enum TracesError {
    /// The system has no certificate authorities, or no thread to spare.
    #[error("no connections to a collector of traces can be made")]
    Client(#[source] std::io::Error),
    /// What the environment says of the collector makes no sense.
    #[error("the collector of traces can't be used (OTEL_EXPORTER_OTLP_ENDPOINT and its kin)")]
    Exporter(#[source] ExporterBuildError),
}

/// What sends traces; what it still holds is sent when it goes.
#[derive(Debug)]
pub struct Traces {
    provider: SdkTracerProvider,
    // Dropped after the provider's last words.
    _client: Client,
}

impl Traces {
    /// Begins where the environment names a collector.
    ///
    /// # Errors
    /// Where that collector can't be used.
    pub fn begin() -> Result<Option<Self>, TracesError> {
        let named = ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"];
        let is_named = |name: &&str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        if named.iter().any(is_named) {
            Self::to(None).map(Some)
        } else {
            Ok(None)
        }
    }

    /// Sends to this address; none: where the environment says.
    fn to(address: Option<String>) -> Result<Self, TracesError> {
        use opentelemetry_otlp::WithExportConfig as _;
        let client = Client::new().map_err(TracesError::Client)?;
        let mut exporter = opentelemetry_otlp::SpanExporter::builder()
            .with_http()
            .with_http_client(client.clone());
        if let Some(address) = address {
            exporter = exporter.with_endpoint(address);
        }
        let resource = Resource::builder()
            .with_service_name(env!("CARGO_PKG_NAME"))
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter.build().map_err(TracesError::Exporter)?)
            .with_resource(resource)
            .build();
        Ok(Self {
            provider,
            _client: client,
        })
    }

    /// What takes the spans in: all of ours, each call to a control plane among them, and what the log says of them.
    pub fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: tracing::Subscriber + for<'a> LookupSpan<'a>,
    {
        let ours = |metadata: &Metadata<'_>| {
            metadata.target().starts_with(env!("CARGO_PKG_NAME"))
                && (metadata.is_span() || *metadata.level() <= LevelFilter::INFO)
        };
        let tracer = self.provider.tracer(env!("CARGO_PKG_NAME"));
        tracing_opentelemetry::layer()
            .with_tracer(tracer)
            .with_filter(filter_fn(ours))
    }
}

impl Drop for Traces {
    fn drop(&mut self) {
        if let Err(error) = self.provider.shutdown_with_timeout(PATIENCE) {
            tracing::debug!(%error, "some traces were not sent");
        }
    }
}

#[cfg(test)]
mod tests;
