//! Networks.

use serde_json::{Value, json};

use super::super::world::{self, OTHERS};
use super::stage::{POOLS, Stage};

/// A fleet whose clusters have networks of their own.
async fn of(clusters: &[(&str, &str)]) -> Stage {
    let fleet = world::FLEET.replace("MORE", "");
    let fleet = fleet
        .split("---\nkind: NodePoolProfile")
        .next()
        .expect("a start")
        .to_owned();
    Stage::unapplied(&fleet, clusters).await
}

#[tokio::test(start_paused = true)]
async fn a_first_plan_with_a_network() {
    of(&[("a", "")]).await.report().await.text("first-plan-with-network");
}

#[tokio::test(start_paused = true)]
async fn a_network_of_other_addresses() {
    let mut stage = of(&[("a", "  network: {vcn: 10.20.0.0/20}")]).await;
    stage.settle().await;
    stage.cluster("a", "  network: {vcn: 10.21.0.0/20}");
    stage.report().await.text("cidr-change").markdown("cidr-change");
}

#[tokio::test(start_paused = true)]
async fn rights_that_are_lost() {
    let mut stage = of(&[("a", ""), ("b", "  compartment: others")]).await;
    stage.settle().await;
    stage.0.sandbox.oci().deny(OTHERS);
    stage.cluster("a", "  tags: {cost-center: '7'}");
    stage.cluster("b", "  compartment: others\n  tags: {cost-center: '7'}");
    stage
        .report()
        .await
        .text("lost-permission")
        .markdown("lost-permission")
        .for_pipelines("lost-permission");
}

#[tokio::test(start_paused = true)]
async fn resources_that_somebody_deleted() {
    let stage = of(&[("a", "")]).await;
    stage.settle().await;
    let list = stage.0.ocid("SecurityList", "a-workers");
    let none = json!({"ingressSecurityRules": []});
    stage.0.act("PUT", &format!("/20160918/securityLists/{list}"), &none);
    let near = stage.0.ocid("LocalPeeringGateway", "a-management");
    let table = stage.0.ocid("RouteTable", "a-private");
    let mut rules = stage.0.oci("routeTables", &table)["routeRules"].clone();
    let kept = rules.as_array_mut().expect("rules");
    kept.retain(|rule| rule["networkEntityId"] != near);
    stage.0.act(
        "PUT",
        &format!("/20160918/routeTables/{table}"),
        &json!({"routeRules": rules}),
    );
    let gateway = format!("/20160918/localPeeringGateways/{near}");
    stage.0.act("DELETE", &gateway, &Value::Null);
    stage.0.pass(5).await;
    stage.report().await.text("oci-resource-lost");
}

#[tokio::test(start_paused = true)]
async fn a_subnet_that_can_not_move() {
    let mut stage = of(&[("a", "")]).await;
    stage.settle().await;
    stage.cluster("a", "  network: {availabilityDomain: 'Fwsb:IAD-AD-1'}");
    stage.report().await.text("network-replaced");
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_waits_for_its_network() {
    let named = "  network: {existing: {vcn: {name: theirs}, endpointSubnet: {name: theirs-endpoint}, workerSubnet: {name: \
                 theirs-workers}}, machine: 10.40.0.0/20}";
    let stage = of(&[("a", named)]).await;
    stage.report().await.text("network-not-there");
}

#[tokio::test(start_paused = true)]
async fn a_first_plan_without_the_rights_to_look() {
    let stage = of(&[("a", "  compartment: others")]).await;
    stage.0.sandbox.oci().deny(OTHERS);
    stage.report().await.text("first-plan-without-rights");
}

#[tokio::test(start_paused = true)]
async fn a_pool_is_scaled_and_another_is_made_of_another_shape() {
    let mut stage = of(&[("a", POOLS)]).await;
    stage.settle().await;
    stage.cluster(
        "a",
        "  pools: {general: {profile: general, replicas: 5}, memory: {profile: memory, ocpus: 16}}",
    );
    stage
        .report()
        .await
        .text("pool-scaled")
        .markdown("pool-scaled")
        .json("pool-scaled");
}
