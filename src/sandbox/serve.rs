//! An API over HTTP/1.1.
//!
//! Invariant: nothing but loopback is listened on unless the caller names an address, and a request's body has a bound. Knows nothing of what it
//! serves.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use ::http::StatusCode;
use futures::StreamExt as _;
use http_body_util::{BodyExt as _, Limited, StreamBody};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::http::{Api, Body, ConnectionClosed, Response, full, is_lost};

/// Three times what an API server takes.
const LARGEST_BODY: usize = 9 << 20;

/// How long a request that is under way may still take once the server ends.
const GRACE: Duration = Duration::from_secs(2);

/// A server that runs until it is ended or dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    stop: CancellationToken,
    connections: TaskTracker,
}

impl Server {
    /// Listens on a port of the loopback interface, 0 for any free one, and serves from then on.
    ///
    /// # Errors
    /// Where the port can't be had.
    pub async fn start(api: Arc<dyn Api>, port: u16) -> std::io::Result<Self> {
        Self::listen(api, (Ipv4Addr::LOCALHOST, port).into()).await
    }

    /// The same on an address of the caller's choice.
    ///
    /// # Errors
    /// Where the address can't be had.
    pub async fn listen(api: Arc<dyn Api>, address: SocketAddr) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let server = Self {
            address: listener.local_addr()?,
            stop: CancellationToken::new(),
            connections: TaskTracker::new(),
        };
        let (stop, connections) = (server.stop.clone(), server.connections.clone());
        server.connections.spawn(accept(listener, api, stop, connections));
        Ok(server)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Ends it: watches end, requests under way get some time, nothing new is taken.
    pub async fn end(self) {
        self.stop.cancel();
        self.connections.close();
        self.connections.wait().await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn accept(listener: TcpListener, api: Arc<dyn Api>, stop: CancellationToken, connections: TaskTracker) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => return,
        };
        match accepted {
            Ok((stream, _)) => {
                connections.spawn(serve(stream, api.clone(), stop.clone()));
            }
            Err(error) => {
                // Out of file descriptors, mostly: others will be closed.
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn serve(stream: TcpStream, api: Arc<dyn Api>, stop: CancellationToken) {
    // Small answers are not to wait for more.
    stream.set_nodelay(true).ok();
    let service = service_fn(|request| answer(api.as_ref(), request, &stop));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    tokio::select! {
        // What breaks is the client's business: it sees the same.
        _ = connection.as_mut() => return,
        () = stop.cancelled() => {}
    }
    connection.as_mut().graceful_shutdown();
    tokio::time::timeout(GRACE, connection).await.ok();
}

/// An error closes the connection, which is what a client is to see of a lost answer.
async fn answer(
    api: &dyn Api,
    request: ::http::Request<Incoming>,
    stop: &CancellationToken,
) -> Result<::http::Response<Body>, ConnectionClosed> {
    let (parts, body) = request.into_parts();
    let Ok(body) = Limited::new(body, LARGEST_BODY).collect().await else {
        let mut response = Response::new(full("the request is too large, or broke off"));
        *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
        return Ok(response);
    };
    let response = api.call(::http::Request::from_parts(parts, body.to_bytes())).await;
    if is_lost(&response) {
        return Err(ConnectionClosed);
    }
    Ok(ending_with(stop.clone(), response))
}

/// A watch ends when the server does. Bodies of known length are left as they are, length and all.
fn ending_with(stop: CancellationToken, response: Response) -> Response {
    use hyper::body::Body as _;
    response.map(|body| match body.size_hint().exact() {
        Some(_) => body,
        None => {
            let frames = body.into_data_stream().map(|chunk| chunk.map(hyper::body::Frame::data));
            let frames = frames.take_until(stop.cancelled_owned());
            StreamBody::new(frames).boxed_unsync()
        }
    })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures::FutureExt as _;
    use futures::future::BoxFuture;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::super::http::{Lost, Request};
    use super::*;

    /// `/watch` says one line and goes on for ever; `/lost` loses its answer; everything else is echoed.
    struct Echo;

    impl Api for Echo {
        fn call(&self, request: Request) -> BoxFuture<'_, Response> {
            async move {
                match request.uri().path() {
                    "/watch" => {
                        let first = futures::stream::iter([Ok(hyper::body::Frame::data(Bytes::from("one\n")))]);
                        Response::new(StreamBody::new(first.chain(futures::stream::pending())).boxed_unsync())
                    }
                    "/lost" => {
                        let mut response = Response::new(full("never seen"));
                        response.extensions_mut().insert(Lost);
                        response
                    }
                    _ => Response::new(full(request.into_body())),
                }
            }
            .boxed()
        }
    }

    async fn connect(server: &Server, request: &str) -> TcpStream {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, server.port())).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    }

    async fn whole(server: &Server, request: &str) -> String {
        let mut text = String::new();
        let mut stream = connect(server, request).await;
        stream.read_to_string(&mut text).await.unwrap();
        text
    }

    #[tokio::test]
    async fn answers_with_a_length_and_closes_what_is_lost() {
        let server = Server::start(Arc::new(Echo), 0).await.unwrap();
        let post = "POST /x HTTP/1.1\r\nhost: h\r\nconnection: close\r\ncontent-length: 5\r\n\r\nhello";
        let answer = whole(&server, post).await;
        assert!(
            answer.starts_with("HTTP/1.1 200") && answer.ends_with("\r\n\r\nhello"),
            "{answer}"
        );
        assert!(answer.contains("content-length: 5"), "{answer}");
        assert_eq!(whole(&server, "POST /lost HTTP/1.1\r\nhost: h\r\n\r\n").await, "");
        server.end().await;
    }

    #[tokio::test]
    async fn the_end_ends_watches_and_frees_the_port() {
        let server = Server::start(Arc::new(Echo), 0).await.unwrap();
        let port = server.port();
        let mut watch = connect(&server, "GET /watch HTTP/1.1\r\nhost: h\r\n\r\n").await;
        let mut seen = String::new();
        while !seen.contains("one\n") {
            let mut chunk = [0; 256];
            let read = watch.read(&mut chunk).await.unwrap();
            assert_ne!(read, 0, "{seen}");
            seen.push_str(std::str::from_utf8(&chunk[..read]).unwrap());
        }
        server.end().await;
        let mut rest = String::new();
        watch.read_to_string(&mut rest).await.unwrap();
        // The stream was ended in order, not cut off.
        assert_eq!(rest, "\r\n0\r\n\r\n".trim_start_matches("\r\n"), "{rest:?}");
        Server::start(Arc::new(Echo), port).await.unwrap().end().await;
    }

    #[tokio::test]
    async fn a_body_without_end_is_refused() {
        let server = Server::start(Arc::new(Echo), 0).await.unwrap();
        let mut stream = connect(
            &server,
            &format!(
                "POST /x HTTP/1.1\r\nhost: h\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
                LARGEST_BODY + 1
            ),
        )
        .await;
        let mut text = String::new();
        // The server reads no further than it must: the answer may come before all is sent.
        let (mut reader, mut writer) = stream.split();
        let send = async { writer.write_all(&vec![b'x'; LARGEST_BODY + 1]).await.ok() };
        let receive = async { reader.read_to_string(&mut text).await.ok() };
        futures::future::join(send, receive).await;
        assert!(text.starts_with("HTTP/1.1 413"), "{text}");
        server.end().await;
    }
}
