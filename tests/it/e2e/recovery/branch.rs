//! The branch that is followed is deleted where it comes from, and is there again later.

use git2::Repository;
use serde_json::Value;

use super::git::{keeps_on, push_to};
use super::{SELDOM, in_sync, measures, wish};
use crate::e2e::Stage;
use crate::e2e::daemon::{Daemon, commit, has_replicas};
use crate::e2e::source::refused;
use crate::e2e::sync::{NAMESPACE, installed};
use crate::e2e::telemetry::{push, push_branch, push_spec};
use crate::e2e::wait::until;
use crate::support::Gitea;

/// What holds while the branch is gone: it is said by name, wherever one looks, and the last revision is kept to.
#[track_caller]
fn is_missed(stage: &Stage, daemon: &mut Daemon, branch: &str, revision: git2::Oid) {
    let named = format!("`{branch}`");
    daemon.says(&["does not come into force", "has no", &named]);
    keeps_on(stage, daemon, revision, &named);
    assert_eq!(refused(stage, &["has no", &named]), revision.to_string());
}

/// What holds once it is back with a newer commit: that is in force, and nothing is said to be wrong.
#[track_caller]
fn is_followed_again(stage: &Stage, daemon: &mut Daemon, revision: git2::Oid, replicas: u32) {
    daemon.says(&["in force", &revision.to_string()]);
    has_replicas(stage, &format!("{}-a", stage.name), replicas);
    assert_eq!(daemon.status()["sourceError"], Value::Null);
    assert!(measures(daemon, "fleetwright_source_refused 0"));
    until("the FleetStatus is content again", || {
        let fleet = stage.login.get(&["fleetstatus", &stage.name, "-n", NAMESPACE]);
        let status = &fleet["status"];
        (status["revision"] == revision.to_string() && status["lastError"].is_null()).then_some(())
    });
}

#[test]
fn while_the_branch_is_gone_from_a_repository_on_disk_what_was_in_force_is_kept_to() {
    let Some(stage) = installed("felled") else { return };
    let origin = stage.place.path().join("origin.git");
    let repository = Repository::init_bare(&origin).expect("a repository");
    let first = commit(&stage, "first");
    push_to(&stage, &origin);
    // Other branches are no substitute, however near their names are.
    repository
        .reference("refs/heads/main2", first, false, "another")
        .expect("a branch");
    let url = format!("file://{}", origin.display());
    let from = ["--git", &url, "--ref", "main"];
    let mut daemon = Daemon::start(&stage, &[&SELDOM[..], &from].concat());
    in_sync(&stage, &mut daemon);

    let branch = repository.find_reference("refs/heads/main");
    branch.and_then(|mut branch| branch.delete()).expect("to be deleted");
    is_missed(&stage, &mut daemon, "main", first);
    wish(&stage, 7, 3);
    let second = commit(&stage, "second");
    push_to(&stage, &origin);
    is_followed_again(&stage, &mut daemon, second, 7);
    daemon.ends();
}

#[test]
fn while_the_branch_is_gone_from_a_git_server_what_was_in_force_is_kept_to() {
    let (Some(gitea), Some(stage)) = (Gitea::start(), installed("pruned-ref")) else {
        return;
    };
    gitea.make("pruned-ref");
    let first = commit(&stage, "first");
    push(&gitea, &stage);
    push_branch(&gitea, &stage, "release");
    let token = stage.place.path().join("token");
    std::fs::write(&token, &gitea.token).expect("a file");
    let (url, token) = (gitea.url("pruned-ref"), token.to_str().expect("a path of text"));
    let from = ["--git", &url, "--ref", "refs/heads/release", "--git-token-file", token];
    let mut daemon = Daemon::start(&stage, &[&SELDOM[..], &from].concat());
    in_sync(&stage, &mut daemon);

    push_spec(&gitea, &stage, ":refs/heads/release");
    is_missed(&stage, &mut daemon, "release", first);
    wish(&stage, 6, 3);
    let second = commit(&stage, "second");
    push_branch(&gitea, &stage, "release");
    is_followed_again(&stage, &mut daemon, second, 6);
    daemon.ends();
}
