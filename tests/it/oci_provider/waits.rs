//! What takes its time, and what never comes to its end: on paused time.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::world::{World, to, vcn};

async fn refused(world: &World, document: &Value) -> String {
    let error = world.write(document, None).await.expect_err("a refusal");
    fleetwright::report::chain(&error)
}

fn subnet(world: &World) -> Value {
    let spec = json!({"vcnId": to("Vcn", "net"), "cidrBlock": "10.0.1.0/24", "displayName": "sub"});
    world.document("Subnet", "sub", spec)
}

fn balancer(world: &World) -> Value {
    let backends = json!({"backends": [], "healthChecker": {"port": 6443, "protocol": "TCP"}, "policy": "FIVE_TUPLE"});
    let listener = json!({"name": "api", "defaultBackendSetName": "api", "port": 6443, "protocol": "TCP"});
    world.document(
        "NetworkLoadBalancer",
        "api",
        json!({"subnetId": to("Subnet", "sub"), "displayName": "api", "isPrivate": true,
            "backendSets": {"api": backends}, "listeners": {"api": listener}}),
    )
}

#[tokio::test(start_paused = true)]
async fn what_does_not_become_usable_is_given_up_at_the_deadline_and_found_by_the_next_run() {
    let world = World::new();
    world.create(&vcn(&world, "net", "10.0.0.0/16")).await;
    world.say("/subnets/", json!({"lifecycleState": "PROVISIONING"}));
    let begun = Instant::now();
    let said = refused(&world, &subnet(&world)).await;
    assert!(said.contains("it is still PROVISIONING after 900s"), "{said}");
    let took = begun.elapsed();
    assert!(
        took >= Duration::from_secs(900) && took < Duration::from_secs(920),
        "{took:?}"
    );
    // It looked less and less often.
    let looks = world.sent("GET", "/subnets/");
    assert!((60..=150).contains(&looks), "{looks}");

    world.say("/subnets/", json!({"lifecycleState": "AVAILABLE"}));
    world.create(&subnet(&world)).await;
    assert_eq!(world.server.living()["Subnet"].len(), 1, "it was not made twice");
}

#[tokio::test(start_paused = true)]
async fn what_somebody_deletes_while_it_is_made_and_what_fails_is_said() {
    let world = World::new();
    world.create(&vcn(&world, "net", "10.0.0.0/16")).await;
    world.say("/subnets/", json!({"lifecycleState": "TERMINATING"}));
    let said = refused(&world, &subnet(&world)).await;
    assert!(said.contains("it is being deleted by somebody else"), "{said}");
    world.say("/subnets/", json!({"lifecycleState": "AVAILABLE"}));
    world.create(&subnet(&world)).await;

    let failed = json!({"lifecycleState": "FAILED", "lifecycleDetails": "no address is left in the subnet"});
    world.say("/networkLoadBalancers/", failed);
    let said = refused(&world, &balancer(&world)).await;
    assert!(
        said.contains("it has failed for good: no address is left in the subnet"),
        "{said}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_work_request_that_fails_says_why_and_one_that_does_not_end_is_given_up() {
    let world = World::new();
    world.create(&vcn(&world, "net", "10.0.0.0/16")).await;
    world.create(&subnet(&world)).await;
    world.create(&balancer(&world)).await;
    let mut wider = balancer(&world);
    wider["spec"]["listeners"]["api"]["port"] = 443.into();
    world.say("/workRequests/", json!({"status": "IN_PROGRESS"}));
    let begun = Instant::now();
    let error = world.update(&wider).await.expect_err("a refusal");
    let said = fleetwright::report::chain(&error);
    assert!(
        said.contains("its work request ocid1.") && said.contains("has not ended"),
        "{said}"
    );
    assert!(begun.elapsed() >= Duration::from_secs(900), "{:?}", begun.elapsed());

    wider["spec"]["listeners"]["api"]["port"] = 444.into();
    world.say("/workRequests/", json!({"status": "FAILED"}));
    let errors = json!([{"code": "x", "message": "the port is taken"}, {"code": "y", "message": "so it is"}]);
    world.say("/errors", json!({"items": errors}));
    let error = world.update(&wider).await.expect_err("a refusal");
    let said = fleetwright::report::chain(&error);
    assert!(said.contains(" failed: the port is taken; so it is"), "{said}");
}

#[tokio::test(start_paused = true)]
async fn those_that_were_begun_together_look_at_times_of_their_own() {
    let mut times = Vec::new();
    for name in ["a", "b", "c", "d"] {
        let world = World::new();
        world.say("/vcns/", json!({"lifecycleState": "PROVISIONING"}));
        let begun = Instant::now();
        refused(&world, &vcn(&world, name, "10.0.0.0/16")).await;
        times.push(begun.elapsed());
    }
    times.sort();
    times.dedup();
    assert!(times.len() > 1, "{times:?}");
}
