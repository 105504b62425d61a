//! The shape of a service: one HTTP request in, its body whole; one answer out, its body perhaps a stream.

use std::convert::Infallible;
use std::net::SocketAddr;

use ::http::request::Parts;
use bytes::Bytes;
use futures::future::BoxFuture;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};

/// A request.
pub type Request = ::http::Request<Bytes>;

/// The body of an answer: bytes, or for a watch a stream that ends when the watch does.
pub type Body = UnsyncBoxBody<Bytes, Infallible>;

/// An answer.
pub type Response = ::http::Response<Body>;

/// An API: served over HTTP, or called in this process.
pub trait Api: Send + Sync {
    /// Answers a request; what goes wrong is an answer too.
    fn call(&self, request: Request) -> BoxFuture<'_, Response>;

    /// Answers a request before its body is read, where the body is of no account.
    fn refuse(&self, _: &Parts) -> Option<Response> {
        None
    }
}

/// An extension of a request: who sent it. Absent where the service is called in this process.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// An extension of an answer that the caller is not to get: the request was carried out, and then the connection broke.
#[derive(Clone, Copy, Debug)]
pub struct Lost;

/// Whether the caller is not to get this answer.
pub fn is_lost(response: &Response) -> bool {
    response.extensions().get::<Lost>().is_some()
}

/// The connection broke before the answer was there.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the connection was closed before the answer came")]
pub struct ConnectionClosed;

/// A body of known bytes.
pub fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).boxed_unsync()
}
