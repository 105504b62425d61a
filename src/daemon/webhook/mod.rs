//! Webhooks: a Git server tells that somebody pushed.
//!
//! Invariant: whatever a request says, all that comes of it is that the source is looked at now. It has to prove that it
//! comes from who has the secret before any of it is parsed, and what it costs is bounded before that is known. Where several
//! fleets are followed, only those are looked at whose secret proves it and whose repository it names.
//!
//! `signature`, `payload` and `meter` are pure.

mod meter;
mod payload;
mod secret;
mod signature;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ::http::header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use ::http::request::Parts;
use ::http::{Method, StatusCode};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::sync::Notify;
use tokio::time::Instant;

use self::meter::Meter;
pub use self::payload::Push;
pub use self::secret::SecretError;
use self::signature::Proof;
use super::source::Source;
use crate::http_server::{Api, Bounds, Peer, Request, Response, full};
use crate::metrics::Registry;
use crate::metrics::catalog::WEBHOOKS;

/// Where webhooks are sent to.
const PATH: &str = "/webhook";

/// A push of some thousand commits makes half a megabyte. Each connection may hold so much in memory.
pub(super) const BOUNDS: Bounds = Bounds {
    body: 1 << 20,
    head_time: Duration::from_secs(10),
    body_time: Duration::from_secs(10),
    connections: 32,
};

/// Rung when the source is to be looked at now; rung often before somebody hears it, it counts once.
#[derive(Debug, Default)]
pub struct Bell(Notify);

impl Bell {
    /// Rings.
    pub fn ring(&self) {
        self.0.notify_one();
    }

    /// Waits until it rings, or has since the last time.
    pub(super) async fn rung(&self) {
        self.0.notified().await;
    }
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Received {
    /// The source is looked at.
    Accepted,
    /// It tells of something that nobody follows here.
    Ignored,
    /// There were too many.
    Limited,
    /// It does not prove where it comes from.
    Unproved,
    /// It makes no sense.
    Malformed,
    /// It is no webhook at all.
    Misplaced,
    /// The secret can't be read.
    Unable,
}

impl Received {
    /// One word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Ignored => "ignored",
            Self::Limited => "limited",
            Self::Unproved => "unproved",
            Self::Malformed => "malformed",
            Self::Misplaced => "misplaced",
            Self::Unable => "unable",
        }
    }
}

/// A fleet that webhooks may be about.
#[derive(Clone)]
pub struct Route {
    /// What it is called among several; none where it is the only one.
    pub name: Option<String>,
    /// Where its files come from.
    pub source: Arc<dyn Source>,
    /// Rung when they are to be looked at.
    pub bell: Arc<Bell>,
    /// The file of the secret that webhooks about it are proved with.
    pub secret: PathBuf,
}

/// What takes webhooks in.
pub struct Webhooks {
    routes: Vec<Route>,
    began: Instant,
    meter: Mutex<Meter>,
    metrics: Arc<Registry>,
}

/// What is answered.
struct Verdict {
    status: StatusCode,
    received: Received,
    why: String,
    retry_after: Option<Duration>,
}

impl Verdict {
    fn new(status: StatusCode, received: Received, why: impl Into<String>) -> Self {
        Self {
            status,
            received,
            why: why.into(),
            retry_after: None,
        }
    }
}

impl Webhooks {
    /// Takes webhooks in about these fleets, each proved with the secret in its file. The files are read anew for each webhook.
    ///
    /// # Errors
    /// Where a file holds no secret that will do.
    pub fn new(routes: Vec<Route>, metrics: Arc<Registry>) -> Result<Self, SecretError> {
        for file in secrets(&routes) {
            secret::read(&file)?;
        }
        Ok(Self {
            routes,
            began: Instant::now(),
            meter: Mutex::default(),
            metrics,
        })
    }

    fn meter<T>(&self, use_it: impl FnOnce(&mut Meter, Duration) -> T) -> T {
        let mut meter = self.meter.lock().unwrap_or_else(PoisonError::into_inner);
        use_it(&mut meter, self.began.elapsed())
    }

    /// What can be said by the head of a request alone.
    fn glance(&self, parts: &Parts) -> Option<Verdict> {
        if parts.uri.path() != PATH {
            return Some(Verdict::new(
                StatusCode::NOT_FOUND,
                Received::Misplaced,
                "there is /webhook",
            ));
        }
        if parts.method != Method::POST {
            return Some(Verdict::new(
                StatusCode::METHOD_NOT_ALLOWED,
                Received::Misplaced,
                "only POST",
            ));
        }
        if let Err(wait) = self.meter(|meter, now| meter.admit(peer(parts), now)) {
            return Some(Verdict {
                retry_after: Some(wait),
                ..Verdict::new(StatusCode::TOO_MANY_REQUESTS, Received::Limited, "too many requests")
            });
        }
        if Proof::of(&parts.headers).is_none() {
            return Some(self.unproved(parts, "a signature is required"));
        }
        None
    }

    fn unproved(&self, parts: &Parts, why: &str) -> Verdict {
        self.meter(|meter, now| meter.punish(peer(parts), now));
        Verdict::new(StatusCode::UNAUTHORIZED, Received::Unproved, why)
    }

    async fn receive(&self, request: Request) -> Verdict {
        let (parts, body) = request.into_parts();
        let files = secrets(&self.routes);
        let read = move || {
            files
                .into_iter()
                .map(|file| (secret::read(&file), file))
                .collect::<Vec<_>>()
        };
        let Ok(secrets) = tokio::task::spawn_blocking(read).await else {
            let why = "the server is ending";
            return Verdict::new(StatusCode::SERVICE_UNAVAILABLE, Received::Unable, why);
        };
        let proof = Proof::of(&parts.headers);
        let (mut proved, mut unread) = (BTreeSet::new(), false);
        for (secret, file) in secrets {
            match secret {
                Ok(secret) if proof.as_ref().is_some_and(|proof| proof.holds(&secret, &body)) => {
                    proved.insert(file);
                }
                Ok(_) => {}
                Err(error) => {
                    let error = crate::report::chain(&error);
                    tracing::error!(error, "webhooks can't be checked");
                    unread = true;
                }
            }
        }
        if proved.is_empty() && unread {
            let why = "the secret can't be read";
            return Verdict::new(StatusCode::SERVICE_UNAVAILABLE, Received::Unable, why);
        }
        if proved.is_empty() {
            return self.unproved(&parts, "the signature does not fit");
        }
        if !payload::is_push(&parts.headers) {
            return Verdict::new(StatusCode::ACCEPTED, Received::Ignored, "only pushes are of interest");
        }
        let push = match Push::read(&parts.headers, &body) {
            Ok(push) => push,
            Err(error) => {
                return Verdict::new(StatusCode::BAD_REQUEST, Received::Malformed, error.to_string());
            }
        };
        // Who has the secret of one fleet has nothing to say to another.
        let concerned = |route: &&Route| proved.contains(&route.secret) && route.source.concerns(&push);
        let mut concerned = self.routes.iter().filter(concerned).peekable();
        if concerned.peek().is_none() {
            let why = "nobody here follows that";
            return Verdict::new(StatusCode::ACCEPTED, Received::Ignored, why);
        }
        for route in concerned {
            let (reference, fleet) = (&push.reference, route.name.as_deref());
            tracing::info!(reference, fleet, "somebody pushed");
            route.bell.ring();
        }
        Verdict::new(StatusCode::ACCEPTED, Received::Accepted, "looking")
    }

    fn answer(&self, verdict: &Verdict) -> Response {
        tracing::debug!(received = verdict.received.as_str(), why = verdict.why, "webhook");
        self.metrics.count(&WEBHOOKS, [verdict.received.as_str()], 1.0);
        let mut response = Response::new(full(format!("{}\n", verdict.why)));
        *response.status_mut() = verdict.status;
        let text = HeaderValue::from_static("text/plain; charset=utf-8");
        response.headers_mut().insert(CONTENT_TYPE, text);
        response.headers_mut().insert(
            HeaderName::from_static("x-content-type-options"),
            HeaderValue::from_static("nosniff"),
        );
        if let Some(wait) = verdict.retry_after {
            let seconds = HeaderValue::from(wait.as_secs().saturating_add(1));
            response.headers_mut().insert(RETRY_AFTER, seconds);
        }
        response
    }
}

impl Api for Webhooks {
    fn call(&self, request: Request) -> BoxFuture<'_, Response> {
        self.receive(request).map(|verdict| self.answer(&verdict)).boxed()
    }

    fn refuse(&self, parts: &Parts) -> Option<Response> {
        self.glance(parts).map(|verdict| self.answer(&verdict))
    }
}

/// The files of secrets, each once.
fn secrets(routes: &[Route]) -> BTreeSet<PathBuf> {
    routes.iter().map(|route| route.secret.clone()).collect()
}

fn peer(parts: &Parts) -> Option<std::net::IpAddr> {
    parts.extensions.get::<Peer>().map(|peer| peer.0.ip())
}

#[cfg(test)]
mod tests;
