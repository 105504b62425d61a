//! A gate before a server on loopback: what is behind it can be away, hang or be too busy, from one moment to the next.
//!
//! Invariant: a change cuts every connection that was made before it, so that nothing goes on by an old one.

use std::io::{Read as _, Write as _, copy};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

/// What becomes of those who come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behind {
    /// They reach the server.
    Server,
    /// They are turned away.
    Nobody,
    /// Nobody ever answers them.
    Silence,
    /// Whatever they ask by HTTP, it is too much: 429, and when to come again, in seconds.
    Busy(u32),
}

/// The gate; its thread ends with the process.
pub(crate) struct Gate {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    server: SocketAddr,
    now: Mutex<(Behind, Vec<TcpStream>)>,
    /// Requests that were answered by 429.
    refused: AtomicUsize,
    /// Connections that were never answered.
    held: AtomicUsize,
}

impl Gate {
    /// A gate that is open.
    pub(crate) fn before(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let gate = Self {
            address: listener.local_addr().expect("its address"),
            shared: Arc::new(Shared {
                server: SocketAddr::from(([127, 0, 0, 1], port)),
                now: Mutex::new((Behind::Server, Vec::new())),
                refused: AtomicUsize::new(0),
                held: AtomicUsize::new(0),
            }),
        };
        let shared = gate.shared.clone();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let shared = shared.clone();
                thread::spawn(move || shared.take(stream));
            }
        });
        gate
    }

    /// Its port.
    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// Puts something else behind it.
    pub(crate) fn put(&self, behind: Behind) {
        let mut now = self.shared.now();
        now.0 = behind;
        for stream in now.1.drain(..) {
            stream.shutdown(Shutdown::Both).ok();
        }
    }

    /// How many came into silence up to now.
    pub(crate) fn held(&self) -> usize {
        self.shared.held.load(Ordering::Relaxed)
    }

    /// How many requests were answered by 429 up to now.
    pub(crate) fn refused(&self) -> usize {
        self.shared.refused.load(Ordering::Relaxed)
    }
}

impl Shared {
    fn now(&self) -> MutexGuard<'_, (Behind, Vec<TcpStream>)> {
        self.now.lock().expect("no panic while it is held")
    }

    /// Has streams cut with the next change; gives what is behind now.
    fn enter(&self, streams: &[&TcpStream]) -> Behind {
        let mut now = self.now();
        let clones = streams.iter().map(|stream| stream.try_clone().expect("a clone"));
        now.1.extend(clones);
        now.0
    }

    fn take(&self, mut client: TcpStream) {
        match self.enter(&[&client]) {
            Behind::Nobody => drop(client.shutdown(Shutdown::Both)),
            Behind::Silence => {
                self.held.fetch_add(1, Ordering::Relaxed);
                copy(&mut client, &mut std::io::sink()).ok();
            }
            Behind::Busy(seconds) => while self.refuse(&mut client, seconds).is_some() {},
            Behind::Server => {
                let Ok(mut server) = TcpStream::connect(self.server) else {
                    return;
                };
                if self.enter(&[&server]) != Behind::Server {
                    return;
                }
                let (mut from, mut to) = (
                    client.try_clone().expect("a clone"),
                    server.try_clone().expect("a clone"),
                );
                let there = thread::spawn(move || {
                    copy(&mut from, &mut to).ok();
                    to.shutdown(Shutdown::Write).ok();
                });
                copy(&mut server, &mut client).ok();
                client.shutdown(Shutdown::Both).ok();
                there.join().ok();
            }
        }
    }

    /// Takes one request without a body to speak of, and refuses it; none where there is no other.
    fn refuse(&self, client: &mut TcpStream, seconds: u32) -> Option<()> {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            client.read_exact(&mut byte).ok()?;
            head.push(byte[0]);
        }
        self.refused.fetch_add(1, Ordering::Relaxed);
        let body = r#"{"code": "TooManyRequests", "message": "Too many requests for the tenant."}"#;
        let length = body.len();
        // Closed after it: a body that was sent with the request is not read.
        write!(
            client,
            "HTTP/1.1 429 Too Many Requests\r\nretry-after: {seconds}\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\nconnection: close\r\n\r\n{body}"
        )
        .ok()?;
        client.shutdown(Shutdown::Both).ok()
    }
}
