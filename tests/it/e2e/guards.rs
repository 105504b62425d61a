//! What is refused although it was asked for, and what is said about the way out.

use super::Stage;

/// Applies, which is refused by a guard, and changes nothing.
#[track_caller]
fn is_refused(stage: &Stage, guard: &str, why: &[&str]) {
    let mark = stage.login.mark();
    let refused = stage.run(&["apply", "--yes"]).exits(3);
    for words in [&[&*format!("refused ({guard}): ")], why].concat() {
        assert!(refused.stdout.contains(words), "no `{words}` in\n{}", refused.stdout);
    }
    assert!(refused.stderr.contains("nothing was changed"), "{}", refused.stderr);
    assert_eq!(stage.writes_since(mark), Vec::<String>::new());
}

/// A Fleet document that sets this by a raw patch of the HostedCluster.
fn patched(stage: &Stage, patch: &str) {
    stage.fleet(&format!("    hostedCluster: {patch}"));
}

#[test]
fn what_is_fixed_at_creation_is_not_changed() {
    let Some(stage) = Stage::new("fixed") else { return };
    patched(&stage, "{networking: {serviceNetwork: [{cidr: 172.30.0.0/16}]}}");
    stage.run(&["apply", "--yes"]).exits(0);
    let before = stage.uids("fixed");

    patched(&stage, "{networking: {serviceNetwork: [{cidr: 172.29.0.0/16}]}}");
    is_refused(
        &stage,
        "immutable",
        &[
            "HostedCluster clusters-fixed/fixed can't be changed in place: .spec.networking.serviceNetwork",
            "put the old value back",
            "or make a cluster of another name and decommission this one",
        ],
    );
    // The server has its own rule about this one, the guard comes first.
    patched(
        &stage,
        "{networking: {serviceNetwork: [{cidr: 172.30.0.0/16}]}, olmCatalogPlacement: guest}",
    );
    is_refused(
        &stage,
        "immutable",
        &["can't be changed in place: .spec.olmCatalogPlacement"],
    );

    // The way out that the text names.
    patched(&stage, "{networking: {serviceNetwork: [{cidr: 172.30.0.0/16}]}}");
    stage.is_settled();
    assert_eq!(stage.uids("fixed"), before);
}

#[test]
fn a_control_plane_leaves_out_no_minor_version_and_never_goes_down() {
    let Some(stage) = Stage::new("steps") else { return };
    stage.run(&["apply", "--yes"]).exits(0);
    let versions = |version: &str| {
        let path = stage.place.fleet().join("fleet.yaml");
        let text = std::fs::read_to_string(&path).expect("the Fleet document");
        let from = text
            .lines()
            .find(|line| line.contains("version: 4."))
            .expect("a version");
        std::fs::write(path, text.replace(from, &format!("    version: {version}"))).expect("a file");
    };
    versions("4.21.0");
    is_refused(
        &stage,
        "release-step",
        &[
            "would go from 4.19.12 to 4.21.0, leaving out a minor version",
            "one minor version at a time",
        ],
    );
    versions("4.18.20");
    is_refused(
        &stage,
        "release-step",
        &["would go down from 4.19.12 to 4.18.20", "put the version back"],
    );
    versions("4.20.3");
    stage.run(&["apply", "--yes"]).exits(0);
    let image = stage.get("steps", "hostedcluster", "steps")["spec"]["release"]["image"].clone();
    assert!(image.as_str().is_some_and(|image| image.contains("4.20.3")), "{image}");
    stage.is_settled();
}

#[test]
fn no_run_and_no_day_disrupts_more_nodes_than_the_cap() {
    let Some(stage) = Stage::of("nodes", "  limits: {disruptedNodes: 2}", &["nodes"]) else {
        return;
    };
    stage.run(&["apply", "--yes"]).exits(0);
    // Pool a has two nodes, pool b three.
    let both = || {
        stage.cluster(
            "nodes",
            &[
                "a: {profile: general, config: [kubelet]}",
                "b: {profile: general, replicas: 3, config: [kubelet]}",
            ],
        );
    };
    both();
    is_refused(
        &stage,
        "node-cap",
        &[
            "this would replace, update or take away 5 nodes; the cap is 2",
            "raise limits.disruptedNodes in the Fleet document",
        ],
    );
    let json = stage.run(&["plan", "-o", "json"]).exits(3).json();
    assert_eq!(json["refusals"][0]["guard"], "node-cap", "{json}");
    let comment = stage.run(&["plan", "-o", "markdown"]).exits(3).stdout;
    assert!(comment.contains("**Refused** (`node-cap`)"), "{comment}");

    // One pool is within it; the other is not, the same day.
    stage.cluster(
        "nodes",
        &[
            "a: {profile: general, config: [kubelet]}",
            "b: {profile: general, replicas: 3}",
        ],
    );
    stage.run(&["apply", "--yes"]).exits(0);
    stage.fleet("  limits: {disruptedNodes: 4}");
    both();
    is_refused(
        &stage,
        "daily-node-cap",
        &["within 24 hours", "its cap, 4", "wait until a day has passed"],
    );
    stage.fleet("  limits: {disruptedNodes: 5}");
    stage.run(&["apply", "--yes"]).exits(0);
    stage.is_settled();
}

#[test]
fn what_is_protected_outlives_the_commit_that_takes_it_away() {
    let Some(stage) = Stage::of("kept-on", "    protectUntil: 2099-12-31T00:00:00Z", &["kept-on"]) else {
        return;
    };
    stage.run(&["apply", "--yes"]).exits(0);
    let document = std::fs::read_to_string(stage.place.fleet().join("clusters/kept-on.yaml")).expect("the cluster");
    let take_away = |more: &str| {
        stage.fleet(&format!(
            "{more}\n  limits: {{deletes: 50}}\n  decommission: [{{cluster: kept-on, reason: gone}}]"
        ));
        stage.place.run(&["lock"]).exits(0);
    };
    let why = [
        "cluster kept-on is protected until 2099-12-31T00:00:00Z",
        "put it back with an earlier `protectUntil`",
    ];
    stage.without_cluster("kept-on");
    take_away("    protectUntil: 2099-12-31T00:00:00Z");
    is_refused(&stage, "protect-until", &why);
    // The protection and the cluster in one commit.
    take_away("");
    is_refused(&stage, "protect-until", &why);

    // The way that the text names: what is lifted first is remembered without any other change.
    stage.fleet("");
    stage.place.write("clusters/kept-on.yaml", &document);
    stage.place.run(&["lock"]).exits(0);
    let applied = stage.run(&["apply", "--yes"]).exits(0);
    assert!(applied.stdout.contains("Nothing to do"), "{}", applied.stdout);
    stage.without_cluster("kept-on");
    take_away("");
    let planned = stage.run(&["plan"]).exits(0).stdout;
    assert!(
        !planned.contains("refused") && planned.contains("to delete"),
        "{planned}"
    );
}
