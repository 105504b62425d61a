//! The Git server goes away, hangs, and comes back.

use std::fs::rename;
use std::path::Path;

use git2::Repository;

use super::{SELDOM, in_sync, measures, wish};
use crate::e2e::Stage;
use crate::e2e::daemon::{Daemon, commit, has_replicas};
use crate::e2e::telemetry::push;
use crate::e2e::wait::until;
use crate::support::{Behind, Gate, Gitea};

/// What holds while the source is away: the last revision is in force and kept to, and it is said why no newer one is.
#[track_caller]
pub(super) fn keeps_on(stage: &Stage, daemon: &Daemon, revision: git2::Oid, why: &str) {
    let status = daemon.status();
    assert_eq!(status["revision"], revision.to_string());
    let said = status["sourceError"].as_str().unwrap_or_default();
    assert!(said.contains(why), "{status}");
    assert!(measures(daemon, "fleetwright_source_refused 1"));
    assert_eq!((daemon.get("/livez").0, daemon.get("/readyz").0), (200, 200));
    stage.kubectl(
        &stage.name,
        &["scale", "nodepool", &format!("{}-a", stage.name), "--replicas=9"],
    );
    has_replicas(stage, &format!("{}-a", stage.name), 2);
}

/// Pushes all of a stage's fleet to a bare repository.
pub(in crate::e2e) fn push_to(stage: &Stage, path: &Path) {
    let repository = Repository::open(stage.place.fleet()).expect("a repository");
    let branch = repository.head().expect("a branch").name().expect("a name").to_owned();
    let mut remote = repository
        .remote_anonymous(path.to_str().expect("a path of text"))
        .expect("a remote");
    remote
        .push(&[format!("{branch}:refs/heads/main")], None)
        .expect("a push");
}

#[test]
fn while_a_repository_on_disk_is_away_what_is_in_force_stays_and_then_the_newest_is() {
    let Some(stage) = Stage::new("unmounted") else { return };
    let (there, away) = (
        stage.place.path().join("origin.git"),
        stage.place.path().join("away.git"),
    );
    Repository::init_bare(&there).expect("a repository");
    let first = commit(&stage, "first");
    push_to(&stage, &there);
    let url = format!("file://{}", there.display());
    let from = ["--git", &url, "--ref", "main"];
    let mut daemon = Daemon::start(&stage, &[&SELDOM[..], &from].concat());
    in_sync(&stage, &mut daemon);

    rename(&there, &away).expect("to be moved");
    daemon.says(&["does not come into force", "there is no repository at"]);
    keeps_on(&stage, &daemon, first, "there is no repository at");
    wish(&stage, 7, 3);
    let second = commit(&stage, "second");
    push_to(&stage, &away);
    rename(&away, &there).expect("to be moved back");
    daemon.says(&["in force", &second.to_string()]);
    has_replicas(&stage, "unmounted-a", 7);

    // What is wrong with a commit is told again once the server is back, and not that it was away.
    let wrong = |daemon: &Daemon| {
        until("what is wrong with the commit is told", || {
            let said = daemon.status()["sourceError"].as_str().unwrap_or_default().to_owned();
            said.contains("errors, the first of them").then_some(())
        });
    };
    let file = stage.place.fleet().join("clusters/wrong.yaml");
    std::fs::write(&file, "kind: Nonsense\n").expect("a file");
    commit(&stage, "wrong");
    push_to(&stage, &there);
    wrong(&daemon);
    rename(&there, &away).expect("to be moved");
    until("that it is away is told", || {
        let said = daemon.status()["sourceError"].as_str().unwrap_or_default().to_owned();
        said.contains("there is no repository at").then_some(())
    });
    rename(&away, &there).expect("to be moved back");
    wrong(&daemon);
    std::fs::remove_file(file).expect("to be removed");
    let third = commit(&stage, "third");
    push_to(&stage, &there);
    daemon.says(&["in force", &third.to_string()]);
    until("nothing is wrong any more", || {
        daemon.status()["sourceError"].is_null().then_some(())
    });
    assert!(measures(&daemon, "fleetwright_source_refused 0"));
    daemon.ends();
}

#[test]
fn while_a_git_server_is_away_or_hangs_what_is_in_force_is_kept_to_and_nobody_waits_for_it() {
    let (Some(gitea), Some(stage)) = (Gitea::start(), Stage::new("unreached")) else {
        return;
    };
    gitea.make("unreached");
    let first = commit(&stage, "first");
    push(&gitea, &stage);
    let gate = Gate::before(gitea.port());
    let token = stage.place.path().join("token");
    std::fs::write(&token, &gitea.token).expect("a file");
    let url = format!("http://127.0.0.1:{}/tester/unreached.git", gate.port());
    let token = token.to_str().expect("a path of text");
    let from = ["--git", &url, "--ref", "main", "--git-token-file", token];
    let mut daemon = Daemon::start(&stage, &[&SELDOM[..], &from].concat());
    in_sync(&stage, &mut daemon);

    gate.put(Behind::Nobody);
    daemon.says(&["does not come into force", &format!("127.0.0.1:{}", gate.port())]);
    keeps_on(&stage, &daemon, first, "can't be");
    wish(&stage, 2, 7);
    let second = commit(&stage, "second");
    push(&gitea, &stage);
    gate.put(Behind::Server);
    daemon.says(&["in force", &second.to_string()]);
    has_replicas(&stage, "unreached-b", 7);

    // It takes half a minute until a server that says nothing is given up: what else there is to do is done meanwhile.
    gate.put(Behind::Silence);
    until("it asks", || (gate.held() > 0).then_some(()));
    stage.kubectl("unreached", &["scale", "nodepool", "unreached-b", "--replicas=9"]);
    has_replicas(&stage, "unreached-b", 7);
    assert_eq!(daemon.get("/livez").0, 200);
    let said = daemon.ends();
    assert!(!said.contains("stopped answering"), "it waited for the server:\n{said}");
}
