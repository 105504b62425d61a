//! GitHub and GitLab, as far as `report` speaks to them.

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::host::{Asked, Host, Said};
use super::{Reporter, authorities, report_of};
use crate::cli::{Ran, Workplace};
use crate::support::tls_config;

const HEAD: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
const MERGE: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

/// 250 comments; our own, of an earlier push, is the 230th, and somebody else's with the same first line is before it.
fn crowd(ours: &str, theirs: &str) -> Vec<Value> {
    let mut all: Vec<Value> = (1..=250)
        .map(|id| json!({"id": id, "body": format!("comment {id}")}))
        .collect();
    all[9] = serde_json::from_str(theirs).expect("JSON");
    all[229] = serde_json::from_str(ours).expect("JSON");
    all
}

/// A page of them.
fn page(all: &[Value], asked: &Asked, next: impl Fn(usize) -> (&'static str, String)) -> Said {
    let size = asked.number("per_page").expect("a size");
    let number = asked.number("page").expect("a page");
    let of_page: Vec<&Value> = all.iter().skip((number - 1) * size).take(size).collect();
    let headers = if number * size < all.len() {
        vec![next(number + 1)]
    } else {
        Vec::new()
    };
    Said::Answer(200, headers, json!(of_page).to_string().into())
}

/// What GitHub tells a job about the pull request 7.
fn on_github(place: &Workplace, host: &Host) -> Vec<(&'static str, String)> {
    let event = place.path().join("event.json");
    let text = json!({"pull_request": {"number": 7, "head": {"sha": HEAD}}});
    std::fs::write(&event, text.to_string()).expect("a file");
    vec![
        ("GITHUB_TOKEN", "hunter2-token".to_owned()),
        ("GITHUB_API_URL", host.url("")),
        ("GITHUB_REPOSITORY", "o/r".to_owned()),
        ("GITHUB_EVENT_NAME", "pull_request".to_owned()),
        ("GITHUB_EVENT_PATH", event.to_str().expect("a path").to_owned()),
        ("GITHUB_SHA", MERGE.to_owned()),
        ("GITHUB_SERVER_URL", "https://github.example.com".to_owned()),
        ("GITHUB_RUN_ID", "99".to_owned()),
    ]
}

#[test]
fn github_s_comment_is_found_among_many_and_its_head_gets_the_status() {
    let first = "<!-- fleetwright plan of acme -->";
    let ours = format!(r#"{{"id": 230, "user": {{"id": 9, "type": "Bot"}}, "body": "{first}\r\nold"}}"#);
    let theirs = format!(r#"{{"id": 10, "user": {{"id": 5, "type": "User"}}, "body": "{first}\nall is fine"}}"#);
    let all = crowd(&ours, &theirs);
    let host = Host::start(move |asked| match asked.line().as_str() {
        "GET /user" => Said::json(403, &json!({"message": "Resource not accessible by integration"})),
        "GET /repos/o/r/issues/7/comments" => page(&all, asked, |next| {
            let link =
                format!("<https://elsewhere.example.com/x?page={next}>; rel=\"next\", <https://e/>; rel=\"last\"");
            ("link", link)
        }),
        _ => Said::json(201, &json!({})),
    });
    let place = Workplace::new(&[]);
    let env = on_github(&place, &host);
    let report = report_of("acme", "Plan: 1 to update.", "changes");
    let ran = Reporter { place: &place, env }
        .run(&report, &["--to", "github"])
        .exits(0);
    assert!(ran.stderr.contains("comment: written anew"), "{}", ran.stderr);
    assert_eq!(
        host.lines(),
        [
            &format!("POST /repos/o/r/statuses/{HEAD}"),
            "GET /user",
            "GET /repos/o/r/issues/7/comments",
            "GET /repos/o/r/issues/7/comments",
            "GET /repos/o/r/issues/7/comments",
            "PATCH /repos/o/r/issues/comments/230",
        ]
    );
    let asked = host.asked();
    for one in &asked {
        assert_eq!(one.header("authorization"), "Bearer hunter2-token");
        assert_eq!(one.header("accept"), "application/vnd.github+json");
        assert_eq!(one.header("x-github-api-version"), "2022-11-28");
        assert!(one.header("user-agent").starts_with("fleetwright/"), "{one:?}");
        let has_body = one.method != "GET";
        assert_eq!(one.header("content-type") == "application/json", has_body, "{one:?}");
    }
    let run = "https://github.example.com/o/r/actions/runs/99";
    assert_eq!(
        asked[0].body,
        json!({"state": "success", "context": "fleetwright/plan/acme", "description": "Plan: 1 to update.", "target_url": run})
    );
    let comment = asked[5].body["body"].as_str().expect("a text");
    assert!(
        comment.starts_with(&format!("{first}\n### fleetwright: Plan: 1 to update.")),
        "{comment}"
    );
    assert!(
        comment.ends_with(&format!("commit {HEAD} · [pipeline](<{run}>)\n")),
        "{comment}"
    );
}

#[test]
fn gitlab_s_note_is_found_among_many_and_nothing_in_it_is_a_command() {
    let first = "<!-- fleetwright plan of acme (dev) -->";
    let ours = format!(r#"{{"id": 230, "author": {{"id": 9}}, "system": false, "body": "{first}\nold"}}"#);
    let theirs = format!(r#"{{"id": 10, "author": {{"id": 5}}, "system": false, "body": "{first}\nall is fine"}}"#);
    let all = crowd(&ours, &theirs);
    let host = Host::start(move |asked| match asked.line().as_str() {
        "GET /api/v4/user" => Said::json(200, &json!({"id": 9, "username": "project_1_bot"})),
        "GET /api/v4/projects/group%2Ffleet/merge_requests/7/notes" => {
            page(&all, asked, |next| ("x-next-page", next.to_string()))
        }
        _ => Said::json(201, &json!({})),
    });
    let place = Workplace::new(&[]);
    let env = vec![
        ("GITLAB_TOKEN", "hunter2-token".to_owned()),
        ("CI_JOB_TOKEN", "hunter2-of-the-job".to_owned()),
        ("CI_API_V4_URL", host.url("/api/v4")),
        ("CI_PROJECT_ID", "17".to_owned()),
        ("CI_MERGE_REQUEST_IID", "7".to_owned()),
        ("CI_COMMIT_SHA", HEAD.to_owned()),
        ("CI_COMMIT_REF_NAME", "change".to_owned()),
        ("CI_PIPELINE_ID", "3".to_owned()),
        ("CI_PIPELINE_URL", "https://gitlab.example.com/p/3".to_owned()),
    ];
    let report = report_of("acme", "Plan: 1 to delete.", "refused").replace("Fleet `acme`", "/approve\nFleet `acme`");
    let args = ["--to", "gitlab", "--repo", "group/fleet", "--key", "dev"];
    Reporter {
        place: &place,
        env: env.clone(),
    }
    .run(&report, &args)
    .exits(3);
    let notes = "GET /api/v4/projects/group%2Ffleet/merge_requests/7/notes";
    assert_eq!(
        host.lines(),
        [
            &format!("POST /api/v4/projects/group%2Ffleet/statuses/{HEAD}"),
            "GET /api/v4/user",
            notes,
            notes,
            notes,
            "PUT /api/v4/projects/group%2Ffleet/merge_requests/7/notes/230",
        ]
    );
    let asked = host.asked();
    assert!(
        asked.iter().all(|one| one.header("private-token") == "hunter2-token"),
        "{asked:?}"
    );
    assert!(asked.iter().all(|one| one.header("job-token").is_empty()), "{asked:?}");
    assert_eq!(
        asked[0].body,
        json!({"state": "failed", "name": "fleetwright/plan/acme/dev", "ref": "change",
               "description": "refused by a guard. Plan: 1 to delete.", "target_url": "https://gitlab.example.com/p/3"})
    );
    let note = asked[5].body["body"].as_str().expect("a text");
    assert!(
        note.lines().all(|line| !line.starts_with('/')) && note.contains("\u{200b}/approve"),
        "{note}"
    );

    // A project's own pipeline is named, and a job's token says what it is.
    let env: Vec<_> = env.into_iter().filter(|(name, _)| *name != "GITLAB_TOKEN").collect();
    let before = host.asked().len();
    Reporter { place: &place, env }
        .run(&report, &["--to", "gitlab", "--no-comment"])
        .exits(3);
    let asked = &host.asked()[before..];
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].path, format!("/api/v4/projects/17/statuses/{HEAD}"));
    assert_eq!(
        (asked[0].header("job-token"), asked[0].header("private-token")),
        ("hunter2-of-the-job", "")
    );
    assert_eq!(asked[0].body["pipeline_id"], 3);
}

/// Reports to a GitHub that has this to say about everything.
fn told(said: impl Fn(&Asked) -> Said + Send + 'static, args: &[&str]) -> (Ran, Host) {
    let host = Host::start(said);
    let place = Workplace::new(&[]);
    let env = on_github(&place, &host);
    let report = report_of("acme", "Plan: 1 to update.", "changes");
    let ran = Reporter { place: &place, env }.run(&report, &[&["--to", "github"], args].concat());
    (ran, host)
}

#[test]
fn a_refusal_says_what_to_do_about_it() {
    for (status, words) in [
        (401, "expired"),
        (403, "permissions: {pull-requests: write, statuses: write}"),
        (404, "--repo, --pr"),
        (422, "No commit found"),
        (302, "it has moved"),
    ] {
        let body = json!({"message": format!("No commit found for {HEAD} by hunter2-token")});
        let (ran, _) = told(move |_| Said::json(status, &body), &["--no-comment"]);
        let ran = ran.exits(1);
        assert!(
            ran.stderr.contains("the status was not set") && ran.stderr.contains(words),
            "{}",
            ran.stderr
        );
    }
}

#[test]
fn a_host_that_is_busy_or_broken_for_a_moment_is_asked_again() {
    let mut turns = vec![
        Said::json(500, &json!({})),
        Said::Answer(429, vec![("retry-after", "1".to_owned())], Bytes::new()),
        Said::Break,
        Said::json(201, &json!({})),
    ]
    .into_iter();
    let turns = std::sync::Mutex::new(move || turns.next().expect("no more turns"));
    let (ran, host) = told(move |_| (turns.lock().expect("no panic"))(), &["--no-comment"]);
    ran.exits(0);
    assert_eq!(host.lines().len(), 4);
}

#[test]
fn a_host_that_says_nothing_or_far_too_much_is_given_up() {
    let (ran, _) = told(|_| Said::Silence, &["--no-status", "--timeout", "1s"]);
    assert!(ran.exits(1).stderr.contains("no answer came in time"));
    let (ran, _) = told(
        |asked| match asked.path.as_str() {
            "/user" => Said::json(200, &json!({"id": 1})),
            _ => Said::Answer(200, Vec::new(), vec![b' '; 33 << 20].into()),
        },
        &["--no-status"],
    );
    assert!(ran.exits(1).stderr.contains("larger than 32 MiB"));
    let busy = |_: &Asked| Said::Answer(429, vec![("retry-after", "86400".to_owned())], Bytes::new());
    let (ran, host) = told(busy, &["--no-comment"]);
    assert!(
        ran.exits(1)
            .stderr
            .contains("86400 s, which is more than --timeout leaves")
    );
    assert_eq!(host.lines().len(), 1);
}

#[test]
fn a_dry_run_says_what_would_be_sent_and_sends_nothing() {
    let host = Host::start(|_| Said::Break);
    let place = Workplace::new(&[]);
    let mut env = on_github(&place, &host);
    env.retain(|(name, _)| *name != "GITHUB_TOKEN");
    let report = report_of("acme", "Plan: 1 to update.", "changes");
    let reporter = Reporter { place: &place, env };
    let ran = reporter.run(&report, &["--to", "github", "--dry-run"]).exits(0);
    for line in [
        format!("POST {}/repos/o/r/statuses/{HEAD}", host.url("")),
        format!("POST {}/repos/o/r/issues/7/comments", host.url("")),
        "\"state\": \"success\"".to_owned(),
    ] {
        assert!(ran.stdout.contains(&line), "{line}: {}", ran.stdout);
    }
    let without = reporter.run(&report, &["--to", "github"]).exits(1);
    assert!(without.stderr.contains("set GITHUB_TOKEN"), "{}", without.stderr);
    let plain = reporter
        .run(&report, &["--to", "github", "--api", "http://192.0.2.1/api"])
        .exits(1);
    assert!(
        plain.stderr.contains("GITHUB_TOKEN") || plain.stderr.contains("https alone"),
        "{}",
        plain.stderr
    );
    assert!(host.lines().is_empty(), "{:?}", host.lines());
}

#[test]
fn a_token_goes_by_https_alone_and_what_is_no_report_goes_nowhere() {
    let host = Host::start(|_| Said::Break);
    let place = Workplace::new(&[]);
    let env = on_github(&place, &host);
    let reporter = Reporter { place: &place, env };
    let report = report_of("acme", "Plan: 1 to update.", "changes");
    for (report, args, words) in [
        (report.as_str(), &["--api", "http://192.0.2.1/api"][..], "https alone"),
        (
            &report,
            &["--api", "https://u:hunter3@192.0.2.1"],
            "holds a user or a password",
        ),
        (&report, &["--repo", "o/../r"], "names no repository"),
        (&report, &["--sha", "main"], "is no commit"),
        (&report, &["--link", "javascript:alert(1)"], "--link has to be"),
        ("Plan: 1 to update.\n", &[], "this is no report"),
        ("", &[], "the report is empty"),
    ] {
        let ran = reporter.run(report, &[&["--to", "github"], args].concat()).exits(1);
        assert!(
            ran.stderr.contains(words) && !ran.stderr.contains("hunter3"),
            "{}",
            ran.stderr
        );
    }
    assert!(host.lines().is_empty(), "{:?}", host.lines());
}

#[test]
fn a_host_with_a_certificate_of_its_own_is_trusted_where_it_is_named() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let listener = runtime
        .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
        .expect("a port");
    let api = format!("https://{}", listener.local_addr().expect("an address"));
    let acceptor = tokio_rustls::TlsAcceptor::from(tls_config());
    runtime.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            let mut head = [0; 4096];
            let _read = stream.read(&mut head).await;
            let answer = b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}";
            let _written = stream.write_all(answer).await;
            let _ended = stream.shutdown().await;
        }
    });
    let place = Workplace::new(&[]);
    let env = vec![
        ("GITHUB_TOKEN", "hunter2-token".to_owned()),
        // Not that of the server.
        (
            "SSL_CERT_FILE",
            crate::fleet_support::repository("tests/it/oci_client/keys/stranger.pem")
                .display()
                .to_string(),
        ),
    ];
    let reporter = Reporter { place: &place, env };
    let report = report_of("acme", "Plan: 1 to update.", "changes");
    let ca = authorities().display().to_string();
    let args = ["--to", "github", "--api", &api, "--repo", "o/r", "--sha", HEAD];
    let ran = reporter
        .run(&report, &[&args[..], &["--timeout", "2s"]].concat())
        .exits(1);
    assert!(ran.stderr.to_lowercase().contains("certificate"), "{}", ran.stderr);
    reporter.run(&report, &[&args[..], &["--ca", &ca]].concat()).exits(0);
}
