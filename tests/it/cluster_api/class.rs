//! The class of the example, held to upstream's by what both make: the templates of each, patched with the same values.

use std::collections::BTreeMap;

use fleetwright::resource::{ClusterName, ManagementClusterName, UnitId};
use serde_json::{Map, Value, json};

use super::example;
use super::normal::empty;
use super::upstream::{documents, templates};

/// Upstream's template of the class.
pub(super) const CLASS: &str = "clusterclass-example";

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// What a class makes: each part of a cluster by its role, and the variables that it asks for.
struct Class<'a> {
    spec: &'a Value,
    documents: &'a [Value],
}

impl<'a> Class<'a> {
    fn of(documents: &'a [Value]) -> Self {
        let class = documents.iter().find(|document| document["kind"] == "ClusterClass");
        let class = class.expect("a class");
        let known = ["infrastructure", "controlPlane", "workers", "variables", "patches"];
        let spec = class["spec"].as_object().expect("its spec");
        assert!(spec.keys().all(|key| known.contains(&key.as_str())), "{spec:?}");
        Self {
            spec: &class["spec"],
            documents,
        }
    }

    fn variables(&self) -> BTreeMap<&str, &Value> {
        let variables = list(&self.spec["variables"]).iter();
        variables.map(|one| (text(&one["name"]), one)).collect()
    }

    /// What a reference leads to, without its name.
    fn template(&self, reference: &Value) -> Value {
        let is_it = |document: &&Value| {
            document["kind"] == reference["kind"]
                && document["apiVersion"] == reference["apiVersion"]
                && document["metadata"]["name"] == reference["name"]
        };
        let found = self.documents.iter().find(is_it).expect("a template");
        json!({"apiVersion": found["apiVersion"], "kind": found["kind"], "spec": found["spec"]})
    }

    /// Its templates by their roles, as patches tell them apart.
    fn parts(&self) -> BTreeMap<String, Value> {
        let plane = &self.spec["controlPlane"];
        let mut parts = BTreeMap::from([
            (
                "infrastructureCluster".to_owned(),
                self.template(&self.spec["infrastructure"]["ref"]),
            ),
            ("controlPlane".to_owned(), self.template(&plane["ref"])),
            (
                "controlPlane machines".to_owned(),
                self.template(&plane["machineInfrastructure"]["ref"]),
            ),
        ]);
        assert_eq!(self.spec["workers"].as_object().map(Map::len), Some(1));
        for worker in list(&self.spec["workers"]["machineDeployments"]) {
            for part in ["bootstrap", "infrastructure"] {
                let role = format!("worker {} {part}", text(&worker["class"]));
                parts.insert(role, self.template(&worker["template"][part]["ref"]));
            }
        }
        parts
    }

    /// What it makes of some values.
    fn made(&self, values: &BTreeMap<&str, Value>) -> Value {
        let mut parts = self.parts();
        for patch in list(&self.spec["patches"]) {
            assert_eq!((patch.get("external"), patch.get("enabledIf")), (None, None));
            for definition in list(&patch["definitions"]) {
                let selector = &definition["selector"];
                let matches = &selector["matchResources"];
                for (role, part) in &mut parts {
                    let is_meant = match role.split(' ').collect::<Vec<_>>()[..] {
                        ["worker", class, _] => {
                            list(&matches["machineDeploymentClass"]["names"]).contains(&class.into())
                        }
                        [role, ..] => matches[role] == true,
                        [] => false,
                    };
                    if is_meant && part["kind"] == selector["kind"] && part["apiVersion"] == selector["apiVersion"] {
                        list(&definition["jsonPatches"])
                            .iter()
                            .for_each(|patch| self.patch(part, patch, values));
                    }
                }
            }
        }
        let mut made = json!(parts);
        empty(&mut made);
        made
    }

    fn patch(&self, part: &mut Value, patch: &Value, values: &BTreeMap<&str, Value>) {
        let variable = text(&patch["valueFrom"]["variable"]);
        let default = &self.variables()[variable]["schema"]["openAPIV3Schema"]["default"];
        let value = values.get(variable).unwrap_or(default).clone();
        assert_ne!(value, Value::Null, "{variable}");
        let (parent, key) = text(&patch["path"]).rsplit_once('/').expect("a path");
        let map = part.pointer_mut(parent).and_then(Value::as_object_mut);
        let before = map.expect("a map to patch").insert(key.to_owned(), value);
        assert!(patch["op"] == "add" || before.is_some(), "{patch}");
    }
}

#[test]
fn the_class_makes_what_upstreams_makes_of_any_values() {
    let Some(templates) = templates() else { return };
    let theirs = std::fs::read_to_string(&templates[CLASS]).expect("the template");
    let theirs = documents(&theirs);
    let (_, rendered) = example();
    let unit = &rendered.units[&UnitId::ManagementCluster(ManagementClusterName::new("fra"))];
    let ours: Vec<Value> = unit.manifests.iter().map(|manifest| manifest.body()).collect();
    let (theirs, ours) = (Class::of(&theirs), Class::of(&ours));
    let asked = |class: &Class<'_>| -> Vec<Value> { class.variables().into_values().cloned().collect() };
    assert_eq!(asked(&ours), asked(&theirs));
    let required = BTreeMap::from([("compartmentId", json!("c")), ("imageId", json!("i"))]);
    let mut all = required.clone();
    all.extend([
        ("ssh_authorized_keys", json!("k")),
        ("shape", json!("s")),
        ("ocpus", json!("7")),
        ("isPvEncryptionInTransitEnabled", json!(false)),
    ]);
    assert!(ours.variables().keys().all(|name| all.contains_key(name)));
    for values in [required, all] {
        let made = ours.made(&values);
        assert_eq!(made, theirs.made(&values));
        assert_eq!(
            made["infrastructureCluster"]["spec"]["template"]["spec"]["compartmentId"],
            "c"
        );
    }
}

#[test]
fn a_cluster_comes_after_its_class() {
    let (_, rendered) = example();
    let unit = &rendered.units[&UnitId::Cluster(ClusterName::new("cluster-class"))];
    let cluster = unit.manifests.iter().find(|manifest| manifest.id.kind == "Cluster");
    let needs = &cluster.expect("the Cluster").depends_on;
    let class = needs.iter().find(|id| id.kind == "ClusterClass").expect("its class");
    let there = &rendered.units[&UnitId::ManagementCluster(ManagementClusterName::new("fra"))];
    assert!(there.manifests.iter().any(|manifest| manifest.id == *class), "{class}");
    assert!(unit.preconditions.is_empty());
}
