//! A management cluster that does not answer: what is placed on others goes on.

use serde_json::{Value, json};

use super::{SELDOM, in_sync, measures, wish};
use crate::e2e::Stage;
use crate::e2e::daemon::{Daemon, has_replicas};
use crate::e2e::wait::until;

const OTHER: &str = "
kind: ManagementCluster
metadata: {name: other}
spec: {region: us-ashburn-1, context: other, dialect: none, nodePortAddress: api.other.example}
---
kind: Cluster
metadata: {name: lost}
spec: {environment: dev, managementCluster: other, pools: [general]}
";

/// A kubeconfig with one context more, of a server that nobody is.
fn kubeconfig(stage: &Stage) -> String {
    let text = std::fs::read_to_string(&stage.login.kubeconfig).expect("the kubeconfig");
    let mut config: Value = serde_yaml::from_str(&text).expect("YAML");
    let more = json!({
        "clusters": {"name": "other", "cluster": {"server": "https://127.0.0.1:1"}},
        "users": {"name": "other", "user": {"token": "x"}},
        "contexts": {"name": "other", "context": {"cluster": "other", "user": "other"}},
    });
    for (list, entry) in more.as_object().expect("lists") {
        config[list].as_array_mut().expect("a list").push(entry.clone());
    }
    let path = stage.place.path().join("both.kubeconfig");
    std::fs::write(&path, config.to_string()).expect("a kubeconfig");
    path.to_str().expect("a path in UTF-8").to_owned()
}

#[test]
fn one_that_does_not_answer_holds_up_its_own_clusters_and_no_other() {
    let Some(stage) = Stage::new("reached") else { return };
    stage.run(&["apply", "--yes"]).exits(0);
    stage.place.write("other.yaml", OTHER);
    stage.cluster("fresh", &["a: {profile: general}"]);
    let fresh = std::fs::read_to_string(stage.place.fleet().join("clusters/fresh.yaml")).expect("the file");
    let placed = fresh.replace("spec:\n", "spec:\n  managementCluster: m\n");
    stage.place.write("clusters/fresh.yaml", &placed);
    stage.place.run(&["lock"]).exits(0);
    let both = kubeconfig(&stage);
    let daemon = [
        "daemon",
        "--listen",
        "127.0.0.1:0",
        "--verbose",
        "--poll",
        "1s",
        "--kubeconfig",
        &both,
    ];
    let mut daemon = Daemon::run(stage.place.command(&[&daemon[..], &SELDOM].concat()));
    in_sync(&stage, &mut daemon);
    let error = |unit: &str| {
        until("both are looked at", || {
            let status = daemon.status();
            status["units"][unit]["error"].as_str().map(str::to_owned)
        })
    };
    assert!(error("cluster lost").contains("other"));
    // It was never seen, and may be recorded there.
    assert!(error("cluster fresh").contains("may be recorded on other"));
    assert!(!stage.is_there("fresh", "hostedcluster", "fresh"));
    // What nobody has looked at is not told as suspended, nor as looked at.
    let status = daemon.status();
    for unit in ["cluster lost", "cluster fresh"] {
        assert_ne!(status["units"][unit]["state"]["state"], "suspended", "{status}");
    }
    assert_eq!(status["caughtUp"], false, "{status}");
    assert_eq!(daemon.get("/readyz").0, 503);
    assert!(measures(
        &daemon,
        r#"fleetwright_unit_in_sync{kind="cluster",name="lost"} 0"#
    ));

    wish(&stage, 5, 3);
    has_replicas(&stage, "reached-a", 5);
    in_sync(&stage, &mut daemon);
    daemon.ends();
}

#[test]
fn one_that_cannot_be_connected_to_costs_the_others_neither_leases_nor_watches() {
    let Some(stage) = Stage::new("bereft") else { return };
    stage.run(&["apply", "--yes"]).exits(0);
    stage.place.write("other.yaml", OTHER);
    stage.place.run(&["lock"]).exits(0);
    // Its kubeconfig has no context `other`.
    let mut daemon = Daemon::start(&stage, &[&SELDOM[..], &["--replicas", "standby"]].concat());
    in_sync(&stage, &mut daemon);
    let status = until("it says how it stands on both", || {
        let status = daemon.status();
        (status["leases"]["m"]["standing"] == "leads" && status["leases"]["other"].is_object()).then_some(status)
    });
    let said = |value: &Value| value.as_str().is_some_and(|said| said.contains("`other`"));
    assert_eq!(status["leases"]["other"]["standing"], "fails", "{status}");
    assert!(said(&status["leases"]["other"]["error"]), "{status}");
    assert!(said(&status["notFollowed"]["other"]), "{status}");
    assert_eq!(status["caughtUp"], false, "{status}");
    let unread = r#"fleetwright_hostedclusters_last_success_timestamp_seconds{management_cluster="other"}"#;
    until("availability is told of the one, and missed of the other", || {
        let metrics = daemon.get("/metrics").1;
        let told = r#"hypershift_hostedcluster_available{management_cluster="m","#;
        (metrics.contains(told) && metrics.contains(unread)).then_some(())
    });

    stage.kubectl("bereft", &["scale", "nodepool", "bereft-a", "--replicas=9"]);
    has_replicas(&stage, "bereft-a", 2);
    wish(&stage, 5, 3);
    has_replicas(&stage, "bereft-a", 5);
    stage.kubectl("bereft", &["scale", "nodepool", "bereft-b", "--replicas=9"]);
    has_replicas(&stage, "bereft-b", 3);
    let said = daemon.ends();
    let times = said.matches("live objects are not followed").count();
    assert_eq!(times, 1, "it is tried at every look, and said once");
}
