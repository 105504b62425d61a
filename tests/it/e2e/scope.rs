//! A run that is told which clusters are meant touches no other, whatever is the matter with those.

use super::Stage;

#[test]
fn a_run_for_one_cluster_neither_writes_nor_prunes_in_another() {
    let Some(stage) = Stage::of("scope", "", &["scope-one", "scope-two"]) else {
        return;
    };
    let mark = stage.login.mark();
    stage.run(&["apply", "--yes", "--cluster", "scope-one"]).exits(0);
    assert!(
        stage
            .writes_since(mark)
            .iter()
            .all(|write| !write.contains("scope-two"))
    );
    assert_eq!(stage.recorded().len(), 5);
    stage.run(&["apply", "--yes"]).exits(0);

    for cluster in ["scope-one", "scope-two"] {
        stage.cluster(cluster, &["b: {profile: general, replicas: 1}"]);
    }
    let mark = stage.login.mark();
    stage.run(&["apply", "--yes", "--cluster", "scope-two"]).exits(0);
    let mut writes = stage.writes_since(mark);
    writes.sort();
    assert_eq!(writes, ["delete nodepools/scope-two-a", "patch nodepools/scope-two-b"]);
    let mark = stage.login.mark();
    let unknown = stage.run(&["apply", "--yes", "--cluster", "scope-tow"]).exits(1);
    assert!(
        unknown.stderr.contains("did you mean `scope-two`?"),
        "{}",
        unknown.stderr
    );
    stage.run(&["apply", "--yes", "--provider", "oci"]).exits(0);
    assert_eq!(stage.writes_since(mark), Vec::<String>::new());
    stage
        .run(&["plan", "--detailed-exitcode", "--environment", "dev"])
        .exits(2);
}
