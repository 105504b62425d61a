//! What blocks the deletion of each kind: what its table says, and nothing else.

use std::collections::BTreeSet;
use std::time::Duration;

use fleetwright::resource::ResourceId;
use fleetwright::resource::oci;
use serde_json::{Value, json};

use super::kinds::network;
use super::world::{World, to};

/// What the table says and is not tried here: gateways with a route table of their own, what hangs on a load balancer (which is
/// shown where one is), and what clusters make.
const ELSEWHERE: [(&str, &str); 14] = [
    ("RouteTable", "InternetGateway"),
    ("RouteTable", "NatGateway"),
    ("RouteTable", "ServiceGateway"),
    ("RouteTable", "LocalPeeringGateway"),
    ("RouteTable", "DrgAttachment"),
    ("Subnet", "NetworkLoadBalancer"),
    ("Subnet", "LoadBalancer"),
    ("Subnet", "Vnic"),
    ("Subnet", "PrivateIp"),
    ("NetworkSecurityGroup", "Vnic"),
    ("NetworkSecurityGroup", "NetworkLoadBalancer"),
    ("PublicIp", "NetworkLoadBalancer"),
    ("PublicIp", "PrivateIp"),
    ("PublicIp", "NatGateway"),
];

/// A network in which whatever can be leaned on is.
fn documents(world: &World) -> Vec<Value> {
    let mut all: Vec<Value> = network(world).into_iter().map(|(document, _)| document).collect();
    let way = |destination: &str, to: Value| json!({"destination": destination, "destinationType": "CIDR_BLOCK", "networkEntityId": to});
    let of_vcn = |kind: &str, name: &str, mut spec: Value| {
        spec["vcnId"] = to("Vcn", "net");
        spec["displayName"] = name.into();
        world.document(kind, name, spec)
    };
    let routes = json!({"routeRules": [
        way("0.0.0.0/0", to("InternetGateway", "igw")),
        way("172.16.0.0/16", to("LocalPeeringGateway", "lpg")),
        way("172.17.0.0/16", to("Drg", "drg")),
        {"destination": {"$service": "all"}, "destinationType": "SERVICE_CIDR_BLOCK", "networkEntityId": to("ServiceGateway", "sgw")},
    ]});
    all.push(of_vcn("RouteTable", "ways", routes));
    let from_group = json!({"securityRules": [{"direction": "INGRESS", "protocol": "6",
        "source": to("NetworkSecurityGroup", "group"), "sourceType": "NETWORK_SECURITY_GROUP"}]});
    all.push(of_vcn("NetworkSecurityGroup", "behind", from_group));
    all
}

/// Whether a resource leans on another, by what a read of it shows. Routes lead to the DRG, and so by its attachment.
fn leans(on: (&ResourceId, &str), resource: &fleetwright::sandbox::oci::Resource, drg: &str) -> bool {
    let shown = format!("{} {}", resource.body, resource.details);
    let by_way_of_drg = on.0.kind == "DrgAttachment" && resource.kind == "RouteTable";
    shown.contains(on.1) || by_way_of_drg && shown.contains(drg)
}

#[tokio::test(start_paused = true)]
async fn what_the_table_says_blocks_a_deletion_and_nothing_else_does() {
    let world = World::new();
    for document in &documents(&world) {
        world.create(document).await;
    }
    let drg = world.ocid("Drg", "drg");
    let mut left = world.ocids.lock().unwrap().clone();
    let mut tried: BTreeSet<(String, String)> = BTreeSet::new();
    while !left.is_empty() {
        let resources = world.server.resources();
        let mut free: Option<ResourceId> = None;
        for (id, ocid) in &left {
            let table = oci::kind(&id.kind).expect("a kind");
            // What a VCN was made with goes with it.
            let ours = resources.iter().filter(|one| left.values().any(|left| *left == one.id));
            let blockers: Vec<&str> = ours
                .filter(|one| one.id != *ocid && table.blocked_by.contains(&one.kind))
                .filter(|one| leans((id, ocid), one, &drg))
                .map(|one| one.kind)
                .collect();
            if blockers.is_empty() {
                free.get_or_insert_with(|| id.clone());
                continue;
            }
            let error = world.delete(id).await.expect_err("it is leaned on");
            let said = fleetwright::report::chain(&error);
            assert!(
                said.contains("blocked by") || said.contains("409"),
                "{id}, on which {blockers:?} lean: {said}"
            );
            tried.extend(blockers.iter().map(|blocker| (id.kind.clone(), (*blocker).to_owned())));
        }
        let free = free.expect("something on which nothing leans");
        if let Err(error) = world.delete(&free).await {
            panic!("{free}, on which nothing leans: {}", fleetwright::report::chain(&error));
        }
        left.remove(&free);
        // It is on its way out for a while.
        world.clock.sleep(Duration::from_secs(120)).await;
    }
    for kind in oci::KINDS {
        for blocker in kind.blocked_by {
            let is_tried = tried.contains(&(kind.name.to_owned(), (*blocker).to_owned()));
            let is_elsewhere = ELSEWHERE.contains(&(kind.name, blocker));
            assert!(
                is_tried != is_elsewhere,
                "{} blocked by {blocker}: tried {is_tried}",
                kind.name
            );
        }
    }
}
