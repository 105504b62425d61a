//! A plan that is kept, somebody who interferes, and an apply that does nothing then: by its exit, and by what the server saw.

use super::{Stage, namespace};

/// Somebody's doing between the plan and its apply: kubectl's arguments, each time in the cluster's namespace.
type Doing = &'static [&'static [&'static str]];

const INTERFERENCES: [(&str, Doing, &str); 4] = [
    (
        "an edit of the field",
        &[&[
            "patch",
            "nodepool",
            "stale-a",
            "--type=merge",
            "-p",
            r#"{"spec":{"replicas":7}}"#,
        ]],
        "stale-a: .spec.replicas was changed since",
    ),
    (
        "a delete",
        &[&["delete", "nodepool", "stale-a"]],
        "stale-a: it was there, and is gone",
    ),
    (
        "a label of ours taken off",
        &[&["label", "nodepool", "stale-b", "fleetwright.dev/fleet-"]],
        "stale-b: it was as it should be, and is not now",
    ),
    (
        "another value in a copied Secret",
        &[&[
            "patch",
            "secret",
            "pull-secret",
            "--type=merge",
            "-p",
            r#"{"data":{".dockerconfigjson":"e30="}}"#,
        ]],
        "pull-secret: it was as it should be, and is not now",
    ),
];

#[test]
fn what_somebody_moved_since_is_not_written_over() {
    let Some(stage) = Stage::new("stale") else { return };
    stage.run(&["apply", "--yes"]).exits(0);
    let kept = stage.place.path().join("kept.plan");
    let kept = kept.to_str().expect("a path in UTF-8");
    for (replicas, (what, doing, said)) in (4..).zip(INTERFERENCES) {
        let a = format!("a: {{profile: general, replicas: {replicas}}}");
        stage.cluster("stale", &[&a, "b: {profile: general, replicas: 3}"]);
        stage.run(&["plan", "--out", kept]).exits(0);
        for args in doing {
            stage.kubectl("stale", args);
        }
        let mark = stage.login.mark();
        let refused = stage.run(&["apply", kept]).exits(3);
        assert!(refused.stderr.contains(said), "{what}: {}", refused.stderr);
        assert!(
            refused.stderr.contains("nothing was changed"),
            "{what}: {}",
            refused.stderr
        );
        assert_eq!(stage.writes_since(mark), Vec::<String>::new(), "{what}");
        // What they moved is mended by a plan of its own.
        stage.run(&["apply", "--yes"]).exits(0);
    }
    // And one that is in time is taken.
    stage.cluster(
        "stale",
        &["a: {profile: general}", "b: {profile: general, replicas: 3}"],
    );
    stage.run(&["plan", "--out", kept]).exits(0);
    let mark = stage.login.mark();
    stage.run(&["apply", kept]).exits(0);
    assert_eq!(stage.writes_since(mark), ["patch nodepools/stale-a"]);
    let pool = stage.get("stale", "nodepool", "stale-a");
    assert_eq!(pool["metadata"]["namespace"], namespace("stale"));
    assert_eq!(pool["spec"]["replicas"], 2);
}

#[test]
fn a_secret_that_moved_between_is_noticed_though_nothing_of_it_is_kept() {
    let Some(stage) = Stage::new("stalecopy") else { return };
    stage.run(&["apply", "--yes"]).exits(0);
    let kept = stage.place.path().join("kept.plan");
    let kept = kept.to_str().expect("a path in UTF-8");
    let copy = |value: &str| {
        let patch = format!(r#"{{"data":{{".dockerconfigjson":"{value}"}}}}"#);
        stage.kubectl(
            "stalecopy",
            &["patch", "secret", "pull-secret", "--type=merge", "-p", &patch],
        );
    };
    let source = |value: &str| {
        let patch = format!(r#"{{"data":{{".dockerconfigjson":"{value}"}}}}"#);
        let args = [
            "patch",
            "secret",
            "pull-secret",
            "-n",
            "stalecopy-source",
            "--type=merge",
            "-p",
            &patch,
        ];
        stage.login.kubectl(&args);
    };
    let refused = |said: &str| {
        let mark = stage.login.mark();
        let refused = stage.run(&["apply", kept]).exits(3);
        assert!(refused.stderr.contains(said), "{}", refused.stderr);
        assert_eq!(stage.writes_since(mark), Vec::<String>::new());
    };
    copy("eyJhIjoxfQ==");
    stage.run(&["plan", "--out", kept]).exits(0);
    copy("eyJhIjoyfQ==");
    refused("pull-secret: it was changed since");
    stage.run(&["plan", "--out", kept]).exits(0);
    source("eyJhIjozfQ==");
    refused("pull-secret: what it is copied from was changed since");
    stage.run(&["plan", "--out", kept]).exits(0);
    stage.run(&["apply", kept]).exits(0);
    let live = stage.get("stalecopy", "secret", "pull-secret");
    assert_eq!(live["data"][".dockerconfigjson"], "eyJhIjozfQ==");
}
