//! What guards refuse, and how that is lifted.

use fleetwright::resource::Revision;
use serde_json::json;

use super::super::world::node_pools;
use super::stage::{FLEET, POOLS, Stage};

#[tokio::test(start_paused = true)]
async fn a_cluster_that_left_the_files() {
    let mut stage = Stage::of(&[("a", ""), ("b", POOLS)]).await;
    stage.without("b");
    stage
        .report()
        .await
        .text("cluster-removed")
        .markdown("cluster-removed")
        .json("cluster-removed")
        .for_pipelines("cluster-removed");
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_is_protected_for_some_time() {
    let mut stage = Stage::of(&[("a", ""), ("b", "  protectUntil: 2027-01-31T12:00:00Z")]).await;
    stage.0.place.remove("clusters/b.yaml");
    stage.fleet("  decommission: [{cluster: b, reason: replaced by a}]");
    stage.report().await.text("cluster-protected");
}

#[tokio::test(start_paused = true)]
async fn more_deletes_than_the_cap() {
    let clusters = [("a", ""), ("b", ""), ("c", ""), ("d", "")];
    let mut stage = Stage::with("  limits: {deletes: 2}", &clusters).await;
    for name in ["b", "c", "d"] {
        stage.0.place.remove(&format!("clusters/{name}.yaml"));
    }
    let listed = ["b", "c", "d"].map(|name| format!("{{cluster: {name}, reason: the end}}"));
    stage.fleet(&format!(
        "  limits: {{deletes: 2}}\n  decommission: [{}]",
        listed.join(", ")
    ));
    stage.report().await.text("delete-cap");
}

#[tokio::test(start_paused = true)]
async fn more_nodes_than_the_cap() {
    let limit = "  limits: {disruptedNodes: 4}";
    let mut stage = Stage::with(limit, &[("a", POOLS), ("b", POOLS)]).await;
    let newer = FLEET
        .replace("version: 4.19.12", "version: 4.19.14")
        .replace("MORE", limit);
    stage.0.place.write("fleet.yaml", &newer);
    stage.0.reload();
    stage.report().await.text("node-cap").markdown("node-cap");
}

#[tokio::test(start_paused = true)]
async fn most_of_the_fleet_is_gone_from_the_files() {
    let mut stage = Stage::of(&[("a", ""), ("b", ""), ("c", "")]).await;
    for name in ["a", "b", "c"] {
        stage.0.place.remove(&format!("clusters/{name}.yaml"));
    }
    stage.0.reload();
    stage.report().await.text("empty-fleet");
}

#[tokio::test(start_paused = true)]
async fn a_file_that_can_not_be_read() {
    let mut stage = Stage::of(&[("a", ""), ("b", "")]).await;
    stage.cluster("b", "  pols: {general: {profile: general, replicas: 4}}");
    stage.cluster("a", "  pools: {general: {profile: general, replicas: 4}}");
    stage
        .report()
        .await
        .text("broken-file")
        .markdown("broken-file")
        .for_pipelines("broken-file");
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_is_suspended() {
    let mut stage = Stage::of(&[("a", ""), ("b", "")]).await;
    stage.cluster(
        "a",
        "  suspend: {reason: the change freeze of the quarter, until: '2026-12-01T00:00:00Z'}\n  pools: {general: {profile: \
         general, replicas: 5}}",
    );
    stage.report().await.text("suspended");
}

#[tokio::test(start_paused = true)]
async fn a_field_that_can_not_be_changed() {
    let mut stage = Stage::of(&[("a", "")]).await;
    stage.cluster("a", "  etcd: {size: 16Gi}");
    stage.report().await.text("immutable-field").markdown("immutable-field");
}

#[tokio::test(start_paused = true)]
async fn objects_that_somebody_made() {
    let stage = Stage::unapplied(&FLEET.replace("MORE", ""), &[("a", "")]).await;
    let namespace =
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "clusters-a", "labels": {"team": "web"}}});
    stage.create("kubectl-create", &namespace).await;
    stage.report().await.text("adoption");
    let report = stage.planned(|options| options.adopt = true).await;
    report.text("adoption-agreed");
}

#[tokio::test(start_paused = true)]
async fn objects_of_another_fleet() {
    let mut stage = Stage::of(&[("a", POOLS)]).await;
    let pool = stage.0.get(&node_pools(), "clusters-a", "a-general").await.expect("it");
    let mark = pool["metadata"]["annotations"]["fleetwright.dev/owner"]
        .as_str()
        .expect("a mark");
    let uid = stage.0.loaded.revised.fleet.to_string();
    let theirs = mark.replace(&uid, "8c1f6d52-3f0e-4a6b-9d0a-5b7e2f4c9a11");
    let change = json!({"metadata": {"annotations": {"fleetwright.dev/owner": theirs}}});
    stage.patch("fleetwright", &node_pools(), "a-general", &change).await;
    stage
        .patch(
            "fleetwright",
            &node_pools(),
            "a-memory",
            &json!({"metadata": {"annotations": {"fleetwright.dev/owner": null}}}),
        )
        .await;
    stage.cluster("a", "  pools: {general: {profile: general, replicas: 4}}");
    stage
        .report()
        .await
        .text("foreign-owner")
        .for_pipelines("foreign-owner");
}

#[tokio::test(start_paused = true)]
async fn a_mark_that_somebody_took_away() {
    let mut stage = Stage::of(&[("a", "")]).await;
    let without = json!({"metadata": {"annotations": {"fleetwright.dev/owner": null}}});
    stage.patch("kubectl-edit", &node_pools(), "a-general", &without).await;
    stage.cluster("a", "  pools: {general: {profile: general, replicas: 4}}");
    stage.report().await.text("mark-lost");
}

#[tokio::test(start_paused = true)]
async fn a_field_that_another_manager_owns() {
    let mut stage = Stage::of(&[("a", "")]).await;
    let cluster = stage.0.sandbox.cluster("m").await.expect("the API server");
    let theirs = json!({"apiVersion": "hypershift.openshift.io/v1beta1", "kind": "NodePool",
        "metadata": {"name": "a-general", "namespace": "clusters-a"}, "spec": {"replicas": 7}});
    cluster.server().apply("argocd", &theirs, true).expect("an apply");
    stage.cluster("a", "  pools: {general: {profile: general, replicas: 4}}");
    stage
        .report()
        .await
        .text("conflict")
        .markdown("conflict")
        .json("conflict");
}

#[tokio::test(start_paused = true)]
async fn files_that_are_older_than_what_was_applied() {
    let mut stage = Stage::of(&[("a", "")]).await;
    let at = |stage: &mut Stage, revision: &str, time: i64| {
        stage.0.loaded.revised.revision = Revision::new(revision);
        stage.0.loaded.revised.time = time;
    };
    stage.cluster("a", "  pools: {general: {profile: general, replicas: 4}}");
    at(&mut stage, "2b3c4d5e6f7081920a1b2c3d4e5f60718293a4b5", 2000);
    stage.settle().await;
    stage.cluster("a", "");
    at(&mut stage, "1a2b3c4d5e6f708192a3b4c5d6e7f80912a3b4c5", 1000);
    stage.report().await.text("older-revision");
}

#[tokio::test(start_paused = true)]
async fn a_waiver_that_has_ended_since_the_files_were_read() {
    let waiver =
        "  waivers: [{rule: cp-ha-prod, cluster: a, reason: until the second node is there, until: 2026-11-30}]";
    let fleet = FLEET.replace("{availability: single}", "{availability: single, production: true}");
    let mut stage = Stage::unapplied(&fleet.replace("MORE", waiver), &[("a", "")]).await;
    stage.settle().await;
    stage.cluster("a", "  pools: {general: {profile: general, replicas: 4}}");
    let report = stage
        .planned(|options| "2026-12-02T12:00:00Z".clone_into(&mut options.now))
        .await;
    report.text("expired-waiver");
}
