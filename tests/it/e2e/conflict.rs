//! Two managers on one field: the other one is named, and the fleet's rules are obeyed.

use serde_json::json;

use super::{Stage, namespace};

/// Another manager applies `spec.replicas` of a pool.
fn take(stage: &Stage, pool: &str, replicas: u32) {
    let document = json!({"apiVersion": "hypershift.openshift.io/v1beta1", "kind": "NodePool",
        "metadata": {"name": pool, "namespace": namespace(&stage.name)}, "spec": {"replicas": replicas}});
    let args = [
        "apply",
        "--server-side",
        "--force-conflicts",
        "--field-manager=cluster-autoscaler",
        "-f",
        "-",
    ];
    stage.login.kubectl_in(&args, &document.to_string());
}

#[test]
fn a_field_that_another_manager_applies_is_refused_named_forced_or_yielded() {
    let Some(stage) = Stage::new("conflict") else { return };
    stage.run(&["apply", "--yes"]).exits(0);
    take(&stage, "conflict-a", 5);

    let refused = stage.run(&["plan"]).exits(3);
    let says = |what: &str| assert!(refused.stdout.contains(what), "{what} is not in\n{}", refused.stdout);
    says(
        "~ NodePool clusters-conflict/conflict-a  drift: changed by someone else\n      ~ .spec.replicas: 5 → 2  was set by cluster-autoscaler, 20",
    );
    says(".spec.replicas is owned by field manager cluster-autoscaler");
    says("{kind: NodePool, field: spec.replicas, manager: cluster-autoscaler, action: force}");
    let mark = stage.login.mark();
    stage.run(&["apply", "--yes"]).exits(3);
    assert_eq!(stage.writes_since(mark), Vec::<String>::new());
    assert_eq!(stage.get("conflict", "nodepool", "conflict-a")["spec"]["replicas"], 5);

    // What it is in the way of waits; the rest goes on where that is asked for.
    stage.cluster(
        "conflict",
        &["a: {profile: general}", "b: {profile: general, replicas: 4}"],
    );
    let mark = stage.login.mark();
    let refused = stage.run(&["apply", "--yes"]).exits(3);
    assert!(refused.stderr.contains("others hold fields"), "{}", refused.stderr);
    assert_eq!(stage.writes_since(mark), Vec::<String>::new());
    let applied = stage.run(&["apply", "--yes", "--keep-going"]).exits(3);
    assert!(
        applied.stderr.contains("some changes were not made"),
        "{}",
        applied.stderr
    );
    assert_eq!(stage.writes_since(mark), ["patch nodepools/conflict-b"]);

    stage.fleet("  conflicts: [{kind: NodePool, field: spec.replicas, manager: cluster-autoscaler, action: yield}]");
    stage.is_settled();
    stage.run(&["apply", "--yes"]).exits(0);
    assert_eq!(stage.get("conflict", "nodepool", "conflict-a")["spec"]["replicas"], 5);

    // The rest of a pool of which one field is yielded is ours as before.
    stage.cluster(
        "conflict",
        &[
            "a: {profile: general, nodeLabels: {x: y}}",
            "b: {profile: general, replicas: 4}",
        ],
    );
    stage.run(&["apply", "--yes"]).exits(0);
    let live = stage.get("conflict", "nodepool", "conflict-a");
    assert_eq!(
        (&live["spec"]["replicas"], &live["spec"]["nodeLabels"]["x"]),
        (&5.into(), &"y".into())
    );
    stage.is_settled();

    stage.fleet("  conflicts: [{kind: NodePool, field: spec.replicas, manager: cluster-autoscaler, action: force}]");
    stage.run(&["apply", "--yes"]).exits(0);
    assert_eq!(stage.get("conflict", "nodepool", "conflict-a")["spec"]["replicas"], 2);
    stage.is_settled();
}
