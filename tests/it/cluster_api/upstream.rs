//! Each template of upstream, filled in, says what an example of ours renders to; or stands in a list, with a reason.

use std::collections::BTreeMap;
use std::path::PathBuf;

use fleetwright::resource::{ClusterName, UnitId};
use serde::Deserialize as _;
use serde_json::{Value, json};

use super::class::CLASS;
use super::normal::{Cluster, ours, theirs};
use super::{example, names};
use crate::render_crds::upstream;

/// Templates that no example comes to yet, and why.
const NOT_COVERED: [(&str, &str); 1] = [(
    "oci-addons",
    "seven hundred lines of ConfigMaps: add-ons as bundles of a version are not made yet",
)];

/// What the files of the example say, in the words of the templates.
const VALUES: [(&str, &str); 19] = [
    (
        "OCI_COMPARTMENT_ID",
        "ocid1.compartment.oc1..aaaaaaaaclusters2x7k9m4q8n3w5v6t",
    ),
    (
        "OCI_IMAGE_ID",
        "ocid1.image.oc1.eu-frankfurt-1.aaaaaaaaubuntu6w2q9k4m8n3x7",
    ),
    (
        "OCI_MANAGED_NODE_IMAGE_ID",
        "ocid1.image.oc1.eu-frankfurt-1.aaaaaaaaubuntu6w2q9k4m8n3x7",
    ),
    (
        "OCI_SSH_KEY",
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExampleExampleExampleExampleExampleExample ops",
    ),
    ("KUBERNETES_VERSION", "v1.31.1"),
    ("OCI_SHAPE", "VM.Standard.E4.Flex"),
    ("OCI_SHAPE_OCPUS", "1"),
    ("OCI_SHAPE_MEMORY_IN_GBS", "16"),
    ("CONTROL_PLANE_MACHINE_COUNT", "3"),
    ("NODE_MACHINE_COUNT", "1"),
    ("WORKER_MACHINE_COUNT", "1"),
    ("OCI_WORKLOAD_REGION", "uk-london-1"),
    ("EXTERNAL_VCN_ID", "ocid1.vcn.oc1.eu-frankfurt-1.amaaaaaahub8k3w6q2n9"),
    (
        "EXTERNAL_VCN_CPE_SUBNET",
        "ocid1.subnet.oc1.eu-frankfurt-1.aaaaaaaaendpoint4m8n3",
    ),
    (
        "EXTERNAL_VCN_WORKER_SUBNET",
        "ocid1.subnet.oc1.eu-frankfurt-1.aaaaaaaaworkers7x9k2",
    ),
    (
        "EXTERNAL_VCN_CP_SUBNET",
        "ocid1.subnet.oc1.eu-frankfurt-1.aaaaaaaacontrol6w2q9",
    ),
    ("DRG_ID", "ocid1.drg.oc1.eu-frankfurt-1.aaaaaaaahub7x9k2"),
    (
        "OCI_NODE_IMAGE_ID",
        "ocid1.image.oc1.eu-frankfurt-1.aaaaaaaawindows5q8k2m6x4w9",
    ),
    (
        "OCI_CONTROL_PLANE_IMAGE_ID",
        "ocid1.image.oc1.eu-frankfurt-1.aaaaaaaaubuntu6w2q9k4m8n3x7",
    ),
];

/// Images of the clusters in other regions, which every region has its own of.
const IMAGES: [(&str, &str); 2] = [
    ("uk-london-1", "ocid1.image.oc1.uk-london-1.aaaaaaaaubuntu9k4m8n3x7w2q6"),
    ("us-ashburn-1", "ocid1.image.oc1.iad.aaaaaaaaubuntu3x7w2q6k4m8n9"),
];

/// The templates by the name that an example has.
pub(super) fn templates() -> Option<BTreeMap<String, PathBuf>> {
    let folder = upstream()?.join("capoci/templates");
    let files = std::fs::read_dir(&folder).expect("upstream's templates");
    let named = files.map(|file| {
        let path = file.expect("a file").path();
        let stem = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let name = match stem.strip_prefix("cluster-template") {
            Some("") => "default".to_owned(),
            Some(rest) => rest.trim_start_matches('-').to_owned(),
            None => stem,
        };
        (name, path)
    });
    Some(named.collect())
}

/// Fills in `${NAME}`, `${NAME=otherwise}` and `${NAME:="otherwise"}`.
fn filled(template: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let mut parts = template.split("${");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (variable, rest) = part.split_once('}').expect("a closed variable");
        let (name, otherwise) = match variable.split_once('=') {
            Some((name, otherwise)) => (name.trim_end_matches(':'), Some(otherwise)),
            None => (variable, None),
        };
        let value = value(name).or_else(|| otherwise.map(str::to_owned));
        text += &value.unwrap_or_else(|| panic!("`{name}` has no value"));
        text += rest;
    }
    text
}

pub(super) fn documents(text: &str) -> Vec<Value> {
    let all = serde_yaml::Deserializer::from_str(text).map(|document| Value::deserialize(document).expect("YAML"));
    all.filter(|document| !document.is_null()).collect()
}

fn by_id(documents: Vec<Value>) -> BTreeMap<String, Value> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let id = |it: &Value| format!("{} {}", text(&it["kind"]), text(&it["metadata"]["name"]));
    let count = documents.len();
    let found: BTreeMap<String, Value> = documents
        .into_iter()
        .map(|document| (id(&document), document))
        .collect();
    assert_eq!(found.len(), count);
    found
}

#[test]
fn every_template_has_an_example_or_a_reason_and_no_example_is_without_a_template() {
    let Some(templates) = templates() else { return };
    let (fleet, _) = example();
    let mut examples = names(&fleet);
    // A class is no cluster: the management cluster has it.
    examples.insert(CLASS.to_owned());
    for name in templates.keys() {
        let reason = NOT_COVERED.iter().any(|(of, _)| of == name);
        assert!(examples.contains(name) != reason, "{name}");
    }
    for name in examples.iter().map(String::as_str).chain(NOT_COVERED.map(|(of, _)| of)) {
        assert!(templates.contains_key(name), "{name}");
    }
}

#[test]
fn every_example_renders_to_what_its_template_says() {
    let Some(templates) = templates() else { return };
    let (fleet, rendered) = example();
    let mut different = Vec::new();
    for (name, cluster) in &fleet.fleet.clusters {
        let template = std::fs::read_to_string(&templates[name.as_str()]).expect("a template");
        let there = IMAGES.iter().find(|(region, _)| *region == cluster.region);
        let there = there.map(|(_, image)| *image);
        let value = |variable: &str| match variable {
            "CLUSTER_NAME" => Some(cluster.object_name.clone()),
            "NAMESPACE" => Some(cluster.namespace.clone()),
            "OCI_IMAGE_ID" | "OCI_MANAGED_NODE_IMAGE_ID" if there.is_some() => there.map(str::to_owned),
            _ => VALUES
                .iter()
                .find(|(of, _)| *of == variable)
                .map(|(_, value)| (*value).to_owned()),
        };
        let about = Cluster {
            name: &cluster.object_name,
            namespace: &cluster.namespace,
            region: &cluster.region,
            labels: &cluster.labels,
        };
        let wanted = documents(&filled(&template, value));
        let wanted = by_id(wanted.into_iter().map(|document| theirs(document, &about)).collect());
        let unit = &rendered.units[&UnitId::Cluster(ClusterName::new(name.as_str()))];
        let made = unit.manifests.iter().filter(|manifest| manifest.id.kind != "Namespace");
        let made = by_id(made.map(|manifest| ours(manifest.body(), &wanted, &about)).collect());
        let (wanted, made) = (json!(wanted), json!(made));
        let text = |value: &Value| serde_yaml::to_string(value).expect("YAML");
        let (wanted_text, made_text) = (text(&wanted), text(&made));
        let diff = similar::TextDiff::from_lines(&wanted_text, &made_text);
        if wanted != made {
            different.push(format!("{name}:\n{}", diff.unified_diff()));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}

#[test]
fn the_plain_examples_take_few_lines() {
    let lines = |text: &str| text.lines().count();
    assert!(lines(include_str!("../../../examples/cluster-api/clusters/default.yaml")) <= 10);
    assert!(
        lines(include_str!(
            "../../../examples/cluster-api/clusters/cluster-class.yaml"
        )) <= 14
    );
}
