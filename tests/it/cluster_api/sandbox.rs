//! The example in the sandbox, whose stand-ins have its clusters become ready without machines.

use crate::cli::Workplace;
use crate::fleet_support::repository;

const SANDBOX: [&str; 4] = ["--sandbox", "box", "--speed", "2000"];

#[test]
fn clusters_of_machines_come_up_in_a_sandbox_and_are_then_as_they_should_be() {
    let place = Workplace::copy_of(&repository("examples/cluster-api"));
    let run = |args: &[&str]| place.run(&[args, &SANDBOX].concat());
    run(&["apply", "--yes", "--wait=60m"]).exits(0);
    let plan = run(&["plan", "--detailed-exitcode"]).exits(0);
    assert!(plan.stdout.starts_with("Nothing to do"), "{}", plan.stdout);
    let status = run(&["status", "-o", "json"]).exits(0).json();
    let clusters = status["clusters"].as_array().expect("clusters");
    assert!(clusters.len() > 10, "{status:#}");
    for cluster in clusters {
        assert_eq!(cluster["ready"], true, "{cluster:#}");
    }
}

#[test]
fn a_cluster_whose_class_is_not_there_waits_for_whoever_makes_it() {
    let place = Workplace::copy_of(&repository("examples/cluster-api"));
    let run = |args: &[&str]| place.run(&[args, &SANDBOX].concat());
    let file = place.fleet().join("clusters/cluster-class.yaml");
    let text = std::fs::read_to_string(file).expect("the cluster");
    place.write(
        "clusters/cluster-class.yaml",
        &text.replace("class: classes/", "class: elsewhere/"),
    );
    let scope = ["--cluster", "cluster-class"];
    let planned = run(&[&["plan"], &scope[..]].concat()).exits(1).stdout;
    let waits = "ClusterClass elsewhere/cluster-class-example";
    assert!(planned.contains(waits), "{planned}");
    run(&[&["apply", "--yes"], &scope[..]].concat()).exits(1);
    // Nothing was made of it but its namespace.
    let planned = run(&[&["plan"], &scope[..]].concat()).exits(1).stdout;
    assert!(
        planned.contains("Plan: 1 waiting; 1 unchanged") && planned.contains(waits),
        "{planned}"
    );
}
