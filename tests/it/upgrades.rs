//! Upgrades that take steps, as people and programs see them: in a plan, in a comment, and by an apply that waits.

use std::fs;

use serde_json::json;

use crate::cli::Workplace;
use crate::e2e::form::problems;
use crate::plan_against::{commit_as, committed, edit};

const SANDBOX: [&str; 4] = ["--sandbox", "box", "--speed", "2000"];

#[test]
fn an_apply_that_waits_takes_one_step_after_the_other() {
    let place = Workplace::new(&[]);
    place.run(&["init", "fleet"]).exits(0);
    let fleet = fs::read_to_string(place.fleet().join("fleet.yaml")).unwrap();
    let wants = |version: &str| {
        let changed = fleet.replace("    version: 4.20.3\n", &format!("    version: {version}\n"));
        assert!(changed.contains(version), "{fleet}");
        place.write("fleet.yaml", &changed);
    };
    let run = |args: &[&str], code: i32| place.run(&[args, &SANDBOX].concat()).exits(code);
    wants("4.18.20");
    place.run(&["lock"]).exits(0);
    run(&["apply", "--yes", "--wait=5m"], 0);

    wants("4.20.3");
    let refused = run(&["apply", "--yes"], 3).stdout;
    assert!(refused.contains("refused (release-step): "), "{refused}");
    assert!(refused.contains("between 4.18.20 and 4.20.3 in `via`"), "{refused}");

    wants("4.20.3\n    via: [4.19.14]");
    let plan = run(&["plan", "-o", "json"], 0).json();
    let schema = place.run(&["schema", "output/plan.v1"]).exits(0).json();
    assert_eq!(problems(&plan, &schema), Vec::<String>::new());
    let way = json!([{
        "unit": {"kind": "cluster", "name": "first"},
        "from": "4.18.20",
        "steps": ["4.19.14", "4.20.3"],
        "pools": [{"pool": "general", "from": "4.18.20", "to": "4.20.3"}],
        "stopped": false,
    }]);
    assert_eq!(plan["upgrades"], way);
    let comment = run(&["plan", "-o", "markdown"], 0).stdout;
    assert!(
        comment.contains("- upgrade of cluster first: control plane 4.18.20 → 4.19.14 → 4.20.3, then pool general"),
        "{comment}"
    );

    let applied = run(&["apply", "--yes", "--wait=5m"], 0);
    let (out, said) = (&applied.stdout, &applied.stderr);
    let begins = |line: &str| {
        out.find(line)
            .unwrap_or_else(|| panic!("no `{line}` in\n{out}\n{said}"))
    };
    assert!(
        begins("; now to 4.19.14, the rest") < begins("control plane 4.19.14 → 4.20.3, then"),
        "{out}"
    );
    assert!(!said.contains("takes more steps"), "{said}");
    let settled = run(&["plan", "--detailed-exitcode"], 0).stdout;
    assert!(settled.starts_with("Nothing to do"), "{settled}");

    // For programs each step is told, and the releases in between need not be typed where a ring has them.
    place.write(
        "releases.yaml",
        "kind: Release\nmetadata: {name: stable}\nspec: {rings: {early: {controlPlane: 4.22.1}, late: {controlPlane: 4.21.8}}}\n",
    );
    wants("4.22.1");
    let applied = run(&["apply", "--yes", "--wait=5m", "-o", "json"], 0).json();
    let schema = place.run(&["schema", "output/apply.v1"]).exits(0).json();
    assert_eq!(problems(&applied, &schema), Vec::<String>::new());
    let before = applied["stepsBefore"].as_array().expect("steps");
    let asked: Vec<_> = before
        .iter()
        .chain([&applied])
        .flat_map(|step| step["plan"]["changes"].as_array().expect("changes"))
        .filter(|change| change["object"]["kind"] == "HostedCluster" && change["waits"] == json!([]))
        .map(|change| {
            let fields = change["fields"].as_array().expect("fields").iter();
            let mut images = fields.filter(|field| field["field"] == ".spec.release.image");
            images.next().expect("an image")["after"].clone()
        })
        .collect();
    let image = |version: &str| json!(format!("quay.io/openshift-release-dev/ocp-release:{version}-multi"));
    assert_eq!(asked, [image("4.21.8"), image("4.22.1")], "{before:#?}");
}

#[test]
fn a_pool_that_changes_now_and_with_the_upgrade_is_counted_shown_and_kept_whole() {
    let place = Workplace::new(&[]);
    place.run(&["init", "fleet"]).exits(0);
    let run = |args: &[&str], code: i32| place.run(&[args, &SANDBOX].concat()).exits(code);
    place.run(&["lock"]).exits(0);
    run(&["apply", "--yes", "--wait=5m"], 0);
    edit(&place, "fleet.yaml", "    version: 4.20.3\n", "    version: 4.20.4\n");
    edit(
        &place,
        "pools.yaml",
        "replicas: 2}",
        "replicas: 2, nodeLabels: {tier: gold}}",
    );

    let plan = run(&["plan", "-o", "json"], 0).json();
    let schema = place.run(&["schema", "output/plan.v1"]).exits(0).json();
    assert_eq!(problems(&plan, &schema), Vec::<String>::new());
    let changes = plan["changes"].as_array().expect("changes");
    let pool = changes.iter().find(|change| change["object"]["kind"] == "NodePool");
    let pool = pool.expect("a change of the pool");
    assert_eq!(pool["waits"], json!([]));
    assert_eq!(pool["fields"][0]["field"], ".spec.nodeLabels.tier");
    assert_eq!(pool["later"]["field"], ".spec.release.image");
    assert_eq!(pool["later"]["typed"]["file"], "fleet.yaml");
    assert_eq!(pool["disruption"]["class"], "nodeReplacement");
    assert_eq!(plan["disruption"]["nodes"]["max"], 2, "{}", plan["disruption"]);
    let text = run(&["plan"], 0).stdout;
    let later =
        "      later, by itself; waits for the control plane to complete 4.20.4:\n      ~ .spec.release.image: ";
    assert!(text.contains(later), "{text}");

    let limits = "  limits:\n";
    edit(&place, "fleet.yaml", limits, "  limits:\n    disruptedNodes: 1\n");
    let refused = run(&["apply", "--yes"], 3).stdout;
    assert!(refused.contains("refused (node-cap): "), "{refused}");
    edit(&place, "fleet.yaml", "    disruptedNodes: 1\n", "");

    // Kept, made, and there when its turn has come.
    run(&["plan", "--out", "kept.plan"], 0);
    let applied = run(&["apply", "kept.plan", "--wait=5m"], 0).stderr;
    assert!(
        applied.contains("updated NodePool clusters-first/first-general"),
        "{applied}"
    );
    let again = run(&["apply", "kept.plan"], 0).stderr;
    assert!(
        again.contains("what it showed as later steps of upgrades (1) has its turn now"),
        "{again}"
    );
    run(&["apply", "--yes", "--wait=5m"], 0);
    run(&["plan", "--detailed-exitcode"], 0);
}

#[test]
fn a_hop_is_judged_by_its_way_where_no_cluster_is_asked() {
    let place = committed();
    let before = "2: {controlPlane: 4.18.20}";
    edit(
        &place,
        "releases.yaml",
        "2: {controlPlane: 4.19.12, pools: 4.19.12}",
        before,
    );
    commit_as(&place, "an older release");
    edit(&place, "releases.yaml", before, "2: {controlPlane: 4.20.3}");
    let planned = place.run(&["plan", "--against", "git:HEAD"]).exits(0).stdout;
    let by_another_ring = "control plane 4.18.20 → 4.19.12 → 4.20.3, then pool";
    assert!(planned.contains(by_another_ring), "{planned}");

    // Where no ring has any release of the minor version in between, it has to be named.
    edit(&place, "releases.yaml", "pools: 4.19.12", "pools: 4.20.3");
    let refused = place.run(&["plan", "--against", "git:HEAD"]).exits(3).stdout;
    assert!(refused.contains("refused (release-step): "), "{refused}");
    assert!(refused.contains("or in a ring of a `Release` document"), "{refused}");

    edit(
        &place,
        "releases.yaml",
        "2: {controlPlane: 4.20.3}",
        "2: {controlPlane: 4.20.3, via: [4.19.14]}",
    );
    let planned = place.run(&["plan", "--against", "git:HEAD"]).exits(0).stdout;
    assert!(
        planned.contains("control plane 4.18.20 → 4.19.14 → 4.20.3, then pool"),
        "{planned}"
    );
    // The whole of it, not its first step.
    assert!(
        planned.contains(":4.20.3-multi\"") && !planned.contains(":4.19.14-multi\""),
        "{planned}"
    );
}
