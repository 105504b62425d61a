//! Steps alone: objects, a time that jumps to whatever comes next, and what `status` says of them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::conditions::find;
use super::{Effect, Step, after, capi, hosted_cluster, node_pool, text};
use crate::status::{State, readiness};

const IMAGE: &str = "quay.io/openshift-release-dev/ocp-release:4.19.12-multi";
const NEXT_IMAGE: &str = "quay.io/openshift-release-dev/ocp-release:4.20.3-multi";

/// One cluster with its pools, moved by steps.
struct Simulation {
    now: Timestamp,
    cluster: Option<Value>,
    pools: BTreeMap<String, Value>,
    effects: Vec<Effect>,
}

impl Simulation {
    fn new(pools: &[(&str, Value)]) -> Self {
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let mut simulation = Self {
            now,
            cluster: None,
            pools: BTreeMap::new(),
            effects: Vec::new(),
        };
        simulation.cluster = Some(simulation.object(
            "HostedCluster",
            "c",
            &json!({"release": {"image": IMAGE}, "platform": {"type": "OCI"}, "services": [
                {"service": "APIServer", "servicePublishingStrategy": {"type": "NodePort", "nodePort": {"address": "api.example", "port": 30001}}}]}),
        ));
        for (name, more) in pools {
            let mut spec = json!({"clusterName": "c", "release": {"image": IMAGE}, "platform": {"type": "OCI", "oci": {"instanceType": "VM.A"}},
                "management": {"upgradeType": "Replace"}, "replicas": 3});
            for (key, value) in more.as_object().unwrap() {
                spec[key.as_str()] = value.clone();
            }
            let pool = simulation.object("NodePool", name, &spec);
            simulation.pools.insert((*name).to_owned(), pool);
        }
        simulation
    }

    fn object(&self, kind: &str, name: &str, spec: &Value) -> Value {
        json!({"apiVersion": "hypershift.openshift.io/v1beta1", "kind": kind, "spec": spec,
            "metadata": {"name": name, "namespace": "n", "uid": format!("{kind}-{name}"), "generation": 1,
                "creationTimestamp": super::stamp(self.now), "labels": {"fleet": "f"}}})
    }

    /// Steps until nothing is left to do at any time up to `until`.
    fn run(&mut self, seconds: i64) {
        let until = after(self.now, seconds);
        loop {
            let (changed, next) = self.settle();
            if changed {
                continue;
            }
            match next.filter(|next| *next <= until) {
                Some(next) => {
                    assert!(next > self.now, "time stands still at {next}");
                    self.now = next;
                }
                None => break,
            }
        }
        self.now = until;
    }

    /// One step of everything: whether anything changed, and when the next thing happens.
    fn settle(&mut self) -> (bool, Option<Timestamp>) {
        let mut changed = false;
        let mut next: Option<Timestamp> = None;
        let mut note = |step: &Step| next = next.into_iter().chain(step.again).min();
        if let Some(cluster) = self.cluster.take() {
            let pools: Vec<&Value> = self.pools.values().collect();
            let step = hosted_cluster::step(&cluster, &pools, self.now);
            note(&step);
            for effect in &step.effects {
                if let Effect::DeletePool(name) = effect {
                    self.pools.get_mut(name).unwrap()["metadata"]["deletionTimestamp"] = json!(super::stamp(self.now));
                    changed = true;
                }
                if !self.effects.contains(effect) {
                    self.effects.push(effect.clone());
                }
            }
            changed |= step.status.is_some() || step.patch.is_some();
            self.cluster = applied(cluster, step);
        }
        for (name, pool) in std::mem::take(&mut self.pools) {
            let step = node_pool::step(&pool, self.cluster.as_ref(), self.now);
            note(&step);
            changed |= step.status.is_some() || step.patch.is_some();
            if let Some(pool) = applied(pool, step) {
                self.pools.insert(name, pool);
            }
        }
        (changed, next)
    }

    fn state(&self) -> (State, String) {
        let readiness = readiness(self.cluster.as_ref().unwrap());
        (readiness.state, readiness.reason)
    }

    fn pool_state(&self, name: &str) -> (State, String) {
        let readiness = readiness(&self.pools[name]);
        (readiness.state, readiness.reason)
    }

    fn replicas(&self, name: &str) -> i64 {
        self.pools[name]["status"]["replicas"].as_i64().unwrap()
    }

    fn edit_cluster(&mut self, pointer: &str, value: Value) {
        edit(self.cluster.as_mut().unwrap(), pointer, value);
    }

    fn edit_pool(&mut self, name: &str, pointer: &str, value: Value) {
        edit(self.pools.get_mut(name).unwrap(), pointer, value);
    }
}

fn edit(object: &mut Value, pointer: &str, value: Value) {
    *object.pointer_mut(pointer).unwrap() = value;
    let generation = object["metadata"]["generation"].as_i64().unwrap() + 1;
    object["metadata"]["generation"] = json!(generation);
}

/// What an API server makes of a step; none for an object that is gone.
fn applied(mut object: Value, step: Step) -> Option<Value> {
    if let Some(status) = step.status {
        object["status"] = status;
    }
    if let Some(patch) = step.patch {
        for (key, value) in patch["metadata"].as_object().unwrap() {
            match (value, &mut object["metadata"][key.as_str()]) {
                (Value::Object(new), Value::Object(old)) => old.extend(new.clone()),
                (value, old) => *old = value.clone(),
            }
        }
    }
    let gone = object["metadata"].get("deletionTimestamp").is_some() && super::finalizers(&object).is_empty();
    (!gone).then_some(object)
}

fn minutes(minutes: i64) -> i64 {
    minutes * 60
}

#[test]
fn a_new_cluster_comes_up_in_stages_and_its_nodes_after_it() {
    let mut s = Simulation::new(&[("a", json!({})), ("b", json!({"replicas": 1}))]);
    s.run(minutes(7));
    assert_eq!(s.state(), (State::InProgress, "WaitingForAvailable".to_owned()));
    assert_eq!(s.replicas("a"), 0);
    s.run(minutes(2));
    let cluster = s.cluster.as_ref().unwrap();
    assert_eq!(text(find(cluster, "Available").unwrap(), "/status"), "True");
    assert_eq!(
        cluster["status"]["controlPlaneEndpoint"],
        json!({"host": "api.example", "port": 30001})
    );
    assert_eq!(s.pool_state("a"), (State::InProgress, "LessReplicas".to_owned()));
    // Control plane 8 minutes, nodes 5, the payload's operators 2 more.
    s.run(minutes(5));
    assert_eq!((s.replicas("a"), s.replicas("b")), (3, 1));
    assert_eq!(s.pool_state("b").0, State::Ready);
    assert_eq!(s.state(), (State::InProgress, "RollingOut".to_owned()));
    s.run(minutes(1));
    assert_eq!(s.state().0, State::Ready, "{:?}", s.state());
    assert_eq!(
        s.cluster.unwrap()["status"]["version"]["history"][0]["version"],
        "4.19.12"
    );
    assert!(s.effects.contains(&Effect::EnsureLoadBalancer));
}

#[test]
fn what_a_control_plane_publishes_carries_its_labels_and_belongs_to_it() {
    let mut s = Simulation::new(&[]);
    s.run(minutes(10));
    let secrets: Vec<&Value> = s
        .effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Create(object) => Some(object),
            _ => None,
        })
        .collect();
    let names: Vec<&str> = secrets.iter().map(|secret| text(secret, "/metadata/name")).collect();
    assert_eq!(names, ["c-admin-kubeconfig", "c-kubeadmin-password"]);
    assert_eq!(secrets[0]["metadata"]["labels"]["fleet"], "f");
    assert_eq!(secrets[0]["metadata"]["ownerReferences"][0]["uid"], "HostedCluster-c");
}

#[test]
fn a_cluster_without_nodes_is_ready_when_its_control_plane_is_and_has_no_load_balancer() {
    let mut s = Simulation::new(&[("a", json!({"replicas": 0}))]);
    s.run(minutes(30));
    assert_eq!(s.state().0, State::Ready, "{:?}", s.state());
    assert_eq!(s.pool_state("a").0, State::Ready);
    assert_eq!(
        s.cluster.as_ref().unwrap()["status"]["version"]["history"][0]["state"],
        "Partial"
    );
    assert!(!s.effects.contains(&Effect::EnsureLoadBalancer));
}

#[test]
fn a_release_rolls_out_and_then_the_pools_follow_when_they_are_told() {
    let mut s = Simulation::new(&[(
        "a",
        json!({"management": {"upgradeType": "Replace", "replace": {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}}}),
    )]);
    s.run(minutes(30));
    s.edit_cluster("/spec/release/image", json!(NEXT_IMAGE));
    // A pool may not be ahead of its control plane.
    s.edit_pool("a", "/spec/release/image", json!(NEXT_IMAGE));
    s.run(minutes(5));
    assert_eq!(s.state(), (State::InProgress, "RollingOut".to_owned()));
    assert_eq!(s.pool_state("a"), (State::Failed, "ValidReleaseImage".to_owned()));
    assert_eq!(s.pools["a"]["status"]["version"], "4.19.12");
    s.run(minutes(8));
    assert_eq!(s.state().0, State::Ready, "{:?}", s.state());
    let history = s.cluster.as_ref().unwrap()["status"]["version"]["history"]
        .as_array()
        .unwrap();
    let told: Vec<_> = history
        .iter()
        .map(|entry| (text(entry, "/state"), text(entry, "/version")))
        .collect();
    assert_eq!(told, [("Completed", "4.20.3"), ("Completed", "4.19.12")]);
    // One node at a time, five minutes each.
    s.run(minutes(6));
    assert_eq!(s.pool_state("a"), (State::InProgress, "UpdatingVersion".to_owned()));
    assert_eq!(
        s.pools["a"]["status"]["nodesInfo"]["nodeVersions"],
        json!([{"ocpVersion": "4.20.3", "readyNodeCount": 1, "unreadyNodeCount": 0},
            {"ocpVersion": "4.19.12", "readyNodeCount": 2, "unreadyNodeCount": 0}])
    );
    s.run(minutes(9));
    assert_eq!(s.pool_state("a").0, State::Ready, "{:?}", s.pool_state("a"));
    assert_eq!(s.pools["a"]["status"]["version"], "4.20.3");
}

#[test]
fn a_rollout_that_another_overtakes_stays_partial() {
    let mut s = Simulation::new(&[("a", json!({}))]);
    s.run(minutes(30));
    s.edit_cluster("/spec/release/image", json!(NEXT_IMAGE));
    s.run(minutes(3));
    s.edit_cluster("/spec/release/image", json!("r:4.20.4-multi"));
    s.run(minutes(30));
    let history = s.cluster.as_ref().unwrap()["status"]["version"]["history"]
        .as_array()
        .unwrap();
    let told: Vec<_> = history
        .iter()
        .map(|entry| (text(entry, "/state"), text(entry, "/version")))
        .collect();
    assert_eq!(
        told,
        [("Completed", "4.20.4"), ("Partial", "4.20.3"), ("Completed", "4.19.12")]
    );
    assert_ne!(text(&history[1], "/completionTime"), "");
}

#[test]
fn a_downgrade_is_blocked() {
    let mut s = Simulation::new(&[("a", json!({}))]);
    s.run(minutes(30));
    s.edit_cluster("/spec/release/image", json!("r:4.18.1-multi"));
    s.run(minutes(30));
    assert_eq!(s.state(), (State::Failed, "ValidReleaseImage".to_owned()));
    assert_eq!(
        s.cluster.as_ref().unwrap()["status"]["version"]["desired"]["version"],
        "4.19.12"
    );
}

#[test]
fn another_shape_replaces_nodes_and_more_of_them_do_not() {
    let mut s = Simulation::new(&[(
        "a",
        json!({"management": {"upgradeType": "InPlace", "inPlace": {"maxUnavailable": "50%"}}}),
    )]);
    s.run(minutes(30));
    s.edit_pool("a", "/spec/replicas", json!(5));
    s.run(minutes(1));
    assert_eq!(s.pool_state("a"), (State::InProgress, "LessReplicas".to_owned()));
    s.run(minutes(5));
    assert_eq!((s.replicas("a"), s.pool_state("a").0), (5, State::Ready));
    s.edit_pool("a", "/spec/platform/oci/instanceType", json!("VM.B"));
    s.run(minutes(4));
    assert_eq!(
        s.pool_state("a"),
        (State::InProgress, "UpdatingPlatformMachineTemplate".to_owned())
    );
    // Half of five, rounded up, is three: two batches.
    s.run(minutes(7));
    assert_eq!(s.pool_state("a").0, State::Ready, "{:?}", s.pool_state("a"));
    s.edit_cluster("/spec/services", json!([]));
    s.edit_pool("a", "/spec/replicas", json!(2));
    s.run(minutes(3));
    assert_eq!(s.replicas("a"), 2);
}

#[test]
fn an_autoscaled_pool_keeps_within_its_limits() {
    let mut s = Simulation::new(&[("a", json!({"replicas": null, "autoScaling": {"min": 2, "max": 4}}))]);
    s.run(minutes(30));
    assert_eq!((s.replicas("a"), s.pool_state("a").0), (2, State::Ready));
}

#[test]
fn a_paused_object_is_left_alone_until_its_time() {
    let mut s = Simulation::new(&[("a", json!({"pausedUntil": "2026-01-01T01:00:00Z"}))]);
    s.run(minutes(30));
    assert_eq!(s.pool_state("a"), (State::Unknown, "Paused".to_owned()));
    s.run(minutes(40));
    assert_eq!(s.pool_state("a").0, State::Ready, "{:?}", s.pool_state("a"));
}

#[test]
fn pools_go_first_then_the_load_balancer_and_then_the_cluster() {
    let mut s = Simulation::new(&[("a", json!({})), ("b", json!({}))]);
    s.run(minutes(30));
    s.cluster.as_mut().unwrap()["metadata"]["deletionTimestamp"] = json!(super::stamp(s.now));
    s.run(minutes(1));
    assert_eq!(s.state().0, State::Terminating);
    assert_eq!(s.pool_state("a").0, State::Terminating);
    assert!(!s.effects.contains(&Effect::RemoveLoadBalancer));
    s.run(minutes(2));
    assert!(s.pools.is_empty());
    assert_eq!(s.effects.last(), Some(&Effect::RemoveLoadBalancer));
    assert!(s.cluster.is_none());
}

#[test]
fn capi_objects_become_ready_in_their_time_unless_another_manages_them() {
    let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    let object = |api: &str, kind: &str, spec: Value| {
        json!({"apiVersion": api, "kind": kind, "spec": spec,
            "metadata": {"name": "x", "namespace": "n", "generation": 1, "creationTimestamp": "2026-01-01T00:00:00Z"}})
    };
    let infrastructure = "infrastructure.cluster.x-k8s.io/v1beta2";
    for object in [
        object(infrastructure, "OCICluster", json!({})),
        object(infrastructure, "OCIManagedControlPlane", json!({})),
        object("cluster.x-k8s.io/v1beta2", "Cluster", json!({})),
        object("cluster.x-k8s.io/v1beta1", "MachineDeployment", json!({"replicas": 3})),
        object(
            "controlplane.cluster.x-k8s.io/v1beta1",
            "KubeadmControlPlane",
            json!({"replicas": 3}),
        ),
    ] {
        let step = capi::step(&object, start);
        let again = step.again.unwrap();
        let young = applied(object, step).unwrap();
        assert_eq!(readiness(&young).state, State::InProgress, "{young}");
        let step = capi::step(&young, again);
        assert_eq!(step.again, None);
        let mut ready = applied(young, step).unwrap();
        assert_eq!(readiness(&ready).state, State::Ready, "{ready}");
        ready["metadata"]["deletionTimestamp"] = json!(super::stamp(again));
        let step = capi::step(&ready, again);
        assert_eq!(step.patch, None);
        let step = capi::step(&ready, step.again.unwrap());
        assert!(applied(ready, step).is_none());
    }
    let mut other = object(infrastructure, "OCICluster", json!({}));
    other["metadata"]["annotations"] = json!({"cluster.x-k8s.io/managed-by": "x"});
    assert_eq!(capi::step(&other, start), Step::default());
    let template = object(infrastructure, "OCIMachineTemplate", json!({}));
    assert_eq!(capi::step(&template, start), Step::default());
}
