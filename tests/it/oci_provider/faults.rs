//! Lost answers, lost rights, and what others do at the same time.

use fleetwright::providers::{Observed, Provider as _, ProviderError};
use serde_json::json;

use super::world::{COMPARTMENT, World, vcn};

#[tokio::test(start_paused = true)]
async fn a_lost_answer_never_makes_a_twin() {
    let world = World::new();
    let network = vcn(&world, "net", "10.0.0.0/16");
    world.lose("POST", "/vcns");
    let live = world.create(&network).await;
    assert_eq!(world.server.living()["Vcn"], std::slice::from_ref(&live.uid));

    // A run that was cut off before it had an answer comes again, with the same token.
    let again = world.another("fleet-1", Default::default()).create(&network).await;
    assert_eq!(again.uid, live.uid);
    assert_eq!(world.server.living()["Vcn"].len(), 1);

    // What is gone is made again by the next incarnation alone.
    let id = world.manifest(&network).id;
    world.delete(&id).await.unwrap();
    world.until_gone(&id).await;
    let refused = world.write(&network, None).await.unwrap_err();
    assert!(refused.to_string().contains("InvalidatedRetryToken"), "{refused}");
    let next = world.write_as(&network, None, 1).await.unwrap();
    assert_ne!(next.uid, live.uid);
}

#[tokio::test(start_paused = true)]
async fn two_who_make_a_resource_from_different_commits_make_one() {
    let world = World::new();
    let live = world.create(&vcn(&world, "net", "10.0.0.0/16")).await;
    let mut newer = vcn(&world, "net", "10.0.0.0/16");
    newer["spec"]["displayName"] = json!("renamed");
    // It saw nothing there, for it looked before the other's was made.
    let again = world.another("fleet-1", Default::default()).create(&newer).await;
    assert_eq!(again.uid, live.uid);
    assert_eq!(world.server.living()["Vcn"].len(), 1);
    assert_eq!(again.parse().unwrap()["spec"]["displayName"], "renamed");
}

#[tokio::test(start_paused = true)]
async fn lost_rights_make_unknown_and_nothing_absent() {
    let world = World::new();
    let network = vcn(&world, "net", "10.0.0.0/16");
    world.create(&network).await;
    let id = world.manifest(&network).id;
    world.server.deny(COMPARTMENT);
    assert!(matches!(world.observe_one(&network).await, Observed::Unknown(_)));
    assert!(matches!(world.provider.read(&id, "v1").await, Observed::Unknown(_)));
    let entry = world.entry("Vcn", "net");
    let recorded = world.observe(&[], &[&entry]).await;
    assert!(
        matches!(recorded.objects[&id], Observed::Unknown(_)),
        "{:?}",
        recorded.objects
    );
    let fresh = world.another("fleet-1", Default::default());
    assert!(matches!(fresh.observe_one(&network).await, Observed::Unknown(_)));

    let writes = world.server.writes().len();
    assert!(world.update(&network).await.is_err());
    world.delete(&id).await.unwrap();
    assert_eq!(world.server.writes().len(), writes);
    assert!(matches!(world.provider.read(&id, "v1").await, Observed::Unknown(_)));
    world.server.allow(COMPARTMENT);
    assert!(matches!(world.provider.read(&id, "v1").await, Observed::Present(_)));
}

#[tokio::test(start_paused = true)]
async fn what_is_recorded_is_absent_once_a_readable_list_lacks_it() {
    let world = World::new();
    let network = vcn(&world, "net", "10.0.0.0/16");
    let live = world.create(&network).await;
    let entry = world.entry("Vcn", "net");
    let fresh = world.another("fleet-1", Default::default());
    assert!(matches!(
        fresh.observe(&[], &[&entry]).await.objects[&entry.id],
        Observed::Present(_)
    ));
    world.act("DELETE", &format!("/20160918/vcns/{}", live.uid), &json!(null));
    // On its way out it is there still, and not to be made anew.
    assert!(matches!(
        fresh.observe(&[], &[&entry]).await.objects[&entry.id],
        Observed::Present(_)
    ));
    assert!(matches!(fresh.observe_one(&network).await, Observed::Unknown(_)));
    world.clock.sleep(std::time::Duration::from_secs(60)).await;
    let gone = fresh.observe(&[&network], &[&entry]).await;
    assert!(
        matches!(gone.objects[&entry.id], Observed::Absent),
        "{:?}",
        gone.objects
    );
}

#[tokio::test(start_paused = true)]
async fn an_update_of_another_version_or_another_resource_is_refused() {
    let world = World::new();
    let network = vcn(&world, "net", "10.0.0.0/16");
    let live = world.create(&network).await;
    world.act(
        "PUT",
        &format!("/20160918/vcns/{}", live.uid),
        &json!({"displayName": "renamed"}),
    );
    let body = world.resolved(&network);
    let id = world.manifest(&network).id;
    let request = |uid| fleetwright::providers::WriteRequest {
        id: &id,
        api_version: "v1",
        body: &body,
        version: Some(&live.version),
        uid: Some(uid),
        force: false,
        managed_fields: None,
        incarnation: 0,
    };
    let stale = world.provider.write(request(&live.uid)).await.unwrap_err();
    assert!(matches!(stale, ProviderError::Stale(_)), "{stale:?}");

    let other = world.create(&vcn(&world, "other", "10.1.0.0/16")).await;
    let mut request = request(&other.uid);
    request.version = Some("");
    let refused = world.provider.write(request).await.unwrap_err();
    assert!(
        refused.to_string().contains("carries the mark of something else"),
        "{refused}"
    );
}

#[tokio::test(start_paused = true)]
async fn what_changes_under_a_delete_is_looked_at_again_and_goes_only_while_it_is_ours() {
    let world = World::new();
    let network = vcn(&world, "net", "10.0.0.0/16");
    let live = world.create(&network).await;
    let id = world.manifest(&network).id;
    let path = format!("/20160918/vcns/{}", live.uid);

    // Somebody takes it for themselves in that very moment.
    world.meddle(&path, json!({"freeformTags": {}}));
    let refused = world.delete(&id).await.unwrap_err().to_string();
    assert!(refused.contains("no mark of ours"), "{refused}");
    assert_eq!(world.server.living()["Vcn"].len(), 1);

    let other = vcn(&world, "other", "10.1.0.0/16");
    let live = world.create(&other).await;
    world.meddle(
        &format!("/20160918/vcns/{}", live.uid),
        json!({"displayName": "renamed"}),
    );
    world.delete(&world.manifest(&other).id).await.unwrap();
    world.until_gone(&world.manifest(&other).id).await;
}
