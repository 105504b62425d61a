//! The same requests on the kinds that fleets are made of: HyperShift's as upstream defines them, with the OCI platform
//! patched in, and our own definitions of them.

use fleetwright::render::crds::OWN;
use serde_json::{Value, json};

use super::case::{Case, Step, read};
use super::sandbox::Sandbox;
use super::{compare, flows};
use crate::support::{self, ApiServer};

const HYPERSHIFT: &str = "/apis/hypershift.openshift.io/v1beta1";

/// A document, by the word that stands for it.
fn document(word: &str) -> Value {
    let release = json!({"image": "quay.io/openshift-release-dev/ocp-release:4.19.12-multi"});
    let service = |name: &str, strategy: Value| json!({"service": name, "servicePublishingStrategy": strategy});
    let hosted = |platform: Value| {
        json!({"apiVersion": "hypershift.openshift.io/v1beta1", "kind": "HostedCluster", "metadata": {"name": "a"},
            "spec": {"release": release, "pullSecret": {"name": "pull"}, "platform": platform, "services": [
                service("APIServer", json!({"type": "NodePort", "nodePort": {"address": "api.example"}})),
                service("OAuthServer", json!({"type": "Route"})),
                service("Konnectivity", json!({"type": "Route"})),
                service("Ignition", json!({"type": "Route"}))]}})
    };
    let pool = |platform: Value| {
        json!({"apiVersion": "hypershift.openshift.io/v1beta1", "kind": "NodePool", "metadata": {"name": "a"},
            "spec": {"clusterName": "c", "replicas": 2, "management": {"upgradeType": "Replace"}, "release": release,
                "platform": platform}})
    };
    match word {
        "hosted" => hosted(json!({"type": "None"})),
        "oci" => hosted(json!({"type": "OCI", "oci": {
            "tenancy": "ocid1.tenancy.oc1..aaaa", "compartment": "ocid1.compartment.oc1..aaaa",
            "region": "eu-frankfurt-1", "networkConfig": {"vcn": {"ocid": "ocid1.vcn.oc1.fra.aaaa"}}}})),
        "pool" => pool(json!({"type": "None"})),
        "shape" => pool(
            json!({"type": "OCI", "oci": {"instanceType": "VM.Standard.E5.Flex", "ocpus": 4,
            "memoryInGBs": 32, "subnet": {"ocid": "ocid1.subnet.oc1.fra.aaaa"}}}),
        ),
        other => panic!("no document {other}"),
    }
}

/// Puts changes into a document: null removes, and `<null>` stands for null itself.
fn merge(into: &mut Value, changes: &Value) {
    let Value::Object(changes) = changes else {
        *into = if changes == "<null>" {
            Value::Null
        } else {
            changes.clone()
        };
        return;
    };
    if !into.is_object() {
        *into = json!({});
    }
    for (key, change) in changes {
        let entries = into.as_object_mut().expect("an object");
        if change.is_null() {
            entries.remove(key);
        } else {
            merge(entries.entry(key.clone()).or_insert(Value::Null), change);
        }
    }
}

/// Cases whose bodies may be `@DOCUMENT`, or `@DOCUMENT CHANGES`.
fn cases(text: &str) -> Vec<Case> {
    let expand = |line: &str| {
        let line = line
            .replace("$H", &format!("{HYPERSHIFT}/namespaces/$N/hostedclusters"))
            .replace("$P", &format!("{HYPERSHIFT}/namespaces/$N/nodepools"))
            .replace(
                "$I",
                "/apis/infrastructure.cluster.x-k8s.io/v1beta2/namespaces/$N/ociclusteridentities",
            )
            .replace("%H", "apiVersion: hypershift.openshift.io/v1beta1, kind: HostedCluster")
            .replace("%P", "apiVersion: hypershift.openshift.io/v1beta1, kind: NodePool")
            .replace(
                "%I",
                "apiVersion: infrastructure.cluster.x-k8s.io/v1beta2, kind: OCIClusterIdentity",
            );
        let Some((request, body)) = line.split_once(" @") else {
            return line;
        };
        let (word, changes) = body.split_once(' ').unwrap_or((body, "{}"));
        let mut body = document(word);
        merge(&mut body, &serde_yaml::from_str(changes).expect(&line));
        format!("{request} {body}")
    };
    read(&text.lines().map(expand).collect::<Vec<_>>().join("\n"))
}

#[tokio::test]
async fn hypershifts_kinds_with_the_oci_platform_are_answered_alike() {
    let Some(real) = ApiServer::shared() else { return };
    let real = real.login().client().await;
    let sandbox = Sandbox::start().await;
    install(&sandbox);
    let cases = cases(include_str!("cases/hypershift.txt"));
    assert!(cases.len() >= 40, "{} cases", cases.len());
    let codes = compare(&real, &sandbox.client(), &cases).await;
    // A case whose object is refused for another reason than the one that it is about shows nothing.
    for (code, at_least) in [("200", 30), ("201", 25), ("409", 7), ("422", 50)] {
        assert!(codes.get(code) >= Some(&at_least), "{codes:?}");
    }
    let published = flows::compare_schemas(&real, &sandbox.client(), "apis/hypershift.openshift.io/v1beta1").await;
    assert!(published >= 6, "{published} schemas");
}

/// Upstream's definitions, patched.
fn install(sandbox: &Sandbox) {
    use serde::Deserialize as _;
    let text = support::crds().expect("the shared server has them");
    for crd in serde_yaml::Deserializer::from_str(text) {
        let crd = Value::deserialize(crd).expect("YAML");
        if crd["spec"]["group"] == "hypershift.openshift.io" {
            sandbox.server.install_crd(&crd).expect("a definition");
        }
    }
}

#[tokio::test]
async fn our_own_definitions_are_answered_alike() {
    let Some(server) = ApiServer::start_bare() else { return };
    let login = server.login();
    let sandbox = Sandbox::start().await;
    for (_, yaml) in OWN {
        login.kubectl_in(&["create", "--validate=false", "-f", "-"], yaml);
        let crd: Value = serde_yaml::from_str(yaml).expect("YAML");
        sandbox.server.install_crd(&crd).expect("a definition");
    }
    login.kubectl(&["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"]);
    let real = login.client().await;
    for resource in [
        "hypershift.openshift.io/v1beta1/nodepools",
        "infrastructure.cluster.x-k8s.io/v1beta2/ociclusteridentities",
    ] {
        // Served some moments after they are established.
        while Step::get(&format!("/apis/{resource}")).send(&real, "").await.0 != 200 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }
    let cases = cases(include_str!("cases/own.txt"));
    assert!(cases.len() >= 9, "{} cases", cases.len());
    compare(&real, &sandbox.client(), &cases).await;
}
