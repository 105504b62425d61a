//! Secrets wherever they can occur, and every command: none of it is in what they print, tell or keep.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::CommandFactory as _;
use fleetwright::cli::Cli;
use fleetwright::resource::Digest;
use serde_json::{Value, json};

use super::daemon::Daemon;
use super::{SECRETS, Stage, shown};
use crate::cli::Ran;
use crate::fleet_support::repository;
use crate::sandbox_served::Served;

/// Each secret begins with this; nothing else holds it. Beside it, as base64 has it.
const CANARY: [&str; 2] = ["canary", "Y2FuYXJ5"];

const NETWORK: &str = "kind: Network
metadata: {name: alone}
spec:
  region: us-ashburn-1
  tenancy: ocid1.tenancy.oc1..aaaaaaaaacme
  compartment: ocid1.compartment.oc1..aaaaaaaaclusters
  preset: self-managed
";
const ADDRESSES: &str = "  addresses: {pools: {us-ashburn-1: 10.20.0.0/16}, perCluster: 20}";

/// An object with a secret in each place of which a refusal quotes something: no word of it is known from elsewhere.
const REFUSED: &str = r#"apiVersion: hypershift.openshift.io/v1beta1
kind: HostedCluster
metadata:
  name: aviary
  namespace: clusters-aviary
  annotations: {note: password=canary-note}
spec:
  platform: {type: "https://somebody:canary-platform@127.0.0.1/"}
  controllerAvailabilityPolicy: "password=canary-policy"
"#;

/// Every command that there is.
fn commands() -> BTreeSet<String> {
    let all = Cli::command();
    all.get_subcommands()
        .map(|command| command.get_name().to_owned())
        .collect()
}

fn has_none(what: &str, text: &str) {
    for secret in CANARY.iter().chain(&SECRETS) {
        assert!(!text.contains(secret), "{what} shows a secret");
    }
}

fn quiet(args: &[&str], ran: Ran) -> Ran {
    let ran = shown(args, ran);
    has_none(&args.join(" "), &format!("{}{}", ran.stdout, ran.stderr));
    ran
}

/// Every file below a folder.
fn keeps_none(folder: &Path) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            keeps_none(&path);
        } else {
            let text = std::fs::read(&path).expect("a file");
            has_none(&path.display().to_string(), &String::from_utf8_lossy(&text));
        }
    }
}

#[test]
fn no_command_shows_or_keeps_a_secret() {
    let Some(stage) = Stage::of("aviary", ADDRESSES, &["aviary"]) else {
        return;
    };
    let file = |name: &str, text: &str| {
        let path = stage.place.path().join(name);
        std::fs::write(&path, text).expect("a file");
        path.to_str().expect("a path in UTF-8").to_owned()
    };
    let saved = stage.place.path().join("saved.plan");
    let saved = saved.to_str().expect("a path in UTF-8");
    let ran: RefCell<BTreeSet<String>> = RefCell::default();
    let runs = |command: &str| ran.borrow_mut().insert(command.to_owned());
    let run = |args: &[&str]| {
        runs(args[0]);
        let args = [args, &["-vv"]].concat();
        quiet(&args, stage.place.run(&stage.args(&args)))
    };
    let local = |args: &[&str]| {
        runs(args[0]);
        quiet(args, stage.place.run(args))
    };

    local(&["init", "another"]).exits(0);
    local(&["schema"]).exits(0);
    local(&["schema", "fleet/Fleet"]).exits(0);
    local(&["completion", "bash"]).exits(0);
    local(&["validate"]).exits(0);
    local(&["render"]).exits(0);
    local(&["render", "--output", "tree"]).exits(0);
    local(&["explain", "aviary"]).exits(0);
    local(&["explain", "aviary", "pullSecret"]).exits(0);
    local(&["iam"]);
    let (crds, refused) = (repository("schemas/crds"), file("refused.yaml", REFUSED));
    let crds = crds.to_str().expect("a path in UTF-8");
    for form in ["text", "json"] {
        local(&["admit", "--crd", crds, "--old", &refused, &refused, "-o", form]);
        local(&["admit", "--crd", crds, &refused, "-o", form]).exits(3);
    }
    local(&["plan", "--against", "nothing"]).exits(0);
    run(&["plan"]).exits(0);
    run(&["apply", "--yes"]).exits(0);

    // Somebody changes a copy, and leaves what it applied beside it.
    let patch = r#"{"stringData": {".dockerconfigjson": "{\"a\":\"canary-drift\"}"}, "metadata": {"annotations":
        {"kubectl.kubernetes.io/last-applied-configuration": "{\"data\":{\"x\":\"canary-applied\"}}"}}}"#;
    stage.kubectl(
        "aviary",
        &["patch", "secret", "pull-secret", "--type=merge", "-p", patch],
    );
    for form in ["text", "json", "markdown", "sarif", "junit"] {
        run(&["plan", "-o", form]);
    }
    run(&["plan", "--drift"]);
    run(&["plan", "--out", saved]).exits(0);
    for args in [
        &["status"][..],
        &["status", "-o", "json"],
        &["doctor"],
        &["doctor", "-o", "json"],
        &["rbac"],
        &["suspend", "aviary", "--reason", "to see"],
        &["resume", "aviary"],
        &["reconcile", "aviary", "--no-wait"],
        &["kubeconfig", "aviary", "--merge=merged.kubeconfig"],
        &["schemas", "pull"],
        &[
            "import",
            "--context",
            "test",
            "--region",
            "us-ashburn-1",
            "--output",
            "imported",
        ],
        &["apply", saved],
        &["apply", "--yes", "-o", "json"],
    ] {
        run(args);
    }

    // What they are let in by, where nobody opens.
    let key = "-----BEGIN PRIVATE KEY-----\ncanary0key\n-----END PRIVATE KEY-----\n";
    let key = file("key.pem", key);
    let config = format!(
        "[DEFAULT]\nuser=ocid1.user.oc1..a\nfingerprint=00:11\ntenancy=ocid1.tenancy.oc1..aaaaaaaaacme\n\
         region=us-ashburn-1\nkey_file={key}\npass_phrase=canary-phrase\n"
    );
    let config = file("oci-config", &config);
    stage.place.write("network.yaml", NETWORK);
    local(&["lock"]).exits(0);
    for command in ["plan", "doctor", "apply"] {
        run(&[command, "--oci-config", &config]).exits(1);
    }
    stage.place.remove("network.yaml");
    stage.place.run(&["lock"]).exits(0);
    let strange = std::fs::read_to_string(&stage.login.kubeconfig).expect("the kubeconfig");
    let mut strange: serde_json::Value = serde_yaml::from_str(&strange).expect("YAML");
    strange["users"][0]["user"] = serde_json::json!({"token": "canary-token"});
    let strange = file("strange.kubeconfig", &strange.to_string());
    for command in ["plan", "status", "doctor"] {
        local(&[command, "-vv", "--kubeconfig", &strange]).exits(1);
    }
    let url = "https://somebody:canary-url@127.0.0.1:1/fleet.git";
    local(&["plan", "-vv", "--git", url]).exits(1);
    let comment = file("comment.md", "password=canary-comment\n");
    let args = [
        "report",
        "--to",
        "gitea",
        "--api",
        "http://127.0.0.1:1",
        "--repo",
        "a/b",
        "--pr",
        "1",
        &comment,
    ];
    let mut report = stage.place.command(&args);
    let report = report.env("GITEA_TOKEN", "canary-forge-token").output();
    runs("report");
    quiet(&args, Ran::of(report.expect("it to start"))).exits(1);

    let served = Served::start(&stage.place, &[]);
    runs("sandbox");
    has_none("what a sandbox says", &served.said.join("\n"));
    has_none("what a sandbox complains of", &served.end());

    // The daemon has one more, and tells more.
    let secret = file("webhook", "canary-webhook-secret-of-some-length");
    let hooks = ["--webhook-listen", "127.0.0.1:0", "--webhook-secret-file", &secret];
    let mut daemon = Daemon::start(&stage, &hooks);
    runs("daemon");
    daemon.says(&["looked at", "cluster aviary", "in sync"]);
    for path in ["/status", "/metrics", "/readyz"] {
        has_none(path, &daemon.get(path).1);
    }
    for secret in CANARY {
        assert!(!daemon.has_said(&[secret]), "its log shows a secret");
    }
    daemon.ends();

    let kept = std::fs::read_to_string(saved).expect("the plan");
    has_none("a kept plan", &kept);
    is_no_way_to_tell_a_guess(&kept, &stage.uid());
    keeps_none(&stage.place.path().join(".cache"));
    keeps_none(&stage.place.fleet());
    for written in ["another", "tree", "box", "imported"] {
        keeps_none(&stage.place.path().join(written));
    }
    assert_eq!(
        *ran.borrow(),
        commands(),
        "a command was not tried, and may show what it likes"
    );
}

/// Who has a plan, and guesses what somebody has written into a Secret, can't make sure of it: neither by what the plan says of
/// the field, with the salt that stands beside it, nor by what a report shows.
fn is_no_way_to_tell_a_guess(kept: &str, fleet: &str) {
    let kept: Value = serde_json::from_str(kept).expect("JSON");
    let changes = kept["changes"].as_array().expect("changes");
    let secret = changes.iter().find(|change| change["object"]["kind"] == "Secret");
    let secret = secret.expect("the change of the copy");
    assert!(
        secret["version"].is_string() && secret["source"].is_array(),
        "{secret:#}"
    );
    let field = &secret["fields"][".data..dockerconfigjson"];
    let digest = |parts: &[&str]| Digest::of_parts(parts.iter().map(|part| part.as_bytes())).to_hex();
    let guess = json!(STANDARD.encode(r#"{"a":"canary-drift"}"#));
    let shown = json!(format!("(sensitive {})", &digest(&[fleet, &guess.to_string()])[..8]));
    let salt = kept["salt"].as_str().expect("a salt");
    for value in [shown, guess] {
        for manager in ["kubectl-patch", "kubectl"] {
            let guessed = format!("sha256:{}", digest(&[salt, &json!([value, manager]).to_string()]));
            assert_ne!(field["before"], json!(guessed), "a guess is confirmed");
        }
    }
}
