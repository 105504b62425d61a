//! The daemon on a real API server: what is committed is applied, what is changed behind its back is mended or told.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::Value;

use super::Stage;
use super::said::Said;
use super::sync::with_crds;
use super::wait::until;

/// A daemon at work on a stage's fleet.
pub(super) struct Daemon {
    child: Child,
    stdout: BufReader<ChildStdout>,
    said: Said,
    address: String,
}

impl Daemon {
    /// Starts it, with more arguments.
    pub(super) fn start(stage: &Stage, more: &[&str]) -> Self {
        let poll: &[&str] = if more.contains(&"--poll") {
            &[]
        } else {
            &["--poll", "1s"]
        };
        let args = [&["daemon", "--listen", "127.0.0.1:0", "--verbose"], poll, more].concat();
        Self::run(stage.place.command(&stage.args(&args)))
    }

    /// Runs such a command, which listens.
    pub(super) fn run(mut command: Command) -> Self {
        let piped = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().expect("a start");
        let mut daemon = Self {
            address: String::new(),
            stdout: BufReader::new(child.stdout.take().expect("a pipe")),
            said: Said::by(child.stderr.take().expect("a pipe")),
            child,
        };
        daemon.address = daemon.tells("listening: ");
        daemon
    }

    /// The rest of the next line of its standard output.
    #[track_caller]
    pub(super) fn tells(&mut self, what: &str) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).expect("a line");
        let rest = line.trim().strip_prefix(what);
        rest.unwrap_or_else(|| panic!("{what}: {line}")).to_owned()
    }

    /// Its process.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Where it answers probes.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// Bytes of memory that it has.
    pub(super) fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs");
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .expect("a line");
        let kilobytes: u64 = line.trim_end_matches("kB").trim().parse().expect("a number");
        kilobytes * 1024
    }

    /// Waits until it says a line that holds all these words, and gives the line.
    #[track_caller]
    pub(super) fn says(&mut self, words: &[&str]) -> String {
        self.said.until(words)
    }

    /// Whether it has said such a line already.
    pub(super) fn has_said(&self, words: &[&str]) -> bool {
        let mut lines = self.said.so_far().lines();
        lines.any(|line| words.iter().all(|word| line.contains(word)))
    }

    /// Asks it: the status and the body.
    pub(super) fn get(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).expect("a connection");
        write!(stream, "GET {path} HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n").expect("a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let code = answer.split(' ').nth(1).and_then(|code| code.parse().ok());
        let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
        (code.expect("a status"), body.to_owned())
    }

    pub(super) fn status(&self) -> Value {
        serde_json::from_str(&self.get("/status").1).expect("JSON")
    }

    /// Sends it a signal.
    pub(super) fn signal(&self, signal: &str) {
        let mut kill = Command::new("kill");
        let sent = kill.args([signal, &self.child.id().to_string()]).status();
        assert!(sent.expect("kill starts").success());
    }

    /// What Kubernetes sends to end a pod; gives what it said.
    #[track_caller]
    pub(super) fn ends(mut self) -> String {
        self.signal("-TERM");
        let said = self.said.until_the_end().to_owned();
        let status = self.child.wait().expect("an end");
        assert!(status.success(), "{status}:\n{said}");
        for secret in super::SECRETS {
            assert!(!said.contains(secret), "a secret is shown");
        }
        said
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Ended already, but for a test that failed.
        self.child.kill().ok();
        self.child.wait().ok();
        if std::thread::panicking() {
            eprintln!("the daemon said:\n{}", self.said.until_the_end());
        }
    }
}

/// Waits until a pool has so many nodes in its spec.
#[track_caller]
pub(super) fn has_replicas(stage: &Stage, pool: &str, replicas: u32) {
    let condition = format!("--for=jsonpath={{.spec.replicas}}={replicas}");
    stage.kubectl(&stage.name, &["wait", "nodepool", pool, &condition, "--timeout=120s"]);
}

#[test]
fn what_is_committed_is_applied_and_what_is_changed_is_mended() {
    let Some(stage) = Stage::new("kept") else { return };
    let mut daemon = Daemon::start(&stage, &[]);
    daemon.says(&["every unit has been looked at"]);
    assert_eq!(daemon.get("/readyz").0, 200);
    daemon.says(&["looked at", "cluster kept", "in sync"]);
    stage.is_settled();

    stage.cluster(
        "kept",
        &[
            "a: {profile: general, replicas: 5}",
            "b: {profile: general, replicas: 3}",
        ],
    );
    has_replicas(&stage, "kept-a", 5);

    daemon.says(&["looked at", "cluster kept", "in sync"]);
    stage.kubectl("kept", &["scale", "nodepool", "kept-a", "--replicas=9"]);
    has_replicas(&stage, "kept-a", 5);

    // A commit that does not load changes nothing, and the last good one is kept to.
    let good = daemon.status()["revision"].clone();
    stage.cluster("kept", &["a: {profile: general, replicsa: 7}"]);
    daemon.says(&["does not come into force", "replicsa"]);
    let status = daemon.status();
    assert_eq!(status["revision"], good);
    assert!(
        status["sourceError"].as_str().is_some_and(|error| !error.is_empty()),
        "{status}"
    );
    stage.kubectl("kept", &["delete", "nodepool", "kept-b"]);
    stage.kubectl(
        "kept",
        &["wait", "nodepool", "kept-b", "--for=create", "--timeout=120s"],
    );
    has_replicas(&stage, "kept-a", 5);

    // A pool that left the files goes.
    stage.cluster("kept", &["a: {profile: general, replicas: 6}"]);
    stage.kubectl(
        "kept",
        &["wait", "nodepool", "kept-b", "--for=delete", "--timeout=120s"],
    );
    has_replicas(&stage, "kept-a", 6);
    assert_eq!(daemon.status()["sourceError"], Value::Null);
    daemon.ends();
    stage.is_settled();
}

#[test]
fn drift_that_is_to_be_reported_is_left_as_it_is() {
    let Some(stage) = Stage::new("reported") else { return };
    let mut daemon = Daemon::start(&stage, &["--drift", "report"]);
    daemon.says(&["looked at", "cluster reported", "in sync"]);
    stage.kubectl("reported", &["scale", "nodepool", "reported-a", "--replicas=9"]);
    daemon.says(&["drifted", "cluster reported", "reported-a"]);
    let status = daemon.status();
    assert_eq!(status["units"]["cluster reported"]["state"], "drifted", "{status}");
    has_replicas(&stage, "reported-a", 9);

    // What is committed is applied all the same.
    stage.cluster(
        "reported",
        &["a: {profile: general}", "b: {profile: general, replicas: 4}"],
    );
    has_replicas(&stage, "reported-b", 4);
    has_replicas(&stage, "reported-a", 9);
    daemon.ends();
}

#[test]
fn what_somebody_writes_again_and_again_is_named_and_left_alone_until_the_next_commit() {
    let rules = "  drift: [{kind: NodePool, name: fought-b, field: spec.replicas, action: off}]";
    let Some(stage) = Stage::of("fought", rules, &["fought"]) else {
        return;
    };
    with_crds(&stage);
    let of_a = |replicas: u32| {
        let a = format!("a: {{profile: general, replicas: {replicas}}}");
        stage.cluster("fought", &[&a, "b: {profile: general, replicas: 3}"]);
    };
    let scale = |pool: &str| stage.kubectl("fought", &["scale", "nodepool", pool, "--replicas=9"]);
    of_a(5);
    let mut daemon = Daemon::start(&stage, &[]);
    daemon.says(&["looked at", "cluster fought", "in sync"]);
    scale("fought-b");
    for _ in 0..3 {
        scale("fought-a");
        has_replicas(&stage, "fought-a", 5);
    }
    scale("fought-a");
    daemon.says(&[
        "cluster fought",
        "refused",
        "`.spec.replicas`",
        "written again by kubectl",
    ]);
    has_replicas(&stage, "fought-a", 9);
    let status = daemon.status();
    assert_eq!(status["units"]["cluster fought"]["state"], "refused", "{status}");

    // Another field of the same object is mended, and this one is neither written nor given up.
    let label = r#"{"metadata": {"labels": {"fleetwright.dev/environment": "prod"}}}"#;
    stage.kubectl(
        "fought",
        &["patch", "nodepool", "fought-a", "--type=merge", "-p", label],
    );
    let mended = "--for=jsonpath={.metadata.labels.fleetwright\\.dev/environment}=dev";
    stage.kubectl("fought", &["wait", "nodepool", "fought-a", mended, "--timeout=120s"]);
    let fought = stage.get("fought", "nodepool", "fought-a");
    assert_eq!(fought["spec"]["replicas"], 9, "{fought}");
    daemon.says(&["cluster fought", "refused", "`.spec.replicas`"]);
    until("the ClusterSync names the field and who writes it", || {
        let got = [
            "get",
            "clustersync",
            "fought.fought",
            "-n",
            "fleetwright-system",
            "-o",
            "json",
        ];
        let sync: Value = serde_json::from_slice(&stage.login.try_kubectl(&got, "").stdout).ok()?;
        let conditions = sync["status"]["conditions"].as_array()?;
        let stalled = conditions.iter().find(|condition| condition["type"] == "Stalled")?;
        let said = stalled["message"].as_str()?;
        let field = &sync["status"]["drift"]["objects"][0]["fields"][0];
        let is_named =
            field["field"] == ".spec.replicas" && field["manager"] == "kubectl" && field["contested"] == true;
        let is_all =
            is_named && stalled["status"] == "True" && said.contains("`.spec.replicas`") && said.contains("kubectl");
        is_all.then_some(())
    });
    let planned = stage.run(&["plan", "--cluster", "fought"]);
    let said = "`.spec.replicas` is written again by kubectl as often as it is mended; the daemon leaves it alone";
    assert!(planned.stdout.contains(said), "{}", planned.stdout);

    // One that starts anew does not begin the fight again, and mends the rest as before.
    daemon.ends();
    let mark = stage.login.mark();
    let mut daemon = Daemon::start(&stage, &[]);
    daemon.says(&["cluster fought", "fields were fought over before this daemon began"]);
    daemon.says(&["looked at", "cluster fought", "refused", "written again by kubectl"]);
    let writes = stage.writes_since(mark);
    assert!(
        !writes.iter().any(|write| write == "patch nodepools/fought-a"),
        "{writes:?}"
    );
    stage.kubectl(
        "fought",
        &["patch", "nodepool", "fought-a", "--type=merge", "-p", label],
    );
    stage.kubectl("fought", &["wait", "nodepool", "fought-a", mended, "--timeout=120s"]);
    let fought = stage.get("fought", "nodepool", "fought-a");
    assert_eq!(fought["spec"]["replicas"], 9, "{fought}");

    // A commit is a new wish; what is passed over is not even drift.
    of_a(6);
    has_replicas(&stage, "fought-a", 6);
    daemon.says(&["looked at", "cluster fought", "in sync"]);
    has_replicas(&stage, "fought-b", 9);
    daemon.ends();
}

/// Commits all of the fleet, and gives the commit.
pub(super) fn commit(stage: &Stage, message: &str) -> git2::Oid {
    commit_with(stage, message, |_| None)
}

/// The same, with a signature of what is committed, if there is to be one.
pub(super) fn commit_with(stage: &Stage, message: &str, sign: impl Fn(&str) -> Option<String>) -> git2::Oid {
    commit_in(&stage.place.fleet(), message, sign)
}

/// The same of all that is in a directory.
pub(super) fn commit_in(directory: &Path, message: &str, sign: impl Fn(&str) -> Option<String>) -> git2::Oid {
    let repository = git2::Repository::open(directory)
        .or_else(|_| git2::Repository::init(directory))
        .expect("a repository");
    let mut index = repository.index().expect("an index");
    index
        .add_all(["*"], git2::IndexAddOption::DEFAULT, None)
        .expect("the files");
    index.write().expect("an index");
    let tree = repository.find_tree(index.write_tree().expect("a tree")).expect("it");
    let author = git2::Signature::now("a", "a@example.com").expect("an author");
    let parent = repository.head().ok().and_then(|head| head.peel_to_commit().ok());
    let parents: Vec<&git2::Commit<'_>> = parent.iter().collect();
    let content = repository.commit_create_buffer(&author, &author, message, &tree, &parents);
    let content = content.expect("a commit");
    let content = content.as_str().expect("text");
    let Some(signature) = sign(content) else {
        let commit = repository.commit(Some("HEAD"), &author, &author, message, &tree, &parents);
        return commit.expect("a commit");
    };
    let commit = repository.commit_signed(content, &signature, None).expect("a commit");
    let head = repository.find_reference("HEAD").expect("a head");
    let branch = head.symbolic_target().ok().flatten().expect("a branch").to_owned();
    repository.reference(&branch, commit, true, message).expect("a branch");
    commit
}

#[test]
fn a_repository_is_followed_and_never_back() {
    let Some(stage) = Stage::new("followed") else { return };
    let first = commit(&stage, "first");
    let url = format!("file://{}", stage.place.fleet().display());
    let mut daemon = Daemon::start(&stage, &["--git", &url]);
    daemon.says(&["looked at", "cluster followed", "in sync"]);
    assert_eq!(daemon.status()["revision"], first.to_string());

    // What is not committed is nobody's wish.
    stage.cluster(
        "followed",
        &["a: {profile: general, replicas: 5}", "b: {profile: general}"],
    );
    let second = commit(&stage, "second");
    daemon.says(&["looked at", "cluster followed", "in sync"]);
    has_replicas(&stage, "followed-a", 5);
    assert_eq!(daemon.status()["revision"], second.to_string());

    // Somebody pushes the older one over it: what is in force stays, in this run and in the next.
    let repository = git2::Repository::open(stage.place.fleet()).expect("the repository");
    let older = repository.find_object(first, None).expect("the first commit");
    repository.reset(&older, git2::ResetType::Soft, None).expect("a reset");
    daemon.says(&["does not come into force", "is older than"]);
    assert_eq!(daemon.status()["revision"], second.to_string());
    daemon.ends();
    let mut daemon = Daemon::start(&stage, &["--git", &url]);
    daemon.says(&["does not come into force", "is older than"]);
    has_replicas(&stage, "followed-a", 5);
    daemon.ends();
}

#[test]
fn a_daemon_that_starts_at_a_broken_commit_keeps_what_was_in_force() {
    let Some(stage) = Stage::new("restarted") else { return };
    let first = commit(&stage, "first");
    let url = format!("file://{}", stage.place.fleet().display());
    let mut daemon = Daemon::start(&stage, &["--git", &url]);
    daemon.says(&["looked at", "cluster restarted", "in sync"]);
    daemon.ends();
    stage.place.write(
        "clusters/restarted.yaml",
        "kind: Cluster\nmetadata: {name: restarted}\nspec: {pols: []}\n",
    );
    commit(&stage, "a broken one");
    stage.kubectl(
        "restarted",
        &[
            "patch",
            "nodepool",
            "restarted-a",
            "--type=merge",
            "-p",
            "{\"spec\": {\"replicas\": 9}}",
        ],
    );
    let mut daemon = Daemon::start(&stage, &["--git", &url]);
    daemon.says(&["does not come into force", "errors"]);
    has_replicas(&stage, "restarted-a", 2);
    let status = daemon.status();
    assert_eq!(status["revision"], first.to_string(), "{status}");
    assert!(
        status["sourceError"]
            .as_str()
            .is_some_and(|error| error.contains("errors")),
        "{status}"
    );
    daemon.ends();
}

#[test]
fn history_that_was_rewritten_is_taken_only_by_one_who_is_told_so() {
    let Some(stage) = Stage::new("rewritten") else { return };
    let first = commit(&stage, "first");
    stage.cluster(
        "rewritten",
        &["a: {profile: general, replicas: 5}", "b: {profile: general}"],
    );
    commit(&stage, "second");
    let url = format!("file://{}", stage.place.fleet().display());
    let mut daemon = Daemon::start(&stage, &["--git", &url]);
    daemon.says(&["looked at", "cluster rewritten", "in sync"]);
    // Another second one is pushed over it.
    let repository = git2::Repository::open(stage.place.fleet()).expect("the repository");
    let back = repository.find_object(first, None).expect("the first commit");
    repository.reset(&back, git2::ResetType::Soft, None).expect("a reset");
    stage.cluster(
        "rewritten",
        &["a: {profile: general, replicas: 6}", "b: {profile: general}"],
    );
    let other = commit(&stage, "another second");
    daemon.says(&["does not come into force", "--allow-rewritten", &other.to_string()]);
    // A copy that has to be made anew, and holds nothing of what was in force, is no way round that.
    std::fs::remove_dir_all(stage.place.path().join(".cache")).expect("the copy");
    let third = commit(&stage, "a third on top of it");
    daemon.says(&["does not come into force", "does not hold", &third.to_string()]);
    has_replicas(&stage, "rewritten-a", 5);
    daemon.ends();
    let mut daemon = Daemon::start(&stage, &["--git", &url, "--allow-rewritten"]);
    has_replicas(&stage, "rewritten-a", 6);
    daemon.says(&["looked at", "cluster rewritten", "in sync"]);
    assert_eq!(daemon.status()["revision"], third.to_string());
    daemon.ends();
}

#[test]
fn deletes_are_counted_over_all_runs_of_a_day() {
    let Some(stage) = Stage::of("day", "  limits: {deletes: 2}", &["day"]) else {
        return;
    };
    let pools = |names: &[&str]| {
        let pools: Vec<String> = names
            .iter()
            .map(|name| format!("{name}: {{profile: general}}"))
            .collect();
        stage.cluster("day", &pools.iter().map(String::as_str).collect::<Vec<_>>());
    };
    pools(&["a", "b", "c", "d"]);
    let mut daemon = Daemon::start(&stage, &[]);
    daemon.says(&["looked at", "cluster day", "in sync"]);
    pools(&["a", "b"]);
    daemon.says(&["looked at", "cluster day", "in sync"]);
    assert!(!stage.is_there("day", "nodepool", "day-c"));
    // Another process, the same day.
    daemon.ends();
    pools(&["a"]);
    let mut daemon = Daemon::start(&stage, &[]);
    daemon.says(&["refused", "cluster day", "24 hours"]);
    assert!(stage.is_there("day", "nodepool", "day-b"));
    let status = daemon.status();
    assert_eq!(status["units"]["cluster day"]["state"], "refused", "{status}");
    daemon.ends();
}

#[test]
fn what_was_made_again_and_goes_again_counts_again() {
    let Some(stage) = Stage::of("again", "  limits: {deletes: 1}", &["again"]) else {
        return;
    };
    let (both, alone) = (
        ["a: {profile: general}", "b: {profile: general}"],
        ["a: {profile: general}"],
    );
    stage.run(&["apply", "--yes"]).exits(0);
    stage.cluster("again", &alone);
    stage.run(&["apply", "--yes"]).exits(0);
    stage.cluster("again", &both);
    stage.run(&["apply", "--yes"]).exits(0);
    stage.cluster("again", &alone);
    let ran = stage.run(&["apply", "--yes"]).exits(3);
    assert!(ran.stdout.contains("within 24 hours"), "{}", ran.stdout);
    assert!(stage.is_there("again", "nodepool", "again-b"));
}

#[test]
fn a_control_plane_that_is_not_meant_is_left_alone() {
    let Some(stage) = Stage::new("spared") else { return };
    let mut daemon = Daemon::start(&stage, &["--provider", "oci"]);
    daemon.says(&["looked at", "cluster spared", "in sync"]);
    assert!(!stage.is_there("spared", "hostedcluster", "spared"));
    daemon.ends();
}
