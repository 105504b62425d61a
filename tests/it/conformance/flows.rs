//! What takes several requests that build on each other: pages and watches, on both servers.

use std::time::Duration;

use futures::{AsyncBufReadExt as _, TryStreamExt as _};
use kube::Client;
use serde_json::{Value, json};

use super::case::Step;
use super::sandbox::Sandbox;
use super::{normal, prepare};
use crate::support::ApiServer;

/// A watch, a line at a time.
struct Lines(std::pin::Pin<Box<dyn futures::Stream<Item = std::io::Result<String>> + Send>>);

impl Lines {
    async fn open(client: &Client, path: &str) -> Self {
        let request = http::Request::get(path).body(Vec::new()).expect("a request");
        let lines = client.request_stream(request).await.expect("a stream").lines();
        Self(Box::pin(lines))
    }

    /// The next event; none where the watch has ended.
    async fn next(&mut self) -> Option<Value> {
        let line = tokio::time::timeout(Duration::from_secs(20), self.0.try_next()).await;
        let line = line.expect("an event in time").expect("a stream")?;
        Some(serde_json::from_str(&line).expect("JSON"))
    }
}

#[expect(clippy::needless_pass_by_value, reason = "called with literals")]
fn map(name: &str, labels: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": labels}})
}

async fn do_all(client: &Client, namespace: &str, lines: &[&str]) {
    for line in lines {
        let (code, body) = Step::read(line).send(client, namespace).await;
        assert!(code < 300, "{line}: {body}");
    }
}

async fn fresh(client: &Client, namespace: &str) {
    let made = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
    let (code, body) = Step::post("/api/v1/namespaces", made).send(client, "").await;
    assert_eq!(code, 201, "{body}");
}

/// Pages of a list while its objects change.
async fn pages(client: &Client, namespace: &str) -> Vec<String> {
    fresh(client, namespace).await;
    for name in ["a", "b", "c", "d", "e"] {
        let path = format!("/api/v1/namespaces/{namespace}/configmaps");
        Step::post(&path, map(name, json!({"n": name}))).send(client, "").await;
    }
    let list = format!("/api/v1/namespaces/{namespace}/configmaps?limit=2");
    let mut told = Vec::new();
    let mut path = list.clone();
    let mut versions = Vec::new();
    loop {
        let (code, body) = Step::get(&path).send(client, "").await;
        versions.push(body["metadata"]["resourceVersion"].clone());
        let token = body["metadata"]["continue"].as_str().unwrap_or_default().to_owned();
        told.push(normal::text(code, body, namespace));
        if token.is_empty() {
            break;
        }
        if path == list {
            do_all(
                client,
                namespace,
                &["DELETE $C/configmaps/c", "PATCH $C/configmaps/d {data: {k: v}}"],
            )
            .await;
        }
        path = format!("{list}&continue={token}");
    }
    versions.dedup();
    told.push(format!("{} state", versions.len()));
    let (code, body) = Step::get(&format!("{list}&labelSelector=n")).send(client, "").await;
    told.push(normal::text(code, body, namespace));
    told
}

/// A watch that goes on from a list, with a selector that objects come into and fall out of.
async fn watched(client: &Client, namespace: &str) -> Vec<String> {
    fresh(client, namespace).await;
    let list = format!("/api/v1/namespaces/{namespace}/configmaps?labelSelector=on");
    let (_, before) = Step::get(&list).send(client, "").await;
    let version = before["metadata"]["resourceVersion"]
        .as_str()
        .expect("a version")
        .to_owned();
    let changes = [
        "POST $C/configmaps {%CM, metadata: {name: a, labels: {on: y}}}",
        "POST $C/configmaps {%CM, metadata: {name: b}}",
        "PATCH $C/configmaps/a {data: {k: v}}",
        "PATCH $C/configmaps/a {metadata: {labels: {on: null}}}",
        "PATCH $C/configmaps/b {metadata: {labels: {on: y}}}",
        "DELETE $C/configmaps/b",
        "DELETE $C/configmaps/a",
        "POST $C/configmaps {%CM, metadata: {name: z, labels: {on: y}}}",
    ];
    do_all(client, namespace, &changes).await;
    let mut told = Vec::new();
    let mut last = String::new();
    let mut lines = Lines::open(client, &format!("{list}&watch=1&resourceVersion={version}")).await;
    while !last.contains("\"z\"") {
        let event = lines.next().await.expect("more events");
        last = event["object"]["metadata"]["name"].to_string();
        told.push(normal::text(200, event, namespace));
    }
    told
}

/// A watch of what is there and comes, one that begins with a bookmark's end, and one that ends.
async fn begun(client: &Client, namespace: &str) -> Vec<String> {
    fresh(client, namespace).await;
    do_all(
        client,
        namespace,
        &["POST $W {%W, metadata: {name: a}, spec: {size: 1}}"],
    )
    .await;
    let all = format!("/apis/example.io/v1/namespaces/{namespace}/widgets?watch=1");
    let mut told = Vec::new();
    let mut lines = Lines::open(client, &format!("{all}&timeoutSeconds=2")).await;
    do_all(
        client,
        namespace,
        &["POST $W {%W, metadata: {name: b}, spec: {size: 1}}"],
    )
    .await;
    while let Some(event) = lines.next().await {
        told.push(normal::text(200, event, namespace));
    }
    let initial = format!("{all}&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true");
    let mut lines = Lines::open(client, &initial).await;
    loop {
        let event = lines.next().await.expect("a bookmark");
        let over = event["type"] == "BOOKMARK";
        told.push(normal::text(200, event, namespace));
        if over {
            break;
        }
    }
    let mut lines = Lines::open(client, &format!("{all}&resourceVersion=1")).await;
    told.push(normal::text(200, lines.next().await.expect("an error"), namespace));
    assert!(lines.next().await.is_none(), "the watch ends");
    told
}

async fn both() -> Option<(Client, Client, Sandbox)> {
    let real = ApiServer::shared()?.login().client().await;
    let sandbox = Sandbox::start().await;
    let ours = sandbox.client();
    prepare(&real).await;
    prepare(&ours).await;
    Some((real, ours, sandbox))
}

#[tokio::test]
async fn pages_show_one_state_while_it_changes() {
    let Some((real, ours, _sandbox)) = both().await else {
        return;
    };
    let expected = pages(&real, "conformance-pages").await;
    assert!(expected.contains(&"1 state".to_owned()), "{expected:?}");
    assert_eq!(pages(&ours, "conformance-pages").await, expected);
}

#[tokio::test]
async fn watches_go_on_from_a_list() {
    let Some((real, ours, _sandbox)) = both().await else {
        return;
    };
    let expected = watched(&real, "conformance-watched").await;
    assert_eq!(expected.len(), 6, "{expected:?}");
    assert_eq!(watched(&ours, "conformance-watched").await, expected);
}

#[tokio::test]
async fn watches_begin_with_what_is_there() {
    let Some((real, ours, sandbox)) = both().await else {
        return;
    };
    let expected = begun(&real, "conformance-begun").await;
    assert!(
        expected.last().is_some_and(|last| last.contains("\"code\":410")),
        "{expected:?}"
    );
    sandbox.server.compact();
    assert_eq!(begun(&ours, "conformance-begun").await, expected);
}

/// A page's token outlives the state that it belongs to: 410, and a token with which to go on all the same.
#[tokio::test]
async fn a_forgotten_page_is_told_with_a_way_on() {
    let sandbox = Sandbox::start().await;
    let client = sandbox.client();
    for name in ["a", "b", "c"] {
        Step::post("/api/v1/namespaces/default/configmaps", map(name, json!({})))
            .send(&client, "")
            .await;
    }
    let list = "/api/v1/namespaces/default/configmaps?limit=1";
    let (_, first) = Step::get(list).send(&client, "").await;
    let token = first["metadata"]["continue"].as_str().expect("a token").to_owned();
    Step::read("DELETE /api/v1/namespaces/default/configmaps/b")
        .send(&client, "")
        .await;
    sandbox.server.compact();
    let (code, gone) = Step::get(&format!("{list}&continue={token}")).send(&client, "").await;
    assert_eq!((code, &gone["reason"]), (410, &json!("Expired")));
    let token = gone["metadata"]["continue"].as_str().expect("a token").to_owned();
    let (code, rest) = Step::get(&format!("{list}&continue={token}")).send(&client, "").await;
    assert_eq!((code, &rest["items"][0]["metadata"]["name"]), (200, &json!("c")));
}

/// A schema without its prose, which the sandbox leaves out of Kubernetes' own kinds.
fn without_prose(schema: &mut Value) {
    match schema {
        Value::Object(entries) => {
            entries.retain(|name, entry| name != "description" || !entry.is_string());
            entries.values_mut().for_each(without_prose);
        }
        Value::Array(items) => items.iter_mut().for_each(without_prose),
        _ => {}
    }
}

#[tokio::test]
async fn schemas_are_published_alike() {
    let Some((real, ours, _sandbox)) = both().await else {
        return;
    };
    let mut seen = 0;
    for path in [
        "api/v1",
        "apis/rbac.authorization.k8s.io/v1",
        "apis/apiextensions.k8s.io/v1",
        "apis/example.io/v1",
    ] {
        seen += compare_schemas(&real, &ours, path).await;
    }
    assert!(seen > 60, "{seen} schemas");
}

/// Fails where a document's schemas differ; says how many there are.
pub(super) async fn compare_schemas(real: &Client, ours: &Client, path: &str) -> usize {
    let step = Step::get(&format!("/openapi/v3/{path}"));
    let ((_, mut real), (_, mut ours)) = (step.send(real, "").await, step.send(ours, "").await);
    without_prose(&mut real);
    without_prose(&mut ours);
    let mut seen = 0;
    let all = ours["components"]["schemas"].as_object().expect("schemas");
    for (name, schema) in all {
        // These two list every group of the server.
        if name.ends_with(".DeleteOptions") || name.ends_with(".Status") {
            continue;
        }
        seen += 1;
        assert_eq!(&real["components"]["schemas"][name], schema, "{name} of {path}");
    }
    seen
}
