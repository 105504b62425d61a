//! What leaves the files in a way by which it could be forgotten: a management cluster, and what is let go of beforehand.

use crate::cli::Workplace;
use crate::plan_against::{commit_as, committed, edit};

/// Takes a management cluster of the demo fleet out, and all that is on it.
fn without_fra(place: &Workplace) {
    place.remove("management/fra-1.yaml");
    place.remove("clusters/payments.yaml");
    let ledger = "---\nkind: Cluster\nmetadata: {name: ledger}";
    let whole = std::fs::read_to_string(place.fleet().join("clusters/prod.yaml")).expect("the file");
    let at = whole.find(ledger).expect("the cluster");
    let end = whole[at + 4..]
        .find("\n---")
        .map_or(whole.len(), |next| at + 4 + next + 1);
    place.write("clusters/prod.yaml", &format!("{}{}", &whole[..at], &whole[end..]));
    let whole = std::fs::read_to_string(place.fleet().join("networks.yaml")).expect("the file");
    let kept = whole
        .split("---\n")
        .filter(|document| !document.contains("name: fra-ledger"));
    place.write("networks.yaml", &kept.collect::<Vec<_>>().join("---\n"));
}

#[test]
fn a_management_cluster_does_not_leave_without_a_word() {
    let place = committed();
    place.run(&["apply", "--sandbox", "--yes", "--quiet"]).exits(0);
    without_fra(&place);
    place.write("moved.yaml", "# nothing\n");
    let ran = place.run(&["validate"]).exits(1);
    let said = [
        "error[FW0309]: management cluster `fra-1` is no longer in the files, where fleet.lock has ledger, payments",
        "decommission: [{management: fra-1, reason: …}]",
    ];
    for part in said {
        assert!(ran.stderr.contains(part), "{}", ran.stderr);
    }
    // Neither does the lock forget it, however often it is written; nor do a plan and an apply say that all is well.
    place.run(&["lock"]);
    place.run(&["plan", "--sandbox"]).exits(1);
    let ran = place.run(&["apply", "--sandbox", "--yes"]).exits(1);
    assert!(ran.stderr.contains("FW0309"), "{}", ran.stderr);

    let list = "decommission: [{management: fra-1, reason: sold}]";
    edit(
        &place,
        "fleet.yaml",
        "metadata: {name: acme}\nspec:\n",
        &format!("metadata: {{name: acme}}\nspec:\n  {list}\n"),
    );
    place.run(&["validate"]).exits(0);
    place.run(&["lock"]).exits(0);
    let lock = std::fs::read_to_string(place.fleet().join("fleet.lock/fleet.yaml")).expect("the lock");
    assert!(lock.contains("iad-1") && !lock.contains("fra-1"), "{lock}");
    place.run(&["plan", "--sandbox"]).exits(0);
    // What a pull request would say: nothing there is deleted.
    commit_as(&place, "fra-1 is sold");
    let ran = place.run(&["plan", "--against", "git:HEAD~1"]).exits(0);
    let stays = "x Vcn payments  stays as it is: the files let go of its management cluster";
    for part in [stays, "x HostedCluster clusters-payments/payments  the same\n"] {
        assert!(ran.stdout.contains(part), "{}", ran.stdout);
    }
    assert!(!ran.stdout.contains("to delete"), "{}", ran.stdout);
}

#[test]
fn what_is_let_go_of_and_still_there_is_warned_of() {
    let place = committed();
    edit(
        &place,
        "fleet.yaml",
        "metadata: {name: acme}\nspec:\n",
        "metadata: {name: acme}\nspec:\n  decommission:\n    - {cluster: team-b, reason: soon}\n    - {cluster: gone, reason: done}\n",
    );
    let ran = place.run(&["validate"]).exits(0);
    let said = "warning[FW0310]: cluster team-b is listed under `decommission`, and is still in the files";
    assert!(ran.stderr.contains(said), "{}", ran.stderr);
    assert!(!ran.stderr.contains("cluster gone"), "{}", ran.stderr);
}
