//! The addresses that the daemon is asked at: one of each, however many fleets it follows.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::http::{Probes, Shown};
use super::webhook::{self, Webhooks};
use crate::http_server::{Bounds, Server};

/// The address can't be had.
#[derive(Debug, thiserror::Error)]
#[error("can't listen on {address}")]
pub struct ListenError {
    address: SocketAddr,
    source: std::io::Error,
}

/// Probes and people send no bodies to speak of, and don't come in hundreds.
const BOUNDS: Bounds = Bounds {
    body: 1 << 20,
    head_time: Duration::from_secs(10),
    body_time: Duration::from_secs(10),
    connections: 64,
};

/// Answers probes, from now on and until the server is ended or dropped.
///
/// # Errors
/// Where the address can't be had.
pub async fn listen(shown: Shown, address: SocketAddr) -> Result<Server, ListenError> {
    let server = Server::listen(Arc::new(Probes(shown)), address, BOUNDS).await;
    server.map_err(|source| ListenError { address, source })
}

/// Takes webhooks in, from now on and until the server is ended or dropped.
///
/// # Errors
/// Where the address can't be had.
pub async fn listen_to_webhooks(webhooks: Webhooks, address: SocketAddr) -> Result<Server, ListenError> {
    let server = Server::listen(Arc::new(webhooks), address, webhook::BOUNDS).await;
    server.map_err(|source| ListenError { address, source })
}
