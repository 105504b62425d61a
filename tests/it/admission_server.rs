//! Our verdicts on custom resources beside those of a real API server: the verdict, the whole message, the causes, what
//! is stored, and the warnings.
//!
//! `data/admission/` holds the kinds and the cases. A server tells several errors in any order; the causes are compared
//! without it, and the message is held against what its own causes make.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use fleetwright::schema::admission::{Admission, Admitted, FieldValidation, Rejected, Request, Subresource, admit};
use http::Method;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};

use crate::support::ApiServer;

const SPACE: &str = "default";

/// An answer, as far as it is compared.
#[derive(Debug, PartialEq)]
struct Answer {
    code: u16,
    /// The object without what only a server knows; null of a refusal.
    object: Value,
    message: String,
    /// `reason`, `field`, `message`, sorted.
    causes: Vec<[String; 3]>,
    warnings: Vec<String>,
}

fn strings(causes: &Value) -> Vec<[String; 3]> {
    let text = |cause: &Value, key: &str| cause[key].as_str().unwrap_or_default().to_owned();
    let all = causes.as_array().into_iter().flatten();
    all.map(|cause| [text(cause, "reason"), text(cause, "field"), text(cause, "message")])
        .collect()
}

/// The message of several causes, of which a server has an order of its own.
fn ordered(message: &str, causes: &[[String; 3]]) -> String {
    let mut texts: Vec<String> = Vec::new();
    for [_, field, body] in causes {
        let text = format!("{field}: {body}");
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    let Some((head, tail)) = message.split_once(" is invalid: ") else {
        return message.to_owned();
    };
    let told = match texts.as_slice() {
        [] => return message.to_owned(),
        [only] => only.clone(),
        several => format!("[{}]", several.join(", ")),
    };
    assert_eq!(tail, told, "the message is made of the causes");
    texts.sort();
    format!("{head} is invalid: {}", texts.join(", "))
}

fn answer(code: u16, body: &Value, mut warnings: Vec<String>) -> Answer {
    warnings.sort();
    if code < 300 {
        let mut object = body.clone();
        if let Some(metadata) = object["metadata"].as_object_mut() {
            for field in ["uid", "creationTimestamp", "managedFields", "resourceVersion"] {
                metadata.remove(field);
            }
        }
        return Answer {
            code: 200,
            object,
            message: String::new(),
            causes: Vec::new(),
            warnings,
        };
    }
    let mut causes = strings(&body["details"]["causes"]);
    let message = ordered(body["message"].as_str().unwrap_or_default(), &causes);
    causes.sort();
    Answer {
        code,
        object: Value::Null,
        message,
        causes,
        // Of a refusal, they are beside the point.
        warnings: Vec::new(),
    }
}

fn ours(outcome: Result<Admitted, Rejected>) -> Answer {
    match outcome {
        Ok(admitted) => answer(200, &admitted.object, admitted.warnings),
        Err(rejected) => {
            let status = rejected.to_status();
            answer(rejected.code(), &status, Vec::new())
        }
    }
}

struct Server {
    client: kube::Client,
}

impl Server {
    async fn send(&self, method: Method, path: &str, body: &Value) -> (u16, Value, Vec<String>) {
        let request = http::Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", "application/json")
            .body(kube::client::Body::from(body.to_string().into_bytes()))
            .unwrap();
        let response = self.client.send(request).await.unwrap();
        let code = response.status().as_u16();
        let warnings = response.headers().get_all("warning").iter();
        let warnings = warnings
            .map(|header| {
                let text = std::str::from_utf8(header.as_bytes()).unwrap();
                let quoted = text
                    .strip_prefix("299 - \"")
                    .and_then(|text| text.strip_suffix('"'))
                    .unwrap();
                quoted.replace("\\\"", "\"").replace("\\\\", "\\")
            })
            .collect();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (code, serde_json::from_slice(&bytes).unwrap(), warnings)
    }

    /// Sends until the answer is not that nothing is served there yet.
    async fn when_served(&self, path: &str) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while self.send(Method::GET, path, &Value::Null).await.0 != 200 {
            assert!(Instant::now() < deadline, "{path} isn't served");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

struct Case<'a> {
    json: &'a Value,
    name: String,
}

impl Case<'_> {
    fn kind(&self) -> &str {
        self.json["kind"].as_str().unwrap()
    }

    fn collection(&self, version: &str) -> String {
        let plural = match self.kind() {
            "Widget" => format!("namespaces/{SPACE}/specimens"),
            kind => format!("{}s", kind.to_lowercase()),
        };
        format!("/apis/admission.fleetwright.test/{version}/{plural}")
    }

    fn version(&self, key: &str) -> &str {
        self.json[key].as_str().unwrap_or("v1")
    }

    fn validation(&self) -> (&str, FieldValidation) {
        match self.json["validation"].as_str() {
            Some("Warn") => ("Warn", FieldValidation::Warn),
            Some("Ignore") => ("Ignore", FieldValidation::Ignore),
            _ => ("Strict", FieldValidation::Strict),
        }
    }

    /// The object of a part of the case, its metadata over those given.
    fn object(&self, part: &Value, version: &str, mut metadata: Value) -> Value {
        for (name, value) in part["metadata"].as_object().into_iter().flatten() {
            metadata[name.as_str()] = value.clone();
        }
        let mut object = json!({
            "apiVersion": format!("admission.fleetwright.test/{version}"),
            "kind": self.kind(),
            "metadata": metadata,
        });
        for field in ["spec", "status"] {
            if let Some(value) = part.get(field) {
                object[field] = value.clone();
            }
        }
        for (name, value) in part["top"].as_object().into_iter().flatten() {
            object[name.as_str()] = value.clone();
        }
        object
    }
}

fn read(file: &str) -> Vec<Value> {
    let path = format!("{}/tests/it/data/admission/{file}", env!("CARGO_MANIFEST_DIR"));
    serde_yaml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn request<'a>(case: &Case<'_>, object: &'a Value, old: Option<&'a Value>, subresource: Subresource) -> Request<'a> {
    Request {
        object,
        old,
        subresource,
        field_validation: case.validation().1,
        repeated: &[],
    }
}

/// Both answers to a case.
async fn both(
    server: &Server,
    admissions: &BTreeMap<(String, String), Admission>,
    case: &Case<'_>,
) -> (Answer, Answer) {
    let admission = |version: &str| &admissions[&(case.kind().to_owned(), version.to_owned())];
    let version = case.version("version");
    let mut metadata = json!({"name": case.name});
    if case.kind() == "Widget" {
        metadata["namespace"] = json!(SPACE);
    }
    let object = case.object(case.json, version, metadata);
    let query = format!("fieldValidation={}&fieldManager=test", case.validation().0);
    let Some(then) = case.json.get("then") else {
        let path = format!("{}?dryRun=All&{query}", case.collection(version));
        let (code, body, warnings) = server.send(Method::POST, &path, &object).await;
        let ours = ours(admit(
            admission(version),
            request(case, &object, None, Subresource::None),
        ));
        return (ours, answer(code, &body, warnings));
    };
    let path = case.collection(version);
    let (code, stored, _) = server.send(Method::POST, &format!("{path}?{query}"), &object).await;
    assert_eq!(code, 201, "{}: {stored}", case.json["name"]);
    let at = case.json["at"].as_str().unwrap_or(version);
    let name = format!("{}/{}", case.collection(at), case.name);
    let (_, old, _) = server.send(Method::GET, &name, &Value::Null).await;
    let (subresource, rest) = match then["subresource"].as_str() {
        Some("status") => (Subresource::Status, "/status"),
        _ => (Subresource::None, ""),
    };
    let object = case.object(then, at, old["metadata"].clone());
    let path = format!("{name}{rest}?dryRun=All&{query}");
    let (code, body, warnings) = server.send(Method::PUT, &path, &object).await;
    let ours = ours(admit(admission(at), request(case, &object, Some(&old), subresource)));
    (ours, answer(code, &body, warnings))
}

#[tokio::test]
async fn verdicts_messages_and_causes_are_a_real_servers() {
    let Some(server) = ApiServer::shared() else { return };
    let login = server.login();
    let crds = read("crds.yaml");
    let items = json!({"apiVersion": "v1", "kind": "List", "items": crds});
    login.kubectl_in(&["create", "-f", "-"], &items.to_string());
    let mut admissions = BTreeMap::new();
    for crd in &crds {
        for version in crd["spec"]["versions"].as_array().unwrap() {
            let kind = crd["spec"]["names"]["kind"].as_str().unwrap().to_owned();
            let version = version["name"].as_str().unwrap().to_owned();
            let admission = Admission::new(crd, &version).unwrap();
            admissions.insert((kind, version), admission);
        }
    }
    let server = Server {
        client: login.client().await,
    };
    for path in [
        format!("v1/namespaces/{SPACE}/specimens"),
        "v1/gadgets".to_owned(),
        "v2/gadgets".to_owned(),
    ] {
        server
            .when_served(&format!("/apis/admission.fleetwright.test/{path}"))
            .await;
    }
    let cases = read("cases.yaml");
    let mut wrong = Vec::new();
    let mut refused = 0;
    for (number, json) in cases.iter().enumerate() {
        let case = Case {
            json,
            name: format!("case-{number}"),
        };
        let (ours, theirs) = both(&server, &admissions, &case).await;
        refused += usize::from(theirs.code != 200);
        if ours != theirs {
            wrong.push(format!("{}:\n  ours   {ours:?}\n  theirs {theirs:?}", json["name"]));
        }
    }
    println!("{} cases, {refused} of them refused", cases.len());
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        cases.len(),
        wrong.join("\n")
    );
    assert!(
        cases.len() >= 130 && refused >= 90,
        "{} cases, {refused} refused",
        cases.len()
    );
}
