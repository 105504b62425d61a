//! One plan over both control planes, in order.

use fleetwright::apply::ChangeResult;
use fleetwright::report::json;
use serde_json::Value;

use super::said::{Told, change, is_settled, text, waves};
use super::world::{World, hosted_clusters, node_pools};

#[tokio::test(start_paused = true)]
async fn one_plan_holds_network_control_plane_and_pools_in_order() {
    let world = World::of(&[("a", "")]).await;
    let planned = world.plan().await;
    let chain = ["Vcn/a", "Subnet/a-workers", "HostedCluster/a", "NodePool/a-general"];
    let waves = waves(&planned);
    for pair in chain.windows(2) {
        assert!(waves[pair[0]] < waves[pair[1]], "{pair:?}: {waves:#?}");
    }
    assert!(waves["LocalPeeringGateway/a-management"] > waves["Vcn/a"], "{waves:#?}");

    let told = Told::default();
    let outcome = world.apply(&planned, &told).await;
    assert!(outcome.is_success(), "{:#?}", told.failures());
    assert!(told.ended().iter().all(|(_, _, result)| *result == ChangeResult::Done));
    for pair in chain.windows(2) {
        assert!(told.when(pair[0]) < told.when(pair[1]), "{pair:?}: {:#?}", told.ended());
    }

    let cluster = world
        .get(&hosted_clusters(), "clusters-a", "a")
        .await
        .expect("the control plane");
    let network = &cluster["spec"]["platform"]["oci"]["networkConfig"];
    assert_eq!(network["vcn"]["ocid"], world.ocid("Vcn", "a"));
    assert_eq!(network["nlbSubnet"]["ocid"], world.ocid("Subnet", "a-endpoint"));
    let pool = world
        .get(&node_pools(), "clusters-a", "a-general")
        .await
        .expect("the pool");
    assert_eq!(
        pool["spec"]["platform"]["oci"]["subnet"]["ocid"],
        world.ocid("Subnet", "a-workers")
    );

    let again = world.plan().await;
    assert!(is_settled(&again), "{}", text(&again));
}

const EXISTING: &str = "  manage: pools
  network:
    existing:
      vcn: ocid1.vcn.oc1.iad.amaaaaaaoldvcn
      endpointSubnet: ocid1.subnet.oc1.iad.aaaaaaaaoldendpoint
      workerSubnet: ocid1.subnet.oc1.iad.aaaaaaaaoldworkers
    machine: 10.40.0.0/20";

#[tokio::test(start_paused = true)]
async fn a_pool_that_moves_to_a_new_network_shows_what_only_the_apply_will_know() {
    let mut world = World::of(&[("a", EXISTING)]).await;
    world.converges().await;
    let subnet = |pool: Value| pool["spec"]["platform"]["oci"]["subnet"]["ocid"].clone();
    let pool = world
        .get(&node_pools(), "clusters-a", "a-general")
        .await
        .expect("the pool");
    assert_eq!(subnet(pool), "ocid1.subnet.oc1.iad.aaaaaaaaoldworkers");

    world.cluster("a", "  manage: pools");
    let planned = world.plan().await;
    let moved = change(&planned, "NodePool", "a-general");
    assert!(moved.goes_ahead(), "{:?}", moved.blocks);
    let shown = text(&planned);
    let line = shown
        .lines()
        .find(|line| line.contains("spec.platform.oci.subnet.ocid"));
    let line = line.unwrap_or_else(|| panic!("{shown}"));
    assert!(line.contains("ocid1.subnet.oc1.iad.aaaaaaaaoldworkers"), "{line}");
    assert!(line.contains("(known after apply) Subnet/a-workers.id"), "{line}");
    let report = serde_json::to_value(json::plan(&planned.plan, &[])).expect("JSON");
    let changes = report["changes"].as_array().expect("changes");
    let of_pool = changes
        .iter()
        .find(|change| change["object"]["kind"] == "NodePool")
        .expect("the pool's change");
    let fields = of_pool["fields"].as_array().expect("fields");
    let field = fields
        .iter()
        .find(|field| field["field"] == ".spec.platform.oci.subnet.ocid")
        .expect("the field");
    assert_eq!(field["after"], "(known after apply) Subnet/a-workers.id");
    let waves = waves(&planned);
    assert!(waves["Subnet/a-workers"] < waves["NodePool/a-general"], "{waves:#?}");

    let told = Told::default();
    assert!(
        world.apply(&planned, &told).await.is_success(),
        "{:#?}",
        told.failures()
    );
    let pool = world
        .get(&node_pools(), "clusters-a", "a-general")
        .await
        .expect("the pool");
    assert_eq!(subnet(pool), world.ocid("Subnet", "a-workers"));
}
