//! What the files suspend is told and not written, until its end comes or a commit lifts it.

use jiff::Timestamp;

use super::daemon::{Daemon, commit, has_replicas};
use super::recovery::SELDOM;
use super::sync::{cluster_sync, installed, pools, says};
use super::{FLEET, Stage};
use crate::support::Mark;

/// Starts a daemon that follows what is committed, and does not look again by itself.
fn follow(stage: &Stage) -> Daemon {
    let url = format!("file://{}", stage.place.fleet().display());
    let mut daemon = Daemon::start(stage, &[&SELDOM[..], &["--git", &url]].concat());
    daemon.says(&["looked at", &format!("cluster {}", stage.name), "in sync"]);
    daemon
}

/// Waits until it is told that the stage's cluster is suspended for this reason, and a change waits.
#[track_caller]
fn is_suspended(stage: &Stage, daemon: &mut Daemon, reason: &str) {
    let cluster = format!("cluster {}", stage.name);
    daemon.says(&["looked at", &cluster, "suspended", reason, "1 changes wait"]);
    says(stage, ".status.state", "Suspended");
    let sync = cluster_sync(stage);
    assert_eq!(sync["status"]["suspension"]["reason"], reason, "{sync}");
    let status = daemon.status();
    assert_eq!(status["units"][&cluster]["state"], "suspended", "{status}");
}

/// When each pool was written since.
fn written_since(stage: &Stage, mark: Mark) -> Vec<Timestamp> {
    let sent = stage.login.sent_since(mark).into_iter();
    let writes = sent.filter(|sent| sent.verb == "patch" && sent.path.contains("/nodepools/"));
    let real = writes.filter(|sent| !sent.path.contains("dryRun=All"));
    real.map(|sent| sent.at.parse().expect("a time")).collect()
}

#[test]
fn a_suspension_of_the_fleet_that_is_committed_holds_to_its_end_and_then_the_change_is_made() {
    let Some(stage) = installed("iced") else { return };
    commit(&stage, "first");
    let mut daemon = follow(&stage);
    let mark = stage.login.mark();

    let end = Timestamp::from_second(Timestamp::now().as_second() + 60).expect("a time");
    stage.fleet(&format!("  suspend: {{reason: a change of shift, until: {end}}}"));
    pools(&stage, 5, 3);
    let suspending = commit(&stage, "suspended, with a change");
    is_suspended(&stage, &mut daemon, "a change of shift");
    let pool = stage.get("iced", "nodepool", "iced-a");
    assert_eq!(pool["spec"]["replicas"], 2, "{pool}");

    has_replicas(&stage, "iced-a", 5);
    let written = written_since(&stage, mark);
    assert!(
        !written.is_empty() && written.iter().all(|at| *at >= end),
        "{written:?}"
    );
    assert_eq!(daemon.status()["revision"], suspending.to_string(), "by no commit");
    says(&stage, ".status.state", "InSync");
    assert!(cluster_sync(&stage)["status"]["suspension"].is_null());
    daemon.ends();
}

#[test]
fn an_environment_that_is_suspended_by_a_commit_waits_for_one_that_lifts_it_and_the_others_go_on() {
    let Some(stage) = installed("thawed") else { return };
    stage.place.write(
        "test.yaml",
        "---\nkind: Environment\nmetadata: {name: test}\nspec: {availability: single}\n",
    );
    let other = |nodes: u32| {
        let pool = format!("a: {{profile: general, replicas: {nodes}}}");
        let document = super::document("thawed-two", &[&pool]).replace("environment: dev", "environment: test");
        stage.place.write("clusters/thawed-two.yaml", &document);
    };
    other(2);
    stage.place.run(&["lock"]).exits(0);
    commit(&stage, "first");
    let mut daemon = follow(&stage);
    let mark = stage.login.mark();

    let fleet = FLEET.replace("NAME", "thawed").replace("MORE", "");
    let suspended = "{availability: single, suspend: {reason: an incident}}";
    let suspended = fleet.replace("{availability: single}", suspended);
    stage.place.write("fleet.yaml", &suspended);
    pools(&stage, 5, 3);
    other(6);
    commit(&stage, "dev is suspended, with changes");
    is_suspended(&stage, &mut daemon, "an incident");
    let scaled = "--for=jsonpath={.spec.replicas}=6";
    stage.kubectl(
        "thawed-two",
        &["wait", "nodepool", "thawed-two-a", scaled, "--timeout=120s"],
    );
    let writes = stage.writes_since(mark);
    assert!(
        !writes.iter().any(|write| write.ends_with("nodepools/thawed-a")),
        "{writes:?}"
    );
    let pool = stage.get("thawed", "nodepool", "thawed-a");
    assert_eq!(pool["spec"]["replicas"], 2, "{pool}");

    stage.place.write("fleet.yaml", &fleet);
    commit(&stage, "dev goes on");
    has_replicas(&stage, "thawed-a", 5);
    says(&stage, ".status.state", "InSync");
    daemon.ends();
}
