//! Tokens that expire, and are renewed in their files: nobody has to start the daemon again. (Those of OCI sessions are tested
//! with the client that uses them, in `oci_client::credentials`.)

use serde_json::{Value, json};

use super::storm::serve;
use super::{SELDOM, in_sync, storm, unit, wish};
use crate::e2e::Stage;
use crate::e2e::daemon::{Daemon, commit, has_replicas};
use crate::e2e::telemetry::push;
use crate::e2e::wait::until;
use crate::support::Gitea;

/// A token of a service account that may do everything, good as long as a Secret of this name is there.
fn token(stage: &Stage, secret: &str) -> String {
    let namespace = format!("{}-source", stage.name);
    let kubectl = |args: &[&str]| stage.login.kubectl(&[args, &["-n", &namespace]].concat());
    kubectl(&["create", "secret", "generic", secret]);
    let bound = ["--bound-object-kind", "Secret", "--bound-object-name", secret];
    kubectl(&[&["create", "token", "keeper"], &bound[..]].concat())
        .trim()
        .to_owned()
}

/// The stage's kubeconfig with other credentials.
fn with_user(stage: &Stage, user: Value) -> String {
    let text = std::fs::read_to_string(&stage.login.kubeconfig).expect("the kubeconfig");
    let mut config: Value = serde_json::from_str(&text).expect("JSON");
    config["users"][0]["user"] = user;
    let (path, next) = (stage.place.path().join("kubeconfig"), stage.place.path().join("next"));
    std::fs::write(&next, config.to_string()).expect("a file");
    std::fs::rename(&next, &path).expect("to be replaced");
    path.to_str().expect("a path of text").to_owned()
}

/// A service account that may do everything.
fn keeper(stage: &Stage) {
    let namespace = format!("{}-source", stage.name);
    stage
        .login
        .kubectl(&["create", "serviceaccount", "keeper", "-n", &namespace]);
    let account = format!("--serviceaccount={namespace}:keeper");
    stage.login.kubectl(&[
        "create",
        "clusterrolebinding",
        &stage.name,
        "--clusterrole=cluster-admin",
        &account,
    ]);
}

#[test]
fn a_token_of_the_api_server_that_expired_is_said_to_be_refused_and_its_successor_is_taken_up() {
    let Some(stage) = Stage::new("renewed") else { return };
    keeper(&stage);
    let file = stage.place.path().join("token");
    let first = token(&stage, "first");
    std::fs::write(&file, &first).expect("a file");
    let kubeconfig = with_user(&stage, json!({"tokenFile": file}));
    let mut args = vec!["daemon", "--listen", "127.0.0.1:0", "--verbose", "--poll", "1s"];
    args.extend(SELDOM);
    args.extend(["--kubeconfig", &kubeconfig]);
    let mut daemon = Daemon::run(stage.place.command(&args));
    in_sync(&stage, &mut daemon);
    let before = stage.uids("renewed");

    stage
        .login
        .kubectl(&["delete", "secret", "first", "-n", "renewed-source"]);
    let who = ["auth", "whoami", "--kubeconfig", &kubeconfig];
    until("the server refuses the token", || {
        (!stage.login.try_kubectl(&who, "").status.success()).then_some(())
    });
    wish(&stage, 5, 3);
    let said = daemon.says(&["can't be brought in sync", "cluster renewed"]);
    assert!(said.contains("401") || said.contains("Unauthorized"), "{said}");
    assert!(unit(&stage, &daemon)["state"].is_null());

    let second = token(&stage, "second");
    std::fs::write(&file, &second).expect("a file");
    in_sync(&stage, &mut daemon);
    has_replicas(&stage, "renewed-a", 5);
    assert_eq!(stage.uids("renewed"), before);
    let said = daemon.ends();
    assert!(!said.contains(&first) && !said.contains(&second), "a token is shown");
}

#[test]
fn a_token_in_a_kubeconfig_that_is_written_anew_is_taken_up_without_a_commit() {
    let Some(stage) = Stage::new("anew") else { return };
    keeper(&stage);
    let first = token(&stage, "first");
    let kubeconfig = with_user(&stage, json!({"token": first}));
    let mut args = vec!["daemon", "--listen", "127.0.0.1:0", "--verbose", "--poll", "1s"];
    args.extend(SELDOM);
    args.extend(["--kubeconfig", &kubeconfig, "--replicas", "standby"]);
    let mut daemon = Daemon::run(stage.place.command(&args));
    in_sync(&stage, &mut daemon);
    let before = stage.uids("anew");

    let second = token(&stage, "second");
    with_user(&stage, json!({"token": second}));
    daemon.says(&["was renewed"]);
    let delete = ["delete", "secret", "first", "-n", "anew-source"];
    stage.login.kubectl(&delete);
    let who = ["auth", "whoami", "--token", &first];
    until("the server refuses the first token", || {
        (!stage.login.try_kubectl(&who, "").status.success()).then_some(())
    });
    // What drifts is heard of and mended, and the Lease is held on.
    stage.kubectl("anew", &["scale", "nodepool", "anew-a", "--replicas=9"]);
    has_replicas(&stage, "anew-a", 2);
    assert_eq!(daemon.status()["leases"]["m"]["standing"], "leads");
    assert_eq!(stage.uids("anew"), before);
    let said = daemon.ends();
    assert!(!said.contains("the lease was lost"), "{said}");
    assert!(!said.contains(&first) && !said.contains(&second), "a token is shown");
}

#[test]
fn a_token_of_the_git_server_that_was_revoked_is_said_to_be_refused_and_its_successor_is_taken_up() {
    let (Some(gitea), Some(stage)) = (Gitea::start(), Stage::new("revoked")) else {
        return;
    };
    gitea.make("revoked");
    let good = commit(&stage, "first");
    push(&gitea, &stage);
    let file = stage.place.path().join("token");
    let first = gitea.make_token("first", "read:repository");
    std::fs::write(&file, &first).expect("a file");
    let url = gitea.url("revoked");
    let token = file.to_str().expect("a path of text");
    let from = ["--git", &url, "--ref", "main", "--git-token-file", token];
    let mut daemon = Daemon::start(&stage, &[&SELDOM[..], &from].concat());
    in_sync(&stage, &mut daemon);

    gitea.revoke_token("first");
    daemon.says(&["does not come into force", "refuses the credentials"]);
    wish(&stage, 5, 3);
    let next = commit(&stage, "second");
    push(&gitea, &stage);
    assert_eq!(daemon.status()["revision"], good.to_string());
    // Whoever renews a token may be at it just now: a file that is not there is no reason to give up.
    std::fs::remove_file(&file).expect("to be there");
    daemon.says(&["does not come into force", "token can't be read"]);
    let second = gitea.make_token("second", "read:repository");
    std::fs::write(&file, &second).expect("a file");
    daemon.says(&["in force", &next.to_string()]);
    has_replicas(&stage, "revoked-a", 5);
    let said = daemon.ends();
    assert!(!said.contains(&first) && !said.contains(&second), "a token is shown");
}

#[test]
fn credentials_of_oci_that_come_late_are_taken_up_for_each_tenancy() {
    let Some(stage) = storm::stage("late") else { return };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let served = serve(&stage, &runtime);
    // The profile that is for this tenancy is not the default one.
    let text = std::fs::read_to_string(&served.oci_config).expect("a file");
    let text = text.replace("[DEFAULT]", "[ACME]").replace("[SANDBOX]", "[DEFAULT]");
    std::fs::remove_file(&served.oci_config).expect("it is there");
    let endpoint = format!("{}/regions/{{region}}", served.oci_url);
    let config = served.oci_config.to_str().expect("a path of text");
    let oci = ["--oci-config", config, "--oci-endpoint", &endpoint];
    let mut daemon = Daemon::start(&stage, &[&SELDOM[..], &oci].concat());
    daemon.says(&["looked at", "network alone", "can't be read"]);
    std::fs::write(&served.oci_config, text).expect("a file");
    daemon.says(&["looked at", "network alone", "in sync"]);
    daemon.ends();
    runtime.block_on(served.end()).expect("its end");
}
