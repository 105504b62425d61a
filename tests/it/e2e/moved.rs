//! Names may change, objects may not.

use super::Stage;

#[test]
fn a_renamed_cluster_keeps_its_objects_with_a_record_and_is_refused_without() {
    let Some(stage) = Stage::new("oldname") else { return };
    stage.run(&["apply", "--yes"]).exits(0);
    let before = stage.uids("oldname");
    let pools = ["a: {profile: general}", "b: {profile: general, replicas: 3}"];
    stage.without_cluster("oldname");
    stage.cluster("newname", &pools);

    let mark = stage.login.mark();
    let refused = stage.run(&["plan"]).exits(3);
    stage.run(&["apply", "--yes"]).exits(1);
    assert!(
        refused
            .stdout
            .contains("if it was renamed, put fleet.lock back as it was before that"),
        "{}",
        refused.stdout
    );
    assert_eq!(stage.writes_since(mark), Vec::<String>::new());

    stage.place.write(
        "moved.yaml",
        "kind: Moved\nspec: [{from: cluster/oldname, to: cluster/newname}]\n",
    );
    stage.place.run(&["lock"]).exits(0);
    let planned = stage.planned();
    assert!(planned.iter().all(|(action, _)| action == "update"), "{planned:?}");
    stage.run(&["apply", "--yes"]).exits(0);
    assert_eq!(stage.uids("oldname"), before);
    let live = stage.get("oldname", "nodepool", "oldname-a");
    assert_eq!(live["metadata"]["labels"]["fleetwright.dev/cluster"], "newname");
    stage.is_settled();

    // The record follows the new name: a pool that goes is pruned, and no record of the old name is left.
    stage.cluster("newname", &pools[1..]);
    stage.run(&["apply", "--yes"]).exits(0);
    assert!(!stage.is_there("oldname", "nodepool", "oldname-a"));
    let units: Vec<_> = stage
        .inventories()
        .iter()
        .map(|inventory| inventory["unit"]["name"].clone())
        .collect();
    assert_eq!(units, ["newname"]);
    stage.is_settled();
}
