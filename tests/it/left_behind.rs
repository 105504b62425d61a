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

/// Lets go of a cluster of the demo fleet; its document is taken out.
fn without(place: &Workplace, cluster: &str, file: &str) {
    let whole = std::fs::read_to_string(place.fleet().join(file)).expect("the file");
    let is_it = |document: &&str| document.contains(&format!("metadata: {{name: {cluster}}}"));
    let kept: Vec<&str> = whole.split("---\n").filter(|document| !is_it(document)).collect();
    assert!(kept.len() < whole.split("---\n").count(), "{cluster} is in {file}");
    place.write(file, &kept.join("---\n"));
    let list = format!("  decommission: [{{cluster: {cluster}, reason: over}}]\n  limits: {{deletes: 60}}\n");
    edit(place, "fleet.yaml", "  limits: {deletes: 2}\n", &list);
    place.run(&["lock"]).exits(0);
}

/// The address of its NAT gateway is the fleet's own, and is held until that has gone.
#[test]
fn a_cluster_with_a_reserved_address_goes_with_all_of_its_network() {
    let place = committed();
    place.run(&["apply", "--sandbox", "--yes", "--quiet"]).exits(0);
    without(&place, "search", "clusters/prod.yaml");
    let ran = place.run(&["apply", "--sandbox", "--yes", "--wait"]);
    assert!(!ran.stdout.contains("failed"), "{}{}", ran.stdout, ran.stderr);
    ran.exits(0);
    let ran = place.run(&["plan", "--sandbox"]).exits(0);
    assert!(!ran.stdout.contains("search-nat"), "{}", ran.stdout);
}

/// Of a network that a control plane can't move to, its pools are kept out, also where the rest goes ahead.
#[test]
fn pools_do_not_move_to_a_network_without_their_control_plane() {
    let place = committed();
    place.run(&["apply", "--sandbox", "--yes", "--quiet"]).exits(0);
    let networks = std::fs::read_to_string(place.fleet().join("networks.yaml")).expect("the file");
    let shared = networks
        .split("---\n")
        .find(|document| document.contains("name: iad-shared"))
        .expect("the network");
    place.write("more.yaml", &shared.replace("iad-shared", "iad-two"));
    let stage = std::fs::read_to_string(place.fleet().join("clusters/stage.yaml")).expect("the file");
    assert!(stage.contains("orders-stage: {"), "{stage}");
    place.write(
        "clusters/stage.yaml",
        &stage.replace("orders-stage: {", "orders-stage: {network: {shared: iad-two}, "),
    );
    place.run(&["lock"]).exits(0);
    let plan = place.run(&["plan", "--sandbox", "-o", "json"]).exits(3).json();
    let changes = plan["changes"].as_array().expect("changes").iter();
    let of_cluster: Vec<_> = changes
        .filter(|change| change["unit"]["name"] == "orders-stage")
        .collect();
    assert!(
        of_cluster.iter().any(|change| change["object"]["kind"] == "NodePool"),
        "{plan}"
    );
    for change in of_cluster {
        assert_eq!(
            change["waits"][0]["message"], "refused by the guard `immutable`",
            "{change}"
        );
    }
}

#[test]
fn a_secret_that_a_refused_control_plane_still_uses_stays() {
    let place = committed();
    place.run(&["apply", "--sandbox", "--yes", "--quiet"]).exits(0);
    edit(&place, "fleet.yaml", "fleetwright/ssh-key}", "fleetwright/ssh-key2}");
    edit(
        &place,
        "fleet.yaml",
        "limits: {deletes: 2}",
        "limits: {deletes: 2, disruptedNodes: 2}",
    );
    let ran = place.run(&["plan", "--sandbox", "--cluster", "batch"]).exits(3);
    let waits = "waits: it goes after HostedCluster clusters-batch/batch, which waits itself";
    assert!(ran.stdout.contains(waits), "{}", ran.stdout);
    let ran = place.run(&["apply", "--sandbox", "--yes", "--keep-going", "--cluster", "batch"]);
    assert!(
        ran.stderr.contains("created Secret clusters-batch/ssh-key2"),
        "{}",
        ran.stderr
    );
    assert!(!ran.stderr.contains("deleted"), "{}", ran.stderr);
    // Once it may, it lets go of it, and then that goes.
    edit(&place, "fleet.yaml", "disruptedNodes: 2", "disruptedNodes: 100");
    let ran = place
        .run(&["apply", "--sandbox", "--yes", "--cluster", "batch"])
        .exits(0);
    let at = |part: &str| {
        ran.stderr
            .find(part)
            .unwrap_or_else(|| panic!("{part}: {}", ran.stderr))
    };
    assert!(at("updated HostedCluster clusters-batch/batch") < at("deleted Secret clusters-batch/ssh-key"));
}
