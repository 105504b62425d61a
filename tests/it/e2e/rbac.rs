//! The rights that `rbac` prints: with them all goes well, and without any one of them something doesn't.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde::Deserialize as _;
use serde_json::{Value, json};

use super::daemon::{Daemon, has_replicas};
use super::{Stage, list, text};
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
        server.login().kubectl(&["create", "namespace", "fleetwright-system"]);
        Some(server)
    };
    SERVER.get_or_init(start).as_ref()
}

/// The clusters `NAME` and `NAME-two`, and a document of the management cluster.
fn stage(name: &str) -> Option<Stage> {
    let stage = Stage::on(
        server()?.login(),
        name,
        "  limits: {deletes: 100}",
        &[name, &format!("{name}-two")],
    );
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

fn documents(text: &str) -> Vec<Value> {
    serde_yaml::Deserializer::from_str(text)
        .map(|document| Value::deserialize(document).expect("YAML"))
        .collect()
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

/// One right, as RBAC has it: a rule of one verb on one resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Right {
    namespace: Option<String>,
    group: String,
    resource: String,
    name: Option<String>,
    verb: String,
}

impl Right {
    fn is(&self, resource: &str, verb: &str) -> bool {
        self.resource == resource && self.verb == verb
    }

    fn rule(&self) -> Value {
        if self.resource.starts_with('/') {
            return json!({"nonResourceURLs": [self.resource], "verbs": [self.verb]});
        }
        let mut rule = json!({"apiGroups": [self.group], "resources": [self.resource], "verbs": [self.verb]});
        if let Some(name) = &self.name {
            rule["resourceNames"] = json!([name]);
        }
        rule
    }

    /// Asks whether a user has it.
    fn question(&self, user: &str) -> Value {
        let mut spec = json!({"user": user});
        if self.resource.starts_with('/') {
            spec["nonResourceAttributes"] = json!({"path": self.resource, "verb": self.verb});
        } else {
            spec["resourceAttributes"] = json!({"group": self.group, "resource": self.resource, "verb": self.verb,
                "namespace": self.namespace.as_deref().unwrap_or_default(), "name": self.name.as_deref().unwrap_or_default()});
        }
        json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec})
    }
}

/// What printed roles come to.
fn rights(printed: &str) -> Vec<Right> {
    let mut rights = BTreeSet::new();
    let strings = |value: &Value| -> Vec<String> {
        value
            .as_array()
            .map_or_else(Vec::new, |all| all.iter().map(text).collect())
    };
    for role in documents(printed).iter().filter(|d| d["rules"].is_array()) {
        for rule in list(&role["rules"]) {
            let resources = [strings(&rule["resources"]), strings(&rule["nonResourceURLs"])].concat();
            let groups = strings(&rule["apiGroups"]);
            let mut names: Vec<Option<String>> = strings(&rule["resourceNames"]).into_iter().map(Some).collect();
            if names.is_empty() {
                names.push(None);
            }
            for (resource, name) in resources.iter().flat_map(|r| names.iter().map(move |n| (r, n))) {
                for verb in strings(&rule["verbs"]) {
                    rights.insert(Right {
                        namespace: role["metadata"]["namespace"].as_str().map(str::to_owned),
                        group: groups.first().cloned().unwrap_or_default(),
                        resource: resource.clone(),
                        name: name.clone(),
                        verb,
                    });
                }
            }
        }
    }
    rights.into_iter().collect()
}

/// Roles and bindings that give a user just these.
fn bound(user: &str, rights: &[&Right]) -> Vec<Value> {
    let places: BTreeSet<&Option<String>> = rights.iter().map(|right| &right.namespace).collect();
    let place = |namespace: &Option<String>| {
        let rules: Vec<Value> = rights
            .iter()
            .filter(|right| right.namespace == *namespace)
            .map(|right| right.rule())
            .collect();
        let kind = if namespace.is_some() { "Role" } else { "ClusterRole" };
        let metadata = json!({"name": user, "namespace": namespace});
        let api = "rbac.authorization.k8s.io/v1";
        [
            json!({"apiVersion": api, "kind": kind, "metadata": metadata, "rules": rules}),
            json!({"apiVersion": api, "kind": format!("{kind}Binding"), "metadata": metadata,
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": user},
                "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}]}),
        ]
    };
    places.into_iter().flat_map(place).collect()
}

fn create(login: &Login, documents: &[Value], more: &[&str]) -> String {
    let all: String = documents.iter().fold(String::new(), |mut all, document| {
        writeln!(all, "---\n{document}").expect("a line");
        all
    });
    let args = [&["create", "--validate=false", "-f", "-"], more].concat();
    login.kubectl_in(&args, &all)
}

/// Waits until the server goes by what it was told: it hears of its own rules with a delay.
fn takes_effect(login: &Login, questions: &[(Value, bool)]) {
    let all: Vec<Value> = questions.iter().map(|(question, _)| question.clone()).collect();
    let expected: Vec<String> = questions.iter().map(|(_, answer)| answer.to_string()).collect();
    let form = ["-o", "jsonpath={.status.allowed}{\"\\n\"}"];
    for _ in 0..600 {
        let answers = create(login, &all, &form);
        if answers.lines().eq(expected.iter().map(String::as_str)) {
            return;
        }
    }
    panic!("the rules have not taken effect");
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

/// A user who has all rights but one.
struct Without {
    right: Right,
    kubeconfig: PathBuf,
}

/// Users for all rights; they are the administrator, who speaks for somebody else.
fn without_each(stage: &Stage, rights: &[Right]) -> Vec<Without> {
    let mut documents = Vec::new();
    let mut questions = Vec::new();
    let mut users = Vec::new();
    for (i, right) in rights.iter().enumerate() {
        let user = format!("{}-without-{i}", stage.name);
        let others: Vec<&Right> = rights.iter().filter(|other| *other != right).collect();
        documents.extend(bound(&user, &others));
        questions.push((right.question(&user), false));
        questions.extend(others.last().map(|last| (last.question(&user), true)));
        let path = stage.place.path().join(format!("{user}.kubeconfig"));
        let text = std::fs::read_to_string(&stage.login.kubeconfig).expect("a kubeconfig");
        let mut config: Value = serde_json::from_str(&text).expect("JSON");
        config["users"][0]["user"]["as"] = json!(user);
        std::fs::write(&path, config.to_string()).expect("a kubeconfig");
        users.push(Without {
            right: right.clone(),
            kubeconfig: path,
        });
    }
    create(&stage.login, &documents, &[]);
    takes_effect(&stage.login, &questions);
    users
}

/// Runs the program without a right, which it must say.
#[track_caller]
fn misses(stage: &Stage, without: &Without, args: &[&str], words: &[&str]) {
    let kubeconfig = without.kubeconfig.to_str().expect("UTF-8");
    // Schemas are kept from one run to the next, and asked for by nobody who has them.
    std::fs::remove_dir_all(stage.place.path().join(".cache")).ok();
    let ran = super::shown(args, stage.place.run(&[args, &["--kubeconfig", kubeconfig]].concat()));
    let said = format!("{}{}", ran.stdout, ran.stderr);
    let found = words.iter().any(|word| said.contains(word));
    assert!(found, "without {:?} nothing is said of it ({words:?})", without.right);
}

const LACKS: &[&str] = &["no right to", "says 403"];

#[test]
fn without_any_one_of_them_something_fails() {
    let Some(mut stage) = stage("lacking") else { return };
    let rights = rights(&print(&stage, &[]));
    let mut left = without_each(&stage, &rights);
    let mut take =
        |chosen: &dyn Fn(&Right) -> bool| -> Vec<Without> { left.extract_if(.., |w| chosen(&w.right)).collect() };
    let login = &stage.login.clone();

    // Nothing of the fleet is there yet, so that each object is looked for by its name.
    let looks = take(&|right| {
        let on_start = right.resource.starts_with('/') && right.resource != "/version";
        on_start
            || right.verb == "list"
            || (right.verb == "get" && ["namespaces", "priorityclasses"].contains(&right.resource.as_str()))
    });
    assert!(looks.len() >= 10, "{}", looks.len());
    for without in &looks {
        misses(&stage, without, &["plan"], LACKS);
    }

    // Made step by step: the record first, the namespace next.
    let first = take(&|right| right.is("configmaps", "create"));
    let namespaces =
        take(&|right| right.resource == "namespaces" && ["create", "patch"].contains(&right.verb.as_str()));
    for without in first.iter().chain(&namespaces) {
        misses(&stage, without, &["apply", "--yes"], LACKS);
    }
    let made =
        take(&|right| ["create", "patch"].contains(&right.verb.as_str()) && right.group != "authorization.k8s.io");
    for without in &made {
        let space = super::namespace("lacking");
        login.try_kubectl(
            &["delete", "-n", &space, "--all", "nodepools,hostedclusters,secrets"],
            "",
        );
        login.try_kubectl(&["delete", "priorityclass", "lacking"], "");
        misses(&stage, without, &["apply", "--yes"], LACKS);
    }

    // In a namespace that is there, what is missing is looked for by its name.
    let space = super::namespace("lacking");
    login.kubectl(&["delete", "-n", &space, "--all", "nodepools,hostedclusters,secrets"]);
    let named = ["nodepools", "hostedclusters", "secrets"];
    for without in take(&|right| right.verb == "get" && named.contains(&right.resource.as_str())) {
        misses(&stage, &without, &["plan"], LACKS);
    }

    stage.run(&["apply", "--yes"]).exits(0);
    for without in take(&|right| right.is("configmaps", "update")) {
        stage.kubectl("lacking", &["delete", "nodepool", "lacking-b"]);
        misses(&stage, &without, &["apply", "--yes"], LACKS);
    }
    stage.run(&["apply", "--yes"]).exits(0);

    for without in take(&|right| right.is("configmaps", "delete") || right.is("priorityclasses", "delete")) {
        with_priority(&stage, false);
        misses(&stage, &without, &["apply", "--yes"], LACKS);
        with_priority(&stage, true);
        stage.run(&["apply", "--yes"]).exits(0);
    }
    for without in take(&|right| right.is("configmaps", "get")) {
        with_priority(&stage, false);
        let mut daemon = acting(&mut stage, &without.kubeconfig, |stage| Daemon::start(stage, &[]));
        daemon.says(&["the ledger of deletes on m can't be used"]);
        daemon.ends();
        with_priority(&stage, true);
    }

    // Followed kinds are told one by one: one user stands for all who lack a watch.
    let watches = take(&|right| right.verb == "watch");
    let others: Vec<&Right> = rights.iter().filter(|right| right.verb != "watch").collect();
    create(login, &bound("lacking-watches", &others), &[]);
    let mut questions: Vec<(Value, bool)> = Vec::new();
    questions.extend(others.iter().map(|right| (right.question("lacking-watches"), true)));
    takes_effect(login, &questions);
    let path = stage.place.path().join("watches.kubeconfig");
    let config = std::fs::read_to_string(&watches[0].kubeconfig).expect("a kubeconfig");
    let user = format!(
        "\"as\":\"{}\"",
        watches[0]
            .kubeconfig
            .file_stem()
            .and_then(|s| s.to_str())
            .expect("a name")
    );
    assert!(config.contains(&user), "{config}");
    std::fs::write(&path, config.replace(&user, "\"as\":\"lacking-watches\"")).expect("a kubeconfig");
    let mut daemon = acting(&mut stage, &path, |stage| Daemon::start(stage, &["--verbose"]));
    for _ in &watches {
        daemon.says(&["a watch ended", "403"]);
    }
    let told = daemon.status()["notFollowed"].as_object().expect("a map").len();
    assert_eq!(told, watches.len(), "{}", daemon.status());
    daemon.ends();

    stage.without_cluster("lacking-two");
    let more = "  limits: {deletes: 100}\n  decommission: [{cluster: lacking-two, reason: a test}]";
    // Each time a little further: what was deleted stays so.
    for resource in ["nodepools", "hostedclusters", "secrets", "namespaces"] {
        for without in take(&|right| right.is(resource, "delete")) {
            stage.fleet(more);
            misses(&stage, &without, &["apply", "--yes"], LACKS);
        }
    }
    for without in take(&|right| right.is("selfsubjectaccessreviews", "create") || right.is("/version", "get")) {
        misses(&stage, &without, &["doctor"], LACKS);
    }
    let rest: Vec<&Right> = left.iter().map(|without| &without.right).collect();
    assert!(rest.is_empty(), "rights that no call needs: {rest:?}");
}
