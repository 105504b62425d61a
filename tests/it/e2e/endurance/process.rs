//! The daemon's process; what it says goes to a file, since nobody reads along.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::super::Stage;
use super::PATIENCE;

pub(super) struct Process {
    child: Child,
    address: String,
    log: PathBuf,
}

impl Process {
    /// Starts it on a stage's repository.
    pub(super) fn start(stage: &Stage) -> Self {
        let url = format!("file://{}", stage.place.fleet().display());
        let log = stage.place.path().join("daemon.log");
        let args = [
            "daemon",
            "--listen",
            "127.0.0.1:0",
            "--verbose",
            "--poll",
            "1s",
            "--concurrency",
            "16",
            "--git",
            &url,
        ];
        let mut child = stage
            .place
            .command(&stage.args(&args))
            .stdout(Stdio::piped())
            .stderr(File::create(&log).expect("a file"))
            .spawn()
            .expect("a start");
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        stdout.read_line(&mut line).expect("a line");
        let address = line.trim().strip_prefix("listening: ").unwrap_or_default().to_owned();
        let process = Self { child, address, log };
        assert!(!process.address.is_empty(), "{line}\n{}", process.said());
        process
    }

    /// The end of what it said.
    pub(super) fn said(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(50)..].join("\n")
    }

    pub(super) fn runs(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|ended| ended.is_none())
    }

    /// What `/metrics` answers.
    pub(super) fn metrics(&self) -> String {
        self.get("/metrics")
    }

    /// Waits until `/status` is as it should be.
    pub(super) async fn wait_until(&mut self, what: &str, is: impl Fn(&Value) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            assert!(self.runs(), "it ended before {what}:\n{}", self.said());
            let status: Value = serde_json::from_str(&self.get("/status")).expect("JSON");
            if is(&status) {
                return;
            }
            assert!(Instant::now() < deadline, "never {what}:\n{}", self.said());
            // It can't be asked to tell of it.
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }

    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).expect("a connection");
        write!(stream, "GET {path} HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n").expect("a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a body");
        assert!(head.starts_with("HTTP/1.1 200"), "{head}\n{body}");
        body.to_owned()
    }

    /// Ends it as Kubernetes does.
    #[track_caller]
    pub(super) fn ends(mut self) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &id]).status().expect("kill starts");
        assert!(sent.success());
        let status = self.child.wait().expect("an end");
        assert!(status.success(), "{status}:\n{}", self.said());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Ended already, but for a test that failed.
        self.child.kill().ok();
        self.child.wait().ok();
        if std::thread::panicking() {
            eprintln!("the daemon said:\n{}", self.said());
        }
    }
}
