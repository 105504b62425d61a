//! The server: HTTP in, HTTP out, and what tests and simulated operators may ask of it directly.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::call::{Call, Principal, Reply};
use super::identity::{Identity, Keys};
use super::limits::Limits;
use super::log::LoggedWrite;
use super::models::Body;
use super::picture::{self, Resource};
use super::refusal::Refusal;
use super::state::State;
use super::{retry, route, signature};
use crate::http_server::{Api, Request, Response, full};
use crate::resource::regions::{self, Region};
use crate::sandbox::clock::Clock;
use crate::sandbox::fault::{Faults, Point};
use crate::sandbox::store::{Store, StoreError};

const DEFAULT_REGION: &str = "eu-frankfurt-1";
const MAX_BODY: usize = 1 << 20;

/// A region that is always there, for a table that lost the default's.
static SOME_REGION: Region = Region {
    id: DEFAULT_REGION,
    key: "fra",
    realm: "oc1",
};

/// OCI's API as a service.
pub struct OciServer {
    state: Mutex<State>,
    keys: Mutex<Keys>,
    store: Arc<dyn Store>,
    clock: Clock,
    faults: Arc<dyn Faults>,
    region: &'static Region,
    requests: std::sync::atomic::AtomicU64,
}

impl std::fmt::Debug for OciServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OciServer")
            .field("region", &self.region.id)
            .finish_non_exhaustive()
    }
}

/// A call on its way: all but the operation.
struct Asked {
    principal: Principal,
    region: &'static Region,
    segments: Vec<String>,
    query: BTreeMap<String, String>,
    body: Body,
    headers: HeaderMap,
    request_id: String,
    /// Whether no fault befalls it.
    spared: bool,
}

impl OciServer {
    /// A server with the state that is stored, for one user; others are let in by [`Self::register`].
    ///
    /// # Errors
    /// Where the state can't be read.
    pub fn new(
        store: Arc<dyn Store>,
        clock: Clock,
        faults: Arc<dyn Faults>,
        identity: &Identity,
    ) -> Result<Self, StoreError> {
        let state = State::load(&*store)?;
        let mut keys = Keys::default();
        keys.add(identity.key_id(), identity);
        Ok(Self {
            state: Mutex::new(state),
            keys: Mutex::new(keys),
            store,
            clock,
            faults,
            region: regions::find(DEFAULT_REGION).unwrap_or(&SOME_REGION),
            requests: std::sync::atomic::AtomicU64::new(0),
        })
    }

    /// The region of requests that name none, where it is one that OCI has.
    #[must_use]
    pub fn in_region(self, id: &str) -> Self {
        Self {
            region: regions::find(id).unwrap_or(self.region),
            ..self
        }
    }

    /// Service limits other than those of a new tenancy.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        self.state().limits = limits;
        self
    }

    /// Lets another key in, under the id that requests name it by: `<tenancy>/<user>/<fingerprint>`, or `ST$<token>`.
    pub fn register(&self, key_id: impl Into<String>, identity: &Identity) {
        self.keys().add(key_id.into(), identity);
    }

    /// Lets a key in no longer.
    pub fn revoke(&self, key_id: &str) {
        self.keys().remove(key_id);
    }

    /// Takes all callers' rights on a compartment away: it answers 404 like one that is not there.
    pub fn deny(&self, compartment: impl Into<String>) {
        self.state().denied.insert(compartment.into());
    }

    /// Gives the rights on a compartment back.
    pub fn allow(&self, compartment: &str) {
        self.state().denied.remove(compartment);
    }

    /// Every write that took effect, in order.
    pub fn writes(&self) -> Vec<LoggedWrite> {
        self.state().log.writes()
    }

    /// Calls by operation, refused ones included.
    pub fn calls(&self) -> BTreeMap<String, u64> {
        self.state().log.calls.clone()
    }

    /// Calls of operations that the server does not know, by method and path.
    pub fn unknown_operations(&self) -> BTreeMap<String, u64> {
        self.state().log.unknown.clone()
    }

    /// The OCIDs of what lives, by kind: `Vcn`, `Subnet`, …
    pub fn living(&self) -> BTreeMap<&'static str, Vec<String>> {
        let mut state = self.state();
        state.settle(self.clock.now());
        state.living()
    }

    /// All that lives, as it stands.
    pub fn resources(&self) -> Vec<Resource> {
        let mut state = self.state();
        state.settle(self.clock.now());
        let all = picture::of(&state);
        state.rest();
        all
    }

    /// A call by somebody of this process: a simulated operator. It goes the same way as one over HTTP, signature
    /// and faults aside.
    ///
    /// `path` is as in a request, `/20160918/instances?compartmentId=…`.
    ///
    /// # Errors
    /// What a client would be answered.
    pub fn act(
        &self,
        principal: &Principal,
        region: &str,
        method: &str,
        path: &str,
        body: &Value,
    ) -> Result<Value, Refusal> {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let asked = Asked {
            principal: principal.clone(),
            region: regions::find(region).unwrap_or(self.region),
            segments: segments(path),
            query: pairs(query),
            body: body.as_object().cloned().unwrap_or_default(),
            headers: HeaderMap::new(),
            request_id: self.request_id(None),
            spared: true,
        };
        self.perform(method, asked).map(|reply| reply.body.unwrap_or_default())
    }

    /// Makes a resource under an OCID of the caller's choice: one that, in the story that the sandbox tells, was there before.
    /// Nothing is done where there is one of that OCID.
    ///
    /// # Errors
    /// What a client would be answered.
    pub fn place(
        &self,
        ocid: &str,
        principal: &Principal,
        region: &str,
        path: &str,
        body: &Value,
    ) -> Result<(), Refusal> {
        {
            let mut state = self.state();
            if state.find(ocid).is_some() {
                return Ok(());
            }
            state.foretold = Some(ocid.to_owned());
        }
        let made = self.act(principal, region, "POST", path, body);
        self.state().foretold = None;
        made.map(drop)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keys(&self) -> MutexGuard<'_, Keys> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Three parts like OCI's: the client's own, if it gave one, and two of the server's.
    fn request_id(&self, given: Option<&str>) -> String {
        let number = self.requests.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let digest: String = Sha256::digest(number.to_be_bytes())
            .iter()
            .take(16)
            .map(|byte| format!("{byte:02X}"))
            .collect();
        match given {
            Some(given) => format!("{given}/{digest}/{number:032X}"),
            None => format!("{digest}/{number:032X}"),
        }
    }

    fn answer(&self, request: &Request) -> Response {
        let given = request.headers().get("opc-request-id").and_then(|id| id.to_str().ok());
        let request_id = self.request_id(given);
        let answered = self
            .asked(request, request_id.clone())
            .and_then(|asked| self.perform(request.method().as_str(), asked));
        respond(answered, &request_id)
    }

    fn asked(&self, request: &Request, request_id: String) -> Result<Asked, Refusal> {
        // The dates of requests are those of the machine, however fast the server's own clock runs.
        let principal = signature::verify(request, &self.keys(), Timestamp::now())?;
        let mut segments = segments(request.uri().path());
        let mut region = self.region;
        if let [first, name, ..] = &*segments
            && first == "regions"
            && let Some(named) = regions::find(name)
        {
            region = named;
            segments.drain(..2);
        } else if let Some(named) = request
            .headers()
            .get("host")
            .and_then(|host| region_of(host.to_str().ok()?))
        {
            region = named;
        }
        Ok(Asked {
            principal,
            region,
            segments,
            query: pairs(request.uri().query().unwrap_or_default()),
            body: json_body(request.body())?,
            headers: request.headers().clone(),
            request_id,
            spared: false,
        })
    }

    fn perform(&self, method: &str, asked: Asked) -> Result<Reply, Refusal> {
        let mut state = self.state();
        let reply = self.perform_on(&mut state, method, asked);
        state.rest();
        reply
    }

    fn perform_on(&self, state: &mut State, method: &str, asked: Asked) -> Result<Reply, Refusal> {
        let (route, params) = route::find(method, &asked.segments).inspect_err(|_| {
            let what = format!("{method} /{}", asked.segments.join("/"));
            *state.log.unknown.entry(what).or_default() += 1;
        })?;
        *state.log.calls.entry(route.operation.to_owned()).or_default() += 1;
        let header = |name: &str| {
            asked
                .headers
                .get(name)
                .and_then(|value| value.to_str().ok().map(str::to_owned))
        };
        let mut call = Call {
            operation: route.operation,
            kind: route.kind,
            params,
            query: asked.query,
            body: asked.body,
            region: asked.region,
            principal: asked.principal,
            retry_token: header("opc-retry-token").filter(|_| method == "POST"),
            if_match: header("if-match"),
            request_id: asked.request_id,
            now: self.clock.now(),
            short_page: !asked.spared && route.operation.starts_with("List") && self.faults.strikes(Point::ShortPage),
        };
        state.settle(call.now);
        if let Some((id, place)) = (route.kind.alias)(state, &call).zip(call.params.first_mut()) {
            *place = id;
        }
        let reply = match retry::replay(state, &call)? {
            Some(reply) => reply,
            None => {
                let reply = (route.run)(state, &call)?;
                retry::remember(state, &call, &reply);
                reply
            }
        };
        if route.writes() {
            self.store.write(state.rows());
        }
        Ok(reply)
    }
}

impl Api for OciServer {
    fn call(&self, request: Request) -> BoxFuture<'_, Response> {
        Box::pin(async move { self.answer(&request) })
    }
}

fn respond(answered: Result<Reply, Refusal>, request_id: &str) -> Response {
    let (status, body, headers) = match answered {
        Ok(reply) => {
            let headers = [
                ("etag", reply.etag),
                ("opc-next-page", reply.next_page),
                ("opc-work-request-id", reply.work_request),
            ];
            (reply.status, reply.body, headers)
        }
        Err(refusal) => {
            let body = json!({"code": refusal.code, "message": refusal.message});
            (
                refusal.status,
                Some(body),
                [("etag", None), ("opc-next-page", None), ("opc-work-request-id", None)],
            )
        }
    };
    let text = body.map(|body| body.to_string()).unwrap_or_default();
    let mut response = http::Response::new(full(Bytes::from(text)));
    *response.status_mut() = status;
    let mut set = |name: &'static str, value: &str| {
        if let Ok(value) = http::HeaderValue::from_str(value) {
            response.headers_mut().insert(name, value);
        }
    };
    set("opc-request-id", request_id);
    if status != StatusCode::NO_CONTENT {
        set("content-type", "application/json");
    }
    for (name, value) in headers {
        if let Some(value) = value {
            set(name, &value);
        }
    }
    response
}

fn json_body(bytes: &Bytes) -> Result<Body, Refusal> {
    if bytes.len() > MAX_BODY {
        return Err(Refusal::too_large());
    }
    if bytes.is_empty() {
        return Ok(Body::new());
    }
    match serde_json::from_slice(bytes) {
        Ok(Value::Object(body)) => Ok(body),
        Ok(_) => Err(Refusal::unparsable("the body is no object")),
        Err(_) => Err(Refusal::unparsable("the body is no JSON")),
    }
}

/// The region that a host name has among its parts.
fn region_of(host: &str) -> Option<&'static Region> {
    host.split('.')
        .find_map(|part| regions::all().find(|region| region.id == part))
}

fn segments(path: &str) -> Vec<String> {
    path.split('/').filter(|part| !part.is_empty()).map(decode).collect()
}

fn pairs(query: &str) -> BTreeMap<String, String> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(key, value)| (decode(&key.replace('+', " ")), decode(&value.replace('+', " "))))
        .collect()
}

/// Undoes percent-encoding; what is none stays as it is.
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let code = match (first, after) {
            (b'%', [high, low, ..]) => char::from(*high)
                .to_digit(16)
                .zip(char::from(*low).to_digit(16))
                .and_then(|(high, low)| u8::try_from(high * 16 + low).ok()),
            _ => None,
        };
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() {
            after.get(2..).unwrap_or_default()
        } else {
            after
        };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_queries_are_decoded() {
        assert_eq!(
            segments("/20180115/zones/a%2Fb/records"),
            ["20180115", "zones", "a/b", "records"]
        );
        let query = pairs("displayName=a+b%26c&limit=5&flag");
        assert_eq!(query.get("displayName").map(String::as_str), Some("a b&c"));
        assert_eq!(query.get("flag").map(String::as_str), Some(""));
        assert_eq!(decode("100%"), "100%");
        assert_eq!(decode("%zz%41"), "%zzA");
    }

    #[test]
    fn the_host_names_the_region() {
        assert_eq!(region_of("iaas.us-phoenix-1.oraclecloud.com").unwrap().key, "phx");
        assert!(region_of("127.0.0.1:8443").is_none());
    }
}
