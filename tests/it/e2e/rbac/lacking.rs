//! Without any one right something fails, or says what it lacks.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use fleetwright::resource::INHABITANTS;
use serde_json::{Value, json};

use super::right::{Right, bound, create, rights, takes_effect};
use super::{acting, print, stage, with_priority};
use crate::e2e::daemon::{Daemon, has_replicas};
use crate::e2e::sync::events;
use crate::e2e::{Stage, list, namespace, shown, text};

/// A user who has all rights but one.
pub(super) struct Without {
    right: Right,
    kubeconfig: PathBuf,
}

/// The users that nothing was shown of yet.
pub(super) struct Lacking {
    stage: Stage,
    rights: Vec<Right>,
    left: Vec<Without>,
}

const LACKS: &[&str] = &["no right to", "says 403"];
pub(super) const APPLY: &[&str] = &["apply", "--yes"];
/// What is waited for comes far sooner.
const CEILING: Duration = Duration::from_secs(120);
const HOME: &str = "fleetwright-system";
/// Kinds of the fleet in a namespace.
const INSIDE: [&str; 3] = ["nodepools", "hostedclusters", "secrets"];
const SYNCS: [&str; 2] = ["clustersyncs", "fleetstatuses"];

impl Lacking {
    /// One user for each right that is chosen, who has all others. They are the administrator, who speaks for somebody else.
    pub(super) fn new(stage: Stage, chosen: impl Fn(&Right) -> bool) -> Self {
        let rights = rights(&print(&stage, &[]));
        let mut documents = Vec::new();
        let mut questions = Vec::new();
        let mut left = Vec::new();
        for (i, right) in rights.iter().enumerate().filter(|(_, right)| chosen(right)) {
            let user = format!("{}-without-{i}", stage.name);
            let others: Vec<&Right> = rights.iter().filter(|other| *other != right).collect();
            documents.extend(bound(&user, &others));
            questions.push((right.question(&user), false));
            questions.extend(others.last().map(|last| (last.question(&user), true)));
            left.push(Without {
                right: right.clone(),
                kubeconfig: kubeconfig(&stage, &user),
            });
        }
        create(&stage.login, &documents, &[]);
        takes_effect(&stage.login, &questions);
        Self { stage, rights, left }
    }

    /// Those of which nothing was shown.
    pub(super) fn rest(&self) -> Vec<&Right> {
        self.left.iter().map(|without| &without.right).collect()
    }

    fn take(&mut self, chosen: impl Fn(&Right) -> bool) -> Vec<Without> {
        self.left.extract_if(.., |without| chosen(&without.right)).collect()
    }

    /// Runs the program without each of some rights, which it must say; makes things ready before.
    #[track_caller]
    pub(super) fn miss(&mut self, args: &[&str], chosen: impl Fn(&Right) -> bool, ready: impl Fn(&Stage)) {
        let chosen = self.take(chosen);
        assert!(!chosen.is_empty(), "no such right for {args:?}");
        for Without { right, kubeconfig } in chosen {
            ready(&self.stage);
            // Schemas are kept from one run to the next, and asked for by nobody who has them.
            std::fs::remove_dir_all(self.stage.place.path().join(".cache")).ok();
            let ran = acting(&mut self.stage, &kubeconfig, |stage| stage.place.run(&stage.args(args)));
            let ran = shown(args, ran);
            let said = format!("{}{}", ran.stdout, ran.stderr);
            assert!(
                LACKS.iter().any(|word| said.contains(word)),
                "without {right:?} nothing is said of it"
            );
        }
    }

    /// Runs a daemon without each of some rights, which it must say.
    #[track_caller]
    pub(super) fn daemon_says(
        &mut self,
        words: &[&str],
        chosen: impl Fn(&Right) -> bool,
        ready: impl Fn(&Stage),
        meanwhile: impl Fn(&Stage, &mut Daemon),
    ) {
        let chosen = self.take(chosen);
        assert!(!chosen.is_empty(), "no such right for {words:?}");
        for Without { right, kubeconfig } in chosen {
            eprintln!("without {right:?}");
            ready(&self.stage);
            let mut daemon = acting(&mut self.stage, &kubeconfig, |stage| {
                Daemon::start(stage, &["--verbose"])
            });
            meanwhile(&self.stage, &mut daemon);
            daemon.says(words);
            daemon.ends();
        }
    }
}

/// The administrator's login, for somebody else.
fn kubeconfig(stage: &Stage, user: &str) -> PathBuf {
    let path = stage.place.path().join(format!("{user}.kubeconfig"));
    let text = std::fs::read_to_string(&stage.login.kubeconfig).expect("a kubeconfig");
    let mut config: Value = serde_json::from_str(&text).expect("JSON");
    config["users"][0]["user"]["as"] = json!(user);
    std::fs::write(&path, config.to_string()).expect("a kubeconfig");
    path
}

/// Takes away all that the daemon has told.
fn untell(stage: &Stage) {
    let label = format!("fleetwright.dev/fleet={}", stage.name);
    stage
        .login
        .kubectl(&["delete", "clustersyncs,fleetstatuses", "-l", &label, "-n", HOME]);
}

fn without_objects(stage: &Stage) {
    let all = INSIDE.join(",");
    let space = namespace(&stage.name);
    stage.login.try_kubectl(&["delete", "-n", &space, "--all", &all], "");
    stage.login.try_kubectl(&["delete", "priorityclass", &stage.name], "");
}

fn without_lease(stage: &Stage) {
    let label = format!("fleetwright.dev/lease={}", stage.uid());
    stage.login.kubectl(&["delete", "leases", "-l", &label, "-n", HOME]);
}

#[test]
fn without_any_one_of_them_something_fails() {
    let Some(stage) = stage("lacking") else { return };
    let mut lacking = Lacking::new(stage, |_| true);
    looking(&mut lacking);
    making(&mut lacking);
    pruning(&mut lacking);
    telling(&mut lacking);
    following(&mut lacking);
    ending(&mut lacking);
    let asks = |right: &Right| right.is("selfsubjectaccessreviews", "create") || right.is("/version", "get");
    lacking.miss(&["doctor"], asks, |_| {});
    let rest = lacking.rest();
    assert!(rest.is_empty(), "rights that no call needs: {rest:?}");
}

/// Whether it is one by which alone others are seen who live in a namespace of the fleet's.
fn is_of_others(right: &Right) -> bool {
    let own = ["configmaps", "hostedclusters", "nodepools"];
    let mut others = INHABITANTS.iter().filter(|one| !own.contains(&one.plural));
    others.any(|one| right.is(one.plural, "list"))
}

/// Nothing of the fleet is there yet, so that what is in no namespace is looked for by its name.
fn looking(lacking: &mut Lacking) {
    let looks = |right: &Right| {
        let serves = right.resource.starts_with('/') && right.resource != "/version";
        let by_name = right.verb == "get" && ["namespaces", "priorityclasses"].contains(&right.resource.as_str());
        let lists = right.verb == "list" && !["leases", "secrets"].contains(&right.resource.as_str());
        serves || by_name || (lists && !is_of_others(right))
    };
    lacking.miss(&["plan"], looks, |_| {});
}

/// Made step by step: the lease first, the record, the namespace, what is in it.
fn making(lacking: &mut Lacking) {
    let leases = |right: &Right| right.is("leases", "list") || right.is("leases", "create");
    lacking.miss(APPLY, leases, without_lease);
    lacking.miss(APPLY, |right| right.is("configmaps", "create"), |_| {});
    let writes = |right: &Right| ["create", "patch"].contains(&right.verb.as_str());
    lacking.miss(APPLY, |right| right.resource == "namespaces" && writes(right), |_| {});
    let objects = |right: &Right| {
        let resource = right.resource.as_str();
        writes(right) && (INSIDE.contains(&resource) || resource == "priorityclasses")
    };
    lacking.miss(APPLY, objects, without_objects);
    // In a namespace that is there, what is missing is looked for by its name.
    let by_name = |right: &Right| right.verb == "get" && INSIDE.contains(&right.resource.as_str());
    lacking.miss(&["plan"], by_name, without_objects);
    // A control plane is made of a release that its operator manages.
    lacking.miss(&["plan"], |right| right.is_on("supported-versions"), without_objects);
    lacking.stage.run(APPLY).exits(0);
    let updates = |right: &Right| right.verb == "update";
    lacking.miss(APPLY, updates, |stage| {
        stage.run(APPLY).exits(0);
        stage.kubectl("lacking", &["delete", "nodepool", "lacking-b"]);
    });
    lacking.stage.run(APPLY).exits(0);
}

fn pruning(lacking: &mut Lacking) {
    // The unit's only object goes, and its record with it; that it may go is asked of the ledger.
    let records = |right: &Right| {
        right.is("configmaps", "delete") || right.is("configmaps", "get") || right.is("priorityclasses", "delete")
    };
    lacking.miss(APPLY, records, |stage| {
        with_priority(stage, true);
        stage.run(APPLY).exits(0);
        with_priority(stage, false);
    });
    with_priority(&lacking.stage, true);
    lacking.stage.run(APPLY).exits(0);
}

/// What the daemon tells in the cluster.
fn telling(lacking: &mut Lacking) {
    let about = |resource: &'static str, verb: &'static str| move |right: &Right| right.is(resource, verb);
    for (objects, status, says) in [
        (
            "clustersyncs",
            "clustersyncs/status",
            "its ClusterSync can't be written",
        ),
        (
            "fleetstatuses",
            "fleetstatuses/status",
            "the FleetStatus can't be written",
        ),
    ] {
        lacking.daemon_says(
            &[says, "no right to create"],
            about(objects, "create"),
            untell,
            |_, _| {},
        );
        lacking.daemon_says(&[says, "no right to patch"], about(status, "patch"), untell, |_, _| {});
        // One that somebody made by hand is marked first.
        let unmark = |stage: &Stage| {
            let label = format!("fleetwright.dev/fleet={}", stage.name);
            let owner = "fleetwright.dev/owner-";
            stage
                .login
                .kubectl(&["annotate", objects, "-l", &label, "-n", HOME, owner]);
        };
        // Both kinds are there once a daemon with all other rights has told.
        lacking.daemon_says(&[says, "no right to patch"], about(objects, "patch"), unmark, |_, _| {});
        let words = ["are not written", "no right to get"];
        lacking.daemon_says(&words, about(objects, "get"), |_| {}, |_, _| {});
    }
    let words = ["an Event can't be published", "no right to"];
    lacking.daemon_says(&words, about("events", "create"), untell, |_, _| {});
    let twice = |stage: &Stage, daemon: &mut Daemon| {
        let mended = || {
            stage.kubectl("lacking", &["scale", "nodepool", "lacking-a", "--replicas=9"]);
            has_replicas(stage, "lacking-a", 2);
        };
        daemon.says(&["looked at", "cluster lacking", "in sync"]);
        mended();
        // Once that is told, another is told as one more of the same.
        let end = Instant::now() + CEILING;
        while !events(stage, "lacking.lacking").contains(&"DriftMended".to_owned()) {
            assert!(Instant::now() < end, "the first is not told");
        }
        mended();
    };
    lacking.daemon_says(&words, about("events", "patch"), untell, twice);
    // One of a unit that there never was.
    let stray = |stage: &Stage| {
        let name = stage.name.as_str();
        let all = stage.login.get(&["clustersyncs", "-n", HOME]);
        let named = format!("{name}.{name}");
        let known = list(&all["items"])
            .iter()
            .find(|item| item["metadata"]["name"] == named.as_str());
        let known = &known.expect("the cluster's")["metadata"];
        let mark = text(&known["annotations"]["fleetwright.dev/owner"]);
        let mark = mark.replace(&named, &format!("{name}.gone"));
        let mark = mark.replace(&format!(r#""name":"{name}"}}"#), r#""name":"gone"}"#);
        let stray = json!({"apiVersion": "fleetwright.dev/v1alpha1", "kind": "ClusterSync", "metadata": {
            "name": format!("{name}.gone"), "namespace": HOME, "labels": known["labels"],
            "annotations": {"fleetwright.dev/owner": mark}}});
        stage.login.kubectl_in(&["create", "-f", "-"], &stray.to_string());
    };
    let words = ["a ClusterSync of no unit can't be deleted", "no right to delete"];
    lacking.daemon_says(&words, about("clustersyncs", "delete"), stray, |_, _| {});
}

/// Followed kinds are told one by one: one user stands for all who lack a watch.
fn following(lacking: &mut Lacking) {
    // Leases are followed by those who share: see below.
    let watches = lacking.take(|right| right.verb == "watch" && right.resource != "leases");
    let others: Vec<&Right> = lacking.rights.iter().filter(|right| right.verb != "watch").collect();
    let login = &lacking.stage.login;
    create(login, &bound("lacking-watches", &others), &[]);
    let has: Vec<(Value, bool)> = others
        .iter()
        .map(|right| (right.question("lacking-watches"), true))
        .collect();
    takes_effect(login, &has);
    let path = kubeconfig(&lacking.stage, "lacking-watches");
    let mut daemon = acting(&mut lacking.stage, &path, |stage| Daemon::start(stage, &["--verbose"]));
    for Without { right, .. } in &watches {
        let words = ["a watch ended", &right.resource, "403"];
        if !daemon.has_said(&words) {
            daemon.says(&words);
        }
    }
    // What is copied is followed by its name.
    assert!(watches.iter().any(|without| without.right.is("secrets", "watch")));
    let told = daemon.status()["notFollowed"].as_object().expect("a map").len();
    assert_eq!(told, watches.len() - SYNCS.len(), "{}", daemon.status());
    daemon.ends();
    let words = ["a watch ended", "secrets", "403"];
    lacking.daemon_says(&words, |right| right.is("secrets", "list"), |_| {}, |_, _| {});
}

/// Each time a little further: what was deleted stays so.
fn ending(lacking: &mut Lacking) {
    for without in lacking.take(|right| right.is("leases", "watch")) {
        let mut daemon = acting(&mut lacking.stage, &without.kubeconfig, |stage| {
            Daemon::start(stage, &["--verbose", "--replicas", "sharded", "--lease-duration", "1s"])
        });
        // Nobody is heard, and all goes on by regular looks.
        daemon.says(&["a watch ended", "no right to watch"]);
        daemon.says(&["looked at", "cluster lacking"]);
        daemon.ends();
    }
    for without in lacking.take(|right| right.is("leases", "delete")) {
        let mut daemon = acting(&mut lacking.stage, &without.kubeconfig, |stage| {
            Daemon::start(stage, &["--replicas", "sharded", "--lease-duration", "1s"])
        });
        daemon.says(&["looked at", "cluster lacking"]);
        let said = daemon.ends();
        assert!(
            said.contains("the lease could not be released") && said.contains("no right to delete"),
            "{said}"
        );
    }
    lacking.stage.without_cluster("lacking-two");
    // Whoever can't see who else lives there leaves the namespace, and says which right that takes.
    for without in lacking.take(is_of_others) {
        let two = "decommission: [{cluster: lacking-two, reason: a test}]";
        lacking.stage.fleet(&format!("  limits: {{deletes: 100}}\n  {two}"));
        with_priority(&lacking.stage, true);
        let planned = acting(&mut lacking.stage, &without.kubeconfig, |stage| stage.run(&["plan"]));
        let words = format!(
            "who lives there is not known: no right to list {} (`fleetwright rbac` prints the rules)",
            without.right.resource
        );
        assert!(planned.exits(1).stdout.contains(&words), "{words}");
    }
    for resource in ["nodepools", "hostedclusters", "secrets", "namespaces"] {
        lacking.miss(
            APPLY,
            |right| right.is(resource, "delete"),
            |stage| {
                let two = "decommission: [{cluster: lacking-two, reason: a test}]";
                stage.fleet(&format!("  limits: {{deletes: 100}}\n  {two}"));
                with_priority(stage, true);
            },
        );
    }
}
