//! The shape of a service: one HTTP request in, its body whole; one answer out, its body perhaps a stream.

use std::convert::Infallible;

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
}

/// A body of known bytes.
pub fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).boxed_unsync()
}
