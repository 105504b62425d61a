//! Servers that do what no server should.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use fleetwright::resource::Secret;
use fleetwright::source::git::{Credentials, GitError, Phase, Proxy, Remote};

use tokio_rustls::rustls::{ServerConnection, StreamOwned};

use super::{SILENCE, Upstream, chain, mirror, refused};
use crate::support::tls_config;

/// Much longer than any of this takes; a test that comes here has failed.
const NEVER: Duration = Duration::from_secs(120);

/// A server that answers each request by a function. With `hold` it takes one request a connection, and keeps that open.
pub(super) struct Server {
    port: u16,
    /// What was asked for, a message a request.
    requests: Receiver<String>,
}

impl Server {
    pub(super) fn start(answer: impl Fn(&str, &mut TcpStream) + Send + 'static, hold: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (send, requests) = channel();
        thread::spawn(move || {
            let mut open = Vec::new();
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                while let Some(request) = request(&mut stream) {
                    if send.send(request.clone()).is_err() {
                        return;
                    }
                    answer(&request, &mut stream);
                    if hold {
                        break;
                    }
                }
                if hold {
                    open.push(stream);
                }
            }
        });
        Self { port, requests }
    }

    pub(super) fn remote(&self) -> Remote {
        Remote::new(format!("http://127.0.0.1:{}/fleet.git", self.port).parse().unwrap())
    }
}

/// The head of an HTTP request, and its body if it says how long that is.
fn request(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).ok()?;
    let length = head
        .lines()
        .find_map(|line| {
            line.to_ascii_lowercase()
                .strip_prefix("content-length:")?
                .trim()
                .parse()
                .ok()
        })
        .unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some(head)
}

pub(super) fn line(text: &str) -> String {
    format!("{:04x}{text}", text.len() + 4)
}

/// A listing of one branch, complete.
fn listing() -> String {
    let id = "1111111111111111111111111111111111111111";
    let capabilities = "multi_ack side-band-64k ofs-delta symref=HEAD:refs/heads/main";
    let body = [
        line("# service=git-upload-pack\n"),
        "0000".to_owned(),
        line(&format!("{id} HEAD\0{capabilities}\n")),
        line(&format!("{id} refs/heads/main\n")),
        "0000".to_owned(),
    ]
    .concat();
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/x-git-upload-pack-advertisement\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn stalls_in_a_pack(request: &str, stream: &mut TcpStream) {
    let answer = if request.starts_with("GET") {
        listing().into_bytes()
    } else {
        // A pack's head on the side band, and the promise of more.
        let mut pack = line("NAK\n").into_bytes();
        pack.extend_from_slice(b"0011\x01PACK\0\0\0\x02\0\0\0\x09");
        let head =
            "HTTP/1.1 200 OK\r\nContent-Type: application/x-git-upload-pack-result\r\nContent-Length: 100000\r\n\r\n";
        [head.as_bytes(), &pack].concat()
    };
    stream.write_all(&answer).ok();
}

#[test]
fn a_server_that_stalls_in_the_middle_of_a_pack_is_given_up() {
    // Each request on a connection of its own would hide the stall.
    let server = Server::start(stalls_in_a_pack, false);
    let upstream = Upstream::new();
    let mut remote = server.remote();
    remote.budget.deadline = NEVER;
    let began = Instant::now();
    let error = refused(&mirror(&upstream.beside("cache"), remote));
    assert!(matches!(error, GitError::Stalled { .. }), "{}", chain(&error));
    assert!(began.elapsed() < NEVER && began.elapsed() >= SILENCE / 2);
    let asked: Vec<String> = server.requests.try_iter().collect();
    assert!(
        asked.iter().any(|request| request.starts_with("POST")),
        "it got as far as the pack: {asked:?}"
    );
}

#[test]
fn a_server_that_says_nothing_is_given_up_at_the_deadline() {
    let server = Server::start(|_, _| {}, true);
    let upstream = Upstream::new();
    let mut remote = server.remote();
    remote.budget.deadline = Duration::from_millis(200);
    let error = refused(&mirror(&upstream.beside("cache"), remote.clone()));
    assert!(
        matches!(
            error,
            GitError::Deadline {
                phase: Phase::Listing | Phase::Waiting,
                ..
            }
        ),
        "{}",
        chain(&error)
    );
    // The first is still waited for; the second says so, and does not wait with it for ever.
    let error = refused(&mirror(&upstream.beside("cache"), remote));
    assert!(
        matches!(
            error,
            GitError::Deadline {
                phase: Phase::Waiting,
                ..
            }
        ),
        "{}",
        chain(&error)
    );
}

#[test]
fn a_server_that_drips_is_given_up_at_the_deadline() {
    // Never silent for long, and not done before the test is: no callback is called meanwhile.
    let drip = |_: &str, stream: &mut TcpStream| {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/x-git-upload-pack-advertisement\r\n\
                    Content-Length: 65000\r\n\r\n";
        let begin = [head, &line("# service=git-upload-pack\n"), "0000", "f000"].concat();
        stream.write_all(begin.as_bytes()).ok();
        // Each wait for what the client never says is the time between two bytes.
        stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        for _ in 0..200 {
            if stream.write_all(b"1").is_err() || matches!(stream.read(&mut [0]), Ok(0)) {
                return;
            }
        }
    };
    let server = Server::start(drip, false);
    let upstream = Upstream::new();
    let mut remote = server.remote();
    remote.budget.deadline = Duration::from_secs(1);
    let error = refused(&mirror(&upstream.beside("cache"), remote));
    assert!(
        matches!(
            error,
            GitError::Deadline {
                phase: Phase::Listing,
                ..
            }
        ),
        "{}",
        chain(&error)
    );
}

#[test]
fn nobody_is_told_the_token_that_was_not_asked_for_it_by_name() {
    let elsewhere = Server::start(
        |_, stream| {
            stream
                .write_all(b"HTTP/1.1 401 No\r\nWWW-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n")
                .ok();
        },
        false,
    );
    let to = format!(
        "http://localhost:{}/fleet.git/info/refs?service=git-upload-pack",
        elsewhere.port
    );
    let server = Server::start(
        move |_, stream| {
            let answer = format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n");
            stream.write_all(answer.as_bytes()).ok();
        },
        false,
    );
    let upstream = Upstream::new();
    let mut remote = server.remote();
    remote.credentials = Credentials::token(Secret::new("hunter2"));
    remote.budget.deadline = NEVER;
    let error = refused(&mirror(&upstream.beside("cache"), remote));
    assert!(matches!(error, GitError::Moved { .. }), "{}", chain(&error));
    assert_eq!(elsewhere.requests.try_iter().count(), 0);
}

#[test]
fn answers_of_servers_become_words_of_ours() {
    let upstream = Upstream::new();
    let said = |status: &'static str, credentials| {
        let server = Server::start(
            move |_, stream| {
                let answer =
                    format!("HTTP/1.1 {status}\r\nWWW-Authenticate: Basic realm=x\r\nContent-Length: 0\r\n\r\n");
                stream.write_all(answer.as_bytes()).ok();
            },
            false,
        );
        let mut remote = server.remote();
        remote.credentials = credentials;
        remote.budget.deadline = NEVER;
        let error = refused(&mirror(&upstream.beside("cache"), remote));
        assert!(!chain(&error).contains("hunter2"));
        error
    };
    let token = || Credentials::token(Secret::new("hunter2"));
    assert!(matches!(
        said("401 No", Credentials::None),
        GitError::Credentials { given: false, .. }
    ));
    assert!(matches!(
        said("401 No", token()),
        GitError::Credentials { given: true, .. }
    ));
    assert!(matches!(
        said("403 No", token()),
        GitError::Credentials { given: true, .. }
    ));
    assert!(matches!(
        said("404 No", Credentials::None),
        GitError::NoRepository { .. }
    ));
    assert!(matches!(said("500 No", Credentials::None), GitError::Fetch { .. }));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://127.0.0.1:{}/x", listener.local_addr().unwrap().port());
    drop(listener);
    let error = refused(&mirror(&upstream.beside("cache"), Remote::new(url.parse().unwrap())));
    assert!(matches!(error, GitError::Unreachable { .. }), "{}", chain(&error));
}

#[test]
fn a_proxy_is_asked_instead_of_the_server_and_its_password_is_not_shown() {
    let proxy = Server::start(
        |request, stream| {
            let answer = if request.contains("Proxy-Authorization") {
                "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n"
            } else {
                "HTTP/1.1 407 Who\r\nProxy-Authenticate: Basic realm=x\r\nContent-Length: 0\r\n\r\n"
            };
            stream.write_all(answer.as_bytes()).ok();
        },
        false,
    );
    let upstream = Upstream::new();
    let mut remote = Remote::new("https://git.invalid/fleet.git".parse().unwrap());
    remote.proxy = Proxy::Url(Secret::new(format!("http://u:hunter2@127.0.0.1:{}", proxy.port)));
    let error = refused(&mirror(&upstream.beside("cache"), remote.clone()));
    let asked: Vec<String> = proxy.requests.try_iter().collect();
    assert!(
        asked
            .iter()
            .all(|request| request.starts_with("CONNECT git.invalid:443 ")),
        "{asked:?}"
    );
    // `u:hunter2`
    assert!(
        asked.iter().any(|request| request.contains("Basic dTpodW50ZXIy")),
        "{asked:?}"
    );
    assert!(
        chain(&error).contains("proxy returned unexpected status: 403"),
        "{}",
        chain(&error)
    );
    remote.proxy = Proxy::Url(Secret::new("http://u:hunter2@127.0.0.1:1"));
    let error = refused(&mirror(&upstream.beside("cache"), remote.clone()));
    assert!(matches!(error, GitError::Unreachable { .. }), "{}", chain(&error));
    assert!(!format!("{remote:?} {} {error:?}", chain(&error)).contains("hunter2"));
}

#[test]
fn a_certificate_is_trusted_once_its_authority_is_given() {
    let config = tls_config();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://127.0.0.1:{}/fleet.git", listener.local_addr().unwrap().port());
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let Ok(connection) = ServerConnection::new(config.clone()) else {
                return;
            };
            let mut stream = StreamOwned::new(connection, stream);
            // A client that does not trust us has gone by then.
            if stream.read(&mut [0; 4096]).is_ok_and(|read| read > 0) {
                stream.write_all(b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n").ok();
            }
        }
    });
    let upstream = Upstream::new();
    let mut remote = Remote::new(url.parse().unwrap());
    let error = refused(&mirror(&upstream.beside("cache"), remote.clone()));
    assert!(matches!(error, GitError::Certificate { .. }), "{}", chain(&error));
    remote.ca = Some(upstream.beside("none.pem"));
    let error = refused(&mirror(&upstream.beside("cache"), remote.clone()));
    assert!(matches!(error, GitError::Authorities { .. }), "{}", chain(&error));
    remote.ca = Some(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/oci_client/keys/loopback.pem").into());
    let error = refused(&mirror(&upstream.beside("cache"), remote));
    assert!(matches!(error, GitError::NoRepository { .. }), "{}", chain(&error));
}
