//! Other releases.

use serde_json::json;

use super::stage::{POOLS, Stage};

#[tokio::test(start_paused = true)]
async fn an_upgrade_over_a_minor_version_in_between() {
    let mut stage = Stage::of(&[("a", &format!("{POOLS}\n  version: 4.18.20"))]).await;
    stage.cluster("a", &format!("{POOLS}\n  version: 4.20.3"));
    stage.report().await.text("minor-left-out").markdown("minor-left-out");
    stage.cluster("a", &format!("{POOLS}\n  version: 4.20.3\n  via: [4.19.14]"));
    stage
        .report()
        .await
        .text("eus-upgrade")
        .markdown("eus-upgrade")
        .json("eus-upgrade");
    let planned = stage.0.plan().await;
    stage.0.apply(&planned, &super::super::said::Told::default()).await;
    stage.0.pass(5).await;
    stage.report().await.text("eus-upgrade-under-way");
}

#[tokio::test(start_paused = true)]
async fn an_upgrade_over_a_minor_version_of_which_a_ring_has_a_release() {
    let mut stage = Stage::of(&[("a", "  version: 4.18.20")]).await;
    let rings = "kind: Release\nmetadata: {name: stable}\nspec:\n  rings:\n    early: {controlPlane: 4.20.3}\n    \
                 late: {controlPlane: 4.19.14, pools: 4.19.9}\n";
    stage.0.place.write("releases.yaml", rings);
    stage.cluster("a", "  ring: early\n  version: null");
    stage.report().await.text("eus-upgrade-by-rings");
}

#[tokio::test(start_paused = true)]
async fn a_release_that_goes_back() {
    let mut stage = Stage::of(&[("a", "  version: 4.20.3")]).await;
    stage.cluster("a", "  version: 4.19.14");
    stage.report().await.text("downgrade");
}

#[tokio::test(start_paused = true)]
async fn a_release_that_the_operator_does_not_manage() {
    let mut stage = Stage::of(&[("a", "")]).await;
    stage
        .create(
            "operator",
            &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "hypershift"}}),
        )
        .await;
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "supported-versions", "namespace": "hypershift"},
        "data": {"supported-versions": "{\"versions\": [\"4.19\", \"4.18\"]}"}});
    stage.create("operator", &map).await;
    stage.cluster("a", "  version: 4.20.3");
    stage.report().await.text("release-not-supported");
}
