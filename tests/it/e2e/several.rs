//! One daemon that follows several fleets on a real API server: each from its own repository, and none waits for another.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::Stage;
use super::daemon::{Daemon, commit, commit_in, has_replicas};
use super::lease::holder;
use super::telemetry::{SECRET, push, tell_of};
use super::wait::until;
use crate::support::{Behind, Gate, Gitea, promtool};

const OTHER_SECRET: &str = "only-for-tests-2";

fn file(stage: &Stage, name: &str, text: &str) -> PathBuf {
    let path = stage.place.path().join(name);
    fs::write(&path, text).expect("a file");
    path
}

/// What a list says of a stage's fleet, whose files are in its directory.
fn listed(name: &str, stage: &Stage) -> Value {
    json!({"name": name, "directory": stage.place.fleet(), "kubeconfig": stage.login.kubeconfig})
}

/// Starts a daemon in the first stage's place.
fn start(stage: &Stage, fleets: &Value, more: &[&str]) -> Daemon {
    // JSON is YAML.
    let list = file(stage, "fleets.yaml", &json!({"fleets": fleets}).to_string());
    let list = list.to_str().expect("a path of text");
    let args = ["daemon", "--config", list, "--listen", "127.0.0.1:0", "--verbose"];
    Daemon::run(stage.place.command(&[&args, more].concat()))
}

/// A line of `/metrics` that begins so, as a number.
fn measured(daemon: &Daemon, start: &str) -> f64 {
    let metrics = daemon.get("/metrics").1;
    let line = metrics.lines().find_map(|line| line.strip_prefix(start));
    let number = line.and_then(|rest| rest.trim().parse().ok());
    number.unwrap_or_else(|| panic!("{start}\n{metrics}"))
}

fn wish(stage: &Stage, nodes: u32) {
    let a = format!("a: {{profile: general, replicas: {nodes}}}");
    stage.cluster(&stage.name, &[&a, "b: {profile: general}"]);
}

#[test]
fn a_repository_that_hangs_or_goes_holds_up_its_own_fleet_alone() {
    let (Some(gitea), Some(one), Some(two)) = (Gitea::start(), Stage::new("beside"), Stage::new("besides")) else {
        return;
    };
    for stage in [&one, &two] {
        gitea.make(&stage.name);
        commit(stage, "first");
        push(&gitea, stage);
    }
    let gate = Gate::before(gitea.port());
    gate.put(Behind::Silence);
    let gated = format!("http://127.0.0.1:{}/tester/besides.git", gate.port());
    let secret = file(&one, "secret", SECRET);
    // Paths are meant from the list's directory.
    file(&one, "token", &gitea.token);
    file(&one, "other-token", &gitea.make_token("other", "read:repository"));
    file(&one, "other-secret", OTHER_SECRET);
    let fleets = json!([
        {"name": "one", "git": {"url": gitea.url("beside"), "ref": "main", "tokenFile": "token"},
            "kubeconfig": one.login.kubeconfig, "poll": "1h"},
        {"name": "two", "git": {"url": gated, "ref": "main", "tokenFile": "other-token", "timeout": "3s"},
            "kubeconfig": two.login.kubeconfig, "poll": "1s", "webhookSecretFile": "other-secret"},
    ]);
    let secret = secret.to_str().expect("a path of text");
    let hooks = ["--webhook-listen", "127.0.0.1:0", "--webhook-secret-file", secret];
    let mut daemon = start(&one, &fleets, &hooks);
    let hooks = daemon.tells("webhooks: ");

    // From the start one of them hangs.
    daemon.says(&["fleet{name=\"one\"}", "looked at", "cluster beside", "in sync"]);
    until("it asks", || (gate.held() > 0).then_some(()));
    let (code, why) = daemon.get("/readyz");
    assert_eq!(code, 503, "{why}");
    assert!(
        why.starts_with("two: no revision has loaded yet") && !why.contains("one:"),
        "{why}"
    );
    assert_eq!(daemon.get("/livez").0, 200);
    gate.put(Behind::Server);
    daemon.says(&["fleet{name=\"two\"}", "looked at", "cluster besides", "in sync"]);
    until("both are ready", || (daemon.get("/readyz").0 == 200).then_some(()));

    let metrics = daemon.get("/metrics").1;
    for line in [
        r#"fleetwright_unit_in_sync{fleet="one",kind="cluster",name="beside"} 1"#,
        r#"fleetwright_unit_in_sync{fleet="two",kind="cluster",name="besides"} 1"#,
        r#"fleetwright_source_refused{fleet="two"} 0"#,
    ] {
        assert!(metrics.lines().any(|one| one == line), "{line}\n{metrics}");
    }
    assert!(metrics.contains("\nprocess_open_fds ") && metrics.contains("\nfleetwright_build_info{version="));
    promtool(&["check", "metrics"], &metrics);

    // A webhook is one repository's, and who has a secret has that of one fleet.
    const LOOKS: &str = r#"fleetwright_source_fetches_total{fleet="one",code="ok"} "#;
    let looks = measured(&daemon, LOOKS);
    wish(&two, 5);
    commit(&two, "second");
    push(&gitea, &two);
    assert_eq!(tell_of(&hooks, OTHER_SECRET, "tester/besides"), 202);
    daemon.says(&["somebody pushed", "fleet=\"two\""]);
    has_replicas(&two, "besides-a", 5);
    assert_eq!(tell_of(&hooks, OTHER_SECRET, "tester/beside"), 202);
    assert_eq!(tell_of(&hooks, "nobodys-secret-at-all", "tester/beside"), 401);
    assert!(
        (measured(&daemon, LOOKS) - looks).abs() < 0.5,
        "the other one was looked at"
    );
    assert!(measured(&daemon, "fleetwright_webhooks_total{result=\"ignored\"} ") > 0.5);

    // One goes: it says why, what it has is kept to, and the other goes on as ever.
    gate.put(Behind::Nobody);
    daemon.says(&["fleet{name=\"two\"}", "does not come into force"]);
    wish(&one, 7);
    let second = commit(&one, "second");
    push(&gitea, &one);
    assert_eq!(tell_of(&hooks, SECRET, "tester/beside"), 202);
    has_replicas(&one, "beside-a", 7);
    two.kubectl("besides", &["scale", "nodepool", "besides-a", "--replicas=9"]);
    has_replicas(&two, "besides-a", 5);
    let status = daemon.status();
    assert_eq!(status["fleets"]["one"]["revision"], second.to_string(), "{status}");
    assert!(status["fleets"]["one"]["sourceError"].is_null(), "{status}");
    assert!(status["fleets"]["two"]["sourceError"].is_string(), "{status}");
    assert_eq!(daemon.get("/readyz").0, 200);
    daemon.ends();
    one.is_settled();
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory");
    for entry in fs::read_dir(from).expect("a directory") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(path, target).expect("a copy");
        }
    }
}

#[test]
fn two_fleets_of_one_repository_are_followed_each_by_its_path() {
    let (Some(one), Some(two)) = (Stage::new("upper"), Stage::new("lower")) else {
        return;
    };
    let both = one.place.path().join("both");
    let commit = |message: &str| {
        copy(&one.place.fleet(), &both.join("one"));
        copy(&two.place.fleet(), &both.join("two"));
        commit_in(&both, message, |_| None)
    };
    commit("first");
    let of = |name: &str, stage: &Stage| {
        let git = json!({"url": format!("file://{}", both.display()), "path": name, "allowRewritten": name == "two"});
        json!({"name": name, "git": git, "kubeconfig": stage.login.kubeconfig})
    };
    let fleets = json!([of("one", &one), of("two", &two)]);
    let daemon = start(&one, &fleets, &["--poll", "1s"]);
    until("both are ready", || (daemon.get("/readyz").0 == 200).then_some(()));
    wish(&one, 5);
    let second = commit("second").to_string();
    has_replicas(&one, "upper-a", 5);
    until("both are at the commit", || {
        let status = daemon.status();
        let is_there = |fleet: &str| status["fleets"][fleet]["revision"] == second;
        (is_there("one") && is_there("two")).then_some(())
    });

    // History is rewritten, which one of the two takes, in this run and in the next.
    let repository = git2::Repository::open(&both).expect("a repository");
    let head = repository
        .head()
        .and_then(|head| head.peel_to_commit())
        .expect("a commit");
    let back = head.parent(0).expect("the first").into_object();
    repository.reset(&back, git2::ResetType::Soft, None).expect("a reset");
    wish(&two, 6);
    let other = commit("another second").to_string();
    has_replicas(&two, "lower-a", 6);
    daemon.ends();
    let daemon = start(&one, &fleets, &["--poll", "1s"]);
    until("each has what was in force of it", || {
        let status = daemon.status();
        let is_at = |fleet: &str, commit: &str| status["fleets"][fleet]["revision"] == commit;
        let refused = status["fleets"]["one"]["sourceError"]
            .as_str()?
            .contains("--allow-rewritten");
        (is_at("one", &second) && is_at("two", &other) && refused).then_some(())
    });
    daemon.ends();
}

#[test]
fn a_fleet_that_is_listed_twice_is_followed_once() {
    let (Some(one), Some(two)) = (Stage::new("doubled"), Stage::new("single")) else {
        return;
    };
    let elsewhere = one.place.path().join("elsewhere");
    copy(&one.place.fleet(), &elsewhere);
    let fleets = json!([listed("one", &one), listed("two", &two)]);
    let mut daemon = start(&one, &fleets, &["--poll", "1s"]);
    daemon.says(&["fleet{name=\"", "every unit has been looked at"]);
    until("both are ready", || (daemon.get("/readyz").0 == 200).then_some(()));
    daemon.ends();

    let mut fleets = fleets;
    fleets[1]["directory"] = json!("elsewhere");
    let mut daemon = start(&one, &fleets, &["--poll", "1s"]);
    // Whichever of them comes first has it.
    daemon.says(&["does not come into force", "the fleet `doubled`, which is followed as"]);
    until("it is said which is not ready", || {
        let (code, why) = daemon.get("/readyz");
        let is_said = code == 503 && why.lines().count() == 1 && why.contains("which is followed as");
        is_said.then_some(())
    });
    daemon.ends();
    one.is_settled();

    // What can be seen in the list is refused before anything is done.
    let same = json!({"fleets": [listed("one", &one), listed("two", &one)]});
    let list = file(&one, "fleets.yaml", &same.to_string());
    let ran = one.run(&["daemon", "--config", list.to_str().expect("a path of text")]);
    assert!(ran.code == 1 && ran.stderr.contains("FW0308"), "{}", ran.stderr);
}

#[test]
fn replicas_of_a_daemon_of_several_fleets_hold_a_lease_for_each_and_take_each_over() {
    let (Some(one), Some(two)) = (Stage::new("leased"), Stage::new("released")) else {
        return;
    };
    let fleets = json!([listed("one", &one), listed("two", &two)]);
    let replica = |name| {
        let more = [
            "--poll",
            "1s",
            "--replicas",
            "standby",
            "--lease-duration",
            "1s",
            "--replica-name",
            name,
        ];
        start(&one, &fleets, &more)
    };
    let of_both = |name: &'static str| {
        until(&format!("{name} holds both"), || {
            let holds = |stage| holder(stage).starts_with(name);
            (holds(&one) && holds(&two)).then_some(())
        });
    };
    let first = replica("first");
    of_both("first");
    let second = replica("second");
    until("the second stands by for both", || {
        let status = second.status();
        let stands_by = |fleet: &str| {
            let standing = status["fleets"][fleet]["leases"]["m"].to_string();
            standing.to_lowercase().contains("standsby")
        };
        (stands_by("one") && stands_by("two")).then_some(())
    });
    first.signal("-KILL");
    of_both("second");
    for (stage, nodes) in [(&one, 6), (&two, 8)] {
        wish(stage, nodes);
        has_replicas(stage, &format!("{}-a", stage.name), nodes);
    }
    // It lets go of both when it ends.
    second.ends();
    assert_eq!((holder(&one), holder(&two)), (String::new(), String::new()));
}
