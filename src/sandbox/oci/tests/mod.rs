//! The server, called in this process by a client that signs.

mod api;
mod network;
mod pools;
mod services;

use std::sync::{Arc, OnceLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::BodyExt as _;
use jiff::Timestamp;
use rsa::RsaPrivateKey;
use rsa::pkcs1v15::SigningKey;
use rsa::pkcs8::DecodePrivateKey as _;
use rsa::signature::{SignatureEncoding as _, Signer as _};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{Identity, OciServer};
use crate::http_server::{Api as _, Request};
use crate::sandbox::clock::Clock;
use crate::sandbox::fault::{Faults, Never};
use crate::sandbox::store::{Memory, Store};

const COMPARTMENT: &str = "ocid1.compartment.oc1..aaaapayments";

fn identity() -> &'static Identity {
    static IDENTITY: OnceLock<Identity> = OnceLock::new();
    IDENTITY.get_or_init(|| Identity::generate().unwrap())
}

struct Answer {
    status: u16,
    body: Value,
    headers: http::HeaderMap,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    fn id(&self) -> String {
        assert_eq!(self.status / 100, 2, "{}", self.body);
        self.body["id"].as_str().unwrap().to_owned()
    }
}

/// A client's view of one server.
struct Client {
    server: OciServer,
    clock: Clock,
    key: SigningKey<rsa::sha2::Sha256>,
    key_id: String,
    host: &'static str,
    date: Timestamp,
}

impl Client {
    fn new() -> Self {
        Self::with(Arc::new(Never))
    }

    fn with(faults: Arc<dyn Faults>) -> Self {
        Self::over(Arc::new(Memory), faults)
    }

    fn over(store: Arc<dyn Store>, faults: Arc<dyn Faults>) -> Self {
        let clock = Clock::new(Timestamp::from_second(1_800_000_000).unwrap(), 1.0);
        let server = OciServer::new(store, clock.clone(), faults, identity()).unwrap();
        let key = RsaPrivateKey::from_pkcs8_pem(identity().private_key()).unwrap();
        Self {
            server,
            clock,
            key: SigningKey::new(key),
            key_id: identity().key_id(),
            host: "iaas.eu-frankfurt-1.oraclecloud.com",
            date: Timestamp::now(),
        }
    }

    fn signed(&self, method: &str, path: &str, body: Option<&Value>) -> Request {
        let bytes = body.map(Value::to_string).unwrap_or_default();
        let date = format!("{}", self.date.strftime("%a, %d %b %Y %H:%M:%S GMT"));
        let mut headers = vec![
            ("date", date),
            ("(request-target)", format!("{} {path}", method.to_ascii_lowercase())),
            ("host", self.host.to_owned()),
        ];
        if matches!(method, "POST" | "PUT" | "PATCH") {
            headers.push(("content-length", bytes.len().to_string()));
            headers.push(("content-type", "application/json".to_owned()));
            headers.push(("x-content-sha256", STANDARD.encode(Sha256::digest(&bytes))));
        }
        let names: Vec<_> = headers.iter().map(|(name, _)| *name).collect();
        let lines: Vec<_> = headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        let signature = STANDARD.encode(self.key.sign(lines.join("\n").as_bytes()).to_bytes());
        let mut request = http::Request::builder().method(method).uri(path);
        for (name, value) in headers.iter().filter(|(name, _)| !name.starts_with('(')) {
            request = request.header(*name, value);
        }
        let authorization = format!(
            "Signature version=\"1\",keyId=\"{}\",algorithm=\"rsa-sha256\",headers=\"{}\",signature=\"{signature}\"",
            self.key_id,
            names.join(" ")
        );
        request
            .header("authorization", authorization)
            .body(bytes.into())
            .unwrap()
    }

    async fn send(&self, request: Request) -> Answer {
        let response = self.server.call(request).await;
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Answer {
            status: parts.status.as_u16(),
            body: serde_json::from_slice(&bytes).unwrap_or_default(),
            headers: parts.headers,
        }
    }

    async fn with_header(&self, method: &str, path: &str, body: Value, header: (&'static str, &str)) -> Answer {
        let mut request = self.signed(method, path, Some(&body).filter(|body| !body.is_null()));
        request.headers_mut().insert(header.0, header.1.parse().unwrap());
        self.send(request).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(self.signed("GET", &format!("/20160918/{path}"), None)).await
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(self.signed("POST", &format!("/20160918/{path}"), Some(&body)))
            .await
    }

    async fn put(&self, path: &str, body: Value) -> Answer {
        self.send(self.signed("PUT", &format!("/20160918/{path}"), Some(&body)))
            .await
    }

    async fn delete(&self, path: &str) -> Answer {
        self.send(self.signed("DELETE", &format!("/20160918/{path}"), None))
            .await
    }

    async fn vcn(&self, block: &str) -> String {
        self.post(
            "vcns",
            json!({"compartmentId": COMPARTMENT, "cidrBlocks": [block], "dnsLabel": "net"}),
        )
        .await
        .id()
    }

    async fn make(&self, path: &str, vcn: &str, more: Value) -> Answer {
        let mut body = json!({"compartmentId": COMPARTMENT, "vcnId": vcn});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.post(path, body).await
    }

    async fn pass(&self, seconds: u64) {
        self.clock.sleep(std::time::Duration::from_secs(seconds)).await;
    }
}
