//! What rules of the files leave as it is on a real API server; and parts of a plan: drift alone, kinds alone.

use serde_json::json;

use super::{Stage, list, namespace};

/// Another manager applies something of a pool.
fn take(stage: &Stage, pool: &str, manager: &str, spec: &serde_json::Value) {
    let document = json!({"apiVersion": "hypershift.openshift.io/v1beta1", "kind": "NodePool",
        "metadata": {"name": pool, "namespace": namespace(&stage.name)}, "spec": spec});
    let manager = format!("--field-manager={manager}");
    let args = ["apply", "--server-side", "--force-conflicts", &manager, "-f", "-"];
    stage.login.kubectl_in(&args, &document.to_string());
}

const RULES: &str = "  ignore:
    rules:
      - {kind: NodePool, name: ignore-a, pointer: /spec/replicas}
      - {kind: NodePool, manager: scaler}";

#[test]
fn what_a_rule_covers_is_neither_changed_nor_taken_over_nor_given_up() {
    let Some(stage) = Stage::of("ignore", RULES, &["ignore"]) else {
        return;
    };
    stage.run(&["apply", "--yes"]).exits(0);
    let pool = |name: &str| stage.get("ignore", "nodepool", name);
    assert_eq!(pool("ignore-a")["spec"]["replicas"], 2, "made as the files say");
    stage.kubectl(
        "ignore",
        &[
            "patch",
            "nodepool",
            "ignore-a",
            "--type=merge",
            "-p",
            r#"{"spec":{"replicas":9}}"#,
        ],
    );
    take(&stage, "ignore-b", "scaler", &json!({"replicas": 7}));
    let owners = pool("ignore-a")["metadata"]["managedFields"].clone();

    let planned = stage.run(&["plan", "--detailed-exitcode"]).exits(0);
    assert!(
        planned
            .stdout
            .contains("2 fields are ignored by rules: 1 by fleet.yaml:"),
        "{}",
        planned.stdout
    );
    let report = stage.run(&["plan", "-o", "json"]).exits(0).json();
    assert_eq!(
        (&report["summary"]["ignored"], &report["changes"]),
        (&json!(2), &json!([]))
    );
    let of_a = list(&report["ignored"])
        .iter()
        .find(|field| field["object"]["name"] == "ignore-a");
    let of_a = of_a.expect("a report");
    assert_eq!(
        (&of_a["field"], &of_a["live"], &of_a["files"]),
        (&json!(".spec.replicas"), &json!(9), &json!(2))
    );
    assert!(
        of_a["rule"]["line"].is_u64() && of_a["rule"]["file"] == "fleet.yaml",
        "{of_a}"
    );

    // What is beside it is written, and the server leaves the field as it is, in value and in owner.
    stage.cluster(
        "ignore",
        &[
            "a: {profile: general, nodeLabels: {tier: one}}",
            "b: {profile: general, replicas: 4}",
        ],
    );
    let mark = stage.login.mark();
    stage.run(&["apply", "--yes"]).exits(0);
    assert_eq!(stage.writes_since(mark), ["patch nodepools/ignore-a"]);
    assert_eq!(
        (
            &pool("ignore-a")["spec"]["replicas"],
            &pool("ignore-b")["spec"]["replicas"]
        ),
        (&json!(9), &json!(7))
    );
    let theirs = |fields: &serde_json::Value| {
        let entries = list(fields).iter().filter(|entry| entry["manager"] != "fleetwright");
        entries.cloned().collect::<Vec<_>>()
    };
    assert_eq!(theirs(&pool("ignore-a")["metadata"]["managedFields"]), theirs(&owners));

    // The files change the field itself: nothing comes of it, before and after.
    stage.cluster(
        "ignore",
        &[
            "a: {profile: general, replicas: 5, nodeLabels: {tier: one}}",
            "b: {profile: general, replicas: 4}",
        ],
    );
    stage.run(&["plan", "--detailed-exitcode"]).exits(0);
    stage.run(&["apply", "--yes"]).exits(0);
    assert_eq!(pool("ignore-a")["spec"]["replicas"], 9);

    // The rules go: it is mended.
    stage.fleet("");
    let mark = stage.login.mark();
    stage.run(&["plan"]).exits(3);
    stage.fleet("  ignore: {rules: [{kind: NodePool, manager: scaler}]}");
    stage.run(&["apply", "--yes"]).exits(0);
    assert_eq!(stage.writes_since(mark), ["patch nodepools/ignore-a"]);
    assert_eq!(pool("ignore-a")["spec"]["replicas"], 5);
}

#[test]
fn a_field_that_we_own_and_the_files_drop_stays_where_a_rule_covers_it() {
    let rule = "  ignore: {rules: [{kind: NodePool, pointer: /spec/nodeLabels/tier}]}";
    let Some(stage) = Stage::of("unwritten", rule, &[]) else {
        return;
    };
    let labels = |labels: &str| {
        let pool = format!("a: {{profile: general, nodeLabels: {{{labels}}}}}");
        stage.cluster("unwritten", &[&pool]);
    };
    labels("tier: one, other: x");
    stage.place.run(&["lock"]).exits(0);
    stage.run(&["apply", "--yes"]).exits(0);
    labels("other: y");
    let mark = stage.login.mark();
    stage.run(&["apply", "--yes"]).exits(0);
    assert_eq!(stage.writes_since(mark), ["patch nodepools/unwritten-a"]);
    let live = || stage.get("unwritten", "nodepool", "unwritten-a")["spec"]["nodeLabels"].clone();
    assert_eq!(
        live(),
        json!({"tier": "one", "other": "y"}),
        "to leave it out would have removed it"
    );
    stage.run(&["plan", "--detailed-exitcode"]).exits(0);

    stage.fleet("");
    stage.run(&["apply", "--yes"]).exits(0);
    assert_eq!(live(), json!({"other": "y"}));
    stage.is_settled();
}

#[test]
fn parts_of_a_plan_say_that_they_are_parts_and_exit_by_what_they_show() {
    let Some(stage) = Stage::new("parts") else { return };
    stage.run(&["apply", "--yes"]).exits(0);
    stage.kubectl("parts", &["scale", "nodepool", "parts-a", "--replicas=7"]);
    stage.cluster(
        "parts",
        &["a: {profile: general}", "b: {profile: general, replicas: 4}"],
    );
    let drift = stage.run(&["plan", "--drift", "--detailed-exitcode"]).exits(4);
    assert!(
        drift.stdout.contains("NodePool clusters-parts/parts-a"),
        "{}",
        drift.stdout
    );
    assert!(!drift.stdout.contains("parts-b"), "{}", drift.stdout);
    assert!(
        drift
            .stdout
            .contains("Only what moved by itself; 1 other change is not shown."),
        "{}",
        drift.stdout
    );
    assert!(drift.stdout.contains("Plan: 1 to update;"), "{}", drift.stdout);

    let pools = stage
        .run(&["plan", "--only", "NodePool", "--detailed-exitcode"])
        .exits(2);
    assert!(
        pools.stdout.contains("Plan: 2 to update; 0 unchanged."),
        "{}",
        pools.stdout
    );
    let hosted = stage
        .run(&["plan", "--only", "HostedCluster", "--detailed-exitcode"])
        .exits(0);
    assert!(
        hosted
            .stdout
            .contains("Only HostedCluster; 2 other changes are not shown."),
        "{}",
        hosted.stdout
    );
    assert!(
        hosted.stdout.contains("Nothing to do of that: 1 object is"),
        "{}",
        hosted.stdout
    );
    let report = stage
        .run(&["plan", "--only", "NodePool", "--drift", "-o", "json"])
        .exits(0)
        .json();
    assert_eq!(
        report["narrowed"],
        json!({"drift": true, "kinds": ["NodePool"], "hidden": 1})
    );
    let comment = stage.run(&["plan", "--drift", "-o", "markdown"]).exits(0).stdout;
    assert!(
        comment.contains("Only what moved by itself; 1 other change is not shown."),
        "{comment}"
    );

    let wrong = stage.run(&["plan", "--only", "NodePol"]).exits(1);
    assert!(wrong.stderr.contains("did you mean `NodePool`?"), "{}", wrong.stderr);
    stage.run(&["plan", "--drift", "--out", "kept.plan"]).exits(1);
    stage.run(&["plan", "--drift", "--against", "nothing"]).exits(1);
}
