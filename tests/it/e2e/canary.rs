//! Secrets wherever they can occur, and every command: none of it is in what they print, tell or keep.

use std::path::Path;

use super::daemon::Daemon;
use super::{SECRETS, Stage, shown};
use crate::cli::Ran;

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
    let run = |args: &[&str]| {
        let args = [args, &["-vv"]].concat();
        quiet(&args, stage.place.run(&stage.args(&args)))
    };
    let local = |args: &[&str]| quiet(args, stage.place.run(args));

    local(&["validate"]).exits(0);
    local(&["render"]).exits(0);
    local(&["explain", "aviary"]).exits(0);
    local(&["iam"]);
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
        &["schemas", "pull"],
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
    stage.place.run(&["lock"]).exits(0);
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

    // The daemon has one more, and tells more.
    let secret = file("webhook", "canary-webhook-secret-of-some-length");
    let hooks = ["--webhook-listen", "127.0.0.1:0", "--webhook-secret-file", &secret];
    let mut daemon = Daemon::start(&stage, &hooks);
    daemon.says(&["looked at", "cluster aviary", "in sync"]);
    for path in ["/status", "/metrics", "/readyz"] {
        has_none(path, &daemon.get(path).1);
    }
    for secret in CANARY {
        assert!(!daemon.has_said(&[secret]), "its log shows a secret");
    }
    daemon.ends();

    has_none("a kept plan", &std::fs::read_to_string(saved).expect("the plan"));
    keeps_none(&stage.place.path().join(".cache"));
    keeps_none(&stage.place.fleet());
}
