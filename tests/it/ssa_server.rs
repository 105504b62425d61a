//! Predictions against a real API server's own dry-run, by the schemas that the server itself serves.
//!
//! The upstream CRDs are installed without their value rules, so that generated objects are accepted; how they merge,
//! default and prune is left as it is. `FLEETWRIGHT_SSA_PREDICTIONS=2000 cargo test ssa_server` makes as many; without
//! it there are 500.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use fleetwright::schema::{Gvk, Schema};
use fleetwright::ssa::is_noop;
use http::{Method, Request};
use serde_json::{Value, json};

use super::ssa_cases::{History, Kind, Twist, kinds};
use super::ssa_oracle::{agree, number};
use super::ssa_reference::{CRDS, upstream};
use crate::support::ApiServer;

const SPACE: &str = "predictions";

struct Server {
    client: kube::Client,
}

impl Server {
    /// The answer, or the refusal in the words of the reference.
    async fn send(&self, method: Method, path: &str, body: &Value) -> Result<Value, kube::core::Status> {
        let kind = if method == Method::PATCH {
            "application/apply-patch+yaml"
        } else {
            "application/json"
        };
        let bytes = if body.is_null() {
            Vec::new()
        } else {
            body.to_string().into_bytes()
        };
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", kind)
            .body(bytes);
        match self.client.request(request.expect("a request")).await {
            Ok(answer) => Ok(answer),
            Err(kube::Error::Api(status)) => Err(*status),
            Err(error) => panic!("{path}: {error}"),
        }
    }

    /// The schema of a kind as it is served. What is served of a definition comes a moment after it is established.
    async fn schema(&self, of: &Schema) -> Schema {
        let (group, version) = of.api_version().split_once('/').unwrap_or(("", of.api_version()));
        let root = if group.is_empty() { "api" } else { "apis" };
        let path = format!("/openapi/v3/{root}/{}", of.api_version());
        let gvk = Gvk {
            group,
            version,
            kind: of.kind(),
        };
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let served = self.send(Method::GET, &path, &Value::Null).await.ok();
            if let Some(schema) = served.and_then(|document| Schema::from_openapi_v3(&document, gvk).ok()) {
                return schema;
            }
            assert!(Instant::now() < deadline, "{path} isn't served");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// The upstream CRDs without the rules that say which values are good.
fn definitions(upstream: &Path) -> String {
    let mut items = Vec::new();
    for crd in CRDS {
        let text = std::fs::read_to_string(upstream.join(crd)).expect("the CRD is readable");
        let mut crd: Value = serde_yaml::from_str(&text).expect("the CRD is YAML");
        for version in crd["spec"]["versions"].as_array_mut().expect("versions") {
            drop_rules(&mut version["schema"]["openAPIV3Schema"]);
        }
        crd["spec"].as_object_mut().expect("a spec").remove("conversion");
        items.push(crd);
    }
    json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string()
}

fn drop_rules(schema: &mut Value) {
    const RULES: [&str; 17] = [
        "required",
        "enum",
        "pattern",
        "x-kubernetes-validations",
        "oneOf",
        "allOf",
        "not",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "minLength",
        "maxLength",
        "minItems",
        "maxItems",
        "minProperties",
        "maxProperties",
    ];
    let Some(keywords) = schema.as_object_mut() else { return };
    // What may be a number or a text needs its anyOf to say so.
    let either = keywords.get("x-kubernetes-int-or-string") == Some(&Value::Bool(true));
    keywords.retain(|name, _| !RULES.contains(&name.as_str()) && (either || name != "anyOf"));
    // A keyed list is keyed by required fields, or by ones with a default.
    if keywords.get("x-kubernetes-list-type") == Some(&json!("map")) {
        let keys = keywords["x-kubernetes-list-map-keys"].clone();
        keywords["items"]["required"] = keys;
    }
    if let Some(properties) = keywords.get_mut("properties").and_then(Value::as_object_mut) {
        properties.values_mut().for_each(drop_rules);
    }
    for inner in ["items", "additionalProperties"] {
        if let Some(inner) = keywords.get_mut(inner) {
            let keys = inner.get("required").cloned();
            drop_rules(inner);
            if let (Some(keys), "items") = (keys, "items") {
                inner["required"] = keys;
            }
        }
    }
}

/// Kinds of Kubernetes itself are checked by code, and some fields drop others: objects of which every part is valid and
/// stands for itself.
fn strict(kind: &mut Kind) {
    match kind.versions[0].kind() {
        "ConfigMap" => kind.keep_to(json!({"data": {"a": "1", "b": "2", "c": "3"}, "binaryData": {"d": "YQ=="}})),
        "Service" => kind.keep_to(json!({"spec": {
            "ports": [{"name": "a", "port": 80}, {"name": "b", "port": 80, "protocol": "UDP"}, {"name": "c", "port": 81, "protocol": "TCP", "targetPort": "c"}],
            "selector": {"a": "b", "c": "d"},
            "publishNotReadyAddresses": true,
        }})),
        _ => {}
    }
}

#[derive(Default)]
struct Tally {
    made: usize,
    refused: usize,
    noop: usize,
    by_kind: BTreeMap<String, usize>,
    wrong: Vec<String>,
}

fn collection(schema: &Schema) -> String {
    let plural = format!("{}s", schema.kind().to_lowercase());
    let root = if schema.api_version().contains('/') {
        "apis"
    } else {
        "api"
    };
    format!("/{root}/{}/namespaces/{SPACE}/{plural}", schema.api_version())
}

/// Writes managedFields as they are; where there are none, the server is asked to forget its own.
async fn tamper(server: &Server, schema: &Schema, mut object: Value) -> Value {
    if object["metadata"].get("managedFields").is_none() {
        object["metadata"]["managedFields"] = json!([{}]);
    }
    let name = object["metadata"]["name"].as_str().expect("a name");
    let path = format!("{}/{name}?fieldManager=tamper", collection(schema));
    server
        .send(Method::PUT, &path, &object)
        .await
        .expect("the object is as it was")
}

/// Predicts one write, asks the server's dry-run, and then makes it.
async fn predict(server: &Server, kinds: &[Kind], history: &mut History, name: &str, tally: &mut Tally) {
    let stored = history.live().clone();
    let mut case = history.next(kinds);
    let kind = &kinds[case.kind];
    let schema = &kind.versions[case.version];
    let question = &mut case.question;
    question["config"]["metadata"]["name"] = json!(name);
    question["config"]["metadata"]["namespace"] = json!(SPACE);
    if question["live"] != stored {
        // The history has changed the record of who owns what; so must the server.
        question["live"] = tamper(server, schema, question["live"].clone()).await;
        history.went(&json!({"object": question["live"]}));
    }
    let live = question["live"].clone();
    let applies = question["op"] == "apply";
    if !applies && !live.is_null() {
        question["config"]["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"].clone();
    }
    let config = question["config"].clone();
    let mut path = collection(schema);
    let method = match (applies, live.is_null()) {
        (true, _) => Method::PATCH,
        (false, true) => Method::POST,
        (false, false) => Method::PUT,
    };
    if method != Method::POST {
        path = format!("{path}/{name}");
    }
    if let Some(subresource) = question["subresource"].as_str().filter(|text| !text.is_empty()) {
        path = format!("{path}/{subresource}");
    }
    let manager = question["manager"].as_str().expect("a manager").to_owned();
    let mut query = format!("fieldManager={manager}&fieldValidation=Ignore");
    if applies {
        query = format!("{query}&force={}", question["force"]);
    }
    let dry_run = format!("{path}?dryRun=All&{query}");
    let mut answer = server.send(method.clone(), &dry_run, &config).await;
    // One answer may have stamps of two seconds, if one ended meanwhile: there is no one time to ask ours for.
    while answer
        .as_ref()
        .is_ok_and(|object| stamps(object).difference(&stamps(&live)).count() > 1)
    {
        answer = server.send(method.clone(), &dry_run, &config).await;
    }
    let theirs = match answer {
        Ok(object) => json!({"object": object}),
        Err(status) if status.code == 409 => json!({"conflicts": conflicts(&status)}),
        Err(_) => {
            tally.refused += 1;
            return;
        }
    };
    // The server's clock can be read off what it stamped.
    let now = stamps(&theirs["object"])
        .last()
        .copied()
        .unwrap_or("2026-01-01T00:00:00Z");
    question["now"] = json!(now);
    let ours = case.ours(kinds, Twist::None);
    tally.made += 1;
    *tally.by_kind.entry(schema.kind().to_owned()).or_default() += 1;
    let same = match (ours.get("conflicts"), theirs.get("conflicts")) {
        (Some(ours), Some(theirs)) => &conflicting(ours) == theirs,
        _ => agree(&ours, &theirs, kind.built_in),
    };
    if !same {
        tally
            .wrong
            .push(json!({"question": case.question, "ours": ours, "theirs": theirs}).to_string());
    }
    if let Ok(object) = server.send(method, &format!("{path}?{query}"), &config).await {
        if applies && is_noop(&config, &object, &manager, schema) {
            tally.noop += 1;
        }
        history.went(&json!({"object": object}));
    }
}

/// When an object was written, by whomever.
fn stamps(object: &Value) -> BTreeSet<&str> {
    let entries = object.pointer("/metadata/managedFields").and_then(Value::as_array);
    let entries = entries.into_iter().flatten();
    entries.filter_map(|entry| entry["time"].as_str()).collect()
}

/// Who owns which field, as the server says it.
fn conflicts(status: &kube::core::Status) -> Value {
    let causes = status.details.iter().flat_map(|details| &details.causes);
    let mut all: Vec<Value> = causes
        .map(|cause| {
            let manager = cause.message.split('"').nth(1).unwrap_or("");
            json!([manager, cause.field])
        })
        .collect();
    all.sort_by_key(ToString::to_string);
    Value::Array(all)
}

fn conflicting(ours: &Value) -> Value {
    let mut all: Vec<Value> = ours
        .as_array()
        .into_iter()
        .flatten()
        .map(|conflict| json!([conflict[0], conflict[3]]))
        .collect();
    all.sort_by_key(ToString::to_string);
    Value::Array(all)
}

#[tokio::test]
async fn predictions_are_what_the_server_says() {
    let Some(upstream) = upstream() else { return };
    let Some(api) = ApiServer::start_bare() else { return };
    let login = api.login();
    login.kubectl_in(&["create", "-f", "-"], &definitions(&upstream));
    login.kubectl(&["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"]);
    login.kubectl(&["create", "namespace", SPACE]);
    let server = Server {
        client: login.client().await,
    };
    let mut kinds = kinds(&upstream);
    kinds.retain(|kind| kind.versions[0].kind() != "Deployment");
    for kind in &mut kinds {
        let newest = &kind.versions[kind.versions.len() - 1];
        let schema = server.schema(newest).await;
        kind.serve(schema);
        strict(kind);
    }
    let wanted = number("FLEETWRIGHT_SSA_PREDICTIONS", 500);
    let mut tally = Tally::default();
    let mut seed = 0;
    while tally.made < wanted && seed < wanted * 2 {
        let mut history = History::new(900_000 + seed as u64, &kinds);
        while !history.is_over() {
            predict(&server, &kinds, &mut history, &format!("n-{seed}"), &mut tally).await;
        }
        seed += 1;
    }
    println!(
        "{} predictions, {} refused, {} no-ops after, {:?}",
        tally.made, tally.refused, tally.noop, tally.by_kind
    );
    if let Some(path) = std::env::var_os("FLEETWRIGHT_SSA_DUMP") {
        std::fs::write(path, tally.wrong.join("\n")).expect("the dump is writable");
    }
    assert!(
        tally.wrong.is_empty(),
        "{} of {} were wrong, such as {}",
        tally.wrong.len(),
        tally.made,
        tally.wrong[0]
    );
    assert!(
        tally.made >= wanted && tally.by_kind.len() == kinds.len(),
        "{:?}",
        tally.by_kind
    );
    assert!(
        tally.by_kind.values().all(|times| times * 40 >= wanted),
        "{:?}",
        tally.by_kind
    );
}
