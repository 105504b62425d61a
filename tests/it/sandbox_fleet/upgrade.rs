//! Upgrades that take steps: what the files want, what the control plane completes, and in which order.

use fleetwright::plan::upgrade::version;
use serde_json::{Value, json};

use super::said::{Told, is_settled, text};
use super::world::{World, hosted_clusters, node_pools};

/// The versions that control plane and pool are asked for.
async fn asked(world: &World) -> (String, String) {
    let hosted = world.get(&hosted_clusters(), "clusters-a", "a").await;
    let pool = world.get(&node_pools(), "clusters-a", "a-general").await;
    let of = |object: Option<Value>| {
        let object = object.expect("it is there");
        let image = object["spec"]["release"]["image"]
            .as_str()
            .expect("an image")
            .to_owned();
        version(&image).expect("a version").to_string()
    };
    (of(hosted), of(pool))
}

/// What the control plane has completed, the newest first.
async fn completed(world: &World) -> Vec<String> {
    let hosted = world
        .get(&hosted_clusters(), "clusters-a", "a")
        .await
        .expect("it is there");
    let history = hosted["status"]["version"]["history"]
        .as_array()
        .expect("a history")
        .clone();
    let completed = history.iter().filter(|entry| entry["state"] == "Completed");
    completed
        .map(|entry| entry["version"].as_str().expect("a version").to_owned())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn an_eus_upgrade_runs_through_in_its_order() {
    let mut world = World::of(&[("a", "  version: 4.18.20")]).await;
    world.converges().await;
    world.pass(60).await;
    assert_eq!(completed(&world).await, ["4.18.20"]);

    // Without a version to go through there is no way.
    world.cluster("a", "  version: 4.20.3");
    let planned = world.plan().await;
    let refusal = &planned.plan.refusals[0];
    assert_eq!((planned.plan.refusals.len(), refusal.guard), (1, "release-step"));
    assert!(
        refusal.lift.contains("between 4.18.20 and 4.20.3 in `via`"),
        "{}",
        refusal.lift
    );

    world.cluster("a", "  version: 4.20.3\n  via: [4.19.14]");
    let said = text(&world.plan().await);
    let way = "upgrade: cluster a: control plane 4.18.20 → 4.19.14 → 4.20.3, then pool general 4.18.20 → 4.20.3; now to \
               4.19.14";
    assert!(said.contains(way), "{said}");
    assert!(said.contains("2 nodes replaced; 1 control plane rolls"), "{said}");

    let mut went = Vec::new();
    for _ in 0..30 {
        let planned = world.plan().await;
        if is_settled(&planned) {
            break;
        }
        assert!(planned.plan.refusals.is_empty(), "{}", text(&planned));
        let told = Told::default();
        assert!(
            world.apply(&planned, &told).await.is_success(),
            "{:#?}",
            told.failures()
        );
        let (hosted, pool) = asked(&world).await;
        went.push(format!("{hosted} {pool}, done {}", completed(&world).await[0]));
        world.pass(5).await;
    }
    went.dedup();
    let expected = [
        "4.19.14 4.18.20, done 4.18.20",
        "4.20.3 4.18.20, done 4.19.14",
        "4.20.3 4.20.3, done 4.20.3",
    ];
    assert_eq!(went, expected);
    assert_eq!(completed(&world).await, ["4.20.3", "4.19.14", "4.18.20"]);
    let planned = world.plan().await;
    assert!(is_settled(&planned), "{}", text(&planned));
    world.pass(60).await;
    let pool = world
        .get(&node_pools(), "clusters-a", "a-general")
        .await
        .expect("it is there");
    assert_eq!(pool["status"]["version"], "4.20.3", "{pool}");
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_its_turn_is_told_and_the_rest_of_it_is_written() {
    let mut world = World::of(&[("a", "  version: 4.18.20")]).await;
    world.converges().await;
    world.pass(60).await;
    world.cluster("a", "  version: 4.19.14");
    let planned = world.plan().await;
    world.apply(&planned, &Told::default()).await;
    world.pass(5).await;
    let said = text(&world.plan().await);
    assert!(
        said.contains("waits: for the control plane to complete 4.19.14"),
        "{said}"
    );
    assert!(
        said.contains("; waits for the control plane to complete 4.19.14 ("),
        "{said}"
    );

    world.cluster(
        "a",
        "  version: 4.19.14\n  pools: {general: {profile: general, replicas: 3}}",
    );
    let planned = world.plan().await;
    world.apply(&planned, &Told::default()).await;
    let pool = world
        .get(&node_pools(), "clusters-a", "a-general")
        .await
        .expect("it is there");
    assert_eq!(pool["spec"]["replicas"], 3);
    assert_eq!(asked(&world).await, ("4.19.14".to_owned(), "4.18.20".to_owned()));
    world.pass(60).await;
    world.converges().await;
    assert_eq!(asked(&world).await, ("4.19.14".to_owned(), "4.19.14".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_release_that_the_operator_does_not_manage_is_refused_before_it_is_asked_for() {
    let mut world = World::of(&[("a", "")]).await;
    world.converges().await;
    let cluster = world.sandbox.cluster("m").await.expect("the API server");
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "hypershift"}});
    cluster.server().create("operator", &namespace).expect("a namespace");
    let publish = |versions: &str| {
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "supported-versions", "namespace": "hypershift"},
            "data": {"supported-versions": format!("{{\"versions\": [{versions}]}}")}});
        cluster.server().apply("operator", &map, true).expect("a ConfigMap")
    };
    publish("\"4.19\", \"4.18\"");
    assert!(is_settled(&world.plan().await), "what stands is not judged");
    world.cluster("a", "  version: 4.20.3");
    let planned = world.plan().await;
    let refusal = &planned.plan.refusals[0];
    assert_eq!((planned.plan.refusals.len(), refusal.guard), (1, "supported-release"));
    assert!(
        refusal.message.contains("the operator on m manages 4.18 to 4.19"),
        "{}",
        refusal.message
    );
    publish("\"4.20\", \"4.19\", \"4.18\"");
    assert!(world.plan().await.plan.refusals.is_empty());
}
