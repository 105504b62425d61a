//! HTTP over sockets.
//!
//! Invariant: without TLS nothing is sent but to this machine and to its own link (the metadata service): tokens are in the
//! headers. An answer is bounded. Follows no redirect.

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::api::Exchange;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Why there is no transport.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// The system's certificate authorities can't be read.
    #[error("the system's certificate authorities can't be read")]
    Roots(#[source] std::io::Error),
    /// The given certificate authority can't be read.
    #[error("the certificate authority can't be read")]
    Authority(#[source] Failure),
}

/// The request never left: nothing can have happened.
#[derive(Debug, thiserror::Error)]
#[error("the request was not sent")]
pub struct NotSent(#[source] pub Failure);

#[derive(Debug, thiserror::Error)]
#[error("{0} is reached by https alone")]
struct Plain(String);

/// How connections are made.
#[derive(Clone, Debug)]
pub struct HttpsOptions {
    /// How long a connection may take to be made.
    pub connect_timeout: Duration,
    /// Certificate authorities in PEM form, which are trusted instead of the system's.
    pub authority: Option<Vec<u8>>,
    /// Bytes of an answer's body; a larger one is an error.
    pub largest_answer: usize,
}

impl Default for HttpsOptions {
    /// The time that Oracle's own clients give a connection; no list has pages of this size, and what has is no answer of OCI.
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            authority: None,
            largest_answer: 64 << 20,
        }
    }
}

/// HTTP/1.1 with TLS.
#[derive(Clone)]
pub struct Https {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    largest_answer: usize,
}

impl Https {
    /// A transport.
    ///
    /// # Errors
    /// Where certificate authorities can't be read.
    pub fn new(options: &HttpsOptions) -> Result<Self, TransportError> {
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_connect_timeout(Some(options.connect_timeout));
        http.set_nodelay(true);
        let builder = HttpsConnectorBuilder::new();
        let builder = match &options.authority {
            None => builder.with_native_roots().map_err(TransportError::Roots)?,
            Some(pem) => builder.with_tls_config(trusting(pem)?),
        };
        let connector = builder.https_or_http().enable_http1().wrap_connector(http);
        // Well before the other side lets go of a connection: an action that is sent into one that was just closed has an open
        // outcome.
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(20))
            .build(connector);
        Ok(Self {
            client,
            largest_answer: options.largest_answer,
        })
    }
}

fn trusting(pem: &[u8]) -> Result<rustls::ClientConfig, TransportError> {
    let wrong = |error: Failure| TransportError::Authority(error);
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| wrong(Box::new(error)))?;
        roots.add(certificate).map_err(|error| wrong(Box::new(error)))?;
    }
    if roots.is_empty() {
        return Err(wrong("it holds no certificate".into()));
    }
    let provider = rustls::crypto::ring::default_provider();
    let builder = rustls::ClientConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(Box::new(error)))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

impl std::fmt::Debug for Https {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Https")
    }
}

impl Exchange for Https {
    fn exchange(&self, request: http::Request<Bytes>) -> BoxFuture<'_, Result<http::Response<Bytes>, Failure>> {
        Box::pin(async move {
            let uri = request.uri();
            let host = uri.host().unwrap_or_default();
            if uri.scheme() != Some(&http::uri::Scheme::HTTPS) && !is_near(host) {
                return Err(Box::new(NotSent(Box::new(Plain(host.to_owned())))) as Failure);
            }
            let answer = self.client.request(request.map(Full::new)).await.map_err(|error| {
                if error.is_connect() {
                    Box::new(NotSent(Box::new(error))) as Failure
                } else {
                    Box::new(error)
                }
            })?;
            let (head, body) = answer.into_parts();
            let body = Limited::new(body, self.largest_answer).collect().await?.to_bytes();
            Ok(http::Response::from_parts(head, body))
        })
    }
}

/// This machine, or its own link.
pub fn is_near(host: &str) -> bool {
    if host == "localhost" {
        return true;
    }
    match host.trim_matches(['[', ']']).parse() {
        Ok(IpAddr::V4(address)) => address.is_loopback() || address.is_link_local(),
        // The metadata service has an address of the unique local ones, too.
        Ok(IpAddr::V6(address)) => {
            address.is_loopback() || address.is_unicast_link_local() || address.is_unique_local()
        }
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_and_its_link_are_near() {
        for near in [
            "localhost",
            "127.0.0.1",
            "[::1]",
            "169.254.169.254",
            "[fd00:c1::a9fe:a9fe]",
        ] {
            assert!(is_near(near), "{near}");
        }
        for far in [
            "10.0.0.1",
            "iaas.eu-frankfurt-1.oraclecloud.com",
            "localhost.example.com",
            "[2001:db8::1]",
            "",
        ] {
            assert!(!is_near(far), "{far}");
        }
    }
}
