//! From fleet files to a real API server and back, by the program itself, as people and other programs run it.

mod adopt;
mod asked;
mod before;
mod canary;
mod cap;
mod conflict;
mod crash;
mod daemon;
mod demo;
mod doctor;
mod drift;
mod endurance;
pub(crate) mod form;
mod guards;
mod ignore;
mod in_cluster;
mod killed;
mod lease;
mod moved;
mod mutated;
mod output;
mod prune;
mod rbac;
mod ready;
mod recovery;
mod remotes;
mod revision;
mod said;
mod scope;
mod several;
mod source;
mod stale;
mod suspended;
mod sync;
mod take_over;
mod telemetry;
mod terminal;
mod upgrade;
mod wait;
mod webhooks;
mod whole;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::cli::{Ran, Workplace};
use crate::support::{ApiServer, Login, Mark};

/// A fleet on one management cluster, on a server that others use too: all its names begin with the fleet's.
struct Stage {
    place: Workplace,
    login: Login,
    name: String,
}

const FLEET: &str = "
kind: Fleet
metadata: {name: NAME}
spec:
  defaults:
    baseDomain: NAME.example
    version: 4.19.12
    pullSecret: {from: NAME-source/pull-secret}
    etcd: {storageClass: fast}
    region: us-ashburn-1
    network:
      existing: {vcn: ocid1.vcn.oc1.iad.aaaa, workerSubnet: ocid1.subnet.oc1.iad.aaaa}
      machine: 10.0.64.0/20
MORE
---
kind: ManagementCluster
metadata: {name: m}
spec: {region: us-ashburn-1, context: test, dialect: none, nodePortAddress: api.NAME.example}
---
kind: Environment
metadata: {name: dev}
spec: {availability: single}
---
kind: NodePoolProfile
metadata: {name: general}
spec: {shape: VM.Standard.E5.Flex, ocpus: 4, memoryInGBs: 32, replicas: 2}
";

/// A word of the pull secret that is nowhere to be seen, and the same as the server keeps it.
const SECRETS: [&str; 2] = ["hunter2", "aHVudGVy"];

/// The pull secret's content: the word stands where its base64 form is the same at every place.
const PULL_SECRET: &str = r#"--from-literal=.dockerconfigjson={"a":"hunter2"}"#;

impl Stage {
    /// A fleet of one cluster of the same name, with pools `a` and `b`.
    fn new(name: &str) -> Option<Self> {
        Self::of(name, "", &[name])
    }

    /// A fleet of these clusters, each with pools `a` and `b`, and more lines for the Fleet's spec.
    fn of(name: &str, more: &str, clusters: &[&str]) -> Option<Self> {
        Some(Self::on(ApiServer::shared()?.login(), name, more, clusters))
    }

    /// The same, on a server of one's own.
    fn on(login: Login, name: &str, more: &str, clusters: &[&str]) -> Self {
        let source = format!("{name}-source");
        login.kubectl(&["create", "namespace", &source]);
        let kind = "--type=kubernetes.io/dockerconfigjson";
        login.kubectl(&[
            "create",
            "secret",
            "generic",
            "pull-secret",
            kind,
            PULL_SECRET,
            "-n",
            &source,
        ]);
        let stage = Self {
            place: Workplace::new(&[]),
            login,
            name: name.to_owned(),
        };
        stage.fleet(more);
        for cluster in clusters {
            stage.cluster(
                cluster,
                &["a: {profile: general}", "b: {profile: general, replicas: 3}"],
            );
        }
        stage.place.run(&["lock"]).exits(0);
        stage
    }

    /// Writes the Fleet document, with more lines for its spec.
    fn fleet(&self, more: &str) {
        self.place
            .write("fleet.yaml", &FLEET.replace("NAME", &self.name).replace("MORE", more));
    }

    /// Writes a cluster's document, with these pools.
    fn cluster(&self, cluster: &str, pools: &[&str]) {
        self.place
            .write(&format!("clusters/{cluster}.yaml"), &document(cluster, pools));
    }

    /// Takes a cluster's document away.
    fn without_cluster(&self, cluster: &str) {
        self.place.remove(&format!("clusters/{cluster}.yaml"));
    }

    /// The arguments with those that lead to the server.
    fn args<'a>(&'a self, args: &[&'a str]) -> Vec<&'a str> {
        let kubeconfig = self.login.kubeconfig.to_str().expect("a path in UTF-8");
        [args, &["--kubeconfig", kubeconfig]].concat()
    }

    /// Runs the program to its end; a failed test shows what it said.
    #[track_caller]
    fn run(&self, args: &[&str]) -> Ran {
        shown(args, self.place.run(&self.args(args)))
    }

    /// What a plan would change: `(action, kind/name)`.
    #[track_caller]
    fn planned(&self) -> Vec<(String, String)> {
        let plan = self.run(&["plan", "-o", "json"]).json();
        list(&plan["changes"])
            .iter()
            .map(|change| (text(&change["action"]), object_name(&change["object"])))
            .collect()
    }

    /// Asserts that the live state is what the files say, and that the files are all there is.
    #[track_caller]
    fn is_settled(&self) {
        let planned = self.run(&["plan", "--detailed-exitcode"]).exits(0);
        assert!(planned.stdout.starts_with("Nothing to do"), "{}", planned.stdout);
    }

    /// A live object of a cluster's namespace.
    #[track_caller]
    fn get(&self, cluster: &str, kind: &str, name: &str) -> Value {
        self.login.get(&[kind, name, "-n", &namespace(cluster)])
    }

    /// kubectl, in a cluster's namespace.
    #[track_caller]
    fn kubectl(&self, cluster: &str, args: &[&str]) -> String {
        self.login.kubectl(&[args, &["-n", &namespace(cluster)]].concat())
    }

    /// Whether a live object is there.
    fn is_there(&self, cluster: &str, kind: &str, name: &str) -> bool {
        let namespace = namespace(cluster);
        self.login
            .try_kubectl(&["get", kind, name, "-n", &namespace], "")
            .status
            .success()
    }

    /// UIDs of a cluster's objects, by `kind/name`.
    fn uids(&self, cluster: &str) -> BTreeMap<String, String> {
        let all = self
            .login
            .get(&["hostedclusters,nodepools,secrets", "-n", &namespace(cluster)]);
        list(&all["items"])
            .iter()
            .map(|item| {
                let name = format!("{}/{}", text(&item["kind"]), text(&item["metadata"]["name"]));
                (name, text(&item["metadata"]["uid"]))
            })
            .collect()
    }

    /// What the inventories hold: `kind/name`, and the UID where it is known.
    fn recorded(&self) -> BTreeMap<String, Option<String>> {
        self.inventories()
            .iter()
            .flat_map(|inventory| list(&inventory["entries"]))
            .map(|entry| (object_name(&entry["id"]), entry["uid"].as_str().map(str::to_owned)))
            .collect()
    }

    fn inventories(&self) -> Vec<Value> {
        let label = format!("fleetwright.dev/inventory={}", self.uid());
        let maps = self
            .login
            .get(&["configmaps", "-n", "fleetwright-system", "-l", &label]);
        list(&maps["items"])
            .iter()
            .map(|map| serde_json::from_str(&text(&map["data"]["inventory.json"])).expect("JSON in the inventory"))
            .collect()
    }

    /// The fleet's uid.
    fn uid(&self) -> String {
        let lock = std::fs::read_to_string(self.place.fleet().join("fleet.lock/fleet.yaml")).expect("a lock");
        let lock: Value = serde_yaml::from_str(&lock).expect("YAML");
        text(&lock["uid"])
    }

    /// What was written since, inventories apart: `verb kind/name`, dry-runs left out.
    fn writes_since(&self, mark: Mark) -> Vec<String> {
        let mut writes = Vec::new();
        for (verb, path) in self.login.requests_since(mark) {
            let (path, query) = path.split_once('?').unwrap_or((&path, ""));
            let reads = ["get", "list", "watch"].contains(&verb.as_str()) || query.contains("dryRun=All");
            if !reads && !path.contains("/fleetwright-system") {
                let parts: Vec<&str> = path.rsplitn(3, '/').collect();
                writes.push(format!("{verb} {}/{}", parts[1], parts[0]));
            }
        }
        writes
    }
}

/// The document of a cluster with these pools.
fn document(cluster: &str, pools: &[&str]) -> String {
    let pools: String = pools.iter().map(|pool| format!("    {pool}\n")).collect();
    format!("kind: Cluster\nmetadata: {{name: {cluster}}}\nspec:\n  environment: dev\n  pools:\n{pools}")
}

/// The namespace of a cluster's objects.
fn namespace(cluster: &str) -> String {
    format!("clusters-{cluster}")
}

/// Prints what the program said, for whoever looks into a failed test, and looks for secrets in it.
#[track_caller]
fn shown(args: &[&str], ran: Ran) -> Ran {
    eprintln!(
        "$ fleetwright {}\n{}{}= {}\n",
        args.join(" "),
        ran.stdout,
        ran.stderr,
        ran.code
    );
    for secret in SECRETS {
        assert!(
            !ran.stdout.contains(secret) && !ran.stderr.contains(secret),
            "a secret is shown"
        );
    }
    ran
}

/// The items of a JSON list.
#[track_caller]
fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap_or_else(|| panic!("no list: {value}"))
}

/// A JSON string.
#[track_caller]
fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("no string: {value}"))
        .to_owned()
}

/// `kind/name` of an object in a report or an inventory.
#[track_caller]
fn object_name(object: &Value) -> String {
    format!("{}/{}", text(&object["kind"]), text(&object["name"]))
}
