//! Ownership, adoption, and tags of others.

use fleetwright::providers::Observed;
use fleetwright::providers::oci::{ADOPT_ANNOTATION, Details};
use fleetwright::resource::mark::OWNER_ANNOTATION;
use serde_json::{Value, json};

use super::world::{COMPARTMENT, World, vcn};

fn mark(observed: &Observed) -> Option<Value> {
    let Observed::Present(live) = observed else {
        panic!("{observed:?}")
    };
    live.parse()
        .unwrap()
        .pointer("/metadata/annotations")?
        .get(OWNER_ANNOTATION)
        .cloned()
}

#[tokio::test(start_paused = true)]
async fn tags_of_others_stay_and_ours_go_when_they_are_no_longer_wanted() {
    let world = World::new();
    let with = |tags: Value| {
        world.document(
            "Vcn",
            "net",
            json!({"displayName": "net", "cidrBlocks": ["10.0.0.0/16"], "freeformTags": tags}),
        )
    };
    let live = world.create(&with(json!({"team": "a", "old": "1"}))).await;
    let path = format!("/20160918/vcns/{}", live.uid);
    let shown = world.act("GET", &path, &Value::Null);
    let mut tags = shown["freeformTags"].clone();
    assert_eq!(tags.as_object().unwrap().len(), 6, "four of ours beside two: {tags}");
    tags["theirs"] = "x".into();
    world.act("PUT", &path, &json!({"freeformTags": tags}));
    let next = with(json!({"team": "b", "old": null}));
    world.update(&next).await.unwrap();
    let shown = world.act("GET", &path, &Value::Null);
    assert_eq!(shown["freeformTags"]["team"], "b");
    assert_eq!(shown["freeformTags"]["theirs"], "x");
    assert_eq!(shown["freeformTags"]["old"], Value::Null);
    assert_eq!(shown["freeformTags"]["fleetwright-fleet"], "fleet-1");
    assert_eq!(shown["freeformTags"]["fleetwright-unit"], "cluster payments");
    let forged = world
        .update(&with(json!({"fleetwright-fleet": "fleet-2"})))
        .await
        .unwrap_err();
    assert!(forged.to_string().contains("is not the document's to set"), "{forged}");
}

#[tokio::test(start_paused = true)]
async fn what_is_there_unmarked_is_seen_without_a_mark_and_marked_by_a_write() {
    let world = World::new();
    let made = world.act(
        "POST",
        "/20160918/vcns",
        &json!({"compartmentId": COMPARTMENT, "cidrBlocks": ["10.0.0.0/16"], "displayName": "net"}),
    );
    let ocid = made["id"].as_str().unwrap();
    let document = vcn(&world, "net", "10.0.0.0/16");
    let by_name = world.observe_one(&document).await;
    assert_eq!(mark(&by_name), None);

    let mut by_ocid = vcn(&world, "other-name", "10.0.0.0/16");
    by_ocid["metadata"]["annotations"][ADOPT_ANNOTATION] = ocid.into();
    assert_eq!(mark(&world.observe_one(&by_ocid).await), None);

    let error = {
        world
            .ocids
            .lock()
            .unwrap()
            .insert(world.manifest(&document).id, ocid.to_owned());
        world.delete(&world.manifest(&document).id).await.unwrap_err()
    };
    assert!(error.to_string().contains("carries no mark of ours"), "{error}");
    world.update(&document).await.unwrap();
    assert!(mark(&world.observe_one(&document).await).is_some());
    // Marked as one resource, it is no other's.
    assert!(matches!(
        world.observe_one(&vcn(&world, "third", "10.0.0.0/16")).await,
        Observed::Absent
    ));
}

#[tokio::test(start_paused = true)]
async fn two_of_one_name_are_nobodys_and_another_fleets_is_left_alone() {
    let world = World::new();
    let network = vcn(&world, "net", "10.0.0.0/16");
    world.create(&network).await;
    let other = world.another("fleet-2", Details::Changed);
    // It is seen there, with the mark of the first: nothing is made beside it.
    let theirs = other.observe_one(&vcn(&other, "net", "10.0.0.0/16")).await;
    assert_eq!(mark(&theirs), mark(&world.observe_one(&network).await));
    let id = world.manifest(&network).id;
    let error = other.delete(&id).await.unwrap_err();
    assert!(error.to_string().contains("carries no mark of ours"), "{error}");
    for block in ["10.1.0.0/16", "10.2.0.0/16"] {
        let body = json!({"compartmentId": COMPARTMENT, "cidrBlocks": [block], "displayName": "twice"});
        world.act("POST", "/20160918/vcns", &body);
    }
    let Observed::Unknown(reason) = world.observe_one(&vcn(&world, "twice", "10.1.0.0/16")).await else {
        panic!("which of them is meant is not known")
    };
    assert!(reason.contains("2 Vcns are called `twice`"), "{reason}");
}
