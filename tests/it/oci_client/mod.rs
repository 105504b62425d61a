//! The OCI client against scripts in this process and against servers on loopback.
//!
//! The keys under `keys/` were made for these tests and are known to nobody; their passphrase is `opensesame`.

mod by_command;
mod calls;
mod cloud;
mod credentials;
mod keys;
mod sockets;
mod verify;

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use fleetwright::providers::oci::api::{Call, Exchange, Place, Service};
use fleetwright::providers::oci::client::{Client, Options};
use fleetwright::providers::oci::credentials::{Credentials, CredentialsError, KeyMaterial, PrivateKey, Secret};
use futures::future::BoxFuture;
use http::{Method, Request, Response};
use serde_json::Value;

const KEY_A: &str = include_str!("keys/a.pkcs8.pem");
const KEY_B: &str = include_str!("keys/b.pkcs8.pem");

const TENANCY: &str = "ocid1.tenancy.oc1..aaaa";
const REGION: &str = "eu-frankfurt-1";

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn key(pem: &str) -> PrivateKey {
    PrivateKey::from_pem(pem, None).expect("a key")
}

fn key_id(user: &str, key: &PrivateKey) -> String {
    format!("{TENANCY}/ocid1.user.oc1..{user}/{}", key.fingerprint())
}

/// Keys that are given in order: the next one after each refusal.
struct Given(Mutex<Vec<KeyMaterial>>);

impl Given {
    fn new(pems: &[&str]) -> Arc<Self> {
        let material = |pem: &&str| {
            let key = key(pem);
            KeyMaterial {
                key_id: Secret::unremembered(key_id("u", &key)),
                key,
                tenancy: Some(TENANCY.to_owned()),
            }
        };
        Arc::new(Self(Mutex::new(pems.iter().map(material).collect())))
    }
}

impl Credentials for Given {
    fn get(&self) -> BoxFuture<'_, Result<KeyMaterial, CredentialsError>> {
        let first = self.0.lock().unwrap()[0].clone();
        Box::pin(std::future::ready(Ok(first)))
    }

    fn refused<'a>(&'a self, _: &'a KeyMaterial) -> BoxFuture<'a, ()> {
        let mut keys = self.0.lock().unwrap();
        if keys.len() > 1 {
            keys.remove(0);
        }
        Box::pin(std::future::ready(()))
    }
}

/// What a script answers; none: nothing, for ever.
type Said = Option<Result<Response<Bytes>, Failure>>;

/// What answers the nth request, counted from one.
type Answering = dyn Fn(usize, &Request<Bytes>) -> Said + Send + Sync;

/// Answers requests in this process, and keeps them.
struct Script {
    answer: Box<Answering>,
    seen: Mutex<Vec<Request<Bytes>>>,
}

impl Script {
    fn new(answer: impl Fn(usize, &Request<Bytes>) -> Said + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self {
            answer: Box::new(answer),
            seen: Mutex::default(),
        })
    }

    fn seen(&self) -> Vec<Request<Bytes>> {
        self.seen.lock().unwrap().clone()
    }

    fn client(self: &Arc<Self>) -> Client {
        Client::new(self.options())
    }

    fn options(self: &Arc<Self>) -> Options {
        let mut options = Options::new(self.clone());
        options.default_credentials = Some(Given::new(&[KEY_A]));
        options.seed = Some(1);
        options
    }
}

impl Exchange for Script {
    fn exchange(&self, request: Request<Bytes>) -> BoxFuture<'_, Result<Response<Bytes>, Failure>> {
        let said = {
            let mut seen = self.seen.lock().unwrap();
            seen.push(request.clone());
            (self.answer)(seen.len(), &request)
        };
        Box::pin(async move {
            match said {
                Some(said) => said,
                None => std::future::pending().await,
            }
        })
    }
}

fn answer(status: u16, headers: &[(&str, &str)], body: &Value) -> Said {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    Some(Ok(response.body(body.into()).expect("a response")))
}

fn refusal(status: u16, code: &str, headers: &[(&str, &str)]) -> Said {
    answer(
        status,
        headers,
        &serde_json::json!({"code": code, "message": "in its own words"}),
    )
}

fn call(method: Method, path: &str) -> Call {
    Call {
        service: Service::Core,
        place: Place {
            tenancy: None,
            region: REGION.to_owned(),
        },
        operation: "Some",
        method,
        path: path.to_owned(),
        query: Vec::new(),
        body: None,
        retry_token: None,
        if_match: None,
    }
}

/// An error with all its causes: what a user may see of it.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = format!("{error} | {error:?}");
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(" | {error} | {error:?}"));
        cause = error.source();
    }
    text
}
