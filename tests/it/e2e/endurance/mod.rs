//! The daemon over a long time: commits and drift without end, and nothing of it grows.
//!
//! Three minutes after the warm-up; longer by
//! `FLEETWRIGHT_ENDURE=3600 cargo test --release --test it endurance -- --nocapture`, in seconds. Growth is judged, times are
//! told and not judged: others use this machine too.

mod drift;
mod growth;
mod process;
mod samples;

use std::collections::BTreeSet;
use std::io::Write as _;
use std::time::{Duration, Instant};

use serde_json::Value;

use self::drift::Drifter;
use self::growth::Growth;
use self::process::Process;
use self::samples::{Figure, Samples};
use super::daemon::commit;
use super::sync::install;
use super::{FLEET, Stage, text};
use crate::support::ApiServer;

const CLUSTERS: usize = 500;
const NAME: &str = "endures";
const DRIFT_EVERY: Duration = Duration::from_secs(1);
/// Drifts between two commits.
const COMMIT_EVERY: u32 = 10;
/// What has to come within it took a tenth of that on a busy machine.
const PATIENCE: Duration = Duration::from_secs(600);

/// What may not grow, in the daemon's own words, and by how much it may differ all the same.
const FIGURES: [(Figure, Growth); 4] = [
    // A revision of this fleet is several times as much, and so is what a plan reads of it. On a busy machine the daemon is
    // hardly ever at rest when it is asked, so that the lowest value is not as low as it could be.
    (Figure::Allocated, Growth::by(4_000_000.0)),
    // A connection is a task and a file, and is kept for as long as the server allows: for a minute and a half. Whatever came
    // together in that time made some dozen of them. One task or file that is left by each change would be sixty in a third of
    // three minutes.
    (Figure::Tasks, Growth::by(32.0)),
    (Figure::OpenFiles, Growth::by(32.0)),
    // Units that are due at once are at most those with drift that waits to be mended.
    (Figure::Queue, Growth::by(4.0)),
];

#[test]
fn nothing_of_the_daemon_grows_while_commits_and_drift_go_on() {
    let Some(server) = ApiServer::start() else { return };
    let time = duration();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let mut fleet = Fleet::new(&server);
    let mut daemon = Process::start(&fleet.stage);
    let began = Instant::now();
    runtime.block_on(daemon.wait_until("all is in sync", is_settled));
    tell(&format!(
        "{CLUSTERS} clusters in sync after {:.0} s",
        began.elapsed().as_secs_f64()
    ));

    let mut drifter = runtime.block_on(Drifter::start(&fleet.stage));
    let mut samples = Samples::default();
    let (begin, mut beat) = (Instant::now(), 0_u32);
    while begin.elapsed() < time {
        beat += 1;
        if beat.is_multiple_of(COMMIT_EVERY) {
            fleet.change();
        }
        runtime.block_on(drifter.drift());
        samples.take(&daemon.metrics());
        let next = begin + DRIFT_EVERY * beat;
        runtime.block_on(async { tokio::time::sleep_until(next.into()).await });
    }
    assert!(daemon.runs(), "it ended:\n{}", daemon.said());

    runtime.block_on(drifter.all_is_mended(PATIENCE));
    let last = fleet.head.to_string();
    let is_last = |status: &Value| status["revision"] == last.as_str() && is_settled(status);
    runtime.block_on(daemon.wait_until("the last commit is in force and all in sync", is_last));
    fleet.is_live();
    fleet.stage.is_settled();
    daemon.ends();

    let repairs = drifter.repairs();
    let seconds = time.as_secs();
    tell(&format!(
        "{seconds} s: {} commits, drift repaired {repairs}",
        fleet.commits
    ));
    // One a second is what is drawn; where a machine is too slow for that, there is still something to be seen.
    assert!(
        repairs.count() as u64 >= seconds / 4,
        "hardly anything drifted: {repairs}"
    );
    let mut grown = Vec::new();
    for (figure, growth) in &FIGURES {
        let judged = growth.judge(samples.of(*figure));
        tell(&format!("{}: {judged}; {}", figure.name(), samples.course(*figure)));
        if judged.has_grown() {
            grown.push(figure.name());
        }
    }
    let resident = Figure::Resident;
    tell(&format!("{}: {}", resident.name(), samples.course(resident)));
    assert_eq!(grown, Vec::<&str>::new(), "these grow");
}

/// How long it goes on after the warm-up.
fn duration() -> Duration {
    let seconds = std::env::var_os("FLEETWRIGHT_ENDURE").map(|seconds| {
        let seconds = seconds.to_str().and_then(|seconds| seconds.parse().ok());
        seconds.expect("FLEETWRIGHT_ENDURE in seconds")
    });
    Duration::from_secs(seconds.unwrap_or(180))
}

/// Not `eprintln!`: the harness swallows that of a test that passes.
fn tell(line: &str) {
    writeln!(std::io::stderr(), "ENDURANCE: {line}").ok();
}

/// Whether every cluster is in sync, and nothing is left to be looked at.
fn is_settled(status: &Value) -> bool {
    let units = status["units"].as_object();
    status["caughtUp"] == true
        && units.is_some_and(|units| {
            units.len() >= CLUSTERS
                && units
                    .values()
                    .all(|unit| unit["state"] == "inSync" && unit["error"].is_null())
        })
}

/// The fleet, and what was committed to last.
struct Fleet {
    stage: Stage,
    /// Nodes of each cluster's pool `a`.
    nodes: Vec<u32>,
    commits: u32,
    head: git2::Oid,
}

impl Fleet {
    fn new(server: &ApiServer) -> Self {
        let stage = Stage::on(server.login(), NAME, "", &[]);
        install(&stage);
        let waiver = "  waivers: [{rule: scale-hc, reason: one server takes it all}]";
        let fleet = FLEET.replace("NAME", NAME).replace("MORE", waiver);
        let roomy = fleet.replace("dialect: none,", &format!("dialect: none, capacity: {CLUSTERS},"));
        assert_ne!(fleet, roomy);
        stage.place.write("fleet.yaml", &roomy);
        let nodes = vec![1; CLUSTERS];
        for number in 0..CLUSTERS {
            write(&stage, number, 1);
        }
        stage.place.run(&["lock"]).exits(0);
        let head = commit(&stage, "all of them");
        Self {
            stage,
            nodes,
            commits: 0,
            head,
        }
    }

    /// Commits to something else for one cluster; to what it was never before.
    fn change(&mut self) {
        self.commits += 1;
        // A prime: each cluster has its turn before one has its second.
        let number = (self.commits as usize * 211) % CLUSTERS;
        self.nodes[number] += 1;
        write(&self.stage, number, self.nodes[number]);
        self.head = commit(&self.stage, &format!("change {number}"));
    }

    /// Asserts that all pools have the nodes that were last committed to.
    #[track_caller]
    fn is_live(&self) {
        let live = self.stage.login.get(&["nodepools", "--all-namespaces"]);
        let of = |item: &Value| (text(&item["metadata"]["name"]), item["spec"]["replicas"].as_u64());
        let live: BTreeSet<_> = super::list(&live["items"]).iter().map(of).collect();
        let wanted: BTreeSet<_> = (0..CLUSTERS)
            .flat_map(|number| {
                let pool = |pool: &str, nodes: u32| (format!("{}-{pool}", name(number)), Some(u64::from(nodes)));
                [pool("a", self.nodes[number]), pool("b", drift::NODES)]
            })
            .collect();
        let differs: Vec<_> = wanted.symmetric_difference(&live).collect();
        assert!(differs.is_empty(), "{differs:?}");
    }
}

/// A cluster's name.
fn name(number: usize) -> String {
    format!("e{number:04}")
}

fn write(stage: &Stage, number: usize, nodes: u32) {
    let pool = |name: &str, nodes| format!("{name}: {{profile: general, replicas: {nodes}}}");
    stage.cluster(&name(number), &[&pool("a", nodes), &pool("b", drift::NODES)]);
}
