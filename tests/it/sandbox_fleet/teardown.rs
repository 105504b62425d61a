//! A cluster that is decommissioned: what hangs on something goes before it, and nothing else goes.

use fleetwright::sandbox::kubernetes::Happening;
use fleetwright::sandbox::oci::LoggedWrite;
use serde_json::json;

use super::said::{Told, goes_ahead, is_settled, text, unknown};
use super::world::{OTHERS, World};

/// When something was written, as an index of the log.
#[track_caller]
fn when(writes: &[LoggedWrite], operation: &str, name: &str) -> usize {
    let found = writes
        .iter()
        .position(|write| write.operation == operation && write.display_name == name);
    found.unwrap_or_else(|| panic!("no {operation} of {name}: {writes:#?}"))
}

#[tokio::test(start_paused = true)]
async fn pools_go_first_then_the_control_plane_its_load_balancer_and_the_network() {
    let mut world = World::of(&[("a", ""), ("b", "")]).await;
    world.converges().await;
    // The guest makes its load balancer when its nodes are there.
    world.pass(120).await;
    let balancers = world.sandbox.oci().living()["NetworkLoadBalancer"].len();
    assert_eq!(balancers, 2, "{:#?}", world.sandbox.oci().living());
    let kept = world.ocid("Vcn", "b");

    world.decommission("a");
    let cluster = world.sandbox.cluster("m").await.expect("the API server");
    let mut happenings = cluster.server().subscribe();
    let before = world.written();
    let planned = world.plan().await;
    assert!(planned.plan.refusals.is_empty(), "{}", text(&planned));
    let told = Told::default();
    let outcome = world.apply(&planned, &told).await;
    assert!(outcome.is_success(), "{:#?}", told.failures());
    world.converges().await;

    let mut gone = Vec::new();
    while let Some(event) = happenings.try_next().expect("no event was missed") {
        let hypershift = event.group == "hypershift.openshift.io";
        if hypershift && event.happening == Happening::Deleted {
            gone.push(format!("{}/{}", event.plural, event.name));
        }
        let of_b = hypershift && event.namespace == "clusters-b";
        assert!(!of_b || event.happening == Happening::Modified, "{event:?}");
    }
    assert_eq!(gone, ["nodepools/a-general", "hostedclusters/a"]);
    assert!(told.when("NodePool/a-general") < told.when("HostedCluster/a"));

    let writes: Vec<LoggedWrite> = world.sandbox.oci().writes().split_off(before);
    let own = &world.sandbox.identity().principal().user;
    let network = writes
        .iter()
        .position(|write| write.principal.user == *own)
        .expect("the network to go");
    let balancer = writes
        .iter()
        .position(|write| write.operation == "DeleteNetworkLoadBalancer");
    assert!(
        balancer.expect("the guest's load balancer to go") < network,
        "{writes:#?}"
    );
    assert!(when(&writes, "DeleteSubnet", "a-workers") < when(&writes, "DeleteVcn", "a"));
    assert!(told.when("HostedCluster/a") < told.when("Subnet/a-workers"));
    for write in &writes {
        assert!(
            !write.display_name.starts_with('b') && !write.display_name.starts_with("m-b"),
            "{write:#?}"
        );
    }

    assert_eq!(world.oci("vcns", &kept)["lifecycleState"], "AVAILABLE");
    let planned = world.plan().await;
    assert!(is_settled(&planned), "{}", text(&planned));
    assert!(
        !World::recorded(&planned).contains_key("cluster a"),
        "{:#?}",
        World::recorded(&planned)
    );
}

#[tokio::test(start_paused = true)]
async fn what_somebody_hung_on_a_vcn_blocks_it_and_nothing_else() {
    // It is in a compartment of its own, of which the fleet knows by another cluster.
    let mut world = World::of(&[("a", ""), ("b", ""), ("c", "  compartment: others")]).await;
    world.converges().await;
    let vcn = world.ocid("Vcn", "a");
    let shown = world.oci("vcns", &vcn);
    let block: ipnet::Ipv4Net = shown["cidrBlocks"][0]
        .as_str()
        .expect("a range")
        .parse()
        .expect("a range");
    let last = block
        .subnets(28)
        .expect("small ranges")
        .last()
        .expect("one")
        .to_string();
    let body = json!({"compartmentId": OTHERS, "vcnId": vcn, "cidrBlock": last, "displayName": "theirs"});
    let theirs = world.act("POST", "/20160918/subnets", &body)["id"]
        .as_str()
        .expect("an OCID")
        .to_owned();
    world.pass(5).await;

    world.decommission("a");
    world.cluster("b", "  tags: {cost-center: '7'}");
    let planned = world.plan().await;
    assert!(unknown(&planned).is_empty(), "{}", text(&planned));
    let told = Told::default();
    let outcome = world.apply(&planned, &told).await;
    assert!(!outcome.is_success());
    let failures = told.failures();
    assert_eq!(failures.keys().collect::<Vec<_>>(), ["Vcn/a"], "{failures:#?}");
    assert!(failures["Vcn/a"].contains("blocked by Subnet theirs"), "{failures:#?}");
    let other = world.oci("vcns", &world.ocid("Vcn", "b"));
    assert_eq!(other["freeformTags"]["cost-center"], "7");
    assert_eq!(world.oci("subnets", &theirs)["lifecycleState"], "AVAILABLE");

    // It is still recorded, and tried again.
    let planned = world.plan().await;
    assert_eq!(goes_ahead(&planned).keys().collect::<Vec<_>>(), ["Delete Vcn/a"]);
    world.act(
        "DELETE",
        &format!("/20160918/subnets/{theirs}"),
        &serde_json::Value::Null,
    );
    world.pass(5).await;
    world.converges().await;
    assert!(!World::recorded(&world.plan().await).contains_key("cluster a"));
    assert!(!world.sandbox.oci().living()["Vcn"].contains(&vcn));
}

/// OCI refuses for a day the token by which something was made that is gone.
#[tokio::test(start_paused = true)]
async fn what_was_taken_down_can_be_made_again_the_same_day() {
    let mut world = World::of(&[("a", ""), ("b", "")]).await;
    world.converges().await;
    let before = world.ocid("Vcn", "a");
    for hour in 13..15 {
        world.decommission("a");
        world.converges().await;
        assert!(!World::recorded(&world.plan().await).contains_key("cluster a"));
        world.fleet("");
        world.cluster("a", "");
        world.now = format!("2026-11-21T{hour}:00:00Z");
        world.converges().await;
    }
    assert_ne!(world.ocid("Vcn", "a"), before);
    assert_eq!(
        world.sandbox.oci().living()["Vcn"].len(),
        3,
        "with the management cluster's"
    );
}

/// A run does not wait for the last delete; that it is gone then was our doing.
#[tokio::test(start_paused = true)]
async fn what_was_taken_down_and_not_seen_gone_was_deleted_by_nobody_else() {
    let mut world = World::of(&[("a", ""), ("b", "")]).await;
    world.converges().await;
    world.decommission("a");
    let planned = world.plan().await;
    let told = Told::default();
    assert!(
        world.apply(&planned, &told).await.is_success(),
        "{:#?}",
        told.failures()
    );
    world.pass(60).await;
    world.fleet("");
    world.cluster("a", "");
    world.now = "2026-11-21T13:00:00Z".to_owned();
    let planned = world.plan().await;
    assert!(planned.plan.refusals.is_empty(), "{}", text(&planned));
    assert!(!text(&planned).contains("by someone else"), "{}", text(&planned));
    assert!(
        World::recorded(&planned).contains_key("cluster a"),
        "the VCN, which nobody waited for"
    );
    world.converges().await;
}
