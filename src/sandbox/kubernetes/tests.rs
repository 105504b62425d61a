use std::sync::Arc;

use http_body_util::BodyExt as _;
use serde_json::{Value, json};

use super::*;
use crate::http_server::{Api as _, Request};
use crate::sandbox::fault::Never;
use crate::sandbox::store::Memory;

fn server() -> ApiServer {
    let clock = Clock::new("2026-01-01T00:00:00Z".parse().unwrap(), 1.0);
    ApiServer::new("test", Arc::new(Memory), clock, Arc::new(Never)).unwrap()
}

async fn send(server: &ApiServer, method: &str, path: &str, media: &str, body: &Value) -> (u16, Value) {
    let text = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    let request: Request = ::http::Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", media)
        .header("user-agent", "tester/1")
        .body(text.into())
        .unwrap();
    let answer = server.call(request).await;
    let code = answer.status().as_u16();
    let bytes = answer.into_body().collect().await.unwrap().to_bytes();
    let value = serde_json::from_slice(&bytes).unwrap_or_else(|_| json!(String::from_utf8_lossy(&bytes)));
    (code, value)
}

const JSON: &str = "application/json";

#[tokio::test]
async fn objects_are_created_read_replaced_and_deleted() {
    let server = server();
    let maps = "/api/v1/namespaces/default/configmaps";
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"x": "1"}});
    let (code, made) = send(&server, "POST", maps, JSON, &map).await;
    assert_eq!(code, 201, "{made}");
    assert_eq!(made["metadata"]["managedFields"][0]["manager"], "tester");
    assert_eq!(made["metadata"]["creationTimestamp"], "2026-01-01T00:00:00Z");
    let (_, read) = send(&server, "GET", &format!("{maps}/a"), JSON, &Value::Null).await;
    assert_eq!(read, made);
    let (code, _) = send(&server, "POST", maps, JSON, &map).await;
    assert_eq!(code, 409);
    let mut next = read.clone();
    next["data"]["x"] = json!("2");
    let (code, after) = send(&server, "PUT", &format!("{maps}/a"), JSON, &next).await;
    assert_eq!(code, 200, "{after}");
    assert_ne!(
        after["metadata"]["resourceVersion"],
        read["metadata"]["resourceVersion"]
    );
    let (code, stale) = send(&server, "PUT", &format!("{maps}/a"), JSON, &next).await;
    assert_eq!((code, &stale["reason"]), (409, &json!("Conflict")));
    let (code, _) = send(&server, "DELETE", &format!("{maps}/a"), JSON, &Value::Null).await;
    assert_eq!(code, 200);
    let (code, gone) = send(&server, "GET", &format!("{maps}/a"), JSON, &Value::Null).await;
    assert_eq!((code, &gone["message"]), (404, &json!("configmaps \"a\" not found")));
}

#[tokio::test]
async fn bodies_of_any_form_are_answered() {
    let server = server();
    let services = "/api/v1/namespaces/default/services";
    let good =
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}, "spec": {"ports": [{"port": 1}]}});
    assert_eq!(send(&server, "POST", services, JSON, &good).await.0, 201);
    let odd = [
        json!(1),
        json!([]),
        json!("x"),
        json!({"ports": 1}),
        json!({"ports": [1]}),
        json!({"ports": [[]]}),
    ];
    for spec in odd {
        let mut service = good.clone();
        service["metadata"]["name"] = json!("b");
        service["spec"] = spec.clone();
        let (code, answer) = send(&server, "POST", services, JSON, &service).await;
        assert!((400..500).contains(&code), "{spec}: {code} {answer}");
        let merge = "application/merge-patch+json";
        let (code, answer) = send(
            &server,
            "PATCH",
            &format!("{services}/a"),
            merge,
            &json!({"spec": spec}),
        )
        .await;
        assert!((400..500).contains(&code), "{spec}: {code} {answer}");
    }
}

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

fn map(name: &str, owners: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "ownerReferences": owners}})
}

fn owner(of: &Value, blocks: bool) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "name": of["metadata"]["name"], "uid": of["metadata"]["uid"],
        "blockOwnerDeletion": blocks})
}

fn maps() -> Resource {
    Resource::new("", "v1", "configmaps")
}

fn names(server: &ApiServer) -> Vec<String> {
    let all = server.list(&maps(), Some("default")).unwrap();
    all.iter()
        .map(|map| map["metadata"]["name"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn what_is_owned_goes_after_the_last_of_its_owners() {
    let server = server();
    let one = server.create("t", &map("one", &json!([]))).unwrap();
    let two = server.create("t", &map("two", &json!([]))).unwrap();
    let child = server
        .create("t", &map("child", &json!([owner(&one, false), owner(&two, false)])))
        .unwrap();
    server
        .create("t", &map("grandchild", &json!([owner(&child, false)])))
        .unwrap();
    server.delete(&maps(), "default", "one").unwrap();
    assert_eq!(names(&server), ["child", "grandchild", "two"]);
    let left = server.get(&maps(), "default", "child").unwrap().unwrap();
    assert_eq!(left["metadata"]["ownerReferences"].as_array().unwrap().len(), 1);
    server.delete(&maps(), "default", "two").unwrap();
    assert!(names(&server).is_empty());
}

#[tokio::test]
async fn an_owner_that_goes_last_waits_for_those_that_block_it() {
    let server = server();
    let one = server.create("t", &map("one", &json!([]))).unwrap();
    let mut child = map("child", &json!([owner(&one, true)]));
    child["metadata"]["finalizers"] = json!(["x/y"]);
    server.create("t", &child).unwrap();
    let policy = json!({"propagationPolicy": "Foreground"});
    let (code, marked) = send(&server, "DELETE", &format!("{MAPS}/one"), JSON, &policy).await;
    assert_eq!(
        (code, &marked["metadata"]["finalizers"]),
        (200, &json!(["foregroundDeletion"]))
    );
    assert_eq!(names(&server), ["child", "one"]);
    let free = json!({"metadata": {"finalizers": null}});
    server.patch("t", &maps(), ("default", "child"), "", &free).unwrap();
    assert!(names(&server).is_empty());
}

#[tokio::test]
async fn orphans_stay_and_forget_their_owner() {
    let server = server();
    let one = server.create("t", &map("one", &json!([]))).unwrap();
    server.create("t", &map("child", &json!([owner(&one, true)]))).unwrap();
    let policy = json!({"propagationPolicy": "Orphan"});
    send(&server, "DELETE", &format!("{MAPS}/one"), JSON, &policy).await;
    assert_eq!(names(&server), ["child"]);
    let left = server.get(&maps(), "default", "child").unwrap().unwrap();
    assert!(left["metadata"].get("ownerReferences").is_none());
}

#[test]
fn a_namespace_goes_when_all_in_it_is_gone() {
    let server = server();
    let namespaces = Resource::new("", "v1", "namespaces");
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n"}});
    server.create("t", &namespace).unwrap();
    let mut held = map("held", &json!([]));
    held["metadata"]["namespace"] = json!("n");
    let mut free = held.clone();
    free["metadata"]["name"] = json!("free");
    held["metadata"]["finalizers"] = json!(["x/y"]);
    server.create("t", &held).unwrap();
    server.create("t", &free).unwrap();
    server.delete(&namespaces, "", "n").unwrap();
    let going = server.get(&namespaces, "", "n").unwrap().unwrap();
    assert_eq!(going["status"]["phase"], "Terminating");
    assert_eq!(server.list(&maps(), Some("n")).unwrap().len(), 1);
    let refused = server.create("t", &free).unwrap_err();
    assert_eq!((refused.code, refused.causes[0].reason), (403, "NamespaceTerminating"));
    let patch = json!({"metadata": {"finalizers": []}});
    server.patch("t", &maps(), ("n", "held"), "", &patch).unwrap();
    assert!(server.get(&namespaces, "", "n").unwrap().is_none());
}

fn definition() -> Value {
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
    "metadata": {"name": "things.x.io"}, "spec": {"group": "x.io", "scope": "Namespaced",
        "names": {"plural": "things", "kind": "Thing"}, "versions": [
        {"name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
            "schema": {"openAPIV3Schema": {"type": "object", "properties": {
                "spec": {"type": "object", "properties": {"a": {"type": "integer", "default": 1}, "b": {"type": "string"}}},
                "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}}},
        {"name": "v2", "served": true, "storage": false,
            "schema": {"openAPIV3Schema": {"type": "object", "properties": {
                "spec": {"type": "object", "properties": {"a": {"type": "integer"}}}}}}}]}})
}

#[test]
fn a_definition_is_served_at_once_and_takes_its_objects_along() {
    let server = server();
    server.install_crd(&definition()).unwrap();
    let definitions = Resource::new("apiextensions.k8s.io", "v1", "customresourcedefinitions");
    let stored = server.get(&definitions, "", "things.x.io").unwrap().unwrap();
    assert_eq!(stored["status"]["conditions"][1]["type"], "Established");
    assert_eq!(stored["metadata"]["generation"], 1);
    let thing = json!({"apiVersion": "x.io/v1", "kind": "Thing", "metadata": {"name": "a"}, "spec": {"b": "c"}});
    let made = server.create("t", &thing).unwrap();
    assert_eq!(
        (&made["spec"]["a"], &made["metadata"]["generation"]),
        (&json!(1), &json!(1))
    );
    // Another version shows what it knows.
    let other = server
        .get(&Resource::new("x.io", "v2", "things"), "default", "a")
        .unwrap()
        .unwrap();
    assert_eq!(
        (&other["apiVersion"], &other["spec"]),
        (&json!("x.io/v2"), &json!({"a": 1}))
    );
    // Installing it anew changes nothing.
    server.install_crd(&definition()).unwrap();
    let again = server.get(&definitions, "", "things.x.io").unwrap().unwrap();
    assert_eq!(
        again["metadata"]["resourceVersion"],
        stored["metadata"]["resourceVersion"]
    );
    server.delete(&definitions, "", "things.x.io").unwrap();
    let things = Resource::new("x.io", "v1", "things");
    assert_eq!(server.get(&things, "default", "a").unwrap_err().code, 404);
}

#[tokio::test]
async fn a_subscription_tells_what_happens_in_order() {
    let server = server();
    let mut events = server.subscribe();
    server.create("t", &map("a", &json!([]))).unwrap();
    server
        .patch("t", &maps(), ("default", "a"), "", &json!({"data": {"k": "v"}}))
        .unwrap();
    server.delete(&maps(), "default", "a").unwrap();
    let mut told = Vec::new();
    for _ in 0..3 {
        let event = events.next().await.unwrap();
        told.push((event.happening, event.name, event.object["data"]["k"].clone()));
    }
    let a = || "a".to_owned();
    assert_eq!(
        told,
        [
            (Happening::Added, a(), Value::Null),
            (Happening::Modified, a(), json!("v")),
            (Happening::Deleted, a(), json!("v"))
        ]
    );
    assert!(events.try_next().unwrap().is_none());
    server.create("t", &map("b", &json!([]))).unwrap();
    server.compact();
    assert_eq!(events.try_next().unwrap_err(), Lagged);
}

/// Keeps rows in memory, as a file would.
#[derive(Default)]
struct Kept(std::sync::Mutex<std::collections::BTreeMap<(String, String), String>>);

impl Store for Kept {
    fn load(&self, prefix: &str) -> Result<Vec<(String, String, String)>, StoreError> {
        let rows = self.0.lock().unwrap();
        let rows = rows.iter().filter(|((table, _), _)| table.starts_with(prefix));
        Ok(rows
            .map(|((table, key), value)| (table.clone(), key.clone(), value.clone()))
            .collect())
    }

    fn write(&self, writes: Vec<crate::sandbox::store::Write>) {
        let mut rows = self.0.lock().unwrap();
        for write in writes {
            match write.value {
                Some(value) => rows.insert((write.table, write.key), value),
                None => rows.remove(&(write.table, write.key)),
            };
        }
    }
}

#[test]
fn a_server_goes_on_where_it_ended() {
    let store = Arc::new(Kept::default());
    let clock = || Clock::new("2026-01-01T00:00:00Z".parse().unwrap(), 1.0);
    let open = || ApiServer::new("one", store.clone(), clock(), Arc::new(Never)).unwrap();
    let first = open();
    first.install_crd(&definition()).unwrap();
    let thing = json!({"apiVersion": "x.io/v1", "kind": "Thing", "metadata": {"name": "a"}});
    let made = first.create("t", &thing).unwrap();
    first.create("t", &map("gone", &json!([]))).unwrap();
    first.delete(&maps(), "default", "gone").unwrap();
    let last = first.0.lock().revision;
    drop(first);
    let second = open();
    assert_eq!(second.0.lock().revision, last);
    assert_eq!(
        second
            .get(&Resource::new("x.io", "v1", "things"), "default", "a")
            .unwrap()
            .unwrap(),
        made
    );
    assert!(names(&second).is_empty());
    // Another server of the same store has nothing of it.
    let other = ApiServer::new("one-more", store.clone(), clock(), Arc::new(Never)).unwrap();
    assert!(other.list(&Resource::new("x.io", "v1", "things"), None).is_err());
}
