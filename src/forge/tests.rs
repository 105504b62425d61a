//! Clients against hosts that answer as they are told to, with a clock that runs ahead.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::StatusCode;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::*;
use crate::providers::oci::api::Exchange;
use crate::providers::oci::transport::NotSent;
use crate::resource::Secret;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// What a host does when it is asked.
enum Turn {
    Says(u16, &'static [(&'static str, &'static str)], Value),
    Breaks,
    IsAway,
    SaysNothing,
}

/// A host that has a turn for each request, and keeps what it was asked: `METHOD path body`.
#[derive(Default)]
struct Script {
    turns: Mutex<VecDeque<Turn>>,
    asked: Mutex<Vec<(String, Value)>>,
}

impl Exchange for Script {
    fn exchange(&self, request: http::Request<Bytes>) -> BoxFuture<'_, Result<http::Response<Bytes>, Failure>> {
        let path = request.uri().path_and_query().unwrap().as_str();
        let body = serde_json::from_slice(request.body()).unwrap_or(Value::Null);
        let line = format!("{} {path}", request.method());
        self.asked.lock().unwrap().push((line.clone(), body));
        let turn = self.turns.lock().unwrap().pop_front();
        async move {
            match turn.unwrap_or_else(|| panic!("{line} was not to be asked")) {
                Turn::Says(status, headers, body) => {
                    let mut answer = http::Response::builder().status(status);
                    for (name, value) in headers {
                        answer = answer.header(*name, *value);
                    }
                    Ok(answer.body(Bytes::from(body.to_string())).unwrap())
                }
                Turn::Breaks => Err("the connection broke".into()),
                Turn::IsAway => Err(Box::new(NotSent("nobody listens".into())) as Failure),
                Turn::SaysNothing => std::future::pending().await,
            }
        }
        .boxed()
    }
}

fn script(turns: Vec<Turn>) -> Arc<Script> {
    Arc::new(Script {
        turns: Mutex::new(turns.into()),
        asked: Mutex::default(),
    })
}

fn client(script: &Arc<Script>) -> Client {
    let token = Token {
        secret: Secret::new("hunter2"),
        variable: "GITHUB_TOKEN",
    };
    Client::new(ClientOptions {
        exchange: script.clone(),
        address: Address::parse("https://api.example.com").unwrap(),
        forge: Arc::new(GitHub::new(&Repository::parse("o/r").unwrap(), token).unwrap()),
        patience: Duration::from_secs(120),
    })
}

const MARKER: &str = "<!-- fleetwright plan of acme -->";

fn comment_of(text: &str) -> Post {
    Post {
        request: Some(7),
        commit: None,
        marker: MARKER.to_owned(),
        text: format!("{MARKER}\n{text}"),
        status: Status {
            name: "fleetwright/plan/acme".to_owned(),
            state: State::Success,
            description: "d".to_owned(),
            link: None,
        },
    }
}

fn ok(body: Value) -> Turn {
    Turn::Says(200, &[], body)
}

fn by(id: u64, author: u64, kind: &str, text: &str) -> Value {
    json!({"id": id, "user": {"id": author, "type": kind}, "body": format!("{MARKER}\r\n{text}")})
}

fn asked(script: &Script) -> Vec<String> {
    script
        .asked
        .lock()
        .unwrap()
        .iter()
        .map(|(line, _)| line.clone())
        .collect()
}

const CREATE: &str = "POST /repos/o/r/issues/7/comments";

async fn run(turns: Vec<Turn>) -> (Result<Written, SendError>, Arc<Script>) {
    let script = script(turns);
    let posted = post(&mut client(&script), &comment_of("new")).await;
    assert!(script.turns.lock().unwrap().is_empty(), "{:?}", asked(&script));
    (posted.comment.unwrap(), script)
}

const NEXT: &[(&str, &str)] = &[("link", "<https://elsewhere.example.com/?page=9>; rel=\"next\"")];

#[tokio::test(start_paused = true)]
async fn a_comment_is_found_on_a_later_page_and_no_link_is_followed() {
    let (written, script) = run(vec![
        ok(json!({"id": 1})),
        Turn::Says(200, NEXT, json!([{"id": 3, "user": {"id": 1}, "body": "hello"}])),
        ok(json!([by(4, 1, "User", "old")])),
        ok(json!({})),
    ])
    .await;
    assert_eq!(written.unwrap(), Written::Updated);
    assert_eq!(
        asked(&script)[1..],
        [
            "GET /repos/o/r/issues/7/comments?per_page=100&page=1",
            "GET /repos/o/r/issues/7/comments?per_page=100&page=2",
            "PATCH /repos/o/r/issues/comments/4",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn what_someone_else_wrote_under_our_marker_is_left_to_them() {
    let theirs = by(4, 2, "User", "nothing to see here");
    let (written, script) = run(vec![ok(json!({"id": 1})), ok(json!([theirs])), ok(json!({}))]).await;
    assert_eq!(
        (written.unwrap(), asked(&script)[2].as_str()),
        (Written::Created, CREATE)
    );

    // A job's token has no user: then it is a program's.
    let (written, script) = run(vec![
        Turn::Says(403, &[], json!({"message": "Resource not accessible by integration"})),
        ok(json!([theirs, by(5, 3, "Bot", "old")])),
        ok(json!({})),
    ])
    .await;
    assert_eq!(written.unwrap(), Written::Updated);
    assert_eq!(asked(&script)[2], "PATCH /repos/o/r/issues/comments/5");
}

#[tokio::test(start_paused = true)]
async fn what_is_as_it_should_be_is_not_written_and_a_second_one_leads_to_the_first() {
    let (written, _) = run(vec![ok(json!({"id": 1})), ok(json!([by(4, 1, "User", "new")]))]).await;
    assert_eq!(written.unwrap(), Written::Unchanged);
    let twice = json!([by(4, 1, "User", "new"), by(5, 1, "User", "old")]);
    let (written, script) = run(vec![ok(json!({"id": 1})), ok(twice), ok(json!({}))]).await;
    assert_eq!(written.unwrap(), Written::Unchanged);
    let (line, body) = script.asked.lock().unwrap()[2].clone();
    assert_eq!(line, "PATCH /repos/o/r/issues/comments/5");
    assert!(body["body"].as_str().unwrap().ends_with("earlier comment."), "{body}");
}

#[tokio::test(start_paused = true)]
async fn a_comment_whose_answer_was_lost_is_looked_for_before_another_is_made() {
    for lost in [Turn::Breaks, Turn::SaysNothing, Turn::Says(502, &[], json!({}))] {
        let (written, script) = run(vec![
            ok(json!({"id": 1})),
            ok(json!([])),
            lost,
            ok(json!([by(4, 1, "User", "new")])),
        ])
        .await;
        assert_eq!(written.unwrap(), Written::Created);
        assert_eq!(asked(&script).iter().filter(|line| *line == CREATE).count(), 1);
    }
    // It was not made: then it is made now, and what is lost again is said.
    let lost_twice = vec![
        ok(json!({"id": 1})),
        ok(json!([])),
        Turn::Breaks,
        ok(json!([])),
        Turn::Breaks,
    ];
    let (written, _) = run(lost_twice).await;
    assert!(matches!(written, Err(SendError::Unclear { .. })));
    // What never left is sent again.
    let (written, _) = run(vec![ok(json!({"id": 1})), ok(json!([])), Turn::IsAway, ok(json!({}))]).await;
    assert_eq!(written.unwrap(), Written::Created);
}

#[tokio::test(start_paused = true)]
async fn a_busy_host_is_given_the_time_that_it_asks_for() {
    let began = Instant::now();
    let (written, _) = run(vec![
        Turn::Says(429, &[("retry-after", "17")], json!({})),
        Turn::Says(503, &[], json!({})),
        ok(json!({"id": 1})),
        ok(json!([])),
        // GitHub's way to say it, also to what makes something: nothing was made.
        Turn::Says(
            403,
            &[("retry-after", "20")],
            json!({"message": "secondary rate limit"}),
        ),
        ok(json!({})),
    ])
    .await;
    assert_eq!(written.unwrap(), Written::Created);
    let took = began.elapsed();
    assert!((37..50).contains(&took.as_secs()), "{took:?}");

    let (written, script) = run(vec![Turn::Says(429, &[("retry-after", "3600")], json!({}))]).await;
    let error = written.unwrap_err().to_string();
    assert!(error.contains("429") && error.contains("3600 s"), "{error}");
    assert_eq!(asked(&script).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_tried_for_ever() {
    let began = Instant::now();
    let silent = || (0..4).map(|_| Turn::SaysNothing).collect::<Vec<_>>();
    let (written, _) = run(silent()).await;
    assert!(matches!(written, Err(SendError::Silent(_))), "{written:?}");
    assert!(began.elapsed() <= Duration::from_secs(120));
    let broken = (0..6).map(|_| Turn::Says(500, &[], json!({}))).collect();
    let (written, _) = run(broken).await;
    assert!(written.unwrap_err().to_string().contains("500"));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_says_what_to_do_and_never_the_token() {
    for (status, words) in [
        (401, "expired"),
        (403, "pull-requests: write"),
        (404, "--repo, --pr"),
        (422, "Validation"),
    ] {
        let said = json!({"message": "Validation of hunter2\nfailed"});
        let (written, _) = run(vec![ok(json!({"id": 1})), Turn::Says(status, &[], said)]).await;
        let error = written.unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(text.contains(words) && text.contains(&status.to_string()), "{text}");
        assert!(
            text.contains("/issues/7/comments") && text.contains("(token)"),
            "{text}"
        );
        assert!(!text.contains("hunter2") && !error.to_string().contains('\n'), "{text}");
    }
    let (written, script) = run(vec![Turn::Says(
        301,
        &[("location", "https://evil.example.com/")],
        json!({}),
    )])
    .await;
    assert!(matches!(
        written,
        Err(SendError::Moved {
            status: StatusCode::MOVED_PERMANENTLY,
            ..
        })
    ));
    assert_eq!(asked(&script), ["GET /user"]);
    let (written, _) = run(vec![ok(json!(["no user"]))]).await;
    assert!(matches!(written, Err(SendError::Unreadable { .. })));
}

#[tokio::test(start_paused = true)]
async fn the_status_is_set_although_the_comment_is_refused() {
    let script = script(vec![Turn::Says(201, &[], json!({})), Turn::Says(401, &[], json!({}))]);
    let post_both = Post {
        commit: Some(Commit::parse(&"a".repeat(40)).unwrap()),
        ..comment_of("new")
    };
    let posted = post(&mut client(&script), &post_both).await;
    assert!(matches!(posted.status, Some(Ok(()))) && matches!(posted.comment, Some(Err(_))));
    let (line, body) = script.asked.lock().unwrap()[0].clone();
    assert_eq!(line, format!("POST /repos/o/r/statuses/{}", "a".repeat(40)));
    assert_eq!(
        body,
        json!({"state": "success", "context": "fleetwright/plan/acme", "description": "d"})
    );
}
