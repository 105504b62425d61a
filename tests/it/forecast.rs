//! What a plan says it costs, as people and programs see it.

use std::fs;

use crate::cli::Workplace;
use crate::e2e::form::problems;

#[test]
fn one_line_in_a_shared_file_is_told_in_clusters_pools_and_nodes() {
    let place = Workplace::new(&[]);
    place.run(&["init", "fleet"]).exits(0);
    let cluster = fs::read_to_string(place.fleet().join("clusters/first.yaml")).unwrap();
    place.write(
        "clusters/second.yaml",
        &cluster
            .replace("{name: first}", "{name: second}")
            .replace("10.0.64.0/20", "10.1.64.0/20"),
    );
    place.run(&["lock"]).exits(0);
    place.run(&["apply", "--sandbox", "--yes"]).exits(0);

    let fleet = fs::read_to_string(place.fleet().join("fleet.yaml")).unwrap();
    let upgraded = fleet.replace("version: 4.20.3", "version: 4.20.4");
    assert_ne!(fleet, upgraded);
    place.write("fleet.yaml", &upgraded);
    let text = place.run(&["plan", "--sandbox"]).exits(0).stdout;
    for part in [
        "! control-plane rollout\n",
        "! nodes replaced: general (2 nodes, 1 more at a time, about 20 min)\n",
        "Disruption: 2 clusters, 2 pools, 4 nodes replaced; 2 control planes roll; the slowest pool takes about 20 min\n",
    ] {
        assert!(text.contains(part), "{part}:\n{text}");
    }
    let ran = place
        .run(&["plan", "--sandbox", "--node-minutes", "7", "-o", "json"])
        .exits(0);
    let json = ran.json();
    let schema = place.run(&["schema", "output/plan.v1"]).exits(0).json();
    assert_eq!(problems(&json, &schema), Vec::<String>::new());
    assert_eq!(json["disruption"]["pools"], 2);
    assert_eq!(json["disruption"]["minutes"]["max"], 14);
    let changes = json["changes"].as_array().unwrap();
    let classes: Vec<_> = changes
        .iter()
        .map(|change| change["disruption"]["class"].clone())
        .collect();
    assert!(classes.contains(&"controlPlaneRollout".into()), "{classes:?}");
    assert!(classes.contains(&"nodeReplacement".into()), "{classes:?}");

    // What nobody notices costs nothing.
    place.write(
        "fleet.yaml",
        &fleet.replace("baseDomain:", "labels: {team: a}\n    baseDomain:"),
    );
    let text = place.run(&["plan", "--sandbox"]).exits(0).stdout;
    assert!(text.contains("team") && !text.contains("Disruption"), "{text}");
}
