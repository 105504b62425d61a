//! What goes, in which order, and what stays whatever it carries.

use serde_json::{Value, json};

use super::{Stage, namespace};

#[test]
fn a_pool_taken_out_goes_and_what_only_looks_like_ours_stays() {
    let Some(stage) = Stage::new("prune") else { return };
    stage.run(&["apply", "--yes"]).exits(0);
    // HyperShift puts a HostedCluster's labels and annotations on Secrets of its own; backup tools copy whole objects.
    let marks =
        |live: Value| json!({"labels": live["metadata"]["labels"], "annotations": live["metadata"]["annotations"]});
    let named = |name: &str, marks: Value| {
        let mut metadata = marks;
        metadata["name"] = json!(name);
        metadata["namespace"] = json!(namespace("prune"));
        metadata
    };
    let of_cluster = marks(stage.get("prune", "hostedcluster", "prune"));
    let of_pool = marks(stage.get("prune", "nodepool", "prune-a"));
    assert!(of_pool["annotations"]["fleetwright.dev/owner"].is_string());
    let spec = stage.get("prune", "nodepool", "prune-a")["spec"].clone();
    let theirs = json!({"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "v1", "kind": "Secret", "metadata": named("prune-admin-kubeconfig", of_cluster)},
        {"apiVersion": "v1", "kind": "Secret", "metadata": named("prune-copy", of_pool.clone())},
        {"apiVersion": "hypershift.openshift.io/v1beta1", "kind": "NodePool", "metadata": named("theirs", of_pool), "spec": spec},
    ]});
    stage.login.kubectl_in(&["create", "-f", "-"], &theirs.to_string());
    stage.is_settled();

    stage.cluster("prune", &["b: {profile: general, replicas: 3}"]);
    assert_eq!(stage.planned(), [("delete".to_owned(), "NodePool/prune-a".to_owned())]);
    let mark = stage.login.mark();
    let applied = stage.run(&["apply", "--yes"]).exits(0);
    assert!(
        applied
            .stdout
            .contains("- NodePool clusters-prune/prune-a  no longer in the fleet files"),
        "{}",
        applied.stdout
    );
    assert_eq!(stage.writes_since(mark), ["delete nodepools/prune-a"]);
    assert!(!stage.is_there("prune", "nodepool", "prune-a"));
    let left: Vec<String> = stage.uids("prune").into_keys().collect();
    assert_eq!(
        left,
        [
            "HostedCluster/prune",
            "NodePool/prune-b",
            "NodePool/theirs",
            "Secret/prune-admin-kubeconfig",
            "Secret/prune-copy",
            "Secret/pull-secret"
        ]
    );
    stage.is_settled();
}

#[test]
fn an_object_that_lost_our_mark_is_not_deleted() {
    let Some(stage) = Stage::new("unmarked") else { return };
    stage.run(&["apply", "--yes"]).exits(0);
    stage.kubectl(
        "unmarked",
        &["annotate", "nodepool", "unmarked-a", "fleetwright.dev/owner-"],
    );
    stage.cluster("unmarked", &["b: {profile: general, replicas: 3}"]);
    let mark = stage.login.mark();
    let refused = stage.run(&["apply", "--yes"]).exits(3);
    assert!(
        refused.stdout.contains("refused (not-ours): 1 object would be deleted"),
        "{}",
        refused.stdout
    );
    assert_eq!(stage.writes_since(mark), Vec::<String>::new());
}

#[test]
fn a_cluster_that_does_not_render_is_left_alone_and_holds_up_no_other() {
    let Some(stage) = Stage::of("partial", "", &["partial-good", "partial-bad"]) else {
        return;
    };
    stage.run(&["apply", "--yes"]).exits(0);
    let built_in = include_str!("../../../templates/1/node-pools.yaml.j2");
    let template = format!(
        "{{% if cluster.objectName == 'partial-bad' %}}{{{{ cluster.noSuchField.at.all }}}}{{% endif %}}\n{built_in}"
    );
    stage.place.write("templates/node-pools.yaml.j2", &template);
    for cluster in ["partial-good", "partial-bad"] {
        stage.cluster(cluster, &["b: {profile: general, replicas: 4}"]);
    }
    let planned = stage.run(&["plan", "--detailed-exitcode"]).exits(1);
    assert!(
        planned.stdout.contains("left alone: cluster partial-bad: "),
        "{}",
        planned.stdout
    );
    let mark = stage.login.mark();
    let applied = stage.run(&["apply", "--yes"]).exits(1);
    assert!(applied.stderr.contains("noSuchField"), "{}", applied.stderr);
    let mut writes = stage.writes_since(mark);
    writes.sort();
    assert_eq!(
        writes,
        ["delete nodepools/partial-good-a", "patch nodepools/partial-good-b"]
    );
    assert!(stage.is_there("partial-bad", "nodepool", "partial-bad-a"));
    assert_eq!(
        stage.get("partial-bad", "nodepool", "partial-bad-b")["spec"]["replicas"],
        3
    );
}

#[test]
fn a_cluster_goes_only_when_it_is_listed_and_then_in_order() {
    let Some(stage) = Stage::of("ending", "", &["ending", "living"]) else {
        return;
    };
    stage.run(&["apply", "--yes"]).exits(0);
    let before = stage.uids("ending");

    stage.without_cluster("ending");
    let mark = stage.login.mark();
    let refused = stage.run(&["apply", "--yes"]).exits(3);
    assert!(
        refused
            .stdout
            .contains("cluster ending is no longer in the fleet files, and is not listed under `decommission`"),
        "{}",
        refused.stdout
    );
    assert!(
        refused.stdout.contains("decommission: [{cluster: ending, reason: …}]"),
        "{}",
        refused.stdout
    );
    assert_eq!(stage.writes_since(mark), Vec::<String>::new());
    assert_eq!(stage.uids("ending"), before);

    stage.fleet("  decommission: [{cluster: ending, reason: replaced by living}]");
    let mark = stage.login.mark();
    let applied = stage.run(&["apply", "--yes"]).exits(0);
    assert!(
        applied.stderr.contains("deleting Namespace clusters-ending"),
        "{}",
        applied.stderr
    );
    let mut writes = stage.writes_since(mark);
    writes[..2].sort();
    assert_eq!(
        writes,
        [
            "delete nodepools/ending-a",
            "delete nodepools/ending-b",
            "delete hostedclusters/ending",
            "delete secrets/pull-secret",
            "delete namespaces/clusters-ending"
        ]
    );
    assert!(!stage.is_there("ending", "hostedcluster", "ending"));
    assert!(stage.is_there("living", "hostedcluster", "living"));

    // Nothing here takes namespaces down to their end but us: what a namespace controller does.
    let finalize =
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "clusters-ending"}, "spec": {}});
    let path = "/api/v1/namespaces/clusters-ending/finalize";
    stage
        .login
        .kubectl_in(&["replace", "--raw", path, "-f", "-"], &finalize.to_string());
    assert_eq!(
        stage.planned(),
        [("forget".to_owned(), "Namespace/clusters-ending".to_owned())]
    );
    stage.run(&["apply", "--yes"]).exits(0);
    assert!(
        stage.recorded().keys().all(|object| !object.contains("ending")),
        "{:?}",
        stage.recorded()
    );
    stage.is_settled();
}

#[test]
fn no_run_deletes_more_than_the_cap() {
    let Some(stage) = Stage::of("capped", "  limits: {deletes: 1}", &["capped"]) else {
        return;
    };
    stage.cluster(
        "capped",
        &[
            "a: {profile: general}",
            "b: {profile: general}",
            "c: {profile: general}",
        ],
    );
    stage.run(&["apply", "--yes"]).exits(0);
    stage.cluster("capped", &["c: {profile: general}"]);
    let mark = stage.login.mark();
    let refused = stage.run(&["apply", "--yes"]).exits(3);
    assert!(
        refused
            .stdout
            .contains("refused (delete-cap): this run would delete 2 single objects; the cap is 1"),
        "{}",
        refused.stdout
    );
    assert_eq!(stage.writes_since(mark), Vec::<String>::new());

    stage.cluster("capped", &["b: {profile: general}", "c: {profile: general}"]);
    stage.run(&["apply", "--yes"]).exits(0);
    assert!(!stage.is_there("capped", "nodepool", "capped-a"));
}

#[test]
fn a_pool_that_does_not_go_holds_up_no_other_cluster() {
    let Some(stage) = Stage::of("stuck", "", &["stuck", "unstuck"]) else {
        return;
    };
    stage.run(&["apply", "--yes"]).exits(0);
    let patch = r#"{"metadata":{"finalizers":["fleetwright.test/hold"]}}"#;
    stage.kubectl("stuck", &["patch", "nodepool", "stuck-a", "--type=merge", "-p", patch]);
    stage.without_cluster("stuck");
    stage.fleet("  decommission: [{cluster: stuck, reason: a test}]");
    stage.cluster(
        "unstuck",
        &[
            "a: {profile: general, replicas: 1}",
            "b: {profile: general, replicas: 3}",
        ],
    );
    let applied = stage
        .run(&["apply", "--yes", "--concurrency", "1", "--wait=2s"])
        .exits(1);
    let place = |line: &str| {
        applied
            .stderr
            .find(line)
            .unwrap_or_else(|| panic!("{line} is not in\n{}", applied.stderr))
    };
    let failed = place(
        "failed NodePool clusters-stuck/stuck-a: still there after 2 s: held by finalizers: fleetwright.test/hold",
    );
    assert!(
        place("updated NodePool clusters-unstuck/unstuck-a") < failed,
        "{}",
        applied.stderr
    );
    // What has to be gone after it is not begun.
    place("skipped HostedCluster clusters-stuck/stuck: it needs NodePool clusters-stuck/stuck-a, which failed");
    assert!(stage.is_there("stuck", "hostedcluster", "stuck"));
}

#[test]
fn a_namespace_does_not_go_while_others_live_in_it() {
    let Some(stage) = Stage::of("housing", "", &["housing", "house"]) else {
        return;
    };
    stage.run(&["apply", "--yes"]).exits(0);
    // Somebody puts a control plane of his own beside ours, as `hypershift create cluster` would with --namespace.
    let mut theirs = stage.get("housing", "hostedcluster", "housing");
    theirs["metadata"] = serde_json::json!({"name": "theirs", "namespace": "clusters-housing"});
    theirs["status"].take();
    stage.login.kubectl_in(&["create", "-f", "-"], &theirs.to_string());
    // Another has his database there, of kinds that the fleet has nothing to do with.
    let claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data", "namespace": "clusters-housing"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}});
    let set = json!({"apiVersion": "apps/v1", "kind": "StatefulSet",
        "metadata": {"name": "database", "namespace": "clusters-housing"},
        "spec": {"serviceName": "database", "selector": {"matchLabels": {"of": "others"}},
            "template": {"metadata": {"labels": {"of": "others"}}, "spec": {"containers": [{"name": "c", "image": "example/c"}]}}}});
    let all = json!({"apiVersion": "v1", "kind": "List", "items": [claim, set]});
    stage.login.kubectl_in(&["create", "-f", "-"], &all.to_string());
    let before = stage.uids("housing");
    stage.without_cluster("housing");
    stage.fleet("  decommission: [{cluster: housing, reason: replaced}]");
    let mark = stage.login.mark();
    let refused = stage.run(&["apply", "--yes"]).exits(3);
    for theirs in [
        "HostedCluster clusters-housing/theirs",
        "PersistentVolumeClaim clusters-housing/data",
        "StatefulSet clusters-housing/database",
    ] {
        assert!(refused.stdout.contains(theirs), "{theirs}: {}", refused.stdout);
    }
    assert_eq!(stage.writes_since(mark), Vec::<String>::new());
    assert_eq!(stage.uids("housing"), before);

    // Who goes on with the rest, or is a daemon, leaves the namespace and what is in it.
    stage.run(&["apply", "--yes", "--keep-going"]).exits(3);
    assert!(!stage.is_there("housing", "hostedcluster", "housing"));
    assert!(stage.is_there("housing", "hostedcluster", "theirs"));
    assert!(stage.is_there("housing", "statefulset", "database"));
    stage.kubectl("housing", &["delete", "hostedcluster", "theirs"]);
    stage.kubectl("housing", &["delete", "statefulset", "database"]);
    stage.run(&["apply", "--yes"]).exits(3);
    assert!(stage.is_there("housing", "persistentvolumeclaim", "data"));
    stage.kubectl("housing", &["delete", "persistentvolumeclaim", "data", "--wait=false"]);
    let free = r#"{"metadata":{"finalizers":null}}"#;
    stage.kubectl(
        "housing",
        &["patch", "persistentvolumeclaim", "data", "--type=merge", "-p", free],
    );
    stage.run(&["apply", "--yes"]).exits(0);
    let namespace = stage.login.get(&["namespace", "clusters-housing"]);
    assert!(namespace["metadata"]["deletionTimestamp"].is_string(), "{namespace}");
}
