//! A server that refuses everything, and quotes in its refusal what it was sent.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::json;

/// The server; its thread ends with the process.
pub(crate) struct Echo {
    url: String,
    sent: Arc<Mutex<String>>,
}

impl Echo {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let sent: Arc<Mutex<String>> = Arc::default();
        let all = sent.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let all = all.clone();
                std::thread::spawn(move || answer(stream, &all));
            }
        });
        Self { url, sent }
    }

    pub(crate) fn url(&self) -> String {
        self.url.clone()
    }

    /// Whether a text was in any request.
    pub(crate) fn was_sent(&self, text: &str) -> bool {
        self.sent.lock().expect("no panic in between").contains(text)
    }
}

/// One request a connection. A client that goes away has its answer.
fn answer(stream: TcpStream, all: &Mutex<String>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let (mut request, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 || line == "\r\n" {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().ok()?;
        }
        request.push_str(&line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    request.push_str(&String::from_utf8_lossy(&body));
    all.lock().ok()?.push_str(&request);
    let refusal =
        json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "BadRequest", "code": 400,
        "message": format!("this was not understood: {request}")})
        .to_string();
    let head = "HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length:";
    let mut stream = stream;
    write!(stream, "{head} {}\r\n\r\n{refusal}", refusal.len()).ok()
}
