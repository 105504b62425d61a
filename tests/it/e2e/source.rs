//! What a daemon takes from its repository on a real API server: only what is signed, whole and no step back; and who tells it
//! of a push.

use std::fs;
use std::path::PathBuf;

use git2::{ObjectType, Oid, Repository, ResetType};
use serde_json::Value;

use super::Stage;
use super::daemon::{Daemon, commit, commit_with, has_replicas};
use super::sync::installed;
use super::telemetry;
use super::wait::until;
use crate::git_source::signed::SshKeys;

fn url(stage: &Stage) -> String {
    format!("file://{}", stage.place.fleet().display())
}

/// Writes the stage's cluster with so many nodes in its pool `a`.
fn nodes(stage: &Stage, nodes: u32) {
    let a = format!("a: {{profile: general, replicas: {nodes}}}");
    stage.cluster(&stage.name, &[&a, "b: {profile: general, replicas: 3}"]);
}

/// Waits until the FleetStatus says why what the repository holds is not in force, and gives the revision that is.
#[track_caller]
pub(super) fn refused(stage: &Stage, words: &[&str]) -> String {
    let path = [
        "get",
        "fleetstatus",
        &stage.name,
        "-n",
        "fleetwright-system",
        "-o",
        "json",
    ];
    until(&format!("the FleetStatus says {words:?}"), || {
        let got = stage.login.try_kubectl(&path, "");
        let status: Value = serde_json::from_slice(&got.stdout).ok()?;
        let said = status["status"]["lastError"]["message"].as_str()?.to_owned();
        let revision = status["status"]["revision"].as_str()?;
        words
            .iter()
            .all(|word| said.contains(word))
            .then(|| revision.to_owned())
    })
}

#[test]
fn what_is_not_signed_by_one_who_may_or_is_older_is_not_rendered() {
    let Some(made) = SshKeys::new() else { return };
    let Some(stage) = installed("signed") else { return };
    let alice = made.make("alice", &["-t", "ed25519"], "");
    made.make("mallory", &["-t", "ed25519"], "");
    let signers = made.0.path().join("allowed");
    fs::write(&signers, format!("alice@example.org {alice}\n")).expect("a file");
    let by = |who: &'static str, message: &str| {
        let sign = |content: &str| Some(made.sign(who, "git", content.as_bytes()));
        commit_with(&stage, message, sign)
    };
    by("alice", "first");
    nodes(&stage, 4);
    let good = by("alice", "good");
    let url = url(&stage);
    let args = ["--git", &url, "--git-signers", signers.to_str().expect("UTF-8")];
    let mut daemon = Daemon::start(&stage, &args);
    daemon.says(&["looked at", "cluster signed", "in sync"]);
    has_replicas(&stage, "signed-a", 4);
    let mark = stage.login.mark();

    nodes(&stage, 9);
    commit(&stage, "nobody has signed this");
    daemon.says(&["does not come into force", "it is not signed"]);
    assert_eq!(refused(&stage, &["it is not signed"]), good.to_string());

    by("mallory", "signed by somebody else");
    daemon.says(&["does not come into force", "not one of the keys that may sign"]);
    assert_eq!(refused(&stage, &["not one of the keys"]), good.to_string());

    // Alice's signature, on what she has not signed.
    let other = made.sign("alice", "git", b"something else");
    commit_with(&stage, "a signature of something else", |_| Some(other.clone()));
    daemon.says(&["does not come into force", "something else was signed"]);
    assert_eq!(refused(&stage, &["something else was signed"]), good.to_string());

    // Hers, and older than what is in force.
    let repository = Repository::open(stage.place.fleet()).expect("the repository");
    let older = repository
        .find_commit(good)
        .and_then(|good| good.parent_id(0))
        .expect("the first");
    let older = repository.find_object(older, None).expect("the first");
    repository.reset(&older, ResetType::Soft, None).expect("a reset");
    daemon.says(&["does not come into force", "is older than"]);
    assert_eq!(refused(&stage, &["is older than"]), good.to_string());
    assert_eq!(
        stage.writes_since(mark),
        Vec::<String>::new(),
        "nothing of all that is applied"
    );

    // What is in force is kept to all the while, and what she signs on top of it is taken.
    stage.kubectl("signed", &["scale", "nodepool", "signed-a", "--replicas=8"]);
    has_replicas(&stage, "signed-a", 4);
    let back = repository.find_object(good, None).expect("the good one");
    repository.reset(&back, ResetType::Soft, None).expect("a reset");
    nodes(&stage, 5);
    let next = by("alice", "next");
    daemon.says(&["in force", &next.to_string()]);
    has_replicas(&stage, "signed-a", 5);
    daemon.ends();
}

/// Where a repository keeps an object.
fn place(repository: &Repository, id: Oid) -> PathBuf {
    let id = id.to_string();
    let (folder, name) = id.split_at(2);
    repository.path().join("objects").join(folder).join(name)
}

#[test]
fn a_push_of_which_not_all_is_there_yet_leaves_the_last_revision_in_force() {
    let Some(stage) = installed("halfway") else { return };
    let first = commit(&stage, "first");
    let url = url(&stage);
    let mut daemon = Daemon::start(&stage, &["--git", &url]);
    daemon.says(&["looked at", "cluster halfway", "in sync"]);

    // As a mirror looks to which branches are copied before all objects are.
    let repository = Repository::open(stage.place.fleet()).expect("the repository");
    let branch = repository.head().expect("a branch").name().expect("a name").to_owned();
    nodes(&stage, 6);
    let second = commit(&stage, "second");
    repository.reference(&branch, first, true, "back").expect("a branch");
    let tree = repository
        .find_commit(second)
        .and_then(|commit| commit.tree())
        .expect("a tree");
    let file = tree.get_path("clusters/halfway.yaml".as_ref()).expect("a file");
    assert_eq!(file.kind(), Some(ObjectType::Blob));
    let objects = [
        place(&repository, file.id()),
        place(&repository, tree.id()),
        place(&repository, second),
    ];
    let hidden = |object: &PathBuf| object.with_extension("late");
    for object in &objects {
        fs::rename(object, hidden(object)).expect("an object of its own");
    }
    fs::write(repository.path().join(&branch), format!("{second}\n")).expect("a branch");
    daemon.says(&["does not come into force"]);
    assert_eq!(refused(&stage, &[]), first.to_string());
    // The commit comes, then its tree; a file is missing still.
    for object in [&objects[2], &objects[1]] {
        fs::rename(hidden(object), object).expect("it arrives");
        stage.kubectl("halfway", &["scale", "nodepool", "halfway-a", "--replicas=9"]);
        has_replicas(&stage, "halfway-a", 2);
        assert_eq!(refused(&stage, &[]), first.to_string());
    }
    fs::rename(hidden(&objects[0]), &objects[0]).expect("it arrives");
    daemon.says(&["in force", &second.to_string()]);
    has_replicas(&stage, "halfway-a", 6);
    daemon.ends();
}

#[test]
fn a_webhook_that_reaches_one_who_stands_by_is_heard_by_the_one_who_works() {
    let Some(stage) = installed("passed") else { return };
    commit(&stage, "first");
    let url = url(&stage);
    let replica = |name| {
        let more = [
            "--git",
            &url,
            "--replicas",
            "standby",
            "--lease-duration",
            "5s",
            "--replica-name",
            name,
        ];
        telemetry::start(&stage, &more)
    };
    let (mut works, _) = replica("works");
    works.says(&["looked at", "cluster passed", "in sync"]);
    let (mut stands_by, address) = replica("stands-by");
    until("it stands by", || {
        let lease = &stands_by.status()["leases"]["m"];
        lease.to_string().to_lowercase().contains("standsby").then_some(())
    });
    nodes(&stage, 7);
    let second = commit(&stage, "second");
    let repository = Repository::open(stage.place.fleet()).expect("the repository");
    let branch = repository.head().expect("a branch").name().expect("a name").to_owned();
    assert_eq!(telemetry::tell(&address, &branch), 202);
    stands_by.says(&["somebody pushed"]);
    works.says(&["somebody pushed, as another daemon of the fleet was told"]);
    works.says(&["in force", &second.to_string()]);
    has_replicas(&stage, "passed-a", 7);
    stands_by.says(&["in force", &second.to_string()]);
    stands_by.ends();
    works.ends();
}

#[test]
fn a_secret_that_is_copied_is_followed() {
    let Some(stage) = installed("rotated") else { return };
    let mut daemon = Daemon::start(&stage, &["--resync", "10h", "--poll", "10h"]);
    daemon.says(&["looked at", "cluster rotated", "in sync"]);
    let edit = r#"{"stringData":{".dockerconfigjson":"{\"b\":\"hunter2\"}"}}"#;
    let source = [
        "patch",
        "secret",
        "pull-secret",
        "-n",
        "rotated-source",
        "--type=merge",
        "-p",
        edit,
    ];
    stage.login.kubectl(&source);
    let there = stage.login.get(&["secret", "pull-secret", "-n", "rotated-source"]);
    until("the copy has what its source has", || {
        let copy = stage.get("rotated", "secret", "pull-secret");
        (copy["data"] == there["data"]).then_some(())
    });
    daemon.ends();
}

#[test]
fn an_environment_is_suspended_and_resumed_by_annotation_and_the_others_go_on() {
    let Some(stage) = installed("split") else { return };
    let more = "---\nkind: Environment\nmetadata: {name: test}\nspec: {availability: single}\n";
    stage.place.write("test.yaml", more);
    let of_two = |nodes: u32| {
        let pool = format!("a: {{profile: general, replicas: {nodes}}}");
        let document = super::document("split-two", &[&pool]).replace("environment: dev", "environment: test");
        stage.place.write("clusters/split-two.yaml", &document);
    };
    of_two(2);
    stage.place.run(&["lock"]).exits(0);
    let state = |cluster: &str, state: &str| {
        let name = format!("split.{cluster}");
        let there = [
            "wait",
            "clustersync",
            &name,
            "-n",
            "fleetwright-system",
            "--timeout=120s",
        ];
        stage.login.kubectl(&[&there[..], &["--for=create"]].concat());
        let condition = format!("--for=jsonpath={{.status.state}}={state}");
        stage.login.kubectl(&[&there[..], &[&condition]].concat());
    };
    let scaled = |cluster: &str, nodes: u32| {
        let pool = format!("{cluster}-a");
        let condition = format!("--for=jsonpath={{.spec.replicas}}={nodes}");
        stage.kubectl(cluster, &["wait", "nodepool", &pool, &condition, "--timeout=120s"]);
    };
    let daemon = Daemon::start(&stage, &[]);
    state("split", "InSync");
    state("split-two", "InSync");

    let ran = stage
        .run(&["suspend", "--environment", "dev", "--reason", "a freeze"])
        .exits(0);
    assert!(
        ran.stdout.contains("dev") && ran.stdout.contains("a freeze"),
        "{}",
        ran.stdout
    );
    state("split", "Suspended");
    let mark = stage.login.mark();
    nodes(&stage, 8);
    of_two(5);
    scaled("split-two", 5);
    state("split-two", "InSync");
    stage.kubectl("split", &["scale", "nodepool", "split-b", "--replicas=9"]);
    until("drift of what is suspended is told", || {
        let sync = stage
            .login
            .get(&["clustersync", "split.split", "-n", "fleetwright-system"]);
        (sync["status"]["drift"]["count"] == 1 && sync["status"]["pending"]["count"] == 2).then_some(())
    });
    let writes = stage.writes_since(mark);
    assert!(
        !writes.iter().any(|write| write == "patch nodepools/split-a"),
        "{writes:?}"
    );
    let planned = stage.run(&["plan"]);
    assert!(planned.stdout.contains("a freeze"), "{}", planned.stdout);

    // One by hand, without the program.
    let key = "dev.environment.fleetwright.dev/suspended";
    let annotate = ["annotate", "fleetstatus", "split", "-n", "fleetwright-system"];
    let off = [format!("{key}-until-"), format!("{key}-reason-")];
    stage.login.kubectl(&[&annotate[..], &[&off[0], &off[1]]].concat());
    scaled("split", 8);
    state("split", "InSync");

    let on = format!("{key}-until=resumed");
    stage.login.kubectl(&[&annotate[..], &[&on]].concat());
    state("split", "Suspended");
    state("split-two", "InSync");
    nodes(&stage, 3);
    stage.run(&["resume", "--environment", "dev"]).exits(0);
    scaled("split", 3);
    state("split", "InSync");
    daemon.ends();
}
