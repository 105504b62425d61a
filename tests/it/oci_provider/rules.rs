//! Rules of groups: as a set, read only where something may have changed.

use fleetwright::providers::Observed;
use fleetwright::providers::oci::Details;
use serde_json::{Value, json};

use super::world::{World, to, vcn};

fn rule(port: u16) -> Value {
    json!({"direction": "INGRESS", "protocol": "6", "source": "10.0.0.0/8",
        "tcpOptions": {"destinationPortRange": {"min": port, "max": port}}})
}

#[expect(clippy::needless_pass_by_value, reason = "called with literals")]
fn group(world: &World, name: &str, rules: Vec<Value>) -> Value {
    world.document(
        "NetworkSecurityGroup",
        name,
        json!({"displayName": name, "vcnId": to("Vcn", "net"), "securityRules": rules}),
    )
}

const RULES: &str = "/securityRules";

#[tokio::test(start_paused = true)]
async fn many_rules_are_set_in_calls_of_25_and_survive_lost_answers() {
    let world = World::new();
    world.create(&vcn(&world, "net", "10.0.0.0/16")).await;
    let sixty = group(&world, "a", (1..=60).map(rule).collect());
    world.lose("POST", "addSecurityRules");
    world.create(&sixty).await;
    let full = world.another("fleet-1", Details::Full);
    let network = vcn(&world, "net", "10.0.0.0/16");
    let seen = full.observe(&[&network, &sixty], &[]).await;
    let id = world.manifest(&sixty).id;
    assert_eq!(world.differences(&sixty, &seen.objects[&id]), []);

    // More than a group may hold of old and new together.
    let others = group(&world, "a", (1001..=1100).map(rule).collect());
    world.lose("POST", "removeSecurityRules");
    world.update(&others).await.unwrap();
    let seen = full.observe(&[&network, &others], &[]).await;
    assert_eq!(world.differences(&others, &seen.objects[&id]), []);
}

#[tokio::test(start_paused = true)]
async fn rules_are_not_read_while_the_tag_says_that_they_are_as_wanted() {
    let world = World::new();
    let network = vcn(&world, "net", "10.0.0.0/16");
    world.create(&network).await;
    let b = group(&world, "b", vec![]);
    world.create(&b).await;
    // A rule that names another group: known to the digest by that group's OCID.
    let peer = json!({"direction": "INGRESS", "protocol": "all", "source": to("NetworkSecurityGroup", "b"),
        "sourceType": "NETWORK_SECURITY_GROUP"});
    let a = group(&world, "a", vec![rule(1), peer]);
    world.create(&a).await;
    let id = world.manifest(&a).id;
    let all = [&network, &a, &b];

    world.sent("GET", RULES);
    let seen = world.observe(&all, &[]).await;
    assert_eq!(world.sent("GET", RULES), 0);
    let Observed::Present(live) = &seen.objects[&id] else {
        panic!()
    };
    let since = live.parse().unwrap()["status"]["unread"]["securityRules"].clone();
    assert!(since.as_str().unwrap().starts_with("2027-01-15T08:"), "{since}");
    assert_eq!(world.differences(&a, &seen.objects[&id]), []);

    let full = world.another("fleet-1", Details::Full);
    let ocid = world.ocid("NetworkSecurityGroup", "a");
    world.act(
        "POST",
        &format!("/20160918/networkSecurityGroups/{ocid}/actions/addSecurityRules"),
        &json!({"securityRules": [rule(22)]}),
    );
    let seen = full.observe(&all, &[]).await;
    assert_eq!(full.sent("GET", RULES), 2);
    assert_eq!(
        full.differences(&a, &seen.objects[&id]).len(),
        1,
        "the rule of somebody else"
    );

    // Another document is another digest: then they are read.
    let changed = group(&world, "a", vec![rule(2)]);
    world.sent("GET", RULES);
    let seen = world.observe(&[&network, &changed, &b], &[]).await;
    assert_eq!(world.sent("GET", RULES), 1);
    assert_eq!(world.differences(&changed, &seen.objects[&id]).len(), 4);
    world.update(&changed).await.unwrap();
    let seen = full.observe(&[&network, &changed, &b], &[]).await;
    assert_eq!(full.differences(&changed, &seen.objects[&id]), []);
}

#[tokio::test(start_paused = true)]
async fn a_run_cut_off_between_a_group_and_its_rules_is_finished_by_the_next() {
    let world = World::new();
    let network = vcn(&world, "net", "10.0.0.0/16");
    world.create(&network).await;
    let a = group(&world, "a", vec![rule(1)]);
    // The group is made, its rules can't be read.
    world.lose("GET", RULES);
    assert!(world.write(&a, None).await.is_err());
    let next = world.another("fleet-1", Details::Changed);
    let seen = next.observe(&[&network, &a], &[]).await;
    let id = world.manifest(&a).id;
    let Observed::Present(live) = &seen.objects[&id] else {
        panic!()
    };
    assert_eq!(next.differences(&a, &seen.objects[&id]).len(), 1);
    next.ocids.lock().unwrap().insert(id.clone(), live.uid.clone());
    next.update(&a).await.unwrap();
    let seen = next.observe(&[&network, &a], &[]).await;
    assert_eq!(next.differences(&a, &seen.objects[&id]), []);
}
