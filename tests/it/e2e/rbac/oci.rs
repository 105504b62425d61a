//! The rights of dialect `oci`: those of `none`, and what the identities of clusters on OCI take besides.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::lacking::{APPLY, Lacking};
use super::right::{Right, rights, takes_effect};
use super::{account, acting, print, server};
use crate::e2e::Stage;
use crate::e2e::daemon::Daemon;
use crate::e2e::wait::until;

/// The fleet's documents for a management cluster with an identity of the fleet's name, and more of them.
fn on_oci(stage: &Stage, identities: &[&str]) {
    let name = &stage.name;
    let path = stage.place.fleet().join("fleet.yaml");
    stage.fleet("  limits: {deletes: 100}");
    let fleet = std::fs::read_to_string(&path).expect("the fleet");
    let identities: Vec<String> = std::iter::once(name.as_str())
        .chain(identities.iter().copied())
        .map(|one| {
            format!("{one}: {{namespace: {name}-source, type: UserPrincipal, principalSecret: {name}-source/oci-user}}")
        })
        .collect();
    let identities = identities.join(", ");
    let changes = [
        (
            "workerSubnet: ocid1.subnet.oc1.iad.aaaa}".to_owned(),
            "workerSubnet: ocid1.subnet.oc1.iad.aaaa, endpointSubnet: ocid1.subnet.oc1.iad.bbbb}".to_owned(),
        ),
        (
            "    region: us-ashburn-1\n".to_owned(),
            format!(
                "    region: us-ashburn-1\n    tenancy: ocid1.tenancy.oc1..aaaa\n    compartment: ocid1.compartment.oc1..aaaa\n    \
                 identity: {name}\n"
            ),
        ),
        (
            "dialect: none, ".to_owned(),
            format!("dialect: oci, operatorVersion: \"4.20\", identities: {{{identities}}}, "),
        ),
    ];
    let fleet = changes.iter().fold(fleet, |fleet, (before, after)| {
        assert!(fleet.contains(before), "{before} is not in {fleet}");
        fleet.replacen(before, after, 1)
    });
    std::fs::write(path, fleet).expect("the fleet");
    stage.place.run(&["lock"]).exits(0);
}

/// A fleet of one cluster, and its rights while its dialect is `none`.
fn stage(name: &str) -> Option<(Stage, BTreeSet<Right>)> {
    let stage = Stage::on(server()?.login(), name, "  limits: {deletes: 100}", &[name]);
    let before = rights(&print(&stage, &[])).into_iter().collect();
    let source = format!("{name}-source");
    let key = [
        "create",
        "secret",
        "generic",
        "oci-user",
        "--from-literal=key=x",
        "-n",
        &source,
    ];
    stage.login.kubectl(&key);
    on_oci(&stage, &[]);
    Some((stage, before))
}

const IDENTITIES: &str = "ociclusteridentities";

#[test]
fn with_the_printed_rights_a_fleet_on_oci_is_applied_and_kept() {
    let Some((mut stage, _)) = stage("leastoci") else {
        return;
    };
    let admin = stage.login.clone();
    let printed = print(&stage, &["--service-account", "fleetwright-system/leastoci"]);
    assert!(!printed.contains('*'), "a right without bounds:\n{printed}");
    admin.kubectl_in(&["apply", "-f", "-"], &printed);
    let login = account(&stage, "fleetwright-system", "leastoci");
    let has: Vec<(Value, bool)> = rights(&printed)
        .iter()
        .map(|right| (right.question(&login.user), true))
        .collect();
    takes_effect(&admin, &has);
    let mut daemon = acting(&mut stage, &login.kubeconfig, |stage| {
        stage.run(&["plan"]).exits(0);
        stage.run(APPLY).exits(0);
        stage.is_settled();
        Daemon::start(stage, &[])
    });
    daemon.says(&["every unit has been looked at"]);
    assert_eq!(daemon.status()["notFollowed"], json!({}), "{}", daemon.status());
    let platform = stage.get("leastoci", "hostedcluster", "leastoci")["spec"]["platform"]["type"].clone();
    assert_eq!(platform, "OCI");
    let identity = ["ociclusteridentity", "leastoci", "-n", "leastoci-source"];
    let uid = || {
        let seen = admin.try_kubectl(
            &[&["get", "-o", "jsonpath={.metadata.uid}"][..], &identity].concat(),
            "",
        );
        String::from_utf8(seen.stdout).expect("UTF-8")
    };
    let before = uid();
    admin.kubectl(&[&["delete"][..], &identity].concat());
    until("the identity is made again", || {
        (!uid().is_empty() && uid() != before).then_some(())
    });
    daemon.ends();
    acting(&mut stage, &login.kubeconfig, |stage| stage.is_settled());
}

#[test]
fn without_any_one_of_those_that_oci_takes_something_fails() {
    let Some((stage, before)) = stage("lackingoci") else {
        return;
    };
    let all: BTreeSet<Right> = rights(&print(&stage, &[])).into_iter().collect();
    assert!(before.is_subset(&all), "{:#?}", before.difference(&all));
    let mut lacking = Lacking::new(stage, |right| !before.contains(right));
    let looks = |right: &Right| {
        let reads = right.verb == "get" || right.verb == "list";
        reads && (right.resource == IDENTITIES || right.resource.starts_with('/'))
    };
    lacking.miss(&["plan"], looks, |_| {});
    let without_identity = |stage: &Stage| {
        let source = format!("{}-source", stage.name);
        stage
            .login
            .try_kubectl(&["delete", IDENTITIES, "--all", "-n", &source], "");
    };
    let writes = |right: &Right| right.is(IDENTITIES, "create") || right.is(IDENTITIES, "patch");
    lacking.miss(APPLY, writes, without_identity);
    lacking.miss(
        APPLY,
        |right| right.is(IDENTITIES, "delete"),
        |stage| {
            on_oci(stage, &["another"]);
            stage.run(APPLY).exits(0);
            on_oci(stage, &[]);
        },
    );
    let words = ["a watch ended", IDENTITIES, "403"];
    lacking.daemon_says(&words, |right| right.is(IDENTITIES, "watch"), |_| {}, |_, _| {});
    let rest = lacking.rest();
    assert!(rest.is_empty(), "rights that no call needs: {rest:?}");
}
