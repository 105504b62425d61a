//! An admission webhook that holds writes back until it is told to let them go, or that changes what is written.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::{Login, tls};

const CERTIFICATE: &str = include_str!("../oci_client/keys/loopback.pem");

/// As long as an API server waits for a webhook.
const LONGEST: Duration = Duration::from_secs(30);

/// The webhook; its thread ends with the process.
pub(crate) struct Holding {
    kind: &'static str,
    name: String,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    now: Mutex<Now>,
    news: Condvar,
}

#[derive(Default)]
struct Now {
    /// What came, dry-runs apart.
    writes: usize,
    dry_runs: usize,
    open: bool,
    /// JSON Patch of everything that comes by.
    patch: Option<Value>,
}

impl Holding {
    /// Holds updates of a kind in a namespace, from now on.
    pub(crate) fn updates(login: &Login, namespace: &str, group: &str, plural: &str) -> Self {
        Self::registered(login, namespace, (group, plural), None)
    }

    /// Holds nothing, and patches what is made or updated of a kind in a namespace, dry-runs among them.
    pub(crate) fn patching(login: &Login, namespace: &str, of: (&str, &str), patch: Value) -> Self {
        Self::registered(login, namespace, of, Some(patch))
    }

    fn registered(login: &Login, namespace: &str, (group, plural): (&str, &str), patch: Option<Value>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let patches = patch.is_some();
        let kind = if patches {
            "MutatingWebhookConfiguration"
        } else {
            "ValidatingWebhookConfiguration"
        };
        let holding = Self {
            kind,
            name: format!("{namespace}.fleetwright.test"),
            shared: Arc::new(Shared {
                now: Mutex::new(Now {
                    open: patch.is_some(),
                    patch,
                    ..Now::default()
                }),
                news: Condvar::new(),
            }),
        };
        let shared = holding.shared.clone();
        let config = tls::config();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (shared, config) = (shared.clone(), config.clone());
                thread::spawn(move || shared.serve(stream, config));
            }
        });
        let webhook = json!({
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": kind,
            "metadata": {"name": holding.name},
            "webhooks": [{
                "name": holding.name,
                "admissionReviewVersions": ["v1"],
                "sideEffects": "None",
                "failurePolicy": "Fail",
                "timeoutSeconds": LONGEST.as_secs(),
                "clientConfig": {
                    "url": format!("https://127.0.0.1:{port}/"),
                    "caBundle": STANDARD.encode(CERTIFICATE),
                },
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
                "rules": [{
                    "apiGroups": [group],
                    "apiVersions": ["*"],
                    "operations": if patches { json!(["CREATE", "UPDATE"]) } else { json!(["UPDATE"]) },
                    "resources": [plural],
                }],
            }],
        });
        login.kubectl_in(&["create", "-f", "-"], &webhook.to_string());
        holding
    }

    /// Dry-runs that came by: they are let through.
    pub(crate) fn dry_runs(&self) -> usize {
        self.shared.now.lock().expect("no panic").dry_runs
    }

    /// Writes that came by, those that are held among them.
    pub(crate) fn writes(&self) -> usize {
        self.shared.now.lock().expect("no panic").writes
    }

    /// Lets go of what is held, and holds nothing any more.
    pub(crate) fn let_go(&self) {
        self.shared.now.lock().expect("no panic").open = true;
        self.shared.news.notify_all();
    }

    /// Takes it away from the API server.
    pub(crate) fn remove(&self, login: &Login) {
        login.kubectl(&["delete", self.kind, &self.name]);
    }
}

type Stream = StreamOwned<ServerConnection, TcpStream>;

impl Shared {
    fn serve(&self, stream: TcpStream, config: Arc<ServerConfig>) {
        let connection = ServerConnection::new(config).expect("a connection");
        let mut stream = StreamOwned::new(connection, stream);
        while let Some(review) = read(&mut stream) {
            let request = &review["request"];
            self.wait(request["dryRun"] == true);
            let mut response = json!({"uid": request["uid"], "allowed": true});
            if let Some(patch) = &self.now.lock().expect("no panic").patch {
                response["patchType"] = json!("JSONPatch");
                response["patch"] = json!(STANDARD.encode(patch.to_string()));
            }
            let answer = json!({
                "apiVersion": "admission.k8s.io/v1",
                "kind": "AdmissionReview",
                "response": response,
            });
            let body = answer.to_string();
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            if stream
                .write_all(head.as_bytes())
                .and_then(|()| stream.write_all(body.as_bytes()))
                .is_err()
            {
                return;
            }
        }
    }

    fn wait(&self, is_dry_run: bool) {
        let mut now = self.now.lock().expect("no panic");
        if is_dry_run {
            now.dry_runs += 1;
            return;
        }
        now.writes += 1;
        drop(self.news.wait_timeout_while(now, LONGEST, |now| !now.open));
    }
}

/// The next request's body.
fn read(stream: &mut Stream) -> Option<Value> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).ok()?.to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"))?;
    let mut body = vec![0; length.trim().parse().ok()?];
    stream.read_exact(&mut body).ok()?;
    serde_json::from_slice(&body).ok()
}
