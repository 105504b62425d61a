//! Parts of what belongs to others, and load balancers with theirs.

use fleetwright::providers::{Observed, Provider as _};
use serde_json::{Value, json};

use super::world::{COMPARTMENT, World, to, vcn};

#[tokio::test(start_paused = true)]
async fn our_rules_come_and_go_in_a_route_table_of_somebody_else() {
    let world = World::new();
    world.create(&vcn(&world, "net", "10.0.0.0/16")).await;
    let vcn_id = world.ocid("Vcn", "net");
    let gateway = world.document(
        "LocalPeeringGateway",
        "g",
        json!({"displayName": "g", "vcnId": to("Vcn", "net")}),
    );
    world.create(&gateway).await;
    let nat = world.act(
        "POST",
        "/20160918/natGateways",
        &json!({"compartmentId": COMPARTMENT, "vcnId": vcn_id}),
    );
    let theirs = json!({"destination": "0.0.0.0/0", "destinationType": "CIDR_BLOCK", "networkEntityId": nat["id"]});
    let table = world.act(
        "POST",
        "/20160918/routeTables",
        &json!({"compartmentId": COMPARTMENT, "vcnId": vcn_id, "routeRules": [theirs]}),
    );
    let path = format!("/20160918/routeTables/{}", table["id"].as_str().unwrap());
    let rules = |blocks: &[&str]| {
        let rules: Vec<Value> = blocks
            .iter()
            .map(|block| json!({"destination": block, "networkEntityId": to("LocalPeeringGateway", "g"), "description": "to payments"}))
            .collect();
        world.document(
            "RouteTableRules",
            "payments",
            json!({"routeTableId": table["id"], "routeRules": rules}),
        )
    };
    let first = rules(&["10.8.0.0/16", "10.9.0.0/16"]);
    let id = world.manifest(&first).id;
    assert!(matches!(
        world.observe(&[&gateway, &first], &[]).await.objects[&id],
        Observed::Absent
    ));
    world.create(&first).await;
    let seen = world.observe(&[&gateway, &first], &[]).await;
    assert_eq!(world.differences(&first, &seen.objects[&id]), []);

    let second = rules(&["10.9.0.0/16", "10.10.0.0/16"]);
    assert_eq!(world.differences(&second, &seen.objects[&id]).len(), 2);
    world.update(&second).await.unwrap();
    let shown = world.act("GET", &path, &Value::Null);
    assert_eq!(shown["routeRules"].as_array().unwrap().len(), 3, "{shown}");
    assert!(shown.to_string().contains("0.0.0.0/0"), "theirs stays");
    assert!(!shown.to_string().contains("10.8.0.0/16"));

    // Recorded alone, by another process: only the mark says what is ours.
    let entry = world.entry("RouteTableRules", "payments");
    let next = world.another("fleet-1", Default::default());
    assert!(matches!(
        next.observe(&[], &[&entry]).await.objects[&id],
        Observed::Present(_)
    ));
    next.delete(&id).await.unwrap();
    assert!(matches!(next.provider.read(&id, "v1").await, Observed::Absent));
    let shown = world.act("GET", &path, &Value::Null);
    assert_eq!(shown["routeRules"].as_array().unwrap().len(), 1, "{shown}");

    // A route of somebody else to the same place is theirs until it is adopted.
    let taken = rules(&["0.0.0.0/0"]);
    let seen = world.observe(&[&gateway, &taken], &[]).await;
    let Observed::Present(live) = &seen.objects[&id] else {
        panic!("{:?}", seen.objects)
    };
    assert_eq!(live.parse().unwrap()["metadata"]["annotations"], Value::Null);
    assert!(world.write(&taken, None).await.is_err());
}
