//! Webhooks as each kind of Git server sends them: the one thing that tells a daemon to look, and no leave to whoever has not
//! the secret.

use git2::Repository;

use super::Stage;
use super::daemon::{commit, has_replicas};
use super::recovery::git::push_to;
use super::sync::pools;
use super::telemetry::{SECRET, post, start, tag};

/// A secret that is not the daemon's.
const GUESS: &str = "a-guess-at-the-secret";

/// Pushes, and sends the body with the headers that a server makes of a secret: first of a wrong one, then of the right one.
fn is_heard(stage: &Stage, body: &str, headers: impl Fn(&str) -> String) {
    // A server that is not followed any more would tell of another repository.
    let origin = stage.place.path().join("platform/fleet.git");
    Repository::init_bare(&origin).expect("a repository");
    commit(stage, "first");
    push_to(stage, &origin);
    let url = format!("file://{}", origin.display());
    let (mut daemon, address) = start(stage, &["--git", &url, "--ref", "main"]);
    daemon.says(&["looked at", &format!("cluster {}", stage.name), "in sync"]);
    pools(stage, 5, 3);
    let second = commit(stage, "second");
    push_to(stage, &origin);

    assert_eq!(post(&address, &headers(GUESS), body), 401);
    assert_eq!(post(&address, &headers(SECRET), body), 202);
    daemon.says(&["somebody pushed", "refs/heads/main"]);
    daemon.says(&["in force", &second.to_string()]);
    has_replicas(stage, &format!("{}-a", stage.name), 5);
    let metrics = daemon.get("/metrics").1;
    for result in ["accepted", "unproved"] {
        let line = format!("fleetwright_webhooks_total{{result=\"{result}\"}} 1");
        assert!(metrics.lines().any(|one| one == line), "{line}: {metrics}");
    }
    let said = daemon.ends();
    assert_eq!(said.matches("somebody pushed").count(), 1, "{said}");
    for secret in [GUESS, SECRET] {
        assert!(!said.contains(secret), "a secret is shown");
    }
}

#[test]
fn what_github_signs_is_heard_and_what_somebody_else_signs_is_refused() {
    let Some(stage) = Stage::new("from-github") else { return };
    let body = r#"{"ref": "refs/heads/main", "before": "0", "after": "1", "repository": {"id": 1, "name": "fleet",
        "full_name": "platform/fleet"}, "pusher": {"name": "a"}, "commits": [{"id": "1"}]}"#;
    is_heard(&stage, body, |secret| {
        format!(
            "content-type: application/json\r\nx-github-event: push\r\nx-hub-signature-256: sha256={}\r\n",
            tag(secret, body)
        )
    });
}

#[test]
fn what_gitlab_sends_with_the_token_is_heard_and_with_another_is_refused() {
    let Some(stage) = Stage::new("from-gitlab") else { return };
    let body = r#"{"object_kind": "push", "event_name": "push", "ref": "refs/heads/main", "total_commits_count": 1,
        "project": {"id": 1, "path_with_namespace": "platform/fleet"}, "repository": {"name": "fleet", "url": "x"}}"#;
    is_heard(&stage, body, |secret| {
        format!("content-type: application/json\r\nx-gitlab-event: Push Hook\r\nx-gitlab-token: {secret}\r\n")
    });
}

#[test]
fn what_anybody_signs_who_has_the_secret_is_heard_and_what_others_sign_is_refused() {
    let Some(stage) = Stage::new("from-anybody") else {
        return;
    };
    let body = r#"{"ref": "refs/heads/main", "repository": "platform/fleet"}"#;
    is_heard(&stage, body, |secret| {
        format!("x-signature-256: {}\r\n", tag(secret, body))
    });
}
