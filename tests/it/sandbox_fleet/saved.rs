//! Plans that are kept: between one and its apply somebody interferes, and nothing is done; what does not concern it does not
//! make it stale.

use fleetwright::plan::ignore::Contested;
use std::path::{Path, PathBuf};

use fleetwright::ops::{self, PlanOptions, Planned, Scope};
use fleetwright::plan::saved::{Allowed, SavedPlan, Standing};
use serde_json::{Value, json};

use super::said::Told;
use super::world::{NOW, World, hosted_clusters, node_pools};

const TWO: &str = "  pools: {general: {profile: general}, more: {profile: general}}";

/// A fleet that stands, and a plan of it: one pool is to be scaled, the other to go.
async fn planned() -> (World, PathBuf) {
    let mut world = World::of(&[("a", ""), ("b", "")]).await;
    world.cluster("a", TWO);
    world.converges().await;
    world.pass(60).await;
    world.cluster("a", "  pools: {general: {profile: general, replicas: 5}}");
    let file = world.place.path().join("a.plan");
    let planned = world.plan().await;
    ops::save_plan(&world.loaded, &planned, Allowed::default(), &file).expect("a file");
    (world, file)
}

fn read(file: &Path) -> SavedPlan {
    ops::read_plan(file, None).expect("a plan").0
}

/// What stands against a saved plan now, and the plan that would be applied.
async fn now(world: &World, saved: &SavedPlan) -> (Vec<String>, Standing, Planned) {
    let options = PlanOptions {
        against: ops::Against::Live(Box::new(world.access.clone())),
        scope: Scope {
            units: Some(saved.scope()),
            ..Scope::default()
        },
        contested: Contested::new(),
        adopt: false,
        even_suspended: false,
        now: NOW.to_owned(),
    };
    let fresh = ops::plan(&world.loaded, &options).await.expect("a plan");
    let standing = saved.standing(&fresh.plan);
    let moved = ops::moved_files(saved, &world.loaded)
        .into_iter()
        .chain(standing.moved.clone());
    (moved.map(|one| one.to_string()).collect(), standing, fresh)
}

#[tokio::test(start_paused = true)]
async fn what_was_looked_at_is_applied_once() {
    let (mut world, file) = planned().await;
    let saved = read(&file);
    assert_eq!(saved.changes.len(), 2, "{:#?}", saved.changes);
    // The operators write statuses, another cluster's files change: neither concerns it.
    world.pass(60).await;
    world.cluster("b", "  pools: {general: {profile: general, replicas: 7}}");
    let (moved, standing, fresh) = now(&world, &saved).await;
    assert_eq!(moved, Vec::<String>::new());
    assert_eq!((standing.open, standing.done), (2, 0));
    world.apply(&fresh, &Told::default()).await;
    world.pass(60).await;
    let pool = world.get(&node_pools(), "clusters-a", "a-general").await.expect("it");
    assert_eq!(pool["spec"]["replicas"], 5);
    assert_eq!(world.get(&node_pools(), "clusters-a", "a-more").await, None);
    // The other cluster's change was not in it.
    let other = world.get(&node_pools(), "clusters-b", "b-general").await.expect("it");
    assert_eq!(other["spec"]["replicas"], 2);
    let (moved, standing, _) = now(&world, &saved).await;
    assert_eq!(moved, Vec::<String>::new());
    assert_eq!((standing.open, standing.done), (0, 2));
}

/// Somebody's doing between the plan and its apply.
type Interference = fn(&fleetwright::sandbox::Cluster);

fn patch(cluster: &fleetwright::sandbox::Cluster, name: &str, change: &Value) {
    let done = cluster
        .server()
        .patch("somebody", &node_pools(), ("clusters-a", name), "", change);
    done.unwrap_or_else(|refusal| panic!("{}", refusal.message));
}

#[tokio::test(start_paused = true)]
async fn whoever_interferes_makes_it_stale_and_is_named() {
    let cases: [(&str, Interference, &str); 5] = [
        (
            "an edit",
            |m| patch(m, "a-general", &json!({"spec": {"replicas": 9}})),
            "NodePool clusters-a/a-general: .spec.replicas was changed since",
        ),
        (
            "a label",
            |m| {
                patch(
                    m,
                    "a-general",
                    &json!({"metadata": {"labels": {"fleetwright.dev/cluster": "x"}}}),
                );
            },
            ".metadata.labels",
        ),
        (
            "an edit of what is to go",
            |m| patch(m, "a-more", &json!({"spec": {"replicas": 9}})),
            "a-more: it is to go, and was changed since",
        ),
        (
            "a delete",
            |m| {
                m.server()
                    .delete(&hosted_clusters(), "clusters-a", "a")
                    .expect("a delete");
            },
            "NodePool clusters-a/a-general: it was there, and is gone",
        ),
        (
            "another of the same name",
            |m| {
                let pool = m
                    .server()
                    .get(&node_pools(), "clusters-a", "a-general")
                    .expect("an answer");
                let mut pool = pool.expect("it");
                patch(m, "a-general", &json!({"metadata": {"finalizers": null}}));
                m.server()
                    .delete(&node_pools(), "clusters-a", "a-general")
                    .expect("a delete");
                for field in [
                    "uid",
                    "resourceVersion",
                    "creationTimestamp",
                    "managedFields",
                    "finalizers",
                ] {
                    pool["metadata"].as_object_mut().expect("metadata").remove(field);
                }
                m.server().create("somebody", &pool).expect("another");
            },
            "a-general: it was replaced by another object of its name",
        ),
    ];
    for (what, interfere, said) in cases {
        let (world, file) = planned().await;
        let saved = read(&file);
        let cluster = world.sandbox.cluster("m").await.expect("the API server");
        interfere(&cluster);
        let (moved, ..) = now(&world, &saved).await;
        assert!(moved.iter().any(|one| one.contains(said)), "{what}: {moved:#?}");
    }
}

#[tokio::test(start_paused = true)]
async fn other_files_and_other_versions_make_it_stale() {
    let (mut world, file) = planned().await;
    let text = std::fs::read_to_string(&file).expect("the file");
    assert!(!text.contains("VM.Standard"), "a value is in it: {text}");
    let mut older: Value = serde_json::from_str(&text).expect("JSON");
    older["version"] = json!("0.0.9");
    std::fs::write(world.place.path().join("older.plan"), older.to_string()).expect("a file");
    let older = read(&world.place.path().join("older.plan"));
    let (moved, ..) = now(&world, &older).await;
    assert_eq!(moved, ["it was made by version 0.0.9 of this program"]);

    let saved = read(&file);
    world.cluster("a", "  pools: {general: {profile: general, replicas: 6}}");
    let (moved, ..) = now(&world, &saved).await;
    assert!(
        moved.iter().any(|one| one.starts_with("cluster a: its files")),
        "{moved:#?}"
    );
    assert!(
        moved
            .iter()
            .any(|one| one.contains(".spec.replicas would become something else")),
        "{moved:#?}"
    );

    older_form(&world);
}

fn older_form(world: &World) {
    let path = world.place.path().join("other.plan");
    std::fs::write(&path, r#"{"schema": "fleetwright.dev/saved-plan/v0"}"#).expect("a file");
    let error = ops::read_plan(&path, None).expect_err("another form").to_string();
    assert!(
        error.contains("saved-plan/v0") && error.contains("saved-plan/v1"),
        "{error}"
    );
    std::fs::write(&path, "no JSON").expect("a file");
    assert!(ops::read_plan(&path, None).is_err());
}

/// Fifty plans wait in a queue: those of clusters of their own are all applied, whatever was applied before them, and one of a
/// cluster that another plan has changed is not.
#[tokio::test(start_paused = true)]
async fn plans_of_clusters_of_their_own_do_not_make_each_other_stale() {
    // A region has room for no more than fifty VCNs.
    let net = "---\nkind: Network\nmetadata: {name: net}\n\
        spec: {region: us-ashburn-1, managementCluster: m, compartment: clusters, peerWith: none}\n";
    let alone = "  network: {shared: net}".to_owned();
    let names: Vec<String> = (0..50).map(|i| format!("c{i}")).collect();
    let clusters: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), alone.as_str())).collect();
    let mut world = World::with_more(net, &clusters).await;
    world.converges().await;
    let mut plans = Vec::new();
    let with_nodes = |nodes: usize| format!("{alone}\n  pools: {{general: {{profile: general, replicas: {nodes}}}}}");
    let file = world.place.path().join("rival.plan");
    world.cluster("c7", &with_nodes(99));
    let rival = ops::save_plan(&world.loaded, &world.plan().await, Allowed::default(), &file).expect("a file");
    world.cluster("c7", &alone);
    for (i, name) in names.iter().enumerate() {
        let before = std::fs::read_to_string(world.place.fleet().join(format!("clusters/{name}.yaml"))).expect("it");
        world.cluster(name, &with_nodes(i + 3));
        let planned = world.plan().await;
        let file = world.place.path().join(format!("{name}.plan"));
        plans.push(ops::save_plan(&world.loaded, &planned, Allowed::default(), &file).expect("a file"));
        // Each is the plan of a branch of its own.
        world.place.write(&format!("clusters/{name}.yaml"), &before);
        world.fleet(net);
    }
    assert!(plans.iter().all(|plan| plan.units.len() == 1), "{plans:#?}");
    for (i, (name, plan)) in names.iter().zip(&plans).enumerate() {
        world.cluster(name, &with_nodes(i + 3));
        let (moved, standing, fresh) = now(&world, plan).await;
        assert_eq!(moved, Vec::<String>::new(), "{name}");
        assert!(standing.open > 0, "{name}");
        world.apply(&fresh, &Told::default()).await;
    }
    world.cluster("c7", &with_nodes(99));
    let (_, standing, _) = now(&world, &rival).await;
    assert!(!standing.moved.is_empty(), "another plan has changed that field");
}
