//! The whole way, once.

use super::Stage;

#[test]
fn a_fleet_is_planned_applied_and_then_as_it_should_be() {
    let Some(stage) = Stage::new("whole") else { return };
    let planned = stage.run(&["plan", "--detailed-exitcode"]).exits(2);
    assert!(
        planned.stdout.contains("HostedCluster clusters-whole/whole"),
        "{}",
        planned.stdout
    );
    stage.run(&["apply", "--yes"]).exits(0);
    let live = stage.get("whole", "hostedcluster", "whole");
    assert_eq!(live["spec"]["platform"]["type"], "None");
    let copied = stage.get("whole", "secret", "pull-secret");
    assert_eq!(copied["type"], "kubernetes.io/dockerconfigjson");
    stage.is_settled();

    let recorded = stage.recorded();
    assert_eq!(recorded.len(), 5, "{recorded:?}");
    for (object, uid) in stage.uids("whole") {
        assert_eq!(recorded[&object].as_ref(), Some(&uid), "{object}");
    }
}
