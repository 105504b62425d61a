//! Several API servers behind one port: `/clusters/<name>/…`, as a kubeconfig's server URL may have a path.

use std::sync::Arc;

use ::http::uri::PathAndQuery;
use ::http::{StatusCode, Uri, header};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde_json::json;

use super::Sandbox;
use crate::http_server::{Api, Request, Response, full};

/// The API servers of a sandbox, by path. One that was never asked for is made.
#[derive(Debug)]
pub struct Clusters(pub Arc<Sandbox>);

impl Api for Clusters {
    fn call(&self, request: Request) -> BoxFuture<'_, Response> {
        self.route(request).boxed()
    }
}

impl Clusters {
    async fn route(&self, mut request: Request) -> Response {
        let Some((name, uri)) = split(request.uri()) else {
            return refusal(
                StatusCode::NOT_FOUND,
                "NotFound",
                "API servers of the sandbox are at /clusters/<name>, such as /clusters/sandbox/api",
            );
        };
        if !is_label(&name) {
            return refusal(StatusCode::BAD_REQUEST, "BadRequest", "a cluster's name is a DNS label");
        }
        match self.0.cluster(&name).await {
            Ok(cluster) => {
                *request.uri_mut() = uri;
                cluster.api().call(request).await
            }
            Err(error) => {
                tracing::error!(%error, cluster = name, "an API server can't be opened");
                refusal(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "InternalError",
                    "the sandbox can't open this API server; its log says why",
                )
            }
        }
    }
}

/// The cluster's name, and what it is asked for.
fn split(uri: &Uri) -> Option<(String, Uri)> {
    let (name, path) = uri
        .path()
        .strip_prefix("/clusters/")
        .map(|rest| match rest.split_once('/') {
            Some((name, path)) => (name, path),
            None => (rest, ""),
        })?;
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let path_and_query = format!("/{path}{query}").parse::<PathAndQuery>().ok()?;
    Some((name.to_owned(), Uri::from(path_and_query)))
}

/// Whether a name can be that of a cluster.
fn is_label(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&name.len()) && name.bytes().all(allowed) && !name.starts_with('-') && !name.ends_with('-')
}

fn refusal(status: StatusCode, reason: &str, message: &str) -> Response {
    let body = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": status.as_u16(),
    });
    let mut response = Response::new(full(body.to_string()));
    *response.status_mut() = status;
    let json = header::HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_names_the_cluster_and_the_rest_is_its_own() {
        let split = |uri: &str| split(&uri.parse().unwrap()).map(|(name, uri)| format!("{name} {uri}"));
        assert_eq!(
            split("/clusters/a/api/v1?watch=true").as_deref(),
            Some("a /api/v1?watch=true")
        );
        assert_eq!(split("/clusters/a").as_deref(), Some("a /"));
        assert_eq!(split("/clusters/a/api/v1/x%2Fy").as_deref(), Some("a /api/v1/x%2Fy"));
        assert_eq!(split("/api/v1"), None);
    }

    #[test]
    fn names_are_labels() {
        assert!(is_label("fra-1"));
        for name in ["", "-a", "a-", "A", "a/b", "..", &"a".repeat(64)] {
            assert!(!is_label(name), "{name}");
        }
    }
}
