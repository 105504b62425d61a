//! The Tasks of Tekton.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Env, Machine, Ran, example, filled, programs, words};
use crate::forge::reviewed::{FLEET, Reviewed};

/// Runs a Task's steps on one machine: all of them, or up to the first that fails and does not say to go on.
fn run(task: &Value, params: &BTreeMap<&str, String>, token: &str) -> Vec<Ran> {
    let spec = &task["spec"];
    let mut values = BTreeMap::new();
    for param in spec["params"].as_array().expect("params") {
        let name = param["name"].as_str().expect("a name");
        let value = params
            .get(name)
            .cloned()
            .or_else(|| param["default"].as_str().map(str::to_owned));
        values.insert(format!("params.{name}"), value.unwrap_or_else(|| panic!("no {name}")));
    }
    let values: BTreeMap<&str, String> = values
        .iter()
        .map(|(name, value)| (name.as_str(), value.clone()))
        .collect();
    let machine = Machine::new();
    let mut all = Vec::new();
    for step in spec["steps"].as_array().expect("steps") {
        assert_eq!(step["workingDir"], "/work");
        assert!(step["timeout"].is_string(), "{step:#}");
        let mut env = Env::new();
        for one in step["env"].as_array().into_iter().flatten() {
            let name = one["name"].as_str().expect("a name").to_owned();
            let secret = &one["valueFrom"]["secretKeyRef"];
            let value = match one["value"].as_str() {
                Some(text) => filled(text, ("$(", ")"), &values),
                None => words(secret)
                    .any(|(key, value)| key == "key" && value == "token")
                    .then(|| token.to_owned())
                    .expect("a secret"),
            };
            env.insert(name, value);
        }
        let script = step["script"].as_str().expect("a script");
        let strict = "#!/usr/bin/env bash\nset -euo pipefail\n";
        assert!(script.starts_with(strict) && !script.contains("$(params"), "{script}");
        let ran = machine.run(&["bash"], script, &env);
        let ends = ran.code != 0 && step["onError"] != "continue";
        all.push(ran);
        if ends {
            break;
        }
    }
    assert!(machine.is_untouched(), "the branch had something run");
    all
}

#[test]
fn a_pull_request_is_planned_and_told_of_by_its_last_step() {
    let (Some(()), Some((reviewed, head))) = (programs(), Reviewed::new("by-tekton")) else {
        return;
    };
    let task = example("tekton/plan.yaml");
    let mut params = BTreeMap::from([
        ("image", "fleetwright".to_owned()),
        ("url", reviewed.gitea.url(&reviewed.name)),
        ("host", "gitea".to_owned()),
        ("api", format!("http://127.0.0.1:{}/api/v1", reviewed.gitea.port())),
        ("repository", format!("tester/{}", reviewed.name)),
        ("pull-request", reviewed.pull.to_string()),
        ("revision", head.to_string()),
        ("fleet-name", FLEET.to_owned()),
    ]);
    let token = &reviewed.gitea.token;
    for _ in 0..2 {
        let steps = run(&task, &params, token);
        assert!(steps.len() == 3 && steps.iter().all(|ran| ran.code == 0), "{steps:#?}");
    }
    let reports = reviewed.reports();
    assert_eq!(reports.len(), 1, "{reports:#?}");
    assert!(reports[0].contains("2 → 5"), "{reports:#?}");
    let name = format!("fleetwright/plan/{FLEET}");
    assert_eq!(
        reviewed.status(head, &name).map(|(state, _)| state).as_deref(),
        Some("success")
    );

    // What its plan exits with, the run does.
    reviewed.place.remove("clusters/first.yaml");
    reviewed.place.run(&["lock"]).exits(0);
    let next = reviewed.commit(&[head]);
    reviewed.push(next, "change");
    params.insert("revision", next.to_string());
    let steps = run(&task, &params, token);
    assert_eq!(
        steps.iter().map(|ran| ran.code).collect::<Vec<_>>(),
        [0, 3, 3],
        "{steps:#?}"
    );
    assert_eq!(
        reviewed.status(next, &name).map(|(state, _)| state).as_deref(),
        Some("failure")
    );
    assert_eq!(reviewed.reports().len(), 1);
}

#[test]
fn what_is_merged_is_applied() {
    let (Some(()), Some((reviewed, head))) = (programs(), Reviewed::new("applied-by-tekton")) else {
        return;
    };
    let task = example("tekton/apply.yaml");
    let sandbox = reviewed.place.path().join("box");
    for (commit, done) in [(reviewed.base, "4 done"), (head, "1 done"), (head, "Nothing to do")] {
        let params = BTreeMap::from([
            ("image", "fleetwright".to_owned()),
            ("url", reviewed.gitea.url(&reviewed.name)),
            ("revision", commit.to_string()),
            ("target", format!("--sandbox {} --speed 100000", sandbox.display())),
        ]);
        let steps = run(&task, &params, &reviewed.gitea.token);
        assert!(steps.len() == 2 && steps.iter().all(|ran| ran.code == 0), "{steps:#?}");
        assert!(steps[1].said.contains(done), "{steps:#?}");
    }
}
