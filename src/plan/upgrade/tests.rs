//! Upgrades played through, with a control plane that completes what it is asked for when it is told to.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;
use crate::fleet::model::Fleet;
use crate::fleet::{self, Lock, Seed, SourceFile};
use crate::plan::DesiredUnit;
use crate::providers::{LiveObject, Observation, Observed};
use crate::resource::{ClusterName, ManagementClusterName, Manifest, Stewardship, Target, UnitId};

const FLEET: &str = "
kind: Fleet
metadata: {name: test}
spec:
  defaults:
    baseDomain: test.example
    version: VERSION
    pullSecret: {from: sources/pull-secret}
    etcd: {storageClass: fast}
    region: us-ashburn-1
    network: {existing: {vcn: ocid1.vcn.oc1.iad.aaaa, workerSubnet: ocid1.subnet.oc1.iad.aaaa}, machine: 10.0.0.0/24}
---
kind: ManagementCluster
metadata: {name: m}
spec: {region: us-ashburn-1, dialect: none, nodePortAddress: api.test.example}
---
kind: Environment
metadata: {name: dev}
spec: {availability: single}
---
kind: NodePoolProfile
metadata: {name: base}
spec: {shape: VM.Standard.E5.Flex, ocpus: 4, memoryInGBs: 32, replicas: 6}
---
kind: Cluster
metadata: {name: a}
spec: {environment: dev, pools: [base]}
";

struct World {
    fleet: Fleet,
    hosted: Value,
    pool: Value,
}

fn image(version: &str) -> String {
    format!("quay.io/openshift-release-dev/ocp-release:{version}-multi")
}

fn resolved(version: &str) -> Fleet {
    let files = [SourceFile {
        path: "fleet.yaml".into(),
        text: FLEET.replace("VERSION", version).into(),
    }];
    let seed = Seed {
        templates: 1,
        entropy: [7; 16],
        now: "2026-01-01T00:00:00Z".parse().unwrap(),
    };
    let resolved = fleet::resolve(&fleet::load(&files), &Lock::default(), &seed);
    assert_eq!(resolved.fleet.clusters.len(), 1, "{:?}", resolved.diagnostics);
    resolved.fleet
}

fn object(kind: &str, name: &str, image: &str) -> Value {
    json!({
        "apiVersion": "hypershift.openshift.io/v1beta1", "kind": kind,
        "metadata": {"name": name, "namespace": "clusters-a"},
        "spec": {"release": {"image": image}},
    })
}

fn asked(object: &Value) -> String {
    let image = object["spec"]["release"]["image"].as_str().unwrap_or_default();
    version(image).unwrap().to_string()
}

impl World {
    /// A cluster that is at one version, and whose files want another.
    fn new(at: &str, version: &str) -> Self {
        let mut world = Self {
            fleet: resolved(version),
            hosted: object("HostedCluster", "a", &image(at)),
            pool: object("NodePool", "a-base", &image(at)),
        };
        world.complete();
        world
    }

    /// The control plane completes what it is asked for.
    fn complete(&mut self) {
        let image = self.hosted["spec"]["release"]["image"].clone();
        let entry = json!({"state": "Completed", "image": image, "version": asked(&self.hosted)});
        self.hosted["status"]["version"]["history"] = json!([entry]);
    }

    fn staged(&self, way: Way) -> Staged {
        let target = Target::Kubernetes(ManagementClusterName::new("m"));
        let unit = UnitId::Cluster(ClusterName::new("a"));
        let cluster = &self.fleet.clusters[&ClusterName::new("a")];
        let pool = cluster.node_pools().next().unwrap();
        let wanted = [
            object("HostedCluster", "a", &cluster.hosted().unwrap().release.image),
            object("NodePool", "a-base", &pool.release.image),
        ];
        let manifests =
            wanted.map(|body| Manifest::new(target.clone(), unit.clone(), Stewardship::Managed, &body).unwrap());
        let mut observation = Observation::default();
        for (manifest, object) in manifests.iter().zip([&self.hosted, &self.pool]) {
            let live = LiveObject {
                uid: "u".to_owned(),
                version: "1".to_owned(),
                text: object.to_string().into(),
            };
            observation.objects.insert(manifest.id.clone(), Observed::Present(live));
        }
        let wanted = DesiredUnit {
            manifests: &manifests,
            recorded_on: ManagementClusterName::new("m"),
        };
        let desired = BTreeMap::from([(unit, wanted)]);
        stage(&self.fleet, &desired, &BTreeMap::from([(target, observation)]), way)
    }

    /// What is written now: the versions of control plane and pool.
    fn write(&mut self) -> (String, String) {
        let staged = self.staged(Way::Live);
        let unit = UnitId::Cluster(ClusterName::new("a"));
        let cluster = &self.fleet.clusters[&ClusterName::new("a")];
        let pool = cluster.node_pools().next().unwrap();
        let (mut hosted, mut nodes) = (
            cluster.hosted().unwrap().release.image.clone(),
            pool.release.image.clone(),
        );
        for manifest in staged.units.get(&unit).into_iter().flatten() {
            let image = manifest.body()["spec"]["release"]["image"].as_str().unwrap().to_owned();
            match manifest.id.kind.as_str() {
                "HostedCluster" => hosted = image,
                _ => nodes = image,
            }
        }
        self.hosted["spec"]["release"]["image"] = json!(hosted);
        self.pool["spec"]["release"]["image"] = json!(nodes);
        (asked(&self.hosted), asked(&self.pool))
    }

    fn course(&self) -> Course {
        let mut courses = self.staged(Way::Live).courses;
        courses
            .remove(&UnitId::Cluster(ClusterName::new("a")))
            .unwrap_or_default()
    }
}

fn pair(hosted: &str, pool: &str) -> (String, String) {
    (hosted.to_owned(), pool.to_owned())
}

#[test]
fn an_eus_hop_goes_through_what_the_files_name_and_pools_leave_it_out() {
    let mut world = World::new("4.18.20", "4.20.3\n    via: [4.19.14]");
    let course = world.course();
    assert_eq!(course.steps, [Version::new(4, 19, 14), Version::new(4, 20, 3)]);
    assert_eq!((course.waits, course.pools.len()), (None, 1));

    assert_eq!(world.write(), pair("4.19.14", "4.18.20"));
    // As long as that is under way nothing more is asked for.
    assert_eq!(world.write(), pair("4.19.14", "4.18.20"));
    let staged = world.staged(Way::Live);
    let waits: Vec<&str> = staged.held.iter().map(|held| held.waits.as_str()).collect();
    assert!(waits[0].contains("complete 4.19.14"), "{waits:?}");
    assert!(waits[1].contains("complete 4.20.3"), "{waits:?}");

    world.complete();
    assert_eq!(world.write(), pair("4.20.3", "4.18.20"));
    assert_eq!(world.write(), pair("4.20.3", "4.18.20"));
    assert!(world.course().waits.unwrap().contains("complete 4.20.3"));
    world.complete();
    assert_eq!(world.write(), pair("4.20.3", "4.20.3"));
    assert_eq!(world.course(), Course::default(), "there");
}

#[test]
fn pools_come_closer_before_the_control_plane_leaves_them_too_far_behind() {
    let mut world = World::new("4.16.9", "4.20.3\n    via: [4.17.5, 4.18.20, 4.19.14]");
    let mut went = Vec::new();
    for _ in 0..12 {
        went.push(world.write());
        world.complete();
    }
    went.dedup();
    let expected = [
        pair("4.17.5", "4.16.9"),
        pair("4.18.20", "4.16.9"),
        pair("4.19.14", "4.16.9"),
        pair("4.19.14", "4.19.14"),
        pair("4.20.3", "4.19.14"),
        pair("4.20.3", "4.20.3"),
    ];
    assert_eq!(went, expected);
}

#[test]
fn a_minor_version_that_is_left_out_stages_nothing_of_the_control_plane() {
    let mut world = World::new("4.18.20", "4.20.3");
    let gap = world.course().gap.unwrap();
    assert_eq!(
        (gap.after, gap.before),
        (Version::new(4, 18, 20), Version::new(4, 20, 3))
    );
    assert_eq!(world.write(), pair("4.20.3", "4.18.20"), "for the guard to refuse");
}

#[test]
fn a_patch_overtakes_a_release_that_does_not_get_on() {
    let mut world = World::new("4.18.20", "4.19.12");
    assert_eq!(world.write(), pair("4.19.12", "4.18.20"));
    world.fleet = resolved("4.19.14");
    assert_eq!(world.write(), pair("4.19.14", "4.18.20"));
    world.fleet = resolved("4.20.3");
    assert_eq!(world.write(), pair("4.19.14", "4.18.20"), "another minor version waits");
}

#[test]
fn what_never_completed_a_version_is_not_held_up() {
    let mut world = World::new("4.19.12", "4.20.3");
    world.hosted.as_object_mut().unwrap().remove("status");
    assert_eq!(world.write(), pair("4.20.3", "4.20.3"));
}

#[test]
fn another_rendering_is_compared_with_as_a_whole() {
    let mut world = World::new("4.18.20", "4.20.3\n    via: [4.19.14]");
    world.hosted.as_object_mut().unwrap().remove("status");
    let staged = world.staged(Way::Rendered);
    assert!(staged.units.is_empty() && staged.held.is_empty());
    let course = staged.courses.values().next().unwrap();
    assert_eq!((course.steps.len(), course.gap.as_ref()), (2, None));
}

#[test]
fn a_control_plane_says_why_it_can_not_go_on() {
    let mut world = World::new("4.19.12", "4.20.3");
    let condition = json!({"type": "ClusterVersionUpgradeable", "status": "False", "message": "an API goes"});
    world.hosted["status"]["conditions"] = json!([condition]);
    assert_eq!(world.course().not_upgradeable.as_deref(), Some("an API goes"));
    world.hosted["status"]["conditions"][0]["status"] = json!("Unknown");
    assert_eq!(world.course().not_upgradeable, None);
}
