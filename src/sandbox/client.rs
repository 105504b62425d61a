//! A client of an API server in this process, with the few calls that operators make, and whoever sets a scene for them.

use std::sync::Arc;

use ::http::{Method, StatusCode, header};
use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt as _, stream};
use http_body_util::BodyExt as _;
use serde_json::Value;

use super::http::{Api, Request, Response};

/// How what is written by it is signed.
const MANAGER: &str = "fieldManager=sandbox-operators";

/// Where the objects of a kind are: `/apis/{group}/{version}`, and the plural.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::sandbox) struct Resource {
    pub(in crate::sandbox) group: String,
    pub(in crate::sandbox) version: String,
    pub(in crate::sandbox) plural: String,
    pub(in crate::sandbox) kind: String,
}

impl Resource {
    /// Definitions of other kinds.
    pub(in crate::sandbox) fn crds() -> Self {
        Self {
            group: "apiextensions.k8s.io".to_owned(),
            version: "v1".to_owned(),
            plural: "customresourcedefinitions".to_owned(),
            kind: "CustomResourceDefinition".to_owned(),
        }
    }

    fn all(&self) -> String {
        if self.group.is_empty() {
            format!("/api/{}/{}", self.version, self.plural)
        } else {
            format!("/apis/{}/{}/{}", self.group, self.version, self.plural)
        }
    }

    fn within(&self, namespace: &str) -> String {
        let all = self.all();
        let (root, plural) = all.rsplit_once('/').unwrap_or(("", &all));
        match namespace {
            "" => all,
            _ => format!("{root}/namespaces/{namespace}/{plural}"),
        }
    }

    fn one(&self, namespace: &str, name: &str) -> String {
        format!("{}/{name}", self.within(namespace))
    }
}

/// An answer that is no success.
#[derive(Debug, thiserror::Error)]
#[error("{method} {path} was answered with {status}: {message}")]
pub(in crate::sandbox) struct Refused {
    method: Method,
    path: String,
    pub(in crate::sandbox) status: StatusCode,
    message: String,
}

#[derive(Clone)]
pub(in crate::sandbox) struct Client(Arc<dyn Api>);

impl Client {
    pub(in crate::sandbox) fn new(api: Arc<dyn Api>) -> Self {
        Self(api)
    }

    /// All objects of a kind, and the version from which a watch goes on.
    pub(in crate::sandbox) async fn list(&self, resource: &Resource) -> Result<(Vec<Value>, String), Refused> {
        let mut list = self.send(Method::GET, &resource.all(), None).await?;
        let version = text(&list, "/metadata/resourceVersion").to_owned();
        let mut items = match list.get_mut("items").map(Value::take) {
            Some(Value::Array(items)) => items,
            _ => Vec::new(),
        };
        for item in &mut items {
            // Items of a list don't repeat what the list says.
            item["apiVersion"] = Value::from(api_version(resource));
            item["kind"] = Value::from(resource.kind.as_str());
        }
        Ok((items, version))
    }

    /// What happens to the objects of a kind after a version: `(ADDED, object)` and so on, until the server ends it.
    pub(in crate::sandbox) async fn watch(
        &self,
        resource: &Resource,
        version: &str,
    ) -> Result<impl Stream<Item = (String, Value)> + Send + use<>, Refused> {
        let path = format!(
            "{}?watch=true&resourceVersion={version}&allowWatchBookmarks=true",
            resource.all()
        );
        let response = self.0.call(request(Method::GET, &path, None)).await;
        if !response.status().is_success() {
            return Err(refused(Method::GET, &path, response).await);
        }
        Ok(lines(
            response
                .into_body()
                .into_data_stream()
                .filter_map(async |chunk| chunk.ok()),
        ))
    }

    /// Merges a patch into an object.
    pub(in crate::sandbox) async fn patch(&self, at: (&Resource, &str, &str), patch: &Value) -> Result<Value, Refused> {
        let (resource, namespace, name) = at;
        let path = format!("{}?{MANAGER}", resource.one(namespace, name));
        self.send(Method::PATCH, &path, Some(patch)).await
    }

    /// Merges a patch into an object's status.
    pub(in crate::sandbox) async fn patch_status(
        &self,
        at: (&Resource, &str, &str),
        patch: &Value,
    ) -> Result<Value, Refused> {
        let (resource, namespace, name) = at;
        let path = format!("{}/status?{MANAGER}", resource.one(namespace, name));
        self.send(Method::PATCH, &path, Some(patch)).await
    }

    /// Makes an object; one that is there stays as it is.
    pub(in crate::sandbox) async fn create(&self, resource: &Resource, object: &Value) -> Result<(), Refused> {
        let namespace = text(object, "/metadata/namespace");
        let path = format!("{}?{MANAGER}", resource.within(namespace));
        tolerate(StatusCode::CONFLICT, self.send(Method::POST, &path, Some(object)).await)
    }

    /// Asks for an object to be deleted; one that is gone is fine.
    pub(in crate::sandbox) async fn delete(&self, at: (&Resource, &str, &str)) -> Result<(), Refused> {
        let (resource, namespace, name) = at;
        let path = resource.one(namespace, name);
        tolerate(StatusCode::NOT_FOUND, self.send(Method::DELETE, &path, None).await)
    }

    async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Refused> {
        let response = self.0.call(request(method.clone(), path, body)).await;
        if !response.status().is_success() {
            return Err(refused(method, path, response).await);
        }
        let Ok(body) = response.into_body().collect().await;
        Ok(serde_json::from_slice(&body.to_bytes()).unwrap_or_default())
    }
}

fn tolerate(status: StatusCode, result: Result<Value, Refused>) -> Result<(), Refused> {
    match result {
        Ok(_) => Ok(()),
        Err(refused) if refused.status == status => Ok(()),
        Err(refused) => Err(refused),
    }
}

fn api_version(resource: &Resource) -> String {
    if resource.group.is_empty() {
        resource.version.clone()
    } else {
        format!("{}/{}", resource.group, resource.version)
    }
}

fn request(method: Method, path: &str, body: Option<&Value>) -> Request {
    let content_type = match method {
        Method::PATCH => "application/merge-patch+json",
        _ => "application/json",
    };
    let body = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
    let mut request = Request::new(body);
    *request.method_mut() = method;
    // Paths are made of names that the server itself gave.
    *request.uri_mut() = path.parse().unwrap_or_default();
    let headers = request.headers_mut();
    headers.insert(header::ACCEPT, header::HeaderValue::from_static("application/json"));
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static(content_type));
    request
}

async fn refused(method: Method, path: &str, response: Response) -> Refused {
    let status = response.status();
    let Ok(body) = response.into_body().collect().await;
    let body: Value = serde_json::from_slice(&body.to_bytes()).unwrap_or_default();
    Refused {
        method,
        path: path.to_owned(),
        status,
        message: text(&body, "/message").to_owned(),
    }
}

/// Cuts a watch's body into its events.
fn lines(chunks: impl Stream<Item = Bytes> + Send + 'static) -> impl Stream<Item = (String, Value)> + Send {
    let state = (Box::pin(chunks), BytesMut::new());
    stream::unfold(state, async |(mut chunks, mut held)| {
        loop {
            if let Some(end) = held.iter().position(|&byte| byte == b'\n') {
                let line = held.split_to(end + 1);
                // What is no event would be our own server's fault; the next list mends it.
                let Ok(mut event) = serde_json::from_slice::<Value>(&line) else {
                    continue;
                };
                let kind = text(&event, "/type").to_owned();
                return Some(((kind, event["object"].take()), (chunks, held)));
            }
            held.extend_from_slice(&chunks.next().await?);
        }
    })
}

/// Text at a pointer; empty where there is none.
pub(in crate::sandbox) fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}
