//! One etcd and one kube-apiserver.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use k8s_openapi::ByteString;

use super::assets::{self, Assets};
use super::audit::{self, Mark, Sent};
use super::login::{self, Login};
use super::{crds, skip};

/// The keeper of the two processes. It ends them, and removes their files, when its standard input closes: by our `Drop`,
/// or because this process is gone, whatever became of it. It has a process group of its own, so that a Ctrl-C meant for
/// the tests does not take it away before its work is done. Told to, it ends the API server alone, and starts it again.
const KEEPER: &str = r#"
dir=$1 etcd=$2 client=$3 peer=$4 apiserver=$5 port=$6
"$etcd" --data-dir="$dir/etcd" --unsafe-no-fsync --log-level=error \
  --listen-client-urls="$client" --advertise-client-urls="$client" \
  --listen-peer-urls="$peer" --initial-advertise-peer-urls="$peer" --initial-cluster="default=$peer" \
  >"$dir/etcd.log" 2>&1 </dev/null &
first=$!
serve() {
  "$apiserver" --etcd-servers="$client" --bind-address=127.0.0.1 --secure-port="$port" --cert-dir="$dir/certs" \
    --token-auth-file="$dir/tokens.csv" --authorization-mode=RBAC --disable-admission-plugins=ServiceAccount \
    --service-account-issuer=https://fleetwright.test --service-account-key-file="$dir/sa.key" \
    --service-account-signing-key-file="$dir/sa.key" --service-cluster-ip-range=10.0.0.0/24 \
    --audit-policy-file="$dir/audit.json" --audit-log-path="$dir/audit.log" --audit-log-mode=blocking \
    --max-requests-inflight=0 --max-mutating-requests-inflight=0 --enable-priority-and-fairness=false \
    >>"$dir/apiserver.log" 2>&1 </dev/null &
  second=$!
}
serve
while read -r word; do
  case $word in
    stop) kill -9 "$second"; wait "$second"; second= ;;
    start) serve ;;
  esac
  echo done
done
kill -9 $second "$first"
wait
rm -rf "$dir"
"#;

/// Starting takes 2.5 s on an idle machine; builders share this one.
const READY_WITHIN: Duration = Duration::from_secs(90);

/// A running API server.
#[derive(Debug)]
pub(crate) struct ApiServer {
    keeper: Child,
    folder: PathBuf,
    url: String,
    etcd: SocketAddr,
    assets: &'static Assets,
    admins: AtomicUsize,
    nobodies: AtomicUsize,
}

impl ApiServer {
    /// A server of one's own with no kinds but Kubernetes' own; none where it can't be had.
    ///
    /// # Panics
    /// Under CI where it can't be had; where it does not start.
    pub(crate) fn start_bare() -> Option<Self> {
        match assets::find() {
            Ok(assets) => Some(Self::launch(assets)),
            Err(reason) => skip(reason),
        }
    }

    /// A server of one's own with the upstream CRDs; none where it can't be had.
    ///
    /// # Panics
    /// Under CI where it can't be had; where it does not start.
    pub(crate) fn start() -> Option<Self> {
        let crds = match crds::documents() {
            Ok(crds) => crds,
            Err(reason) => return skip(reason),
        };
        let server = Self::start_bare()?;
        let login = server.login();
        // Unchecked on this side: for that kubectl would fetch all schemas first.
        login.kubectl_in(&["create", "--validate=false", "-f", "-"], crds);
        login.kubectl(&["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"]);
        Some(server)
    }

    /// The server that all tests of this process share.
    pub(crate) fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<ApiServer>> = OnceLock::new();
        SHARED.get_or_init(Self::start).as_ref()
    }

    fn launch(assets: &'static Assets) -> Self {
        for attempt in 1.. {
            let mut server = Self::spawn(assets);
            match server.wait_until_ready() {
                Ok(()) => return server,
                // Another process took a port between our look and the server's bind.
                Err(log) if attempt < 4 && log.contains("address already in use") => {}
                Err(log) => panic!("the API server does not get ready:\n{log}"),
            }
            server.end();
        }
        unreachable!("the loop returns or panics")
    }

    fn spawn(assets: &'static Assets) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("fleetwright-apiserver-")
            .tempdir()
            .expect("a folder")
            .keep();
        let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).expect("a file is written");
        write("tokens.csv", &login::token_file());
        write("audit.json", audit::POLICY);
        write("sa.key", &signing_key());
        let [client, peer, port] = free_ports();
        let keeper = Command::new("sh")
            .args(["-c", KEEPER, "keeper"])
            .arg(&folder)
            .arg(&assets.etcd)
            .args([format!("http://127.0.0.1:{client}"), format!("http://127.0.0.1:{peer}")])
            .arg(&assets.apiserver)
            .arg(port.to_string())
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("sh starts");
        Self {
            keeper,
            folder,
            url: format!("https://127.0.0.1:{port}"),
            etcd: SocketAddr::from(([127, 0, 0, 1], client)),
            assets,
            admins: AtomicUsize::new(0),
            nobodies: AtomicUsize::new(0),
        }
    }

    /// Asks `/readyz` until it says so; the error is the end of the logs.
    fn wait_until_ready(&self) -> Result<(), String> {
        let deadline = Instant::now() + READY_WITHIN;
        let login = self.login();
        let wait = async move {
            while Instant::now() < deadline {
                // The certificate comes into being during the start.
                if login.authority.exists()
                    && let Ok(request) = http::Request::get("/readyz").body(Vec::new())
                    && login.client().await.request_text(request).await.is_ok()
                {
                    return true;
                }
                if self.logs().contains("address already in use") {
                    return false;
                }
                tokio::time::sleep(Duration::from_millis(25)).await;
            }
            false
        };
        // Tests call this with and without a runtime around them, and one can't be entered twice on a thread.
        let ready = std::thread::scope(|scope| {
            let run = || {
                tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .expect("a runtime")
                    .block_on(wait)
            };
            scope.spawn(run).join().expect("the wait ends")
        });
        if ready { Ok(()) } else { Err(self.logs()) }
    }

    fn logs(&self) -> String {
        let tail = |name: &str| {
            let text = std::fs::read_to_string(self.folder.join(name)).unwrap_or_default();
            let lines: Vec<&str> = text.lines().collect();
            lines[lines.len().saturating_sub(20)..].join("\n")
        };
        format!("{}\n{}", tail("etcd.log"), tail("apiserver.log"))
    }

    /// A new user who may do everything.
    pub(crate) fn login(&self) -> Login {
        let n = self.admins.fetch_add(1, Ordering::Relaxed);
        assert!(n < login::ADMINS, "more logins than tokens: raise login::ADMINS");
        self.user(&format!("admin-{n}"))
    }

    /// A new user who may do nothing but look around (discovery), until a test gives them a role.
    pub(crate) fn login_without_rights(&self) -> Login {
        let n = self.nobodies.fetch_add(1, Ordering::Relaxed);
        assert!(n < login::NOBODIES, "more logins than tokens: raise login::NOBODIES");
        self.user(&format!("nobody-{n}"))
    }

    fn user(&self, name: &str) -> Login {
        let login = Login {
            user: name.to_owned(),
            token: format!("token-{name}"),
            url: self.url.clone(),
            authority: self.folder.join("certs/apiserver.crt"),
            kubeconfig: self.folder.join(format!("{name}.kubeconfig")),
            kubectl: self.assets.kubectl.clone(),
            log: self.folder.join("audit.log"),
            folder: self.folder.clone(),
        };
        login::kubeconfig(&login.kubeconfig, &[("test", &login)]);
        login
    }

    /// The end of the request log.
    pub(crate) fn mark(&self) -> Mark {
        audit::mark(&self.folder.join("audit.log"))
    }

    /// Everybody's requests since, the server's own among them.
    pub(crate) fn requests_since(&self, mark: Mark) -> Vec<Sent> {
        audit::since(&self.folder.join("audit.log"), mark)
    }

    /// Where this server's files are; gone when it is.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Kills the API server alone; what it stored stays. From here on its port refuses connections.
    pub(crate) fn stop(&mut self) {
        self.tell("stop");
    }

    /// Starts the API server again, on the same port and over what it stored.
    ///
    /// # Panics
    /// Where it does not start.
    pub(crate) fn start_again(&mut self) {
        self.tell("start");
        if let Err(log) = self.wait_until_ready() {
            panic!("the API server does not get ready again:\n{log}");
        }
    }

    fn tell(&mut self, word: &str) {
        let stdin = self.keeper.stdin.as_mut().expect("a pipe");
        writeln!(stdin, "{word}").expect("the keeper listens");
        let mut answer = [0; 5];
        let stdout = self.keeper.stdout.as_mut().expect("a pipe");
        stdout.read_exact(&mut answer).expect("the keeper answers");
        assert_eq!(&answer, b"done\n");
    }

    /// Has the store forget all that was before its present revision, as it does by itself every five minutes.
    pub(crate) fn compact(&self) {
        let range = self.etcd("/v3/kv/range", r#"{"key": "AA=="}"#);
        let revision = range["header"]["revision"].as_str().expect("a revision").to_owned();
        let body = format!(r#"{{"revision": "{revision}", "physical": true}}"#);
        let compacted = self.etcd("/v3/kv/compaction", &body);
        assert!(compacted["header"].is_object(), "{compacted}");
    }

    fn etcd(&self, path: &str, body: &str) -> serde_json::Value {
        let mut stream = TcpStream::connect(self.etcd).expect("etcd");
        let length = body.len();
        let head = format!("POST {path} HTTP/1.0\r\nhost: h\r\ncontent-length: {length}\r\n\r\n{body}");
        stream.write_all(head.as_bytes()).expect("a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
        serde_json::from_str(body).unwrap_or_else(|error| panic!("{path}: {error}: {answer}"))
    }

    /// Kills the server: from here on its port refuses connections.
    pub(crate) fn end(&mut self) {
        drop(self.keeper.stdin.take());
        self.keeper.wait().expect("the keeper ends");
    }
}

impl Drop for ApiServer {
    fn drop(&mut self) {
        self.end();
    }
}

/// Three ports that were free a moment ago; held all at once, so that they differ.
fn free_ports() -> [u16; 3] {
    let held = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").expect("a port"));
    held.each_ref()
        .map(|listener| listener.local_addr().expect("its address").port())
}

/// A key for service-account tokens, which the server won't start without: P-256, of random bytes. A private key's public
/// half may be left out of its file, which spares us a cryptography library.
fn signing_key() -> String {
    let mut secret = [0_u8; 32];
    let mut random = std::fs::File::open("/dev/urandom").expect("random bytes");
    random.read_exact(&mut secret).expect("random bytes");
    // Below the group's order, and not zero.
    secret[0] = 1;
    let mut der = vec![0x30, 49, 2, 1, 1, 4, 32];
    der.extend(secret);
    der.extend([0xa0, 10, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7]);
    let base64 = serde_json::to_value(ByteString(der)).expect("base64");
    let base64 = base64.as_str().expect("base64");
    format!("-----BEGIN EC PRIVATE KEY-----\n{base64}\n-----END EC PRIVATE KEY-----\n")
}
