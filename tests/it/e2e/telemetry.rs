//! What a daemon is told by webhooks, and what it tells of itself.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;

use git2::{Cred, PushOptions, RemoteCallbacks, Repository};
use ring::hmac;

use super::Stage;
use super::daemon::{Daemon, commit, has_replicas};
use super::wait::until;
use crate::support::{Gitea, promtool};

pub(super) const SECRET: &str = "only-for-tests-1";

/// Starts a daemon that looks at its source once an hour, and takes webhooks in; gives the address for them too.
pub(super) fn start(stage: &Stage, more: &[&str]) -> (Daemon, String) {
    let secret = stage.place.path().join("webhook-secret");
    std::fs::write(&secret, SECRET).expect("a file");
    let webhooks = [
        "--poll",
        "1h",
        "--webhook-listen",
        "127.0.0.1:0",
        "--webhook-secret-file",
        secret.to_str().expect("a path of text"),
    ];
    let mut daemon = Daemon::start(stage, &[&webhooks, more].concat());
    let address = daemon.tells("webhooks: ");
    (daemon, address)
}

/// Pushes all of a stage's fleet.
pub(super) fn push(gitea: &Gitea, stage: &Stage) {
    push_branch(gitea, stage, "main");
}

/// The same, as a branch of this name.
pub(super) fn push_branch(gitea: &Gitea, stage: &Stage, branch: &str) {
    push_as(gitea, (&stage.place.fleet(), &stage.name), branch);
}

/// Pushes what is committed in a directory to one of the server's repositories.
pub(super) fn push_from(gitea: &Gitea, directory: &Path, name: &str) {
    push_as(gitea, (directory, name), "main");
}

fn push_as(gitea: &Gitea, (directory, name): (&Path, &str), branch: &str) {
    let repository = Repository::open(directory).expect("a repository");
    let head = repository.head().expect("a branch");
    let head = head.name().expect("a name");
    send_spec(gitea, (&repository, name), &format!("{head}:refs/heads/{branch}"));
}

/// Pushes what a refspec says.
pub(super) fn push_spec(gitea: &Gitea, stage: &Stage, spec: &str) {
    let repository = Repository::open(stage.place.fleet()).expect("a repository");
    send_spec(gitea, (&repository, &stage.name), spec);
}

fn send_spec(gitea: &Gitea, (repository, name): (&Repository, &str), spec: &str) {
    let mut callbacks = RemoteCallbacks::new();
    callbacks.credentials(|_, _, _| Cred::userpass_plaintext("tester", &gitea.token));
    let mut options = PushOptions::new();
    options.remote_callbacks(callbacks);
    let mut remote = repository.remote_anonymous(&gitea.url(name)).expect("a remote");
    remote.push(&[spec], Some(&mut options)).expect("a push");
}

#[test]
fn a_push_is_applied_at_once_where_a_webhook_tells_of_it() {
    let (Some(gitea), Some(stage)) = (Gitea::start(), Stage::new("hooked")) else {
        return;
    };
    gitea.make("hooked");
    commit(&stage, "first");
    push(&gitea, &stage);
    let token = stage.place.path().join("token");
    std::fs::write(&token, &gitea.token).expect("a file");
    let url = gitea.url("hooked");
    let from = [
        "--git",
        &url,
        "--ref",
        "main",
        "--git-token-file",
        token.to_str().expect("a path of text"),
    ];
    let (mut daemon, address) = start(&stage, &from);
    daemon.says(&["looked at", "cluster hooked", "in sync"]);
    let hook = format!(
        r#"{{"type": "gitea", "active": true, "events": ["push"], "branch_filter": "*",
            "config": {{"url": "http://{address}/webhook", "content_type": "json", "secret": "{SECRET}"}}}}"#
    );
    let made = gitea
        .call("POST", "/api/v1/repos/tester/hooked/hooks", &hook)
        .expect("an answer");
    assert!(made.starts_with("HTTP/1.1 201"), "{made}");

    stage.cluster(
        "hooked",
        &["a: {profile: general, replicas: 5}", "b: {profile: general}"],
    );
    let second = commit(&stage, "second");
    push(&gitea, &stage);
    daemon.says(&["somebody pushed", "refs/heads/main"]);
    daemon.says(&["in force", &second.to_string()]);
    has_replicas(&stage, "hooked-a", 5);
    daemon.ends();
}

/// Sends a request and gives the answer's status; 0 where the connection was closed before it came.
fn send(address: &str, headers: &str, body: &[u8]) -> u16 {
    let stream = TcpStream::connect(address).expect("a connection");
    let head = format!("POST /webhook HTTP/1.1\r\nhost: h\r\nconnection: close\r\n{headers}\r\n");
    let mut answer = Vec::new();
    std::thread::scope(|scope| {
        // What is refused is refused before all of it is sent.
        scope.spawn(|| {
            let mut stream = &stream;
            stream
                .write_all(head.as_bytes())
                .and_then(|()| stream.write_all(body))
                .ok();
        });
        let mut stream = &stream;
        stream.read_to_end(&mut answer).ok();
    });
    let answer = String::from_utf8_lossy(&answer);
    answer
        .split(' ')
        .nth(1)
        .and_then(|code| code.parse().ok())
        .unwrap_or_default()
}

fn signed(body: &str) -> String {
    signed_with(SECRET, body)
}

fn signed_with(secret: &str, body: &str) -> String {
    format!("x-hub-signature-256: sha256={}\r\n", tag(secret, body))
}

/// HMAC-SHA256 of a body, in hex.
pub(super) fn tag(secret: &str, body: &str) -> String {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), body.as_bytes());
    tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Sends a body with these headers; gives the answer's status.
pub(super) fn post(address: &str, headers: &str, body: &str) -> u16 {
    send(
        address,
        &format!("{headers}content-length: {}\r\n", body.len()),
        body.as_bytes(),
    )
}

/// Tells of a push as a server does that has the secret; gives the answer's status.
pub(super) fn tell(address: &str, reference: &str) -> u16 {
    let push = format!(r#"{{"ref": "{reference}"}}"#);
    post(address, &signed(&push), &push)
}

/// The same of a push to the main branch of a repository, by who has this secret.
pub(super) fn tell_of(address: &str, secret: &str, repository: &str) -> u16 {
    let push = format!(r#"{{"ref": "refs/heads/main", "repository": {{"full_name": "{repository}"}}}}"#);
    post(address, &signed_with(secret, &push), &push)
}

/// Connects, sends this and leaves it at that.
fn begin(address: &str, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream.write_all(request.as_bytes()).expect("a request");
    stream
}

#[test]
fn who_holds_a_connection_open_does_not_keep_it_from_ending() {
    let Some(stage) = Stage::new("held-open") else { return };
    let (mut daemon, address) = start(&stage, &[]);
    daemon.says(&["looked at", "cluster held-open", "in sync"]);
    // A body that comes slowly, a head that does, a connection that is kept for the next scrape, and one that says nothing.
    let head = "POST /webhook HTTP/1.1\r\nhost: h\r\n";
    let half = begin(
        &address,
        &format!("{head}x-hub-signature-256: 00\r\ncontent-length: 100\r\n\r\n{{"),
    );
    let headless = begin(&address, head);
    let silent = begin(&address, "");
    let mut kept = begin(daemon.address(), "GET /metrics HTTP/1.1\r\nhost: h\r\n\r\n");
    let mut first = [0; 12];
    kept.read_exact(&mut first).expect("an answer");
    assert_eq!(&first, b"HTTP/1.1 200");
    let begun = std::time::Instant::now();
    daemon.ends();
    let took = begun.elapsed();
    // Kubernetes kills after so long; no measure of speed.
    assert!(took < std::time::Duration::from_secs(30), "{took:?}");
    for mut stream in [half, headless, silent, kept] {
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).ok();
        assert!(!String::from_utf8_lossy(&rest).contains(" 202 "), "it was closed");
    }
}

#[test]
fn what_floods_the_address_of_webhooks_is_refused_and_costs_nothing() {
    const MIB: u64 = 1 << 20;
    let Some(stage) = Stage::new("flooded") else { return };
    let (mut daemon, address) = start(&stage, &[]);
    daemon.says(&["looked at", "cluster flooded", "in sync"]);
    let push = r#"{"ref": "refs/heads/main"}"#;
    assert_eq!(tell(&address, "refs/heads/main"), 202);
    daemon.says(&["somebody pushed"]);
    let before = daemon.resident();

    assert_eq!(post(&address, &signed("{\"ref\""), "{\"ref\""), 400);
    let large = 50 * MIB;
    let announced = format!("x-hub-signature-256: 00\r\ncontent-length: {large}\r\n");
    assert_eq!(send(&address, &announced, &[]), 413);
    let chunk = [
        format!("{MIB:x}\r\n").into_bytes(),
        vec![b'x'; 1 << 20],
        b"\r\n".to_vec(),
    ]
    .concat();
    let chunks: Vec<u8> = chunk.iter().copied().cycle().take(chunk.len() * 50).collect();
    let status = send(
        &address,
        "x-hub-signature-256: 00\r\ntransfer-encoding: chunked\r\n",
        &chunks,
    );
    assert!([413, 0].contains(&status), "{status}");
    drop(chunks);

    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let senders: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    (0..200)
                        .map(|_| post(&address, "x-hub-signature-256: 00\r\n", push))
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        senders
            .into_iter()
            .flat_map(|sender| sender.join().expect("an end"))
            .collect()
    });
    assert!(
        statuses.iter().all(|status| [401, 429].contains(status)),
        "{statuses:?}"
    );
    let checked = statuses.iter().filter(|status| **status == 401).count();
    assert!((1..100).contains(&checked), "{checked}");

    assert_eq!(daemon.get("/livez").0, 200);
    assert_eq!(daemon.get("/readyz").0, 200);
    let grown = daemon.resident().saturating_sub(before);
    assert!(grown < 24 * MIB, "{grown} bytes");
    let metrics = daemon.get("/metrics").1;
    for line in [
        "{result=\"accepted\"} 1",
        "{result=\"malformed\"} 1",
        "{result=\"unproved\"} ",
    ] {
        assert!(
            metrics.contains(&format!("fleetwright_webhooks_total{line}")),
            "{line}: {metrics}"
        );
    }
    daemon.ends();
}

#[test]
fn what_is_measured_is_what_prometheus_reads() {
    let Some(stage) = Stage::new("measured") else { return };
    let mut daemon = Daemon::start(&stage, &[]);
    daemon.says(&["looked at", "cluster measured", "in sync"]);
    let revision = daemon.status()["revision"].as_str().expect("a revision").to_owned();
    let metrics = daemon.get("/metrics").1;
    for line in [
        r#"fleetwright_changes_total{action="create",kind="HostedCluster",cause="files",result="done"} 1"#,
        r#"fleetwright_units{kind="cluster",state="in_sync"} 1"#,
        r#"fleetwright_unit_in_sync{kind="cluster",name="measured"} 1"#,
        &format!("fleetwright_revision_info{{revision=\"{revision}\"}} 1"),
        "fleetwright_source_errors_total 0",
        "fleetwright_source_refused 0",
    ] {
        assert!(metrics.lines().any(|one| one == line), "{line}\n{metrics}");
    }
    for start in [
        "fleetwright_kubernetes_requests_total{verb=\"PATCH\",code=\"201\"} ",
        "fleetwright_kubernetes_request_seconds_bucket{verb=\"GET\",le=\"+Inf\"} ",
        "fleetwright_source_fetch_seconds_count{result=\"ok\"} ",
        "process_resident_memory_bytes ",
    ] {
        assert!(metrics.lines().any(|one| one.starts_with(start)), "{start}\n{metrics}");
    }
    promtool(&["check", "metrics"], &metrics);

    // Nobody makes this cluster, so that it never says that it is available.
    daemon.ends();
    let mut daemon = Daemon::start(&stage, &[]);
    daemon.says(&["looked at", "cluster measured", "in sync"]);
    let available = "hypershift_hostedcluster_available{management_cluster=\"m\",cluster=\"measured\"} 0";
    until("it is told that it is not available", || {
        let metrics = daemon.get("/metrics").1;
        metrics.lines().any(|line| line == available).then_some(())
    });
    daemon.ends();
}

#[test]
fn every_line_of_the_log_is_a_record() {
    let Some(stage) = Stage::new("logged") else { return };
    let mut daemon = Daemon::start(&stage, &["--log-format", "json"]);
    daemon.says(&["looked at", "cluster logged", "in sync"]);
    stage.cluster("logged", &["a: {profile: general, replicsa: 7}"]);
    daemon.says(&["does not come into force", "replicsa"]);
    let said = daemon.ends();
    let records: Vec<serde_json::Value> = said
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    for record in &records {
        let time = record["timestamp"].as_str().expect("a time");
        assert!(time.parse::<jiff::Timestamp>().is_ok(), "{time}");
        assert!(record["level"].is_string() && record["message"].is_string(), "{record}");
    }
    let made = records
        .iter()
        .find(|record| record["message"] == "changed" && record["action"] == "Create");
    let made = made.unwrap_or_else(|| panic!("{said}"));
    assert_eq!(made["unit"], "cluster logged", "{made}");
    let batch = &made["spans"][0];
    assert!(batch["name"] == "batch" && batch["revision"].is_string(), "{made}");
    let last = records.last().expect("a record");
    assert!(
        last["message"].as_str().is_some_and(|text| text.starts_with("ending")),
        "{last}"
    );
}
