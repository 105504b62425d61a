//! Faults in front of an API: what proxies, overload, revoked rights and bad networks do to any request.
//!
//! Invariant: an injected refusal changes nothing, and an injected loss changes what the request would have changed. What
//! is inside of an API (its pages, its watches) fails there, at points of its own. Each fault takes the form that the
//! real service gives it: that is all that differs between the two dialects.

use std::sync::Arc;
use std::time::Duration;

use ::http::header::{CONTENT_TYPE, HeaderName, HeaderValue, IF_MATCH, RETRY_AFTER};
use ::http::{Method, StatusCode};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde_json::json;

use super::clock::Clock;
use super::fault::{Faults, Point};
use crate::http_server::{Api, Lost, Request, Response, full};

/// How long a slow answer takes, by the sandbox's clock: longer than most clients like, shorter than their deadlines.
const SLOW: Duration = Duration::from_secs(20);

/// Both services ask for short pauses while they are busy.
const RETRY_AFTER_SECONDS: u64 = 1;

const OPC_REQUEST_ID: HeaderName = HeaderName::from_static("opc-request-id");

/// Whose manner a refusal has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// A `Status` object.
    Kubernetes,
    /// `{code, message}`.
    Oci,
}

/// An API behind faults.
pub struct Faulty {
    inner: Arc<dyn Api>,
    dialect: Dialect,
    faults: Arc<dyn Faults>,
    clock: Clock,
}

impl Faulty {
    /// Puts faults before an API.
    pub fn new(inner: Arc<dyn Api>, dialect: Dialect, faults: Arc<dyn Faults>, clock: Clock) -> Self {
        Self {
            inner,
            dialect,
            faults,
            clock,
        }
    }

    /// The refusal that strikes this request, if one does. Points that can't befall it are not passed.
    fn refusal(&self, request: &Request) -> Option<Point> {
        let writes = is_write(request);
        let over_an_old_state = match self.dialect {
            Dialect::Kubernetes => matches!(*request.method(), Method::PUT | Method::PATCH),
            Dialect::Oci => writes,
        };
        let points = [
            (Point::LostRights, needs_rights(self.dialect, request)),
            (Point::TooManyRequests, true),
            (Point::Unavailable, true),
            (Point::InternalError, true),
            (Point::Conflict, over_an_old_state),
            (Point::NoEtagMatch, writes && request.headers().contains_key(IF_MATCH)),
        ];
        // All of them are passed each time, so that one's strike does not hold the others' counts back.
        let struck = points.map(|(point, applies)| (applies && self.faults.strikes(point)).then_some(point));
        struck.into_iter().flatten().next()
    }

    async fn answer(&self, request: Request) -> Response {
        if self.faults.strikes(Point::Slow) {
            self.clock.sleep(SLOW).await;
        }
        if let Some(point) = self.refusal(&request) {
            tracing::debug!(%point, method = %request.method(), path = request.uri().path(), "struck");
            return match self.dialect {
                Dialect::Kubernetes => kubernetes(point),
                Dialect::Oci => oci(point, request.headers().get(OPC_REQUEST_ID)),
            };
        }
        let may_get_lost = is_write(&request);
        let mut response = self.inner.call(request).await;
        if may_get_lost && self.faults.strikes(Point::AnswerLost) {
            response.extensions_mut().insert(Lost);
        }
        response
    }
}

impl std::fmt::Debug for Faulty {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Faulty")
            .field("dialect", &self.dialect)
            .finish_non_exhaustive()
    }
}

impl Api for Faulty {
    fn call(&self, request: Request) -> BoxFuture<'_, Response> {
        self.answer(request).boxed()
    }
}

fn is_write(request: &Request) -> bool {
    !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS)
}

/// Discovery and schemas are open to everybody who is known at all.
fn needs_rights(dialect: Dialect, request: &Request) -> bool {
    let segments = request.uri().path().split('/').filter(|segment| !segment.is_empty());
    let segments: Vec<&str> = segments.take(4).collect();
    match dialect {
        Dialect::Oci => true,
        Dialect::Kubernetes => matches!(segments.as_slice(), ["api", _, _, ..] | ["apis", _, _, _]),
    }
}

/// A refusal in the words of an API server.
fn kubernetes(point: Point) -> Response {
    let (code, reason, message) = match point {
        Point::LostRights => (
            403,
            "Forbidden",
            "forbidden: the sandbox took the rights away for this request",
        ),
        Point::TooManyRequests => (
            429,
            "TooManyRequests",
            "the server has received too many requests and has asked us to try again later",
        ),
        Point::Unavailable => (
            503,
            "ServiceUnavailable",
            "the server is currently unable to handle the request",
        ),
        Point::Conflict => (
            409,
            "Conflict",
            "Operation cannot be fulfilled: the object has been modified; please apply your changes to the latest version and try again",
        ),
        _ => (
            500,
            "InternalError",
            "Internal error occurred: the sandbox was told to fail",
        ),
    };
    let mut details = json!({});
    if point == Point::TooManyRequests {
        details["retryAfterSeconds"] = json!(RETRY_AFTER_SECONDS);
    }
    let body = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "details": details, "code": code,
    });
    refused(point, code, &body)
}

/// A refusal in the words of OCI.
fn oci(point: Point, request_id: Option<&HeaderValue>) -> Response {
    let (status, code, message) = match point {
        Point::LostRights => (
            404,
            "NotAuthorizedOrNotFound",
            "Authorization failed or requested resource not found.",
        ),
        Point::TooManyRequests => (429, "TooManyRequests", "Too many requests for the user."),
        Point::Unavailable => (503, "ServiceUnavailable", "The service is currently unavailable."),
        Point::Conflict => (
            409,
            "IncorrectState",
            "The resource is in a state that does not allow this now.",
        ),
        Point::NoEtagMatch => (
            412,
            "NoEtagMatch",
            "The If-Match header does not match the resource's etag.",
        ),
        _ => (500, "InternalServerError", "Internal server error."),
    };
    let mut response = refused(point, status, &json!({"code": code, "message": message}));
    if let Some(id) = request_id {
        response.headers_mut().insert(OPC_REQUEST_ID, id.clone());
    }
    response
}

fn refused(point: Point, status: u16, body: &serde_json::Value) -> Response {
    let mut response = Response::new(full(body.to_string()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if point == Point::TooManyRequests {
        headers.insert(RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECONDS));
    }
    response
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use bytes::Bytes;
    use http_body_util::BodyExt as _;
    use jiff::Timestamp;
    use serde_json::Value;

    use super::super::fault::{Never, Schedule, Spec};
    use super::*;
    use crate::http_server::is_lost;

    /// Answers everything, and keeps what it was asked.
    #[derive(Default)]
    struct Recorder(Mutex<Vec<String>>);

    impl Api for Recorder {
        fn call(&self, request: Request) -> BoxFuture<'_, Response> {
            let line = format!("{} {}", request.method(), request.uri().path());
            self.0.lock().unwrap().push(line);
            async { Response::new(full("{}")) }.boxed()
        }
    }

    struct Always(Point);

    impl Faults for Always {
        fn strikes(&self, point: Point) -> bool {
            point == self.0
        }
    }

    fn behind(dialect: Dialect, faults: impl Faults + 'static) -> (Arc<Recorder>, Faulty) {
        let recorder = Arc::new(Recorder::default());
        let clock = Clock::new(Timestamp::UNIX_EPOCH, 1.0);
        (
            recorder.clone(),
            Faulty::new(recorder, dialect, Arc::new(faults), clock),
        )
    }

    fn request(method: &str, path: &str) -> Request {
        ::http::Request::builder()
            .method(method)
            .uri(path)
            .header(IF_MATCH, "e1")
            .header(OPC_REQUEST_ID, "r1")
            .body(Bytes::new())
            .unwrap()
    }

    async fn json_of(response: Response) -> Value {
        serde_json::from_slice(&response.into_body().collect().await.unwrap().to_bytes()).unwrap()
    }

    #[tokio::test]
    async fn each_refusal_is_in_the_words_of_its_api_and_changes_nothing() {
        let cases = [
            (Point::Conflict, 409, "Conflict", "IncorrectState"),
            (Point::TooManyRequests, 429, "TooManyRequests", "TooManyRequests"),
            (Point::InternalError, 500, "InternalError", "InternalServerError"),
            (Point::Unavailable, 503, "ServiceUnavailable", "ServiceUnavailable"),
        ];
        for (point, status, reason, code) in cases {
            let (recorder, api) = behind(Dialect::Kubernetes, Always(point));
            let response = api.call(request("PATCH", "/api/v1/namespaces/n")).await;
            assert_eq!(response.status(), status);
            assert_eq!(response.headers().contains_key(RETRY_AFTER), status == 429);
            let body = json_of(response).await;
            assert_eq!((&body["reason"], &body["code"]), (&json!(reason), &json!(status)));
            assert!(recorder.0.lock().unwrap().is_empty());

            let (recorder, api) = behind(Dialect::Oci, Always(point));
            let response = api.call(request("PUT", "/20160918/vcns/x")).await;
            assert_eq!(response.status(), status);
            assert_eq!(response.headers()[OPC_REQUEST_ID], "r1");
            assert_eq!(json_of(response).await["code"], code);
            assert!(recorder.0.lock().unwrap().is_empty());
        }
    }

    #[tokio::test]
    async fn lost_rights_are_403_there_and_404_here_and_discovery_stays_open() {
        let (_, api) = behind(Dialect::Oci, Always(Point::LostRights));
        let response = api.call(request("GET", "/20160918/vcns")).await;
        assert_eq!(response.status(), 404);
        assert_eq!(json_of(response).await["code"], "NotAuthorizedOrNotFound");
        let (_, api) = behind(Dialect::Kubernetes, Always(Point::LostRights));
        for (path, status) in [
            ("/api", 200),
            ("/api/v1", 200),
            ("/apis/g/v1", 200),
            ("/openapi/v3/apis/g/v1", 200),
            ("/api/v1/secrets", 403),
            ("/apis/g/v1/as", 403),
        ] {
            assert_eq!(api.call(request("GET", path)).await.status(), status, "{path}");
        }
    }

    #[tokio::test]
    async fn a_wrong_etag_befalls_writes_that_give_one() {
        let (_, api) = behind(Dialect::Oci, Always(Point::NoEtagMatch));
        assert_eq!(api.call(request("PUT", "/20160918/vcns/x")).await.status(), 412);
        assert_eq!(api.call(request("GET", "/20160918/vcns/x")).await.status(), 200);
        let mut without = request("PUT", "/20160918/vcns/x");
        without.headers_mut().clear();
        assert_eq!(api.call(without).await.status(), 200);
    }

    #[tokio::test]
    async fn a_lost_answer_is_that_of_a_write_that_happened() {
        let (recorder, api) = behind(Dialect::Oci, Always(Point::AnswerLost));
        assert!(is_lost(&api.call(request("POST", "/20160918/vcns")).await));
        assert!(!is_lost(&api.call(request("GET", "/20160918/vcns")).await));
        assert_eq!(recorder.0.lock().unwrap().len(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn slowness_takes_time_by_the_clock() {
        let (_, api) = behind(Dialect::Oci, Always(Point::Slow));
        let before = tokio::time::Instant::now();
        assert_eq!(api.call(request("GET", "/")).await.status(), 200);
        assert_eq!(before.elapsed(), SLOW);
    }

    #[tokio::test]
    async fn without_faults_all_comes_through_and_with_them_passages_are_counted() {
        let (_, api) = behind(Dialect::Oci, Never);
        assert_eq!(api.call(request("GET", "/")).await.status(), 200);
        let schedule = Arc::new(Schedule::from_seed(1, Spec::default()));
        let clock = Clock::new(Timestamp::UNIX_EPOCH, 1.0);
        let api = Faulty::new(Arc::new(Recorder::default()), Dialect::Oci, schedule.clone(), clock);
        api.call(request("GET", "/")).await;
        let counts = schedule.counts();
        assert_eq!(counts[&Point::TooManyRequests], (1, 0));
        assert!(!counts.contains_key(&Point::Conflict));
    }
}
