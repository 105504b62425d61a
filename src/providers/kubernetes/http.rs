//! One request, one answer, within a deadline.

use std::time::{Duration, Instant};

use ::http::{Method, Request};
use futures::StreamExt as _;
use http_body_util::BodyExt as _;
use kube::client::Body;

use super::status::Refusal;
use crate::providers::ProviderError;

/// A client with a deadline.
#[derive(Clone)]
pub(super) struct Http {
    client: kube::Client,
    deadline: Duration,
}

/// A request.
pub(super) struct Call {
    pub(super) method: Method,
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
            path: path.into(),
            accept: "application/json",
            content_type: "application/json",
            body: Vec::new(),
        }
    }

    /// A request with a JSON body.
    pub(super) fn json(method: Method, path: impl Into<String>, body: &serde_json::Value) -> Self {
        Self {
            method,
            body: body.to_string().into_bytes(),
            ..Self::get(path)
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
    pub(super) fn new(client: kube::Client, deadline: Duration) -> Self {
        Self { client, deadline }
    }

    /// Sends one request and takes in the whole answer.
    pub(super) async fn send(&self, call: Call) -> Result<Answer, HttpError> {
        let (method, path, begun) = (call.method.clone(), call.path.clone(), Instant::now());
        let result = self.exchange(call).await;
        let milliseconds = begun.elapsed().as_millis();
        // Method, path and size alone: bodies may hold secrets, paths hold names.
        match &result {
            Ok(Answer { status, text }) => {
                tracing::debug!(%method, path, status, bytes = text.len(), milliseconds, "answered");
            }
            Err(error) => tracing::debug!(%method, path, error = error.line(), milliseconds, "no answer"),
        }
        result
    }

    /// Sends a request whose answer comes line by line, for as long as the server likes; or gives its refusal.
    pub(super) async fn stream(&self, call: Call) -> Result<Result<Lines, Refusal>, HttpError> {
        let request = request(call)?;
        let response = tokio::time::timeout(self.deadline, self.client.send(request))
            .await
            .map_err(|_| HttpError::Deadline(self.deadline))?
            .map_err(no_answer)?;
        let status = response.status();
        if status.is_success() {
            return Ok(Ok(Lines {
                body: response.into_body(),
                buffer: Vec::new(),
            }));
        }
        let bytes = tokio::time::timeout(self.deadline, response.into_body().collect_bytes())
            .await
            .map_err(|_| HttpError::Deadline(self.deadline))?
            .map_err(no_answer)?;
        let text = String::from_utf8(bytes.into()).map_err(|_| HttpError::Encoding)?;
        let answer = Answer {
            status: status.as_u16(),
            text,
        };
        Ok(Err(Refusal::of(&answer)))
    }

    async fn exchange(&self, call: Call) -> Result<Answer, HttpError> {
        let request = request(call)?;
        let exchange = async {
            let response = self.client.send(request).await?;
            let status = response.status().as_u16();
            Ok::<_, kube::Error>((status, response.into_body().collect_bytes().await?))
        };
        let (status, bytes) = tokio::time::timeout(self.deadline, exchange)
            .await
            .map_err(|_| HttpError::Deadline(self.deadline))?
            .map_err(no_answer)?;
        let text = String::from_utf8(bytes.into()).map_err(|_| HttpError::Encoding)?;
        Ok(Answer { status, text })
    }
}

fn request(call: Call) -> Result<Request<Body>, HttpError> {
    Request::builder()
        .method(call.method)
        .uri(call.path)
        .header(::http::header::ACCEPT, call.accept)
        .header(::http::header::CONTENT_TYPE, call.content_type)
        .body(Body::from(call.body))
        .map_err(HttpError::Form)
}

fn no_answer(error: kube::Error) -> HttpError {
    match error {
        kube::Error::Auth(_) => HttpError::Credentials,
        other => HttpError::Connection(Box::new(other)),
    }
}

/// An answer that comes line by line.
pub(super) struct Lines {
    body: Body,
    /// What has come and is no whole line yet.
    buffer: Vec<u8>,
}

impl Lines {
    /// The next line without its end; none where the answer is over. A last line that was cut off is dropped.
    ///
    /// # Errors
    /// Where nothing comes for longer than `silence`, a line is longer than `longest` bytes, or the connection breaks.
    pub(super) async fn next(&mut self, silence: Duration, longest: usize) -> Result<Option<String>, HttpError> {
        let mut looked_at = 0;
        loop {
            if let Some(end) = self.buffer[looked_at..].iter().position(|&byte| byte == b'\n') {
                let rest = self.buffer.split_off(looked_at + end + 1);
                let mut line = std::mem::replace(&mut self.buffer, rest);
                line.pop();
                return String::from_utf8(line).map(Some).map_err(|_| HttpError::Encoding);
            }
            looked_at = self.buffer.len();
            if looked_at > longest {
                return Err(HttpError::Nonsense("a line of it is too long"));
            }
            let frame = tokio::time::timeout(silence, self.body.frame())
                .await
                .map_err(|_| HttpError::Deadline(silence))?;
            match frame {
                None => return Ok(None),
                Some(Err(error)) => return Err(no_answer(error)),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.buffer.extend_from_slice(&data);
                    }
                }
            }
        }
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

    #[test]
    fn a_line_names_each_cause_once() {
        let io = std::io::Error::other("refused");
        let error = HttpError::Connection(Box::new(kube::Error::Service(Box::new(io))));
        assert_eq!(error.line().matches("refused").count(), 1);
    }
}
