//! What is recorded and gone from OCI: a part is mended, a whole network is asked about.

use fleetwright::plan::change::Reason;
use serde_json::{Value, json};

use super::drift::since;
use super::said::{Told, change, goes_ahead, is_settled, text};
use super::world::World;

/// Two networks without clusters.
const NETWORKS: &str = "---
kind: Network
metadata: {name: lost}
spec: {region: us-ashburn-1, managementCluster: m, compartment: clusters, peerWith: none}
---
kind: Network
metadata: {name: kept}
spec: {region: us-ashburn-1, managementCluster: m, compartment: clusters, peerWith: none}";

const WAIVER: &str = "  waivers: [{rule: vanished, network: lost, reason: it was a drill, until: 2026-11-30}]\n";

/// In the order in which OCI lets them go, with the paths under which they are.
const KINDS: [(&str, &str); 9] = [
    ("Subnet", "subnets"),
    ("RouteTable", "routeTables"),
    ("SecurityList", "securityLists"),
    ("NetworkSecurityGroup", "networkSecurityGroups"),
    ("InternetGateway", "internetGateways"),
    ("NatGateway", "natGateways"),
    ("ServiceGateway", "serviceGateways"),
    ("DhcpOptions", "dhcps"),
    ("Vcn", "vcns"),
];

/// Somebody deletes all that a unit has on OCI, by hand and in order.
async fn delete_by_hand(world: &World, unit: &str) -> usize {
    let mut deleted = 0;
    let of_unit = |body: &Value| body["freeformTags"]["fleetwright-unit"] == unit;
    for group in world.sandbox.oci().resources() {
        if group.kind == "NetworkSecurityGroup" && of_unit(&group.body) {
            clear(world, &group.id);
        }
    }
    for (kind, plural) in KINDS {
        let resources = world.sandbox.oci().resources();
        for resource in resources.iter().filter(|it| it.kind == kind && of_unit(&it.body)) {
            world.act("DELETE", &format!("/20160918/{plural}/{}", resource.id), &Value::Null);
            deleted += 1;
        }
        world.pass(5).await;
    }
    deleted
}

/// Groups whose rules name each other hold each other.
fn clear(world: &World, group: &str) {
    let path = format!("/20160918/networkSecurityGroups/{group}");
    let rules = world.act("GET", &format!("{path}/securityRules"), &Value::Null);
    let ids: Vec<&Value> = rules.as_array().into_iter().flatten().map(|rule| &rule["id"]).collect();
    for some in ids.chunks(25) {
        let body = json!({"securityRuleIds": some});
        world.act("POST", &format!("{path}/actions/removeSecurityRules"), &body);
    }
}

#[tokio::test(start_paused = true)]
async fn a_network_that_somebody_deleted_is_made_again_when_the_files_say_so() {
    let mut world = World::with_more(NETWORKS, &[]).await;
    world.converges().await;
    let deleted = delete_by_hand(&world, "network lost").await;
    let subnet = world.ocid("Subnet", "kept-workers");
    world.act("DELETE", &format!("/20160918/subnets/{subnet}"), &Value::Null);
    world.pass(5).await;

    let planned = world.plan().await;
    let refusals = &planned.plan.refusals;
    assert_eq!(refusals.len(), 1, "{}", text(&planned));
    assert_eq!((refusals[0].guard, refusals[0].objects.len()), ("vanished", deleted));
    assert!(refusals[0].message.contains("network lost"), "{}", refusals[0].message);
    assert!(
        text(&planned).contains("{rule: vanished, network: lost,"),
        "{}",
        text(&planned)
    );
    assert_eq!(change(&planned, "Vcn", "lost").reason, Reason::Vanished);
    // What is gone from a VCN that is there is mended as ever.
    let names: Vec<String> = goes_ahead(&planned).into_keys().collect();
    assert_eq!(names, ["Create Subnet/kept-workers"]);
    let from = world.written();
    world.apply(&planned, &Told::default()).await;
    assert_eq!(since(&world, from), ["CreateSubnet kept-workers"]);
    assert!(
        world.plan().await.plan.is_refused(),
        "it is refused as long as nobody says anything"
    );

    world.fleet(&format!("{WAIVER}{NETWORKS}"));
    world.converges().await;
    let made = world.ocid("Vcn", "lost");
    assert_eq!(world.oci("vcns", &made)["lifecycleState"], "AVAILABLE");
    assert!(is_settled(&world.plan().await));
}

#[tokio::test(start_paused = true)]
async fn a_network_that_is_gone_and_no_longer_wanted_is_dropped_from_the_record() {
    let mut world = World::with_more(NETWORKS, &[]).await;
    world.converges().await;
    delete_by_hand(&world, "network lost").await;
    let kept = NETWORKS
        .find("---\nkind: Network\nmetadata: {name: kept}")
        .expect("the other one");
    world.fleet(&NETWORKS[kept..]);
    let planned = world.plan().await;
    assert!(planned.plan.refusals.is_empty(), "{}", text(&planned));
    let from = world.written();
    world.converges().await;
    assert_eq!(since(&world, from), Vec::<String>::new());
    let recorded = World::recorded(&world.plan().await);
    assert_eq!(recorded.get("network lost").map_or(0, Vec::len), 0, "{recorded:#?}");
}
