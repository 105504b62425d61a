//! The sandbox's Kubernetes API behind a port of its own.

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;

use fleetwright::http_server::Api as _;
use fleetwright::sandbox::clock::Clock;
use fleetwright::sandbox::fault::Never;
use fleetwright::sandbox::kubernetes::ApiServer;
use fleetwright::sandbox::store::Memory;
use http_body_util::BodyExt as _;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

/// A running sandbox; it ends when it is dropped.
pub(super) struct Sandbox {
    pub(super) server: ApiServer,
    pub(super) url: String,
    folder: tempfile::TempDir,
    task: tokio::task::JoinHandle<()>,
}

impl Sandbox {
    pub(super) async fn start() -> Self {
        let now = jiff::Timestamp::now();
        let server = ApiServer::new("test", Arc::new(Memory), Clock::new(now, 1.0), Arc::new(Never)).expect("a server");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("its address"));
        let api = server.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let api = api.clone();
                let answer = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
                    let api = api.clone();
                    async move {
                        let (head, body) = request.into_parts();
                        let bytes = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
                        Ok::<_, Infallible>(api.call(http::Request::from_parts(head, bytes)).await)
                    }
                });
                tokio::spawn(async move {
                    let connection = hyper::server::conn::http1::Builder::new();
                    // A client that goes away is no fault.
                    drop(connection.serve_connection(TokioIo::new(stream), answer).await);
                });
            }
        });
        Self {
            server,
            url,
            folder: tempfile::tempdir().expect("a folder"),
            task,
        }
    }

    pub(super) fn client(&self) -> kube::Client {
        let config = kube::Config::new(self.url.parse().expect("an address"));
        kube::Client::try_from(config).expect("a client")
    }

    /// A kubeconfig whose only context is this server.
    pub(super) fn kubeconfig(&self) -> PathBuf {
        let path = self.folder.path().join("kubeconfig");
        let config = serde_json::json!({"apiVersion": "v1", "kind": "Config", "current-context": "sandbox",
            "clusters": [{"name": "sandbox", "cluster": {"server": self.url}}],
            "users": [{"name": "sandbox", "user": {}}],
            "contexts": [{"name": "sandbox", "context": {"cluster": "sandbox", "user": "sandbox"}}]});
        std::fs::write(&path, config.to_string()).expect("the kubeconfig is written");
        path
    }

    pub(super) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.task.abort();
    }
}
