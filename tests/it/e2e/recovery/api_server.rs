//! The API server is killed and comes back, or forgets what was.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use fleetwright::providers::kubernetes::{KubernetesProvider, Options};
use fleetwright::sync::Read;

use super::{SELDOM, in_sync, measures, unit, wish};
use crate::e2e::Stage;
use crate::e2e::daemon::{Daemon, has_replicas};
use crate::e2e::sync::install;
use crate::e2e::wait::until;
use crate::support::{ApiServer, Login, Mark};

/// A stage on a server of its own, with the CRDs; and somebody else there.
fn stage(name: &str) -> Option<(ApiServer, Stage, Login)> {
    let server = ApiServer::start()?;
    let stage = Stage::on(server.login(), name, "", &[name]);
    install(&stage);
    let other = server.login();
    Some((server, stage, other))
}

/// Waits until the daemon follows everything, and has nothing to do.
#[track_caller]
fn is_calm(stage: &Stage, daemon: &Daemon, since: Mark) {
    until("it follows everything", || {
        let sent = stage.login.requests_since(since);
        let follows = |what: &&str| sent.iter().any(|(verb, path)| verb == "watch" && path.contains(*what));
        let kinds = ["/namespaces?", "/hostedclusters?", "/nodepools?", "/clustersyncs?"];
        kinds.iter().all(follows).then_some(())
    });
    until("it has nothing to do", || {
        let idle = ["fleetwright_queue_length 0", "fleetwright_units_under_way 0"];
        idle.iter().all(|line| measures(daemon, line)).then_some(())
    });
}

fn scale(by: &Login, cluster: &str, pool: &str, replicas: u32) {
    let (namespace, replicas) = (format!("clusters-{cluster}"), format!("--replicas={replicas}"));
    by.kubectl(&["scale", "nodepool", pool, &replicas, "-n", &namespace]);
}

#[test]
fn while_the_api_server_is_away_nothing_is_known_and_after_it_everything_is_put_right() {
    let Some((mut server, stage, other)) = stage("outage") else {
        return;
    };
    let begun = stage.login.mark();
    let mut daemon = Daemon::start(&stage, &SELDOM);
    in_sync(&stage, &mut daemon);
    is_calm(&stage, &daemon, begun);
    let before = stage.uids("outage");
    let mark = stage.login.mark();

    server.stop();
    wish(&stage, 5, 3);
    daemon.says(&["can't be brought in sync", "cluster outage"]);
    let told = unit(&stage, &daemon);
    assert!(
        told["state"].is_null() && told["error"].is_string(),
        "unknown is no state: {told}"
    );
    let lines = [
        r#"fleetwright_unit_in_sync{kind="cluster",name="outage"} 0"#,
        r#"fleetwright_units{kind="cluster",state="failed"} 1"#,
    ];
    for line in lines {
        assert!(measures(&daemon, line), "{line}: {}", daemon.get("/metrics").1);
    }
    until("it says that nothing is followed", || {
        let followed = daemon.status()["notFollowed"].clone();
        followed.as_object().filter(|all| !all.is_empty()).map(drop)
    });
    // It has looked at everything once, and to take webhooks and probes from it would bring no server back.
    assert_eq!((daemon.get("/livez").0, daemon.get("/readyz").0), (200, 200));

    server.start_again();
    scale(&other, "outage", "outage-b", 9);
    has_replicas(&stage, "outage-a", 5);
    has_replicas(&stage, "outage-b", 3);
    in_sync(&stage, &mut daemon);
    assert_eq!(stage.uids("outage"), before, "nothing was made again");
    let mut writes = stage.writes_since(mark);
    writes.retain(|write| !write.starts_with("watch "));
    assert!(writes.iter().all(|write| write.starts_with("patch ")), "{writes:?}");
    until("it says that all is followed again", || {
        let followed = daemon.status()["notFollowed"].clone();
        followed.as_object().filter(|all| all.is_empty()).map(drop)
    });
    // What happens from now on is heard of again.
    scale(&other, "outage", "outage-a", 8);
    has_replicas(&stage, "outage-a", 5);
    daemon.ends();
}

#[test]
fn one_who_starts_while_the_api_server_is_away_is_not_ready_says_why_and_begins_when_it_is_back() {
    let Some((mut server, stage, _)) = stage("early") else {
        return;
    };
    server.stop();
    let mut daemon = Daemon::start(&stage, &SELDOM);
    daemon.says(&["can't be brought in sync", "cluster early"]);
    let (code, why) = daemon.get("/readyz");
    assert_eq!(code, 503, "{why}");
    assert!(why.contains("not every unit has been looked at yet: "), "{why}");
    assert!(why.contains("inventories on m can't be read"), "{why}");
    assert_eq!(daemon.get("/livez").0, 200);
    server.start_again();
    in_sync(&stage, &mut daemon);
    until("it is ready", || (daemon.get("/readyz").0 == 200).then_some(()));
    has_replicas(&stage, "early-b", 3);
    daemon.ends();
}

#[test]
fn a_watch_from_before_a_compaction_begins_anew_and_finds_what_happened_meanwhile() {
    let Some((mut server, stage, other)) = stage("compacted") else {
        return;
    };
    // With what is sent: of a watch that begins anew nobody else needs to know.
    let begun = stage.login.mark();
    let mut daemon = Daemon::start(&stage, &[&SELDOM[..], &["--verbose"]].concat());
    in_sync(&stage, &mut daemon);
    is_calm(&stage, &daemon, begun);
    // Its watches are broken off, and it does nothing about it until all this has happened.
    server.stop();
    daemon.signal("-STOP");
    server.start_again();
    scale(&other, "compacted", "compacted-a", 9);
    for n in 0..8 {
        let name = format!("filler-{n}");
        other.kubectl(&["create", "configmap", &name, "-n", "default"]);
    }
    server.compact();
    // What the server has in memory goes too.
    server.stop();
    server.start_again();
    let mark = server.mark();
    daemon.signal("-CONT");
    daemon.says(&["a watch ended", "NodePool", "has forgotten the state"]);
    has_replicas(&stage, "compacted-a", 2);
    let watches: Vec<String> = server
        .requests_since(mark)
        .into_iter()
        .filter(|sent| sent.path.contains("/nodepools?"))
        .filter(|sent| sent.user == stage.login.user)
        .map(|sent| sent.verb)
        .collect();
    // It tries to go on where it was, and lists once it is told that there is no going on from there.
    assert_eq!(watches[0], "watch", "{watches:?}");
    assert!(watches.contains(&"list".to_owned()), "{watches:?}");
    daemon.ends();
}

#[test]
fn who_resumes_after_an_outage_is_heard_although_nobody_heard_it_end() {
    let Some((mut server, stage, _)) = stage("resumed") else {
        return;
    };
    // Whoever is not heard at once is heard by the next regular look.
    let mut daemon = Daemon::start(&stage, &["--resync", "1m"]);
    in_sync(&stage, &mut daemon);
    stage.run(&["suspend", "resumed", "--reason", "an incident"]).exits(0);
    daemon.says(&["looked at", "cluster resumed", "suspended"]);
    // Who tells has heard of it too by then.
    let told = [
        "wait",
        "clustersync",
        "resumed.resumed",
        "--for=jsonpath={.status.state}=Suspended",
        "--timeout=120s",
    ];
    stage
        .login
        .kubectl(&[&told[..], &["-n", "fleetwright-system"]].concat());
    server.stop();
    wish(&stage, 5, 3);
    // Neither who looks nor who tells gets an answer, in whichever order.
    let mut awaited = vec![
        "can't be brought in sync",
        "ClusterSync and FleetStatus are not written",
    ];
    while !awaited.is_empty() {
        let line = daemon.says(&[]);
        awaited.retain(|words| !line.contains(words));
    }
    server.start_again();
    daemon.says(&["looked at", "cluster resumed", "suspended"]);
    stage.run(&["resume", "resumed"]).exits(0);
    has_replicas(&stage, "resumed-a", 5);
    in_sync(&stage, &mut daemon);
    daemon.ends();
}

#[test]
fn a_server_that_is_still_starting_is_not_taken_for_one_without_suspensions() {
    let Some((mut server, stage, _)) = stage("starting") else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    // Each with a connection of its own, as somebody who begins just then.
    let ask = async |kubeconfig: &Path| -> Option<Read> {
        let provider = KubernetesProvider::connect(&[kubeconfig], "test", Options::default()).await;
        let provider = provider.ok()?;
        provider.discover_anew().await.ok()?;
        Some(provider.read_syncs().await)
    };
    for _ in 0..3 {
        server.stop();
        let is_up = AtomicBool::new(false);
        let kubeconfig = &stage.login.kubeconfig;
        let read = std::thread::scope(|scope| {
            let asked = scope.spawn(|| {
                let mut all = Vec::new();
                loop {
                    let is_last = is_up.load(Ordering::Relaxed);
                    all.extend(runtime.block_on(ask(kubeconfig)));
                    if is_last {
                        return all;
                    }
                }
            });
            server.start_again();
            is_up.store(true, Ordering::Relaxed);
            asked.join().expect("answers")
        });
        assert!(read.last().is_some_and(|one| one.known().is_some()), "{read:?}");
        let is_lacking = |one: &Read| *one == Read::NotInstalled;
        assert!(!read.iter().any(is_lacking), "{read:?}");
    }
}
