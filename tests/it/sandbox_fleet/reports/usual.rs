//! What comes up every week.

use std::sync::Arc;

use fleetwright::ops;
use fleetwright::plan::narrow::Narrow;
use fleetwright::sandbox::kubernetes::Resource;
use serde_json::json;

use super::super::world::node_pools;
use super::stage::{FLEET, POOLS, PROFILES, Stage};

fn core(plural: &str) -> Resource {
    Resource::new("", "v1", plural)
}

#[tokio::test(start_paused = true)]
async fn a_first_plan() {
    let stage = Stage::unapplied(&FLEET.replace("MORE", ""), &[("a", POOLS), ("b", "")]).await;
    stage
        .report()
        .await
        .text("first-plan")
        .markdown("first-plan")
        .for_pipelines("first-plan");
}

#[tokio::test(start_paused = true)]
async fn nothing_to_do() {
    let stage = Stage::of(&[("a", "")]).await;
    stage
        .report()
        .await
        .text("nothing-to-do")
        .markdown("nothing-to-do")
        .json("nothing-to-do")
        .for_pipelines("nothing-to-do");
}

#[tokio::test(start_paused = true)]
async fn one_pool_is_removed() {
    let mut stage = Stage::of(&[("a", POOLS)]).await;
    stage.cluster("a", "");
    stage.report().await.text("pool-removed").markdown("pool-removed");
}

#[tokio::test(start_paused = true)]
async fn only_drift() {
    let stage = Stage::of(&[("a", POOLS)]).await;
    let scaled = json!({"spec": {"replicas": 9}});
    stage.patch("kubectl-edit", &node_pools(), "a-general", &scaled).await;
    stage.delete(&node_pools(), ("clusters-a", "a-memory")).await;
    stage.0.pass(60).await;
    stage.report().await.text("drift-only").json("drift-only");
}

#[tokio::test(start_paused = true)]
async fn drift_beside_a_change_asked_for_alone() {
    let mut stage = Stage::of(&[("a", POOLS), ("b", "")]).await;
    let scaled = json!({"spec": {"replicas": 9}});
    stage.patch("kubectl-edit", &node_pools(), "a-general", &scaled).await;
    stage.cluster("b", "  pools: {general: {profile: general, replicas: 4}}");
    let to = Narrow {
        drift: true,
        ..Narrow::default()
    };
    stage.plan(&to).await.text("drift-asked-for");
}

#[tokio::test(start_paused = true)]
async fn the_pull_secret_is_another() {
    let stage = Stage::of(&[("a", POOLS)]).await;
    let content = json!({"data": {".dockerconfigjson": "eyJhdXRocyI6e319"}});
    stage
        .patch_in("vault", &core("secrets"), ("fleetwright", "pull-secret"), &content)
        .await;
    stage
        .report()
        .await
        .text("pull-secret-changed")
        .markdown("pull-secret-changed")
        .json("pull-secret-changed");
}

#[tokio::test(start_paused = true)]
async fn the_pull_secret_has_another_name() {
    let mut stage = Stage::of(&[("a", POOLS)]).await;
    stage.cluster(
        "a",
        &format!("{POOLS}\n  pullSecret: {{name: registry, from: fleetwright/pull-secret}}"),
    );
    stage
        .report()
        .await
        .text("pull-secret-renamed")
        .markdown("pull-secret-renamed");
}

#[tokio::test(start_paused = true)]
async fn somebody_changes_a_copied_secret() {
    let stage = Stage::of(&[("a", "")]).await;
    let content = json!({"data": {".dockerconfigjson": "eyJhdXRocyI6e319"}});
    stage
        .patch("kubectl-patch", &core("secrets"), "pull-secret", &content)
        .await;
    stage.report().await.text("secrets-masked");
}

/// A file of forty lines, with a value in the middle.
fn settings(level: &str) -> String {
    let line = |number: usize| match number {
        20 => format!("          log-level: {level}\n"),
        _ => format!("          option-{number}: value of option {number}\n"),
    };
    let lines: String = (1..=40).map(line).collect();
    format!(
        "  extraManifests:\n    - apiVersion: v1\n      kind: ConfigMap\n      metadata: {{name: settings}}\n      data:\n        \
         settings.yaml: |\n{lines}"
    )
}

#[tokio::test(start_paused = true)]
async fn one_line_of_a_long_config_map() {
    let mut stage = Stage::of(&[("a", &settings("info"))]).await;
    stage.cluster("a", &settings("debug"));
    stage.report().await.text("config-map-edit").markdown("config-map-edit");
}

#[tokio::test(start_paused = true)]
async fn one_line_of_a_profile_of_a_hundred_clusters() {
    let names: Vec<String> = (1..=100).map(|number| format!("c{number:03}")).collect();
    let clusters: Vec<(&str, &str)> = names.iter().map(|name| (&**name, POOLS)).collect();
    let limits = "  thresholds: {hostedClustersWarn: 200, hostedClustersMost: 200}";
    let fleet = FLEET
        .replace("MORE", limits)
        .replace("dialect: none", "capacity: 200")
        .replace(
            "  defaults:\n",
            "  defaults:\n    tenancy: ocid1.tenancy.oc1..aaaa\n    compartment: ocid1.compartment.oc1..aaaa\n",
        )
        .replace(
            "workerSubnet",
            "endpointSubnet: ocid1.subnet.oc1.iad.bbbb, workerSubnet",
        );
    let mut stage = Stage::unapplied(&fleet, &clusters).await;
    stage.0.converges().await;
    let larger = PROFILES.replace("ocpus: 4", "ocpus: 6");
    stage.0.place.write("profiles.yaml", &larger);
    stage.0.reload();
    stage.report().await.text("profile-edit").markdown("profile-edit");
}

#[tokio::test(start_paused = true)]
async fn a_cluster_has_another_name() {
    let mut stage = Stage::of(&[("a", ""), ("b", "")]).await;
    stage.0.place.write(
        "moved.yaml",
        "kind: Moved\nmetadata: {name: renames}\nspec:\n  - {from: cluster/a, to: cluster/payments}\n",
    );
    stage.0.place.remove("clusters/a.yaml");
    stage.cluster("payments", "");
    stage.report().await.text("moved-cluster");
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_is_decommissioned() {
    let mut stage = Stage::of(&[("a", ""), ("b", POOLS)]).await;
    stage.0.place.remove("clusters/b.yaml");
    stage.fleet("  decommission: [{cluster: b, reason: replaced by a}]");
    stage
        .report()
        .await
        .text("cluster-decommissioned")
        .markdown("cluster-decommissioned");
}

#[tokio::test(start_paused = true)]
async fn what_rules_say_to_ignore() {
    let rules = "  ignore: {rules: [{kind: NodePool, pointer: /spec/replicas}, {kind: NodePool, name: nobody, pointer: /spec/replicas}]}";
    let stage = Stage::with(rules, &[("a", "")]).await;
    let scaled = json!({"spec": {"replicas": 9}});
    stage.patch("autoscaler", &node_pools(), "a-general", &scaled).await;
    stage.report().await.text("ignored-by-rules");
}

/// Commits all there is, at the same time each time.
fn commit(stage: &Stage, message: &str) {
    let place = stage.0.place.path();
    let repository = git2::Repository::init(place).expect("a repository");
    let mut index = repository.index().expect("an index");
    index
        .add_all(["fleet"], git2::IndexAddOption::DEFAULT, None)
        .expect("the files");
    let tree = repository.find_tree(index.write_tree().expect("a tree")).expect("it");
    let when = git2::Time::new(1_700_000_000, 0);
    let author = git2::Signature::new("a", "a@example.com", &when).expect("an author");
    let parent = repository.head().ok().and_then(|head| head.peel_to_commit().ok());
    let parents: Vec<&git2::Commit<'_>> = parent.iter().collect();
    let made = repository.commit(Some("HEAD"), &author, &author, message, &tree, &parents);
    made.expect("a commit");
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_is_reviewed() {
    let mut stage = Stage::unapplied(&FLEET.replace("MORE", ""), &[("a", POOLS), ("b", POOLS)]).await;
    commit(&stage, "As it was");
    stage.cluster(
        "a",
        "  version: 4.19.14\n  pools: {general: {profile: general, replicas: 5}}",
    );
    commit(&stage, "Bring a to 4.19.14 and give it two nodes more");
    stage.0.reload();
    let base = ops::Base::at_revision(&stage.0.place.fleet(), "HEAD~1", &stage.0.loaded).expect("the commit before");
    let against = Arc::new(base);
    let report = stage
        .planned(|options| options.against = ops::Against::Rendered(against))
        .await;
    report.text("reviewed-commit").markdown("reviewed-commit");
}
