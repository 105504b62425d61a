//! A sandbox in this process on paused time: what the operators make of a hosted cluster, and what it makes in the cloud.

use std::time::Duration;

use fleetwright::sandbox::{Options, Sandbox};
use fleetwright::status::{State, readiness};
use serde_json::{Value, json};

const IMAGE: &str = "quay.io/openshift-release-dev/ocp-release:4.19.12-multi";
const NEXT_IMAGE: &str = "quay.io/openshift-release-dev/ocp-release:4.20.3-multi";
const COMPARTMENT: &str = "ocid1.compartment.oc1..aaaaaaaacompartment";
const REGION: &str = "eu-frankfurt-1";

/// A management cluster `m`, and a VCN for one hosted cluster.
struct Stage {
    sandbox: std::sync::Arc<Sandbox>,
    client: kube::Client,
    vcn: String,
    subnet: String,
}

impl Stage {
    async fn new() -> Self {
        let start = "2026-01-01T00:00:00Z".parse().expect("a time");
        let sandbox = Sandbox::open(Options::new(start)).await.expect("a sandbox");
        let client = sandbox.kube_client("m").await.expect("a client");
        let mut stage = Self {
            sandbox,
            client,
            vcn: String::new(),
            subnet: String::new(),
        };
        let vcn = json!({"compartmentId": COMPARTMENT, "cidrBlocks": ["10.0.0.0/16"], "displayName": "c"});
        stage.vcn = id(&stage.oci("POST", "/20160918/vcns", &vcn).expect("a VCN"));
        stage.pass(2).await;
        let subnet = json!({"compartmentId": COMPARTMENT, "vcnId": stage.vcn, "cidrBlock": "10.0.1.0/24",
            "displayName": "c-load-balancers"});
        stage.subnet = id(&stage.oci("POST", "/20160918/subnets", &subnet).expect("a subnet"));
        stage.pass(2).await;
        stage
            .post("/api/v1/namespaces", &json!({"metadata": {"name": "n"}}))
            .await;
        stage
    }

    fn oci(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        let principal = self.sandbox.identity().principal();
        let answer = self.sandbox.oci().act(principal, REGION, method, path, body);
        answer.map_err(|refusal| format!("{}: {}", refusal.code, refusal.message))
    }

    /// Minutes by the sandbox's clock.
    async fn pass(&self, minutes: u64) {
        self.sandbox.clock().sleep(Duration::from_secs(minutes * 60)).await;
        self.sandbox.settled().await;
    }

    async fn send(&self, method: &str, path: &str, body: Option<&Value>) -> kube::Result<Value> {
        let kind = if method == "PATCH" {
            "application/merge-patch+json"
        } else {
            "application/json"
        };
        let request = http::Request::builder()
            .method(method)
            .uri(path)
            .header(http::header::CONTENT_TYPE, kind)
            .body(body.map(|body| body.to_string().into_bytes()).unwrap_or_default())
            .expect("a request");
        self.client.request(request).await
    }

    async fn post(&self, path: &str, body: &Value) -> Value {
        self.send("POST", path, Some(body))
            .await
            .expect("the object to be made")
    }

    async fn get(&self, plural: &str, name: &str) -> Option<Value> {
        match self.send("GET", &path(plural, name), None).await {
            Ok(object) => Some(object),
            Err(kube::Error::Api(status)) if status.code == 404 => None,
            Err(error) => panic!("{error}"),
        }
    }

    async fn state(&self, plural: &str, name: &str) -> State {
        readiness(&self.get(plural, name).await.expect("the object")).state
    }

    async fn make_cluster(&self) {
        let spec = json!({
            "release": {"image": IMAGE}, "pullSecret": {"name": "p"}, "infraID": "c-1", "dns": {"baseDomain": "d.example"},
            "platform": {"type": "OCI", "oci": {"tenancy": self.sandbox.identity().principal().tenancy,
                "compartment": COMPARTMENT, "region": REGION, "endpointAccess": "Private",
                "networkConfig": {"vcn": {"ocid": self.vcn}, "nlbSubnet": {"ocid": self.subnet}}}},
            "services": services(),
        });
        self.post(&path("hostedclusters", ""), &object("HostedCluster", "c", &spec))
            .await;
        for pool in ["a", "b"] {
            let spec = json!({"clusterName": "c", "release": {"image": IMAGE}, "replicas": 2,
                "management": {"upgradeType": "Replace"},
                "platform": {"type": "OCI", "oci": {"instanceType": "VM.GPU.A10.1", "subnet": {"ocid": self.subnet}}}});
            self.post(&path("nodepools", ""), &object("NodePool", pool, &spec))
                .await;
        }
    }

    fn balancers(&self) -> Vec<String> {
        let path = format!("/20200501/networkLoadBalancers?compartmentId={COMPARTMENT}");
        let list = self.oci("GET", &path, &Value::Null).expect("a list");
        let items = list["items"].as_array().expect("items");
        let there = items.iter().filter(|item| item["lifecycleState"] != "DELETED");
        there
            .map(|item| item["displayName"].as_str().expect("a name").to_owned())
            .collect()
    }
}

fn id(resource: &Value) -> String {
    resource["id"].as_str().expect("an OCID").to_owned()
}

fn services() -> Value {
    let service = |name| {
        json!({"service": name,
        "servicePublishingStrategy": {"type": "NodePort", "nodePort": {"address": "hcp.example"}}})
    };
    ["APIServer", "OAuthServer", "Konnectivity", "Ignition"]
        .map(service)
        .into()
}

fn object(kind: &str, name: &str, spec: &Value) -> Value {
    json!({"apiVersion": "hypershift.openshift.io/v1beta1", "kind": kind, "spec": spec,
        "metadata": {"name": name, "namespace": "n", "labels": {"fleet": "f"}}})
}

fn path(plural: &str, name: &str) -> String {
    let path = format!("/apis/hypershift.openshift.io/v1beta1/namespaces/n/{plural}/{name}");
    path.trim_end_matches('/').to_owned()
}

#[tokio::test(start_paused = true)]
async fn a_hosted_cluster_comes_up_is_upgraded_and_goes_in_order() {
    let stage = Stage::new().await;
    stage.make_cluster().await;
    stage.pass(5).await;
    assert_eq!(stage.state("hostedclusters", "c").await, State::InProgress);
    stage.pass(4).await;
    assert_eq!(stage.balancers(), [""; 0]);
    stage.pass(9).await;
    assert_eq!(stage.state("hostedclusters", "c").await, State::Ready);
    for pool in ["a", "b"] {
        assert_eq!(stage.state("nodepools", pool).await, State::Ready);
    }
    let secret = stage
        .send("GET", "/api/v1/namespaces/n/secrets/c-admin-kubeconfig", None)
        .await
        .expect("a Secret");
    assert_eq!(secret["metadata"]["labels"]["fleet"], "f");
    assert_eq!(stage.balancers(), ["c-1-router-default"]);

    let upgrade = json!({"spec": {"release": {"image": NEXT_IMAGE}}});
    stage
        .send("PATCH", &path("hostedclusters", "c"), Some(&upgrade))
        .await
        .expect("a change");
    stage.pass(5).await;
    assert_eq!(stage.state("hostedclusters", "c").await, State::InProgress);
    stage.pass(8).await;
    assert_eq!(stage.state("hostedclusters", "c").await, State::Ready);
    stage
        .send("PATCH", &path("nodepools", "a"), Some(&upgrade))
        .await
        .expect("a change");
    stage.pass(6).await;
    let pool = stage.get("nodepools", "a").await.expect("the pool");
    assert_eq!(
        pool["status"]["nodesInfo"]["nodeVersions"][0]["readyNodeCount"], 1,
        "{pool}"
    );
    stage.pass(6).await;
    assert_eq!(
        stage.get("nodepools", "a").await.expect("the pool")["status"]["version"],
        "4.20.3"
    );
    assert_eq!(
        stage.get("nodepools", "b").await.expect("the pool")["status"]["version"],
        "4.19.12"
    );

    // The guest's load balancer keeps the subnet, and the HostedCluster keeps the load balancer.
    let subnet = format!("/20160918/subnets/{}", stage.subnet);
    assert!(stage.oci("DELETE", &subnet, &Value::Null).is_err());
    stage
        .send("DELETE", &path("hostedclusters", "c"), None)
        .await
        .expect("a delete");
    stage.pass(1).await;
    assert_eq!(stage.state("hostedclusters", "c").await, State::Terminating);
    assert_eq!(stage.state("nodepools", "a").await, State::Terminating);
    assert_eq!(stage.balancers().len(), 1);
    stage.pass(10).await;
    assert!(stage.get("nodepools", "a").await.is_none());
    assert!(stage.get("hostedclusters", "c").await.is_none());
    assert_eq!(stage.balancers(), [""; 0]);
    // What it published was its own, and went with it.
    let secret = stage
        .send("GET", "/api/v1/namespaces/n/secrets/c-admin-kubeconfig", None)
        .await;
    assert!(secret.is_err());
    stage
        .oci("DELETE", &subnet, &Value::Null)
        .expect("the subnet to be free");
}

#[tokio::test(start_paused = true)]
async fn a_sandbox_that_is_opened_again_has_caught_up() {
    let folder = tempfile::tempdir().expect("a folder");
    let options = |now: &str| Options {
        directory: Some(folder.path().join("box")),
        ..Options::new(now.parse().expect("a time"))
    };
    let sandbox = Sandbox::open(options("2026-01-01T00:00:00Z")).await.expect("a sandbox");
    let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n"}});
    sandbox.put("m", &object).await.expect("a namespace");
    let cluster = self::object(
        "HostedCluster",
        "c",
        &json!({
            "release": {"image": IMAGE}, "pullSecret": {"name": "p"}, "dns": {"baseDomain": "d.example"}, "platform": {"type": "None"},
            "services": services(),
        }),
    );
    sandbox.put("m", &cluster).await.expect("a cluster");
    let pool = self::object(
        "NodePool",
        "a",
        &json!({"clusterName": "c", "release": {"image": IMAGE}, "replicas": 2,
        "management": {"upgradeType": "Replace"}, "platform": {"type": "None"}}),
    );
    sandbox.put("m", &pool).await.expect("a pool");
    sandbox.close().await.expect("all on disk");
    drop(sandbox);

    // A minute of the machine's is an hour of the sandbox's.
    let sandbox = Sandbox::open(options("2026-01-01T00:01:00Z")).await.expect("a sandbox");
    sandbox.settled().await;
    let client = sandbox.kube_client("m").await.expect("a client");
    for at in [path("hostedclusters", "c"), path("nodepools", "a")] {
        let request = http::Request::get(at).body(Vec::new()).expect("a request");
        let object: Value = client.request(request).await.expect("the object");
        assert_eq!(readiness(&object).state, State::Ready, "{object}");
    }
    sandbox.close().await.expect("all on disk");
}
