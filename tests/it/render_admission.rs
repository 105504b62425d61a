//! What is rendered is admitted by a real API server with the real upstream CRDs, strictly validated.
//!
//! A server of its own: the CRDs are exchanged here.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use fleetwright::fleet::model::{Dialect, Preset};
use fleetwright::render::crds;
use fleetwright::resource::{Reference, Target};
use kube::Client;
use serde_json::{Value, json};

use crate::render_crds::{HYPERSHIFT, upstream};
use crate::render_demo;
use crate::render_fixture::{cluster, fleet, managed};
use crate::render_golden::{cases, rendered};
use crate::support::{ApiServer, Login};

/// Stands in for what the OCI provider will fill in, and takes off what the Kubernetes provider does.
fn resolved(value: &mut Value) {
    if let Some(reference) = Reference::parse(value) {
        let kind = reference.id.kind.to_lowercase();
        *value = format!("ocid1.{kind}.oc1.eu-frankfurt-1.aaaa1").into();
        return;
    }
    match value {
        Value::Object(map) => {
            map.remove("$copyFrom");
            map.values_mut().for_each(resolved);
        }
        Value::Array(items) => items.iter_mut().for_each(resolved),
        _ => {}
    }
}

/// The Kubernetes documents of every golden case and of the demo fleet.
fn documents() -> Vec<Value> {
    let mut documents = Vec::new();
    for fleet in cases()
        .map(|(_, fleet)| fleet)
        .into_iter()
        .chain([render_demo::fleet()])
    {
        for unit in rendered(&fleet).units.values() {
            let here = unit
                .manifests
                .iter()
                .filter(|manifest| manifest.id.target != Target::Oci);
            documents.extend(here.map(|manifest| {
                let mut body = manifest.body();
                resolved(&mut body);
                body
            }));
        }
    }
    documents
}

fn is_oci(document: &Value) -> bool {
    document.pointer("/spec/platform/type") == Some(&json!("OCI"))
}

fn list(documents: &[Value]) -> String {
    json!({"apiVersion": "v1", "kind": "List", "items": documents}).to_string()
}

fn make_namespaces(login: &Login, documents: &[Value]) {
    let names: BTreeSet<&str> = documents
        .iter()
        .filter_map(|doc| doc.pointer("/metadata/namespace")?.as_str())
        .collect();
    let namespaces: Vec<Value> = names
        .iter()
        .map(|name| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}))
        .collect();
    login.kubectl_in(
        &["apply", "--server-side", "--validate=false", "-f", "-"],
        &list(&namespaces),
    );
}

/// The answer to a server-side apply that changes nothing: the object as it would be, or the reason.
async fn apply(client: &Client, document: &Value) -> Result<Value, String> {
    let text = |pointer: &str| document.pointer(pointer).and_then(Value::as_str);
    let plural = match text("/kind").unwrap() {
        "OCIClusterIdentity" => "ociclusteridentities".to_owned(),
        "PriorityClass" => "priorityclasses".to_owned(),
        kind => format!("{}s", kind.to_lowercase()),
    };
    let version = text("/apiVersion").unwrap();
    let root = if version.contains('/') { "apis" } else { "api" };
    let namespace = text("/metadata/namespace").map_or_else(String::new, |name| format!("namespaces/{name}/"));
    let name = text("/metadata/name").unwrap();
    let query = "fieldManager=fleetwright&force=true&dryRun=All&fieldValidation=Strict";
    let request = http::Request::patch(format!("/{root}/{version}/{namespace}{plural}/{name}?{query}"))
        .header("content-type", "application/apply-patch+yaml")
        .body(document.to_string().into_bytes())
        .unwrap();
    client.request(request).await.map_err(|error| error.to_string())
}

async fn admitted(client: &Client, document: &Value) -> Value {
    let answer = apply(client, document).await;
    answer.unwrap_or_else(|reason| panic!("{reason}\n{document}"))
}

async fn refused(client: &Client, document: &Value, expected: &str) {
    match apply(client, document).await {
        Ok(_) => panic!("admitted, but should be refused for `{expected}`: {document}"),
        Err(reason) => assert!(reason.contains(expected), "expected `{expected}` in: {reason}"),
    }
}

/// Replaces CRDs for good: deleted and made anew, so that no schema of before answers.
fn exchange(server: &ApiServer, crds: &[Value]) -> Login {
    let login = server.login();
    for crd in crds {
        let name = crd["metadata"]["name"].as_str().unwrap();
        login.kubectl(&["delete", "crd", name, "--ignore-not-found", "--wait", "--timeout=60s"]);
        login.kubectl_in(&["create", "--validate=false", "-f", "-"], &crd.to_string());
        // Served is more than established, and what is asked for here.
        let deadline = Instant::now() + Duration::from_secs(60);
        while !login.try_kubectl(&["get", name], "").status.success() {
            assert!(Instant::now() < deadline, "{name} is not served");
        }
    }
    // Another user, whose kubectl has cached nothing.
    server.login()
}

/// One of upstream's CRDs.
fn read(path: &str) -> Value {
    let path = upstream().unwrap().join(path);
    serde_yaml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn find<'a>(documents: &'a [Value], kind: &str, matches: impl Fn(&Value) -> bool) -> &'a Value {
    documents
        .iter()
        .find(|document| document["kind"] == kind && matches(document))
        .unwrap()
}

fn changed(document: &Value, pointer: &str, value: Value) -> Value {
    let mut changed = document.clone();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let parent = changed.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    if value.is_null() {
        parent.remove(key);
    } else {
        parent.insert(key.to_owned(), value);
    }
    changed
}

/// One test, since it exchanges the CRDs of one server, and a server takes longer to start than all of this.
#[tokio::test]
async fn a_real_api_server_refuses_oci_unpatched_and_admits_everything_patched_or_with_our_own_crds() {
    if upstream().is_none() {
        return;
    }
    let Some(server) = ApiServer::start_bare() else { return };
    let documents = documents();
    make_namespaces(&server.login(), &documents);
    unpatched_crds(&server, &documents).await;
    patched_crds(&server, &documents).await;
    our_own_crds(&server, &documents).await;
}

async fn unpatched_crds(server: &ApiServer, documents: &[Value]) {
    let [hosted_clusters, node_pools] =
        [HYPERSHIFT[0], HYPERSHIFT[2]].map(|name| read(&format!("hypershift/crds/{name}")));
    let identities = read("capoci/crds/infrastructure.cluster.x-k8s.io_ociclusteridentities.yaml");
    let login = exchange(server, &[hosted_clusters, node_pools, identities]);
    let client = login.client().await;
    let (oci, rest): (Vec<&Value>, Vec<&Value>) = documents.iter().partition(|document| is_oci(document));
    for document in rest {
        admitted(&client, document).await;
    }
    assert!(oci.len() >= 8, "{}", oci.len());
    for document in oci {
        refused(&client, document, ".spec.platform.oci: field not declared").await;
        // Nor is it for the field alone.
        let bare = changed(document, "/spec/platform/oci", Value::Null);
        refused(&client, &bare, "Unsupported value: \"OCI\"").await;
    }
}

async fn patched_crds(server: &ApiServer, documents: &[Value]) {
    for set in [[HYPERSHIFT[0], HYPERSHIFT[2]], [HYPERSHIFT[1], HYPERSHIFT[3]]] {
        let patched = set.map(|name| {
            let mut crd = read(&format!("hypershift/crds/{name}"));
            crds::apply_oci_platform(&mut crd).unwrap();
            crd
        });
        let login = exchange(server, &patched);
        let client = login.client().await;
        for document in documents {
            admitted(&client, document).await;
        }
        rules_of_the_platform(&login, documents).await;
        refused(&client, &unresolved(), "spec.platform.oci.networkConfig.vcn.ocid").await;
        let pool = find(documents, "NodePool", is_oci);
        let typo = changed(pool, "/spec/clusterNme", json!("x"));
        refused(&client, &typo, ".spec.clusterNme: field not declared").await;
    }
}

async fn our_own_crds(server: &ApiServer, documents: &[Value]) {
    let own: Vec<Value> = crds::OWN
        .iter()
        .map(|(_, text)| serde_yaml::from_str(text).unwrap())
        .collect();
    let login = exchange(server, &own);
    let names = crds::OWN.map(|(name, _)| name);
    let live = login.kubectl(&[&["get", "crd", "-o", "json"], names.as_slice()].concat());
    assert!(live.contains("Established") && !live.contains("NonStructuralSchema"));
    let client = login.client().await;
    for document in documents {
        admitted(&client, document).await;
    }
    rules_of_the_platform(&login, documents).await;
}

/// Union, formats, defaults, immutability, arm64.
async fn rules_of_the_platform(login: &Login, documents: &[Value]) {
    let client = login.client().await;
    let hosted_cluster = find(documents, "HostedCluster", is_oci);
    let pool = find(documents, "NodePool", |doc| {
        is_oci(doc) && doc["spec"]["arch"] == "amd64"
    });
    // Admitted above with the rest; here, that it is among them.
    find(documents, "NodePool", |doc| {
        is_oci(doc) && doc["spec"]["arch"] == "arm64"
    });
    let oci = "/spec/platform/oci";
    for document in [hosted_cluster, pool] {
        refused(
            &client,
            &changed(document, oci, Value::Null),
            "oci is required when type is OCI",
        )
        .await;
        refused(
            &client,
            &changed(document, "/spec/platform/type", json!("None")),
            "and forbidden otherwise",
        )
        .await;
    }
    for (field, value) in [
        ("tenancy", "ocid1.compartment.oc1..aaaa1"),
        ("compartment", "payments"),
        ("region", "Frankfurt"),
        ("endpointAccess", "Public"),
        ("networkConfig/vcn/ocid", "ocid1.subnet.oc1.iad.aaaa1"),
    ] {
        let path = format!("spec.platform.oci.{}", field.replace('/', "."));
        refused(
            &client,
            &changed(hosted_cluster, &format!("{oci}/{field}"), json!(value)),
            &path,
        )
        .await;
    }
    let flex = changed(pool, &format!("{oci}/ocpus"), Value::Null);
    refused(&client, &flex, "a flexible shape needs").await;
    let small = changed(pool, &format!("{oci}/bootVolumeSizeInGBs"), json!(10));
    refused(&client, &small, "bootVolumeSizeInGBs").await;

    let bare = changed(hosted_cluster, &format!("{oci}/endpointAccess"), Value::Null);
    let access = admitted(&client, &bare)
        .await
        .pointer(&format!("{oci}/endpointAccess"))
        .cloned();
    assert_eq!(access, Some(json!("Private")));
    let bare = changed(pool, &format!("{oci}/bootVolumeSizeInGBs"), Value::Null);
    let size = admitted(&client, &bare)
        .await
        .pointer(&format!("{oci}/bootVolumeSizeInGBs"))
        .cloned();
    assert_eq!(size, Some(json!(50)));

    login.kubectl_in(
        &["create", "--validate=false", "-f", "-"],
        &list(&[hosted_cluster.clone(), pool.clone()]),
    );
    for (field, value) in [
        ("region", json!("us-ashburn-1")),
        ("tenancy", json!("ocid1.tenancy.oc1..bbbb2")),
        ("compartment", json!("ocid1.compartment.oc1..bbbb2")),
        ("endpointAccess", json!("PublicAndPrivate")),
        (
            "networkConfig",
            json!({"vcn": {"ocid": "ocid1.vcn.oc1.eu-frankfurt-1.bbbb2"}}),
        ),
    ] {
        let message = format!("{field} is immutable");
        refused(
            &client,
            &changed(hosted_cluster, &format!("{oci}/{field}"), value),
            &message,
        )
        .await;
    }
    admitted(
        &client,
        &changed(pool, &format!("{oci}/bootVolumeSizeInGBs"), json!(100)),
    )
    .await;
}

/// A HostedCluster whose network is still to be made; in a namespace that is there.
fn unresolved() -> Value {
    let mut payments = cluster("payments", Dialect::Oci);
    payments.network.source = managed(Preset::HostedPrivate);
    let rendered = rendered(&fleet([payments]));
    let mut manifests = rendered.units.values().flat_map(|unit| &unit.manifests);
    manifests
        .find(|manifest| manifest.id.kind == "HostedCluster")
        .unwrap()
        .body()
}
