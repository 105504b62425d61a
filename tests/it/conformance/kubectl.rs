//! The real `kubectl` against the sandbox, and beside it against the real server.

use std::path::Path;
use std::process::{Command, Stdio};

use super::sandbox::Sandbox;
use crate::support::ApiServer;

/// One way to run kubectl.
pub(super) struct Kubectl {
    pub(super) kubeconfig: std::path::PathBuf,
    pub(super) cache: std::path::PathBuf,
    pub(super) namespace: &'static str,
}

impl Kubectl {
    /// The command, its pipes ready.
    pub(super) fn command(&self, args: &[&str]) -> Command {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/testenv/kubectl");
        let program =
            std::env::var_os("KUBEBUILDER_ASSETS").map_or(program, |folder| Path::new(&folder).join("kubectl"));
        let mut command = Command::new(program);
        command
            .args(["--namespace", self.namespace])
            .args(args)
            .env("KUBECONFIG", &self.kubeconfig)
            .env("KUBECACHEDIR", &self.cache)
            .env("EDITOR", "sed -i s/first/edited/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Its exit code and all that it says.
    pub(super) fn run(&self, args: &[&str], stdin: &str) -> String {
        use std::io::Write as _;
        let mut child = self.command(args).spawn().expect("kubectl starts");
        let mut pipe = child.stdin.take().expect("a pipe");
        drop(pipe.write_all(stdin.as_bytes()));
        drop(pipe);
        let output = child.wait_with_output().expect("kubectl ends");
        format!(
            "{}{}{}",
            output.status.code().unwrap_or(-1),
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        )
    }
}

const MANIFESTS: &str = "
apiVersion: v1
kind: ConfigMap
metadata: {name: map, labels: {app: x}}
data: {key: first}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: x}, ports: [{port: 80, name: web}]}
---
apiVersion: example.io/v1
kind: Widget
metadata: {name: gear, labels: {app: x}}
spec: {size: 2, mode: a}
";

/// Commands whose output is the same wherever they run, but for ages, UIDs, versions and addresses.
const SESSION: &[(&[&str], &str)] = &[
    (&["apply", "-f", "-"], MANIFESTS),
    (&["apply", "-f", "-"], MANIFESTS),
    (&["diff", "-f", "-"], MANIFESTS),
    (&["get", "configmaps,widgets"], ""),
    (&["get", "widgets", "-o", "wide"], ""),
    (&["get", "wd", "gear", "-o", "jsonpath={.spec}"], ""),
    (&["get", "cm", "-l", "app=x", "-o", "name"], ""),
    (
        &["get", "services", "web", "-o", "jsonpath={.spec.type} {.spec.ports}"],
        "",
    ),
    (&["get", "namespaces", "default", "-o", "name"], ""),
    (&["get", "widgets", "nothing"], ""),
    (&["get", "nonsense"], ""),
    (&["label", "widget", "gear", "tier=one"], ""),
    (&["annotate", "cm", "map", "note=hello"], ""),
    (
        &[
            "patch",
            "svc",
            "web",
            "-p",
            r#"{"spec":{"ports":[{"port":81,"name":"more"}]}}"#,
        ],
        "",
    ),
    (&["get", "services", "web", "-o", "jsonpath={.spec.ports[*].port}"], ""),
    (
        &[
            "patch",
            "widget",
            "gear",
            "--type=merge",
            "-p",
            r#"{"spec":{"size":5}}"#,
        ],
        "",
    ),
    (
        &[
            "patch",
            "widget",
            "gear",
            "--subresource=status",
            "--type=merge",
            "-p",
            r#"{"status":{"conditions":[{"type":"Ready","status":"True"}]}}"#,
        ],
        "",
    ),
    (&["wait", "--for=condition=Ready", "widget/gear", "--timeout=20s"], ""),
    (
        &["wait", "--for=jsonpath={.spec.size}=5", "widget/gear", "--timeout=20s"],
        "",
    ),
    (&["scale", "widget/gear", "--replicas=4"], ""),
    (&["edit", "cm", "map"], ""),
    (&["get", "cm", "map", "-o", "jsonpath={.data}"], ""),
    (
        &["apply", "--server-side", "--field-manager=one", "-f", "-"],
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: served}, data: {a: b}}",
    ),
    (
        &["apply", "--server-side", "--field-manager=two", "-f", "-"],
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: served}, data: {a: c}}",
    ),
    (
        &["diff", "--server-side", "--field-manager=one", "-f", "-"],
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: served}, data: {a: b}}",
    ),
    (
        &[
            "apply",
            "--server-side",
            "--field-manager=two",
            "--force-conflicts",
            "-f",
            "-",
        ],
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: served}, data: {a: c}}",
    ),
    (
        &["apply", "-f", "-"],
        "{apiVersion: example.io/v1, kind: Widget, metadata: {name: bad}, spec: {size: 1, zork: 2}}",
    ),
    (&["create", "secret", "generic", "s", "--from-literal=k=v"], ""),
    (&["get", "secrets", "s", "-o", "jsonpath={.data} {.type}"], ""),
    (&["describe", "secret", "s"], ""),
    (&["describe", "cm", "served"], ""),
    (&["auth", "can-i", "delete", "secrets"], ""),
    (&["explain", "widgets.spec.size"], ""),
    (&["api-resources", "--api-group=example.io", "-o", "name"], ""),
    (&["delete", "cm", "map", "served"], ""),
    (
        &["delete", "-f", "-"],
        "{apiVersion: example.io/v1, kind: Widget, metadata: {name: gear}}",
    ),
    (&["get", "widgets,cm,svc"], ""),
    (&["delete", "svc", "--all"], ""),
];

pub(super) fn even(text: &str) -> String {
    let patterns = [
        (r"\b\d+[smh]\b", "<age>"),
        (r"/tmp/\S+", "<file>"),
        (r"\d{4}-\d\d-\d\d[T ]\S+( \+\d{4})?", "<time>"),
        (r"\b10\.\d+\.\d+\.\d+\b", "<address>"),
        (" +", " "),
        (r"https?://127\.0\.0\.1:\d+", "<server>"),
    ];
    patterns.iter().fold(text.to_owned(), |text, (pattern, with)| {
        let pattern = regex::Regex::new(pattern).expect("a pattern");
        pattern.replace_all(&text, *with).into_owned()
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_says_the_same_of_both() {
    let Some(real) = ApiServer::shared() else { return };
    let login = real.login();
    let sandbox = Sandbox::start().await;
    super::prepare(&login.client().await).await;
    super::prepare(&sandbox.client()).await;
    let ours = Kubectl {
        kubeconfig: sandbox.kubeconfig(),
        cache: sandbox.folder().join("cache"),
        namespace: "kubectl-session",
    };
    let theirs = Kubectl {
        kubeconfig: login.kubeconfig.clone(),
        cache: sandbox.folder().join("other-cache"),
        namespace: "kubectl-session",
    };
    for kubectl in [&ours, &theirs] {
        let said = kubectl.run(&["create", "namespace", "kubectl-session"], "");
        assert_eq!(said, "0namespace/kubectl-session created\n");
    }
    let wrong = tokio::task::spawn_blocking(move || {
        let mut wrong = Vec::new();
        for (args, stdin) in SESSION {
            let (expected, found) = (even(&theirs.run(args, stdin)), even(&ours.run(args, stdin)));
            if expected != found {
                wrong.push(format!("kubectl {args:?}\nreal: {expected}\nsandbox: {found}"));
            }
        }
        wrong
    });
    let wrong = wrong.await.expect("the session ends");
    assert!(
        wrong.is_empty(),
        "{} commands differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
