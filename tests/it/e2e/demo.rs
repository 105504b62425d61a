//! The demo fleet on two management clusters: made, and then looked at with as few requests as can be.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize as _;
use serde_json::Value;

use super::{list, shown, text};
use crate::cli::{Ran, Workplace};
use crate::fleet_support::repository;
use crate::support::{ApiServer, Login, Mark, kubeconfig};

/// Two servers, and what the fleet expects to find on them.
struct Demo {
    place: Workplace,
    kubeconfig: String,
    logins: BTreeMap<&'static str, Login>,
    _servers: [ApiServer; 2],
}

impl Demo {
    fn new() -> Option<Self> {
        // They take seconds to start: both at once.
        let other = std::thread::spawn(ApiServer::start);
        let (one, other) = (ApiServer::start(), other.join().expect("a server"));
        let servers = [one?, other?];
        let logins: BTreeMap<_, _> = ["iad-1", "fra-1"]
            .into_iter()
            .zip(servers.iter().map(ApiServer::login))
            .collect();
        for login in logins.values() {
            login.kubectl(&["create", "namespace", "fleetwright"]);
            login.kubectl(&["create", "namespace", "cluster-api-provider-oci-system"]);
            for (name, literal) in [
                ("pull-secret", "--from-literal=.dockerconfigjson={\"a\":\"hunter2\"}"),
                ("ssh-key", "--from-literal=id_rsa.pub=hunter2"),
                ("etcd-key", "--from-literal=key=hunter2"),
                ("oci-user", "--from-literal=key=hunter2"),
            ] {
                let kind = if name == "pull-secret" {
                    "kubernetes.io/dockerconfigjson"
                } else {
                    "Opaque"
                };
                let kind = format!("--type={kind}");
                login.kubectl(&["create", "secret", "generic", name, &kind, literal, "-n", "fleetwright"]);
            }
        }
        let place = Workplace::copy_of(&repository("fleet"));
        typed_networks(&place);
        let path = place.path().join("kubeconfig");
        let contexts: Vec<_> = logins.iter().map(|(name, login)| (*name, login)).collect();
        kubeconfig(&path, &contexts);
        Some(Self {
            place,
            kubeconfig: path.display().to_string(),
            logins,
            _servers: servers,
        })
    }

    #[track_caller]
    fn run(&self, args: &[&str]) -> Ran {
        shown(
            args,
            self.place.run(&[args, &["--kubeconfig", &self.kubeconfig]].concat()),
        )
    }

    /// Makes what the fleet leaves to other tools, which make it as the files say: `team-d` is `manage: pools`.
    fn others_make_theirs(&self, rendered: &str) {
        let login = &self.logins["iad-1"];
        let space = Value::from("clusters-team-d");
        for mut document in documents(rendered) {
            let named = document["metadata"]["name"] == space || document["metadata"]["namespace"] == space;
            if !named || document["kind"] == "NodePool" {
                continue;
            }
            if let Some(Value::Object(from)) = document.as_object_mut().and_then(|map| map.remove("$copyFrom")) {
                let source = login.get(&["secret", &text(&from["name"]), "-n", &text(&from["namespace"])]);
                document["data"] = source["data"].clone();
                document["type"] = source["type"].clone();
            }
            document["metadata"]
                .as_object_mut()
                .expect("metadata")
                .retain(|key, _| key.starts_with("name"));
            login.kubectl_in(
                &["create", "--field-manager=argocd-controller", "-f", "-"],
                &document.to_string(),
            );
        }
    }

    fn marks(&self) -> BTreeMap<&'static str, Mark> {
        self.logins.iter().map(|(name, login)| (*name, login.mark())).collect()
    }

    /// How often each path was asked for since, by management cluster; without the query.
    fn requests(
        &self,
        marks: &BTreeMap<&'static str, Mark>,
    ) -> BTreeMap<&'static str, BTreeMap<(String, String), usize>> {
        self.logins
            .iter()
            .map(|(name, login)| {
                let mut counts = BTreeMap::new();
                for (verb, path) in login.requests_since(marks[name]) {
                    let path = path.split('?').next().unwrap_or_default().to_owned();
                    *counts.entry((verb, path)).or_default() += 1;
                }
                (*name, counts)
            })
            .collect()
    }
}

/// Puts the clusters on networks whose OCIDs are typed: this is about the Kubernetes side alone.
fn typed_networks(place: &Workplace) {
    let typed = repository("tests/cases/typed-networks");
    for name in [
        "networks.yaml",
        "environments/dev.yaml",
        "environments/stage.yaml",
        "environments/prod.yaml",
    ] {
        let text = std::fs::read_to_string(typed.join(name)).expect("a file of the case");
        place.write(name, &text);
    }
    let clusters = place.fleet().join("clusters/prod.yaml");
    let text = std::fs::read_to_string(&clusters).expect("a file of the fleet");
    let kept: Vec<&str> = text.lines().filter(|line| !line.starts_with("  network:")).collect();
    place.write("clusters/prod.yaml", &kept.join("\n"));
    place.run(&["lock"]).exits(0);
}

fn documents(rendered: &str) -> impl Iterator<Item = Value> {
    serde_yaml::Deserializer::from_str(rendered).map(|document| Value::deserialize(document).expect("a document"))
}

/// What a look at a fleet in which nothing changes may send: discovery, the index of schemas, one LIST of the inventories and
/// of each kind, one of ours that are not installed, and a GET for each Secret and for each that is copied.
fn expected(changes: &[Value], rendered: &str) -> BTreeMap<&'static str, BTreeMap<(String, String), usize>> {
    let sources: BTreeMap<(String, String), (String, String)> = documents(rendered)
        .filter(|document| document["kind"] == "Secret")
        .map(|document| {
            let (place, from) = (&document["metadata"], &document["$copyFrom"]);
            (
                (text(&place["namespace"]), text(&place["name"])),
                (text(&from["namespace"]), text(&from["name"])),
            )
        })
        .collect();
    let mut all = BTreeMap::new();
    for name in ["iad-1", "fra-1"] {
        let get = |path: &str| ("get".to_owned(), path.to_owned());
        let secret = |(space, name): &(String, String)| get(&format!("/api/v1/namespaces/{space}/secrets/{name}"));
        let lists = |path: &str| ("list".to_owned(), path.to_owned());
        let mut requests = BTreeSet::from([
            get("/api"),
            get("/apis"),
            get("/openapi/v3"),
            lists("/api/v1/namespaces/fleetwright-system/configmaps"),
            // Discovery does not name them: whether that is so is asked.
            lists("/apis/fleetwright.dev/v1alpha1/namespaces/fleetwright-system/clustersyncs"),
            lists("/apis/fleetwright.dev/v1alpha1/namespaces/fleetwright-system/fleetstatuses"),
        ]);
        let here = changes
            .iter()
            .map(|change| &change["object"])
            .filter(|object| object["managementCluster"] == name);
        for object in here {
            let kind = text(&object["kind"]);
            let request = match kind.as_str() {
                "Secret" => {
                    let copy = (text(&object["namespace"]), text(&object["name"]));
                    requests.insert(secret(&sources[&copy]));
                    secret(&copy)
                }
                "Namespace" => lists("/api/v1/namespaces"),
                "ConfigMap" => lists("/api/v1/configmaps"),
                "HostedCluster" => lists("/apis/hypershift.openshift.io/v1beta1/hostedclusters"),
                "NodePool" => lists("/apis/hypershift.openshift.io/v1beta1/nodepools"),
                "OCIClusterIdentity" => lists("/apis/infrastructure.cluster.x-k8s.io/v1beta2/ociclusteridentities"),
                "PriorityClass" => lists("/apis/scheduling.k8s.io/v1/priorityclasses"),
                other => panic!("the demo fleet has a new kind, {other}"),
            };
            requests.insert(request);
        }
        all.insert(name, requests.into_iter().map(|request| (request, 1)).collect());
    }
    all
}

#[test]
fn the_demo_fleet_is_made_and_a_second_look_reads_each_thing_once() {
    let Some(demo) = Demo::new() else { return };
    let whole = demo.run(&["plan", "-o", "json"]).exits(0).json();
    let whole = list(&whole["changes"]);
    let rendered = demo.place.run(&["render"]).exits(0).stdout;
    demo.others_make_theirs(&rendered);

    let planned = demo.run(&["plan", "--detailed-exitcode", "-o", "json"]).exits(2).json();
    let changes = list(&planned["changes"]);
    let count = |kind: &str| changes.iter().filter(|change| change["object"]["kind"] == kind).count();
    assert!(changes.iter().all(|change| change["action"] == "create"), "{planned}");
    assert_eq!((count("HostedCluster"), count("NodePool")), (13, 30));

    let marks = demo.marks();
    let applied = demo.run(&["apply", "--yes"]).exits(0);
    assert!(
        applied.stderr.contains(&format!("Applied: {} done.", changes.len())),
        "{}",
        applied.stderr
    );
    // One write an object, one try of what is made alone, and for each unit the inventory before and after.
    for (name, requests) in demo.requests(&marks) {
        let here = changes
            .iter()
            .filter(|change| change["object"]["managementCluster"] == name);
        let written: usize = requests
            .iter()
            .filter(|((verb, _), _)| verb == "patch")
            .map(|(_, n)| n)
            .sum();
        let tried = here.clone().filter(|change| change["preview"] == "confirmed").count();
        assert_eq!(written, here.count() + tried, "{name}: {requests:?}");
    }

    let mut expected = expected(whole, &rendered);
    // What other tools made carries no label of ours: no LIST shows it, and it is looked up by name.
    for path in [
        "/api/v1/namespaces/clusters-team-d",
        "/apis/hypershift.openshift.io/v1beta1/namespaces/clusters-team-d/hostedclusters/team-d",
    ] {
        let requests = expected.get_mut("iad-1").expect("a management cluster");
        requests.insert(("get".to_owned(), path.to_owned()), 1);
    }
    for args in [&["plan", "--detailed-exitcode"][..], &["apply", "--yes"]] {
        let marks = demo.marks();
        let again = demo.run(args).exits(0);
        assert!(
            again
                .stdout
                .contains(&format!("Nothing to do: {} objects are as", whole.len())),
            "{}",
            again.stdout
        );
        assert_eq!(demo.requests(&marks), expected, "{args:?}");
    }

    let status = demo.run(&["status", "-o", "json"]).exits(0).json();
    assert_eq!(list(&status["clusters"]).len(), 14);
    assert!(
        list(&status["clusters"]).iter().all(|cluster| cluster["pending"] == 0),
        "{status}"
    );
}
