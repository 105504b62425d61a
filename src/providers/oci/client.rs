//! Calls, signed, sent, repeated where that is safe, and counted.
//!
//! Invariant: all attempts of a call bear the same retry token, body and `opc-request-id`; each waits for the budget and is
//! signed afresh. May depend on the exchange and the credentials that it is given; knows no kind of resource.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use http::header::HeaderMap;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;
use tracing::{Instrument as _, trace_span};
use url::Url;

use super::api::{Answer, Call, Exchange};
use super::budget::{Budget, Purse, Rate};
use super::counts::{Counter, Counts, Kind};
use super::credentials::{Credentials, CredentialsError, Now};
use super::endpoint::Endpoints;
use super::error::OciError;
use super::identity::Identity;
use super::retry::{self, Patience, Policy, Tries};
use super::sign::Signer;
use super::silence::{Asked, NotAsked, Silences, is_silence};
use super::storm::Storms;
use super::transport::NotSent;
use super::wire::{self, REQUEST_ID};
use crate::metrics::Registry;
use crate::metrics::catalog::OCI_WAITED;
use crate::providers::fence;
use crate::providers::pause::{Jitter, parse_http_date};

/// How to talk to OCI.
#[derive(Clone)]
pub struct Options {
    /// What sends a request.
    pub exchange: Arc<dyn Exchange>,
    /// Whose key signs the calls of a tenancy, by its OCID.
    pub credentials: BTreeMap<String, Arc<dyn Credentials>>,
    /// Whose key signs where a call names no tenancy, or the one that this key is of.
    pub default_credentials: Option<Arc<dyn Credentials>>,
    /// Where calls go.
    pub endpoints: Endpoints,
    /// Calls per tenancy and region; none: as many as the caller makes.
    pub budget: Option<Rate>,
    /// A budget that other clients draw from too, in place of one of its own.
    pub shared_budget: Option<Arc<Budget>>,
    /// How long one call may take, retries included, from when the budget lets it through.
    pub deadline: Duration,
    /// How long one attempt may take.
    pub attempt_timeout: Duration,
    /// Attempts of one call.
    pub attempts: u32,
    /// Seeds what spreads retries; none: a different one each time.
    pub seed: Option<u64>,
    /// The clock by which requests are dated.
    pub now: Now,
    /// Where calls are counted.
    pub metrics: Arc<Registry>,
}

impl Options {
    /// The defaults: Oracle's endpoints, a budget, no credentials. A service answers within seconds or not at all; two minutes
    /// outlast the restart of one.
    pub fn new(exchange: Arc<dyn Exchange>) -> Self {
        Self {
            exchange,
            credentials: BTreeMap::new(),
            default_credentials: None,
            endpoints: Endpoints::new(),
            budget: Some(Rate::default()),
            shared_budget: None,
            deadline: Duration::from_secs(120),
            attempt_timeout: Duration::from_secs(30),
            attempts: 8,
            seed: None,
            now: Arc::new(Timestamp::now),
            metrics: Arc::default(),
        }
    }
}

/// A client of all services in all regions. Clones share budget, counts and signers.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    exchange: Arc<dyn Exchange>,
    identities: BTreeMap<String, Identity>,
    default: Option<Identity>,
    endpoints: Endpoints,
    budget: Option<Arc<Budget>>,
    deadline: Duration,
    attempt_timeout: Duration,
    policy: Policy,
    jitter: Mutex<Jitter>,
    now: Now,
    counter: Counter,
    storms: Storms,
    silences: Silences,
    /// How far OCI's clock is ahead of ours, by the last answer.
    ahead: Mutex<Option<SignedDuration>>,
    metrics: Arc<Registry>,
}

/// How far a call has come: what is left to say of it when time runs out.
#[derive(Default)]
struct Progress {
    tries: Tries,
    sent: bool,
    failed: Option<OciError>,
}

impl Client {
    /// A client.
    pub fn new(options: Options) -> Self {
        Self(Arc::new(Inner {
            exchange: options.exchange,
            identities: options
                .credentials
                .into_iter()
                .map(|(tenancy, credentials)| (tenancy, Identity::new(credentials)))
                .collect(),
            default: options.default_credentials.map(Identity::new),
            endpoints: options.endpoints,
            budget: options
                .shared_budget
                .or_else(|| options.budget.map(|rate| Arc::new(Budget::new(rate)))),
            deadline: options.deadline,
            attempt_timeout: options.attempt_timeout,
            policy: Policy {
                attempts: options.attempts.max(1),
            },
            jitter: Mutex::new(Jitter::new(options.seed)),
            now: options.now,
            counter: Counter::default(),
            storms: Storms::default(),
            silences: Silences::default(),
            ahead: Mutex::default(),
            metrics: options.metrics,
        }))
    }

    /// Makes a call.
    ///
    /// # Errors
    /// Where the service refuses, or no answer that makes sense came in time.
    pub async fn call(&self, call: Call) -> Result<Answer, OciError> {
        self.run(&call, Patience::Settled).await
    }

    /// Makes a call that names what was made moments ago: that it isn't found is no answer yet. Waits for up to four minutes.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn call_fresh(&self, call: Call) -> Result<Answer, OciError> {
        self.run(&call, Patience::Fresh).await
    }

    /// Makes a call whose answer is a list, page by page, to its end.
    ///
    /// # Errors
    /// As [`Client::call`]; a list that is known in part is an error.
    pub async fn list(&self, call: Call) -> Result<Vec<Value>, OciError> {
        self.list_as(call, std::convert::identity).await
    }

    /// The same, each item read as soon as its page is there: of a long list no more than a page is ever a tree. Pages follow each
    /// other whatever the one who waits for them does meanwhile.
    pub(super) async fn list_as<T: Send + 'static>(
        &self,
        call: Call,
        read: impl Fn(Value) -> T + Send + Sync + 'static,
    ) -> Result<Vec<T>, OciError> {
        let client = self.clone();
        elsewhere(async move { client.pages(call, read).await }).await
    }

    async fn pages<T>(&self, mut call: Call, read: impl Fn(Value) -> T) -> Result<Vec<T>, OciError> {
        let nonsense = |operation, what: &str| OciError::Nonsense {
            operation,
            what: what.to_owned(),
            sent: true,
        };
        let mut items = Vec::new();
        let mut seen = BTreeSet::new();
        loop {
            let answer = self.run(&call, Patience::Settled).await?;
            match answer.body {
                Value::Array(page) => items.extend(page.into_iter().map(&read)),
                Value::Object(mut object) => match object.remove("items") {
                    Some(Value::Array(page)) => items.extend(page.into_iter().map(&read)),
                    _ => return Err(nonsense(call.operation, "the answer holds no list")),
                },
                _ => return Err(nonsense(call.operation, "the answer is no list")),
            }
            // An empty page may have a next one.
            let Some(page) = answer.next_page else { return Ok(items) };
            if !seen.insert(page.clone()) {
                return Err(nonsense(
                    call.operation,
                    "the list comes back to a page that it had already",
                ));
            }
            call.query.retain(|(name, _)| *name != "page");
            call.query.push(("page", page));
        }
    }

    /// What was asked up to now, and what is left of the budget.
    pub fn counts(&self) -> Counts {
        self.0
            .counter
            .snapshot(self.0.budget.as_ref().map(|budget| budget.left()).unwrap_or_default())
    }

    /// How far OCI's clock is ahead of ours, where an answer has shown it.
    pub fn clock_ahead(&self) -> Option<SignedDuration> {
        *self.0.ahead.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// OCID of the tenancy that the default credentials are of, where they can be had and say so.
    pub async fn own_tenancy(&self) -> Option<String> {
        let default = self.0.default.as_ref()?;
        default.credentials.get().await.ok()?.tenancy
    }

    async fn run(&self, call: &Call, patience: Patience) -> Result<Answer, OciError> {
        let inner = &self.0;
        let operation = call.operation;
        let url = inner
            .endpoints
            .url(call.service, &call.place.region, &call.path, &call.query)
            .map_err(|source| OciError::Endpoint { operation, source })?;
        let headers = wire::headers(call, &inner.request_id())?;
        let body = call.body.as_ref().map(|body| Bytes::from(body.to_string()));
        let request = Arc::new(Request {
            call: call.clone(),
            url,
            headers,
            body,
        });
        let deadline = match patience {
            Patience::Settled => inner.deadline,
            Patience::Fresh => inner.deadline.max(retry::FRESH_WINDOW),
        };
        let (identity, signer) = inner.signer(call, deadline).await?;
        let purse = Purse {
            tenancy: signer
                .material()
                .tenancy
                .clone()
                .or_else(|| call.place.tenancy.clone())
                .unwrap_or_default(),
            region: call.place.region.clone(),
        };
        let asked = (purse, call.service);
        if request.is_read() && patience == Patience::Settled && inner.silences.is_certain(&asked) {
            return Err(OciError::Transport {
                operation,
                sent: false,
                source: Box::new(NotAsked(call.place.region.clone())),
            });
        }
        inner.take(&asked.0).await;
        let mut progress = Progress::default();
        let attempts = inner.attempts(
            &request,
            identity,
            &asked,
            patience,
            Instant::now() + deadline,
            &mut progress,
        );
        match tokio::time::timeout(deadline, attempts).await {
            Ok(result) => result,
            Err(_) => {
                if request.is_read() {
                    inner.silences.begin(&asked);
                }
                Err(OciError::Deadline {
                    operation,
                    deadline,
                    attempts: progress.tries.attempts,
                    sent: progress.sent,
                    source: progress.failed.map(Box::new),
                })
            }
        }
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("tenancies", &self.0.identities.keys().collect::<Vec<_>>())
            .field("default", &self.0.default.is_some())
            .field("endpoints", &self.0.endpoints)
            .field("budget", &self.0.budget)
            .finish_non_exhaustive()
    }
}

/// What all attempts have in common.
struct Request {
    call: Call,
    url: Url,
    headers: HeaderMap,
    body: Option<Bytes>,
}

impl Request {
    fn is_read(&self) -> bool {
        matches!(self.call.method, Method::GET | Method::HEAD)
    }
}

/// Runs on a task of its own, which ends with whoever waits for it.
async fn elsewhere<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    let task = AbortOnDropHandle::new(tokio::spawn(work.in_current_span()));
    match task.await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Only a runtime that shuts down cancels it otherwise, and that polls nobody who waits.
            Err(_) => std::future::pending().await,
        },
    }
}

impl Inner {
    async fn attempts(
        self: &Arc<Self>,
        request: &Arc<Request>,
        identity: &Identity,
        asked: &Asked,
        patience: Patience,
        until: Instant,
        progress: &mut Progress,
    ) -> Result<Answer, OciError> {
        let (call, (purse, _)) = (&request.call, asked);
        let mut asked_again = false;
        loop {
            progress.tries.attempts += 1;
            let signer = identity.signer(call.operation).await?;
            let span = trace_span!("oci", operation = call.operation, attempts = progress.tries.attempts);
            let error = match self.attempt(request, &signer, progress).instrument(span).await {
                Ok(answer) => {
                    self.storms.end(purse);
                    self.silences.end(asked);
                    return Ok(answer);
                }
                Err(error) => error,
            };
            let is_too_much = error.status() == Some(429);
            if error.status().is_some() && !is_too_much {
                self.storms.end(purse);
            }
            let is_silent = request.is_read() && is_silence(&error);
            if error.status().is_some() && !is_silence(&error) {
                self.silences.end(asked);
            }
            // Keys are rotated while we run: one that was good a moment ago may have a successor.
            if error.status() == Some(401) && !asked_again {
                asked_again = true;
                identity.credentials.refused(signer.material()).await;
                let next = identity.signer(call.operation).await?;
                if next.material() == signer.material() {
                    return Err(error);
                }
                tracing::info!(
                    operation = call.operation,
                    "the key was refused; its successor is tried"
                );
            } else {
                progress.tries.failed(&error);
                let pause = {
                    let mut jitter = self.jitter.lock().unwrap_or_else(PoisonError::into_inner);
                    self.policy.pause(call, patience, &error, progress.tries, &mut jitter)
                };
                // A pause beyond the deadline ends in a word that says less than this error does.
                let pause = pause.filter(|pause| Instant::now() + *pause < until);
                let attempts = progress.tries.attempts;
                let is_worth_it =
                    (!is_too_much || self.storms.allow(purse, attempts)) && (!is_silent || self.silences.allow(asked));
                let Some(pause) = pause.filter(|_| is_worth_it) else {
                    if is_too_much {
                        self.storms.begin(purse);
                    }
                    if is_silent {
                        self.silences.begin(asked);
                    }
                    return Err(error);
                };
                tracing::debug!(operation = call.operation, ?pause, %error, "another attempt");
                progress.failed = Some(error);
                tokio::time::sleep(pause).await;
            }
            self.counter.retry();
            self.take(purse).await;
        }
    }

    async fn attempt(
        self: &Arc<Self>,
        request: &Arc<Request>,
        signer: &Arc<Signer>,
        progress: &mut Progress,
    ) -> Result<Answer, OciError> {
        let sent_before = std::mem::replace(&mut progress.sent, true);
        let result = if request.is_read() {
            // A signature takes a millisecond or two, and so does a page of a list: dozens of reads that one task waits for
            // get all threads this way. Writes stay where they are, since their fence is the task's.
            let (inner, request, signer) = (self.clone(), request.clone(), signer.clone());
            elsewhere(async move { inner.once(&request, &signer).await }).await
        } else {
            self.once(request, signer).await
        };
        if let Err(error) = &result {
            progress.sent = sent_before || error.outcome_unknown();
        }
        result
    }

    /// Signs, sends and reads.
    async fn once(&self, request: &Request, signer: &Signer) -> Result<Answer, OciError> {
        let call = &request.call;
        let operation = call.operation;
        let lost = |sent, source| OciError::Transport {
            operation,
            sent,
            source,
        };
        let mut headers = request.headers.clone();
        let now = (self.now)();
        signer
            .sign(&call.method, &request.url, &mut headers, request.body.as_deref(), now)
            .map_err(|error| lost(false, Box::new(error)))?;
        let mut message = http::Request::new(request.body.clone().unwrap_or_default());
        *message.method_mut() = call.method.clone();
        *message.uri_mut() = request
            .url
            .as_str()
            .parse()
            .map_err(|error: http::uri::InvalidUri| lost(false, Box::new(error)))?;
        *message.headers_mut() = headers;

        let begun = Instant::now();
        let exchange = async {
            let exchange = self.exchange.exchange(message);
            if request.is_read() {
                Ok(exchange.await)
            } else {
                fence::guarded(exchange).await
            }
        };
        let answered = tokio::time::timeout(self.attempt_timeout, exchange).await;
        let mut kind = Kind {
            service: call.service,
            operation,
            status: None,
        };
        let result = match answered {
            Err(elapsed) => Err(lost(true, Box::new(elapsed))),
            Ok(Err(fenced)) => Err(lost(true, Box::new(fenced))),
            Ok(Ok(Err(source))) => Err(lost(!source.is::<NotSent>(), source)),
            Ok(Ok(Ok(answer))) => {
                kind.status = Some(answer.status().as_u16());
                self.note_clock(&answer);
                wire::read(call, &request.headers, &answer, (self.now)())
            }
        };
        tracing::debug!(operation, status = kind.status, request_id = ?request.headers.get(REQUEST_ID), "asked");
        self.counter.request(kind);
        self.metrics
            .oci_call(kind.service.name(), operation, kind.status, begun.elapsed());
        result
    }

    fn note_clock(&self, answer: &http::Response<Bytes>) {
        let date = answer.headers().get(http::header::DATE);
        let date = date.and_then(|value| parse_http_date(value.to_str().ok()?));
        if let Some(theirs) = date {
            let ahead = theirs.duration_since((self.now)());
            *self.ahead.lock().unwrap_or_else(PoisonError::into_inner) = Some(ahead);
        }
    }

    fn request_id(&self) -> String {
        let mut jitter = self.jitter.lock().unwrap_or_else(PoisonError::into_inner);
        format!("{:016X}{:016X}", jitter.next(), jitter.next())
    }

    /// Who signs the calls of a place, and with what now.
    async fn signer(&self, call: &Call, deadline: Duration) -> Result<(&Identity, Arc<Signer>), OciError> {
        let operation = call.operation;
        let wrong = |source| OciError::Credentials { operation, source };
        let named = call.place.tenancy.as_deref();
        let own = named.and_then(|tenancy| self.identities.get(tenancy));
        let identity = own.or(self.default.as_ref()).ok_or_else(|| {
            wrong(named.map_or(CredentialsError::NoDefault, |tenancy| {
                CredentialsError::NoneFor(tenancy.to_owned())
            }))
        })?;
        let signer = match tokio::time::timeout(deadline, identity.signer(operation)).await {
            Ok(signer) => signer?,
            Err(_) => {
                return Err(OciError::Deadline {
                    operation,
                    deadline,
                    attempts: 0,
                    sent: false,
                    source: None,
                });
            }
        };
        // One identity a tenant: the default one does not act for another.
        if own.is_none()
            && let Some(named) = named
            && signer.material().tenancy.as_deref() != Some(named)
        {
            return Err(wrong(CredentialsError::NoneFor(named.to_owned())));
        }
        Ok((identity, signer))
    }

    async fn take(&self, purse: &Purse) {
        if let Some(budget) = &self.budget {
            let waited = budget.take(purse).await;
            self.counter.waited(waited);
            self.metrics.count(&OCI_WAITED, [], waited.as_secs_f64());
        }
    }
}
