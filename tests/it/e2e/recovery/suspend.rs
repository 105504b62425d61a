//! A suspension, or a revert, that comes while a cluster is being written.

use super::{SELDOM, in_sync};
use crate::e2e::daemon::Daemon;
use crate::e2e::sync::installed;
use crate::e2e::wait::until;
use crate::e2e::{FLEET, Stage};
use crate::support::Holding;

const POOLS: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

fn wish(stage: &Stage, replicas: u32) {
    let pools = POOLS.map(|pool| format!("{pool}: {{profile: general, replicas: {replicas}}}"));
    stage.cluster(&stage.name, &pools.each_ref().map(String::as_str));
}

/// Pools that have so many nodes in their specs.
fn with_replicas(stage: &Stage, replicas: u32) -> usize {
    let pools = POOLS.map(|pool| stage.get(&stage.name, "nodepool", &format!("{}-{pool}", stage.name)));
    pools.iter().filter(|pool| pool["spec"]["replicas"] == replicas).count()
}

/// Has a daemon write a commit, one pool after the other; suspends while the first of these writes is under way.
fn while_it_is_written(stage: &Stage, suspend: impl Fn(), resume: impl Fn()) {
    wish(stage, 2);
    let mut daemon = Daemon::start(stage, &[&SELDOM[..], &["--concurrency", "1"]].concat());
    in_sync(stage, &mut daemon);
    let namespace = format!("clusters-{}", stage.name);
    let holding = Holding::updates(&stage.login, &namespace, "hypershift.openshift.io", "nodepools");
    let pool = format!("{}-a", stage.name);
    until("the webhook is asked", || {
        stage.kubectl(&stage.name, &["annotate", "nodepool", &pool, "x=y", "--dry-run=server"]);
        (holding.dry_runs() > 0).then_some(())
    });
    wish(stage, 7);
    until("the first write is under way", || (holding.writes() > 0).then_some(()));
    suspend();
    daemon.says(&["begins nothing more"]);
    holding.let_go();
    daemon.says(&[
        "looked at",
        &format!("cluster {}", stage.name),
        "suspended",
        "5 changes wait",
    ]);
    assert_eq!(holding.writes(), 1);
    assert_eq!((with_replicas(stage, 7), with_replicas(stage, 2)), (1, 5));
    resume();
    until("all of it is written", || (with_replicas(stage, 7) == 6).then_some(()));
    holding.remove(&stage.login);
    daemon.ends();
}

#[test]
fn who_suspends_by_annotation_while_a_cluster_is_written_sees_no_further_write_begin() {
    let Some(stage) = installed("broken") else { return };
    while_it_is_written(
        &stage,
        || drop(stage.run(&["suspend", "broken", "--reason", "an incident"]).exits(0)),
        || drop(stage.run(&["resume", "broken"]).exits(0)),
    );
}

#[test]
fn who_suspends_by_commit_while_a_cluster_is_written_sees_no_further_write_begin() {
    let Some(stage) = Stage::new("stalled") else { return };
    let fleet = FLEET.replace("NAME", "stalled").replace("MORE", "");
    let suspended = "{availability: single, suspend: {reason: an incident}}";
    while_it_is_written(
        &stage,
        || {
            let fleet = fleet.replace("{availability: single}", suspended);
            stage.place.write("fleet.yaml", &fleet);
        },
        || stage.place.write("fleet.yaml", &fleet),
    );
}

#[test]
fn who_reverts_a_commit_while_it_is_written_sees_no_further_write_of_it_begin() {
    let Some(stage) = Stage::new("reverted") else { return };
    wish(&stage, 2);
    let mut daemon = Daemon::start(&stage, &[&SELDOM[..], &["--concurrency", "1"]].concat());
    in_sync(&stage, &mut daemon);
    let holding = Holding::updates(
        &stage.login,
        "clusters-reverted",
        "hypershift.openshift.io",
        "nodepools",
    );
    until("the webhook is asked", || {
        stage.kubectl(
            "reverted",
            &["annotate", "nodepool", "reverted-a", "x=y", "--dry-run=server"],
        );
        (holding.dry_runs() > 0).then_some(())
    });
    wish(&stage, 7);
    until("the first write is under way", || (holding.writes() > 0).then_some(()));
    wish(&stage, 2);
    daemon.says(&["begins nothing more"]);
    holding.let_go();
    in_sync(&stage, &mut daemon);
    assert_eq!(with_replicas(&stage, 2), 6);
    assert_eq!(holding.writes(), 2, "one was under way, and is taken back");
    holding.remove(&stage.login);
    daemon.ends();
}
