//! `apply --wait` beside an operator that is at work: it ends when all is ready.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::Stdio;

use serde_json::{Value, json};

use super::{Stage, namespace, text};

/// Writes an object's status, as its operator does.
fn report(stage: &Stage, kind: &str, name: &str, status: impl Fn(&Value) -> Value) {
    let live = stage.get(&stage.name, kind, name);
    let patch = json!({"status": status(&live)}).to_string();
    stage.kubectl(
        &stage.name,
        &[
            "patch",
            kind,
            name,
            "--subresource=status",
            "--type=merge",
            "-p",
            &patch,
        ],
    );
}

fn condition(live: &Value, kind: &str, status: &str, message: &str) -> Value {
    json!({"type": kind, "status": status, "reason": "AsExpected", "message": message,
        "observedGeneration": live["metadata"]["generation"], "lastTransitionTime": "2026-01-01T00:00:00Z"})
}

fn control_plane(live: &Value, available: &str, message: &str, state: &str) -> Value {
    let image = &live["spec"]["release"]["image"];
    json!({
        "conditions": [
            condition(live, "Available", available, message),
            condition(live, "Progressing", "False", ""),
        ],
        "version": {
            "desired": {"image": image, "version": "4.19.12"},
            "observedGeneration": 1,
            "history": [{"state": state, "version": "4.19.12", "image": image, "verified": false,
                "startedTime": "2026-01-01T00:00:00Z", "completionTime": "2026-01-01T00:20:00Z"}],
            "availableUpdates": [],
        },
    })
}

fn nodes(live: &Value, replicas: &Value) -> Value {
    let ready = ["Ready", "AllMachinesReady", "AllNodesHealthy"];
    json!({"replicas": replicas, "conditions": ready.map(|kind| condition(live, kind, "True", ""))})
}

#[test]
fn an_apply_that_waits_ends_when_all_is_ready() {
    let Some(stage) = Stage::new("awaited") else { return };
    let mut child = stage
        .place
        .command(&stage.args(&["apply", "--yes", "--wait=10m"]))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("a start");
    let mut stderr = BufReader::new(child.stderr.take().expect("a pipe"));
    let mut said = String::new();
    // What it says is what the operator goes by: it is asked nothing before it has been looked at.
    let mut until = |words: &str| {
        while !said.contains(words) {
            assert_ne!(
                stderr.read_line(&mut said).expect("a line"),
                0,
                "no `{words}` in\n{said}"
            );
        }
    };
    let space = namespace(&stage.name);
    until(&format!("waiting for HostedCluster {space}/awaited: "));
    report(&stage, "hostedcluster", "awaited", |live| {
        control_plane(live, "False", "etcd has no quorum yet", "Partial")
    });
    until(&format!(
        "waiting for HostedCluster {space}/awaited: AsExpected: etcd has no quorum yet"
    ));
    report(&stage, "hostedcluster", "awaited", |live| {
        control_plane(live, "True", "", "Completed")
    });
    until(&format!("ready HostedCluster {space}/awaited"));
    until(&format!(
        "waiting for NodePool {space}/awaited-b: LessReplicas: available nodes: 0 of 3"
    ));
    report(&stage, "nodepool", "awaited-a", |live| {
        nodes(live, &live["spec"]["replicas"])
    });
    until(&format!("ready NodePool {space}/awaited-a"));
    report(&stage, "nodepool", "awaited-b", |live| nodes(live, &json!(1)));
    until("available nodes: 1 of 3");
    report(&stage, "nodepool", "awaited-b", |live| {
        nodes(live, &live["spec"]["replicas"])
    });
    until(&format!("ready NodePool {space}/awaited-b"));
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).expect("the rest of what it says");
    assert_eq!(child.wait().expect("it ends").code(), Some(0), "{rest}");
    assert!(!rest.contains("not ready"), "{rest}");

    // What an operator writes is its own business.
    stage.is_settled();
    let status = stage.run(&["status"]).exits(0);
    assert!(status.stdout.contains("1 of 1 clusters ready."), "{}", status.stdout);
    let live = stage.get("awaited", "hostedcluster", "awaited");
    assert_eq!(text(&live["status"]["conditions"][0]["type"]), "Available");
}
