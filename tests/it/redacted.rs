//! What goes out: reports and documentation as they are, and nothing of what a server quotes or a panic shows.

use std::path::Path;
use std::process::Command;

use fleetwright::redact::redacted;
use serde_json::json;

use crate::cli::{Ran, Workplace};
use crate::fleet_support::repository;
use crate::support::Echo;

/// Files that hold no secret and a lot of what looks like one.
const HARMLESS: [&str; 7] = [
    "README.md",
    "docs",
    "examples",
    "fleet",
    "deploy",
    "schemas",
    "tests/cases/reports",
];

fn stays(path: &Path, count: &mut usize) {
    if path.is_dir() {
        for entry in std::fs::read_dir(path).expect("a folder") {
            stays(&entry.expect("an entry").path(), count);
        }
    } else if let Ok(text) = std::fs::read_to_string(path) {
        let clean = redacted(&text);
        if *clean != text {
            let diff = similar::TextDiff::from_lines(text.as_str(), &clean);
            panic!("{}:\n{}", path.display(), diff.unified_diff().context_radius(0));
        }
        *count += 1;
    }
}

/// Runs a test of this file in a process of its own; none where this is that process.
fn in_its_own_process(name: &str) -> Option<Ran> {
    const CHILD: &str = "FLEETWRIGHT_TEST_REDACTS";
    if std::env::var_os(CHILD).is_some() {
        return None;
    }
    let child = Command::new(std::env::current_exe().expect("this program"))
        .args([&format!("redacted::{name}"), "--exact", "--nocapture"])
        .env(CHILD, "1")
        .output()
        .expect("the program to start");
    Some(Ran::of(child))
}

/// In a process that has read no secret: those of other tests may well stand in the documentation.
#[test]
fn reports_schemas_and_documentation_go_out_as_they_are() {
    if let Some(ran) = in_its_own_process("reports_schemas_and_documentation_go_out_as_they_are") {
        ran.exits(0);
        return;
    }
    let mut count = 0;
    for name in HARMLESS {
        stays(&repository(name), &mut count);
    }
    assert!(count > 150, "{count}");
}

/// Who pipes documents into another tool gets what was typed; who reads a plan does not see a password in it.
#[test]
fn what_is_rendered_is_what_was_typed_and_a_plan_of_it_shows_no_password() {
    let place = Workplace::new(&[]);
    place.run(&["init", "fleet"]).exits(0);
    let cluster = std::fs::read_to_string(place.fleet().join("clusters/first.yaml")).expect("the cluster");
    let with = |password: &str| {
        let map = format!(
            "{{apiVersion: v1, kind: ConfigMap, metadata: {{name: db}}, data: {{url: 'password={password}'}}}}"
        );
        place.write("clusters/first.yaml", &format!("{cluster}  extraManifests: [{map}]\n"));
    };
    with("canary-one");
    place.run(&["lock"]).exits(0);
    let rendered = place.run(&["render"]).exits(0).stdout;
    assert!(rendered.contains("password=canary-one"), "{rendered}");
    place.run(&["apply", "--sandbox", "--yes"]).exits(0);
    with("canary-two");
    let planned = place.run(&["plan", "--sandbox"]).exits(0).stdout;
    assert!(
        planned.contains("password=(redacted)") && !planned.contains("canary"),
        "{planned}"
    );
}

/// Panics in a process of its own, in which the hook is the program's.
#[test]
fn a_panic_shows_no_secret() {
    let Some(ran) = in_its_own_process("a_panic_shows_no_secret") else {
        fleetwright::cli::redact_panics();
        panic!("password=canary-panic was not expected");
    };
    let ran = ran.exits(101);
    let said = format!("{}{}", ran.stdout, ran.stderr);
    assert!(said.contains("panicked at tests/it/redacted.rs:"), "{said}");
    assert!(said.contains("password=(redacted) was not expected"), "{said}");
    assert!(!said.contains("canary-panic"), "{said}");
}

/// A server that quotes in its refusals what it was sent, credentials and all.
#[test]
fn what_a_server_quotes_of_a_request_is_not_told() {
    let server = Echo::start();
    let place = Workplace::new(&[]);
    place.run(&["init", "fleet"]).exits(0);
    let file = |name: &str, text: &str| {
        let path = place.path().join(name);
        std::fs::write(&path, text).expect("a file");
        path.to_str().expect("a path in UTF-8").to_owned()
    };
    let token = "canary.token.that.is.long.enough";
    let kubeconfig = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "management-1",
        "clusters": [{"name": "c", "cluster": {"server": server.url()}}],
        "users": [{"name": "u", "user": {"token": token}}],
        "contexts": [{"name": "management-1", "context": {"cluster": "c", "user": "u"}}],
    });
    let kubeconfig = file("kubeconfig", &kubeconfig.to_string());
    let quiet = |ran: Ran| {
        let said = format!("{}{}", ran.stdout, ran.stderr);
        assert!(!said.contains("canary"), "{said}");
        said
    };
    let mut said = String::new();
    for command in [
        &["plan"][..],
        &["status"],
        &["doctor"],
        &["apply", "--yes"],
        &["plan", "-o", "json"],
        &["schemas", "pull"],
    ] {
        let more = ["-vvv", "--fleet", "fleet", "--kubeconfig", &kubeconfig];
        said += &quiet(place.run(&[command, &more[..]].concat()));
    }
    assert!(server.was_sent(token), "the server saw the token");
    assert!(
        said.contains("(redacted)"),
        "what it said of it was shown without: {said}"
    );

    let comment = "<!-- fleetwright plan of acme -->\npassword=canary-comment\n\n<!-- fleetwright verdict: clean -->\n";
    let comment = file("comment.md", comment);
    let args = [
        "report",
        "--to",
        "gitea",
        "--api",
        &server.url(),
        "--repo",
        "a/b",
        "--pr",
        "1",
        "--no-status",
        &comment,
    ];
    let ran = Ran::of(
        place
            .command(&args)
            .env("GITEA_TOKEN", "canary-forge-token")
            .output()
            .expect("it to start"),
    );
    let said = quiet(ran);
    assert!(server.was_sent("canary-forge-token"), "{said}");

    let url = server.url().replace("http://", "http://somebody:canary-password@");
    quiet(place.run(&["plan", "-vvv", "--git", &format!("{url}/fleet.git")]));
}
