//! What is compared of two documents. Each difference that is none is a function of its own, with its reason; whatever no
//! function is about has to be equal.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// What is known of the cluster.
pub(super) struct Cluster<'a> {
    pub(super) name: &'a str,
    pub(super) namespace: &'a str,
    pub(super) region: &'a str,
    /// Typed labels, which every object gets.
    pub(super) labels: &'a BTreeMap<String, String>,
}

/// A document of upstream's.
pub(super) fn theirs(mut document: Value, cluster: &Cluster<'_>) -> Value {
    in_the_namespace_of_the_command(&mut document, cluster);
    region_of_the_controller(&mut document, cluster);
    selector_of_the_webhook(&mut document, cluster);
    version_of_the_control_plane(&mut document);
    ranges_of_oke(&mut document);
    range_of_kubeadm(&mut document);
    class_of_all(&mut document);
    label_of_the_cluster(&mut document, cluster);
    misspelt(&mut document);
    mistyped(&mut document);
    security_rules(&mut document);
    by_name(&mut document);
    empty(&mut document);
    document
}

/// A document of ours; `wanted` are upstream's, normalised.
pub(super) fn ours(mut document: Value, wanted: &BTreeMap<String, Value>, cluster: &Cluster<'_>) -> Value {
    marks(&mut document);
    named_by_content(&mut document);
    let id = format!("{} {}", text(&document["kind"]), text(&document["metadata"]["name"]));
    labels_on_all(&mut document, wanted.get(&id), cluster);
    security_rules(&mut document);
    by_name(&mut document);
    empty(&mut document);
    document
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn each(value: &mut Value, of: &mut dyn FnMut(&mut Map<String, Value>)) {
    match value {
        Value::Object(map) => {
            of(map);
            map.values_mut().for_each(|value| each(value, of));
        }
        Value::Array(items) => items.iter_mut().for_each(|value| each(value, of)),
        _ => {}
    }
}

/// The command that fills a template in puts every object into one namespace; some templates name `default`, others none.
fn in_the_namespace_of_the_command(document: &mut Value, cluster: &Cluster<'_>) {
    document["metadata"]["namespace"] = cluster.namespace.into();
    each(&mut document["spec"], &mut |map| {
        let is_reference = ["apiVersion", "kind", "name"].iter().all(|key| map.contains_key(*key));
        if is_reference {
            map.entry("namespace").or_insert_with(|| cluster.namespace.into());
        }
    });
}

/// Who names no region gets that of the controller. We always name it.
fn region_of_the_controller(document: &mut Value, cluster: &Cluster<'_>) {
    if matches!(text(&document["kind"]), "OCICluster" | "OCIManagedCluster")
        && let Some(spec) = document["spec"].as_object_mut()
    {
        spec.entry("region").or_insert_with(|| cluster.region.into());
    }
}

/// Cluster API's webhook gives a MachineDeployment without a selector these labels. We say them.
fn selector_of_the_webhook(document: &mut Value, cluster: &Cluster<'_>) {
    if document["kind"] != "MachineDeployment" {
        return;
    }
    assert_eq!(document["spec"]["selector"]["matchLabels"], Value::Null);
    let labels = json!({
        "cluster.x-k8s.io/cluster-name": cluster.name,
        "cluster.x-k8s.io/deployment-name": document["metadata"]["name"],
    });
    document["spec"]["selector"]["matchLabels"] = labels.clone();
    document["spec"]["template"]["metadata"]["labels"] = labels;
}

/// The controller of control planes writes their version into kubeadm's configuration itself.
fn version_of_the_control_plane(document: &mut Value) {
    let version = document["spec"]["version"].clone();
    let pointer = "/spec/kubeadmConfigSpec/clusterConfiguration";
    if let Some(map) = document.pointer_mut(pointer).and_then(Value::as_object_mut) {
        assert_eq!(map.remove("kubernetesVersion"), Some(version));
    }
}

/// Who names no ranges gets these from OKE. We always name them.
fn ranges_of_oke(document: &mut Value) {
    let of_oke = document["spec"]["infrastructureRef"]["kind"] == "OCIManagedCluster";
    if document["kind"] == "Cluster" && of_oke && document["spec"].get("clusterNetwork").is_none() {
        document["spec"]["clusterNetwork"] =
            json!({"pods": {"cidrBlocks": ["10.244.0.0/16"]}, "services": {"cidrBlocks": ["10.96.0.0/16"]}});
    }
}

/// Who names no range of services gets this one from kubeadm. We always name it.
fn range_of_kubeadm(document: &mut Value) {
    let by_class = document["spec"].get("topology").is_some();
    if by_class && document["spec"]["clusterNetwork"].get("services").is_none() {
        document["spec"]["clusterNetwork"]["services"] = json!({"cidrBlocks": ["10.96.0.0/12"]});
    }
}

/// By this label ClusterResourceSets find a cluster. Most templates have it; every cluster of ours has.
fn label_of_the_cluster(document: &mut Value, cluster: &Cluster<'_>) {
    if document["spec"].get("topology").is_some() {
        document["metadata"]["labels"]["cluster.x-k8s.io/cluster-name"] = cluster.name.into();
    }
}

/// The command puts a class beside each of its clusters. Ours stands once, in a namespace of its own.
fn class_of_all(document: &mut Value) {
    if let Some(topology) = document["spec"].get_mut("topology") {
        assert_eq!(topology.get("classNamespace"), None);
        topology["classNamespace"] = "classes".into();
    }
}

/// Values of variables go by their names: the server keeps their list as a map.
fn by_name(document: &mut Value) {
    if let Some(Value::Array(variables)) = document.pointer_mut("/spec/topology/variables") {
        variables.sort_by_key(|variable| text(&variable["name"]).to_owned());
    }
}

/// A key that the API does not know, which the server drops.
fn misspelt(document: &mut Value) {
    each(document, &mut |map| {
        map.remove("IsPvEncryptionInTransitEnabled");
    });
}

/// One rule of a template names a network that there is none of, where those around it name that of the workers; and one
/// group an id that is no OCID, left from where the template was taken.
fn mistyped(document: &mut Value) {
    each(document, &mut |map| {
        if map.get("id") == Some(&json!("C2F829")) {
            map.remove("id");
        }
        if map.get("source") == Some(&json!("11.0.64.0/20")) {
            map.insert("source".to_owned(), "10.1.64.0/20".into());
        }
    });
}

/// Groups go by their names, and rules by what they say: their order means nothing, and what they are called is for people.
fn security_rules(document: &mut Value) {
    each(document, &mut |map| {
        for key in ["ingressRules", "egressRules"] {
            if let Some(Value::Array(rules)) = map.get_mut(key) {
                for rule in rules
                    .iter_mut()
                    .filter_map(Value::as_object_mut)
                    .flat_map(Map::values_mut)
                {
                    let description = rule.as_object_mut().and_then(|rule| rule.remove("description"));
                    assert!(description.is_none_or(|text| text.is_string()));
                }
                rules.sort_by_key(Value::to_string);
            }
        }
        if let Some(Value::Array(groups)) = map.get_mut("list") {
            groups.sort_by_key(|group| text(&group["name"]).to_owned());
        }
    });
}

/// An empty map says what an absent one says.
pub(super) fn empty(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.values_mut().for_each(empty);
            map.retain(|_, value| value.as_object().is_none_or(|map| !map.is_empty()));
        }
        Value::Array(items) => items.iter_mut().for_each(empty),
        _ => {}
    }
}

/// What finds our objects, and tells whose they are.
fn marks(document: &mut Value) {
    for key in ["labels", "annotations"] {
        if let Some(map) = document["metadata"][key].as_object_mut() {
            map.retain(|key, _| !key.starts_with("fleetwright.dev/") && key != "app.kubernetes.io/managed-by");
        }
    }
}

/// Of what is never changed in place the name ends in eight digits of its content's digest.
fn named_by_content(document: &mut Value) {
    let plain = |kind: &str, name: &str| -> Option<Value> {
        let by_content = matches!(kind, "OCIMachineTemplate" | "KubeadmConfigTemplate" | "KubeadmConfig");
        let (stem, digest) = name.rsplit_once('-').filter(|_| by_content)?;
        assert!(
            digest.len() == 8 && digest.chars().all(|digit| digit.is_ascii_hexdigit()),
            "{name}"
        );
        Some(stem.into())
    };
    if let Some(name) = plain(text(&document["kind"]), text(&document["metadata"]["name"])) {
        document["metadata"]["name"] = name;
    }
    each(&mut document["spec"], &mut |map| {
        let named = (map.get("kind").map(text), map.get("name").map(text));
        if let (Some(kind), Some(name)) = named
            && let Some(name) = plain(kind, name)
        {
            map.insert("name".to_owned(), name);
        }
    });
}

/// Labels that are typed for a cluster are on every object of it; upstream's are on one.
fn labels_on_all(document: &mut Value, wanted: Option<&Value>, cluster: &Cluster<'_>) {
    let theirs = |key: &str| wanted.is_some_and(|wanted| wanted["metadata"]["labels"].get(key).is_some());
    if let Some(labels) = document["metadata"]["labels"].as_object_mut() {
        labels.retain(|key, _| theirs(key) || !cluster.labels.contains_key(key));
    }
}
