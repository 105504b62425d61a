//! Cases as text.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};

use http_body_util::BodyExt as _;
use kube::Client;
use serde_json::Value;

/// Some requests, in a namespace of their own.
pub(super) struct Case {
    pub(super) name: String,
    pub(super) steps: Vec<Step>,
}

/// One request.
#[derive(Clone)]
pub(super) struct Step {
    method: &'static str,
    media: String,
    path: String,
    body: Option<String>,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {} {}",
            self.method,
            self.path,
            self.body.as_deref().unwrap_or_default()
        )
    }
}

impl Case {
    /// A namespace that no other case of this process has.
    pub(super) fn namespace(&self) -> String {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        format!("conformance-{}", NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

impl Step {
    pub(super) fn get(path: &str) -> Self {
        Self::read(&format!("GET {path}"))
    }

    #[expect(clippy::needless_pass_by_value, reason = "called with literals")]
    pub(super) fn post(path: &str, body: Value) -> Self {
        Self {
            body: Some(body.to_string()),
            ..Self::read(&format!("POST {path}"))
        }
    }

    /// `METHOD [media type] path [body as YAML]`
    pub(super) fn read(line: &str) -> Self {
        let (verb, rest) = line.split_once(' ').expect("a method and a path");
        let (method, media) = match verb {
            "APPLY" => ("PATCH", "application/apply-patch+yaml"),
            "PATCH-json" => ("PATCH", "application/json-patch+json"),
            "PATCH-strategic" => ("PATCH", "application/strategic-merge-patch+json"),
            "PATCH" => ("PATCH", "application/merge-patch+json"),
            "GET" => ("GET", "application/json"),
            "POST" => ("POST", "application/json"),
            "PUT" => ("PUT", "application/json"),
            "DELETE" => ("DELETE", "application/json"),
            other => panic!("no method {other}"),
        };
        let (media, rest) = if rest.starts_with('/') || rest.starts_with('$') {
            (media, rest)
        } else {
            rest.split_once(' ').expect("a path after the media type")
        };
        let (path, body) = rest.split_once(' ').unwrap_or((rest, ""));
        let body = body
            .replace("%CM", "apiVersion: v1, kind: ConfigMap")
            .replace("%S", "apiVersion: v1, kind: Secret")
            .replace("%W", "apiVersion: example.io/v1, kind: Widget");
        let body = (!body.is_empty()).then(|| {
            if let Some(raw) = body.strip_prefix("raw ") {
                return raw.to_owned();
            }
            let value: Value = serde_yaml::from_str(&body).expect(line);
            value.to_string()
        });
        Self {
            method,
            media: media.to_owned(),
            path: path
                .replace("$C", "/api/v1/namespaces/$N")
                .replace("$W", "/apis/example.io/v1/namespaces/$N/widgets"),
            body,
        }
    }

    /// Sends it; the body of the answer is a text where it is no JSON.
    pub(super) async fn send(&self, client: &Client, namespace: &str) -> (u16, Value) {
        let body = self.body.clone().unwrap_or_default().replace("$N", namespace);
        let request = http::Request::builder()
            .method(self.method)
            .uri(self.path.replace("$N", namespace))
            .header("content-type", &self.media)
            .header("accept", "application/json")
            .header("user-agent", "conformance/1")
            .body(kube::client::Body::from(body.into_bytes()))
            .expect("a request");
        let answer = client.send(request).await.expect("an answer");
        let code = answer.status().as_u16();
        let bytes = answer.into_body().collect().await.expect("a body").to_bytes();
        let value = serde_json::from_slice(&bytes)
            .unwrap_or_else(|_| Value::from(String::from_utf8_lossy(&bytes).into_owned()));
        (code, value)
    }
}

/// Reads cases: a line `case NAME`, then a request a line.
pub(super) fn read(text: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if let Some(name) = line.strip_prefix("case ") {
            cases.push(Case {
                name: name.to_owned(),
                steps: Vec::new(),
            });
        } else {
            let case = cases.last_mut().expect("a case before its requests");
            case.steps.push(Step::read(line));
        }
    }
    cases
}
