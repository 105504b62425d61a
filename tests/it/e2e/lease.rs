//! Several daemons on a real API server: one works or each has a share, whoever is killed or stopped, and nothing that a stale
//! one sends takes effect.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::said::Said;
use super::wait::{pass, until};
use super::{Stage, document, list, namespace, text};
use crate::cli::Workplace;
use crate::support::{ApiServer, Login, Mark};

/// A daemon among several, with a login of its own, so that its requests can be told from the others'.
pub(super) struct Replica {
    pub(super) name: &'static str,
    child: Child,
    login: Login,
    said: Said,
    address: String,
}

impl Replica {
    pub(super) fn start(stage: &Stage, name: &'static str, more: &[&str]) -> Self {
        let login = ApiServer::shared().expect("the stage has it too").login();
        let kubeconfig = login.kubeconfig.to_str().expect("a path in UTF-8").to_owned();
        let args = ["daemon", "--listen", "127.0.0.1:0", "--verbose", "--replica-name", name];
        let poll: &[&str] = if more.contains(&"--poll") {
            &[]
        } else {
            &["--poll", "1s"]
        };
        let args = [&args, poll, more, &["--kubeconfig", &kubeconfig]].concat();
        let mut command = stage.place.command(&args);
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("a start");
        let mut first = String::new();
        let stdout = child.stdout.take().expect("a pipe");
        BufReader::new(stdout).read_line(&mut first).expect("a line");
        let address = first
            .trim()
            .strip_prefix("listening: ")
            .unwrap_or_else(|| panic!("{first}"))
            .to_owned();
        let said = Said::by(child.stderr.take().expect("a pipe"));
        Self {
            name,
            child,
            login,
            said,
            address,
        }
    }

    /// Waits until it says a line that holds all these words.
    #[track_caller]
    pub(super) fn says(&mut self, words: &[&str]) {
        self.said.until(words);
    }

    pub(super) fn signal(&self, signal: &str) {
        let mut kill = Command::new("kill");
        let sent = kill
            .args([signal, &self.child.id().to_string()])
            .status()
            .expect("kill starts");
        assert!(sent.success());
    }

    /// Its units and how they stand.
    pub(super) fn units(&self) -> BTreeMap<String, String> {
        let mut stream = TcpStream::connect(&self.address).expect("a connection");
        write!(stream, "GET /status HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n").expect("a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
        let status: Value = serde_json::from_str(body).expect("JSON");
        let units = status["units"].as_object().expect("units");
        let state = |unit: &Value| unit["state"].as_str().unwrap_or_default().to_owned();
        units.iter().map(|(name, unit)| (name.clone(), state(unit))).collect()
    }

    /// What it wrote since, Leases and dry-runs apart.
    pub(super) fn writes_since(&self, mark: Mark) -> Vec<String> {
        let requests = self.login.requests_since(mark).into_iter();
        let writes = requests.filter(|(verb, path)| {
            !["get", "list", "watch"].contains(&verb.as_str())
                && !path.contains("dryRun=All")
                && !path.contains("/leases")
        });
        writes.map(|(verb, path)| format!("{verb} {path}")).collect()
    }

    /// What Kubernetes sends to end a pod.
    #[track_caller]
    pub(super) fn ends(mut self) {
        self.signal("-TERM");
        let status = self.child.wait().expect("an end");
        let said = self.said.until_the_end();
        assert!(status.success(), "{status}:\n{said}");
        for secret in super::SECRETS {
            assert!(!said.contains(secret), "a secret is shown");
        }
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        // Ended already, but for a test that kills it or failed.
        self.child.kill().ok();
        self.child.wait().ok();
        if std::thread::panicking() {
            eprintln!("{} said:\n{}", self.name, self.said.until_the_end());
        }
    }
}

pub(super) const STANDBY: [&str; 4] = ["--replicas", "standby", "--lease-duration", "1s"];

/// Who holds the fleet's Lease; empty where nobody does.
pub(super) fn holder(stage: &Stage) -> String {
    let label = format!("fleetwright.dev/lease={}", stage.uid());
    let leases = stage.login.get(&["leases", "-n", "fleetwright-system", "-l", &label]);
    let holders = list(&leases["items"])
        .iter()
        .filter_map(|lease| lease["spec"]["holderIdentity"].as_str());
    holders.collect::<Vec<_>>().join(" ")
}

/// Writes cluster documents with a pool `a` of so many nodes, and more pools.
pub(super) fn wish(stage: &Stage, cluster: &str, replicas: usize, more: &[String]) {
    let first = format!("a: {{profile: general, replicas: {replicas}}}");
    let pools: Vec<&str> = std::iter::once(&first).chain(more).map(String::as_str).collect();
    stage.cluster(cluster, &pools);
}

#[track_caller]
fn has_replicas(stage: &Stage, cluster: &str, replicas: usize) {
    let condition = format!("--for=jsonpath={{.spec.replicas}}={replicas}");
    let pool = format!("{cluster}-a");
    stage.kubectl(cluster, &["wait", "nodepool", &pool, &condition, "--timeout=120s"]);
}

fn generation(stage: &Stage, cluster: &str) -> u64 {
    let pool = stage.get(cluster, "nodepool", &format!("{cluster}-a"));
    pool["metadata"]["generation"].as_u64().expect("a generation")
}

/// The next number of a seed.
pub(super) fn draw(seed: &mut u64, below: u64) -> u64 {
    *seed = seed
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    (*seed >> 33) % below
}

#[test]
fn one_who_was_stopped_past_its_lease_wakes_and_changes_nothing() {
    let Some(stage) = Stage::new("stopped") else { return };
    wish(&stage, "stopped", 2, &[]);
    let mut seed = 11;
    let mut stale = Replica::start(&stage, "stale", &STANDBY);
    stale.says(&["looked at", "cluster stopped", "in sync"]);
    let mut other = Replica::start(&stage, "other", &STANDBY);
    other.says(&["StandsBy"]);
    for round in 0..4 {
        // It is stopped anywhere in its work on a commit, and meanwhile the other one applies a newer one.
        wish(&stage, "stopped", 10 + 2 * round, &[]);
        pass(800 + draw(&mut seed, 500));
        stale.signal("-STOP");
        other.says(&["Leads"]);
        wish(&stage, "stopped", 11 + 2 * round, &[]);
        has_replicas(&stage, "stopped", 11 + 2 * round);
        other.says(&["looked at", "cluster stopped", "in sync"]);
        let pool = stage.get("stopped", "nodepool", "stopped-a");
        let mark = stage.login.mark();
        stale.signal("-CONT");
        stale.says(&["StandsBy"]);
        let after = stage.get("stopped", "nodepool", "stopped-a");
        assert_eq!(after["spec"], pool["spec"]);
        assert_eq!(after["metadata"]["generation"], pool["metadata"]["generation"]);
        // At most the one request that was at the wire when it was stopped, which the server refused.
        let writes = stale.writes_since(mark);
        assert!(writes.len() <= 1, "{writes:?}");
        std::mem::swap(&mut stale, &mut other);
    }
    stale.ends();
    other.ends();
    stage.is_settled();
}

/// The fleet's Lease: who holds it, since when and when that was last renewed.
pub(super) fn lease(stage: &Stage) -> Option<(String, jiff::Timestamp, jiff::Timestamp)> {
    let label = format!("fleetwright.dev/lease={}", stage.uid());
    let leases = stage.login.get(&["leases", "-n", "fleetwright-system", "-l", &label]);
    let spec = list(&leases["items"]).first()?["spec"].clone();
    let time = |name: &str| spec[name].as_str()?.parse().ok();
    Some((text(&spec["holderIdentity"]), time("acquireTime")?, time("renewTime")?))
}

#[test]
fn the_next_takes_over_once_the_lease_is_over_and_no_sooner() {
    let Some(stage) = Stage::new("inherited") else { return };
    const LEASE: i64 = 3;
    let held = ["--replicas", "standby", "--lease-duration", "3s"];
    let mut first = Replica::start(&stage, "first", &held);
    first.says(&["Leads"]);
    let mut second = Replica::start(&stage, "second", &held);
    second.says(&["StandsBy"]);
    first.signal("-KILL");
    first.child.wait().expect("an end");
    // Nobody renews it any more: this is its last time.
    let (holder, _, renewed) = lease(&stage).expect("a lease");
    assert!(holder.starts_with("first"), "{holder}");
    second.says(&["Leads"]);
    let (holder, acquired, _) = lease(&stage).expect("a lease");
    assert!(holder.starts_with("second"), "{holder}");
    let took = acquired.duration_since(renewed);
    assert!(
        took >= jiff::SignedDuration::from_secs(LEASE),
        "while it was held still: {took}"
    );
    // Room for a busy machine: that it needs no look more is shown by `kube_lease`, and how long it takes by `killed`.
    assert!(took <= jiff::SignedDuration::from_secs(2 * LEASE), "{took}");
    second.ends();
}

#[test]
fn one_who_ends_hands_over_at_once() {
    let Some(stage) = Stage::new("handed") else { return };
    // Nobody could wait for such a Lease to be over.
    let standby = ["--replicas", "standby", "--lease-duration", "10m"];
    let mut first = Replica::start(&stage, "first", &standby);
    first.says(&["looked at", "cluster handed", "in sync"]);
    let mut second = Replica::start(&stage, "second", &standby);
    second.says(&["StandsBy"]);
    assert!(second.units().is_empty());
    first.ends();
    second.says(&["Leads"]);
    wish(&stage, "handed", 5, &[]);
    has_replicas(&stage, "handed", 5);

    // By hand one waits as well, and is told for whom. The files at hand want something else, lest there be nothing to do.
    let hand = Workplace::copy_of(&stage.place.fleet());
    hand.write(
        "clusters/handed.yaml",
        &document("handed", &["a: {profile: general, replicas: 6}"]),
    );
    let refused = hand
        .run(&stage.args(&["apply", "--yes", "--lease-timeout", "1s"]))
        .exits(1);
    assert!(
        refused.stderr.contains("second-") && refused.stderr.contains("holds the lease"),
        "{}",
        refused.stderr
    );
    has_replicas(&stage, "handed", 5);
    second.ends();
    hand.run(&stage.args(&["apply", "--yes"])).exits(0);
    has_replicas(&stage, "handed", 6);
    assert_eq!(holder(&stage), "", "released");
}

#[test]
fn units_are_shared_and_those_of_one_who_is_killed_go_to_the_others() {
    let clusters = ["shared", "shared-b", "shared-c", "shared-d", "shared-e", "shared-f"];
    let Some(stage) = Stage::of("shared", "", &clusters) else {
        return;
    };
    super::sync::install(&stage);
    let sharded = ["--replicas", "sharded", "--lease-duration", "1s"];
    let start = |name| Replica::start(&stage, name, &sharded);
    let mut replicas = vec![start("x"), start("y"), start("z")];
    let divided = |replicas: &[Replica]| {
        until("each unit is in sync with one of them", || {
            let all: Vec<BTreeMap<String, String>> = replicas.iter().map(Replica::units).collect();
            let count: usize = all.iter().map(BTreeMap::len).sum();
            let units: BTreeSet<&String> = all.iter().flat_map(BTreeMap::keys).collect();
            let in_sync = all.iter().flat_map(BTreeMap::values).all(|state| state == "inSync");
            // The clusters and the management cluster.
            (count == units.len() && units.len() == clusters.len() + 1 && in_sync).then_some(all)
        })
    };
    until("all of them are there", || {
        (holder(&stage).split(' ').count() == 3).then_some(())
    });
    let before = divided(&replicas);
    // Each tells of its own units, and one of them of all.
    let all = "--for=jsonpath={.status.units.ready}=7";
    let told = [
        "wait",
        "fleetstatus",
        "shared",
        all,
        "--timeout=120s",
        "-n",
        "fleetwright-system",
    ];
    let there = [
        "wait",
        "fleetstatus",
        "shared",
        "--for=create",
        "--timeout=120s",
        "-n",
        "fleetwright-system",
    ];
    stage.login.kubectl(&there);
    stage.login.kubectl(&told);
    let fleet = stage.login.get(&["fleetstatus", "shared", "-n", "fleetwright-system"]);
    assert_eq!(fleet["status"]["units"]["total"], 7, "{fleet}");
    let uids: Vec<_> = clusters.iter().map(|cluster| stage.uids(cluster)).collect();
    replicas.remove(1).signal("-KILL");
    let after = divided(&replicas);
    for (had, has) in [(&before[0], &after[0]), (&before[2], &after[1])] {
        assert!(had.keys().all(|unit| has.contains_key(unit)), "{had:?} {has:?}");
    }
    for cluster in clusters {
        wish(&stage, cluster, 7, &["b: {profile: general, replicas: 3}".to_owned()]);
    }
    for cluster in clusters {
        has_replicas(&stage, cluster, 7);
        assert_eq!(generation(&stage, cluster), 2, "{}", namespace(cluster));
    }
    let now: Vec<_> = clusters.iter().map(|cluster| stage.uids(cluster)).collect();
    assert_eq!(uids, now);

    // A run by hand has everything for itself meanwhile; then those whose files say otherwise go on.
    let hand = Workplace::copy_of(&stage.place.fleet());
    hand.write(
        "clusters/shared.yaml",
        &document("shared", &["a: {profile: general, replicas: 8}"]),
    );
    let applied = hand.run(&stage.args(&["apply", "--yes"])).exits(0);
    assert!(
        applied.stderr.contains("updated NodePool clusters-shared/shared-a"),
        "{}",
        applied.stderr
    );
    until("it is as the daemons' files say", || {
        (generation(&stage, "shared") == 4).then_some(())
    });
    has_replicas(&stage, "shared", 7);
    divided(&replicas);
    for replica in replicas {
        replica.ends();
    }
    stage.is_settled();
    // That of the dead one is cleared away when it has been nobody's for long.
    assert!(
        !["x-", "z-"].iter().any(|name| holder(&stage).contains(name)),
        "released"
    );
}

#[test]
fn deletes_by_hand_count_over_a_day_too_and_a_plan_says_so() {
    let Some(stage) = Stage::of("counted", "  limits: {deletes: 2}", &["counted"]) else {
        return;
    };
    let pools = |names: &[&str]| {
        let pools: Vec<String> = names
            .iter()
            .map(|name| format!("{name}: {{profile: general}}"))
            .collect();
        wish(&stage, "counted", 2, &pools);
    };
    pools(&["b", "c", "d"]);
    stage.run(&["apply", "--yes"]).exits(0);
    pools(&["b"]);
    stage.run(&["apply", "--yes"]).exits(0);
    assert!(!stage.is_there("counted", "nodepool", "counted-c"));
    pools(&[]);
    let planned = stage.run(&["plan", "-o", "json"]).exits(3).json();
    assert_eq!(text(&planned["refusals"][0]["guard"]), "daily-delete-cap");
    let refused = stage.run(&["apply", "--yes"]).exits(3);
    assert!(refused.stdout.contains("24 hours"), "{}", refused.stdout);
    assert!(stage.is_there("counted", "nodepool", "counted-b"));
    // What is raised in the files is raised.
    stage.fleet("  limits: {deletes: 3}");
    stage.run(&["apply", "--yes"]).exits(0);
    assert!(!stage.is_there("counted", "nodepool", "counted-b"));
}

#[test]
fn other_management_clusters_are_neither_reached_nor_touched() {
    let Some(stage) = Stage::of("hubs", "", &["hubs", "hubs-b"]) else {
        return;
    };
    let other = "kind: ManagementCluster\nmetadata: {name: n}\n\
        spec: {region: us-ashburn-1, context: nowhere, dialect: none, nodePortAddress: n.hubs.example}\n";
    stage.place.write("n.yaml", other);
    let moved = "kind: Cluster\nmetadata: {name: hubs-b}\n\
        spec: {environment: dev, managementCluster: n, pools: {a: {profile: general}}}\n";
    stage.place.write("clusters/hubs-b.yaml", moved);
    let here = "kind: Cluster\nmetadata: {name: hubs}\n\
        spec: {environment: dev, managementCluster: m, pools: {a: {profile: general}}}\n";
    stage.place.write("clusters/hubs.yaml", here);
    stage.place.run(&["lock"]).exits(0);
    assert_eq!(stage.run(&["apply", "--yes"]).code, 1, "there is no such context");
    stage.run(&["apply", "--yes", "--management-cluster", "m"]).exits(0);
    assert!(stage.is_there("hubs", "hostedcluster", "hubs"));
    assert!(!stage.is_there("hubs-b", "hostedcluster", "hubs-b"));
    let unknown = stage.run(&["plan", "--management-cluster", "mm"]).exits(1);
    assert!(
        unknown.stderr.contains("no management cluster `mm`"),
        "{}",
        unknown.stderr
    );

    let more = [
        "--management-cluster",
        "m",
        "--replicas",
        "standby",
        "--lease-duration",
        "1s",
    ];
    let mut daemon = Replica::start(&stage, "hub", &more);
    daemon.says(&["every unit has been looked at"]);
    let units: Vec<String> = daemon.units().into_keys().collect();
    assert_eq!(units, ["cluster hubs", "management m"]);
    daemon.ends();
}
