//! What others do meanwhile, and what is left to them.

use serde_json::json;

use super::super::world::node_pools;
use super::stage::{POOLS, Stage};

#[tokio::test(start_paused = true)]
async fn an_object_that_is_still_being_deleted() {
    let stage = Stage::of(&[("a", POOLS)]).await;
    let held = json!({"metadata": {"finalizers": ["example.com/backup"]}});
    stage.patch("backup", &node_pools(), "a-memory", &held).await;
    stage.delete(&node_pools(), ("clusters-a", "a-memory")).await;
    stage.0.pass(60).await;
    stage.report().await.text("terminating");
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_is_only_looked_at() {
    let mut stage = Stage::of(&[("a", "")]).await;
    stage.cluster(
        "a",
        "  manage: observe\n  pools: {general: {profile: general, replicas: 4}}",
    );
    stage.report().await.text("left-to-others");
}
