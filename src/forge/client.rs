//! Sending: again where it may be, never for ever.
//!
//! Invariant: what makes something is sent again only where it is certain that it was not made; what a host says is shown in
//! one bounded line, without our token.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, LINK, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, HeaderValue, StatusCode};
use http_body_util::LengthLimitError;
use jiff::Timestamp;
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout_at};

use super::{Address, Call, Forge, Repeat};
use crate::providers::oci::api::Exchange;
use crate::providers::oci::transport::NotSent;
use crate::providers::pause::{Jitter, retry_after};
use crate::redact::redact_value;

type Source = Box<dyn std::error::Error + Send + Sync>;

/// Bytes of an answer: more than a hundred comments have, each as long as can be.
pub const LARGEST_ANSWER: usize = 32 << 20;

const ONE_ATTEMPT: Duration = Duration::from_secs(30);
const ATTEMPTS: u32 = 6;
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(16);

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The host says no.
    #[error("{call}: {status}{said}{way_out}")]
    Refused {
        /// What was asked.
        call: String,
        /// The status.
        status: StatusCode,
        /// What the host said, after a colon.
        said: String,
        /// What may be done about it, after a semicolon.
        way_out: String,
    },
    /// It is elsewhere.
    #[error(
        "{call}: {status}, it has moved: name its new place with --repo and --api; a token is not sent where an answer says"
    )]
    Moved {
        /// What was asked.
        call: String,
        /// The status.
        status: StatusCode,
    },
    /// It asks for more time than there is.
    #[error("{call}: {status}, and it asks to wait for {wait} s, which is more than --timeout leaves")]
    Busy {
        /// What was asked.
        call: String,
        /// The status.
        status: StatusCode,
        /// Seconds.
        wait: u64,
    },
    /// It says nothing.
    #[error("{0}: no answer came in time")]
    Silent(String),
    /// The connection can't be made, or broke.
    #[error("{call} failed")]
    Broken {
        /// What was asked.
        call: String,
        /// Why.
        #[source]
        source: Source,
    },
    /// It says too much.
    #[error("{0}: the answer is larger than {largest} MiB", largest = LARGEST_ANSWER >> 20)]
    TooLarge(String),
    /// It says something else.
    #[error("{call}: the answer is not that of this API; is --api right?")]
    Unreadable {
        /// What was asked.
        call: String,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// There is no end of it.
    #[error("{0}: there are more comments than are looked through")]
    Endless(String),
    /// It may have been done, or not.
    #[error("{call}: whether it was done is not known ({why})")]
    Unclear {
        /// What was asked.
        call: String,
        /// What happened.
        why: String,
    },
}

/// How a client is made.
pub struct ClientOptions {
    /// What carries requests.
    pub exchange: Arc<dyn Exchange>,
    /// Where the API is.
    pub address: Address,
    /// What it is like.
    pub forge: Arc<dyn Forge>,
    /// How long all may take together.
    pub patience: Duration,
}

/// What talks to one API.
pub struct Client {
    exchange: Arc<dyn Exchange>,
    address: Address,
    /// What it is like.
    pub forge: Arc<dyn Forge>,
    end: Instant,
    jitter: Jitter,
}

/// An answer of success.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its body.
    pub body: Bytes,
    /// Whether there is a page after this one.
    pub has_more: bool,
}

/// What comes after an attempt.
enum Next {
    Done(Answer),
    /// After so long, or else what is usual; the error stands where there is no time left.
    Again(Option<Duration>, SendError),
    End(SendError),
}

impl Client {
    /// A client, whose time runs from now on.
    pub fn new(options: ClientOptions) -> Self {
        Self {
            exchange: options.exchange,
            address: options.address,
            forge: options.forge,
            end: Instant::now() + options.patience,
            jitter: Jitter::new(None),
        }
    }

    /// Sends a call until it is answered.
    ///
    /// # Errors
    /// Where it is refused, or can't be answered in time; [`SendError::Unclear`] where it may have been done all the same.
    pub async fn send(&mut self, call: &Call) -> Result<Answer, SendError> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            let (asked, error) = match self.attempt(call).await {
                Next::Done(answer) => return Ok(answer),
                Next::End(error) => return Err(error),
                Next::Again(asked, error) => (asked, error),
            };
            if attempt == ATTEMPTS {
                return Err(error);
            }
            self.wait(asked, attempt, error).await?;
        }
    }

    /// Lets a moment pass before what is not clear is looked at.
    pub(super) async fn settle(&mut self, error: SendError) -> Result<(), SendError> {
        self.wait(None, 1, error).await
    }

    async fn wait(&mut self, asked: Option<Duration>, attempt: u32, error: SendError) -> Result<(), SendError> {
        let usual = self.jitter.backoff(FIRST_PAUSE, LONGEST_PAUSE, attempt);
        let pause = asked.unwrap_or(usual);
        if Instant::now() + pause >= self.end {
            return Err(match (asked, error) {
                (Some(asked), SendError::Refused { call, status, .. }) => SendError::Busy {
                    call,
                    status,
                    wait: asked.as_secs(),
                },
                (_, error) => error,
            });
        }
        tracing::debug!(?pause, "again after a pause: {error}");
        sleep(pause).await;
        Ok(())
    }

    async fn attempt(&self, call: &Call) -> Next {
        let name = self.name(call);
        let request = match self.request(call) {
            Ok(request) => request,
            Err(source) => return Next::End(SendError::Broken { call: name, source }),
        };
        let until = self.end.min(Instant::now() + ONE_ATTEMPT);
        let answer = match timeout_at(until, self.exchange.exchange(request)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(source)) => return broken(name, call.repeat, source),
            Err(_) if call.repeat == Repeat::Never => {
                let why = "no answer came in time".to_owned();
                return Next::End(SendError::Unclear { call: name, why });
            }
            Err(_) => return Next::Again(None, SendError::Silent(name)),
        };
        self.judge(name, call.repeat, &answer)
    }

    fn request(&self, call: &Call) -> Result<http::Request<Bytes>, Source> {
        let mut request = http::Request::builder()
            .method(call.method.name())
            .uri(self.address.of(call))
            .header(USER_AGENT, concat!("fleetwright/", env!("CARGO_PKG_VERSION")));
        for (name, value) in self.forge.headers() {
            request = request.header(name, value);
        }
        let body = match &call.body {
            Some(body) => {
                request = request.header(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                // What is posted is read by more people than whoever ran it.
                let mut body = body.clone();
                redact_value(&mut body);
                Bytes::from(serde_json::to_vec(&body)?)
            }
            None => Bytes::new(),
        };
        Ok(request.body(body)?)
    }

    fn judge(&self, call: String, repeat: Repeat, answer: &http::Response<Bytes>) -> Next {
        let (status, headers) = (answer.status(), answer.headers());
        if status.is_success() {
            return Next::Done(Answer {
                body: answer.body().clone(),
                has_more: has_more(headers),
            });
        }
        if status.is_redirection() {
            return Next::End(SendError::Moved { call, status });
        }
        let asked = asked_to_wait(headers, Timestamp::now());
        let way_out = match self.forge.way_out(status) {
            "" => String::new(),
            way_out => format!("; {way_out}"),
        };
        let error = SendError::Refused {
            call,
            status,
            said: self.said(answer.body()),
            way_out,
        };
        match status.as_u16() {
            429 => Next::Again(asked, error),
            // GitHub says so that it is asked too often.
            403 if asked.is_some() => Next::Again(asked, error),
            500 | 502 | 503 | 504 => unclear(repeat, asked, error),
            _ => Next::End(error),
        }
    }

    /// What a refusal says, in one line.
    fn said(&self, body: &[u8]) -> String {
        let Ok(value) = serde_json::from_slice::<Value>(body) else {
            return String::new();
        };
        let text = match (&value["message"], &value["error"]) {
            (Value::String(text), _) | (Value::Null, Value::String(text)) => text.clone(),
            (Value::Null, _) => return String::new(),
            (other, _) => other.to_string(),
        };
        let token = self.forge.token().secret.expose();
        let text = match token {
            "" => text,
            token => text.replace(token, "(token)"),
        };
        let line: String = text
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .take(300)
            .collect();
        format!(": {}", line.trim())
    }

    /// What was asked, for people.
    pub(super) fn name(&self, call: &Call) -> String {
        let whole = self.address.of(call);
        let path = whole.split('?').next().unwrap_or_default();
        format!("{} {path}", call.method.name())
    }
}

fn broken(call: String, repeat: Repeat, source: Source) -> Next {
    if source.downcast_ref::<LengthLimitError>().is_some() {
        return Next::End(SendError::TooLarge(call));
    }
    let was_sent = source.downcast_ref::<NotSent>().is_none();
    let error = SendError::Broken { call, source };
    if was_sent {
        unclear(repeat, None, error)
    } else {
        Next::Again(None, error)
    }
}

/// What may have been done is done again only where that does no harm.
fn unclear(repeat: Repeat, asked: Option<Duration>, error: SendError) -> Next {
    match (repeat, error) {
        (Repeat::Never, SendError::Refused { call, status, .. }) => {
            let why = status.to_string();
            Next::End(SendError::Unclear { call, why })
        }
        (Repeat::Never, SendError::Broken { call, source }) => {
            let why = crate::report::chain(source.as_ref());
            Next::End(SendError::Unclear { call, why })
        }
        (_, error) => Next::Again(asked, error),
    }
}

fn text_of(headers: &HeaderMap, name: impl http::header::AsHeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Whether there is a page after this one: GitHub and Gitea say so by a link, GitLab by both.
fn has_more(headers: &HeaderMap) -> bool {
    let by_number = text_of(headers, "x-next-page").is_some_and(|page| !page.trim().is_empty());
    by_number || text_of(headers, LINK).is_some_and(|link| link.contains("rel=\"next\""))
}

/// How long it asks to be left alone.
fn asked_to_wait(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    if let Some(asked) = text_of(headers, RETRY_AFTER).and_then(|value| retry_after(value, now)) {
        return Some(asked);
    }
    if text_of(headers, "x-ratelimit-remaining")?.trim() != "0" {
        return None;
    }
    let reset: i64 = text_of(headers, "x-ratelimit-reset")?.trim().parse().ok()?;
    let left = reset.saturating_sub(now.as_second()).clamp(0, 24 * 60 * 60);
    Some(Duration::from_secs(u64::try_from(left).unwrap_or_default() + 1))
}
