//! The controller's process, and its webhooks' registration.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::support::Login;

/// Where the program is, built if it must be; the error says what is missing.
pub(super) fn program() -> Result<&'static Path, &'static str> {
    static FOUND: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    FOUND.get_or_init(build).as_deref().map_err(String::as_str)
}

fn build() -> Result<PathBuf, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let go = Command::new("go").arg("version").output();
    if !go.is_ok_and(|output| output.status.success()) {
        return Err("there is no Go to build Cluster API Provider OCI's controller with".into());
    }
    let (script, folder) = (root.join("tests/capoci/build.sh"), root.join("target/testenv"));
    let binary = folder.join("capoci-controller");
    if !binary.is_file() {
        writeln!(
            std::io::stderr(),
            "building Cluster API Provider OCI's controller, once, for some minutes"
        )
        .ok();
    }
    match Command::new(script).arg(&folder).status() {
        Ok(status) if status.success() => Ok(binary),
        Ok(status) => Err(format!("tests/capoci/build.sh failed: {status}")),
        Err(error) => Err(format!("tests/capoci/build.sh can't be run: {error}")),
    }
}

/// The running controller; it ends with this process, however that ends, since it reads a pipe of it.
pub(super) struct Controller {
    child: Child,
    log: PathBuf,
}

impl Controller {
    /// Starts it on a server, and has that ask its webhooks.
    pub(super) fn start(program: &Path, login: &Login, folder: &Path) -> Self {
        let log = folder.join("capoci.log");
        let mut child = Command::new(program)
            .arg(&login.kubeconfig)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(&log).expect("the controller's log"))
            .spawn()
            .expect("the controller starts");
        let mut line = String::new();
        let output = child.stdout.take().expect("a pipe");
        BufReader::new(output)
            .read_line(&mut line)
            .expect("the controller's first line");
        let controller = Self { child, log };
        let endpoint =
            serde_json::from_str(&line).unwrap_or_else(|_| panic!("no webhooks:\n{}", controller.log_tail()));
        login.kubectl_in(&["create", "-f", "-"], &webhooks(&endpoint).to_string());
        controller
    }

    /// The end of what it says, for whoever looks into a failed test.
    pub(super) fn log_tail(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(60)..].join("\n")
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// As upstream registers them, at another address.
fn webhooks(endpoint: &Value) -> Value {
    let url = endpoint["url"].as_str().expect("an address");
    let one = |name: &str, path: &str| {
        json!([{
            "name": format!("{name}.ocicluster.infrastructure.cluster.x-k8s.io"),
            "clientConfig": {
                "url": format!("{url}/{path}-infrastructure-cluster-x-k8s-io-v1beta2-ocicluster"),
                "caBundle": endpoint["caBundle"],
            },
            "rules": [{
                "apiGroups": ["infrastructure.cluster.x-k8s.io"],
                "apiVersions": ["v1beta2"],
                "operations": ["CREATE", "UPDATE"],
                "resources": ["ociclusters"],
            }],
            "failurePolicy": "Fail",
            "matchPolicy": "Equivalent",
            "sideEffects": "None",
            "admissionReviewVersions": ["v1", "v1beta1"],
        }])
    };
    let configuration = |kind: &str, webhooks: Value| {
        json!({
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": kind,
            "metadata": {"name": "capoci"},
            "webhooks": webhooks,
        })
    };
    json!({"apiVersion": "v1", "kind": "List", "items": [
        configuration("MutatingWebhookConfiguration", one("default", "mutate")),
        configuration("ValidatingWebhookConfiguration", one("validation", "validate")),
    ]})
}
