//! Answers of another region than the one that was asked.

use fleetwright::providers::Observed;
use serde_json::{Value, json};

use super::world::{COMPARTMENT, World, somebody_in, vcn};

const ASHBURN: &str = "https://iaas.us-ashburn-1.oraclecloud.com";

/// A server that answers for one region, whoever is asked for: the sandbox at its own address.
const BARE: &str = "http://127.0.0.1:1";

fn reason(observed: &Observed) -> &str {
    match observed {
        Observed::Unknown(reason) => reason,
        Observed::Absent | Observed::Present(_) => panic!("{observed:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn empty_lists_of_another_region_make_nothing_absent() {
    let world = World::new();
    let (made, new) = (vcn(&world, "made", "10.0.0.0/16"), vcn(&world, "new", "10.1.0.0/16"));
    world.create(&made).await;
    let entry = world.entry("Vcn", "made");
    let astray = world.by_way_of(ASHBURN);
    let seen = astray.observe(&[&made, &new], &[&entry]).await;
    for document in [&made, &new] {
        let said = reason(&seen.objects[&world.manifest(document).id]);
        assert!(said.contains("is not proved"), "{said}");
        assert!(said.contains("which is of us-ashburn-1"), "{said}");
    }
    // What is recorded alone is not dropped for it.
    let seen = astray.observe(&[], &[&entry]).await;
    reason(&seen.objects[&entry.id]);
}

#[tokio::test(start_paused = true)]
async fn a_list_that_holds_what_is_of_another_region_is_an_error() {
    let world = World::new();
    let body = json!({"compartmentId": COMPARTMENT, "cidrBlocks": ["10.0.0.0/16"], "displayName": "net"});
    let theirs = somebody_in(&world.server, "us-ashburn-1", "POST", "/20160918/vcns", &body);
    world.clock.sleep(std::time::Duration::from_secs(60)).await;
    let network = vcn(&world, "net", "10.0.0.0/16");
    let seen = world.by_way_of(ASHBURN).observe_one(&network).await;
    let said = reason(&seen);
    assert!(said.contains("ListVcns for eu-frankfurt-1"), "{said}");
    assert!(said.contains(theirs["id"].as_str().unwrap()), "{said}");
    assert!(matches!(world.observe_one(&network).await, Observed::Absent));
}

#[tokio::test(start_paused = true)]
async fn the_region_is_asked_for_once_and_only_where_no_list_shows_it() {
    let world = World::new();
    let (a, b) = (vcn(&world, "a", "10.0.0.0/16"), vcn(&world, "b", "10.1.0.0/16"));
    world.sent("GET", "/services");
    world.observe(&[&a, &b], &[]).await;
    assert_eq!(world.sent("GET", "/services"), 1);
    world.create(&a).await;
    let seen = world.observe(&[&a, &b], &[]).await;
    assert!(matches!(seen.objects[&world.manifest(&b).id], Observed::Absent));
    assert_eq!(world.sent("GET", "/services"), 0, "the list shows it");
}

#[tokio::test(start_paused = true)]
async fn a_create_that_another_region_answers_is_named_and_is_the_last() {
    let world = World::new();
    let astray = world.by_way_of(ASHBURN);
    let (a, b) = (vcn(&world, "a", "10.0.0.0/16"), vcn(&world, "b", "10.1.0.0/16"));
    let error = astray.write(&a, None).await.unwrap_err().to_string();
    let made = &world.server.living()["Vcn"];
    assert!(error.contains(&made[0]), "{error}");
    assert!(
        error.contains("which is of us-ashburn-1") && error.contains("delete it there"),
        "{error}"
    );
    astray.sent("POST", "/vcns");
    let error = astray.write(&b, None).await.unwrap_err().to_string();
    assert!(error.contains("nothing more is written"), "{error}");
    assert_eq!(astray.sent("POST", "/vcns"), 0);
    assert_eq!(world.server.living()["Vcn"].len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_sandboxs_own_address_answers_for_one_region_and_says_so_to_who_asks_for_another() {
    let world = World::new().by_way_of(BARE);
    let mut far = vcn(&world, "far", "10.0.0.0/16");
    far["spec"]["region"] = Value::from("us-ashburn-1");
    let seen = world.observe_one(&far).await;
    assert!(reason(&seen).contains("which is of eu-frankfurt-1"), "{seen:?}");
    let near = vcn(&world, "near", "10.0.0.0/16");
    assert!(matches!(world.observe_one(&near).await, Observed::Absent));
}
