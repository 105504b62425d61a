//! A proxy for https on loopback.
//!
//! Invariant: nobody gets through it who does not ask by CONNECT and give its password.

use std::io::Result;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

/// The proxy; it ends when it is dropped.
pub(crate) struct Proxy {
    url: String,
    shared: Arc<Shared>,
    _runtime: Runtime,
}

struct Shared {
    /// Where it leads.
    port: u16,
    asked: Mutex<Vec<String>>,
}

/// Who may use it.
const LOGIN: &str = "u:hunter2";

impl Proxy {
    /// One that leads to this port, wherever somebody wants to go.
    pub(crate) fn to(port: u16) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
        let address = listener.local_addr().expect("its address");
        let shared = Arc::new(Shared {
            port,
            asked: Mutex::default(),
        });
        let all = shared.clone();
        runtime.spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let shared = all.clone();
                tokio::spawn(async move { shared.take(client).await });
            }
        });
        Self {
            url: format!("http://{LOGIN}@{address}"),
            shared,
            _runtime: runtime,
        }
    }

    /// Its URL, with the password in it.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The first lines of what it was asked since the last time.
    pub(crate) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.asked.lock().expect("no panic while it is held"))
    }
}

impl Shared {
    async fn take(&self, mut client: TcpStream) -> Result<()> {
        let login = format!("Basic {}", STANDARD.encode(LOGIN));
        loop {
            let head = head(&mut client).await?;
            let line = head.lines().next().unwrap_or_default().to_owned();
            let is_let_in = line.starts_with("CONNECT ") && head.contains(&login);
            self.asked.lock().expect("no panic while it is held").push(line);
            if is_let_in {
                break;
            }
            let refusal = b"HTTP/1.1 407 Who\r\nProxy-Authenticate: Basic realm=x\r\nContent-Length: 0\r\n\r\n";
            client.write_all(refusal).await?;
        }
        let mut server = TcpStream::connect(("127.0.0.1", self.port)).await?;
        client.write_all(b"HTTP/1.1 200 Go\r\n\r\n").await?;
        copy_bidirectional(&mut client, &mut server).await.map(drop)
    }
}

/// The head of a request; fails where there is no other.
async fn head(client: &mut TcpStream) -> Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await?);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}
