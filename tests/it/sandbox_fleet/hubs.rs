//! A run for one management cluster of several: what it shares with others has one owner, and the others wait for it.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use fleetwright::daemon::{self, Board, Directory, Pace, Telemetry};
use fleetwright::fleet::model::DriftAction;
use fleetwright::ops::{self, Access, Against, PlanOptions, Planned, Scope};
use fleetwright::plan::ignore::Contested;
use fleetwright::resource::Target;
use fleetwright::sandbox::kubernetes::Resource;
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

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
    ops::grant(&world.loaded, &mut planned, false)
        .await
        .expect("the ledgers");
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
    assert!(vcn(&a).to_string().contains("ocid1.vcn."), "{a}");
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

/// A daemon for one management cluster.
struct Keeping {
    task: JoinHandle<()>,
    stop: CancellationToken,
    board: Arc<Board>,
}

impl Keeping {
    fn on(world: &World, hub: &str) -> Self {
        let access = Access {
            management_clusters: vec![hub.to_owned()],
            ..world.access.clone()
        };
        let board = Arc::<Board>::default();
        let options = daemon::Options {
            name: None,
            taken: Arc::default(),
            source: Arc::new(Directory {
                path: world.place.fleet(),
            }),
            poll: Duration::from_secs(30),
            pace: Pace::default(),
            drift: DriftAction::Correct,
            provider: None,
            management_clusters: vec![hub.to_owned()],
            holder: None,
            concurrency: 8,
            board: board.clone(),
            bell: Arc::default(),
            telemetry: Arc::new(Telemetry::new(access.metrics.clone())),
            access,
        };
        let stop = CancellationToken::new();
        Self {
            task: tokio::spawn(daemon::run(options, stop.clone())),
            stop,
            board,
        }
    }

    /// The units that it keeps.
    fn units(&self) -> Vec<String> {
        self.board.report().units.keys().cloned().collect()
    }

    async fn ends(self) {
        self.stop.cancel();
        self.task.await.expect("it ends by itself");
    }
}

/// What is told of a cluster on a management cluster: its state, and the same for people; none where nothing is.
async fn told(world: &World, hub: &str, cluster: &str) -> Option<(String, String)> {
    let server = world.sandbox.cluster(hub).await.expect("the API server");
    let syncs = Resource::new("fleetwright.dev", "v1alpha1", "clustersyncs");
    let name = format!("acme.{cluster}");
    let sync = server
        .server()
        .get(&syncs, "fleetwright-system", &name)
        .expect("an answer")?;
    let text = |field: &str| sync["status"][field].as_str().unwrap_or_default().to_owned();
    Some((text("state"), text("message")))
}

/// Waits until the ClusterSync of a cluster says so.
async fn says(world: &World, hub: &str, cluster: &str, state: &str) -> String {
    let mut last = None;
    for _ in 0..120 {
        last = told(world, hub, cluster).await;
        match &last {
            Some((now, message)) if now == state => return message.clone(),
            _ => world.pass(1).await,
        }
    }
    panic!("{cluster} on {hub} is never {state}: {last:?}")
}

async fn control_plane(world: &World, hub: &str, cluster: &str) -> Option<Value> {
    let server = world.sandbox.cluster(hub).await.expect("the API server");
    let namespace = format!("clusters-{cluster}");
    server
        .server()
        .get(&hosted_clusters(), &namespace, cluster)
        .expect("an answer")
}

#[tokio::test(start_paused = true)]
async fn the_daemon_of_another_management_cluster_waits_for_a_network_and_leaves_it_to_its_owner() {
    let clusters = [
        ("a", "  managementCluster: m\n  network: {shared: net}"),
        ("b", "  managementCluster: n\n  network: {shared: net}"),
    ];
    let mut world = World::with_more(SHARED, &clusters).await;
    let before = world.written();
    let other = Keeping::on(&world, "n");
    let message = says(&world, "n", "b", "Waiting").await;
    assert!(message.contains("Subnet net-endpoint"), "{message}");
    world.pass(60).await;
    assert_eq!(says(&world, "n", "b", "Waiting").await, message);
    let written = world.our_writes(before);
    assert!(written.is_empty(), "it wrote to what is not its own: {written:#?}");
    assert!(control_plane(&world, "n", "b").await.is_none());

    // Its owner makes it; nobody tells the other one, who goes on by itself.
    let owner = Keeping::on(&world, "m");
    says(&world, "m", "a", "InSync").await;
    says(&world, "n", "b", "InSync").await;
    let a = control_plane(&world, "m", "a")
        .await
        .expect("the owner's control plane");
    let b = control_plane(&world, "n", "b").await.expect("the other control plane");
    let vcn = "/spec/platform/oci/networkConfig/vcn";
    let id = a.pointer(vcn).map(Value::to_string).unwrap_or_default();
    assert!(id.contains("ocid1.vcn."), "{a}");
    assert_eq!(a.pointer(vcn), b.pointer(vcn));
    world.made_once();
    assert!(owner.units().contains(&"network net".to_owned()), "{:?}", owner.units());
    assert!(
        !other.units().contains(&"network net".to_owned()),
        "{:?}",
        other.units()
    );
    let on_n = told(&world, "n", "a").await;
    assert!(on_n.is_none(), "{on_n:?}");

    // Its own cluster goes while the owner is away: the network is not its to take down, nor to keep in order.
    owner.ends().await;
    let living = world.sandbox.oci().living();
    let made = world.written();
    world.place.remove("clusters/b.yaml");
    world.fleet(&format!(
        "  decommission: [{{cluster: b, reason: it was a test}}]\n{SHARED}"
    ));
    for _ in 0..120 {
        if control_plane(&world, "n", "b").await.is_none() {
            break;
        }
        world.pass(1).await;
    }
    assert!(control_plane(&world, "n", "b").await.is_none(), "it stays");
    world.pass(60).await;
    let written = world.our_writes(made);
    assert!(written.is_empty(), "it wrote to what is not its own: {written:#?}");
    for kind in ["Vcn", "Subnet", "RouteTable", "SecurityList"] {
        assert_eq!(world.sandbox.oci().living().get(kind), living.get(kind), "{kind}");
    }

    // The owner finds all as it left it.
    let owner = Keeping::on(&world, "m");
    says(&world, "m", "a", "InSync").await;
    world.pass(10).await;
    assert_eq!(
        told(&world, "m", "a").await.map(|(state, _)| state).as_deref(),
        Some("InSync")
    );
    assert!(world.our_writes(made).is_empty(), "{:#?}", world.our_writes(made));
    owner.ends().await;
    other.ends().await;
}
