//! A real Gitea on loopback.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::keeper::{Kept, free_port};
use super::skip;

/// Gitea refuses to run as root. Debian calls this user nobody.
const NOBODY: u32 = 65534;

/// A running Gitea with one user, `tester`.
#[derive(Debug)]
pub(crate) struct Gitea {
    _server: Kept,
    port: u16,
    /// The port of its own SSH server, if it has one.
    ssh: Option<u16>,
    /// A token of the user's, good for everything.
    pub(crate) token: String,
}

/// The file of the SSH server's key.
const HOST_KEY: &str = "host_key";

impl Gitea {
    /// The user's password.
    pub(crate) const PASSWORD: &str = "only-for-tests-1";

    /// A server of one's own; none where it can't be had.
    ///
    /// # Panics
    /// Under CI where it can't be had; where it does not start.
    pub(crate) fn start() -> Option<Self> {
        match find() {
            Ok(assets) => Some(Self::launch(assets, None)),
            Err(reason) => skip(reason),
        }
    }

    /// The same, with an SSH server of its own, which has this private key.
    ///
    /// # Panics
    /// As [`Self::start`].
    pub(crate) fn start_with_ssh(host_key: &Path) -> Option<Self> {
        match find() {
            Ok(assets) => Some(Self::launch(assets, Some(host_key))),
            Err(reason) => skip(reason),
        }
    }

    fn launch(assets: &Path, host_key: Option<&Path>) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("gitea")
            .tempdir()
            .expect("a directory")
            .keep();
        let port = free_port();
        let us = super::sshd::user();
        let (user, name) = if us == "root" {
            (Some(NOBODY), "nobody")
        } else {
            (None, us.as_str())
        };
        let config = folder.join("app.ini");
        let ssh = host_key.map(|_| free_port());
        fs::write(&config, settings(&folder, assets, (port, ssh), name)).expect("a file");
        let key = folder.join(HOST_KEY);
        if let Some(host_key) = host_key {
            fs::copy(host_key, &key).expect("a key");
        }
        if let Some(user) = user {
            for path in [&folder, &config, &key].into_iter().filter(|path| path.exists()) {
                std::os::unix::fs::chown(path, Some(user), Some(user)).expect("to be root");
            }
        }
        let program = assets.join("gitea");
        let env = [
            ("HOME", folder.clone()),
            ("USER", PathBuf::from(name)),
            ("GITEA_WORK_DIR", folder.clone()),
        ];
        let run = |args: &[&str]| {
            let mut command = Command::new(&program);
            command.args(args).arg("--config").arg(&config).current_dir(&folder);
            command.envs(env.iter().map(|(name, value)| (name, value)));
            if let Some(user) = user {
                use std::os::unix::process::CommandExt as _;
                command.uid(user).gid(user);
            }
            let output = command.output().expect("gitea");
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
            let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
            assert!(output.status.success(), "gitea {args:?}: {stdout}\n{stderr}");
            stdout
        };
        run(&["migrate"]);
        run(&[
            "admin",
            "user",
            "create",
            "--admin",
            "--username",
            "tester",
            "--password",
            Self::PASSWORD,
            "--email",
            "tester@example.org",
            "--must-change-password=false",
        ]);
        let token = run(&[
            "admin",
            "user",
            "generate-access-token",
            "--username",
            "tester",
            "--scopes",
            "all",
            "--raw",
        ]);
        let token = token.lines().last().unwrap_or_default().to_owned();
        let path = |path: &Path| path.to_str().expect("a path of text").to_owned();
        let (program, config) = (path(&program), path(&config));
        let server = Kept::start(&folder, user, &[&program, "web", "--config", &config], &env);
        server.wait_for("Listen: http://127.0.0.1");
        let gitea = Self {
            _server: server,
            port,
            ssh,
            token,
        };
        // It says so a moment before it listens.
        let ready = (0..100_000).any(|_| gitea.call("GET", "/api/v1/version", "").is_some());
        assert!(ready, "Gitea does not answer");
        gitea
    }

    /// Its port.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The URL of one of the user's repositories.
    pub(crate) fn url(&self, repository: &str) -> String {
        format!("http://127.0.0.1:{}/tester/{repository}.git", self.port)
    }

    /// The same over ssh, and the server's name in `known_hosts`.
    pub(crate) fn ssh_url(&self, repository: &str) -> (String, String) {
        let port = self.ssh.expect("it was started with ssh");
        let url = format!("ssh://git@127.0.0.1:{port}/tester/{repository}.git");
        (url, format!("[127.0.0.1]:{port}"))
    }

    /// Lets a key of the user's in.
    pub(crate) fn add_key(&self, public: &str) {
        let body = format!(r#"{{"title": "a key", "key": "{public}"}}"#);
        let answer = self.call("POST", "/api/v1/user/keys", &body).expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    }

    /// Makes a private repository.
    pub(crate) fn make(&self, repository: &str) {
        let body = format!(r#"{{"name": "{repository}", "private": true, "default_branch": "main"}}"#);
        let answer = self.call("POST", "/api/v1/user/repos", &body).expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    }

    /// Takes the token back.
    pub(crate) fn revoke_token(&self, name: &str) {
        let answer = self.call("DELETE", &format!("/api/v1/users/tester/tokens/{name}"), "");
        let answer = answer.expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
    }

    /// A token under a name, which may do this.
    pub(crate) fn make_token(&self, name: &str, scope: &str) -> String {
        let body = format!(r#"{{"name": "{name}", "scopes": ["{scope}"]}}"#);
        let answer = self
            .call("POST", "/api/v1/users/tester/tokens", &body)
            .expect("an answer");
        let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
        // It may come in chunks, whose lengths stand on lines of their own.
        let body = body.lines().find(|line| line.starts_with('{')).expect("an object");
        let token: serde_json::Value = serde_json::from_str(body).expect("JSON");
        token["sha1"].as_str().expect("a token").to_owned()
    }

    /// Calls the API with the user's password; the whole answer, or none where nobody answers.
    pub(crate) fn call(&self, method: &str, path: &str, body: &str) -> Option<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        let login = STANDARD.encode(format!("tester:{}", Self::PASSWORD));
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Basic {login}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).ok()?;
        Some(String::from_utf8_lossy(&answer).into_owned()).filter(|answer| !answer.is_empty())
    }
}

fn settings(folder: &Path, assets: &Path, (port, ssh): (u16, Option<u16>), user: &str) -> String {
    let (folder, assets) = (folder.display(), assets.display());
    let ssh = match ssh {
        None => "DISABLE_SSH = true".to_owned(),
        Some(ssh) => format!(
            "START_SSH_SERVER = true
SSH_LISTEN_HOST = 127.0.0.1
SSH_LISTEN_PORT = {ssh}
BUILTIN_SSH_SERVER_USER = git
SSH_SERVER_HOST_KEYS = {folder}/{HOST_KEY}"
        ),
    };
    format!(
        "RUN_MODE = prod
RUN_USER = {user}
WORK_PATH = {folder}
[server]
PROTOCOL = http
HTTP_ADDR = 127.0.0.1
HTTP_PORT = {port}
ROOT_URL = http://127.0.0.1:{port}/
STATIC_ROOT_PATH = {assets}/static
{ssh}
OFFLINE_MODE = true
LFS_START_SERVER = false
[database]
DB_TYPE = sqlite3
PATH = {folder}/gitea.db
[repository]
ROOT = {folder}/repositories
[security]
INSTALL_LOCK = true
SECRET_KEY = only-for-tests
PASSWORD_HASH_ALGO = pbkdf2$1000$20
[service]
DISABLE_REGISTRATION = true
[webhook]
ALLOWED_HOST_LIST = loopback
[indexer]
ISSUE_INDEXER_TYPE = db
[cron]
ENABLED = false
[actions]
ENABLED = false
[log]
MODE = console
LEVEL = Info
ROOT_PATH = {folder}/log
[log.console]
STDERR = true
"
    )
}

/// The folder with the program and what it reads; the error says what is missing.
fn find() -> Result<&'static Path, &'static str> {
    static FOUND: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    FOUND.get_or_init(look).as_deref().map_err(String::as_str)
}

fn look() -> Result<PathBuf, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = root.join("target/testenv");
    let assets = folder.join("gitea");
    let is_there = || assets.join("gitea").is_file() && assets.join("static/options").is_dir();
    if is_there() {
        return Ok(assets);
    }
    if !Command::new("go")
        .arg("version")
        .output()
        .is_ok_and(|output| output.status.success())
    {
        return Err("target/testenv has no Gitea, and there is no Go to build it with".to_owned());
    }
    writeln!(std::io::stderr(), "building Gitea, once, for some minutes").ok();
    match Command::new(root.join("tests/gitea/build.sh")).arg(&folder).status() {
        Ok(status) if status.success() && is_there() => Ok(assets),
        Ok(status) => Err(format!("tests/gitea/build.sh left no Gitea: {status}")),
        Err(error) => Err(format!("tests/gitea/build.sh can't be run: {error}")),
    }
}
