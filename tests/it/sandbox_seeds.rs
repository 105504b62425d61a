//! The demo fleet in a sandbox under many schedules of faults: each comes to the same state, nothing is made twice and
//! nothing that is not the fleet's is touched.
//!
//! Each seed is a run on paused time of its own. Ten of them are run, 50 under `CI=true`, and 500 by
//! `FLEETWRIGHT_SEEDS=500 cargo test --release --test it sandbox_seeds`. Two go over TCP, in the machine's time.

pub(crate) mod bystanders;
mod killed;
pub(crate) mod state;
pub(crate) mod writes;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use fleetwright::apply::{ChangeResult, Event, Observer, Outcome};
use fleetwright::ops::{self, Access, Against, LoadOptions, LoadedFleet, OciAccess, PlanOptions, Scope, ServeOptions};
use fleetwright::providers::oci::budget::Rate;
use fleetwright::sandbox::fault::{Point, Spec};
use fleetwright::sandbox::middleware::Dialect;
use fleetwright::sandbox::{Options, Sandbox};
use serde_json::Value;

use self::bystanders::Before;
use crate::fleet_support::repository;

const SEEDS: &str = "FLEETWRIGHT_SEEDS";
const SEED: &str = "FLEETWRIGHT_SEED";

/// Runs of `apply` within which a fleet has to be as its files say. Each strike of a fault costs one, at worst.
const ROUNDS: usize = 30;

/// So many seeds hold every fault that the program can meet.
const SEEDS_WITH_ALL: u64 = 10;

/// How often each fault strikes.
const RATE: f64 = 0.02;

struct Nobody;

impl Observer for Nobody {
    fn event(&self, _: &Event) {}
}

/// Strikes by API and point.
type Struck = BTreeMap<(&'static str, Point), u64>;

/// What a run came to.
struct Run {
    state: BTreeMap<String, Value>,
    struck: Struck,
    made: usize,
    rounds: usize,
}

/// How many seeds are tried.
pub(crate) fn seeds() -> u64 {
    if the_seed().is_some() {
        return 1;
    }
    let asked = std::env::var_os(SEEDS).and_then(|text| text.to_str()?.parse().ok());
    asked
        .unwrap_or(SEEDS_WITH_ALL)
        .max(if crate::support::under_ci() { 50 } else { 1 })
}

/// The one seed that is to be run, if only one is.
fn the_seed() -> Option<u64> {
    std::env::var_os(SEED).and_then(|text| text.to_str()?.parse().ok())
}

/// Runs every seed up to the last, as many at once as there are cores; `FLEETWRIGHT_SEED=102` runs that one alone.
///
/// # Panics
/// Where any of them does, after all were run.
pub(crate) fn all_seeds<T: Send>(last: u64, run: impl Fn(u64) -> T + Sync) -> Vec<T> {
    let one = the_seed();
    let last = one.unwrap_or(last);
    let (next, runs) = (AtomicU64::new(one.unwrap_or(1)), std::sync::Mutex::new(Vec::new()));
    let failed = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed > last {
                        return;
                    }
                    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(seed))) {
                        Ok(one) => runs.lock().expect("no panic in between").push(one),
                        Err(_) => failed.lock().expect("no panic in between").push(seed),
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().expect("no panic");
    assert!(
        failed.is_empty(),
        "seeds {failed:?} failed; {SEED} runs one of them alone"
    );
    runs.into_inner().expect("no panic")
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

fn options(seed: u64, faults: Spec) -> Options {
    Options {
        seed,
        faults,
        ..Options::new("2026-11-21T12:00:00Z".parse().expect("a time"))
    }
}

/// A run within this process, on paused time.
fn run(loaded: &LoadedFleet, seed: u64, faults: Spec) -> Run {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let sandbox = ops::open_sandbox(options(seed, faults), Some(loaded))
            .await
            .expect("a sandbox");
        let access = Access {
            sandbox: Some(sandbox.clone()),
            ..Access::default()
        };
        fleet_comes_up(loaded, &sandbox, &access, seed).await
    })
}

/// A run by HTTP, as against a real cloud.
fn run_over_tcp(loaded: &LoadedFleet, seed: u64, faults: Spec) -> Run {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let folder = tempfile::tempdir().expect("a directory");
    runtime.block_on(async {
        let serve = ServeOptions {
            directory: folder.path().to_owned(),
            sandbox: Options {
                speed: 2000.0,
                ..options(seed, faults)
            },
            kube_port: 0,
            oci_port: 0,
        };
        let served = ops::serve_sandbox(&serve, Some(loaded))
            .await
            .expect("a served sandbox");
        let access = Access {
            kubeconfigs: vec![served.kubeconfig.clone()],
            oci: OciAccess {
                config: Some(served.oci_config.clone()),
                endpoints: vec![format!("{}/regions/{{region}}", served.oci_url)],
                rate: Some(Rate {
                    per_second: 1000.0,
                    burst: 1000,
                }),
                ..OciAccess::default()
            },
            ..Access::default()
        };
        let run = fleet_comes_up(loaded, &served.sandbox, &access, seed).await;
        served.end().await.expect("an end");
        run
    })
}

/// Applies until a plan says that there is nothing to do, and looks at what that came to.
async fn fleet_comes_up(loaded: &LoadedFleet, sandbox: &Arc<Sandbox>, access: &Access, seed: u64) -> Run {
    sandbox.faults().rest();
    bystanders::put(loaded, sandbox);
    sandbox.clock().sleep(Duration::from_secs(600)).await;
    sandbox.settled().await;
    let before = Before::of(loaded, sandbox, state::objects(loaded, sandbox).await);
    let rounds = converge(loaded, sandbox, access, seed).await;
    // What was written is brought up by the operators, at their pace.
    sandbox.clock().sleep(Duration::from_secs(3 * 3600)).await;
    sandbox.settled().await;
    let (open, planned) = planned(loaded, access).await.expect("a plan without faults");
    assert!(
        !open,
        "seed {seed}: what had settled has changes again: {}",
        left(&planned)
    );
    let made = writes::check(loaded, sandbox, before.writes, seed);
    let objects = state::objects(loaded, sandbox).await;
    before.is_untouched(sandbox, &objects, seed);
    state::are_ready(&objects, seed);
    Run {
        state: state::comparable(&objects, sandbox, &before),
        struck: struck(sandbox),
        made,
        rounds,
    }
}

/// Ends with the faults at rest.
async fn converge(loaded: &LoadedFleet, sandbox: &Arc<Sandbox>, access: &Access, seed: u64) -> usize {
    let mut last = String::new();
    for round in 1..=ROUNDS {
        sandbox.faults().resume();
        // A plan that fails changes nothing, and is made again.
        let said = match planned(loaded, access).await {
            Ok((_, planned)) => {
                let options = fleetwright::apply::Options::default();
                let outcome = ops::apply(loaded, &planned, options, &Nobody, &AtomicBool::new(false)).await;
                format!("{}\n{}", left(&planned), failures(&planned, &outcome))
            }
            Err(error) => format!("{error:?}"),
        };
        sandbox.clock().sleep(Duration::from_secs(600)).await;
        // Whether that was enough is looked at with open eyes.
        sandbox.faults().rest();
        let (open, planned) = planned(loaded, access).await.expect("a plan without faults");
        if !open {
            return round;
        }
        last = format!("{}\nsince this run:\n{said}", left(&planned));
    }
    panic!(
        "seed {seed} does not converge within {ROUNDS} runs: {:?}\n{last}",
        struck(sandbox)
    );
}

/// A plan, and whether anything is to be done or not known.
pub(crate) async fn planned(loaded: &LoadedFleet, access: &Access) -> Result<(bool, ops::Planned), ops::PlanError> {
    let options = PlanOptions {
        against: Against::Live(Box::new(access.clone())),
        scope: Scope::default(),
        contested: BTreeMap::new(),
        adopt: false,
        even_suspended: false,
        now: "2026-11-21T12:00:00Z".to_owned(),
    };
    let planned = ops::plan(loaded, &options).await?;
    let plan = &planned.plan;
    let open = plan.has_changes() || plan.has_unknowns() || !plan.settled.is_empty() || plan.is_refused();
    Ok((open, planned))
}

/// What a plan would still do, in a few lines.
pub(crate) fn left(planned: &ops::Planned) -> String {
    let plan = &planned.plan;
    let changes = plan.changes.iter().take(12).map(|change| {
        format!(
            "{:?} {} ({:?}) blocked by {:?}, fields {:?}\n",
            change.action, change.id, change.reason, change.blocks, change.fields
        )
    });
    let settled = plan
        .settled
        .iter()
        .take(4)
        .map(|settled| format!("record {:?}\n", settled.entry));
    changes.chain(settled).collect()
}

/// What went wrong in a run, in a few lines.
fn failures(planned: &ops::Planned, outcome: &Outcome) -> String {
    let failed = planned
        .plan
        .changes
        .iter()
        .zip(&outcome.results)
        .filter_map(|(change, result)| match result {
            Some(ChangeResult::Failed { message }) => Some(format!("{}: {message}\n", change.id)),
            _ => None,
        });
    let records = outcome.inventory_errors.iter().map(|error| format!("{error:?}\n"));
    failed.take(12).chain(records).collect()
}

fn struck(sandbox: &Sandbox) -> Struck {
    let of = |name, dialect| {
        let counts = sandbox.faults_of(dialect).into_iter();
        counts.map(move |(point, (_, struck))| ((name, point), struck))
    };
    of("Kubernetes", Dialect::Kubernetes)
        .chain(of("OCI", Dialect::Oci))
        .collect()
}

/// Fails where a run came to something else than the one without faults.
fn is_the_same(calm: &Run, run: &Run, seed: u64) {
    for (name, object) in &calm.state {
        let came = run
            .state
            .get(name)
            .unwrap_or_else(|| panic!("seed {seed}: {name} is missing"));
        assert_eq!(came, object, "seed {seed}: {name}");
    }
    let more: Vec<&String> = run
        .state
        .keys()
        .filter(|name| !calm.state.contains_key(*name))
        .collect();
    assert!(more.is_empty(), "seed {seed}: {more:?}");
    assert_eq!(run.made, calm.made, "seed {seed}: resources made");
}

#[test]
fn every_schedule_of_faults_comes_to_the_same_fleet() {
    let loaded = demo();
    let calm = run(&loaded, 0, Spec::default());
    assert!(calm.rounds <= 3, "without faults it takes {} rounds", calm.rounds);
    assert!(calm.made > 50, "{} OCI resources", calm.made);
    assert!(calm.state.len() > 150, "{}", calm.state.len());
    let mut all: Struck = BTreeMap::new();
    let last = seeds();
    let runs = all_seeds(last, |seed| {
        let one = run(&loaded, seed, Spec::all(RATE));
        is_the_same(&calm, &one, seed);
        one.struck
    });
    for (point, count) in runs.into_iter().flatten() {
        *all.entry(point).or_default() += count;
    }
    // Of a few seeds one can't ask that they hold every fault.
    if last < SEEDS_WITH_ALL {
        return;
    }
    let both = [
        Point::TooManyRequests,
        Point::Unavailable,
        Point::InternalError,
        Point::LostRights,
        Point::AnswerLost,
        Point::Conflict,
        Point::Slow,
    ];
    let befall = both
        .into_iter()
        .flat_map(|point| [("Kubernetes", point), ("OCI", point)]);
    for at in befall.chain([("OCI", Point::NoEtagMatch), ("OCI", Point::ShortPage)]) {
        assert!(
            all.get(&at).is_some_and(|count| *count > 0),
            "{at:?} never struck: {all:?}"
        );
    }
}

#[test]
fn a_seed_gives_the_same_run_each_time() {
    let loaded = demo();
    let (one, two) = (run(&loaded, 7, Spec::all(RATE)), run(&loaded, 7, Spec::all(RATE)));
    assert_eq!(one.struck, two.struck);
    assert_eq!(one.rounds, two.rounds);
    assert_eq!(one.state, two.state);
}

#[test]
fn a_few_seeds_over_tcp_come_to_the_same_fleet_too() {
    let loaded = demo();
    let calm = run(&loaded, 0, Spec::default());
    std::thread::scope(|scope| {
        for seed in [1, 2] {
            let (loaded, calm) = (&loaded, &calm);
            scope.spawn(move || {
                let one = run_over_tcp(loaded, seed, Spec::all(RATE));
                is_the_same(calm, &one, seed);
                for api in ["Kubernetes", "OCI"] {
                    let count: u64 = one
                        .struck
                        .iter()
                        .filter(|((of, _), _)| *of == api)
                        .map(|(_, count)| count)
                        .sum();
                    assert!(count > 0, "seed {seed}: nothing struck the API of {api}");
                }
            });
        }
    });
}
