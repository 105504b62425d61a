//! What both control planes hold, in a form in which two runs can be compared: without ids, versions, times, and whoever
//! wrote last.

use std::collections::BTreeMap;

use fleetwright::ops::LoadedFleet;
use fleetwright::sandbox::Sandbox;
use fleetwright::sandbox::oci::Resource;
use fleetwright::status::{State, readiness};
use serde_json::{Value, json};

use super::bystanders::Before;

/// Kinds of the API servers whose objects are compared.
const COMPARED: [&str; 6] = [
    "/api/v1/namespaces",
    "/api/v1/configmaps",
    "/api/v1/secrets",
    "/apis/hypershift.openshift.io/v1beta1/hostedclusters",
    "/apis/hypershift.openshift.io/v1beta1/nodepools",
    "/apis/infrastructure.cluster.x-k8s.io/v1beta2/ociclusteridentities",
];

/// How the Base64 of a PEM file begins.
const PRIVATE_KEY: &str = "LS0tLS1CRUdJTi";

/// Fields that differ from run to run.
const DIFFERENT: [&str; 19] = [
    "id",
    "uid",
    "resourceVersion",
    "creationTimestamp",
    "managedFields",
    "lastTransitionTime",
    "startedTime",
    "completionTime",
    "generation",
    "observedGeneration",
    "timeCreated",
    "timeUpdated",
    // The second in which a plan was made that creates something.
    "incarnation",
    // The rules of a group are dated in it.
    "fleetwright-digest",
    // The next one that is free.
    "natIp",
    "ipAddress",
    "virtualRouterMac",
    // Each sandbox that is kept on disk has a key of its own.
    "fingerprint",
    // A hash of OCIDs.
    "hypershift.openshift.io/nodePoolPlatformMachineTemplate",
];

/// The objects of the API servers, by place and name.
pub(crate) async fn objects(loaded: &LoadedFleet, sandbox: &Sandbox) -> BTreeMap<String, Value> {
    let mut objects = BTreeMap::new();
    for cluster in loaded.fleet.management_clusters.keys() {
        let client = sandbox.kube_client(cluster.as_str()).await.expect("a client");
        for path in COMPARED {
            let request = http::Request::get(path).body(Vec::new()).expect("a request");
            let list: Value = client.request(request).await.expect("a list");
            for object in list["items"].as_array().expect("items") {
                let place = &object["metadata"];
                let name = format!("{cluster} {path} {} {}", place["namespace"], place["name"]);
                objects.insert(name, object.clone());
            }
        }
    }
    objects
}

/// Fails where a hosted cluster or node pool is not ready.
pub(crate) fn are_ready(objects: &BTreeMap<String, Value>, seed: u64) {
    for (name, object) in objects {
        let kind = match () {
            () if name.contains("/hostedclusters") => "HostedCluster",
            () if name.contains("/nodepools") => "NodePool",
            () => continue,
        };
        let mut object = object.clone();
        object["kind"] = json!(kind);
        object["apiVersion"] = json!("hypershift.openshift.io/v1beta1");
        assert_eq!(readiness(&object).state, State::Ready, "seed {seed}: {name}: {object}");
    }
}

/// Objects and resources, with names in the place of OCIDs.
pub(crate) fn comparable(
    objects: &BTreeMap<String, Value>,
    sandbox: &Sandbox,
    before: &Before,
) -> BTreeMap<String, Value> {
    let mut resources = sandbox.oci().resources();
    resources.retain(|resource| resource.kind != "WorkRequest");
    // What was there before the run has the same OCID in each.
    let minted = resources.iter().filter(|resource| !before.holds(&resource.id));
    let names = Names(minted.map(|resource| (resource.id.as_str(), name(resource))).collect());
    let mut state: BTreeMap<String, Value> = objects
        .iter()
        .map(|(name, object)| (name.clone(), names.same(object, false)))
        .collect();
    let mut by_name: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for resource in &resources {
        let mut shown = json!({"body": resource.body, "details": resource.details});
        // Which subnet a guest finds for its balancer depends on how much of the network is there when it looks.
        if resource.body["freeformTags"]["CreatedBy"] == "oci-cloud-controller-manager"
            && let Some(body) = shown["body"].as_object_mut()
        {
            body.remove("subnetId");
        }
        by_name
            .entry(name(resource))
            .or_default()
            .push(names.same(&shown, true));
    }
    for (name, mut like) in by_name {
        like.sort_by_cached_key(Value::to_string);
        state.insert(format!("oci {name}"), like.into());
    }
    state
}

/// What a resource is called in each run.
fn name(resource: &Resource) -> String {
    let text = |key: &str| resource.body[key].as_str().unwrap_or_default();
    let tag = resource.body["freeformTags"]["fleetwright-id"]
        .as_str()
        .unwrap_or_default();
    // A name that the server gave has a number in it.
    let shown = text("displayName").trim_end_matches(|c: char| c.is_ascii_digit());
    format!("{} {shown}{} {tag}", resource.kind, text("name"))
}

struct Names<'a>(BTreeMap<&'a str, String>);

impl Names<'_> {
    /// Takes out what differs from run to run. The order of lists says nothing where they are `sets`.
    fn same(&self, value: &Value, sets: bool) -> Value {
        match value {
            Value::Object(map) => map
                .iter()
                .filter(|(key, _)| !DIFFERENT.contains(&key.as_str()))
                .map(|(key, value)| (key.clone(), self.same(value, sets)))
                .collect::<serde_json::Map<_, _>>()
                .into(),
            Value::Array(list) => {
                let mut list: Vec<Value> = list.iter().map(|item| self.same(item, sets)).collect();
                if sets {
                    list.sort_by_cached_key(Value::to_string);
                }
                list.into()
            }
            // The inventory is a document within a document.
            Value::String(text) if text.starts_with('{') => match serde_json::from_str(text) {
                Ok(inner) => self.same(&inner, sets),
                Err(_) => self.text(text),
            },
            Value::String(text) if text.starts_with(PRIVATE_KEY) => PRIVATE_KEY.into(),
            Value::String(text) => self.text(text),
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        }
    }

    fn text(&self, text: &str) -> Value {
        if !text.contains("ocid1.") {
            return text.into();
        }
        let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        let words = text.split_inclusive(|c| !is_part(c)).map(|word| {
            let ocid = word.trim_end_matches(|c| !is_part(c));
            match self.0.get(ocid) {
                Some(name) => word.replace(ocid, name),
                None => word.to_owned(),
            }
        });
        words.collect::<String>().into()
    }
}
