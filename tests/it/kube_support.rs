//! The test support itself: a server that counts wrong would make other tests prove nothing.

use std::process::Command;

use crate::support::{ApiServer, kubeconfig};

#[test]
fn the_server_serves_upstream_kinds_and_counts_each_users_requests() {
    let Some(server) = ApiServer::shared() else { return };
    let (login, other) = (server.login(), server.login());
    let kinds = login.kubectl(&["api-resources", "-o", "name"]);
    for kind in [
        "hostedclusters.hypershift.openshift.io",
        "nodepools.hypershift.openshift.io",
        "ociclusters.infrastructure.cluster.x-k8s.io",
        "machinedeployments.cluster.x-k8s.io",
    ] {
        assert!(kinds.lines().any(|line| line == kind), "{kind} is missing");
    }
    let (mark, all) = (login.mark(), server.mark());
    other.kubectl(&["get", "--raw", "/api/v1/namespaces/default"]);
    assert_eq!(login.requests_since(mark), []);
    login.kubectl(&["get", "--raw", "/api/v1/namespaces/default?pretty=true"]);
    assert_eq!(
        login.requests_since(mark),
        [("get".to_owned(), "/api/v1/namespaces/default?pretty=true".to_owned())]
    );
    let paths = |user: &str| {
        server
            .requests_since(all)
            .into_iter()
            .filter(|sent| sent.user == user)
            .count()
    };
    assert_eq!((paths(&login.user), paths(&other.user)), (1, 1));
}

#[test]
fn a_user_without_rights_reads_nothing() {
    let Some(server) = ApiServer::shared() else { return };
    let output = server.login_without_rights().try_kubectl(&["get", "namespaces"], "");
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("Forbidden"));
}

#[test]
fn a_dropped_server_is_gone_with_its_files_and_leaves_the_other_alone() {
    let (Some(shared), Some(mut own)) = (ApiServer::shared(), ApiServer::start_bare()) else {
        return;
    };
    let login = own.login();
    let path = shared.folder().join("two.kubeconfig");
    kubeconfig(&path, &[("own", &login), ("shared", &shared.login())]);
    let context = |name: &str| {
        let path = path.to_string_lossy();
        let output = login.try_kubectl(
            &["--kubeconfig", &path, "--context", name, "get", "--raw", "/readyz"],
            "",
        );
        output.status.success()
    };
    assert!(context("own") && context("shared"));
    own.end();
    assert!(!own.folder().exists());
    assert!(!context("own") && context("shared"));
}

/// Not a test of its own: what `servers_die_with_a_killed_test_process` runs as another process.
#[test]
#[ignore = "the victim of another test"]
fn victim() {
    let Some(server) = ApiServer::start_bare() else { return };
    println!("folder {}", server.folder().display());
    std::process::abort();
}

#[tokio::test]
async fn servers_die_with_an_aborted_test_process() {
    if ApiServer::shared().is_none() {
        return;
    }
    let me = std::env::current_exe().expect("this binary");
    let run = Command::new(me)
        .args(["--ignored", "--exact", "kube_support::victim", "--nocapture"])
        .output();
    let output = String::from_utf8_lossy(&run.expect("the victim runs").stdout).into_owned();
    let folder = output
        .split("folder ")
        .nth(1)
        .and_then(|rest| rest.lines().next())
        .expect("the victim's folder");
    // The keeper removes the folder when both processes are gone.
    let gone = async {
        while std::path::Path::new(folder).exists() {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), gone)
        .await
        .expect("the server ends with its process");
}
