//! `examples/private-endpoint`: load balancers of ours at clusters' endpoints, and the names that lead there.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::crash::cut_off;
use super::drift::since;
use super::said::{Told, are_in_order, change, goes_ahead, is_settled, program_applies, text, unknown, waves};
use super::world::{World, hosted_clusters, living, ours};

const FRA: &str = "eu-frankfurt-1";
const BALANCERS: &str = "/20200501/networkLoadBalancers";
const RECORDS: &str = "/20180115/zones/hosted.example.com/records";
const NAME: &str = "hcp.payments.hosted.example.com";
const NODES: [&str; 3] = ["10.64.1.4", "10.64.1.5", "10.64.1.6"];
const PORTS: [(&str, u16); 4] = [
    ("apiserver", 30443),
    ("ignition", 30446),
    ("konnectivity", 30445),
    ("oauthserver", 30444),
];

fn balancer(world: &World) -> Value {
    let ocid = world.ocid("NetworkLoadBalancer", "payments-endpoint");
    world.act_in(FRA, "GET", &format!("{BALANCERS}/{ocid}"), &Value::Null)
}

fn address(balancer: &Value) -> String {
    balancer["ipAddresses"][0]["ipAddress"]
        .as_str()
        .expect("an address")
        .to_owned()
}

/// What stands in the zone under our names: type and contents, marks left out.
fn records(world: &World) -> Vec<(String, String, String)> {
    let shown = world.act_in(FRA, "GET", RECORDS, &Value::Null);
    let text = |record: &Value, key: &str| record[key].as_str().expect("a text").to_owned();
    let items = shown["items"].as_array().expect("records").iter();
    let mut found: Vec<_> = items
        .filter(|record| record["rtype"] == "A")
        .map(|record| (text(record, "domain"), text(record, "rtype"), text(record, "rdata")))
        .collect();
    found.sort();
    found
}

fn a(domain: &str, address: &str) -> (String, String, String) {
    (domain.to_owned(), "A".to_owned(), address.to_owned())
}

/// The one cluster with a load balancer of its own.
async fn payments_alone() -> World {
    let mut world = World::example("private-endpoint").await;
    world.place.remove("clusters/reports.yaml");
    world.edit("fleet.yaml", |text| text.replace("  routes: true\n", ""));
    world
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_is_made_with_its_load_balancer_and_its_name() {
    let world = World::example("private-endpoint").await;
    let planned = world.plan().await;
    are_in_order(
        &waves(&planned),
        &[&[
            "Vcn/payments",
            "Subnet/payments-endpoint",
            "NetworkLoadBalancer/payments-endpoint",
            "DnsRecords/payments-endpoint",
        ]],
    );
    let told = Told::default();
    let outcome = world.apply(&planned, &told).await;
    assert!(outcome.is_success(), "{:#?}", told.failures());

    let balancer = balancer(&world);
    assert_eq!(balancer["lifecycleState"], "ACTIVE");
    assert_eq!(balancer["subnetId"], world.ocid("Subnet", "payments-endpoint"));
    let sets = balancer["backendSets"].as_object().expect("sets");
    let listeners = balancer["listeners"].as_object().expect("listeners");
    assert_eq!((sets.len(), listeners.len()), (PORTS.len(), PORTS.len()));
    for (name, port) in PORTS {
        let backends = sets[name]["backends"].as_array().expect("backends").iter();
        let found: Vec<(&str, u64)> = backends
            .map(|backend| {
                (
                    backend["ipAddress"].as_str().expect("an address"),
                    backend["port"].as_u64().expect("a port"),
                )
            })
            .collect();
        assert_eq!(found, NODES.map(|node| (node, u64::from(port))), "{name}");
        assert_eq!(listeners[name]["port"], port, "{name}");
        assert_eq!(listeners[name]["defaultBackendSetName"], name);
    }
    let router = "203.0.113.9";
    let named = |service: &str| format!("{service}.reports.hosted.example.com");
    let mut wanted = vec![
        a(NAME, &address(&balancer)),
        a(&named("api"), router),
        a(&named("ignition"), router),
        a(&named("konnectivity"), router),
        a(&named("oauth"), router),
    ];
    wanted.sort();
    assert_eq!(records(&world), wanted);

    let cluster = world.sandbox.cluster("fra").await.expect("the API server");
    let hosted = cluster
        .server()
        .get(&hosted_clusters(), "clusters-payments", "payments");
    let hosted = hosted.expect("an answer").expect("the control plane");
    let publishing = &hosted["spec"]["services"][0]["servicePublishingStrategy"];
    assert_eq!(publishing["nodePort"]["address"], NAME, "{publishing:#}");
    let again = world.plan().await;
    assert!(is_settled(&again), "{}", text(&again));
    world.made_once();
}

#[tokio::test(start_paused = true)]
async fn backends_and_records_that_somebody_changed_are_put_back() {
    let world = World::example("private-endpoint").await;
    world.converges().await;
    let (before, named) = (balancer(&world), records(&world));
    let ocid = world.ocid("NetworkLoadBalancer", "payments-endpoint");
    let backend = format!("{BALANCERS}/{ocid}/backendSets/apiserver/backends/10.64.1.5:30443");
    world.act_in(FRA, "DELETE", &backend, &Value::Null);
    world.pass(5).await;
    // One record gone, another one leading elsewhere.
    world.act_in(FRA, "DELETE", &format!("{RECORDS}/{NAME}/A"), &Value::Null);
    let api = "api.reports.hosted.example.com";
    let elsewhere = json!({"items": [{"domain": api, "rtype": "A", "ttl": 300, "rdata": "198.51.100.1"}]});
    world.act_in(FRA, "PUT", &format!("{RECORDS}/{api}/A"), &elsewhere);

    let planned = world.plan().await;
    let changes = goes_ahead(&planned);
    let names: Vec<&String> = changes.keys().collect();
    assert_eq!(
        names,
        // The mark of the set that is gone still stands: it was emptied.
        [
            "Update DnsRecords/payments-endpoint",
            "Update DnsRecords/reports-apiserver",
            "Update NetworkLoadBalancer/payments-endpoint"
        ]
    );
    assert!(planned.plan.is_drift_only(), "{}", text(&planned));
    let shown = text(&planned);
    assert!(shown.contains("10.64.1.5") && shown.contains("198.51.100.1"), "{shown}");
    let from = world.written();
    world.converges().await;
    let balanced = since(&world, from)
        .into_iter()
        .filter(|write| write.ends_with(" payments-endpoint"));
    let operations: Vec<String> = balanced.collect();
    assert_eq!(operations, ["UpdateBackendSet payments-endpoint"]);
    assert_eq!(records(&world), named);
    assert_eq!(balancer(&world)["backendSets"], before["backendSets"]);
}

#[tokio::test(start_paused = true)]
async fn a_load_balancer_that_somebody_deleted_is_made_again_and_its_name_follows() {
    let world = World::example("private-endpoint").await;
    world.converges().await;
    let (ocid, old) = (
        world.ocid("NetworkLoadBalancer", "payments-endpoint"),
        address(&balancer(&world)),
    );
    world.act_in(FRA, "DELETE", &format!("{BALANCERS}/{ocid}"), &Value::Null);
    world.pass(5).await;
    // Its address is taken meanwhile.
    let subnet = world.ocid("Subnet", "payments-endpoint");
    let compartment = balancer_compartment(&world, &subnet);
    let theirs = json!({"compartmentId": compartment, "displayName": "theirs", "subnetId": subnet, "isPrivate": true,
        "assignedPrivateIpv4": old, "listeners": {}, "backendSets": {}});
    world.act_in(FRA, "POST", BALANCERS, &theirs);
    world.pass(5).await;

    let planned = world.plan().await;
    assert!(unknown(&planned).is_empty(), "{}", text(&planned));
    assert!(change(&planned, "DnsRecords", "payments-endpoint").goes_ahead());
    let shown = text(&planned);
    let later = "(known after apply) NetworkLoadBalancer/payments-endpoint.ipAddresses[0].ipAddress";
    assert!(shown.contains(later), "{shown}");
    let told = Told::default();
    assert!(
        world.apply(&planned, &told).await.is_success(),
        "{:#?}",
        told.failures()
    );
    let new = address(&balancer(&world));
    assert_ne!(new, old);
    assert!(records(&world).contains(&a(NAME, &new)), "{:#?}", records(&world));
    assert!(is_settled(&world.plan().await));
}

fn balancer_compartment(world: &World, subnet: &str) -> String {
    let subnet = world.act_in(FRA, "GET", &format!("/20160918/subnets/{subnet}"), &Value::Null);
    subnet["compartmentId"].as_str().expect("an OCID").to_owned()
}

#[tokio::test(start_paused = true)]
async fn a_node_that_goes_is_no_backend_any_more() {
    let mut world = payments_alone().await;
    world.converges().await;
    world.edit("fleet.yaml", |text| text.replace(", 10.64.1.6]", "]"));
    let planned = world.plan().await;
    let changes = goes_ahead(&planned);
    assert_eq!(
        changes.keys().collect::<Vec<_>>(),
        ["Update NetworkLoadBalancer/payments-endpoint"]
    );
    world.converges().await;
    for (name, _) in PORTS {
        let backends = balancer(&world)["backendSets"][name]["backends"].clone();
        let backends = backends.as_array().expect("backends").iter();
        let left: Vec<&str> = backends
            .map(|backend| backend["ipAddress"].as_str().expect("an address"))
            .collect();
        assert_eq!(left, NODES[..2], "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn without_its_zone_a_name_waits_and_the_rest_goes_on() {
    let world = payments_alone().await;
    let zone = "/20180115/zones/hosted.example.com";
    let compartment = world.act_in(FRA, "GET", zone, &Value::Null)["compartmentId"].clone();
    world.pass(5).await;
    world.act_in(FRA, "DELETE", zone, &Value::Null);
    world.pass(5).await;
    let planned = world.plan().await;
    let reasons = unknown(&planned);
    assert_eq!(reasons.keys().collect::<Vec<_>>(), ["DnsRecords/payments-endpoint"]);
    let told = Told::default();
    world.apply(&planned, &told).await;
    assert_eq!(balancer(&world)["lifecycleState"], "ACTIVE");

    let body = json!({"compartmentId": compartment, "name": "hosted.example.com", "zoneType": "PRIMARY"});
    world.act_in(FRA, "POST", "/20180115/zones", &body);
    world.pass(5).await;
    world.converges().await;
    assert_eq!(records(&world), [a(NAME, &address(&balancer(&world)))]);
}

#[tokio::test(start_paused = true)]
async fn a_record_of_somebody_else_is_in_the_way_until_it_is_adopted() {
    let world = payments_alone().await;
    let theirs = json!({"items": [{"domain": NAME, "rtype": "A", "ttl": 60, "rdata": "198.51.100.1"}]});
    world.act_in(FRA, "PUT", &format!("{RECORDS}/{NAME}/A"), &theirs);
    let planned = world.plan().await;
    let refused: Vec<&str> = planned.plan.refusals.iter().map(|refusal| refusal.guard).collect();
    assert_eq!(refused, ["adoption"], "{}", text(&planned));
    world.apply(&planned, &Told::default()).await;
    assert_eq!(records(&world), [a(NAME, "198.51.100.1")]);

    let planned = world.plan_to_adopt().await;
    let told = Told::default();
    assert!(
        world.apply(&planned, &told).await.is_success(),
        "{:#?}",
        told.failures()
    );
    assert_eq!(records(&world), [a(NAME, &address(&balancer(&world)))]);
    assert!(is_settled(&world.plan().await));
}

#[tokio::test(start_paused = true)]
async fn names_and_load_balancers_go_before_the_network() {
    let mut world = World::example("private-endpoint").await;
    let before = living(&world);
    world.converges().await;
    world.pass(180).await;
    world.retire(
        &["clusters/payments.yaml", "clusters/reports.yaml"],
        &["cluster: payments", "cluster: reports"],
    );
    let planned = world.plan().await;
    assert!(planned.plan.refusals.is_empty(), "{}", text(&planned));
    assert!(unknown(&planned).is_empty(), "{}", text(&planned));
    are_in_order(
        &waves(&planned),
        &[
            &[
                "NodePool/payments-general",
                "HostedCluster/payments",
                "NetworkLoadBalancer/payments-endpoint",
            ],
            &[
                "NetworkLoadBalancer/payments-endpoint",
                "Subnet/payments-endpoint",
                "Vcn/payments",
            ],
            &[
                "HostedCluster/payments",
                "DnsRecords/payments-endpoint",
                "Subnet/payments-endpoint",
            ],
        ],
    );
    let told = Told::default();
    let outcome = world.apply(&planned, &told).await;
    assert!(outcome.is_success(), "{:#?}", told.failures());
    world.converges().await;
    assert_eq!(living(&world), before);
    let left = world.act_in(FRA, "GET", RECORDS, &Value::Null);
    let left = left["items"].as_array().expect("records");
    assert!(left.iter().all(|record| record["isProtected"] == true), "{left:#?}");
    let recorded: usize = World::recorded(&world.plan().await).values().map(Vec::len).sum();
    assert_eq!(recorded, 0);
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_cut_off_anywhere_is_finished_by_the_next_run() {
    let whole = payments_alone().await;
    whole.converges().await;
    let all = whole.our_writes(0).len();
    let mut cut = 0;
    for writes in 1..all {
        let world = payments_alone().await;
        cut += usize::from(cut_off(&world, writes).await);
        world.converges().await;
        world.made_once();
        assert_eq!(ours(&world), ours(&whole), "cut off after {writes}");
        assert_eq!(
            records(&world),
            [a(NAME, &address(&balancer(&world)))],
            "cut off after {writes}"
        );
    }
    assert!(cut > 15, "{cut} of {all}");
}

#[tokio::test(start_paused = true)]
async fn so_is_its_teardown() {
    for writes in 1.. {
        let mut world = payments_alone().await;
        world.converges().await;
        world.retire(&["clusters/payments.yaml"], &["cluster: payments"]);
        let cut = cut_off(&world, writes).await;
        world.converges().await;
        assert_eq!(ours(&world), BTreeMap::new(), "cut off after {writes}");
        assert_eq!(records(&world), [], "cut off after {writes}");
        if !cut {
            assert!(writes > 15, "the whole run is {writes} writes");
            break;
        }
    }
}

/// By the program itself, as the example's README has it.
#[test]
fn the_program_applies_the_example() {
    program_applies("private-endpoint", "NetworkLoadBalancer payments-endpoint");
}

/// Nothing but the record says where records are that a run made and did not get to record, once their file is gone.
#[tokio::test(start_paused = true)]
async fn records_of_a_run_that_was_cut_off_go_with_their_cluster() {
    let of_reports = |world: &World| {
        let shown = world.act_in(FRA, "GET", RECORDS, &Value::Null);
        let items = shown["items"].as_array().expect("records").iter();
        items
            .filter(|record| record["domain"].as_str().is_some_and(|name| name.contains(".reports.")))
            .count()
    };
    let mut tried = 0;
    for writes in 1.. {
        let mut world = World::example("private-endpoint").await;
        if !cut_off(&world, writes).await {
            break;
        }
        if of_reports(&world) == 0 {
            continue;
        }
        world.retire(&["clusters/reports.yaml"], &["cluster: reports"]);
        world.converges().await;
        assert_eq!(of_reports(&world), 0, "cut off after {writes}");
        tried += 1;
    }
    assert!(tried > 5, "{tried} runs were cut off after records were made");
}
