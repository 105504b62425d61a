//! The server: connections, and what bounds them.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ::http::StatusCode;
use futures::StreamExt as _;
use http_body_util::{BodyExt as _, Limited, StreamBody};
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::api::{Api, Body, ConnectionClosed, Peer, Response, full, is_lost};

/// How long a request that is under way may still take once the server ends.
const GRACE: Duration = Duration::from_secs(2);

/// What clients can't go beyond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes of a request's body.
    pub body: usize,
    /// How long the head of a request may take; a connection that is kept open without one ends after the same time.
    pub head_time: Duration,
    /// How long the body may take after that.
    pub body_time: Duration,
    /// Connections at once: further ones wait until one ends.
    pub connections: usize,
    /// Connections of one address at once: further ones are closed, so that no client takes the place of all others.
    pub per_peer: usize,
    /// How long a connection lasts, whatever goes on in it; none: as long as both like. Where there is an end to it, it is for one
    /// request alone.
    pub lasts: Option<Duration>,
}

impl Default for Bounds {
    /// Three times the body that an API server takes, and connections for more clients than one machine has.
    fn default() -> Self {
        Self {
            body: 9 << 20,
            head_time: Duration::from_secs(30),
            body_time: Duration::from_secs(60),
            connections: 1024,
            per_peer: 1024,
            lasts: None,
        }
    }
}

/// A server that runs until it is ended or dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    stop: CancellationToken,
    connections: TaskTracker,
}

impl Server {
    /// Listens on a port of the loopback interface, 0 for any free one, and serves from then on within the default bounds.
    ///
    /// # Errors
    /// Where the port can't be had.
    pub async fn start(api: Arc<dyn Api>, port: u16) -> std::io::Result<Self> {
        Self::listen(api, (Ipv4Addr::LOCALHOST, port).into(), Bounds::default()).await
    }

    /// The same on an address of the caller's choice.
    ///
    /// # Errors
    /// Where the address can't be had.
    pub async fn listen(api: Arc<dyn Api>, address: SocketAddr, bounds: Bounds) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let server = Self {
            address: listener.local_addr()?,
            stop: CancellationToken::new(),
            connections: TaskTracker::new(),
        };
        let listening = Listening {
            api,
            bounds,
            stop: server.stop.clone(),
        };
        let connections = server.connections.clone();
        server
            .connections
            .spawn(async move { listening.accept(listener, connections).await });
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

/// How many connections each address has.
#[derive(Clone, Debug, Default)]
struct Peers(Arc<Mutex<BTreeMap<IpAddr, usize>>>);

/// The place of one of them.
struct OfPeer {
    peers: Peers,
    peer: IpAddr,
}

impl Peers {
    /// One more; none where there are as many as there may be.
    fn enter(&self, peer: IpAddr, at_most: usize) -> Option<OfPeer> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = all.entry(peer).or_default();
        if *count >= at_most {
            return None;
        }
        *count += 1;
        Some(OfPeer {
            peers: self.clone(),
            peer,
        })
    }
}

impl Drop for OfPeer {
    fn drop(&mut self) {
        let mut all = self.peers.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = all.get_mut(&self.peer) {
            *count -= 1;
            if *count == 0 {
                all.remove(&self.peer);
            }
        }
    }
}

/// What each connection needs.
#[derive(Clone)]
struct Listening {
    api: Arc<dyn Api>,
    bounds: Bounds,
    stop: CancellationToken,
}

impl Listening {
    async fn accept(self, listener: TcpListener, connections: TaskTracker) {
        let free = Arc::new(Semaphore::new(self.bounds.connections));
        let peers = Peers::default();
        let next = async || {
            let place = free.clone().acquire_owned().await.map_err(std::io::Error::other)?;
            let (stream, peer) = listener.accept().await?;
            std::io::Result::Ok((place, stream, peer))
        };
        loop {
            let accepted = tokio::select! {
                accepted = next() => accepted,
                () = self.stop.cancelled() => return,
            };
            match accepted {
                Ok((place, stream, peer)) => {
                    let Some(of_peer) = peers.enter(peer.ip(), self.bounds.per_peer) else {
                        continue;
                    };
                    let listening = self.clone();
                    connections.spawn(async move {
                        let served = listening.serve(stream, peer);
                        match listening.bounds.lasts {
                            Some(lasts) => drop(timeout(lasts, served).await),
                            None => served.await,
                        }
                        drop((place, of_peer));
                    });
                }
                Err(error) => {
                    // Out of file descriptors, mostly: others will be closed.
                    tracing::warn!(%error, "a connection was not accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }

    async fn serve(&self, stream: TcpStream, peer: SocketAddr) {
        // Small answers are not to wait for more.
        stream.set_nodelay(true).ok();
        let service = service_fn(|request| self.answer(request, peer));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.bounds.head_time)
            .keep_alive(self.bounds.lasts.is_none())
            .serve_connection(TokioIo::new(stream), service);
        tokio::pin!(connection);
        tokio::select! {
            // What breaks is the client's business: it sees the same.
            _ = connection.as_mut() => return,
            () = self.stop.cancelled() => {}
        }
        connection.as_mut().graceful_shutdown();
        timeout(GRACE, connection).await.ok();
    }

    /// An error closes the connection, which is what a client is to see of a lost answer.
    async fn answer(
        &self,
        request: ::http::Request<Incoming>,
        peer: SocketAddr,
    ) -> Result<::http::Response<Body>, ConnectionClosed> {
        let (mut parts, body) = request.into_parts();
        parts.extensions.insert(Peer(peer));
        if let Some(response) = self.api.refuse(&parts) {
            return Ok(response);
        }
        let too_large = || refusal(StatusCode::PAYLOAD_TOO_LARGE, "the request is too large, or broke off");
        if body.size_hint().lower() > self.bounds.body as u64 {
            return Ok(too_large());
        }
        let whole = Limited::new(body, self.bounds.body).collect();
        let bytes = match timeout(self.bounds.body_time, whole).await {
            Ok(Ok(body)) => body.to_bytes(),
            Ok(Err(_)) => return Ok(too_large()),
            Err(_) => return Ok(refusal(StatusCode::REQUEST_TIMEOUT, "the body did not come in time")),
        };
        let response = self.api.call(::http::Request::from_parts(parts, bytes)).await;
        if is_lost(&response) {
            return Err(ConnectionClosed);
        }
        Ok(ending_with(self.stop.clone(), response))
    }
}

fn refusal(status: StatusCode, why: &'static str) -> Response {
    let mut response = Response::new(full(why));
    *response.status_mut() = status;
    response
}

/// A watch ends when the server does. Bodies of known length are left as they are, length and all.
fn ending_with(stop: CancellationToken, response: Response) -> Response {
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
    use ::http::request::Parts;
    use bytes::Bytes;
    use futures::FutureExt as _;
    use futures::future::BoxFuture;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::super::api::{Lost, Request};
    use super::*;

    const LARGEST: usize = 9 << 20;

    /// `/watch` says one line and goes on for ever; `/lost` loses its answer; `/no` needs no body; everything else is echoed.
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

        fn refuse(&self, parts: &Parts) -> Option<Response> {
            (parts.uri.path() == "/no").then(|| refusal(StatusCode::NOT_FOUND, "no"))
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
                LARGEST + 1
            ),
        )
        .await;
        let mut text = String::new();
        // The server reads no further than it must: the answer may come before all is sent.
        let (mut reader, mut writer) = stream.split();
        let send = async { writer.write_all(&vec![b'x'; LARGEST + 1]).await.ok() };
        let receive = async { reader.read_to_string(&mut text).await.ok() };
        futures::future::join(send, receive).await;
        assert!(text.starts_with("HTTP/1.1 413"), "{text}");
        server.end().await;
    }

    #[tokio::test]
    async fn what_announces_too_much_or_needs_no_body_is_answered_before_it_is_sent() {
        let server = Server::start(Arc::new(Echo), 0).await.unwrap();
        for (path, length, status) in [("/x", LARGEST + 1, 413), ("/no", 5, 404)] {
            let head = format!("POST {path} HTTP/1.1\r\nhost: h\r\ncontent-length: {length}\r\n\r\n");
            let text = whole(&server, &head).await;
            assert!(text.starts_with(&format!("HTTP/1.1 {status}")), "{text}");
        }
        server.end().await;
    }

    #[tokio::test]
    async fn a_connection_too_many_waits_and_one_that_says_nothing_ends() {
        let bounds = Bounds {
            head_time: Duration::from_millis(50),
            body_time: Duration::from_millis(50),
            connections: 1,
            ..Bounds::default()
        };
        let server = Server::listen(Arc::new(Echo), (Ipv4Addr::LOCALHOST, 0).into(), bounds);
        let server = server.await.unwrap();
        let mut silent = connect(&server, "POST /x HTTP/1.1\r\n").await;
        // It is answered once the silent one has been ended.
        let half = "POST /x HTTP/1.1\r\nhost: h\r\nconnection: close\r\ncontent-length: 5\r\n\r\nhe";
        let answer = whole(&server, half).await;
        assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
        let mut text = String::new();
        silent.read_to_string(&mut text).await.unwrap();
        assert!(!text.contains("200"), "{text}");
        server.end().await;
    }

    #[tokio::test]
    async fn an_address_has_so_many_places_and_none_for_good() {
        let bounds = Bounds {
            per_peer: 1,
            lasts: Some(Duration::from_millis(100)),
            ..Bounds::default()
        };
        let server = Server::listen(Arc::new(Echo), (Ipv4Addr::LOCALHOST, 0).into(), bounds);
        let server = server.await.unwrap();
        let mut watch = connect(&server, "GET /watch HTTP/1.1\r\nhost: h\r\n\r\n").await;
        let mut first = [0; 1];
        watch.read_exact(&mut first).await.unwrap();
        let mut text = String::new();
        let mut second = TcpStream::connect((Ipv4Addr::LOCALHOST, server.port())).await.unwrap();
        second.read_to_string(&mut text).await.ok();
        assert_eq!(text, "", "closed, and not answered");
        // The first would go on for ever; then there is room again, for one request each.
        watch.read_to_string(&mut text).await.ok();
        let hello = "POST /x HTTP/1.1\r\nhost: h\r\ncontent-length: 5\r\n\r\nhello";
        let answer = loop {
            let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, server.port())).await.unwrap();
            let mut answer = String::new();
            if stream.write_all(hello.as_bytes()).await.is_ok() {
                stream.read_to_string(&mut answer).await.ok();
            }
            if !answer.is_empty() {
                break answer;
            }
        };
        assert!(
            answer.ends_with("hello") && answer.contains("connection: close"),
            "{answer}"
        );
        server.end().await;
    }
}
