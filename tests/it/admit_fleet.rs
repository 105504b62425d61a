//! What API servers would refuse, found in the files of a fleet: by `validate`, and by `plan` against the live objects.

use std::fs;
use std::path::Path;

use crate::cli::{Ran, Workplace};

/// A fleet as `init` writes it, its lock written.
fn fleet() -> Workplace {
    let place = Workplace::new(&[]);
    place.run(&["init", "fleet"]).exits(0);
    place.run(&["lock"]).exits(0);
    place
}

/// The same with definitions of its kinds.
fn with_definitions() -> Workplace {
    let place = fleet();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/crds");
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let text = fs::read_to_string(entry.path()).unwrap();
        place.write(&format!("schemas/{}", entry.file_name().to_string_lossy()), &text);
    }
    place
}

const CLUSTER: &str = "clusters/first.yaml";

/// Adds lines to the cluster's spec; gives the number of the first of them.
fn add(place: &Workplace, lines: &str) -> usize {
    let path = place.fleet().join(CLUSTER);
    let text = fs::read_to_string(&path).unwrap();
    place.write(CLUSTER, &format!("{text}{lines}"));
    text.lines().count() + 1
}

fn problem(ran: &Ran) -> serde_json::Value {
    let json = ran.json();
    let all = json["diagnostics"].as_array().unwrap();
    let found: Vec<_> = all.iter().filter(|problem| problem["code"] == "FW0606").collect();
    assert_eq!(found.len(), 1, "{json}");
    found[0].clone()
}

#[test]
fn kinds_without_a_definition_are_named() {
    let ran = fleet().run(&["validate"]).exits(0);
    for part in [
        "HostedCluster, NodePool (no definition below schemas/",
        "Namespace, Secret (Kubernetes' own)",
    ] {
        assert!(ran.stderr.contains(part), "{}", ran.stderr);
    }
    let ran = with_definitions().run(&["validate"]).exits(0);
    assert!(!ran.stderr.contains("HostedCluster"), "{}", ran.stderr);
    let json = with_definitions().run(&["validate", "-o", "json"]).exits(0).json();
    let kinds: Vec<_> = json["notChecked"]
        .as_array()
        .unwrap()
        .iter()
        .map(|kind| kind["kind"].clone())
        .collect();
    assert_eq!(kinds, ["Namespace", "Secret"]);
}

#[test]
fn what_a_server_would_refuse_is_shown_where_it_was_typed() {
    let place = with_definitions();
    let line = add(&place, "  hostedCluster:\n    olmCatalogPlacement: nowhere\n");
    let ran = place.run(&["validate", "-o", "json"]).exits(1);
    let found = problem(&ran);
    assert_eq!(
        (&found["file"], found["line"].as_u64()),
        (&CLUSTER.into(), Some(line as u64 + 1))
    );
    assert_eq!(found["column"], 26);
    let message = found["message"].as_str().unwrap();
    assert!(
        message.starts_with(
            "the API server would refuse this HostedCluster: spec.olmCatalogPlacement: Unsupported value: \"nowhere\""
        ),
        "{message}"
    );
    assert!(
        found["hints"][0].as_str().unwrap().contains("fleetwright explain"),
        "{found}"
    );
    let text = place.run(&["validate"]).exits(1);
    assert!(text.stderr.contains("error[FW0606]"), "{}", text.stderr);
    // A plan of all that would be made refuses it too.
    let plan = place.run(&["plan", "--against", "nothing"]).exits(3);
    assert!(
        plan.stderr.contains("error[FW0606]") && plan.stdout.contains("admission"),
        "{}",
        plan.stdout
    );
}

#[test]
fn a_wrong_value_of_a_pools_patch_is_found_in_its_profile() {
    let place = with_definitions();
    let pools = fs::read_to_string(place.fleet().join("pools.yaml")).unwrap();
    let patched = pools.replace(
        "replicas: 2}",
        "replicas: 2, nodePool: {management: {upgradeType: Sideways}}}",
    );
    assert_ne!(pools, patched);
    place.write("pools.yaml", &patched);
    let found = problem(&place.run(&["validate", "-o", "json"]).exits(1));
    assert_eq!(found["file"], "pools.yaml");
    assert!(
        found["message"]
            .as_str()
            .unwrap()
            .contains("spec.management.upgradeType: Unsupported value: \"Sideways\""),
        "{found}"
    );
}

#[test]
fn definitions_that_are_no_good_are_said() {
    let place = with_definitions();
    place.write(
        "schemas/other.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n",
    );
    let ran = place.run(&["validate"]).exits(1);
    assert!(
        ran.stderr.contains("error[FW0607]") && ran.stderr.contains("schemas/other.yaml:1:1"),
        "{}",
        ran.stderr
    );
    // Others can be taken in their place.
    let good = format!("{}/schemas/crds", env!("CARGO_MANIFEST_DIR"));
    place.remove("schemas/other.yaml");
    place.run(&["validate", "--schemas", &good]).exits(0);
    place.run(&["validate", "--schemas", "nowhere"]).exits(1);
}

#[test]
fn a_branch_is_judged_by_what_it_would_change_without_a_cluster() {
    let place = with_definitions();
    let base = Workplace::copy_of(&place.fleet());
    let before = base.fleet();
    let line = add(&place, "  hostedCluster:\n    olmCatalogPlacement: guest\n");
    place.run(&["validate"]).exits(0);
    let against = before.to_str().unwrap();
    let ran = place.run(&["plan", "--against", against, "-o", "json"]).exits(3);
    let found = problem(&ran);
    assert_eq!(found["line"].as_u64(), Some(line as u64 + 1));
    assert!(
        found["message"]
            .as_str()
            .unwrap()
            .contains("olmCatalogPlacement is immutable"),
        "{found}"
    );
    // What is merely new is no change of what was.
    let other = Workplace::copy_of(&before);
    let cluster = fs::read_to_string(other.fleet().join(CLUSTER)).unwrap();
    other.write(
        "clusters/second.yaml",
        &cluster
            .replace("{name: first}", "{name: second}")
            .replace("10.0.64.0/20", "10.1.64.0/20"),
    );
    other.run(&["plan", "--against", against]).exits(0);
}

#[test]
fn a_change_that_a_rule_forbids_is_refused_before_the_merge() {
    let place = fleet();
    place.run(&["apply", "--sandbox", "--yes"]).exits(0);
    let pulled = place.run(&["schemas", "pull", "--sandbox"]).exits(0);
    assert_eq!(
        pulled.stdout.lines().collect::<Vec<_>>(),
        [
            "schemas/management-1/hostedcluster.hypershift.openshift.io.yaml",
            "schemas/management-1/nodepool.hypershift.openshift.io.yaml"
        ]
    );
    let again = place.run(&["schemas", "pull", "--sandbox"]).exits(0);
    assert!(again.stderr.contains("0 written, 2 unchanged"), "{}", again.stderr);
    place.run(&["plan", "--sandbox"]).exits(0);
    place.run(&["validate"]).exits(0);

    // Each value is good by itself: only the live object tells.
    let line = add(&place, "  hostedCluster:\n    olmCatalogPlacement: guest\n");
    place.run(&["validate"]).exits(0);
    let ran = place.run(&["plan", "--sandbox", "-o", "json"]).exits(3);
    let found = problem(&ran);
    assert_eq!(
        (&found["file"], found["line"].as_u64()),
        (&CLUSTER.into(), Some(line as u64 + 1))
    );
    assert!(found["message"].as_str().unwrap().contains("immutable"), "{found}");
    let refusals = ran.json()["refusals"].clone();
    let guards: Vec<_> = refusals
        .as_array()
        .unwrap()
        .iter()
        .map(|refusal| refusal["guard"].clone())
        .collect();
    assert!(guards.contains(&"admission".into()), "{guards:?}");
    place.run(&["apply", "--sandbox", "--yes"]).exits(3);
}

/// As the help of `admit` says it.
#[test]
fn what_render_writes_is_admitted_with_what_is_known_only_later() {
    let place = Workplace::copy_of(&crate::fleet_support::repository("fleet"));
    let rendered = place.run(&["render"]).exits(0).stdout;
    assert!(rendered.contains("$ref"), "nothing to stand in for");
    place.write("rendered.txt", &rendered);
    let crds = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/crds");
    let file = place.path().join("rendered.yaml");
    fs::rename(place.fleet().join("rendered.txt"), &file).unwrap();
    let args = ["admit", "--crd", crds.to_str().unwrap(), file.to_str().unwrap()];
    let ran = place.run(&args);
    assert!(!ran.stdout.contains("rejected"), "{}", ran.stdout);
    ran.exits(0);
}
