//! Cluster API Provider OCI's controller between a real kube-apiserver and the sandbox's OCI server.
//!
//! The controller, its webhooks and its OCI clients are upstream's (`tests/capoci`). Played by the tests is what Cluster
//! API's own controller does: it makes a Cluster the owner of its OCICluster. OCICluster is not among the kinds that
//! fleetwright's templates make; here it is an extra manifest of the fleet, or is applied as the same field manager.

mod bench;
mod controller;

use fleetwright::schema::Schema;
use fleetwright::ssa::is_noop;
use serde_json::{Value, json};

use crate::cli::{Ran, Workplace};
use crate::ssa_reference::upstream;
use bench::{Bench, COMPARTMENT, Cloud, IDENTITIES, REGION};

/// The four roles of subnets that the webhook wants, and whether they are public. All but the last have a group in our
/// networks.
const ROLES: [(&str, bool); 4] = [
    ("control-plane-endpoint", true),
    ("control-plane", false),
    ("worker", false),
    ("service-lb", true),
];

fn cluster(space: &str, name: &str) -> Value {
    json!({
        "apiVersion": "cluster.x-k8s.io/v1beta2",
        "kind": "Cluster",
        "metadata": {"name": name, "namespace": space},
        "spec": {"infrastructureRef": {
            "apiGroup": "infrastructure.cluster.x-k8s.io",
            "kind": "OCICluster",
            "name": name,
        }},
    })
}

/// An OCICluster with what every one says.
fn oci_cluster(cloud: &Cloud, space: &str, name: &str, identifier: &str, identity: &str, vcn: &Value) -> Value {
    json!({
        "apiVersion": "infrastructure.cluster.x-k8s.io/v1beta2",
        "kind": "OCICluster",
        "metadata": {"name": name, "namespace": space},
        "spec": {
            "compartmentId": COMPARTMENT,
            "region": REGION,
            "ociResourceIdentifier": identifier,
            "identityRef": {
                "apiVersion": "infrastructure.cluster.x-k8s.io/v1beta2",
                "kind": "OCIClusterIdentity",
                "name": identity,
                "namespace": IDENTITIES,
            },
            "clientOverrides": cloud.overrides(),
            "networkSpec": {"vcn": vcn},
        },
    })
}

fn kind(public: bool) -> &'static str {
    if public { "public" } else { "private" }
}

/// The OCID of a document of the fleet, known after apply.
fn ocid(kind: &str, name: &str) -> Value {
    json!({"$ref": {"kind": kind, "name": name}, "field": "id"})
}

/// A fleet of one network, and a cluster on it of which the fleet owns all but the load balancer.
struct Fleet<'a> {
    place: Workplace,
    bench: &'a Bench,
    cloud: &'a Cloud,
}

const FLEET: &str = "
kind: Fleet
metadata: {name: ours}
spec:
  defaults: {tenancy: TENANCY, compartment: COMPARTMENT, region: REGION}
---
kind: Network
metadata: {name: shared}
spec: {region: REGION, compartment: COMPARTMENT, preset: self-managed, vcn: 10.77.0.0/20}
---
";

impl<'a> Fleet<'a> {
    fn new(bench: &'a Bench, cloud: &'a Cloud, space: &str, name: &str) -> Self {
        let place = Workplace::new(&[]);
        let subnets: Vec<_> = ROLES
            .iter()
            .zip(["10.77.12.0/26", "10.77.14.0/26", "10.77.0.0/21", "10.77.8.0/23"])
            .map(|((role, public), cidr)| {
                json!({
                    "name": role,
                    "role": role,
                    "skip": true,
                    "id": ocid("Subnet", &format!("shared-{role}")),
                    "cidr": cidr,
                    "type": kind(*public),
                })
            })
            .collect();
        let groups: Vec<_> = ROLES[..3]
            .iter()
            .map(|(role, _)| json!({"name": role, "role": role, "id": ocid("NetworkSecurityGroup", &format!("shared-{role}"))}))
            .collect();
        let skip = json!({"skip": true});
        let vcn = json!({
            "skip": true,
            "id": ocid("Vcn", "shared"),
            "cidrs": ["10.77.0.0/20"],
            "internetGateway": skip,
            "natGateway": skip,
            "serviceGateway": skip,
            "routeTable": skip,
            "networkSecurityGroup": {"skip": true, "list": groups},
            "subnets": subnets,
        });
        let identifier = "6f1c1b52-52b1-4a2f-9f0e-2a4f4b7c9d01";
        let manager = json!({
            "kind": "ManagementCluster",
            "metadata": {"name": "m"},
            "spec": {
                "region": REGION,
                "context": "test",
                "dialect": "none",
                "identities": {"ours": {"type": "UserPrincipal", "principalSecret": format!("{space}/oci-user")}},
                "extraManifests": [cluster(space, name), oci_cluster(cloud, space, name, identifier, "ours", &vcn)],
            },
        });
        let text = FLEET.replace("TENANCY", cloud.tenancy());
        let text = text.replace("COMPARTMENT", COMPARTMENT).replace("REGION", REGION);
        place.write("fleet.yaml", &format!("{text}{manager}\n"));
        place.run(&["lock"]).exits(0);
        Self { place, bench, cloud }
    }

    fn run(&self, args: &[&str]) -> Ran {
        let kubeconfig = self.bench.login.kubeconfig.display().to_string();
        let (url, config) = (self.cloud.url(), self.cloud.config());
        let access = [
            "--kubeconfig",
            &kubeconfig,
            "--oci-endpoint",
            &url,
            "--oci-config",
            &config,
            "--oci-calls=200/200",
        ];
        self.place.run(&[args, &access].concat())
    }

    fn is_settled(&self) {
        let planned = self.run(&["plan", "--detailed-exitcode", "--refresh=full"]).exits(0);
        assert!(planned.stdout.starts_with("Nothing to do"), "{}", planned.stdout);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_on_our_network_gets_ready_and_what_was_written_is_not_drift() {
    let Some(bench) = Bench::shared() else { return };
    let (cloud, space, name) = (Cloud::start().await, "capoci-ours", "ours");
    bench.login.kubectl(&["create", "namespace", space]);
    bench
        .login
        .kubectl_in(&["create", "-f", "-"], &cloud.secret(space).to_string());
    let fleet = Fleet::new(bench, &cloud, space, name);
    fleet.run(&["apply", "--yes"]).exits(0);
    fleet.is_settled();
    let ours = cloud.living();

    bench.adopt(space, name);
    let live = bench.ready(&cloud, space, name);
    let mut now = cloud.living();
    let balancers = now.remove("NetworkLoadBalancer").unwrap_or_default();
    assert_eq!((now, balancers.len()), (ours.clone(), 1));
    let network = &live["spec"]["networkSpec"];
    assert_eq!(network["apiServerLoadBalancer"]["loadBalancerId"], *balancers[0]);
    assert_eq!(live["spec"]["controlPlaneEndpoint"]["port"], 6443);

    fleet.is_settled();
    let before = bench.live(space, name);
    fleet.run(&["apply", "--yes"]).exits(0);
    assert_eq!(bench.live(space, name), before);

    bench.delete(&cloud, space, name);
    assert_eq!(cloud.living(), ours);
    cloud.knew_every_operation();
    // What is missing now is the OCICluster, and nothing else.
    let plan = fleet.run(&["plan", "-o", "json"]).json();
    let changes: Vec<_> = plan["changes"]
        .as_array()
        .expect("changes")
        .iter()
        .map(|it| (&it["action"], &it["object"]["kind"]))
        .collect();
    assert_eq!(changes, [(&json!("create"), &json!("OCICluster"))]);
}

/// Rules in full: the controller completes, and by that takes over, a list in which one says less.
fn group(role: &str) -> Value {
    let inside = |protocol: &str| json!({"protocol": protocol, "source": "10.78.0.0/20", "sourceType": "CIDR_BLOCK", "isStateless": false, "description": "inside"});
    let outside = json!({"protocol": "all", "destination": "0.0.0.0/0", "destinationType": "CIDR_BLOCK", "isStateless": false, "description": "anywhere"});
    let api = json!({
        "protocol": "6",
        "source": "0.0.0.0/0",
        "sourceType": "CIDR_BLOCK",
        "isStateless": false,
        "description": "the API",
        "tcpOptions": {"destinationPortRange": {"min": 6443, "max": 6443}},
    });
    let services = json!({
        "protocol": "6",
        "destination": "all-fra-services-in-oracle-services-network",
        "destinationType": "SERVICE_CIDR_BLOCK",
        "isStateless": false,
        "description": "Oracle's services",
    });
    json!({
        "name": role,
        "role": role,
        "ingressRules": [{"ingressRule": inside("all")}, {"ingressRule": api}],
        "egressRules": [{"egressRule": outside}, {"egressRule": services}],
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_gets_a_network_of_its_own_and_what_was_written_is_not_drift() {
    let (Some(bench), Some(upstream)) = (Bench::shared(), upstream()) else {
        return;
    };
    let (cloud, space, name) = (Cloud::start().await, "capoci-own", "own");
    let identity = json!({
        "apiVersion": "infrastructure.cluster.x-k8s.io/v1beta2",
        "kind": "OCIClusterIdentity",
        "metadata": {"name": name, "namespace": IDENTITIES},
        "spec": {
            "type": "UserPrincipal",
            "principalSecret": {"name": "oci-user", "namespace": space},
            "allowedNamespaces": {"list": [space]},
        },
    });
    bench.login.kubectl(&["create", "namespace", space]);
    for object in [cloud.secret(space), identity, cluster(space, name)] {
        bench.login.kubectl_in(&["create", "-f", "-"], &object.to_string());
    }
    let subnets: Vec<_> = ROLES
        .iter()
        .zip(["10.78.12.0/26", "10.78.14.0/26", "10.78.0.0/21", "10.78.8.0/23"])
        .map(|((role, public), cidr)| json!({"name": role, "role": role, "cidr": cidr, "type": kind(*public)}))
        .collect();
    let groups: Vec<_> = ROLES.iter().map(|(role, _)| group(role)).collect();
    let vcn = json!({
        "name": name,
        "cidrs": ["10.78.0.0/20"],
        "networkSecurityGroup": {"list": groups},
        "subnets": subnets,
    });
    let identifier = "0d9c6f5e-1f0c-4c7d-8f59-5b1f6d2a7e02";
    let mut desired = oci_cluster(&cloud, space, name, identifier, name, &vcn);
    desired["metadata"]["ownerReferences"] = json!([bench.owner(space, name)]);
    let apply = || {
        let args = ["apply", "--server-side", "--field-manager=fleetwright", "-f", "-"];
        bench.login.kubectl_in(&args, &desired.to_string());
    };
    apply();

    let live = bench.ready(&cloud, space, name);
    let counts = |living: std::collections::BTreeMap<&'static str, Vec<String>>| -> Vec<(&str, usize)> {
        living.into_iter().map(|(kind, ids)| (kind, ids.len())).collect()
    };
    assert_eq!(
        counts(cloud.living()),
        [
            ("DhcpOptions", 1),
            ("InternetGateway", 1),
            ("NatGateway", 1),
            ("NetworkLoadBalancer", 1),
            ("NetworkSecurityGroup", 4),
            ("RouteTable", 3),
            ("SecurityList", 1),
            ("ServiceGateway", 1),
            ("Subnet", 4),
            ("Vcn", 1),
        ]
    );
    let text = std::fs::read_to_string(upstream.join("capoci/crds/infrastructure.cluster.x-k8s.io_ociclusters.yaml"));
    let crd: Value = serde_yaml::from_str(&text.expect("the CRD")).expect("YAML");
    let schema = Schema::from_crd(&crd, "v1beta2").expect("a schema");
    assert!(is_noop(&desired, &live, "fleetwright", &schema), "{live:#}");
    apply();
    assert_eq!(bench.live(space, name), live);

    bench.delete(&cloud, space, name);
    assert_eq!(counts(cloud.living()), []);
    cloud.knew_every_operation();
}
