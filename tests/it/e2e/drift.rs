//! What other clients do to our objects: shown with field, values, manager and time, and mended alone.

use super::{Stage, list};

#[test]
fn drift_is_shown_with_its_author_and_mended_alone() {
    let Some(stage) = Stage::of("drift", "", &["drift", "calm"]) else {
        return;
    };
    stage.run(&["apply", "--yes"]).exits(0);
    let edit = r#"{"spec":{"nodeDrainTimeout":"5m","replicas":9}}"#;
    stage.kubectl(
        "drift",
        &[
            "patch",
            "nodepool",
            "drift-a",
            "--type=merge",
            "-p",
            edit,
            "--field-manager=somebody",
        ],
    );
    stage.kubectl("drift", &["delete", "nodepool", "drift-b"]);
    stage.kubectl(
        "drift",
        &[
            "label",
            "hostedcluster",
            "drift",
            "fleetwright.dev/environment=prod",
            "theirs=stays",
            "--overwrite",
        ],
    );
    stage.kubectl("calm", &["scale", "nodepool", "calm-a", "--replicas=7"]);

    let scaled = stage.get("calm", "nodepool", "calm-a");
    let entry = list(&scaled["metadata"]["managedFields"])
        .iter()
        .find(|entry| entry["subresource"] == "scale");
    assert!(
        entry.expect("a record").get("time").is_none(),
        "API servers record no time here: {scaled}"
    );

    let planned = stage.run(&["plan", "--detailed-exitcode"]).exits(4);
    let says = |what: &str| assert!(planned.stdout.contains(what), "{what} is not in\n{}", planned.stdout);
    says(
        "~ NodePool clusters-drift/drift-a  drift: changed by someone else\n      ~ .spec.replicas: 9 → 2  was set by somebody, 20",
    );
    says("+ NodePool clusters-drift/drift-b  was deleted by someone else: made again");
    says("~ .metadata.labels.fleetwright.dev/environment: \"prod\" → \"dev\"  was set by kubectl-label, 20");
    says(
        "~ NodePool clusters-calm/calm-a  drift: changed by someone else\n      ~ .spec.replicas: 7 → 2  was set by kubectl, time not recorded",
    );
    says("Plan: 1 to create, 3 to update; 6 unchanged.");
    // What nobody asked of us is none of our business.
    assert!(
        !planned.stdout.contains("nodeDrainTimeout") && !planned.stdout.contains("theirs"),
        "{}",
        planned.stdout
    );

    let mark = stage.login.mark();
    stage.run(&["apply", "--yes"]).exits(0);
    let mut writes = stage.writes_since(mark);
    writes.sort();
    assert_eq!(
        writes,
        [
            "patch hostedclusters/drift",
            "patch nodepools/calm-a",
            "patch nodepools/drift-a",
            "patch nodepools/drift-b"
        ]
    );
    let mended = stage.get("drift", "nodepool", "drift-a");
    assert_eq!(
        (&mended["spec"]["replicas"], &mended["spec"]["nodeDrainTimeout"]),
        (&2.into(), &"5m".into())
    );
    assert_eq!(
        stage.get("drift", "hostedcluster", "drift")["metadata"]["labels"]["theirs"],
        "stays"
    );
    assert_eq!(stage.get("calm", "nodepool", "calm-a")["spec"]["replicas"], 2);
    stage.is_settled();
}

#[test]
fn an_edit_that_left_no_record_says_so() {
    let Some(stage) = Stage::new("record") else { return };
    stage.run(&["apply", "--yes"]).exits(0);
    let wipe = r#"[{"op":"replace","path":"/spec/replicas","value":9},
        {"op":"replace","path":"/metadata/managedFields","value":[{}]}]"#;
    stage.kubectl("record", &["patch", "nodepool", "record-a", "--type=json", "-p", wipe]);
    let planned = stage.run(&["plan", "--detailed-exitcode"]).exits(4);
    assert!(
        planned
            .stdout
            .contains("~ .spec.replicas: 9 → 2  by whom and when is not recorded"),
        "{}",
        planned.stdout
    );
    stage.run(&["apply", "--yes"]).exits(0);
    assert_eq!(stage.get("record", "nodepool", "record-a")["spec"]["replicas"], 2);
    stage.is_settled();
}

#[test]
fn an_object_whose_fleet_label_was_taken_off_is_found_and_mended() {
    let Some(stage) = Stage::new("unlabelled") else { return };
    stage.run(&["apply", "--yes"]).exits(0);
    let before = stage.uids("unlabelled");
    stage.kubectl(
        "unlabelled",
        &["label", "nodepool", "unlabelled-a", "fleetwright.dev/fleet-"],
    );
    let mark = stage.login.mark();
    let planned = stage.run(&["plan", "--detailed-exitcode"]).exits(4);
    assert!(
        planned.stdout.contains(
            "+ .metadata.labels.fleetwright.dev/fleet: \"unlabelled\"  was removed; by whom and when is not recorded"
        ),
        "{}",
        planned.stdout
    );
    let named: Vec<_> = stage
        .login
        .requests_since(mark)
        .into_iter()
        .filter(|(verb, path)| verb == "get" && path.contains("/nodepools/"))
        .collect();
    assert_eq!(
        named.len(),
        1,
        "only what the LIST lacks is looked up by name: {named:?}"
    );
    let mark = stage.login.mark();
    stage.run(&["apply", "--yes"]).exits(0);
    assert_eq!(stage.writes_since(mark), ["patch nodepools/unlabelled-a"]);
    assert_eq!(stage.uids("unlabelled"), before);
    stage.is_settled();
}

#[test]
fn a_secret_that_was_changed_shows_nothing_of_its_values() {
    let Some(stage) = Stage::new("masked") else { return };
    stage.run(&["apply", "--yes"]).exits(0);
    let base64 = "eyJhIjoiaHVudGVyMjIifQ==";
    let edit = format!(r#"{{"data":{{".dockerconfigjson":"{base64}"}}}}"#);
    stage.kubectl(
        "masked",
        &["patch", "secret", "pull-secret", "--type=merge", "-p", &edit],
    );
    let planned = stage.run(&["plan", "--detailed-exitcode"]).exits(4);
    let field = r#"~ .data..dockerconfigjson: "(sensitive)" → "(sensitive, changed)""#;
    assert!(
        planned.stdout.contains(field) && !planned.stdout.contains(base64),
        "{}",
        planned.stdout
    );
    stage.run(&["apply", "--yes"]).exits(0);
    stage.is_settled();

    // The source moves: the copy follows, and nobody is blamed for it.
    let edit = r#"{"stringData":{".dockerconfigjson":"{\"b\":\"hunter2\"}"}}"#;
    stage.login.kubectl(&[
        "patch",
        "secret",
        "pull-secret",
        "-n",
        "masked-source",
        "--type=merge",
        "-p",
        edit,
    ]);
    let planned = stage.run(&["plan", "--detailed-exitcode"]).exits(2);
    assert!(
        planned.stdout.contains("what it is copied from changed"),
        "{}",
        planned.stdout
    );
    stage.run(&["apply", "--yes"]).exits(0);
    let source = stage.login.get(&["secret", "pull-secret", "-n", "masked-source"]);
    assert_eq!(stage.get("masked", "secret", "pull-secret")["data"], source["data"]);
    stage.is_settled();
}

#[test]
fn an_object_that_is_being_deleted_is_waited_for_and_then_made_again() {
    let Some(stage) = Stage::new("going") else { return };
    stage.run(&["apply", "--yes"]).exits(0);
    let hold = |finalizers: &str| {
        let patch = format!(r#"{{"metadata":{{"finalizers":{finalizers}}}}}"#);
        stage.kubectl("going", &["patch", "nodepool", "going-a", "--type=merge", "-p", &patch]);
    };
    hold(r#"["fleetwright.test/hold"]"#);
    stage.is_settled();
    stage.kubectl("going", &["delete", "nodepool", "going-a", "--wait=false"]);
    let planned = stage.run(&["plan", "--detailed-exitcode"]).exits(4);
    let says = |what: &str| assert!(planned.stdout.contains(what), "{what} is not in\n{}", planned.stdout);
    says(
        "+ NodePool clusters-going/going-a  was deleted by someone else: made again\n      waits: it is still being deleted (since 20",
    );
    says("held by finalizers: fleetwright.test/hold");
    let mark = stage.login.mark();
    stage.run(&["apply", "--yes"]).exits(1);
    assert_eq!(stage.writes_since(mark), Vec::<String>::new());

    hold("null");
    assert!(!stage.is_there("going", "nodepool", "going-a"));
    stage.run(&["apply", "--yes"]).exits(0);
    assert!(stage.is_there("going", "nodepool", "going-a"));
    stage.is_settled();
}
