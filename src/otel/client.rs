//! HTTP for the exporter, which runs on a thread of its own and knows no runtime.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use opentelemetry_http::{HttpClient, HttpError};
use tokio::runtime::Runtime;

const TIMEOUT: Duration = Duration::from_secs(10);
/// A collector says how many spans it did not take, and no more.
const LARGEST_ANSWER: usize = 1 << 20;

type Hyper = hyper_util::client::legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// HTTP with or without TLS, on a thread of its own.
#[derive(Clone)]
pub(super) struct Client {
    hyper: Hyper,
    runtime: Arc<Background>,
}

/// A runtime that ends without waiting for what it does: it may be dropped from within another.
struct Background(Option<Runtime>);

impl Drop for Background {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Client")
    }
}

impl Client {
    pub(super) fn new() -> std::io::Result<Self> {
        let connector = HttpsConnectorBuilder::new()
            .with_native_roots()?
            .https_or_http()
            .enable_http1()
            .build();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("traces")
            .enable_all()
            .build()?;
        Ok(Self {
            hyper: hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build(connector),
            runtime: Arc::new(Background(Some(runtime))),
        })
    }
}

type Answer = Result<http::Response<Bytes>, HttpError>;

impl HttpClient for Client {
    fn send_bytes<'a, 'b>(&'a self, request: http::Request<Bytes>) -> Pin<Box<dyn Future<Output = Answer> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        let hyper = self.hyper.clone();
        let exchange = async move {
            let response = hyper.request(request.map(Full::new)).await?;
            let (parts, body) = response.into_parts();
            let body = Limited::new(body, LARGEST_ANSWER).collect().await?;
            Answer::Ok(http::Response::from_parts(parts, body.to_bytes()))
        };
        Box::pin(async move {
            let Some(runtime) = &self.runtime.0 else {
                return Err("the program is ending".into());
            };
            let sent = runtime.spawn(async { tokio::time::timeout(TIMEOUT, exchange).await });
            sent.await??
        })
    }
}
