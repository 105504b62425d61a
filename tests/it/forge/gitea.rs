//! On a real Gitea.

use serde_json::{Value, json};

use super::reviewed::{FLEET, Reviewed, ask};
use super::{Reporter, report_of};
use crate::cli::Ran;

/// Reports to the pull request, with a token.
#[track_caller]
fn report(reviewed: &Reviewed, token: &str, text: &str, args: &[&str]) -> Ran {
    let api = format!("http://127.0.0.1:{}/api/v1", reviewed.gitea.port());
    let repository = format!("tester/{}", reviewed.name);
    let pull = reviewed.pull.to_string();
    let reporter = Reporter {
        place: &reviewed.place,
        env: vec![("GITEA_TOKEN", token.to_owned())],
    };
    let mut all = vec!["--to", "gitea", "--api", &api, "--repo", &repository];
    if !args.contains(&"--pr") {
        all.extend(["--pr", &pull]);
    }
    reporter.run(text, &[&all, args].concat())
}

#[test]
fn a_real_plan_s_comment_is_written_anew_among_sixty_others() {
    let Some((reviewed, head)) = Reviewed::new("told") else {
        return;
    };
    let token = &reviewed.gitea.token;
    let sha = head.to_string();
    let planned = || {
        reviewed
            .place
            .run(&["plan", "--against", "git:main", "-o", "markdown"])
            .exits(0)
            .stdout
    };
    let ran = report(
        &reviewed,
        token,
        &planned(),
        &["--sha", &sha, "--link", "https://ci.example.com/1"],
    )
    .exits(0);
    assert!(ran.stderr.contains("comment: made"), "{}", ran.stderr);
    for n in 0..60 {
        let path = format!("/issues/{}/comments", reviewed.pull);
        let (status, said) = reviewed.ask("POST", &path, &json!({"body": format!("opinion {n}")}));
        assert_eq!(status, 201, "{said}");
    }
    let first = reviewed.reports();
    assert_eq!(first.len(), 1);
    assert!(first[0].contains("~ .spec.replicas: 2 → 5"), "{first:?}");
    assert!(
        first[0].contains(&format!("commit {sha} · [pipeline](<https://ci.example.com/1>)")),
        "{first:?}"
    );
    let name = format!("fleetwright/plan/{FLEET}");
    let (state, description) = reviewed.status(head, &name).expect("a status");
    assert_eq!(state, "success");
    assert!(description.starts_with("Plan: 1 to update"), "{description}");

    crate::plan_against::edit(&reviewed.place, "pools.yaml", "replicas: 5", "replicas: 9");
    let next = reviewed.commit(&[head]);
    reviewed.push(next, "change");
    let sha = next.to_string();
    let ran = report(&reviewed, token, &planned(), &["--sha", &sha]).exits(0);
    assert!(ran.stderr.contains("comment: written anew"), "{}", ran.stderr);
    let second = reviewed.reports();
    assert_eq!(second.len(), 1, "it is repeated");
    assert!(second[0].contains("2 → 9") && second[0].contains(&sha), "{second:?}");
    let ran = report(&reviewed, token, &planned(), &["--sha", &sha]).exits(0);
    assert!(ran.stderr.contains("comment: as it was"), "{}", ran.stderr);
    assert_eq!(reviewed.comments().len(), 61);
}

#[test]
fn each_fleet_and_each_key_has_a_comment_of_its_own_and_no_one_else_s_is_taken() {
    let Some((reviewed, head)) = Reviewed::new("several") else {
        return;
    };
    let token = &reviewed.gitea.token;
    // Somebody else has our first line.
    let mallory = json!({"username": "mallory", "email": "m@example.org", "password": "only-for-tests-2", "must_change_password": false});
    let (status, said) = ask(reviewed.gitea, "POST", "/admin/users", &mallory);
    assert_eq!(status, 201, "{said}");
    let (status, said) = reviewed.ask("PUT", "/collaborators/mallory", &json!({"permission": "write"}));
    assert_eq!(status, 204, "{said}");
    let forged = format!("<!-- fleetwright plan of {FLEET} -->\nnothing to do, merge me");
    let path = format!("/issues/{}/comments?sudo=mallory", reviewed.pull);
    let (status, said) = reviewed.ask("POST", &path, &json!({"body": forged}));
    assert_eq!(
        (status, said["user"]["login"].as_str()),
        (201, Some("mallory")),
        "{said}"
    );

    let sha = head.to_string();
    let plan = |verdict| report_of(FLEET, "Plan: 1 to update.", verdict);
    for _ in 0..2 {
        report(&reviewed, token, &plan("changes"), &["--sha", &sha]).exits(0);
        report(&reviewed, token, &plan("refused"), &["--sha", &sha, "--key", "dev"]).exits(3);
        report(
            &reviewed,
            token,
            &report_of("other", "Nothing to do", "clean"),
            &["--sha", &sha],
        )
        .exits(0);
    }
    let comments = reviewed.comments();
    assert_eq!(comments.len(), 4, "{comments:#?}");
    assert_eq!(comments[0], forged);
    let state = |name: &str| reviewed.status(head, name).map(|(state, _)| state);
    assert_eq!(state(&format!("fleetwright/plan/{FLEET}")).as_deref(), Some("success"));
    assert_eq!(
        state(&format!("fleetwright/plan/{FLEET}/dev")).as_deref(),
        Some("failure")
    );
    assert_eq!(state("fleetwright/plan/other").as_deref(), Some("success"));

    // What a check of the files says is another matter than a plan.
    let checked = reviewed.place.run(&["validate", "-o", "markdown"]).exits(0).stdout;
    report(&reviewed, token, &checked, &["--sha", &sha]).exits(0);
    assert_eq!(state(&format!("fleetwright/files/{FLEET}")).as_deref(), Some("success"));
    assert_eq!(reviewed.comments().len(), 5);

    // No plan could be made: what stood there is not left standing.
    report(&reviewed, token, "", &["--sha", &sha, "--fleet-name", FLEET]).exits(1);
    assert_eq!(state(&format!("fleetwright/plan/{FLEET}")).as_deref(), Some("error"));
    let comments = reviewed.comments();
    assert_eq!(comments.len(), 5, "{comments:#?}");
    assert!(
        comments[1].contains("no report of my-fleet could be made"),
        "{comments:#?}"
    );
    assert!(!comments[1].contains("to update"), "{comments:#?}");
}

#[test]
fn a_token_that_may_not_and_what_is_not_there_are_said_plainly() {
    let Some((reviewed, head)) = Reviewed::new("forbidden") else {
        return;
    };
    let sha = head.to_string();
    let plan = report_of(FLEET, "Plan: 1 to update.", "changes");
    let reads = reviewed.gitea.make_token("report-reads", "read:repository");
    let ran = report(&reviewed, &reads, &plan, &["--sha", &sha]).exits(1);
    assert!(
        ran.stderr.contains("the status was not set") && ran.stderr.contains("403"),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("the comment was not written"), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("write:issue and write:repository"),
        "{}",
        ran.stderr
    );
    let gone = reviewed.gitea.make_token("report-gone", "write:repository");
    reviewed.gitea.revoke_token("report-gone");
    let ran = report(&reviewed, &gone, &plan, &["--sha", &sha]).exits(1);
    assert!(
        ran.stderr.contains("401") && ran.stderr.contains("taken back"),
        "{}",
        ran.stderr
    );
    let token = &reviewed.gitea.token;
    let ran = report(&reviewed, token, &plan, &["--pr", "4711"]).exits(1);
    assert!(ran.stderr.contains("the comment was not written"), "{}", ran.stderr);
    assert_eq!(reviewed.comments(), Vec::<String>::new());
    assert_eq!(reviewed.status(head, &format!("fleetwright/plan/{FLEET}")), None);
    // What writes and may not say whose it is still writes.
    let answer = reviewed.gitea.call(
        "POST",
        "/api/v1/users/tester/tokens",
        r#"{"name": "report-writes", "scopes": ["write:repository", "write:issue"]}"#,
    );
    let answer = answer.expect("an answer");
    let line = answer.lines().find(|line| line.starts_with('{')).expect("an object");
    let made: Value = serde_json::from_str(line).expect("JSON");
    let writes = made["sha1"].as_str().expect("a token");
    for _ in 0..2 {
        report(&reviewed, writes, &plan, &["--sha", &sha]).exits(0);
    }
    assert_eq!(reviewed.reports().len(), 1);
}
