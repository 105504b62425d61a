//! What of Oracle's cloud hands out keys, and a service that checks what is signed with them: on loopback.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use fleetwright::providers::oci::client::{Client, Options};
use fleetwright::providers::oci::credentials::{Credentials, Now};
use fleetwright::providers::oci::endpoint::Endpoints;
use fleetwright::providers::oci::transport::{Https, HttpsOptions};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::verify::{Of, public_der, verify};
use super::{TENANCY, key};

/// A server that ends with its owner.
pub(super) struct Server {
    pub(super) address: String,
    task: JoinHandle<()>,
}

impl Server {
    pub(super) async fn start(
        answer: impl Fn(Request<Bytes>) -> Response<Bytes> + Clone + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("its address"));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(TokioIo::new(stream), answer.clone()));
            }
        });
        Self { address, task }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(super) async fn serve<T>(stream: T, answer: impl Fn(Request<Bytes>) -> Response<Bytes> + Send + Sync + 'static)
where
    T: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let answer = Arc::new(answer);
    let service = hyper::service::service_fn(move |request: Request<hyper::body::Incoming>| {
        let answer = answer.clone();
        async move {
            let (head, body) = request.into_parts();
            let body = body
                .collect()
                .await
                .map(http_body_util::Collected::to_bytes)
                .unwrap_or_default();
            Ok::<_, Infallible>(answer(Request::from_parts(head, body)).map(Full::new))
        }
    });
    // A client that goes away is no failure of the server.
    let _ended = hyper::server::conn::http1::Builder::new()
        .serve_connection(stream, service)
        .await;
}

/// The metadata service, the auth service, the proxy of an OKE cluster, and a service that checks signatures.
#[derive(Default)]
pub(super) struct Cloud {
    pub(super) state: Mutex<State>,
    /// Seconds by which the clock was set forward.
    forward: AtomicI64,
}

#[derive(Default)]
pub(super) struct State {
    /// Certificate and key of the machine, PEM.
    pub(super) machine: Option<(String, String)>,
    /// The token of the service account.
    pub(super) account: String,
    /// DER forms of public keys by key id.
    pub(super) known: BTreeMap<String, Vec<u8>>,
    /// Key ids of the calls that were let in.
    pub(super) let_in: Vec<String>,
    /// Tokens given out.
    pub(super) issued: u32,
    /// Requests by path.
    pub(super) asked: BTreeMap<String, u32>,
    /// Status that those who give out tokens answer with; none: they do.
    pub(super) down: Option<u16>,
}

impl Cloud {
    pub(super) async fn start() -> (Arc<Self>, Server) {
        let cloud = Arc::new(Self::default());
        let answering = cloud.clone();
        let server = Server::start(move |request| answering.answer(&request)).await;
        (cloud, server)
    }

    pub(super) fn now(self: &Arc<Self>) -> Now {
        let cloud = self.clone();
        Arc::new(move || Timestamp::now() + SignedDuration::from_secs(cloud.forward.load(Ordering::SeqCst)))
    }

    pub(super) fn set_forward(&self, seconds: i64) {
        self.forward.fetch_add(seconds, Ordering::SeqCst);
    }

    pub(super) fn client(self: &Arc<Self>, server: &Server, credentials: Arc<dyn Credentials>) -> Client {
        let mut options = Options::new(https());
        options.default_credentials = Some(credentials);
        options.endpoints = Endpoints::new().with_all(&server.address).expect("an address");
        options.now = self.now();
        Client::new(options)
    }

    fn answer(self: &Arc<Self>, request: &Request<Bytes>) -> Response<Bytes> {
        let now = (self.now())();
        let mut state = self.state.lock().unwrap();
        *state.asked.entry(request.uri().path().to_owned()).or_default() += 1;
        let (status, body) = state
            .answer(request, now)
            .unwrap_or_else(|(status, why)| (status, json!({"code": "Refused", "message": why}).to_string()));
        Response::builder().status(status).body(body.into()).unwrap()
    }
}

type Answered = Result<(u16, String), (u16, String)>;

impl State {
    fn answer(&mut self, request: &Request<Bytes>, now: Timestamp) -> Answered {
        let path = request.uri().path();
        let bearer = request
            .headers()
            .get("authorization")
            .and_then(|value| value.to_str().ok());
        if let Some(path) = path.strip_prefix("/opc/v2") {
            if bearer != Some("Bearer Oracle") {
                return Err((401, "no header".to_owned()));
            }
            let (certificate, key) = self.machine.clone().ok_or((404, "no such".to_owned()))?;
            return Ok((
                200,
                match path {
                    "/instance/region" => "eu-frankfurt-1".to_owned(),
                    "/identity/cert.pem" => certificate,
                    "/identity/key.pem" => key,
                    "/identity/intermediate.pem" => format!("{certificate}\n{certificate}\n"),
                    _ => return Err((404, "no such".to_owned())),
                },
            ));
        }
        let issues = matches!(path, "/v1/x509" | "/resourcePrincipalSessionTokens");
        if let Some(status) = self.down.filter(|_| issues) {
            return Err((status, "down".to_owned()));
        }
        if path == "/v1/x509" {
            return self.x509(request, now);
        }
        if path == "/resourcePrincipalSessionTokens" {
            if bearer != Some(&format!("Bearer {}", self.account)) {
                return Err((401, "another token".to_owned()));
            }
            let body: Value = serde_json::from_slice(request.body()).map_err(|_| (400, "no JSON".to_owned()))?;
            let pem = body["podKey"].as_str().ok_or((400, "no key".to_owned()))?;
            let base64: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
            let token = self.issue(&base64, now)?;
            let inner = STANDARD.encode(json!({"token": format!("ST${token}")}).to_string());
            return Ok((200, json!(inner).to_string()));
        }
        let known = verify(request, Of::Service, now, |id| self.known.get(id).cloned()).map_err(|why| (401, why))?;
        self.let_in.push(known);
        Ok((200, "{}".to_owned()))
    }

    fn x509(&mut self, request: &Request<Bytes>, now: Timestamp) -> Answered {
        let (certificate, key) = self.machine.clone().ok_or((404, "no machine".to_owned()))?;
        let der = base64_of(&certificate);
        let sum = ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, &STANDARD.decode(&der).unwrap());
        let sum: Vec<String> = sum.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        let id = format!("{TENANCY}/fed-x509/{}", sum.join(":"));
        verify(request, Of::Auth, now, |known| (known == id).then(|| public_der(&key))).map_err(|why| (401, why))?;
        let body: Value = serde_json::from_slice(request.body()).map_err(|_| (400, "no JSON".to_owned()))?;
        if body["certificate"] != json!(der) || body["intermediateCertificates"] != json!([der, der]) {
            return Err((400, "another certificate".to_owned()));
        }
        let public = body["publicKey"].as_str().ok_or((400, "no key".to_owned()))?.to_owned();
        let token = self.issue(&public, now)?;
        Ok((200, json!({"token": token}).to_string()))
    }

    /// A token that is good for an hour.
    fn issue(&mut self, public: &str, now: Timestamp) -> Result<String, (u16, String)> {
        let public = STANDARD.decode(public).map_err(|_| (400, "no public key".to_owned()))?;
        self.issued += 1;
        let token = jwt(self.issued, now.as_second(), now.as_second() + 3600);
        self.known.insert(format!("ST${token}"), public);
        Ok(token)
    }

    /// Makes an API key known, and none besides.
    pub(super) fn know_only(&mut self, user: &str, pem: &str) -> String {
        let id = super::key_id(user, &key(pem));
        self.known = BTreeMap::from([(id.clone(), public_der(pem))]);
        id
    }
}

pub(super) fn jwt(number: u32, issued: i64, expires: i64) -> String {
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let claims = json!({"jti": number, "iat": issued, "exp": expires, "res_tenant": TENANCY});
    format!(
        "{}.{}.{}",
        part(json!({"alg": "RS256"})),
        part(claims),
        URL_SAFE_NO_PAD.encode("signed")
    )
}

fn base64_of(pem: &str) -> String {
    pem.lines().filter(|line| !line.starts_with("-----")).collect()
}

pub(super) fn https() -> Arc<Https> {
    // The system's authorities are not there on every machine; none is needed on loopback.
    let authority = Some(include_bytes!("keys/loopback.pem").to_vec());
    Arc::new(
        Https::new(&HttpsOptions {
            authority,
            ..HttpsOptions::default()
        })
        .expect("a transport"),
    )
}

/// A machine's certificate as OCI makes it, as far as clients read it: the tenancy is in the subject. Nobody signed it.
pub(super) fn certificate(key_pem: &str, tenancy: &str) -> String {
    fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
        let content = parts.concat();
        let mut der = vec![tag];
        match content.len() {
            short @ ..0x80 => der.push(u8::try_from(short).unwrap()),
            long => {
                der.push(0x82);
                der.extend(u16::try_from(long).unwrap().to_be_bytes());
            }
        }
        [der, content].concat()
    }
    const UNIT: &[u8] = &[0x55, 0x04, 0x0b];
    const SHA256_WITH_RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b];
    let unit = |text: &str| {
        let pair = tlv(0x30, &[&tlv(0x06, &[UNIT]), &tlv(0x0c, &[text.as_bytes()])]);
        tlv(0x31, &[&pair])
    };
    let algorithm = tlv(0x30, &[&tlv(0x06, &[SHA256_WITH_RSA]), &tlv(0x05, &[])]);
    let subject = tlv(
        0x30,
        &[&unit("opc-certtype:instance"), &unit(&format!("opc-tenant:{tenancy}"))],
    );
    let time = |text: &str| tlv(0x17, &[text.as_bytes()]);
    let body = tlv(
        0x30,
        &[
            &tlv(0xa0, &[&tlv(0x02, &[&[2]])]),
            &tlv(0x02, &[&[1]]),
            &algorithm,
            &subject,
            &tlv(0x30, &[&time("260101000000Z"), &time("490101000000Z")]),
            &subject,
            &public_der(key_pem),
        ],
    );
    let der = tlv(0x30, &[&body, &algorithm, &tlv(0x03, &[&[0, 1]])]);
    let base64 = STANDARD.encode(der);
    let lines: Vec<&str> = base64
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).unwrap())
        .collect();
    format!(
        "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----",
        lines.join("\n")
    )
}
