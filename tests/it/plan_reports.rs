//! What pipelines show: the forms of a plan and of a check, as the program prints them.

use serde_json::{Value, json};

use crate::cli::Workplace;
use crate::fleet_support::repository;
use crate::plan_against::{committed, edit};

/// A pool changes, and a cluster leaves the files without a word in the Fleet.
fn changed() -> Workplace {
    let place = committed();
    edit(
        &place,
        "clusters/prod.yaml",
        "memory: {profile: memory, replicas: 6}",
        "memory: {profile: memory, replicas: 7}",
    );
    place.remove("clusters/payments.yaml");
    place
}

#[test]
fn a_comment_has_the_worst_first_and_says_how_to_go_on() {
    let place = changed();
    let text = place
        .run(&["plan", "--against", "git:HEAD", "-o", "markdown"])
        .exits(3)
        .stdout;
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("<!-- fleetwright plan of acme -->"));
    assert!(
        lines
            .next()
            .is_some_and(|line| line.starts_with("### fleetwright: Plan: ")),
        "{text}"
    );
    let at = |what: &str| text.find(what).unwrap_or_else(|| panic!("{what}: {text}"));
    assert!(at("> **Refused**") < at("<b>cluster payments</b>"));
    assert!(at("> To lift: ") < at("<b>cluster payments</b>"));
    assert!(at("⛔ <b>cluster payments</b>") < at("<b>cluster search</b>: 1 to update"));
    assert!(text.contains("~ .spec.replicas: 6 → 7"), "{text}");
    assert_eq!(text.matches("<details").count(), text.matches("</details>").count());
}

#[test]
fn a_refusal_fails_its_cluster_s_case_and_is_a_result_of_its_own() {
    let place = changed();
    let plan = |form: &str| {
        place
            .run(&["plan", "--against", "git:HEAD", "-o", form])
            .exits(3)
            .stdout
    };
    let xml = plan("junit");
    assert!(
        xml.contains(r#"<testcase classname="plan" name="cluster payments">"#),
        "{xml}"
    );
    assert!(
        xml.contains(r#"<testcase classname="plan" name="cluster search"/>"#),
        "{xml}"
    );
    assert!(xml.contains(r#"failures="1""#) && xml.contains("to lift: "), "{xml}");
    let sarif: Value = serde_json::from_str(&plan("sarif")).expect("JSON");
    let results = sarif["runs"][0]["results"].as_array().expect("results");
    let refused = results
        .iter()
        .find(|result| result["ruleId"].as_str().is_some_and(|rule| rule.starts_with("guard/")));
    assert!(refused.is_some_and(|result| result["level"] == "error"), "{sarif:#}");
}

#[test]
fn problems_have_their_places_in_the_repository() {
    let place = committed();
    edit(&place, "clusters/prod.yaml", "replicas: 6", "replicsa: 6");
    let sarif: Value = serde_json::from_str(&place.run(&["validate", "-o", "sarif"]).exits(1).stdout).expect("JSON");
    let results = sarif["runs"][0]["results"].as_array().expect("results");
    let errors: Vec<&Value> = results.iter().filter(|result| result["level"] == "error").collect();
    assert_eq!(errors.len(), 1, "{sarif:#}");
    let place_of = &errors[0]["locations"][0]["physicalLocation"];
    assert_eq!(place_of["artifactLocation"]["uri"], "fleet/clusters/prod.yaml");
    let text = std::fs::read_to_string(place.fleet().join("clusters/prod.yaml")).expect("the file");
    let line = text.lines().position(|line| line.contains("replicsa")).expect("it") + 1;
    assert_eq!(place_of["region"]["startLine"], json!(line));
    let xml = place.run(&["validate", "-o", "junit"]).exits(1).stdout;
    assert!(
        xml.contains("<testcase classname=\"files\" name=\"FW0202 clusters/prod.yaml:"),
        "{xml}"
    );
    let comment = place.run(&["validate", "-o", "markdown"]).exits(1).stdout;
    assert!(comment.contains("### fleetwright: 1 error"), "{comment}");
    assert!(comment.contains("- **FW0202** `clusters/prod.yaml:"), "{comment}");

    let fine = Workplace::copy_of(&repository("fleet"));
    let xml = fine.run(&["validate", "-o", "junit"]).exits(0).stdout;
    assert!(xml.contains(r#"failures="0""#), "{xml}");
}
