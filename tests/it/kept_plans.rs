//! Plans that are kept, by the commands: what merges and other programs do to them.

use std::fs;

use crate::cli::{Ran, Workplace};
use crate::plan_against::{commit_as, committed, edit};

const SANDBOX: [&str; 4] = ["--sandbox", "box", "--speed", "2000"];
const POOL: &str = "memory: {profile: memory, replicas: 6}";

fn run(place: &Workplace, args: &[&str]) -> Ran {
    place.run(&[args, &SANDBOX].concat())
}

/// The demo fleet as it is applied, one commit that scales a pool, and a plan of that in `a.plan`.
fn kept() -> Workplace {
    let place = committed();
    run(&place, &["apply", "--yes"]).exits(0);
    edit(
        &place,
        "clusters/prod.yaml",
        POOL,
        "memory: {profile: memory, replicas: 7}",
    );
    commit_as(&place, "Scale search on a branch");
    let said = run(&place, &["plan", "--out", "a.plan"]).exits(0).stderr;
    assert!(said.contains("kept in a.plan: 1 change of "), "{said}");
    place
}

#[test]
fn a_squash_and_an_unrelated_commit_leave_a_kept_plan_as_good_as_it_was_and_it_is_applied_once() {
    let place = kept();
    // The same files under another commit, on top of one that concerns another cluster.
    let repository = git2::Repository::open(place.path()).expect("the repository");
    let head = repository
        .head()
        .and_then(|head| head.peel_to_commit())
        .expect("a commit");
    let parent = head.parent(0).expect("the one before");
    repository
        .reset(parent.as_object(), git2::ResetType::Soft, None)
        .expect("a reset");
    edit(
        &place,
        "clusters/dev.yaml",
        "pools: {spare: {profile: small, replicas: 1}}",
        "pools: {spare: {profile: small, replicas: 2}}",
    );
    let squashed = commit_as(&place, "Squash of a branch, and what came before it");
    assert_ne!(squashed, head.id().to_string());
    let applied = run(&place, &["apply", "a.plan"]).exits(0);
    assert!(
        applied.stdout.contains("search-memory") && !applied.stdout.contains("spare"),
        "{}",
        applied.stdout
    );
    let again = run(&place, &["apply", "a.plan"]).exits(0);
    assert!(again.stderr.contains("this plan has been applied"), "{}", again.stderr);
    // The other cluster's change was not in it.
    let left = run(&place, &["plan", "--detailed-exitcode"]).exits(2).stdout;
    assert!(left.contains("spare") && !left.contains("search-memory"), "{left}");
}

#[test]
fn a_commit_to_the_same_cluster_and_another_version_of_the_program_make_it_stale() {
    let place = kept();
    let refused = |words: &str| {
        let ran = run(&place, &["apply", "a.plan"]).exits(3);
        assert!(ran.stderr.contains(words), "{}", ran.stderr);
        let left = run(&place, &["plan", "--detailed-exitcode"]).exits(2).stdout;
        assert!(left.contains("search-memory"), "nothing was done: {left}");
    };
    let whole = fs::read_to_string(place.path().join("a.plan")).expect("the plan");
    let version = format!("\"version\": \"{}\"", env!("CARGO_PKG_VERSION"));
    assert!(whole.contains(&version), "{whole}");
    let other = whole.replace(&version, "\"version\": \"0.0.9\"");
    fs::write(place.path().join("a.plan"), other).expect("a plan");
    refused("0.0.9");
    fs::write(place.path().join("a.plan"), whole).expect("the plan");

    edit(&place, "clusters/prod.yaml", "replicas: 7}", "replicas: 8}");
    commit_as(&place, "Scale it further");
    refused("search");
}

#[test]
fn a_plan_of_files_that_are_no_commit_says_which_is_below_them() {
    let place = kept();
    let head = git2::Repository::open(place.path()).expect("the repository");
    let head = head
        .head()
        .and_then(|head| head.peel_to_commit())
        .expect("a commit")
        .id();
    edit(&place, "clusters/prod.yaml", "replicas: 7}", "replicas: 9}");
    let said = run(&place, &["plan", "--out", "b.plan"]).exits(0).stderr;
    assert!(
        said.contains(&format!("which is no commit (that below it is {head})")),
        "{said}"
    );
    let kept: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(place.path().join("b.plan")).expect("the plan")).expect("JSON");
    assert_eq!(
        (&kept["dirty"], &kept["head"]),
        (&true.into(), &head.to_string().into())
    );
}
