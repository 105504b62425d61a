//! `examples/two-regions`: networks that are peered with a management cluster of another region.

use serde_json::{Value, json};

use super::crash::cut_off;
use super::drift::since;
use super::said::{Told, are_in_order, change, goes_ahead, is_settled, program_applies, text, unknown, waves};
use super::world::{World, hosted_clusters, living};

const IAD: &str = "us-ashburn-1";
const PHX: &str = "us-phoenix-1";
const MANAGEMENT_TABLE: &str = "ocid1.routetable.oc1.iad.aaaaaaaaiadmgmtnodes4w9k2q6";
/// The management cluster's range.
const MANAGEMENT: &str = "10.16.0.0/16";

fn shown(world: &World, region: &str, plural: &str, ocid: &str) -> Value {
    world.act_in(region, "GET", &format!("/20160918/{plural}/{ocid}"), &Value::Null)
}

/// The targets of the rules of a route table, by destination.
fn routes(world: &World, region: &str, table: &str) -> Vec<(String, String)> {
    let table = shown(world, region, "routeTables", table);
    let rules = table["routeRules"].as_array().expect("rules").iter();
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    rules
        .map(|rule| (text(&rule["destination"]), text(&rule["networkEntityId"])))
        .collect()
}

fn range(world: &World, name: &str) -> String {
    let vcn = shown(world, PHX, "vcns", &world.ocid("Vcn", name));
    vcn["cidrBlocks"][0].as_str().expect("a range").to_owned()
}

/// Takes the rule for a destination out of a table, as somebody else.
fn take_out(world: &World, region: &str, table: &str, destination: &str) {
    let mut rules = shown(world, region, "routeTables", table)["routeRules"].clone();
    let list = rules.as_array_mut().expect("rules");
    let before = list.len();
    list.retain(|rule| rule["destination"] != destination);
    assert_eq!(list.len() + 1, before, "{list:?}");
    let path = format!("/20160918/routeTables/{table}");
    world.act_in(region, "PUT", &path, &json!({"routeRules": rules}));
}

/// The same fleet without clusters: one network, peered from afar.
async fn network_alone() -> World {
    let mut world = World::example("two-regions").await;
    world.place.remove("clusters/orders.yaml");
    world.place.remove("clusters/trial.yaml");
    world.edit("fleet.yaml", |text| text.replace(", network: {shared: phx-dev}", ""));
    world
}

#[tokio::test(start_paused = true)]
async fn networks_of_another_region_are_peered_in_one_run() {
    let world = World::example("two-regions").await;
    let planned = world.plan().await;
    are_in_order(
        &waves(&planned),
        &[
            &["Drg/iad", "DrgAttachment/iad", "RouteTableRules/iad-orders-1"],
            &[
                "Drg/iad",
                "RemotePeeringConnection/iad-to-us-phoenix-1",
                "RemotePeeringConnection/iad-us-phoenix-1",
            ],
            &["Drg/iad-us-phoenix-1", "RemotePeeringConnection/iad-us-phoenix-1"],
            &[
                "Drg/iad-us-phoenix-1",
                "DrgAttachment/orders-management",
                "RouteTable/orders-private",
            ],
            &["Vcn/orders", "DrgAttachment/orders-management"],
            &[
                "RouteTable/orders-private",
                "Subnet/orders-workers",
                "HostedCluster/orders",
                "NodePool/orders-general",
            ],
        ],
    );
    let told = Told::default();
    let outcome = world.apply(&planned, &told).await;
    assert!(outcome.is_success(), "{:#?}", told.failures());

    let far = world.ocid("RemotePeeringConnection", "iad-to-us-phoenix-1");
    let near = world.ocid("RemotePeeringConnection", "iad-us-phoenix-1");
    for (region, own, peer, peer_region) in [(IAD, &far, &near, PHX), (PHX, &near, &far, IAD)] {
        let connection = shown(&world, region, "remotePeeringConnections", own);
        assert_eq!(connection["peeringStatus"], "PEERED", "{connection:#}");
        assert_eq!(connection["peerId"], **peer, "{connection:#}");
        assert_eq!(connection["peerRegionName"], peer_region, "{connection:#}");
    }

    let (here, there) = (world.ocid("Drg", "iad"), world.ocid("Drg", "iad-us-phoenix-1"));
    for network in ["orders", "phx-dev"] {
        let own = routes(&world, PHX, &world.ocid("RouteTable", &format!("{network}-private")));
        assert!(own.contains(&(MANAGEMENT.to_owned(), there.clone())), "{own:#?}");
        let back = routes(&world, IAD, MANAGEMENT_TABLE);
        assert!(back.contains(&(range(&world, network), here.clone())), "{back:#?}");
        let attachment = world.ocid("DrgAttachment", &format!("{network}-management"));
        let attachment = shown(&world, PHX, "drgAttachments", &attachment);
        assert_eq!(attachment["lifecycleState"], "ATTACHED");
        assert_eq!(attachment["networkDetails"]["id"], world.ocid("Vcn", network));
    }
    for (cluster, network) in [("orders", "orders"), ("trial", "phx-dev")] {
        let namespace = format!("clusters-{cluster}");
        let hosted = hosted_on(&world, &namespace, cluster).await;
        let config = &hosted["spec"]["platform"]["oci"]["networkConfig"];
        assert_eq!(config["vcn"]["ocid"], world.ocid("Vcn", network), "{cluster}");
    }
    let again = world.plan().await;
    assert!(is_settled(&again), "{}", text(&again));
    world.made_once();
}

async fn hosted_on(world: &World, namespace: &str, name: &str) -> Value {
    let cluster = world.sandbox.cluster("iad").await.expect("the API server");
    let found = cluster.server().get(&hosted_clusters(), namespace, name);
    found.expect("an answer").expect("the control plane")
}

#[tokio::test(start_paused = true)]
async fn a_network_that_is_peered_later_shows_what_only_the_apply_will_know() {
    let mut world = World::example("two-regions").await;
    world.edit("fleet.yaml", |text| {
        text.replace("{peerWith: management}", "{peerWith: none}")
    });
    world.converges().await;
    world.edit("fleet.yaml", |text| {
        text.replace("{peerWith: none}", "{peerWith: management}")
    });
    let planned = world.plan().await;
    assert!(change(&planned, "RouteTable", "orders-private").goes_ahead());
    let shown = text(&planned);
    let route = "(known after apply) DrgAttachment/orders-management.drgId";
    assert!(shown.contains(route), "{shown}");
    let told = Told::default();
    assert!(
        world.apply(&planned, &told).await.is_success(),
        "{:#?}",
        told.failures()
    );
    let own = routes(&world, PHX, &world.ocid("RouteTable", "orders-private"));
    let drg = world.ocid("Drg", "iad-us-phoenix-1");
    assert!(own.contains(&(MANAGEMENT.to_owned(), drg)), "{own:#?}");
    assert!(is_settled(&world.plan().await));
}

#[tokio::test(start_paused = true)]
async fn routes_over_the_drg_that_somebody_took_out_are_put_back() {
    let world = World::example("two-regions").await;
    world.converges().await;
    let table = world.ocid("RouteTable", "orders-private");
    let before = (routes(&world, PHX, &table), routes(&world, IAD, MANAGEMENT_TABLE));
    take_out(&world, PHX, &table, MANAGEMENT);
    take_out(&world, IAD, MANAGEMENT_TABLE, &range(&world, "orders"));

    let planned = world.plan().await;
    let changes = goes_ahead(&planned);
    let names: Vec<&String> = changes.keys().collect();
    assert_eq!(
        names,
        [
            "Create RouteTableRules/iad-orders-1",
            "Update RouteTable/orders-private"
        ]
    );
    assert!(planned.plan.is_drift_only(), "{}", text(&planned));
    let from = world.written();
    world.converges().await;
    let mut written = since(&world, from);
    written.sort();
    assert_eq!(
        written,
        ["UpdateRouteTable management", "UpdateRouteTable orders-private"]
    );
    let sorted = |mut routes: Vec<(String, String)>| {
        routes.sort();
        routes
    };
    assert_eq!(sorted(routes(&world, PHX, &table)), sorted(before.0));
    assert_eq!(sorted(routes(&world, IAD, MANAGEMENT_TABLE)), sorted(before.1));
}

#[tokio::test(start_paused = true)]
async fn a_drg_that_is_there_already_is_used_and_left() {
    const DRG: &str = "ocid1.drg.oc1.iad.aaaaaaaaiadmgmtdrg5x2k8w4n7";
    let world = World::changed_example("two-regions", |place| {
        let path = place.fleet().join("fleet.yaml");
        let text = std::fs::read_to_string(path).expect("the file");
        let with = text.replace(
            "    compartment: platform\n",
            &format!("    compartment: platform\n    drg: {DRG}\n"),
        );
        place.write("fleet.yaml", &with);
    });
    let mut world = world.await;
    let before = living(&world);
    let planned = world.plan().await;
    let made: Vec<&str> = planned
        .plan
        .changes
        .iter()
        .filter(|change| change.id.kind == "Drg")
        .map(|change| change.id.name.as_str())
        .collect();
    assert_eq!(made, ["iad-us-phoenix-1"]);
    let told = Told::default();
    let outcome = world.apply(&planned, &told).await;
    assert!(outcome.is_success(), "{:#?}", told.failures());
    let far = world.ocid("RemotePeeringConnection", "iad-to-us-phoenix-1");
    let far = shown(&world, IAD, "remotePeeringConnections", &far);
    assert_eq!((&far["drgId"], &far["peeringStatus"]), (&json!(DRG), &json!("PEERED")));
    let back = routes(&world, IAD, MANAGEMENT_TABLE);
    assert!(back.contains(&(range(&world, "orders"), DRG.to_owned())), "{back:#?}");
    assert!(is_settled(&world.plan().await));

    world.pass(180).await;
    world.retire(
        &["clusters/orders.yaml", "clusters/trial.yaml", "networks.yaml"],
        &["cluster: orders", "cluster: trial", "network: phx-dev"],
    );
    world.edit("fleet.yaml", |text| text.replace(", network: {shared: phx-dev}", ""));
    let told = Told::default();
    let outcome = world.apply(&world.plan().await, &told).await;
    assert!(outcome.is_success(), "{:#?}", told.failures());
    world.converges().await;
    assert_eq!(living(&world), before);
    assert_eq!(shown(&world, IAD, "drgs", DRG)["lifecycleState"], "AVAILABLE");
}

/// A peering that one side ended can't be taken up again: both ends are made anew.
#[tokio::test(start_paused = true)]
async fn a_peering_that_somebody_ended_is_made_anew_on_both_sides() {
    let world = network_alone().await;
    world.converges().await;
    let ends = [(PHX, "iad-us-phoenix-1"), (IAD, "iad-to-us-phoenix-1")];
    for (region, name) in ends {
        let before = ends.map(|(_, name)| world.ocid("RemotePeeringConnection", name));
        let path = format!(
            "/20160918/remotePeeringConnections/{}",
            world.ocid("RemotePeeringConnection", name)
        );
        world.act_in(region, "DELETE", &path, &Value::Null);
        world.pass(5).await;
        let planned = world.plan().await;
        assert!(planned.plan.refusals.is_empty(), "{}", text(&planned));
        let said = text(&planned);
        assert!(said.contains("its peering has ended"), "{said}");
        world.converges().await;
        for (region, name) in ends {
            let ocid = world.ocid("RemotePeeringConnection", name);
            assert!(!before.contains(&ocid), "{name} is a new one");
            let end = shown(&world, region, "remotePeeringConnections", &ocid);
            assert_eq!(end["peeringStatus"], "PEERED");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn one_network_goes_and_the_gateways_of_the_others_stay() {
    let mut world = World::example("two-regions").await;
    world.converges().await;
    world.pass(180).await;
    world.retire(&["clusters/orders.yaml"], &["cluster: orders"]);
    let planned = world.plan().await;
    assert!(planned.plan.refusals.is_empty(), "{}", text(&planned));
    let told = Told::default();
    let outcome = world.apply(&planned, &told).await;
    assert!(outcome.is_success(), "{:#?}", told.failures());
    world.converges().await;
    let left = world.sandbox.oci().living();
    assert_eq!(left["Drg"].len(), 2, "{left:#?}");
    assert_eq!(left["RemotePeeringConnection"].len(), 2, "{left:#?}");
    let back = routes(&world, IAD, MANAGEMENT_TABLE);
    assert_eq!(back.len(), 1, "{back:#?}");
    assert_eq!(back[0].0, range(&world, "phx-dev"));
}

#[tokio::test(start_paused = true)]
async fn a_fleet_of_two_regions_is_taken_down_to_nothing_in_one_run() {
    let mut world = World::example("two-regions").await;
    let before = living(&world);
    world.converges().await;
    // The guests make their load balancers when their nodes are there.
    world.pass(180).await;
    world.retire(
        &["clusters/orders.yaml", "clusters/trial.yaml", "networks.yaml"],
        &["cluster: orders", "cluster: trial", "network: phx-dev"],
    );
    world.edit("fleet.yaml", |text| text.replace(", network: {shared: phx-dev}", ""));
    let planned = world.plan().await;
    assert!(planned.plan.refusals.is_empty(), "{}", text(&planned));
    assert!(unknown(&planned).is_empty(), "{}", text(&planned));
    are_in_order(
        &waves(&planned),
        &[
            &[
                "NodePool/orders-general",
                "HostedCluster/orders",
                "Subnet/orders-workers",
                "RouteTable/orders-private",
            ],
            &[
                "RouteTable/orders-private",
                "DrgAttachment/orders-management",
                "Vcn/orders",
            ],
            &["HostedCluster/trial", "Subnet/phx-dev-workers"],
            &["DrgAttachment/phx-dev-management", "Drg/iad-us-phoenix-1"],
            &[
                "DrgAttachment/orders-management",
                "RemotePeeringConnection/iad-us-phoenix-1",
                "Drg/iad-us-phoenix-1",
            ],
            &["RouteTableRules/iad-orders-1", "DrgAttachment/iad", "Drg/iad"],
        ],
    );
    let told = Told::default();
    let outcome = world.apply(&planned, &told).await;
    assert!(outcome.is_success(), "{:#?}", told.failures());
    world.converges().await;
    assert_eq!(living(&world), before);
    assert_eq!(routes(&world, IAD, MANAGEMENT_TABLE), []);
    let planned = world.plan().await;
    let recorded: usize = World::recorded(&planned).values().map(Vec::len).sum();
    assert_eq!(recorded, 0, "{:#?}", World::recorded(&planned));
}

#[tokio::test(start_paused = true)]
async fn a_peering_cut_off_anywhere_is_finished_by_the_next_run() {
    let whole = network_alone().await;
    whole.converges().await;
    whole.pass(5).await;
    let all = whole.our_writes(0).len();
    let mut cut = 0;
    for writes in 1..all {
        let world = network_alone().await;
        cut += usize::from(cut_off(&world, writes).await);
        world.converges().await;
        world.made_once();
        world.pass(5).await;
        assert_eq!(living(&world), living(&whole), "cut off after {writes}");
    }
    assert!(cut > 15, "{cut} of {all}");
}

#[tokio::test(start_paused = true)]
async fn so_is_its_teardown() {
    for writes in 1.. {
        let mut world = network_alone().await;
        let before = living(&world);
        world.converges().await;
        world.pass(5).await;
        world.retire(&["networks.yaml"], &["network: phx-dev"]);
        let cut = cut_off(&world, writes).await;
        world.converges().await;
        world.pass(5).await;
        assert_eq!(living(&world), before, "cut off after {writes}");
        if !cut {
            assert!(writes > 15, "the whole run is {writes} writes");
            break;
        }
    }
}

/// By the program itself, as the example's README has it.
#[test]
fn the_program_applies_the_example() {
    program_applies("two-regions", "RemotePeeringConnection iad-us-phoenix-1");
}
