//! What the daemon tells in the cluster, and what people ask of it there, on a real API server.

use std::sync::OnceLock;

use serde_json::Value;

use super::daemon::{Daemon, has_replicas};
use super::{FLEET, Stage, text};
use crate::fleet_support::repository;
use crate::support::ApiServer;

pub(super) const NAMESPACE: &str = "fleetwright-system";

/// Installs the CRDs.
pub(super) fn install(stage: &Stage) {
    let crds = repository("deploy/crds");
    stage.login.kubectl(&["apply", "-f", crds.to_str().expect("UTF-8")]);
    let names = ["crd/clustersyncs.fleetwright.dev", "crd/fleetstatuses.fleetwright.dev"];
    let established = ["wait", "--for=condition=Established", "--timeout=60s"];
    stage.login.kubectl(&[&established[..], &names].concat());
}

/// A stage on the server that all tests share, with the CRDs.
pub(super) fn installed(name: &str) -> Option<Stage> {
    let stage = Stage::new(name)?;
    with_crds(&stage);
    Some(stage)
}

/// Has the shared server have them.
pub(super) fn with_crds(stage: &Stage) {
    static INSTALLED: OnceLock<()> = OnceLock::new();
    INSTALLED.get_or_init(|| install(stage));
}

/// Pools `a` and `b` of the stage's cluster, so many nodes each.
pub(super) fn pools(stage: &Stage, a: u32, b: u32) {
    let pool = |name: &str, replicas| format!("{name}: {{profile: general, replicas: {replicas}}}");
    stage.cluster(&stage.name, &[&pool("a", a), &pool("b", b)]);
}

/// Waits until the ClusterSync of the stage's cluster has a value at a path.
#[track_caller]
pub(super) fn says(stage: &Stage, path: &str, value: &str) {
    let name = object(stage);
    let there = [
        "wait",
        "clustersync",
        &name,
        "--for=create",
        "--timeout=120s",
        "-n",
        NAMESPACE,
    ];
    stage.login.kubectl(&there);
    let condition = format!("--for=jsonpath={{{path}}}={value}");
    let said = [
        "wait",
        "clustersync",
        &name,
        &condition,
        "--timeout=120s",
        "-n",
        NAMESPACE,
    ];
    stage.login.kubectl(&said);
}

/// The name of the cluster's ClusterSync.
fn object(stage: &Stage) -> String {
    format!("{0}.{0}", stage.name)
}

pub(super) fn cluster_sync(stage: &Stage) -> Value {
    stage.login.get(&["clustersync", &object(stage), "-n", NAMESPACE])
}

fn condition<'a>(object: &'a Value, kind: &str) -> &'a Value {
    let all = object["status"]["conditions"].as_array().expect("conditions");
    all.iter()
        .find(|condition| condition["type"] == kind)
        .unwrap_or_else(|| panic!("no {kind}: {object}"))
}

/// Reasons of the Events about an object.
pub(super) fn events(stage: &Stage, name: &str) -> Vec<String> {
    let all = stage.login.get(&["events.events.k8s.io", "-n", NAMESPACE]);
    let about = super::list(&all["items"])
        .iter()
        .filter(|event| event["regarding"]["name"] == name);
    about.map(|event| text(&event["reason"])).collect()
}

#[test]
fn kubectl_tells_drift_since_when_and_by_whom_and_a_restart_keeps_that() {
    let Some(stage) = installed("told") else { return };
    let daemon = Daemon::start(&stage, &["--drift", "report"]);
    says(&stage, ".status.state", "InSync");
    let quiet = cluster_sync(&stage);
    assert_eq!(condition(&quiet, "Ready")["status"], "True", "{quiet}");
    assert_eq!(quiet["status"]["environment"], "dev");
    assert!(quiet["status"]["inventory"]["objects"].as_i64() > Some(2), "{quiet}");
    assert_eq!(quiet["status"]["observedRevision"], daemon.status()["revision"]);

    stage.kubectl("told", &["scale", "nodepool", "told-a", "--replicas=9"]);
    says(&stage, ".status.state", "Drifted");
    let drifted = cluster_sync(&stage);
    assert_eq!(condition(&drifted, "Drifted")["status"], "True", "{drifted}");
    let moved = &drifted["status"]["drift"]["objects"][0];
    assert_eq!(moved["object"], "NodePool clusters-told/told-a");
    assert_eq!(moved["fields"][0]["field"], ".spec.replicas");
    assert_eq!(moved["fields"][0]["manager"], "kubectl", "{moved}");
    let table = stage.login.kubectl(&["get", "clustersync", "-n", NAMESPACE]);
    let line = table
        .lines()
        .find(|line| line.starts_with("told.told"))
        .expect("a line");
    assert!(line.contains("Drifted") && line.contains("False"), "{table}");
    assert!(events(&stage, "told.told").contains(&"DriftFound".to_owned()));

    // Another run knows since when.
    daemon.ends();
    let daemon = Daemon::start(&stage, &["--drift", "report"]);
    stage.kubectl("told", &["scale", "nodepool", "told-b", "--replicas=8"]);
    says(&stage, ".status.drift.count", "2");
    let later = cluster_sync(&stage);
    let kept = super::list(&later["status"]["drift"]["objects"])
        .iter()
        .find(|object| object["object"] == moved["object"])
        .expect("the first");
    assert_eq!(kept["since"], moved["since"]);
    let turned = |object: &Value| condition(object, "Drifted")["lastTransitionTime"].clone();
    assert_eq!(turned(&later), turned(&drifted));

    let fleet = stage.login.get(&["fleetstatus", "told", "-n", NAMESPACE]);
    assert_eq!(fleet["status"]["revision"], daemon.status()["revision"], "{fleet}");
    daemon.ends();
}

/// Replicas of a pool, as its spec has them.
fn replicas(stage: &Stage, pool: &str) -> i64 {
    let pool = stage.get(&stage.name, "nodepool", pool);
    pool["spec"]["replicas"].as_i64().expect("a number")
}

#[test]
fn a_suspended_cluster_is_reported_and_not_written_until_it_is_resumed() {
    let Some(stage) = installed("halted") else { return };
    let daemon = Daemon::start(&stage, &[]);
    says(&stage, ".status.state", "InSync");
    let ran = stage.run(&["suspend", "halted", "--reason", "a freeze"]).exits(0);
    assert!(
        ran.stdout
            .contains("cluster halted is suspended until resumed: a freeze"),
        "{}",
        ran.stdout
    );
    says(&stage, ".status.state", "Suspended");
    let quiet = cluster_sync(&stage);
    assert_eq!(condition(&quiet, "Suspended")["status"], "True", "{quiet}");
    assert_eq!(condition(&quiet, "Ready")["status"], "True", "nothing waits: {quiet}");

    // Drift and a commit both wait.
    stage.kubectl("halted", &["scale", "nodepool", "halted-a", "--replicas=9"]);
    says(&stage, ".status.drift.count", "1");
    let mark = stage.login.mark();
    pools(&stage, 2, 4);
    says(&stage, ".status.pending.count", "2");
    let waiting = cluster_sync(&stage);
    assert_eq!(condition(&waiting, "Ready")["status"], "False", "{waiting}");
    assert_eq!(waiting["status"]["suspension"]["reason"], "a freeze");
    // Another look makes no difference, nor does a hand that was not told.
    stage.run(&["reconcile", "halted"]).exits(3);
    let ran = stage.run(&["apply", "--yes"]).exits(3);
    assert!(ran.stdout.contains("--even-suspended"), "{}", ran.stdout);
    assert_eq!((replicas(&stage, "halted-a"), replicas(&stage, "halted-b")), (9, 3));
    assert_eq!(stage.writes_since(mark), Vec::<String>::new());
    let status = stage.run(&["status", "-o", "json"]).exits(0).json();
    assert_eq!(status["clusters"][0]["suspension"]["reason"], "a freeze", "{status}");
    assert_eq!(status["clusters"][0]["sync"]["state"], "Suspended", "{status}");

    let ran = stage.run(&["resume", "halted"]).exits(0);
    assert!(ran.stdout.contains("nothing of that is suspended"), "{}", ran.stdout);
    has_replicas(&stage, "halted-a", 2);
    has_replicas(&stage, "halted-b", 4);
    says(&stage, ".status.state", "InSync");

    // What nobody can understand is no leave to write.
    let tomorrow = "fleetwright.dev/suspended-until=tomorrow";
    let annotate = ["annotate", "clustersync", "halted.halted", tomorrow, "-n", NAMESPACE];
    stage.login.kubectl(&annotate);
    says(&stage, ".status.state", "Suspended");
    stage.kubectl("halted", &["scale", "nodepool", "halted-a", "--replicas=8"]);
    says(&stage, ".status.drift.count", "1");
    assert_eq!(replicas(&stage, "halted-a"), 8);
    stage.run(&["resume", "halted"]).exits(0);
    has_replicas(&stage, "halted-a", 2);
    let told = events(&stage, "halted.halted");
    for reason in ["Suspended", "Resumed", "Applied", "DriftMended"] {
        assert!(told.contains(&reason.to_owned()), "{reason}: {told:?}");
    }
    daemon.ends();
}

#[test]
fn a_suspension_of_the_fleet_ends_by_itself() {
    let Some(stage) = installed("paused") else { return };
    let daemon = Daemon::start(&stage, &[]);
    says(&stage, ".status.state", "InSync");
    stage
        .run(&["suspend", "--reason", "a change of shift", "--for", "20s"])
        .exits(0);
    says(&stage, ".status.state", "Suspended");
    stage.kubectl("paused", &["scale", "nodepool", "paused-a", "--replicas=9"]);
    says(&stage, ".status.drift.count", "1");
    assert_eq!(replicas(&stage, "paused-a"), 9);
    has_replicas(&stage, "paused-a", 2);
    says(&stage, ".status.state", "InSync");
    daemon.ends();
}

#[test]
fn the_files_suspend_an_environment_and_only_a_commit_resumes_it() {
    let Some(stage) = installed("frozen") else { return };
    let daemon = Daemon::start(&stage, &[]);
    says(&stage, ".status.state", "InSync");
    let fleet = FLEET.replace("NAME", "frozen").replace("MORE", "");
    let suspended = "{availability: single, suspend: {reason: end of year, until: 2999-01-31T00:00:00Z}}";
    stage
        .place
        .write("fleet.yaml", &fleet.replace("{availability: single}", suspended));
    says(&stage, ".status.state", "Suspended");
    pools(&stage, 5, 3);
    says(&stage, ".status.pending.count", "1");
    let waiting = cluster_sync(&stage);
    let by = text(&waiting["status"]["suspension"]["by"]);
    assert!(by.starts_with("fleet.yaml:"), "{waiting}");
    assert_eq!(replicas(&stage, "frozen-a"), 2);
    let ran = stage.run(&["resume", "--environment", "dev"]).exits(0);
    assert!(
        ran.stdout
            .contains("is suspended until 2999-01-31T00:00:00Z: end of year"),
        "{}",
        ran.stdout
    );
    let ran = stage.place.run(&["explain", "frozen", "suspend"]).exits(0);
    assert!(ran.stdout.contains("(Environment)"), "{}", ran.stdout);
    // A hand that says so goes ahead.
    stage.run(&["apply", "--yes", "--even-suspended"]).exits(0);
    has_replicas(&stage, "frozen-a", 5);
    pools(&stage, 6, 3);
    says(&stage, ".status.pending.count", "1");
    stage.place.write("fleet.yaml", &fleet);
    has_replicas(&stage, "frozen-a", 6);
    daemon.ends();
}

#[test]
fn a_request_is_answered_at_once_and_from_the_newest_commit() {
    let Some(stage) = installed("requested") else { return };
    let daemon = Daemon::start(&stage, &["--poll", "1h"]);
    says(&stage, ".status.state", "InSync");
    pools(&stage, 7, 3);
    let ran = stage.run(&["reconcile", "requested"]).exits(0);
    assert!(ran.stdout.contains("InSync"), "{}", ran.stdout);
    assert_eq!(replicas(&stage, "requested-a"), 7);
    let answered = cluster_sync(&stage);
    let annotation = &answered["metadata"]["annotations"]["fleetwright.dev/reconcile-requested-at"];
    assert_eq!(&answered["status"]["lastHandledReconcileAt"], annotation, "{answered}");

    pools(&stage, 8, 3);
    let ran = stage.run(&["reconcile"]).exits(0);
    assert!(
        ran.stdout.contains("of 2 units in sync") || ran.stdout.contains("of 1 units in sync"),
        "{}",
        ran.stdout
    );
    assert_eq!(replicas(&stage, "requested-a"), 8);
    daemon.ends();
    let ran = stage.run(&["reconcile", "requested", "--timeout", "1s"]).exits(1);
    assert!(ran.stdout.contains("no answer within 1s"), "{}", ran.stdout);
    stage.run(&["reconcile", "requested", "--no-wait"]).exits(0);
}

#[test]
fn a_refusal_is_told_and_a_unit_that_went_is_told_of_no_more() {
    let Some(stage) = installed("leaving") else { return };
    let daemon = Daemon::start(&stage, &[]);
    says(&stage, ".status.state", "InSync");
    stage.without_cluster("leaving");
    stage.place.run(&["lock"]).exits(0);
    says(&stage, ".status.state", "Refused");
    let refused = cluster_sync(&stage);
    assert_eq!(condition(&refused, "Stalled")["status"], "True", "{refused}");
    assert_eq!(
        refused["status"]["environment"], "dev",
        "what left the files keeps its environment"
    );
    assert!(events(&stage, "leaving.leaving").contains(&"Refused".to_owned()));

    stage.fleet("  limits: {deletes: 50}\n  decommission: [{cluster: leaving, reason: moved}]");
    let begun = "--for=jsonpath={.status.phase}=Terminating";
    stage
        .login
        .kubectl(&["wait", "namespace", "clusters-leaving", begun, "--timeout=120s"]);
    // What the namespace controller does, of which there is none here.
    let finalized = serde_json::json!({"apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": "clusters-leaving"}, "spec": {"finalizers": []}});
    let path = "/api/v1/namespaces/clusters-leaving/finalize";
    stage
        .login
        .kubectl_in(&["replace", "--raw", path, "-f", "-"], &finalized.to_string());
    let gone = [
        "wait",
        "clustersync",
        &object(&stage),
        "--for=delete",
        "--timeout=120s",
        "-n",
        NAMESPACE,
    ];
    stage.login.kubectl(&gone);
    assert!(!stage.is_there("leaving", "hostedcluster", "leaving"));
    daemon.ends();
}

#[test]
fn a_cap_on_nodes_is_waited_for_visibly_and_lifted_by_what_the_plan_says() {
    let Some(stage) = installed("rolls") else { return };
    stage.fleet("  limits: {disruptedNodes: 1}");
    let mut daemon = Daemon::start(&stage, &[]);
    says(&stage, ".status.state", "InSync");
    stage.cluster(
        "rolls",
        &[
            "a: {profile: general, config: [kubelet]}",
            "b: {profile: general, replicas: 3}",
        ],
    );
    says(&stage, ".status.state", "Refused");
    let refused = cluster_sync(&stage);
    let stalled = condition(&refused, "Stalled");
    assert_eq!(stalled["status"], "True", "{refused}");
    assert!(text(&stalled["message"]).contains("2 nodes; the cap is 1"), "{stalled}");
    daemon.says(&["refused", "cluster rolls", "the cap is 1"]);
    assert!(stage.get("rolls", "nodepool", "rolls-a")["spec"]["config"].is_null());

    stage.fleet("  limits: {disruptedNodes: 2}");
    says(&stage, ".status.state", "InSync");
    stage.is_settled();
    daemon.ends();
}

#[test]
fn who_cannot_read_whether_it_is_suspended_writes_nothing() {
    let Some(stage) = installed("unread") else { return };
    let user = ApiServer::shared().expect("the server").login_without_rights();
    let groups = "apiGroups: [\"\", hypershift.openshift.io, coordination.k8s.io], resources: [\"*\"], verbs: [\"*\"]";
    let role = format!(
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {{name: unread}}\n\
         rules: [{{{groups}}}]\n---\n\
         apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {{name: unread}}\n\
         roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: unread}}\n\
         subjects: [{{kind: User, name: {}}}]\n",
        user.user
    );
    stage.login.kubectl_in(&["apply", "-f", "-"], &role);
    let kubeconfig = user.kubeconfig.to_str().expect("UTF-8");
    let apply = ["apply", "--yes", "--kubeconfig", kubeconfig];
    let ran = stage.place.run(&apply).exits(3);
    let why = "it can't be read from m whether it is suspended: no right to list clustersyncs";
    assert!(ran.stdout.contains(why), "{}", ran.stdout);
    assert!(!stage.is_there("unread", "hostedcluster", "unread"));
    stage.place.run(&[&apply[..], &["--even-suspended"]].concat()).exits(0);
    assert!(stage.is_there("unread", "hostedcluster", "unread"));
}

#[test]
fn without_the_crds_all_goes_on_and_when_they_come_they_are_used() {
    let Some(server) = ApiServer::start() else { return };
    let stage = Stage::on(server.login(), "bare", "", &["bare"]);
    let mut daemon = Daemon::start(&stage, &[]);
    daemon.says(&["ClusterSync and FleetStatus are not written", "not installed"]);
    daemon.says(&["looked at", "cluster bare", "in sync"]);
    has_replicas(&stage, "bare-b", 3);
    stage.run(&["status"]).exits(0);
    let ran = stage.run(&["suspend", "bare", "--reason", "a freeze"]).exits(1);
    assert!(ran.stderr.contains("deploy/crds"), "{}", ran.stderr);
    install(&stage);
    says(&stage, ".status.state", "InSync");
    stage.run(&["suspend", "bare", "--reason", "a freeze"]).exits(0);
    says(&stage, ".status.state", "Suspended");
    daemon.ends();
}
