//! Alert rules and dashboard: what they ask for exists, and Prometheus' own tool takes them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use clap::CommandFactory as _;
use fleetwright::cli::Cli;
use fleetwright::metrics::{Kind, catalog};
use serde_json::Value;

use crate::reference::keep;
use crate::support::promtool;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/monitoring")
}

fn read(name: &str) -> String {
    fs::read_to_string(folder().join(name)).expect("a file")
}

/// Names of metrics as queries have them.
fn names() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for entry in catalog::ALL {
        match entry.kind {
            Kind::Histogram => names.extend(["bucket", "sum", "count"].map(|part| format!("{}_{part}", entry.name))),
            Kind::Counter | Kind::Gauge => drop(names.insert(entry.name.to_owned())),
        }
    }
    names
}

/// What in a query looks like one of our metrics.
fn metrics_of(query: &str) -> Vec<&str> {
    let words = query.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let ours = |word: &&str| {
        ["fleetwright_", "hypershift_", "process_"]
            .iter()
            .any(|ours| word.starts_with(ours))
    };
    words.filter(ours).collect()
}

fn rules() -> Vec<serde_yaml::Value> {
    let rules: serde_yaml::Value = serde_yaml::from_str(&read("rules.yaml")).expect("YAML");
    let groups = rules["groups"].as_sequence().expect("groups").clone();
    groups
        .iter()
        .flat_map(|group| group["rules"].as_sequence().expect("rules").clone())
        .collect()
}

/// Expressions of the dashboard's panels.
fn queries() -> Vec<String> {
    let dashboard: Value = serde_json::from_str(&read("dashboard.json")).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let targets = panels.iter().filter_map(|panel| panel["targets"].as_array()).flatten();
    targets
        .map(|target| target["expr"].as_str().expect("a query").to_owned())
        .collect()
}

#[test]
fn every_alert_says_what_it_means_and_what_to_do_and_asks_for_what_there_is() {
    let (rules, names) = (rules(), names());
    assert!(rules.len() > 20, "{}", rules.len());
    for rule in &rules {
        let alert = rule["alert"].as_str().expect("a name");
        for text in ["summary", "description"] {
            let text = rule["annotations"][text].as_str();
            assert!(text.is_some_and(|text| text.len() > 15), "{alert}");
        }
        let severity = rule["labels"]["severity"].as_str().expect("a severity");
        assert!(["critical", "warning", "info"].contains(&severity), "{alert}");
        assert!(rule["for"].as_str().is_some(), "{alert}");
        let metrics = metrics_of(rule["expr"].as_str().expect("a query"));
        assert!(!metrics.is_empty(), "{alert}");
        for metric in metrics {
            assert!(names.contains(metric), "{alert} asks for {metric}");
        }
    }
    // Each one is seen to be raised.
    let tests = read("rules-test.yaml");
    for rule in &rules {
        let alert = rule["alert"].as_str().expect("a name");
        let raised = format!("alertname: {alert}\n        exp_alerts:");
        assert!(tests.contains(&raised), "no test has {alert} raised");
    }
}

/// Flags of a command and of all beneath it.
fn flags(command: &clap::Command) -> BTreeSet<String> {
    let own = command
        .get_arguments()
        .filter_map(clap::Arg::get_long)
        .map(str::to_owned);
    own.chain(command.get_subcommands().flat_map(flags)).collect()
}

#[test]
fn whoever_follows_an_alert_finds_the_flags_that_it_names() {
    let known = flags(&Cli::command());
    // Of kubectl.
    let others = ["previous"];
    let mut seen = 0;
    for rule in rules() {
        let alert = rule["alert"].as_str().expect("a name");
        for text in ["summary", "description"] {
            let text = rule["annotations"][text].as_str().unwrap_or_default();
            let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
            for flag in words.filter_map(|word| word.strip_prefix("--")) {
                assert!(known.contains(flag) || others.contains(&flag), "{alert} names --{flag}");
                seen += 1;
            }
        }
    }
    assert!(seen > 3, "{seen}");
}

#[test]
fn the_dashboard_shows_one_fleet_of_several_where_somebody_asks_for_it() {
    for query in queries() {
        let is_the_process = query.contains("process_");
        assert_eq!(query.contains(r#"fleet=~"$fleet""#), !is_the_process, "{query}");
    }
}

#[test]
fn prometheus_takes_the_rules_and_raises_what_it_should() {
    let path = |name: &str| folder().join(name).to_str().expect("a path of text").to_owned();
    let Some(said) = promtool(&["check", "rules", &path("rules.yaml")], "") else {
        return;
    };
    assert!(said.contains(&format!("{} rules found", rules().len())), "{said}");
    let said = promtool(&["test", "rules", &path("rules-test.yaml")], "").unwrap_or_default();
    assert!(said.contains("SUCCESS"), "{said}");
}

#[test]
fn the_rules_of_the_operator_are_the_same() {
    let head = "# Generated from rules.yaml: FLEETWRIGHT_BLESS=1 cargo test monitoring\n\
                apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata:\n  name: fleetwright\n  labels:\n    \
                app.kubernetes.io/name: fleetwright\nspec:\n";
    let rules = read("rules.yaml");
    let (_, groups) = rules.split_once("\ngroups:\n").expect("groups");
    let mut rule = format!("{head}  groups:\n");
    for line in groups.lines() {
        rule.push_str(&format!("  {line}\n"));
    }
    keep("deploy/monitoring/prometheus-rule.yaml", &rule);
    let rule: serde_yaml::Value = serde_yaml::from_str(&rule).expect("YAML");
    let plain: serde_yaml::Value = serde_yaml::from_str(&rules).expect("YAML");
    assert_eq!(rule["spec"]["groups"], plain["groups"]);
}

#[test]
fn the_dashboard_asks_for_what_there_is_and_in_a_language_that_is_understood() {
    let (queries, names) = (queries(), names());
    assert!(queries.len() > 25, "{}", queries.len());
    let mut rules = String::from("groups:\n- name: dashboard\n  rules:\n");
    for (index, query) in queries.iter().enumerate() {
        let metrics = metrics_of(query);
        assert!(!metrics.is_empty(), "{query}");
        for metric in metrics {
            assert!(names.contains(metric), "{query} asks for {metric}");
        }
        let query = query.replace("$__rate_interval", "5m").replace("$instance", ".*");
        let query = serde_json::to_string(&query).expect("JSON");
        rules.push_str(&format!("  - record: query:{index}\n    expr: {query}\n"));
    }
    let place = tempfile::tempdir().expect("a directory");
    let file = place.path().join("rules.yaml");
    fs::write(&file, rules).expect("a file");
    let Some(said) = promtool(&["check", "rules", file.to_str().expect("a path of text")], "") else {
        return;
    };
    assert!(said.contains(&format!("{} rules found", queries.len())), "{said}");
}
