//! The real `kubectl` as it watches and waits, against the sandbox and beside it against the real server.

use std::io::{BufRead as _, BufReader, Read};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use super::kubectl::{Kubectl, even};
use super::sandbox::Sandbox;
use crate::support::ApiServer;

const SPACE: &str = "kubectl-watch";

/// A kubectl that goes on; it is ended with this.
struct Running {
    child: Child,
    stdout: Receiver<String>,
    stderr: Receiver<String>,
}

fn lines(pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

impl Running {
    /// Starts it, and waits until its log has a line with this.
    fn start(kubectl: &Kubectl, args: &[&str], until: &str) -> Self {
        let mut child = kubectl
            .command(&[args, &["-v=6"]].concat())
            .stdin(Stdio::null())
            .spawn()
            .expect("kubectl starts");
        let running = Self {
            stdout: lines(child.stdout.take().expect("a pipe")),
            stderr: lines(child.stderr.take().expect("a pipe")),
            child,
        };
        let mut said = Vec::new();
        while !said.last().is_some_and(|line: &String| line.contains(until)) {
            let line = running.stderr.recv_timeout(Duration::from_secs(30));
            said.push(line.unwrap_or_else(|_| panic!("kubectl {args:?} does not come to {until}: {said:#?}")));
        }
        running
    }

    /// The next so many lines of its output.
    fn says(&self, lines: usize) -> Vec<String> {
        let next = |_| {
            self.stdout
                .recv_timeout(Duration::from_secs(30))
                .expect("a line in time")
        };
        (0..lines).map(next).collect()
    }

    /// Waits for its end: what it says until then, and its exit code.
    fn ends(mut self) -> Vec<String> {
        let mut said: Vec<String> = self.stdout.iter().collect();
        let code = self.child.wait().expect("its end").code();
        said.push(format!("{code:?}"));
        said
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended, or is of no more use.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

const WATCHES: &str = "watch=true";

/// Has kubectl do something that must succeed.
fn done(kubectl: &Kubectl, args: &[&str], stdin: &str) {
    let said = kubectl.run(args, stdin);
    assert!(said.starts_with('0'), "kubectl {args:?}: {said}");
}

fn widget(kubectl: &Kubectl, name: &str, size: u32) {
    let text = format!(
        "{{apiVersion: example.io/v1, kind: Widget, metadata: {{name: {name}, labels: {{app: x}}}}, spec: {{size: {size}}}}}"
    );
    done(kubectl, &["apply", "-f", "-"], &text);
}

fn patch(kubectl: &Kubectl, object: &str, change: &str) {
    done(kubectl, &["patch", object, "--type=merge", "-p", change], "");
}

fn ready(kubectl: &Kubectl, name: &str) {
    let status = r#"{"status":{"conditions":[{"type":"Ready","status":"True"}]}}"#;
    let object = format!("widget/{name}");
    let args = ["patch", &object, "--subresource=status", "--type=merge", "-p", status];
    done(kubectl, &args, "");
}

/// `get -w` in its forms: what is there, and what comes, changes and goes.
fn watch(kubectl: &Kubectl) -> Vec<String> {
    widget(kubectl, "gear", 2);
    let table = Running::start(kubectl, &["get", "widgets", "-w", "--output-watch-events"], WATCHES);
    let wide = Running::start(kubectl, &["get", "widgets", "gear", "-w", "-o", "wide"], WATCHES);
    let columns = "custom-columns=NAME:.metadata.name,SIZE:.spec.size";
    let only = ["get", "widgets", "--watch-only", "-l", "app=x", "-o", columns];
    let only = Running::start(kubectl, &only, WATCHES);
    let names = Running::start(kubectl, &["get", "widgets", "-w", "-o", "name"], WATCHES);
    let path = [
        "get",
        "widgets",
        "-w",
        "-o",
        "jsonpath={.metadata.name}={.spec.size}{\"\\n\"}",
    ];
    let path = Running::start(kubectl, &path, WATCHES);
    // Each change is seen by all before the next one is made: no server has to tell every state.
    let mut said = vec![table.says(2), wide.says(2), names.says(1), path.says(1)];
    patch(kubectl, "widget/gear", r#"{"spec":{"size":5}}"#);
    // The heading comes with the first event.
    said.extend([table.says(1), wide.says(1), only.says(2), names.says(1), path.says(1)]);
    ready(kubectl, "gear");
    said.extend([table.says(1), wide.says(1), only.says(1), names.says(1), path.says(1)]);
    widget(kubectl, "wheel", 7);
    said.extend([table.says(1), only.says(1), names.says(1), path.says(1)]);
    // It goes out of what is selected, and is there still.
    done(kubectl, &["label", "widget", "wheel", "app=y", "--overwrite"], "");
    said.extend([table.says(1), only.says(1), names.says(1), path.says(1)]);
    done(kubectl, &["delete", "widget", "gear"], "");
    said.extend([table.says(1), wide.says(1), only.says(1), names.says(1), path.says(1)]);
    said.into_iter().flatten().collect()
}

/// `wait` in its forms, each begun before that happens for which it waits.
fn wait(kubectl: &Kubectl) -> Vec<String> {
    widget(kubectl, "cog", 1);
    let mut said = Vec::new();
    let begin = |condition: &str, object: &str| {
        let args = ["wait", &format!("--for={condition}"), object, "--timeout=60s"];
        Running::start(kubectl, &args, WATCHES)
    };
    let (condition, size) = (
        begin("condition=Ready", "widget/cog"),
        begin("jsonpath={.spec.size}=4", "widget/cog"),
    );
    patch(kubectl, "widget/cog", r#"{"spec":{"size":3}}"#);
    ready(kubectl, "cog");
    said.extend(condition.ends());
    patch(kubectl, "widget/cog", r#"{"spec":{"size":4}}"#);
    said.extend(size.ends());
    let gone = begin("delete", "widget/cog");
    patch(
        kubectl,
        "widget/cog",
        r#"{"metadata":{"finalizers":["example.io/hold"]}}"#,
    );
    done(kubectl, &["delete", "widget", "cog", "--wait=false"], "");
    patch(kubectl, "widget/cog", r#"{"metadata":{"finalizers":null}}"#);
    said.extend(gone.ends());
    // This one asks again and again.
    let late = ["wait", "--for=create", "widget/late", "--timeout=60s"];
    let late = Running::start(kubectl, &late, "404");
    widget(kubectl, "late", 1);
    said.extend(late.ends());
    said.push(kubectl.run(&["wait", "--for=condition=Ready", "widget/late", "--timeout=1s"], ""));
    said.push(kubectl.run(&["wait", "--for=delete", "widget/never", "--timeout=1s"], ""));
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_watches_and_waits_alike() {
    let Some(real) = ApiServer::shared() else { return };
    let login = real.login();
    let sandbox = Sandbox::start().await;
    super::prepare(&login.client().await).await;
    super::prepare(&sandbox.client()).await;
    let ours = Kubectl {
        kubeconfig: sandbox.kubeconfig(),
        cache: sandbox.folder().join("cache"),
        namespace: SPACE,
    };
    let theirs = Kubectl {
        kubeconfig: login.kubeconfig.clone(),
        cache: sandbox.folder().join("other-cache"),
        namespace: SPACE,
    };
    let sessions = tokio::task::spawn_blocking(move || {
        [&theirs, &ours].map(|kubectl| {
            done(kubectl, &["create", "namespace", SPACE], "");
            let said = [watch(kubectl), wait(kubectl)].concat();
            said.iter().map(|line| even(line)).collect::<Vec<_>>()
        })
    });
    let [real, sandbox] = sessions.await.expect("the sessions end");
    assert_eq!(sandbox, real);
    let met = real.iter().filter(|line| line.ends_with("condition met")).count();
    assert_eq!((real.len(), met), (40, 4), "{real:#?}");
}
