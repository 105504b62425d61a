//! The pipeline of GitLab CI: its files come from Gitea, and a small server plays GitLab's API.

use std::collections::BTreeMap;

use git2::Oid;
use git2::build::RepoBuilder;
use serde_json::{Value, json};

use super::{Env, Machine, Ran, example, programs, words};
use crate::forge::host::{Host, Said};
use crate::forge::reviewed::{FLEET, Reviewed};

/// Runs a job, as the runner does: its own clone, its variables, its script in one shell.
fn run(pipeline: &Value, job: &str, machine: &Machine, variables: &[(&str, String)]) -> Ran {
    let job = &pipeline[job];
    assert!(job["timeout"].is_string() && job["rules"].is_array(), "{job:#}");
    let mut env: Env = BTreeMap::new();
    for level in [&pipeline["variables"], &job["variables"]] {
        env.extend(words(level).map(|(name, value)| (name.to_owned(), value.to_owned())));
    }
    env.extend(
        variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone())),
    );
    let lines = job["script"].as_array().expect("a script").iter();
    let script: Vec<&str> = lines.map(|line| line.as_str().expect("a line")).collect();
    machine.run(&["bash", "-eo", "pipefail"], &script.join("\n"), &env)
}

/// A machine with a clone of the repository at a commit.
fn cloned(reviewed: &Reviewed, commit: Oid) -> Machine {
    let machine = Machine::new();
    let mut callbacks = git2::RemoteCallbacks::new();
    callbacks.credentials(|_, _, _| git2::Cred::userpass_plaintext("tester", &reviewed.gitea.token));
    let mut options = git2::FetchOptions::new();
    options.remote_callbacks(callbacks);
    let clone = RepoBuilder::new()
        .fetch_options(options)
        .clone(&reviewed.gitea.url(&reviewed.name), &machine.work())
        .expect("a clone");
    let object = clone.find_object(commit, None).expect("the commit");
    clone.checkout_tree(&object, None).expect("its files");
    clone.set_head_detached(commit).expect("to be there");
    machine
}

#[test]
fn a_merge_request_is_planned_and_told_of_and_what_is_merged_is_applied() {
    let (Some(()), Some((reviewed, head))) = (programs(), Reviewed::new("by-gitlab")) else {
        return;
    };
    let pipeline = example("gitlab-ci/gitlab-ci.yaml");
    let machine = cloned(&reviewed, head);
    let base = ("CI_MERGE_REQUEST_DIFF_BASE_SHA", reviewed.base.to_string());
    let planned = run(&pipeline, "plan", &machine, &[base]);
    assert_eq!(planned.code, 0, "{}", planned.said);
    let artifacts = pipeline["plan"]["artifacts"]["paths"].as_array().expect("paths");
    assert_eq!(artifacts, &[json!("plan.md")]);

    // The next job has the artifact and nothing else.
    assert_eq!(pipeline["report"]["variables"]["GIT_STRATEGY"], "none");
    let reporting = Machine::new();
    std::fs::copy(machine.work().join("plan.md"), reporting.work().join("plan.md")).expect("the artifact");
    let mut notes: Vec<Value> = Vec::new();
    let host = Host::start(move |asked| match (asked.method.as_str(), asked.path.as_str()) {
        ("GET", "/api/v4/user") => Said::json(200, &json!({"id": 9})),
        ("GET", "/api/v4/projects/17/merge_requests/7/notes") => Said::json(200, &json!(notes)),
        ("POST", "/api/v4/projects/17/merge_requests/7/notes") => {
            notes.push(json!({"id": 1, "author": {"id": 9}, "body": asked.body["body"]}));
            Said::json(201, &json!({}))
        }
        _ => Said::json(201, &json!({})),
    });
    let variables = [
        ("CI_API_V4_URL", host.url("/api/v4")),
        ("CI_PROJECT_ID", "17".to_owned()),
        ("CI_MERGE_REQUEST_PROJECT_ID", "17".to_owned()),
        ("CI_MERGE_REQUEST_IID", "7".to_owned()),
        ("CI_COMMIT_SHA", head.to_string()),
        ("CI_PIPELINE_ID", "3".to_owned()),
        ("CI_PIPELINE_URL", host.url("/p/3")),
        ("GITLAB_TOKEN", "only-for-tests".to_owned()),
        ("FLEET_NAME", FLEET.to_owned()),
    ];
    for _ in 0..2 {
        let told = run(&pipeline, "report", &reporting, &variables);
        assert_eq!(told.code, 0, "{}", told.said);
    }
    let asked = host.asked();
    let written: Vec<_> = asked
        .iter()
        .filter(|one| one.path.ends_with("/notes") && one.method == "POST")
        .collect();
    assert_eq!(written.len(), 1, "{:?}", host.lines());
    assert!(
        written[0].body["body"]
            .as_str()
            .is_some_and(|note| note.contains("2 → 5")),
        "{written:?}"
    );
    let status = asked
        .iter()
        .find(|one| one.path.contains("/statuses/"))
        .expect("a status");
    assert_eq!(status.path, format!("/api/v4/projects/17/statuses/{head}"));
    assert_eq!(status.body["state"], "success");

    let sandbox = reviewed.place.path().join("box");
    let target = format!("--sandbox {} --speed 100000", sandbox.display());
    assert_eq!(pipeline["apply"]["resource_group"], "apply");
    let applied = run(&pipeline, "apply", &machine, &[("FLEETWRIGHT_TARGET", target)]);
    assert_eq!(applied.code, 0, "{}", applied.said);
    assert!(
        applied.said.contains("4 to create") && applied.said.contains("Applied: 4 done"),
        "{}",
        applied.said
    );
}
