//! The time for which a cluster is suspended: what is there must stay as it is, whatever its files say.

use std::collections::BTreeMap;

use fleetwright::sandbox::Sandbox;
use fleetwright::sandbox::kubernetes::Resource;
use serde_json::{Value, json};

/// Kinds of which clusters are made.
const KINDS: [(&str, &str, &str); 4] = [
    ("", "v1", "secrets"),
    ("", "v1", "configmaps"),
    ("hypershift.openshift.io", "v1beta1", "hostedclusters"),
    ("hypershift.openshift.io", "v1beta1", "nodepools"),
];

/// A cluster that is suspended.
#[derive(Debug)]
pub(super) struct Window {
    cluster: &'static str,
    objects: BTreeMap<String, Value>,
    /// Writes of the cloud's log before it.
    writes: usize,
}

impl Window {
    /// From now on.
    pub(super) async fn open(sandbox: &Sandbox, cluster: &'static str) -> Self {
        Self {
            cluster,
            objects: objects(sandbox, cluster).await,
            writes: sandbox.oci().writes().len(),
        }
    }

    /// Takes in what somebody else has changed.
    pub(super) async fn look_again(&mut self, sandbox: &Sandbox) {
        self.objects = objects(sandbox, self.cluster).await;
    }

    /// Fails where anything was written meanwhile.
    pub(super) async fn is_untouched(&self, sandbox: &Sandbox, seed: u64) {
        let cluster = self.cluster;
        let now = objects(sandbox, cluster).await;
        for (name, before) in &self.objects {
            match now.get(name) {
                Some(after) => assert_eq!(
                    after, before,
                    "seed {seed}: {name} was written while {cluster} is suspended"
                ),
                None => assert_eq!(
                    before["going"], true,
                    "seed {seed}: {name} went while {cluster} is suspended"
                ),
            }
        }
        for name in now.keys() {
            assert!(
                self.objects.contains_key(name),
                "seed {seed}: {name} came while {cluster} is suspended"
            );
        }
        let own = &sandbox.identity().principal().user;
        for write in sandbox.oci().writes().iter().skip(self.writes) {
            let name = &write.display_name;
            let is_of_it =
                name == cluster || name.starts_with(&format!("{cluster}-")) || *name == format!("m-{cluster}");
            assert!(
                !is_of_it || write.principal.user != *own,
                "seed {seed}: {} {name} while {cluster} is suspended",
                write.operation
            );
        }
    }
}

/// What is wanted of a cluster's objects, by kind and name.
async fn objects(sandbox: &Sandbox, cluster: &str) -> BTreeMap<String, Value> {
    let server = sandbox.cluster("m").await.expect("the API server");
    let namespace = format!("clusters-{cluster}");
    let mut objects = BTreeMap::new();
    for (group, version, plural) in KINDS {
        let resource = Resource::new(group, version, plural);
        for object in server.server().list(&resource, Some(&namespace)).expect("a list") {
            let metadata = &object["metadata"];
            let shown = json!({
                "uid": metadata["uid"],
                "labels": metadata["labels"],
                "spec": object["spec"],
                "data": object["data"],
                "going": metadata["deletionTimestamp"].is_string(),
            });
            objects.insert(format!("{plural}/{}", metadata["name"]), shown);
        }
    }
    objects
}
