//! One request, one answer, within a deadline, by as many attempts as it takes.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ::http::header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER};
use ::http::{Method, Request};
use bytes::Bytes;
use futures::StreamExt as _;
use kube::client::Body;
use tokio::time::{Instant, timeout_at};
use tracing::{Instrument as _, trace_span};

use super::retry::{self, Effect, Failure};
use super::status::Refusal;
use crate::metrics::Registry;
use crate::providers::ProviderError;
use crate::providers::fence::{self, Fenced};
use crate::providers::pause::{self, Jitter};

/// A client with a deadline.
#[derive(Clone)]
pub(super) struct Http {
    pub(super) client: kube::Client,
    pub(super) deadline: Duration,
    jitter: Arc<Mutex<Jitter>>,
    pub(super) metrics: Arc<Registry>,
}

/// A request.
pub(super) struct Call {
    pub(super) method: Method,
    /// Whether it may be sent again.
    pub(super) effect: Effect,
    /// Path and query.
    pub(super) path: String,
    pub(super) accept: &'static str,
    pub(super) content_type: &'static str,
    pub(super) body: Vec<u8>,
}

impl Call {
    /// A GET of JSON.
    pub(super) fn get(path: impl Into<String>) -> Self {
        Self {
            method: Method::GET,
            effect: Effect::Nothing,
            path: path.into(),
            accept: "application/json",
            content_type: "application/json",
            body: Vec::new(),
        }
    }

    /// A request that changes something, with a JSON body.
    pub(super) fn json(method: Method, path: impl Into<String>, body: &serde_json::Value) -> Self {
        Self {
            method,
            effect: Effect::Change,
            body: body.to_string().into_bytes(),
            ..Self::get(path)
        }
    }

    /// The same of what changes nothing the second time: see [`Effect::Once`].
    pub(super) fn json_once(method: Method, path: impl Into<String>, body: &serde_json::Value) -> Self {
        Self {
            effect: Effect::Once,
            ..Self::json(method, path, body)
        }
    }
}

/// An answer, whatever its status.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) text: String,
}

impl Answer {
    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum HttpError {
    #[error("no answer within {0:?}")]
    Deadline(Duration),
    /// Without its source: what a credential program printed is in there.
    #[error("the credentials can't be had")]
    Credentials,
    #[error("the request did not come through")]
    Connection(#[source] Box<kube::Error>),
    #[error("the request can't be formed")]
    Form(#[source] ::http::Error),
    #[error("the answer is no UTF-8")]
    Encoding,
    #[error(transparent)]
    Fenced(#[from] Fenced),
    #[error("the answer makes no sense: {0}")]
    Nonsense(&'static str),
    #[error(transparent)]
    Refused(Refusal),
}

impl HttpError {
    /// As the provider's error, with the call named.
    pub(super) fn during(self, what: impl Into<String>) -> ProviderError {
        ProviderError::Transport {
            what: what.into(),
            source: Box::new(self),
        }
    }

    /// As one line, its sources included: for an observation, which is text.
    pub(super) fn line(&self) -> String {
        let mut line = self.to_string();
        let mut source = std::error::Error::source(self);
        while let Some(error) = source {
            let text = error.to_string();
            // Some layers below print their source as well.
            if !line.contains(&text) {
                line.push_str(": ");
                line.push_str(&text);
            }
            source = error.source();
        }
        line
    }
}

impl Http {
    pub(super) fn new(client: kube::Client, deadline: Duration, jitter: Jitter, metrics: Arc<Registry>) -> Self {
        Self {
            client,
            deadline,
            metrics,
            jitter: Arc::new(Mutex::new(jitter)),
        }
    }

    /// Sends a request and takes in the whole answer; where that fails and another attempt may help, sends it again. What is
    /// given back is what the last attempt came to. What changes something is sent as long as the fence stands.
    pub(super) async fn send(&self, call: Call) -> Result<Answer, HttpError> {
        match call.effect {
            Effect::Nothing => self.send_unfenced(call).await,
            Effect::Once | Effect::Change => fence::guarded(self.send_unfenced(call)).await?,
        }
    }

    /// The same whether a fence stands or not.
    pub(super) async fn send_unfenced(&self, mut call: Call) -> Result<Answer, HttpError> {
        let body = Bytes::from(std::mem::take(&mut call.body));
        let begun = Instant::now();
        let until = begun + self.deadline;
        let mut attempts = 0;
        let result = loop {
            attempts += 1;
            let tried = Instant::now();
            let span = trace_span!("kubernetes", method = %call.method, path = call.path, attempts);
            let (result, failure) = self.attempt(&call, body.clone(), until).instrument(span).await;
            let code = result.as_ref().ok().map(|answer| answer.status);
            self.metrics
                .kubernetes_request(call.method.as_str(), code, tried.elapsed());
            let pause = failure.and_then(|failure| {
                let mut jitter = self.jitter.lock().unwrap_or_else(PoisonError::into_inner);
                retry::pause(call.effect, failure, attempts, &mut jitter)
            });
            // A pause beyond the deadline ends in a word that says less than this answer does.
            let Some(pause) = pause.filter(|pause| Instant::now() + *pause < until) else {
                break result;
            };
            tracing::debug!(method = %call.method, path = call.path, attempts, ?failure, ?pause, "another attempt");
            tokio::time::sleep(pause).await;
        };
        let milliseconds = begun.elapsed().as_millis();
        let Call { method, path, .. } = call;
        // Method, path and size alone: bodies may hold secrets, paths hold names.
        match &result {
            Ok(Answer { status, text }) => {
                tracing::debug!(%method, path, status, bytes = text.len(), attempts, milliseconds, "answered");
            }
            Err(error) => tracing::debug!(%method, path, error = error.line(), attempts, milliseconds, "no answer"),
        }
        result
    }

    /// Waits before another attempt at what could not simply be sent again.
    pub(super) async fn rest(&self, attempts: u32) {
        let pause = {
            let mut jitter = self.jitter.lock().unwrap_or_else(PoisonError::into_inner);
            retry::backoff(attempts, &mut jitter)
        };
        tokio::time::sleep(pause).await;
    }

    async fn attempt(&self, call: &Call, body: Bytes, until: Instant) -> (Result<Answer, HttpError>, Option<Failure>) {
        let exchange = self.exchange(call, body);
        let Ok(result) = timeout_at(until, exchange).await else {
            return (Err(HttpError::Deadline(self.deadline)), None);
        };
        match result {
            Ok((answer, retry_after)) => {
                let failure = Failure::of(&answer, retry_after);
                (Ok(answer), failure)
            }
            Err(error) => {
                let failure = match &error {
                    HttpError::Connection(source) if never_sent(source) => Some(Failure::NotSent),
                    HttpError::Connection(_) => Some(Failure::Connection),
                    _ => None,
                };
                (Err(error), failure)
            }
        }
    }

    /// The answer, and how long the server asks to be left alone.
    async fn exchange(&self, call: &Call, body: Bytes) -> Result<(Answer, Option<Duration>), HttpError> {
        let response = self.client.send(request(call, body)?).await.map_err(no_answer)?;
        let status = response.status().as_u16();
        let asked = response
            .headers()
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok());
        let retry_after = asked.and_then(|value| pause::retry_after(value, jiff::Timestamp::now()));
        let bytes = response.into_body().collect_bytes().await.map_err(no_answer)?;
        let text = String::from_utf8(bytes.into()).map_err(|_| HttpError::Encoding)?;
        Ok((Answer { status, text }, retry_after))
    }
}

/// Whether there was no connection to send anything by.
fn never_sent(error: &kube::Error) -> bool {
    let kube::Error::Service(error) = error else {
        return false;
    };
    let first: &(dyn std::error::Error + 'static) = &**error;
    std::iter::successors(Some(first), |error| error.source())
        .find_map(|error| error.downcast_ref::<hyper_util::client::legacy::Error>())
        .is_some_and(hyper_util::client::legacy::Error::is_connect)
}

pub(super) fn request(call: &Call, body: Bytes) -> Result<Request<Body>, HttpError> {
    Request::builder()
        .method(call.method.clone())
        .uri(&call.path)
        .header(ACCEPT, call.accept)
        .header(CONTENT_TYPE, call.content_type)
        .body(Body::from(body))
        .map_err(HttpError::Form)
}

pub(super) fn no_answer(error: kube::Error) -> HttpError {
    match error {
        kube::Error::Auth(_) => HttpError::Credentials,
        other => HttpError::Connection(Box::new(other)),
    }
}

/// Runs futures, so many at a time; their results come in the order in which they are done.
pub(super) async fn gather<F: Future>(futures: impl IntoIterator<Item = F>, at_a_time: usize) -> Vec<F::Output> {
    // Collected first: the compiler can't see through the iterator's closures once they are part of a future.
    let futures: Vec<F> = futures.into_iter().collect();
    futures::stream::iter(futures)
        .buffer_unordered(at_a_time.max(1))
        .collect()
        .await
}

/// One segment of a path, or one value of a query: everything but unreserved characters is escaped, so that no name can
/// reach another path.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leaves_its_segment() {
        assert_eq!(escape("payments-gpu.1"), "payments-gpu.1");
        assert_eq!(escape("a/b?c=d&e #%"), "a%2Fb%3Fc%3Dd%26e%20%23%25");
    }

    #[tokio::test]
    async fn what_finds_no_server_was_never_sent() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        let mut config = kube::Config::new(url.parse().unwrap());
        config.default_retry = false;
        let client = kube::Client::try_from(config).unwrap();
        let http = Http::new(client, Duration::from_secs(60), Jitter::new(1), Arc::default());
        let call = Call::json(Method::POST, "/x", &serde_json::json!({}));
        let until = Instant::now() + Duration::from_secs(60);
        let (result, failure) = http.attempt(&call, Bytes::new(), until).await;
        assert_eq!(failure, Some(Failure::NotSent));
        assert!(result.err().unwrap().line().contains("refused"));
    }

    #[test]
    fn a_line_names_each_cause_once() {
        let io = std::io::Error::other("refused");
        let error = HttpError::Connection(Box::new(kube::Error::Service(Box::new(io))));
        assert_eq!(error.line().matches("refused").count(), 1);
    }
}
