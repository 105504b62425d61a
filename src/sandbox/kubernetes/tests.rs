use std::sync::Arc;

use http_body_util::BodyExt as _;
use serde_json::{Value, json};

use super::*;
use crate::sandbox::fault::Never;
use crate::sandbox::http::{Api as _, Request};
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
