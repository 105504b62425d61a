//! From fleet files to a real API server and back, by the program itself.

use serde_json::Value;

use crate::cli::Workplace;
use crate::support::{ApiServer, Login};

/// A fleet of one management cluster and one cluster, on a server of its own user.
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
    region: us-ashburn-1
    network:
      existing: {vcn: ocid1.vcn.oc1.iad.aaaa, workerSubnet: ocid1.subnet.oc1.iad.aaaa}
      machine: 10.0.64.0/20
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

const CLUSTER: &str = "
kind: Cluster
metadata: {name: NAME}
spec:
  environment: dev
  pools:
    a: {profile: general}
    b: {profile: general, replicas: 3}
";

impl Stage {
    fn new(name: &str) -> Option<Self> {
        let server = ApiServer::shared()?;
        let login = server.login();
        let source = format!("{name}-source");
        login.kubectl(&["create", "namespace", &source]);
        login.kubectl(&[
            "create",
            "secret",
            "generic",
            "pull-secret",
            "--type=kubernetes.io/dockerconfigjson",
            "--from-literal=.dockerconfigjson={\"auths\":{\"hunter2\":{}}}",
            "-n",
            &source,
        ]);
        let place = Workplace::new(&[
            ("fleet.yaml", &FLEET.replace("NAME", name)),
            ("cluster.yaml", &CLUSTER.replace("NAME", name)),
        ]);
        place.run(&["lock"]).exits(0);
        Some(Self { place, login, name: name.to_owned() })
    }

    fn run(&self, args: &[&str]) -> crate::cli::Ran {
        let kubeconfig = self.login.kubeconfig.display().to_string();
        let ran = self.place.run(&[args, &["--kubeconfig", &kubeconfig]].concat());
        assert!(!ran.stdout.contains("hunter2") && !ran.stderr.contains("hunter2"), "a secret is shown: {ran:?}");
        ran
    }

    fn namespace(&self) -> String {
        format!("clusters-{}", self.name)
    }

    fn get(&self, kind: &str, name: &str) -> Value {
        self.login.get(&[kind, name, "-n", &self.namespace()])
    }
}

#[test]
fn a_fleet_is_planned_applied_and_then_as_it_should_be() {
    let Some(stage) = Stage::new("whole") else { return };
    let planned = stage.run(&["plan", "--detailed-exitcode"]).exits(2);
    assert!(planned.stdout.contains("HostedCluster clusters-whole/whole"), "{}", planned.stdout);
    stage.run(&["apply", "--yes"]).exits(0);
    let live = stage.get("hostedcluster", "whole");
    assert_eq!(live["spec"]["platform"]["type"], "None");
    let copied = stage.get("secret", "pull-secret");
    assert_eq!(copied["type"], "kubernetes.io/dockerconfigjson");

    let mark = stage.login.mark();
    let again = stage.run(&["plan", "--detailed-exitcode"]).exits(0);
    assert!(again.stdout.contains("Nothing to do"), "{}", again.stdout);
    for (verb, path) in stage.login.requests_since(mark) {
        assert!(verb == "get" || verb == "list", "{verb} {path}");
    }
}

#[test]
fn drift_is_shown_with_its_author_and_mended_alone() {
    let Some(stage) = Stage::new("drift") else { return };
    stage.run(&["apply", "--yes"]).exits(0);
    let namespace = stage.namespace();
    stage.login.kubectl(&[
        "patch",
        "nodepool",
        "drift-a",
        "-n",
        &namespace,
        "--type=merge",
        "-p",
        r#"{"spec":{"replicas":9}}"#,
        "--field-manager=somebody",
    ]);
    stage.login.kubectl(&["delete", "nodepool", "drift-b", "-n", &namespace]);
    let planned = stage.run(&["plan", "--detailed-exitcode"]).exits(4);
    assert!(planned.stdout.contains(".spec.replicas: 9 → 2  set by somebody, 20"), "{}", planned.stdout);
    assert!(planned.stdout.contains("was deleted by someone else"), "{}", planned.stdout);
    let mark = stage.login.mark();
    stage.run(&["apply", "--yes"]).exits(0);
    let written: Vec<_> = stage
        .login
        .requests_since(mark)
        .into_iter()
        .filter(|(verb, path)| verb != "get" && verb != "list" && path.contains("nodepools") && !path.contains("dryRun"))
        .collect();
    assert_eq!(written.len(), 2, "{written:?}");
    assert_eq!(stage.get("nodepool", "drift-a")["spec"]["replicas"], 2);
    stage.run(&["plan", "--detailed-exitcode"]).exits(0);
}

#[test]
fn a_pool_taken_out_is_pruned_and_a_cluster_is_not() {
    let Some(stage) = Stage::new("prune") else { return };
    stage.run(&["apply", "--yes"]).exits(0);
    stage.place.write("cluster.yaml", &CLUSTER.replace("NAME", "prune").replace("    a: {profile: general}\n", ""));
    let applied = stage.run(&["apply", "--yes"]).exits(0);
    assert!(applied.stdout.contains("- NodePool clusters-prune/prune-a"), "{}", applied.stdout);
    let gone = stage.login.try_kubectl(&["get", "nodepool", "prune-a", "-n", &stage.namespace()], "");
    assert!(!gone.status.success());

    stage.place.remove("cluster.yaml");
    let refused = stage.run(&["apply", "--yes"]).exits(3);
    assert!(refused.stdout.contains("refused"), "{}", refused.stdout);
    stage.get("hostedcluster", "prune");
    stage.get("nodepool", "prune-b");
}
