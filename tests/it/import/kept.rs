//! What is written: how short it is, what is kept as a patch, and what is in no file.

use std::collections::BTreeMap;
use std::sync::Arc;

use fleetwright::fleet::model::{Cluster, Dialect, ExistingNetwork, NetworkSource, Scale};
use fleetwright::import::{Found, Imported};
use fleetwright::resource::{NodePoolName, OciId, Ocid};
use fleetwright::schema::Schema;
use serde::Deserialize as _;
use serde_json::{Value, json};

use super::{codes, found, found_by, imported, of_others, reloaded, rendered, specs};
use crate::golden;
use crate::render_fixture::{cluster, fleet, gpu_pool, hosted, pool};
use crate::support::{crds, skip};

/// Ten clusters as a team would have made them by hand: most alike, each with something of its own.
fn by_hand() -> Vec<Cluster> {
    (0..10)
        .map(|number| {
            let name = format!("team-{number}");
            let mut cluster = cluster(&name, Dialect::Oci);
            cluster.namespace = "clusters".to_owned();
            cluster.labels = BTreeMap::from([("stage".to_owned(), if number < 4 { "prod" } else { "dev" }.to_owned())]);
            let it = hosted(&mut cluster);
            it.hosted_cluster_patch = json!({"autoscaling": {"scaling": "ScaleUpOnly"}});
            if number < 4 {
                it.node_pools.insert(NodePoolName::new("gpu"), gpu_pool(&name));
            } else {
                it.controller_availability = "SingleReplica".to_owned();
                it.infrastructure_availability = "SingleReplica".to_owned();
            }
            if number == 7 {
                let workers = it.node_pools.values_mut().next().expect("a pool");
                workers.scale = Scale::Autoscale { min: 1, max: 6 };
            }
            cluster
        })
        .collect()
}

fn lines(imported: &Imported) -> usize {
    let written = imported
        .files
        .iter()
        .filter(|(path, _)| !path.starts_with("fleet.lock/"));
    written.map(|(_, text)| text.lines().count()).sum()
}

#[test]
fn what_clusters_have_in_common_is_written_once() {
    let objects = of_others(&rendered(&fleet(by_hand())));
    let made = imported(&[found(&objects)]);
    assert_eq!((made.clusters, made.pools), (10, 14));
    for (path, text) in made.files.iter().filter(|(path, _)| !path.starts_with("fleet.lock/")) {
        golden::check(&format!("import/by-hand/{path}"), text);
    }
    assert!(lines(&made) < 70, "{:#?}", made.files);
    assert_eq!(specs(&of_others(&reloaded(&made))), specs(&objects));
}

#[test]
fn a_label_tells_environments_apart() {
    let objects = of_others(&rendered(&fleet(by_hand())));
    let mut options = super::options();
    options.environment_label = Some("stage".to_owned());
    let templates = fleetwright::render::TemplateSet::new(&[]).expect("the templates");
    let made = fleetwright::import::import(&[found(&objects)], &options, &templates);
    let names: Vec<&String> = made.files.keys().filter(|path| path.starts_with("clusters/")).collect();
    assert_eq!(names, ["clusters/dev.yaml", "clusters/prod.yaml"]);
    assert_eq!(specs(&of_others(&reloaded(&made))), specs(&objects));
}

/// One cluster with these changes to what is live.
fn one(change: impl Fn(&mut Value)) -> (Vec<Value>, Imported) {
    let mut cluster = cluster("a", Dialect::None);
    hosted(&mut cluster)
        .node_pools
        .insert(NodePoolName::new("b"), pool("a", "b"));
    let mut fleet = fleet([cluster]);
    fleet
        .management_clusters
        .values_mut()
        .for_each(|it| it.dialect = Dialect::None);
    let mut objects = of_others(&rendered(&fleet));
    objects.iter_mut().for_each(change);
    let made = imported(&[found(&objects)]);
    assert!(made.is_factored);
    (objects, made)
}

#[test]
fn what_the_files_have_no_words_for_is_a_patch_and_said() {
    let (objects, made) = one(|object| match object["kind"].as_str() {
        Some("HostedCluster") => {
            object["spec"]["configuration"] = json!({"apiServer": {"audit": {"profile": "None"}}});
            object["spec"]["release"]["image"] = json!("registry.example/ocp-release:4.20.3-x86_64");
            object["spec"]["services"].as_array_mut().expect("services").reverse();
        }
        Some("NodePool") => object["spec"]["management"]["replace"] = json!({"strategy": "OnDelete"}),
        _ => {}
    });
    assert_eq!(specs(&of_others(&reloaded(&made))), specs(&objects));
    let said: Vec<&str> = made.diagnostics.iter().map(|said| said.message.as_str()).collect();
    assert_eq!(
        said,
        [
            "kept as a patch of HostedCluster clusters-a/a: spec.configuration.apiServer, spec.release.image, spec.services",
            "kept as a patch of NodePools clusters-a/a-b, clusters-a/a-general: spec.management.replace",
        ]
    );
}

#[test]
fn what_the_operator_gave_is_in_no_file() {
    let (_, made) = one(|object| {
        if object["kind"] == "HostedCluster" {
            object["spec"]["clusterID"] = json!("0b3c5f0e-0000-4000-8000-000000000000");
            object["spec"]["networking"]["allocateNodeCIDRs"] = json!("Enabled");
            object["metadata"]["annotations"]["hypershift.openshift.io/HasBeenAvailable"] = json!("true");
            object["metadata"]["managedFields"] = json!([{
                "manager": "hypershift-operator-manager", "operation": "Update", "apiVersion": "hypershift.openshift.io/v1beta1",
                "fieldsType": "FieldsV1", "fieldsV1": {
                    "f:metadata": {"f:annotations": {"f:hypershift.openshift.io/HasBeenAvailable": {}}},
                    "f:spec": {"f:clusterID": {}, "f:networking": {"f:allocateNodeCIDRs": {}}},
                },
            }]);
        }
    });
    let text = made.files.values().cloned().collect::<String>();
    for word in ["clusterID", "0b3c5f0e-0000", "allocateNodeCIDRs", "HasBeenAvailable"] {
        assert!(!text.contains(word), "{word}: {text}");
    }
    assert_eq!(codes(&made), BTreeMap::new());
}

/// The schemas of upstream's own definitions, with the OCI platform in them; none where they are not here.
fn upstream() -> Option<[Arc<Schema>; 2]> {
    let text = match crds() {
        Ok(text) => text,
        Err(reason) => return skip(reason),
    };
    let all: Vec<Value> = serde_yaml::Deserializer::from_str(text)
        .map(|document| Value::deserialize(document).expect("YAML"))
        .collect();
    let schema = |plural: &str| {
        let name = format!("{plural}.hypershift.openshift.io");
        let crd = all.iter().find(|crd| crd["metadata"]["name"] == name.as_str());
        Arc::new(Schema::from_crd(crd.expect("the definition"), "v1beta1").expect("a schema"))
    };
    Some(["hostedclusters", "nodepools"].map(schema))
}

#[test]
fn what_upstreams_definitions_fill_in_is_no_patch() {
    let Some([clusters, pools]) = upstream() else { return };
    for dialect in [Dialect::Oci, Dialect::None, Dialect::Agent] {
        let mut fleet = fleet(["a", "b"].map(|name| {
            let mut cluster = cluster(name, dialect);
            hosted(&mut cluster)
                .node_pools
                .insert(NodePoolName::new("gpu"), gpu_pool(name));
            cluster
        }));
        fleet
            .management_clusters
            .values_mut()
            .for_each(|it| it.dialect = dialect);
        let objects = of_others(&rendered(&fleet));
        let made = imported(&[found_by(&objects, (clusters.clone(), pools.clone()))]);
        assert_eq!(
            (made.clusters, codes(&made)),
            (2, BTreeMap::new()),
            "{:#?}",
            made.diagnostics
        );
        assert_eq!(specs(&of_others(&reloaded(&made))), specs(&objects));
    }
}

#[test]
fn clusters_of_several_platforms_have_theirs_as_a_patch() {
    let mut objects = of_others(&rendered(&fleet(["a", "b"].map(|name| cluster(name, Dialect::Oci)))));
    for object in &mut objects {
        let namespace = object["metadata"]["namespace"].clone();
        if namespace == "clusters-b" {
            object["spec"]["platform"] = json!({"type": "KubeVirt", "kubevirt": {"baseDomainPassthrough": true}});
        }
    }
    let made = imported(&[found(&objects)]);
    assert!(made.files["fleet.yaml"].contains("dialect: none"), "{:#?}", made.files);
    assert_eq!(specs(&of_others(&reloaded(&made))), specs(&objects));
}

#[test]
fn a_network_that_some_clusters_share_is_a_document_of_its_own() {
    let clusters = ["a", "b", "c", "d"].map(|name| {
        let mut cluster = cluster(name, Dialect::Oci);
        if name > "b" {
            let ocid = |kind: &str| {
                Some(OciId::Known(Ocid::new(format!(
                    "ocid1.{kind}.oc1.eu-frankfurt-1.other{name}"
                ))))
            };
            cluster.network.source = NetworkSource::Existing(ExistingNetwork {
                vcn: ocid("vcn"),
                endpoint_subnet: None,
                worker_subnet: ocid("subnet"),
            });
        }
        cluster
    });
    let objects = of_others(&rendered(&fleet(clusters)));
    let made = imported(&[found(&objects)]);
    let network = &made.files["networks.yaml"];
    assert!(
        network.starts_with("kind: Network\nmetadata: {name: vcn-aaaa1}\n"),
        "{network}"
    );
    assert!(
        made.files["clusters/imported.yaml"].contains("shared: vcn-aaaa1"),
        "{:#?}",
        made.files
    );
    assert_eq!(specs(&of_others(&reloaded(&made))), specs(&objects));
}

#[test]
fn a_namespace_of_others_choosing_is_neither_made_nor_deleted() {
    let namespaces = |clusters: &[(&str, &str)]| -> Vec<String> {
        let clusters = clusters.iter().map(|(name, namespace)| {
            let mut cluster = cluster(name, Dialect::Oci);
            cluster.namespace = (*namespace).to_owned();
            cluster
        });
        let made = imported(&[found(&of_others(&rendered(&fleet(clusters))))]);
        let again = of_others(&reloaded(&made));
        let namespaces = again.iter().filter(|object| object["kind"] == "Namespace");
        namespaces
            .map(|object| object["metadata"]["name"].as_str().expect("a name").to_owned())
            .collect()
    };
    assert_eq!(namespaces(&[("a", "clusters-a"), ("b", "clusters")]), ["clusters-a"]);
    assert_eq!(
        namespaces(&[("a", "clusters"), ("b", "clusters")]),
        Vec::<String>::new()
    );
}

#[test]
fn labels_that_not_all_objects_have_stay_where_they_are() {
    let (_, made) = one(|object| {
        if object["metadata"]["name"] == "a-b" {
            object["metadata"]["labels"]["cost"] = json!("42");
            object["metadata"]["annotations"]["note"] = json!("mine");
        }
    });
    let said = &made.diagnostics[0];
    assert_eq!(said.code.id(), "FW0705");
    assert!(
        said.message
            .ends_with("label cost of NodePool clusters-a/a-b, annotation note of NodePool clusters-a/a-b"),
        "{}",
        said.message
    );
}

#[test]
fn a_rule_that_a_cluster_breaks_is_waived_and_said() {
    let (objects, made) = one(|object| {
        if object["kind"] == "NodePool" {
            object["spec"]["release"]["image"] = json!("registry.example/ocp-release:4.15.1-multi");
        }
    });
    assert_eq!(codes(&made), BTreeMap::from([("FW0703", 1)]));
    assert!(
        made.files["fleet.yaml"].contains("{rule: np-skew, cluster: a, reason: "),
        "{:#?}",
        made.files
    );
    assert_eq!(specs(&of_others(&reloaded(&made))), specs(&objects));
}

#[test]
fn a_release_by_its_digest_is_known_by_the_history_and_pinned() {
    let image = format!("registry.example/ocp-release@sha256:{}", "1".repeat(64));
    let (objects, made) = one(|object| {
        if object["kind"] != "Namespace" {
            object["spec"]["release"]["image"] = json!(image);
        }
        if object["kind"] == "HostedCluster" {
            object["status"] = json!({"version": {"history": [{"image": image, "version": "4.20.3"}]}});
        }
    });
    assert!(
        made.files["fleet.lock/clusters/a.yaml"].contains("4.20.3: sha256:1111"),
        "{:#?}",
        made.files
    );
    assert_eq!(codes(&made), BTreeMap::new());
    assert_eq!(specs(&of_others(&reloaded(&made))), specs(&objects));
    let (_, unknown) = one(|object| {
        if object["kind"] == "HostedCluster" {
            object["spec"]["release"]["image"] = json!(image);
        }
    });
    assert_eq!(
        (unknown.clusters, codes(&unknown)),
        (0, BTreeMap::from([("FW0701", 1)]))
    );
}

#[test]
fn two_management_clusters_make_one_fleet() {
    let all = |dialect: Dialect| {
        let mut fleet = fleet(["a", "b"].map(|name| cluster(name, dialect)));
        fleet
            .management_clusters
            .values_mut()
            .for_each(|it| it.dialect = dialect);
        of_others(&rendered(&fleet))
    };
    let one = found(&all(Dialect::Oci));
    let other = Found {
        name: fleetwright::resource::ManagementClusterName::new("n"),
        context: "some/context".to_owned(),
        ..found(&all(Dialect::Agent))
    };
    let made = imported(&[one, other]);
    assert_eq!(
        (made.clusters, codes(&made)),
        (4, BTreeMap::new()),
        "{:#?}",
        made.diagnostics
    );
    let again = reloaded(&made);
    let clusters: Vec<String> = again.units.keys().map(ToString::to_string).collect();
    assert!(clusters.contains(&"cluster a-clusters-a".to_owned()), "{clusters:?}");
}
