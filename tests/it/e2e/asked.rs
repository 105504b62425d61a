//! `reconcile` of a whole fleet that several daemons share: it is answered once each of them has done its part.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Stage;
use super::lease::{Replica, wish};
use super::wait::until;

const CLUSTERS: [&str; 6] = ["heeded", "heeded-b", "heeded-c", "heeded-d", "heeded-e", "heeded-f"];

/// So long that nobody looks at the files of himself, and somebody who is stopped holds its Lease for a while.
const SHARED: [&str; 6] = ["--replicas", "sharded", "--lease-duration", "5s", "--poll", "1h"];

/// Asks for everything to be looked at, and fails where it is answered before all clusters have what their files say.
#[track_caller]
fn asks(stage: &Stage, replicas: usize, meanwhile: impl FnOnce()) {
    let other = ["b: {profile: general, replicas: 3}".to_owned()];
    for cluster in CLUSTERS {
        wish(stage, cluster, replicas, &other);
    }
    let asked = stage
        .place
        .command(&stage.args(&["reconcile"]))
        .spawn()
        .expect("a start");
    meanwhile();
    let ended = asked.wait_with_output().expect("an end");
    let wanted: BTreeMap<&str, i64> = CLUSTERS.into_iter().map(|cluster| (cluster, replicas as i64)).collect();
    let has = |cluster: &str| {
        let pool = stage.get(cluster, "nodepool", &format!("{cluster}-a"));
        pool["spec"]["replicas"].as_i64().unwrap_or_default()
    };
    let there: BTreeMap<&str, i64> = CLUSTERS.into_iter().map(|cluster| (cluster, has(cluster))).collect();
    assert!(ended.status.success(), "{ended:?}");
    assert_eq!(there, wanted, "it was answered before all was looked at");
}

/// Waits until each of them has some of the units, and all are in sync.
#[track_caller]
fn share(replicas: &[&Replica]) {
    until("each has a share of the units, and all are in sync", || {
        let all: Vec<BTreeMap<String, String>> = replicas.iter().map(|replica| replica.units()).collect();
        let count: usize = all.iter().map(BTreeMap::len).sum();
        let in_sync = all.iter().flat_map(BTreeMap::values).all(|state| state == "inSync");
        let shared = all
            .iter()
            .all(|share| share.keys().any(|unit| unit.starts_with("cluster ")));
        (shared && count == CLUSTERS.len() + 1 && in_sync).then_some(())
    });
}

/// The request that was answered last.
fn answered(stage: &Stage) -> Value {
    let fleet = stage
        .login
        .get(&["fleetstatus", "heeded", "-n", super::sync::NAMESPACE]);
    fleet["status"]["lastHandledReconcileAt"].clone()
}

#[test]
fn the_whole_fleet_is_looked_at_when_each_has_looked_at_its_share() {
    let Some(stage) = Stage::of("heeded", "", &CLUSTERS) else {
        return;
    };
    super::sync::with_crds(&stage);
    let one = Replica::start(&stage, "one", &SHARED);
    let other = Replica::start(&stage, "other", &SHARED);
    share(&[&one, &other]);
    asks(&stage, 4, || {});
    let first = answered(&stage);
    assert!(first.is_string(), "{first}");

    // Whichever tells of the fleet: what one who does not move has is looked at once it is another's.
    for (replicas, stopped) in [(5, &one), (6, &other)] {
        stopped.signal("-STOP");
        asks(&stage, replicas, || {});
        stopped.signal("-CONT");
        share(&[&one, &other]);
    }

    // One that is told to end gives its share to whoever is left.
    asks(&stage, 7, || other.ends());
    asks(&stage, 8, || {});
    let third = Replica::start(&stage, "third", &SHARED);
    share(&[&one, &third]);
    asks(&stage, 9, || {});
    assert_ne!(answered(&stage), first);
    third.ends();
    one.ends();
}
