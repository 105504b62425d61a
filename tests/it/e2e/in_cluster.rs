//! In a pod, without a kubeconfig: the service account that the pod was given.

use std::path::PathBuf;
use std::process::Command;

use super::Stage;
use super::daemon::Daemon;
use super::recovery::{SELDOM, in_sync};

/// What a pod of the stage's cluster is given: a folder with its service account.
fn account(stage: &Stage) -> PathBuf {
    let account = stage.place.path().join("serviceaccount");
    std::fs::create_dir(&account).expect("a folder");
    std::fs::write(account.join("token"), &stage.login.token).expect("a token");
    std::fs::copy(&stage.login.authority, account.join("ca.crt")).expect("a certificate");
    account
}

/// The program in such a pod.
fn in_pod(stage: &Stage, args: &[&str]) -> Command {
    let port = stage.login.url.rsplit_once(':').expect("a port").1;
    let mut command = stage.place.command(args);
    command
        .env("KUBERNETES_SERVICE_HOST", "127.0.0.1")
        .env("KUBERNETES_SERVICE_PORT", port)
        .env("FLEETWRIGHT_SERVICE_ACCOUNT", stage.place.path().join("serviceaccount"));
    command
}

const SECOND: &str = "kind: ManagementCluster
metadata: {name: n}
spec: {region: us-ashburn-1, dialect: none, nodePortAddress: api.n.example}
";

/// A cluster that is placed on it.
fn elsewhere(cluster: &str) -> String {
    format!(
        "kind: Cluster\nmetadata: {{name: {cluster}}}\nspec: {{environment: dev, managementCluster: n, pools: [general]}}\n"
    )
}

/// Has a second management cluster in the files, and a cluster that is placed on it.
fn add_second(stage: &Stage, cluster: &str) {
    stage
        .place
        .write("second.yaml", &format!("{SECOND}---\n{}", elsewhere(cluster)));
    let path = format!("clusters/{}.yaml", stage.name);
    let own = std::fs::read_to_string(stage.place.fleet().join(&path)).expect("the file");
    stage
        .place
        .write(&path, &own.replace("spec:\n", "spec:\n  managementCluster: m\n"));
    stage.place.run(&["lock"]).exits(0);
}

#[test]
fn a_daemon_in_a_pod_takes_its_server_for_none_of_two_management_clusters() {
    let Some(stage) = Stage::new("podded") else { return };
    account(&stage);
    let args = ["daemon", "--listen", "127.0.0.1:0", "--verbose", "--poll", "1s"];
    let start = || Daemon::run(in_pod(&stage, &[&args[..], &SELDOM].concat()));
    let only = |daemon: &mut Daemon, unit: &str| {
        daemon.says(&["can't be brought in sync", unit, "only one of these can be meant: m, n"]);
    };
    let mut daemon = start();
    in_sync(&stage, &mut daemon);
    let mark = stage.login.mark();
    add_second(&stage, "podded-elsewhere");
    only(&mut daemon, "cluster podded-elsewhere");
    // What is wished for later is not written either: who knows which server this is?
    stage
        .place
        .write("second.yaml", &format!("{SECOND}---\n{}", elsewhere("podded-other")));
    stage.place.run(&["lock"]).exits(0);
    only(&mut daemon, "cluster podded-other");
    daemon.ends();

    // And one that starts with two.
    let mut daemon = start();
    only(&mut daemon, "cluster podded-other");
    daemon.ends();
    assert_eq!(stage.writes_since(mark), Vec::<String>::new());
    for cluster in ["podded-elsewhere", "podded-other"] {
        let namespace = format!("clusters-{cluster}");
        let got = stage.login.try_kubectl(&["get", "namespace", &namespace], "");
        assert!(!got.status.success(), "{namespace} is there");
    }

    // Who says which one it is means that.
    let mut daemon = Daemon::run(in_pod(
        &stage,
        &[&args[..], &SELDOM, &["--management-cluster", "m"]].concat(),
    ));
    in_sync(&stage, &mut daemon);
    daemon.ends();
}

#[test]
fn a_pod_needs_no_kubeconfig() {
    let Some(stage) = Stage::new("pod") else { return };
    let account = account(&stage);
    let run = |args: &[&str]| {
        let output = in_pod(&stage, args).output().expect("a run");
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    let (code, said) = run(&["apply", "--yes"]);
    assert_eq!(code, Some(0), "{said}");
    // The same server, by the kubeconfig.
    stage.is_settled();

    // Who names a kubeconfig or a context means that.
    let (code, said) = run(&["plan", "--context", "test"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("the kubeconfig gives no access by context `test`"),
        "{said}"
    );
    let (code, said) = run(&["plan", "--kubeconfig", "no-such-file"]);
    assert_eq!(code, Some(1), "{said}");

    // The token is read anew, and is in no error.
    std::fs::remove_file(account.join("token")).expect("a token");
    let (code, said) = run(&["plan"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(!said.contains(&stage.login.token), "{said}");

    stage.place.write("second.yaml", SECOND);
    let (code, said) = run(&["plan"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("only one of these can be meant: m, n"), "{said}");
}
