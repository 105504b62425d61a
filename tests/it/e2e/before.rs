//! What was in force before, by what is told of the fleet where the copy of the repository is gone.

use super::Stage;
use super::daemon::{Daemon, commit, has_replicas};
use super::sync::{NAMESPACE, installed, pools};
use super::wait::until;
use crate::support::{Behind, Gate};

/// A fleet in a repository whose history was rewritten after a daemon had it in force, and whose copy is gone; and its address.
fn rewritten(stage: &Stage) -> String {
    let first = commit(stage, "first");
    pools(stage, 4, 3);
    let second = commit(stage, "second");
    let url = format!("file://{}", stage.place.fleet().display());
    let mut daemon = Daemon::start(stage, &["--git", &url]);
    daemon.says(&["looked at", &format!("cluster {}", stage.name), "in sync"]);
    until("it is told", || {
        let path = "jsonpath={.status.revision}";
        let told = ["get", "fleetstatus", &stage.name, "-n", NAMESPACE, "-o", path];
        let told = stage.login.try_kubectl(&told, "").stdout;
        (told == second.to_string().as_bytes()).then_some(())
    });
    daemon.ends();
    std::fs::remove_dir_all(stage.place.path().join(".cache")).expect("the copy");
    let repository = git2::Repository::open(stage.place.fleet()).expect("the repository");
    let back = repository.find_object(first, None).expect("the first commit");
    repository.reset(&back, git2::ResetType::Soft, None).expect("a reset");
    pools(stage, 6, 3);
    commit(stage, "another second");
    url
}

#[test]
fn rewritten_history_is_refused_by_what_is_told_of_the_fleet_where_the_copy_is_gone() {
    let Some(stage) = installed("forgetful") else { return };
    let url = rewritten(&stage);
    let mut daemon = Daemon::start(&stage, &["--git", &url]);
    daemon.says(&["does not come into force", "--allow-rewritten"]);
    has_replicas(&stage, "forgetful-a", 4);
    daemon.ends();
    let daemon = Daemon::start(&stage, &["--git", &url, "--allow-rewritten"]);
    has_replicas(&stage, "forgetful-a", 6);
    daemon.ends();
}

#[test]
fn while_nobody_says_what_was_in_force_nothing_comes_into_force() {
    let Some(mut stage) = installed("unasked") else { return };
    let url = rewritten(&stage);
    let gate = Gate::before(stage.login.port());
    gate.put(Behind::Nobody);
    let beyond = stage.login.by_port(gate.port(), &stage.place.path().join("beyond"));
    let straight = std::mem::replace(&mut stage.login, beyond);

    let mut daemon = Daemon::start(&stage, &["--git", &url]);
    daemon.says(&["does not come into force", "no management cluster says", "m: "]);
    gate.put(Behind::Server);
    daemon.says(&["does not come into force", "the repository does not hold"]);
    stage.login = straight;
    has_replicas(&stage, "unasked-a", 4);
    daemon.ends();
}
