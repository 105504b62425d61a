//! Ends a server when the test process is gone.

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// Ends the server, and removes its files, when its standard input closes: by our `Drop`, or because this process is gone,
/// whatever became of it. It has a process group of its own, so that a Ctrl-C meant for the tests does not take it away
/// before its work is done.
const KEEPER: &str = r#"
dir=$1
shift
"$@" </dev/null &
server=$!
read -r _
kill -9 "$server"
wait
rm -rf "$dir"
"#;

/// A server with a folder of its own.
#[derive(Debug)]
pub(crate) struct Kept {
    keeper: Child,
    lines: Mutex<Receiver<String>>,
}

impl Kept {
    /// Starts a server. `user` is whom it runs as, if not as we do.
    pub(crate) fn start(folder: &Path, user: Option<u32>, server: &[&str], env: &[(&str, PathBuf)]) -> Self {
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", KEEPER, "keeper"])
            .arg(folder)
            .args(server)
            .current_dir(folder)
            .envs(env.iter().map(|(name, value)| (name, value)))
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        if let Some(user) = user {
            command.uid(user).gid(user);
        }
        let mut keeper = command.spawn().expect("a shell");
        let stderr = keeper.stderr.take().expect("its stderr");
        let (send, lines) = channel();
        // Read to its end, or the server would stand still once the pipe is full.
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                send.send(line).ok();
            }
        });
        Self {
            keeper,
            lines: Mutex::new(lines),
        }
    }

    /// Waits until the server has said something like this on stderr.
    ///
    /// # Panics
    /// Where it ends before, or takes too long.
    pub(crate) fn wait_for(&self, text: &str) {
        let mut said = String::new();
        let lines = self.lines.lock().expect("no panic");
        loop {
            match lines.recv_timeout(Duration::from_secs(120)) {
                Ok(line) if line.contains(text) => return,
                Ok(line) => said = format!("{said}{line}\n"),
                Err(error) => panic!("waiting for `{text}`: {error}; it said:\n{said}"),
            }
        }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        self.keeper.wait().ok();
    }
}

/// A port that nobody listens on.
pub(crate) fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}
