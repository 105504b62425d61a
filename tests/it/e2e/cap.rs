//! Several daemons that share a fleet delete no more together than it may in a day.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use fleetwright::resource::Digest;

use super::daemon::{Daemon, commit};
use super::lease::Replica;
use super::wait::until;
use super::{Stage, document, list};

/// Clusters that a commit takes out.
const REMOVED: usize = 50;
/// Those of them that may go: more than one of five has to look after, so that no single run is refused for being too large.
const CAP: usize = 25;

#[test]
fn five_daemons_and_a_commit_that_removes_fifty_clusters_delete_no_more_than_the_cap() {
    let Some(stage) = Stage::of("fifty", "", &["fifty"]) else {
        return;
    };
    super::sync::install(&stage);
    let names: Vec<String> = (0..REMOVED).map(|n| format!("fifty-{n:02}")).collect();
    for name in &names {
        let text = document(name, &["a: {profile: general}"]);
        stage.place.write(&format!("clusters/{name}.yaml"), &text);
    }
    stage.place.run(&["lock"]).exits(0);
    stage.run(&["apply", "--yes"]).exits(0);
    let living = || {
        let all = ["hostedclusters", "-A", "-l", "fleetwright.dev/fleet=fifty"];
        list(&stage.login.get(&all)["items"]).len()
    };
    assert_eq!(living(), REMOVED + 1);

    let sharded = ["--replicas", "sharded", "--lease-duration", "5s"];
    let replicas = ["v", "w", "x", "y", "z"].map(|name| Replica::start(&stage, name, &sharded));
    let states = || -> Vec<BTreeMap<String, String>> { replicas.iter().map(Replica::units).collect() };
    until("each has a share of the units, and all are in sync", || {
        let states = states();
        let count: usize = states.iter().map(BTreeMap::len).sum();
        let in_sync = states.iter().flat_map(BTreeMap::values).all(|state| state == "inSync");
        let shared = states.iter().all(|share| !share.is_empty());
        (shared && count == REMOVED + 2 && in_sync).then_some(())
    });

    for name in &names {
        stage.without_cluster(name);
    }
    let mut gone = String::new();
    for name in &names {
        write!(gone, "{{cluster: {name}, reason: a test}}, ").expect("memory");
    }
    stage.fleet(&format!("  limits: {{deletes: {CAP}}}\n  decommission: [{gone}]"));
    stage.place.run(&["lock"]).exits(0);
    let count_refused = |replicas: &[Replica]| -> usize {
        let states = replicas.iter().flat_map(|replica| replica.units().into_values());
        states.filter(|state| state == "refused").count()
    };
    until("what may go is gone, and the rest is refused", || {
        let left = living() - 1;
        (left < REMOVED && count_refused(&replicas) == left).then_some(())
    });
    assert_eq!(living() - 1, REMOVED - CAP);
    // Who begins anew has deleted nothing yet, and is no more generous for that.
    let mut replicas = replicas;
    replicas[0].signal("-KILL");
    replicas[0] = Replica::start(&stage, "another", &sharded);
    until("the units of the one that is gone are looked at again", || {
        let is_at_work = !replicas[0].units().is_empty();
        (is_at_work && count_refused(&replicas) == REMOVED - CAP).then_some(())
    });
    assert_eq!(living() - 1, REMOVED - CAP);
    for replica in replicas {
        replica.ends();
    }
}

#[test]
fn a_ledger_that_cannot_be_used_holds_back_what_it_counts_and_nothing_else() {
    let Some(stage) = Stage::of("uncounted", "", &["uncounted", "uncounted-b"]) else {
        return;
    };
    let pool = |name: &str, replicas: u32| format!("{name}: {{profile: general, replicas: {replicas}}}");
    for cluster in ["uncounted", "uncounted-b"] {
        stage.cluster(cluster, &[&pool("a", 2), &pool("b", 2)]);
    }
    commit(&stage, "first");
    let url = format!("file://{}", stage.place.fleet().display());
    let daemon = Daemon::start(&stage, &["--git", &url]);
    let unit = |daemon: &Daemon, name: &str| daemon.status()["units"][format!("cluster {name}")].clone();
    until("both are in sync", || {
        let is_in_sync = |name: &&str| unit(&daemon, name)["state"] == "inSync";
        ["uncounted", "uncounted-b"].iter().all(is_in_sync).then_some(())
    });

    let uid = Digest::of(stage.uid().as_bytes()).to_hex();
    let ledger = format!("deletes-{}", &uid[..20]);
    let there = ["-n", "fleetwright-system"];
    let nonsense = ["create", "configmap", &ledger, "--from-literal=is=nonsense"];
    stage.login.kubectl(&[&nonsense[..], &there].concat());
    // One commit, and so one look: something goes in one of them.
    stage.cluster("uncounted", &[&pool("a", 5)]);
    stage.cluster("uncounted-b", &[&pool("a", 7), &pool("b", 2)]);
    commit(&stage, "second");
    until("what does not go is made in both", || {
        let pools = [("uncounted", 5), ("uncounted-b", 7)];
        let have = |(cluster, replicas): &(&str, u32)| {
            stage.get(cluster, "nodepool", &format!("{cluster}-a"))["spec"]["replicas"] == *replicas
        };
        (pools.iter().all(have) && unit(&daemon, "uncounted-b")["state"] == "inSync").then_some(())
    });
    let said = until("it is said why the delete waits", || {
        let said = unit(&daemon, "uncounted");
        said["error"].is_string().then_some(said)
    });
    assert!(
        said["error"]
            .to_string()
            .contains("the ledger of deletes on m can't be used"),
        "{said}"
    );
    assert!(unit(&daemon, "uncounted-b")["error"].is_null());
    stage.kubectl("uncounted", &["get", "nodepool", "uncounted-b"]);

    stage
        .login
        .kubectl(&[&["delete", "configmap", &ledger][..], &there].concat());
    let gone = ["wait", "nodepool", "uncounted-b", "--for=delete", "--timeout=120s"];
    stage.kubectl("uncounted", &gone);
    daemon.ends();
}
