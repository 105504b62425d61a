//! The daemon takes the steps of an upgrade as the control plane completes them, on a real API server.

use serde_json::json;

use super::Stage;
use super::daemon::Daemon;

const REPOSITORY: &str = "quay.io/openshift-release-dev/ocp-release";

/// What the operator says of a release that it has rolled out, or is at.
fn operator_says(stage: &Stage, version: &str, state: &str) {
    let entry = json!({
        "state": state, "version": version, "image": format!("{REPOSITORY}:{version}-multi"), "verified": false,
        "startedTime": "2026-01-01T00:00:00Z", "completionTime": "2026-01-01T00:20:00Z",
    });
    let status = json!({"status": {"version": {
        "desired": {"image": entry["image"], "version": version}, "observedGeneration": 1, "history": [entry],
        "availableUpdates": [],
    }}});
    let patch = [
        "patch",
        "hostedcluster",
        &stage.name,
        "--subresource=status",
        "--type=merge",
        "-p",
    ];
    stage.kubectl(&stage.name, &[&patch[..], &[&status.to_string()]].concat());
}

/// Waits until an object is asked for a version.
fn is_asked_for(stage: &Stage, kind: &str, name: &str, version: &str) {
    let condition = format!("--for=jsonpath={{.spec.release.image}}={REPOSITORY}:{version}-multi");
    stage.kubectl(&stage.name, &["wait", kind, name, &condition, "--timeout=120s"]);
}

fn version(stage: &Stage, version: &str) {
    let path = stage.place.fleet().join("fleet.yaml");
    let text = std::fs::read_to_string(&path).expect("the Fleet document");
    let from = text
        .lines()
        .find(|line| line.contains("version: 4."))
        .expect("a version");
    std::fs::write(path, text.replace(from, &format!("    version: {version}"))).expect("a file");
}

#[test]
fn the_daemon_takes_a_step_when_the_one_before_is_complete() {
    let Some(stage) = Stage::new("stepped") else { return };
    version(&stage, "4.18.20");
    let mut daemon = Daemon::start(&stage, &[]);
    daemon.says(&["looked at", "cluster stepped", "in sync"]);
    operator_says(&stage, "4.18.20", "Completed");

    version(&stage, "4.20.3\n    via: [4.19.14]");
    is_asked_for(&stage, "hostedcluster", "stepped", "4.19.14");
    daemon.says(&["cluster stepped", "waits for", "the control plane to complete 4.19.14"]);
    operator_says(&stage, "4.19.14", "Partial");
    let status = daemon.status();
    assert_eq!(status["units"]["cluster stepped"]["state"], "waiting", "{status}");
    is_asked_for(&stage, "nodepool", "stepped-a", "4.18.20");

    operator_says(&stage, "4.19.14", "Completed");
    is_asked_for(&stage, "hostedcluster", "stepped", "4.20.3");
    is_asked_for(&stage, "nodepool", "stepped-a", "4.18.20");
    operator_says(&stage, "4.20.3", "Completed");
    is_asked_for(&stage, "nodepool", "stepped-a", "4.20.3");
    is_asked_for(&stage, "nodepool", "stepped-b", "4.20.3");
    daemon.says(&["looked at", "cluster stepped", "in sync"]);
    daemon.ends();
    stage.is_settled();
}
