//! A server on loopback that stands for a code host: it keeps what it is asked, and answers as a test says.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use fleetwright::http_server::{Api, Lost, Request, Response, Server, full};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde_json::Value;
use tokio::runtime::Runtime;

/// What was asked.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: Value,
}

impl Asked {
    /// `METHOD path`.
    pub(crate) fn line(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// A header, empty where there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap_or("?"))
    }

    /// A number of the query.
    pub(crate) fn number(&self, name: &str) -> Option<usize> {
        let pairs = self.query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.into_iter().find(|(key, _)| *key == name)?.1.parse().ok()
    }
}

/// What is answered.
#[derive(Clone, Debug)]
pub(crate) enum Said {
    /// A status, headers and a body.
    Answer(u16, Vec<(&'static str, String)>, Bytes),
    /// Nothing, and the connection stays.
    Silence,
    /// Nothing, and the connection breaks.
    Break,
}

impl Said {
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self::Answer(status, Vec::new(), body.to_string().into())
    }
}

type Answering = Box<dyn FnMut(&Asked) -> Said + Send>;

struct Played {
    answering: Mutex<Answering>,
    asked: Mutex<Vec<Asked>>,
}

impl Api for Played {
    fn call(&self, request: Request) -> BoxFuture<'_, Response> {
        let asked = Asked {
            method: request.method().to_string(),
            path: request.uri().path().to_owned(),
            query: request.uri().query().unwrap_or_default().to_owned(),
            headers: request.headers().clone(),
            body: serde_json::from_slice(request.body()).unwrap_or(Value::Null),
        };
        let said = (self.answering.lock().expect("no panic"))(&asked);
        self.asked.lock().expect("no panic").push(asked);
        async move {
            match said {
                Said::Answer(status, headers, body) => {
                    let mut answer = http::Response::builder().status(status);
                    for (name, value) in headers {
                        answer = answer.header(name, value);
                    }
                    answer.body(full(body)).expect("an answer")
                }
                Said::Silence => std::future::pending().await,
                Said::Break => {
                    let mut answer = http::Response::new(full(Bytes::new()));
                    answer.extensions_mut().insert(Lost);
                    answer
                }
            }
        }
        .boxed()
    }
}

/// The server; it ends with the value.
pub(crate) struct Host {
    played: Arc<Played>,
    server: Server,
    _runtime: Runtime,
}

impl Host {
    /// One that answers so.
    pub(crate) fn start(answering: impl FnMut(&Asked) -> Said + Send + 'static) -> Self {
        let played = Arc::new(Played {
            answering: Mutex::new(Box::new(answering)),
            asked: Mutex::default(),
        });
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let server = runtime.block_on(Server::start(played.clone(), 0)).expect("a port");
        Self {
            played,
            server,
            _runtime: runtime,
        }
    }

    /// Its address, with a path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.server.address())
    }

    /// What was asked so far, in order.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.played.asked.lock().expect("no panic").clone()
    }

    /// The same as `METHOD path`.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.asked().iter().map(Asked::line).collect()
    }
}
