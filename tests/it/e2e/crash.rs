//! Killed anywhere, the next run converges: nothing is made twice, nothing is forgotten.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};

use super::{Stage, namespace};
use crate::support::Mark;

/// Starts an apply, one change at a time, and goes on as soon as it has said so many lines that begin with `word`.
fn until(stage: &Stage, word: &str, lines: usize) -> (Child, BufReader<std::process::ChildStderr>) {
    let args = stage.args(&["apply", "--yes", "--concurrency", "1"]);
    let mut child = stage
        .place
        .command(&args)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("a start");
    let mut stderr = BufReader::new(child.stderr.take().expect("a pipe"));
    let (mut seen, mut said) = (0, String::new());
    while seen < lines {
        let start = said.len();
        assert_ne!(
            stderr.read_line(&mut said).expect("a line"),
            0,
            "it ended before it was to be stopped:\n{said}"
        );
        seen += usize::from(said[start..].starts_with(word));
    }
    (child, stderr)
}

/// What Ctrl-C sends.
fn interrupt(child: &Child) {
    let sent = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .expect("kill starts");
    assert!(sent.success());
}

/// The apply that was killed left the rest to the next, which makes just that.
fn converges(stage: &Stage, first: Mark) {
    let planned: BTreeSet<String> = stage.planned().into_iter().map(|(_, object)| object).collect();
    let there = stage.uids(&stage.name);
    let killed: BTreeSet<String> = stage.writes_since(first).into_iter().collect();
    let mark = stage.login.mark();
    stage.run(&["apply", "--yes"]).exits(0);
    let resumed = stage.writes_since(mark);
    let unique: BTreeSet<String> = resumed.iter().cloned().collect();
    assert_eq!(unique.len(), resumed.len(), "twice: {resumed:?}");
    assert_eq!(resumed.len(), planned.len(), "{resumed:?} {planned:?}");
    // A request that was under way when its sender died may have come to nothing; no other is sent again.
    assert!(killed.intersection(&unique).count() <= 1, "{killed:?} {resumed:?}");
    let uids = stage.uids(&stage.name);
    assert!(
        there.iter().all(|(object, uid)| uids[object] == *uid),
        "made anew: {there:?} {uids:?}"
    );
    stage.is_settled();
    let mut recorded = stage.recorded();
    let space = stage.login.get(&["namespace", &namespace(&stage.name)]);
    assert_eq!(
        recorded.remove(&format!("Namespace/{}", namespace(&stage.name))),
        Some(Some(super::text(&space["metadata"]["uid"])))
    );
    let recorded: Vec<_> = recorded
        .into_iter()
        .map(|(object, uid)| (object, uid.expect("its UID")))
        .collect();
    assert_eq!(recorded, uids.into_iter().collect::<Vec<_>>());
}

#[test]
fn an_apply_that_was_killed_is_finished_by_the_next() {
    for created in 1..=4 {
        let Some(stage) = Stage::new(&format!("killed-{created}")) else {
            return;
        };
        let first = stage.login.mark();
        let (mut child, _stderr) = until(&stage, "created", created);
        // SIGKILL.
        child.kill().expect("it is killed");
        child.wait().expect("it ends");
        converges(&stage, first);
    }
}

#[test]
fn all_is_on_record_before_the_first_create() {
    let Some(stage) = Stage::new("announced") else { return };
    let first = stage.login.mark();
    let args = stage.args(&["apply", "--yes", "--concurrency", "1"]);
    let null = || Stdio::null();
    let mut child = stage
        .place
        .command(&args)
        .stdout(null())
        .stderr(null())
        .spawn()
        .expect("a start");
    // The first write of all, but for the Lease, is the record of what is going to be made.
    while !stage
        .login
        .requests_since(first)
        .iter()
        .any(|(verb, _)| verb == "patch")
    {
        assert!(
            child.try_wait().expect("its state").is_none(),
            "it ended before it was to be stopped"
        );
        std::thread::yield_now();
    }
    child.kill().expect("it is killed");
    child.wait().expect("it ends");
    let (verb, path) = stage
        .login
        .requests_since(first)
        .into_iter()
        .find(|(verb, path)| verb != "get" && verb != "list" && !path.contains("/leases"))
        .expect("a write");
    assert_eq!(verb, "create", "{path}");
    assert!(path.contains("/namespaces/fleetwright-system/configmaps"), "{path}");
    assert_eq!(stage.recorded().len(), 5);
    converges(&stage, first);
}

#[test]
fn ctrl_c_finishes_what_is_under_way_and_says_what_was_not_begun() {
    let Some(stage) = Stage::new("interrupted") else { return };
    let first = stage.login.mark();
    let (mut child, mut stderr) = until(&stage, "created", 2);
    interrupt(&child);
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).expect("the rest of what it says");
    assert_eq!(child.wait().expect("it ends").code(), Some(1), "{rest}");
    assert!(rest.contains("interrupted: finishing what is under way"), "{rest}");
    assert!(rest.contains("not begun"), "{rest}");
    // It had the time to write down what it made.
    let recorded = stage.recorded();
    for (object, uid) in stage.uids("interrupted") {
        assert_eq!(recorded[&object], Some(uid), "{object}");
    }
    converges(&stage, first);
}

#[test]
fn a_teardown_that_was_killed_is_finished_by_the_next() {
    let Some(stage) = Stage::of("razed", "", &["razed", "stands"]) else {
        return;
    };
    stage.run(&["apply", "--yes"]).exits(0);
    stage.without_cluster("razed");
    stage.fleet("  decommission: [{cluster: razed, reason: a test}]");
    let (mut child, _stderr) = until(&stage, "deleted", 1);
    child.kill().expect("it is killed");
    child.wait().expect("it ends");
    stage.run(&["apply", "--yes"]).exits(0);
    assert_eq!(stage.uids("razed").len(), 0);
    assert_eq!(stage.uids("stands").len(), 4);
    let left: Vec<String> = stage
        .recorded()
        .into_keys()
        .filter(|object| object.contains("razed"))
        .collect();
    assert_eq!(
        left,
        ["Namespace/clusters-razed"],
        "a namespace without its controller goes no further"
    );
}

#[test]
fn ctrl_c_ends_the_wait_for_a_finalizer() {
    let Some(stage) = Stage::of("held", "", &["held", "stays"]) else {
        return;
    };
    stage.run(&["apply", "--yes"]).exits(0);
    let hold = |finalizers: &str| {
        let patch = format!(r#"{{"metadata":{{"finalizers":{finalizers}}}}}"#);
        stage.kubectl("held", &["patch", "nodepool", "held-a", "--type=merge", "-p", &patch]);
    };
    hold(r#"["fleetwright.test/hold"]"#);
    stage.without_cluster("held");
    stage.fleet("  decommission: [{cluster: held, reason: a test}]");
    let line = "waiting for NodePool clusters-held/held-a: to be gone: held by finalizers: fleetwright.test/hold";
    let (mut child, mut stderr) = until(&stage, line, 1);
    interrupt(&child);
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).expect("the rest of what it says");
    assert_eq!(child.wait().expect("it ends").code(), Some(1), "{rest}");
    assert!(
        rest.contains("deleting NodePool clusters-held/held-a") && rest.contains("not begun"),
        "{rest}"
    );
    assert!(stage.is_there("held", "hostedcluster", "held"));

    hold("null");
    stage.run(&["apply", "--yes"]).exits(0);
    assert_eq!(stage.uids("held").len(), 0);
}

#[test]
fn two_runs_at_once_make_nothing_twice() {
    let Some(stage) = Stage::new("race") else { return };
    let first = stage.login.mark();
    let args = stage.args(&["apply", "--yes"]);
    let run = || {
        stage
            .place
            .command(&args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("a start")
    };
    let runs = [run(), run()].map(|child| child.wait_with_output().expect("it ends"));
    for output in &runs {
        let said = String::from_utf8_lossy(&output.stderr);
        // 3: it found what the other had made and not recorded yet, and took it for somebody else's.
        assert!(matches!(output.status.code(), Some(0 | 1 | 3)), "{said}");
        eprintln!("{said}");
    }
    assert!(
        runs.iter().any(|output| output.status.code() == Some(0)),
        "one of them wins"
    );
    let before = stage.uids("race");
    stage.run(&["apply", "--yes"]).exits(0);
    assert_eq!(stage.uids("race"), before);
    stage.is_settled();
    assert!(stage.recorded().values().all(Option::is_some), "{:?}", stage.recorded());
    assert!(
        stage
            .writes_since(first)
            .iter()
            .all(|write| write.starts_with("patch ")),
        "nothing is deleted"
    );
}
