//! The rights that `rbac` prints: with them all goes well, and without any one of them something doesn't.

mod lacking;
mod oci;
mod right;

use std::path::Path;
use std::sync::OnceLock;

use fleetwright::rights::plural::plural;
use serde_json::{Value, json};

use self::right::{rights, takes_effect};
use super::Stage;
use super::daemon::{Daemon, has_replicas};
use crate::fleet_support::repository;
use crate::support::{ApiServer, Login, kubeconfig};

/// A server that gives nobody anything by itself: on a usual one everybody who logs in may look at what it serves.
pub(super) fn server() -> Option<&'static ApiServer> {
    static SERVER: OnceLock<Option<ApiServer>> = OnceLock::new();
    let start = || {
        let server = ApiServer::start()?;
        let given = ["system:discovery", "system:basic-user", "system:public-info-viewer"];
        server
            .login()
            .kubectl(&[&["delete", "clusterrolebinding"], &given[..]].concat());
        let login = server.login();
        login.kubectl(&["create", "namespace", "fleetwright-system"]);
        let crds = repository("deploy/crds");
        login.kubectl(&["create", "-f", crds.to_str().expect("UTF-8")]);
        login.kubectl(&["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"]);
        Some(server)
    };
    SERVER.get_or_init(start).as_ref()
}

/// The clusters `NAME` and `NAME-two`, and a document of the management cluster.
fn stage(name: &str) -> Option<Stage> {
    let clusters = [name, &format!("{name}-two")];
    let stage = Stage::on(server()?.login(), name, "  limits: {deletes: 100}", &clusters);
    with_priority(&stage, true);
    Some(stage)
}

/// Has the management cluster want a PriorityClass of its own, or not.
fn with_priority(stage: &Stage, wanted: bool) {
    let name = &stage.name;
    let extra = format!(
        "  extraManifests: [{{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, metadata: {{name: {name}}}, value: 7}}]\n"
    );
    let path = stage.place.fleet().join("fleet.yaml");
    let fleet = std::fs::read_to_string(&path).expect("the fleet");
    let start = fleet.find("kind: ManagementCluster").expect("a management cluster");
    let end = start + fleet[start..].find("---").expect("another document");
    let management = format!(
        "kind: ManagementCluster\nmetadata: {{name: m}}\nspec:\n  region: us-ashburn-1\n  context: test\n  dialect: none\n  \
         nodePortAddress: api.{name}.example\n{}",
        if wanted { &extra } else { "" }
    );
    std::fs::write(path, format!("{}{management}{}", &fleet[..start], &fleet[end..])).expect("the fleet");
}

fn print(stage: &Stage, more: &[&str]) -> String {
    stage.place.run(&[&["rbac"], more].concat()).exits(0).stdout
}

/// A service account's login, as a pod has it.
fn account(stage: &Stage, namespace: &str, name: &str) -> Login {
    let admin = &stage.login;
    admin.kubectl(&["create", "serviceaccount", name, "-n", namespace]);
    let mut login = admin.clone();
    login.user = format!("system:serviceaccount:{namespace}:{name}");
    login.token = admin
        .kubectl(&["create", "token", name, "-n", namespace])
        .trim()
        .to_owned();
    login.kubeconfig = stage.place.path().join(format!("{name}.kubeconfig"));
    kubeconfig(&login.kubeconfig, &[("test", &login)]);
    login
}

/// Does something as somebody else.
fn acting<T>(stage: &mut Stage, kubeconfig: &Path, act: impl FnOnce(&Stage) -> T) -> T {
    let own = std::mem::replace(&mut stage.login.kubeconfig, kubeconfig.to_owned());
    let result = act(stage);
    stage.login.kubeconfig = own;
    result
}

#[test]
fn rules_name_kinds_as_servers_do() {
    let Some(server) = server() else { return };
    let listed = server.login().kubectl(&["api-resources", "--no-headers"]);
    let mut seen = 0;
    for line in listed.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (name, kind) = (words[0], words[words.len() - 1]);
        assert_eq!(plural(kind), name, "{line}");
        seen += 1;
    }
    assert!(seen > 70, "{listed}");
}

#[test]
fn with_the_printed_rights_a_fleet_is_applied_and_kept() {
    let Some(mut stage) = stage("least") else { return };
    let admin = stage.login.clone();
    let admin = &admin;
    let printed = print(&stage, &["--service-account", "fleetwright-system/least"]);
    admin.kubectl_in(&["apply", "-f", "-"], &printed);
    let login = account(&stage, "fleetwright-system", "least");
    let has: Vec<(Value, bool)> = rights(&printed)
        .iter()
        .map(|right| (right.question(&login.user), true))
        .collect();
    takes_effect(admin, &has);
    assert!(!printed.contains('*'), "a right without bounds:\n{printed}");

    let mut daemon = acting(&mut stage, &login.kubeconfig, |stage| {
        stage.run(&["plan"]).exits(0);
        stage.run(&["apply", "--yes"]).exits(0);
        stage.is_settled();
        Daemon::start(stage, &[])
    });
    daemon.says(&["every unit has been looked at"]);
    assert_eq!(daemon.status()["notFollowed"], json!({}), "{}", daemon.status());
    stage.kubectl("least", &["scale", "nodepool", "least-a", "--replicas=9"]);
    has_replicas(&stage, "least-a", 2);
    stage.cluster("least", &["a: {profile: general, replicas: 6}"]);
    stage.kubectl(
        "least",
        &["wait", "nodepool", "least-b", "--for=delete", "--timeout=120s"],
    );
    has_replicas(&stage, "least-a", 6);
    daemon.ends();
    acting(&mut stage, &login.kubeconfig, |stage| stage.is_settled());

    // Who may only look, and is somebody else, can do just that.
    let looking = print(
        &stage,
        &["--read-only", "--service-account", "fleetwright-system/looker"],
    );
    admin.kubectl_in(&["apply", "-f", "-"], &looking);
    let looker = account(&stage, "fleetwright-system", "looker");
    let has: Vec<(Value, bool)> = rights(&looking)
        .iter()
        .map(|right| (right.question(&looker.user), true))
        .collect();
    takes_effect(admin, &has);
    for right in rights(&looking) {
        assert!(
            ["get", "list"].contains(&right.verb.as_str()) || right.is("selfsubjectaccessreviews", "create"),
            "{right:?}"
        );
    }
    stage.cluster("least", &["a: {profile: general, replicas: 4}"]);
    acting(&mut stage, &looker.kubeconfig, |stage| {
        let planned = stage.run(&["plan", "--detailed-exitcode"]).exits(2);
        assert!(planned.stdout.contains("least-a"), "{}", planned.stdout);
        let applied = stage.run(&["apply", "--yes"]).exits(1);
        assert!(applied.stderr.contains("no right to"), "{}", applied.stderr);
    });
}
