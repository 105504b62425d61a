//! A run for one management cluster of several: what it shares with others has one owner, and the others wait for it.

use fleetwright::plan::ignore::Contested;
use std::sync::atomic::AtomicBool;

use fleetwright::ops::{self, Access, Against, PlanOptions, Planned, Scope};
use fleetwright::resource::Target;

use super::said::{Told, is_settled, text};
use super::world::{NOW, World, hosted_clusters};

const SHARED: &str = "---
kind: Network
metadata: {name: net}
spec: {region: us-ashburn-1, managementCluster: m, compartment: clusters, peerWith: none}
---
kind: ManagementCluster
metadata: {name: n}
spec:
  region: us-ashburn-1
  context: other
  dialect: oci
  operatorVersion: \"4.20\"
  nodePortAddress: n.acme.example
";

async fn plan(world: &World, hub: &str) -> Planned {
    let options = PlanOptions {
        against: Against::Live(Box::new(Access {
            management_clusters: vec![hub.to_owned()],
            ..world.access.clone()
        })),
        scope: Scope {
            management_clusters: vec![hub.to_owned()],
            ..Scope::default()
        },
        contested: Contested::new(),
        adopt: false,
        even_suspended: false,
        now: NOW.to_owned(),
    };
    let planned = ops::plan(&world.loaded, &options).await.expect("a plan");
    for change in &planned.plan.changes {
        assert_eq!(change.recorded_on.as_str(), hub, "{}", text(&planned));
        let elsewhere = matches!(&change.id.target, Target::Kubernetes(name) if name.as_str() != hub);
        assert!(!elsewhere, "{}", text(&planned));
    }
    assert_eq!(
        planned.providers.keys().map(|name| name.as_str()).collect::<Vec<_>>(),
        [hub]
    );
    planned
}

async fn converges(world: &World, hub: &str) {
    for _ in 0..6 {
        let planned = plan(world, hub).await;
        if is_settled(&planned) {
            return;
        }
        let options = fleetwright::apply::Options::default();
        let told = Told::default();
        ops::apply(&world.loaded, &planned, options, &told, &AtomicBool::new(false)).await;
        world.pass(60).await;
    }
    panic!("{}", text(&plan(world, hub).await));
}

/// Looks and does what is granted, as a daemon for one management cluster does; gives what is deleted and what is refused.
async fn a_round(world: &World, hub: &str) -> (usize, bool) {
    let mut planned = plan(world, hub).await;
    ops::grant(&world.loaded, &mut planned).await.expect("the ledgers");
    let refused = planned
        .plan
        .refusals
        .iter()
        .any(|refusal| refusal.guard == "daily-delete-cap");
    let deleted = planned.plan.changes.iter().filter(|change| {
        change.action == fleetwright::plan::change::Action::Delete
            && change.id.kind == "HostedCluster"
            && change.goes_ahead()
    });
    let deleted = deleted.count();
    let options = fleetwright::apply::Options::default();
    ops::apply(
        &world.loaded,
        &planned,
        options,
        &Told::default(),
        &AtomicBool::new(false),
    )
    .await;
    world.pass(60).await;
    (deleted, refused)
}

#[tokio::test(start_paused = true)]
async fn all_of_them_together_delete_no_more_in_a_day_than_the_fleet_may() {
    let on = |hub: &str| format!("  managementCluster: {hub}\n  network: {{peerWith: none}}");
    let (m, n) = (on("m"), on("n"));
    let clusters = [("a1", &*m), ("a2", &*m), ("b1", &*n), ("b2", &*n)];
    let mut world = World::with_more(SHARED, &clusters).await;
    for hub in ["m", "n"] {
        converges(&world, hub).await;
    }
    let names = clusters.map(|(name, _)| name);
    for name in names {
        world.place.remove(&format!("clusters/{name}.yaml"));
    }
    let listed = names
        .map(|name| format!("{{cluster: {name}, reason: it was a test}}"))
        .join(", ");
    world.fleet(&format!("  decommission: [{listed}]\n{SHARED}"));
    world.edit("fleet.yaml", |text| text.replace("deletes: 200", "deletes: 2"));
    for hub in ["m", "n"] {
        let mut deleted = 0;
        for _ in 0..6 {
            let (more, refused) = a_round(&world, hub).await;
            deleted += more;
            assert!(refused, "{hub}: the other one has to wait");
        }
        assert!(deleted >= 1, "{hub} has its share");
    }
    let mut left = Vec::new();
    for (name, hub) in names.iter().zip(["m", "m", "n", "n"]) {
        let server = world.sandbox.cluster(hub).await.expect("the API server");
        let there = server
            .server()
            .get(&hosted_clusters(), &format!("clusters-{name}"), name);
        left.extend(there.expect("an answer").map(|_| *name));
    }
    assert_eq!(left.len(), 2, "{left:?}");
}

#[tokio::test(start_paused = true)]
async fn a_network_is_written_by_the_one_that_owns_it_and_waited_for_by_the_others() {
    let clusters = [
        ("a", "  managementCluster: m\n  network: {shared: net}"),
        ("b", "  managementCluster: n\n  network: {shared: net}"),
    ];
    let mut world = World::with_more(SHARED, &clusters).await;
    let prepared = world.written();
    let waits = plan(&world, "n").await;
    assert!(
        text(&waits).contains("waits: needs Subnet net-endpoint"),
        "{}",
        text(&waits)
    );
    let options = fleetwright::apply::Options::default();
    let told = Told::default();
    ops::apply(&world.loaded, &waits, options, &told, &AtomicBool::new(false)).await;
    assert!(world.our_writes(prepared).is_empty(), "it wrote to what is not its own");

    converges(&world, "m").await;
    let made = world.written();
    converges(&world, "n").await;
    let other = world.sandbox.cluster("n").await.expect("the API server");
    let b = other
        .server()
        .get(&hosted_clusters(), "clusters-b", "b")
        .expect("an answer")
        .expect("the control plane");
    let a = world
        .get(&hosted_clusters(), "clusters-a", "a")
        .await
        .expect("the other control plane");
    let vcn = |cluster: &serde_json::Value| cluster["spec"]["platform"]["oci"]["networkConfig"]["vcn"].clone();
    assert_eq!(vcn(&a), vcn(&b));
    let written = world.our_writes(made);
    assert!(written.is_empty(), "it wrote to what is not its own: {written:#?}");

    // Its last cluster here leaves the files: the network is the other one's to keep.
    world.place.remove("clusters/b.yaml");
    world.fleet(&format!(
        "  decommission: [{{cluster: b, reason: it was a test}}]\n{SHARED}"
    ));
    let recorded = World::recorded(&plan(&world, "n").await);
    assert_eq!(recorded.keys().collect::<Vec<_>>(), ["cluster b"]);
    converges(&world, "n").await;
    assert!(world.our_writes(made).is_empty(), "it wrote to what is not its own");
    assert!(is_settled(&plan(&world, "m").await));
}
