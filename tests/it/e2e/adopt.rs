//! A fleet that other tools made before: taken over only when told, and then wholly.

use std::collections::BTreeMap;

use serde::Deserialize as _;
use serde_json::{Value, json};

use super::{Stage, namespace, text};

const POOLS: [&str; 3] = [
    "a: {profile: general, nodeLabels: {keep: this, drop: that}}",
    "b: {profile: general, nodeLabels: {keep: this, drop: that}}",
    "c: {profile: general, nodeLabels: {keep: this, drop: that}}",
];

/// The documents that another tool would have had for the same fleet: without what says that we made them.
fn documents(stage: &Stage) -> BTreeMap<String, Value> {
    let rendered = stage.place.run(&["render"]).exits(0);
    serde_yaml::Deserializer::from_str(&rendered.stdout)
        .map(|document| Value::deserialize(document).expect("a document"))
        .map(|mut document| {
            let metadata = document["metadata"].as_object_mut().expect("metadata");
            metadata.remove("annotations");
            metadata.insert("labels".to_owned(), json!({"made-by": "others"}));
            (
                format!("{}/{}", text(&document["kind"]), text(&document["metadata"]["name"])),
                document,
            )
        })
        .collect()
}

#[test]
fn what_kubectl_helm_and_flux_made_is_adopted_and_a_line_removed_in_git_is_removed_live() {
    let Some(stage) = Stage::of("adopted", "", &["adopted"]) else {
        return;
    };
    stage.cluster("adopted", &POOLS);
    let theirs = documents(&stage);
    let send = |args: &[&str], object: &str| drop(stage.login.kubectl_in(args, &theirs[object].to_string()));
    let client_side = ["apply", "-f", "-"];
    let helm = ["create", "--field-manager=helm", "-f", "-"];
    let flux = [
        "apply",
        "--server-side",
        "--field-manager=kustomize-controller",
        "-f",
        "-",
    ];
    send(&client_side, "Namespace/clusters-adopted");
    send(&flux, "HostedCluster/adopted");
    send(&client_side, "NodePool/adopted-a");
    send(&helm, "NodePool/adopted-b");
    send(&flux, "NodePool/adopted-c");
    let before = stage.uids("adopted");

    let planned = stage.run(&["plan"]).exits(3);
    assert!(
        planned
            .stdout
            .contains("@ HostedCluster clusters-adopted/adopted  exists, made by someone else")
            && planned
                .stdout
                .contains("@ NodePool clusters-adopted/adopted-a  the same\n"),
        "{}",
        planned.stdout
    );
    assert!(
        planned.stdout.contains("refused (adoption): 5 objects exist already"),
        "{}",
        planned.stdout
    );
    let mark = stage.login.mark();
    stage.run(&["apply", "--yes"]).exits(3);
    assert_eq!(stage.writes_since(mark), Vec::<String>::new());

    stage.run(&["apply", "--yes", "--adopt"]).exits(0);
    let after = stage.uids("adopted");
    assert!(
        before.iter().all(|(object, uid)| after[object] == *uid),
        "{before:?} {after:?}"
    );
    stage.is_settled();
    // What only they wanted stays theirs.
    assert_eq!(
        stage.get("adopted", "nodepool", "adopted-a")["metadata"]["labels"]["made-by"],
        "others"
    );

    stage.cluster(
        "adopted",
        &POOLS
            .map(|pool| pool.strip_suffix(", drop: that}}").expect("pools").to_owned() + "}}")
            .each_ref()
            .map(String::as_str),
    );
    stage.run(&["apply", "--yes"]).exits(0);
    for pool in ["adopted-a", "adopted-b", "adopted-c"] {
        assert_eq!(
            stage.get("adopted", "nodepool", pool)["spec"]["nodeLabels"],
            json!({"keep": "this"}),
            "{pool}"
        );
    }
    stage.is_settled();
    assert!(stage.recorded().values().all(Option::is_some), "{:?}", stage.recorded());
}

#[test]
fn a_found_object_that_differs_shows_how_before_it_is_taken_over() {
    let Some(stage) = Stage::new("found") else { return };
    let mut theirs = documents(&stage);
    let pool = theirs.get_mut("NodePool/found-a").expect("a pool");
    pool["spec"]["replicas"] = json!(6);
    stage.login.kubectl(&["create", "namespace", &namespace("found")]);
    stage.login.kubectl_in(&["apply", "-f", "-"], &pool.to_string());
    let planned = stage.run(&["plan", "--adopt", "--detailed-exitcode"]).exits(2);
    assert!(
        planned
            .stdout
            .contains("~ .spec.replicas: 6 → 2  was set by kubectl-client-side-apply, 20"),
        "{}",
        planned.stdout
    );
    stage.run(&["apply", "--yes", "--adopt"]).exits(0);
    assert_eq!(stage.get("found", "nodepool", "found-a")["spec"]["replicas"], 2);
    stage.is_settled();
}

#[test]
fn what_a_backup_restored_is_ours_again() {
    let Some(stage) = Stage::new("restored") else { return };
    stage.run(&["apply", "--yes"]).exits(0);
    let mut backup = stage.get("restored", "nodepool", "restored-a");
    stage.kubectl("restored", &["delete", "nodepool", "restored-a"]);
    let metadata = backup["metadata"].as_object_mut().expect("metadata");
    metadata.retain(|key, _| ["name", "namespace", "labels", "annotations"].contains(&key.as_str()));
    stage.login.kubectl_in(
        &["create", "--field-manager=velero-server", "-f", "-"],
        &backup.to_string(),
    );
    let planned = stage.run(&["plan", "--detailed-exitcode"]).exits(4);
    assert!(
        planned.stdout.contains("nothing but who owns its fields"),
        "{}",
        planned.stdout
    );
    stage.run(&["apply", "--yes"]).exits(0);
    stage.is_settled();
    let uids = stage.uids("restored");
    assert_eq!(
        stage.recorded()["NodePool/restored-a"].as_ref(),
        Some(&uids["NodePool/restored-a"])
    );
}
