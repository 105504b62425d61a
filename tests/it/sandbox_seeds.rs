//! The demo fleet in a sandbox under many schedules of faults: each comes to the same state, nothing is made twice and
//! nothing that is not the fleet's is touched.
//!
//! Each seed is a run on paused time of its own. 50 of them are run; `FLEETWRIGHT_SEEDS=500 cargo test --test it
//! sandbox_seeds` runs more.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use fleetwright::apply::{Event, Observer};
use fleetwright::ops::{self, Access, Against, LoadOptions, LoadedFleet, PlanOptions, Scope};
use fleetwright::sandbox::fault::{Point, Spec};
use fleetwright::sandbox::{Options, Sandbox};
use fleetwright::status::{State, readiness};
use serde_json::{Value, json};

use crate::fleet_support::repository;

const SEEDS: &str = "FLEETWRIGHT_SEEDS";

/// Runs of `apply` within which a fleet has to be as its files say. Each strike of a fault costs one, at worst.
const ROUNDS: usize = 30;

/// Kinds of the API servers whose objects are compared.
const COMPARED: [&str; 6] = [
    "/api/v1/namespaces",
    "/api/v1/configmaps",
    "/api/v1/secrets",
    "/apis/hypershift.openshift.io/v1beta1/hostedclusters",
    "/apis/hypershift.openshift.io/v1beta1/nodepools",
    "/apis/infrastructure.cluster.x-k8s.io/v1beta2/ociclusteridentities",
];

struct Nobody;

impl Observer for Nobody {
    fn event(&self, _: &Event) {}
}

/// What a run came to.
struct Run {
    state: BTreeMap<String, Value>,
    struck: BTreeMap<Point, (u64, u64)>,
    rounds: usize,
}

/// How many seeds are tried.
fn seeds() -> u64 {
    let asked = std::env::var_os(SEEDS).and_then(|text| text.to_str()?.parse().ok());
    asked
        .unwrap_or(if cfg!(debug_assertions) { 10 } else { 50 })
        .max(if crate::support::under_ci() { 50 } else { 1 })
}

fn demo() -> LoadedFleet {
    let options = LoadOptions {
        directory: repository("fleet"),
        locked: false,
        now: "2026-11-21T12:00:00Z".parse().expect("a time"),
    };
    let loaded = ops::load(&options).expect("the demo fleet");
    assert!(!loaded.has_errors(), "{:?}", loaded.diagnostics);
    loaded
}

/// Applies until a plan says that there is nothing to do.
fn run(loaded: &LoadedFleet, seed: u64, faults: Spec) -> Run {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let options = Options {
            seed,
            faults,
            ..Options::new("2026-11-21T12:00:00Z".parse().expect("a time"))
        };
        let sandbox = ops::open_sandbox(options, Some(loaded)).await.expect("a sandbox");
        let rounds = converge(loaded, &sandbox, seed).await;
        // What was written is brought up by the operators, at their pace.
        sandbox.clock().sleep(Duration::from_secs(3 * 3600)).await;
        sandbox.settled().await;
        sandbox.faults().rest();
        let (plan, _) = planned(loaded, &sandbox).await.expect("a plan without faults");
        assert!(!plan, "seed {seed}: what had settled has changes again");
        written_once(loaded, &sandbox, seed);
        Run {
            state: state(loaded, &sandbox).await,
            struck: sandbox.faults().counts(),
            rounds,
        }
    })
}

async fn converge(loaded: &LoadedFleet, sandbox: &Arc<Sandbox>, seed: u64) -> usize {
    for round in 1..=ROUNDS {
        // A plan that fails changes nothing, and is made again.
        if let Ok((_, planned)) = planned(loaded, sandbox).await {
            let options = fleetwright::apply::Options::default();
            ops::apply(loaded, &planned, options, &Nobody, &AtomicBool::new(false)).await;
        }
        sandbox.clock().sleep(Duration::from_secs(600)).await;
        // Whether that was enough is looked at with open eyes.
        sandbox.faults().rest();
        let (open, _) = planned(loaded, sandbox).await.expect("a plan without faults");
        if !open {
            return round;
        }
        sandbox.faults().resume();
    }
    panic!(
        "seed {seed} does not converge within {ROUNDS} runs: {:?}",
        sandbox.faults().counts()
    );
}

/// A plan, and whether anything is to be done or not known.
async fn planned(loaded: &LoadedFleet, sandbox: &Arc<Sandbox>) -> Result<(bool, ops::Planned), ops::PlanError> {
    let options = PlanOptions {
        against: Against::Live(Access {
            sandbox: Some(sandbox.clone()),
            ..Access::default()
        }),
        scope: Scope::default(),
        adopt: false,
        now: "2026-11-21T12:00:00Z".to_owned(),
    };
    let planned = ops::plan(loaded, &options).await?;
    let plan = &planned.plan;
    let open = plan.has_changes() || plan.has_unknowns() || !plan.settled.is_empty() || plan.is_refused();
    Ok((open, planned))
}

/// No OCI resource was made twice, and no other's was changed.
fn written_once(loaded: &LoadedFleet, sandbox: &Sandbox, seed: u64) {
    let own = &sandbox.identity().principal().user;
    let fleet = loaded.fleet.uid.as_str();
    let mut made = BTreeSet::new();
    for write in sandbox
        .oci()
        .writes()
        .iter()
        .filter(|write| write.principal.user == *own)
    {
        let ours = write.tags.get("fleetwright-fleet").is_some_and(|tag| tag == fleet);
        assert!(
            ours,
            "seed {seed}: {} of what is not ours: {}",
            write.operation, write.resource
        );
        if write.operation.starts_with("Create") {
            let id = (write.kind, write.tags.get("fleetwright-id").cloned());
            assert!(
                made.insert(id),
                "seed {seed}: {} {} was made twice",
                write.kind,
                write.display_name
            );
        }
    }
}

/// What the API servers hold, without what differs from run to run: ids, versions, times, and whoever wrote last.
async fn state(loaded: &LoadedFleet, sandbox: &Sandbox) -> BTreeMap<String, Value> {
    let mut state = BTreeMap::new();
    for cluster in loaded.fleet.management_clusters.keys() {
        let client = sandbox.kube_client(cluster.as_str()).await.expect("a client");
        for path in COMPARED {
            let request = http::Request::get(path).body(Vec::new()).expect("a request");
            let list: Value = client.request(request).await.expect("a list");
            for mut object in list["items"].as_array().expect("items").iter().cloned() {
                let place = &object["metadata"];
                let name = format!("{cluster} {path} {} {}", place["namespace"], place["name"]);
                if object["status"]["conditions"].is_array() && path.contains("hypershift") {
                    object["kind"] = json!(if path.ends_with("pools") {
                        "NodePool"
                    } else {
                        "HostedCluster"
                    });
                    object["apiVersion"] = json!("hypershift.openshift.io/v1beta1");
                    assert_eq!(readiness(&object).state, State::Ready, "{name}: {object}");
                }
                same(&mut object);
                state.insert(name, object);
            }
        }
    }
    state
}

/// Takes out what differs from run to run.
fn same(value: &mut Value) {
    match value {
        Value::Object(map) => {
            for key in [
                "uid",
                "resourceVersion",
                "creationTimestamp",
                "managedFields",
                "lastTransitionTime",
                "startedTime",
                "completionTime",
                "generation",
                "observedGeneration",
            ] {
                map.remove(key);
            }
            map.values_mut().for_each(same);
        }
        Value::Array(list) => list.iter_mut().for_each(same),
        // The inventory is a document within a document.
        Value::String(text) => {
            if text.starts_with('{')
                && let Ok(mut inner) = serde_json::from_str::<Value>(text)
            {
                same(&mut inner);
                *value = inner;
            }
        }
        _ => {}
    }
}

#[test]
fn every_schedule_of_faults_comes_to_the_same_fleet() {
    let loaded = demo();
    let calm = run(&loaded, 0, Spec::default());
    assert!(calm.rounds <= 3, "without faults it takes {} rounds", calm.rounds);
    assert!(calm.state.len() > 100, "{}", calm.state.len());
    let mut struck: BTreeMap<Point, u64> = BTreeMap::new();
    let next = std::sync::atomic::AtomicU64::new(1);
    let runs = std::sync::Mutex::new(Vec::new());
    let last = seeds();
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    if seed > last {
                        return;
                    }
                    let one = run(&loaded, seed, Spec::all(0.02));
                    runs.lock().expect("no panic in between").push((seed, one));
                }
            });
        }
    });
    for (seed, run) in runs.into_inner().expect("no panic") {
        for (name, object) in &calm.state {
            assert_eq!(run.state.get(name), Some(object), "seed {seed}: {name}");
        }
        let more: Vec<&String> = run
            .state
            .keys()
            .filter(|name| !calm.state.contains_key(*name))
            .collect();
        assert!(more.is_empty(), "seed {seed}: {more:?}");
        for (point, (_, count)) in run.struck {
            *struck.entry(point).or_default() += count;
        }
    }
    for point in [
        Point::TooManyRequests,
        Point::Unavailable,
        Point::InternalError,
        Point::LostRights,
        Point::AnswerLost,
    ] {
        assert!(
            struck.get(&point).is_some_and(|count| *count > 0),
            "{point} never struck: {struck:?}"
        );
    }
}

#[test]
fn a_seed_gives_the_same_run_each_time() {
    let loaded = demo();
    let (one, two) = (run(&loaded, 7, Spec::all(0.05)), run(&loaded, 7, Spec::all(0.05)));
    assert_eq!(one.struck, two.struck);
    assert_eq!(one.rounds, two.rounds);
    assert_eq!(one.state, two.state);
}
