//! The example on a real API server with the real definitions.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::cli::{Ran, Workplace};
use crate::fleet_support::repository;
use crate::support::{ApiServer, Login, crds, kubeadm_crds, kubeconfig, skip};

/// A server that knows Cluster API's kinds, and a fleet whose management cluster it is.
struct Stage {
    place: Workplace,
    kubeconfig: String,
    login: Login,
    _server: ApiServer,
}

impl Stage {
    /// With the example's files, written in a version of Cluster API's kinds. Between that and the version that is stored
    /// upstream has a webhook convert: here the one is the other, lest the server drop what the other does not have.
    fn new(version: &str) -> Option<Self> {
        let definitions = match crds().and_then(|all| Ok((all, kubeadm_crds()?))) {
            Ok((core, kubeadm)) => stored_as(version, core.split("\n---\n").chain(kubeadm.split("\n---\n"))),
            Err(reason) => return skip(reason),
        };
        let server = ApiServer::start_bare()?;
        let login = server.login();
        login.kubectl_in(&["create", "--validate=false", "-f", "-"], &definitions);
        let established = ["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"];
        let deadline = Instant::now() + Duration::from_secs(60);
        // One that nobody has looked at yet is no condition to wait for, but an error.
        while !login.try_kubectl(&established, "").status.success() {
            assert!(Instant::now() < deadline, "Cluster API's kinds are not served");
        }
        let place = Workplace::copy_of(&repository("examples/cluster-api"));
        let path = place.path().join("kubeconfig");
        kubeconfig(&path, &[("fra", &login)]);
        let stage = Self {
            kubeconfig: path.display().to_string(),
            place,
            login,
            _server: server,
        };
        let region = "  region: eu-frankfurt-1\n  accepts";
        stage.edit("management.yaml", region, &format!("  clusterApi: {version}\n{region}"));
        if version == "v1beta2" {
            let text = std::fs::read_to_string(stage.place.fleet().join("management.yaml")).expect("the file");
            stage.place.write("management.yaml", &in_the_newer_version(&text));
        }
        Some(stage)
    }

    #[track_caller]
    fn run(&self, args: &[&str]) -> Ran {
        let ran = self.place.run(&[args, &["--kubeconfig", &self.kubeconfig]].concat());
        eprintln!("$ fleetwright {}\n{}{}", args.join(" "), ran.stdout, ran.stderr);
        ran
    }

    /// Writes a fleet file again, with other words in it.
    fn edit(&self, file: &str, before: &str, after: &str) {
        let text = std::fs::read_to_string(self.place.fleet().join(file)).expect("a file of the fleet");
        assert!(text.contains(before), "{file} has no `{before}`");
        self.place.write(file, &text.replace(before, after));
    }

    /// Takes all clusters but these out of the files.
    fn only(&self, names: &[&str]) {
        for entry in std::fs::read_dir(self.place.fleet().join("clusters")).expect("the clusters") {
            let file = entry.expect("a file").file_name().into_string().expect("a name");
            if !names.iter().any(|name| file == format!("{name}.yaml")) {
                self.place.remove(&format!("clusters/{file}"));
            }
        }
        self.place.run(&["lock"]).exits(0);
    }

    #[track_caller]
    fn is_settled(&self) {
        let planned = self.run(&["plan", "--detailed-exitcode"]).exits(0);
        assert!(planned.stdout.starts_with("Nothing to do"), "{}", planned.stdout);
    }

    /// What a plan would do: `action kind/name`.
    #[track_caller]
    fn planned(&self, of: &[&str]) -> Vec<String> {
        let plan = self.run(&[&["plan", "-o", "json"], of].concat()).json();
        let word = |value: &Value| value.as_str().expect("a word").to_owned();
        let change = |it: &Value| {
            let object = &it["object"];
            format!(
                "{} {}/{}",
                word(&it["action"]),
                word(&object["kind"]),
                word(&object["name"])
            )
        };
        plan["changes"]
            .as_array()
            .expect("changes")
            .iter()
            .map(change)
            .collect()
    }

    fn get(&self, kind: &str, cluster: &str, name: &str) -> Value {
        self.login.get(&[kind, name, "-n", &format!("clusters-{cluster}")])
    }
}

/// The definitions of Cluster API and its OCI provider, with a version stored where a kind has it.
fn stored_as<'a>(version: &str, documents: impl Iterator<Item = &'a str>) -> String {
    let of_cluster_api = documents.filter(|text| text.contains("cluster.x-k8s.io") && !text.contains("hypershift"));
    let items = of_cluster_api.map(|text| {
        let mut crd: Value = serde_yaml::from_str(text).expect("a definition");
        let core = crd["spec"]["group"] != "infrastructure.cluster.x-k8s.io";
        for one in crd["spec"]["versions"]
            .as_array_mut()
            .expect("versions")
            .iter_mut()
            .filter(|_| core)
        {
            one["storage"] = (one["name"] == version).into();
        }
        crd
    });
    json!({"apiVersion": "v1", "kind": "List", "items": items.collect::<Vec<_>>()}).to_string()
}

fn applied_and_settled(stage: &Stage) {
    stage.run(&["apply", "--yes"]).exits(0);
    stage.is_settled();
}

#[test]
fn every_example_is_applied_and_then_nothing_is_left_to_do() {
    let Some(stage) = Stage::new("v1beta1") else { return };
    applied_and_settled(&stage);
    let deployment = stage.get("machinedeployment.v1beta1.cluster.x-k8s.io", "default", "default-md-0");
    let template = &deployment["spec"]["template"]["spec"]["infrastructureRef"]["name"];
    let template = stage.get("ocimachinetemplate", "default", template.as_str().expect("a name"));
    assert_eq!(template["spec"]["template"]["spec"]["shape"], "VM.Standard.E5.Flex");
    let status = stage.run(&["status", "-o", "json"]).json();
    assert_eq!(status["clusters"].as_array().map(Vec::len), Some(15), "{status}");
}

#[test]
fn the_same_in_the_newer_version_of_cluster_api() {
    let Some(stage) = Stage::new("v1beta2") else { return };
    // Its patch is in the words of the older one.
    stage.place.remove("clusters/windows-calico.yaml");
    stage.place.run(&["lock"]).exits(0);
    applied_and_settled(&stage);
    let cluster = stage.get("cluster.v1beta2.cluster.x-k8s.io", "default", "default");
    assert_eq!(
        cluster["spec"]["infrastructureRef"]["apiGroup"],
        "infrastructure.cluster.x-k8s.io"
    );
    let of_class = stage.get("cluster.v1beta2.cluster.x-k8s.io", "cluster-class", "cluster-class");
    assert_eq!(
        of_class["spec"]["topology"]["classRef"],
        json!({"name": "cluster-class-example", "namespace": "classes"})
    );
}

/// The management cluster's own manifests as the newer version spells them.
fn in_the_newer_version(text: &str) -> String {
    fn spell(value: &mut Value) {
        match value {
            Value::String(text) if text.ends_with("cluster.x-k8s.io/v1beta1") => {
                *text = text.replace("/v1beta1", "/v1beta2");
            }
            Value::Object(map) => {
                if let Some(named) = map.remove("ref") {
                    map.insert("templateRef".to_owned(), named);
                }
                if let Some(Value::Object(below)) = map.get("class").and(map.get("template")).cloned() {
                    map.remove("template");
                    map.extend(below);
                }
                if let Some(Value::Object(arguments)) = map.get("kubeletExtraArgs") {
                    let list = arguments
                        .iter()
                        .map(|(name, value)| json!({"name": name, "value": value}));
                    let list = list.collect();
                    map.insert("kubeletExtraArgs".to_owned(), list);
                }
                map.values_mut().for_each(spell);
            }
            Value::Array(items) => items.iter_mut().for_each(spell),
            _ => {}
        }
    }
    let mut document: Value = serde_yaml::from_str(text).expect("YAML");
    spell(&mut document["spec"]["extraManifests"]);
    serde_yaml::to_string(&document).expect("YAML")
}

/// A cluster of a class with all that can be said of one.
const FULL: &str = "
kind: Cluster
metadata: {name: full}
spec:
  environment: dev
  kind: topology
  class: classes/cluster-class-example
  variables: {compartmentId: ocid1.compartment.oc1..aaaa, imageId: ocid1.image.oc1.eu-frankfurt-1.aaaa}
  controlPlane: {replicas: 5, healthCheck: {unhealthy: 10m}, variables: {shape: VM.Standard.E5.Flex}}
  pools:
    one: {class: worker, replicas: 2, failureDomain: '2', maxSurge: 2, drainTimeout: 5m, healthCheck: {maxUnhealthy: 40%}}
    two: {class: worker, failureDomains: [1, 3], autoscale: 3-9, volumeDetachTimeout: 1m, annotations: {team: a}, variables: {ocpus: '4'}}
    three: {class: pooled, type: machinePool, replicas: 4, drainTimeout: 5m}
";

#[test]
fn a_server_takes_all_that_can_be_said_of_a_cluster_of_a_class() {
    for version in ["v1beta1", "v1beta2"] {
        let Some(stage) = Stage::new(version) else { return };
        let path = stage.place.fleet().join("management.yaml");
        let mut management: Value =
            serde_yaml::from_str(&std::fs::read_to_string(path).expect("the file")).expect("YAML");
        let workers = &mut management["spec"]["extraManifests"][1]["spec"]["workers"];
        let mut pooled = workers["machineDeployments"][0].clone();
        pooled["class"] = "pooled".into();
        workers["machinePools"] = json!([pooled]);
        let text = serde_yaml::to_string(&management).expect("YAML");
        stage.place.write("management.yaml", &text);
        stage.place.write("clusters/full.yaml", FULL);
        stage.only(&["full"]);
        applied_and_settled(&stage);
        let live = stage.get(&format!("cluster.{version}.cluster.x-k8s.io"), "full", "full");
        let topology = &live["spec"]["topology"];
        assert_eq!(topology["controlPlane"]["replicas"], 5);
        let (check, enabled) = match version {
            "v1beta1" => ("machineHealthCheck", "enable"),
            _ => ("healthCheck", "enabled"),
        };
        assert_eq!(topology["controlPlane"][check][enabled], true, "{topology}");
        let pools = &topology["workers"]["machineDeployments"];
        assert_eq!(pools[0]["failureDomain"], "2");
        assert_eq!(pools[0]["replicas"], 2);
        assert_eq!(
            (&pools[1]["name"], &pools[1]["failureDomain"]),
            (&"two-1".into(), &"1".into())
        );
        assert_eq!(pools[2]["failureDomain"], "3");
        assert_eq!(pools[1]["replicas"], Value::Null);
        assert_eq!(
            pools[1]["variables"]["overrides"],
            json!([{"name": "ocpus", "value": "4"}])
        );
        assert_eq!(topology["workers"]["machinePools"][0]["name"], "three");

        // What it costs: one pool less, one smaller, one of other machines, and then another version.
        let edit = |before, after| stage.edit("clusters/full.yaml", before, after);
        edit("class: worker, replicas: 2", "class: worker, replicas: 1");
        edit("ocpus: '4'", "ocpus: '8'");
        edit(
            "    three: {class: pooled, type: machinePool, replicas: 4, drainTimeout: 5m}\n",
            "",
        );
        let planned = stage.run(&["plan"]).exits(0).stdout;
        assert!(planned.contains("nodes replaced: two-1 (2–5 nodes"), "{planned}");
        assert!(planned.contains("5 nodes removed"), "{planned}");
        assert!(!planned.contains("control-plane rollout"), "{planned}");
        stage.run(&["apply", "--yes"]).exits(0);
        edit("  class: classes", "  version: 1.32.0\n  class: classes");
        let planned = stage.run(&["plan"]).exits(0).stdout;
        assert!(
            planned.contains("control-plane rollout; nodes replaced: one (1 node"),
            "{planned}"
        );
        stage.run(&["apply", "--yes"]).exits(0);
        stage.is_settled();
    }
}

#[test]
fn a_failure_domain_that_is_added_to_a_pool_changes_nothing_of_the_others_but_counts() {
    let Some(stage) = Stage::new("v1beta1") else { return };
    stage.only(&["default"]);
    let pool = |size: &str, domains: &str| format!("{{profile: e5, replicas: {size}, failureDomains: [{domains}]}}");
    let edit = |before: &str, after: &str| stage.edit("clusters/default.yaml", before, after);
    edit("md-0: {profile: e5}", &format!("md-0: {}", pool("5", "1, 2")));
    applied_and_settled(&stage);
    let live = |domain: u8| {
        let name = format!("default-md-0-{domain}");
        let deployment = stage.get("machinedeployment.v1beta1.cluster.x-k8s.io", "default", &name);
        let spec = &deployment["spec"];
        assert_eq!(spec["template"]["spec"]["failureDomain"], domain.to_string());
        spec["replicas"].clone()
    };
    assert_eq!([live(1), live(2)], [3, 2]);

    edit(&pool("5", "1, 2"), &pool("5", "1, 2, 3"));
    let planned = stage.planned(&[]);
    let (new, old): (Vec<_>, Vec<_>) = planned.iter().partition(|change| change.contains("/default-md-0-3"));
    assert_eq!(old, ["update MachineDeployment/default-md-0-1"]);
    assert_eq!(new.len(), 3, "{new:?}");
    assert!(new.iter().all(|change| change.starts_with("create ")), "{new:?}");
    let told = stage.run(&["plan"]).exits(0).stdout;
    assert!(told.contains("1 node removed"), "{told}");
    applied_and_settled(&stage);
    assert_eq!([live(1), live(2), live(3)], [2, 2, 1]);

    edit(&pool("5", "1, 2, 3"), &pool("6", "1, 2, 3"));
    assert_eq!(stage.planned(&[]), ["update MachineDeployment/default-md-0-3"]);
    let explained = stage.place.run(&["explain", "default", "pools.md-0.failureDomains"]);
    let explained = explained.exits(0).stdout;
    assert!(
        explained.contains("[1,2,3]") && explained.contains("clusters/default.yaml:7"),
        "{explained}"
    );
}

/// Says that a control plane of three machines is as its spec wants it.
fn control_plane_is_ready(stage: &Stage, cluster: &str) {
    let kind = "kubeadmcontrolplane.v1beta1.controlplane.cluster.x-k8s.io";
    let name = format!("{cluster}-control-plane");
    let live = stage.get(kind, cluster, &name);
    let status = json!({"status": {
        "observedGeneration": live["metadata"]["generation"], "replicas": 3, "readyReplicas": 3, "updatedReplicas": 3,
        "initialized": true, "ready": true,
        "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}],
    }});
    let space = format!("clusters-{cluster}");
    let patch = ["--subresource=status", "--type=merge", "-p", &status.to_string()];
    stage
        .login
        .kubectl(&[&["patch", kind, &name, "-n", &space][..], &patch].concat());
}

fn templates(stage: &Stage, cluster: &str) -> Vec<String> {
    let all = stage
        .login
        .get(&["ocimachinetemplates", "-n", &format!("clusters-{cluster}")]);
    let items = all["items"].as_array().expect("a list");
    let name = |item: &Value| item["metadata"]["name"].as_str().expect("a name").to_owned();
    items
        .iter()
        .map(name)
        .filter(|name| name.contains("control-plane"))
        .collect()
}

#[test]
fn another_image_is_another_template_and_the_old_one_goes_when_no_machine_is_of_it() {
    let Some(stage) = Stage::new("v1beta1") else { return };
    stage.run(&["apply", "--yes", "--cluster", "default"]).exits(0);
    control_plane_is_ready(&stage, "default");
    let before = templates(&stage, "default");
    let file = "clusters/default.yaml";
    let image = "image: ocid1.image.oc1.eu-frankfurt-1.aaaaaaaanewer2m8k4x6q9w3n7";
    stage.edit(
        file,
        "controlPlane: {profile: e5}",
        &format!("controlPlane: {{profile: e5, {image}}}"),
    );
    let planned = stage.run(&["plan", "--cluster", "default"]).exits(0).stdout;
    assert!(planned.contains("to make its machines anew"), "{planned}");
    assert!(planned.contains("control-plane rollout"), "{planned}");

    // Its controller has not looked at it yet.
    stage.run(&["apply", "--yes", "--cluster", "default"]).exits(0);
    let both = templates(&stage, "default");
    assert_eq!((before.len(), both.len()), (1, 2), "{both:?}");
    let waiting = format!("delete OCIMachineTemplate/{}", before[0]);
    assert_eq!(stage.planned(&["--cluster", "default"]), [waiting]);
    stage.run(&["apply", "--yes", "--cluster", "default"]).exits(0);
    assert_eq!(templates(&stage, "default"), both);

    control_plane_is_ready(&stage, "default");
    stage.run(&["apply", "--yes", "--cluster", "default"]).exits(0);
    let left = templates(&stage, "default");
    assert!(left.len() == 1 && left != before, "{left:?}");
    assert_eq!(stage.planned(&["--cluster", "default"]), [""; 0]);
}

#[test]
fn a_cluster_of_machines_goes_only_when_its_end_was_committed_to_and_whole() {
    let Some(stage) = Stage::new("v1beta1") else { return };
    // A fleet that wants nothing at all is another matter.
    stage.only(&["default", "managed", "machinepool"]);
    stage.run(&["apply", "--yes"]).exits(0);
    stage.only(&["machinepool"]);
    let refused = stage.run(&["apply", "--yes"]).exits(3);
    assert!(
        refused.stdout.contains("not listed under `decommission`"),
        "{}",
        refused.stdout
    );
    let listed = "spec:\n  limits: {deletes: 100}\n  \
                  decommission: [{cluster: default, reason: old}, {cluster: managed, reason: old}]\n  compartments";
    stage.edit("fleet.yaml", "spec:\n  compartments", listed);
    let planned = stage.run(&["plan"]).exits(0).stdout;
    assert!(planned.contains("data loss"), "{planned}");
    stage.run(&["apply", "--yes"]).exits(0);
    for space in ["clusters-default", "clusters-managed"] {
        let kinds = "clusters.cluster.x-k8s.io,ociclusters,ocimanagedclusters,machinedeployments,machinepools";
        let left = stage.login.get(&[kinds, "-n", space]);
        assert_eq!(left["items"].as_array().map(Vec::len), Some(0), "{left}");
    }
}
