//! Cluster API Provider OCI's controller between a real kube-apiserver and the sandbox's OCI server.
//!
//! The controller, its webhooks and its OCI clients are upstream's (`tests/capoci`). Played by the tests is what Cluster
//! API's own controller does: it makes a Cluster the owner of its OCICluster. That is what our templates make of a
//! `selfManaged` cluster, or an extra manifest of the fleet, or is applied as the same field manager.

mod bench;
mod controller;

use std::collections::BTreeMap;

use fleetwright::schema::Schema;
use fleetwright::ssa::is_noop;
use serde_json::{Value, json};

use crate::cli::{Ran, Workplace};
use crate::ssa_reference::upstream;
use crate::support::kubeadm_crds;
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

/// A field of a document of the fleet, known after apply.
fn of(kind: &str, name: &str, field: &str) -> Value {
    json!({"$ref": {"kind": kind, "name": name}, "field": field})
}

/// A fleet of one network and two clusters on it: of `ours` all but the load balancer is the fleet's, of `mixed` the
/// groups too are the controller's.
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

const SELF_MANAGED: &str = "
kind: Fleet
metadata: {name: machines}
spec:
  defaults:
    tenancy: TENANCY
    compartment: COMPARTMENT
    region: REGION
    identity: machines
    version: 1.31.1
    poolDefaults: {shape: VM.Standard.E5.Flex, ocpus: 1, image: ocid1.image.oc1.eu-frankfurt-1.aaaa1}
---
kind: ManagementCluster
metadata: {name: m}
spec:
  region: REGION
  context: test
  identities: {machines: {type: UserPrincipal, principalSecret: SPACE/oci-user}}
---
kind: Environment
metadata: {name: dev}
---
kind: Cluster
metadata: {name: NAME}
spec:
  environment: dev
  kind: selfManaged
  network: {vcn: 10.79.0.0/20}
  controlPlane: {healthCheck: {}}
  pools: {a: {replicas: 2, failureDomain: \"1\", nodeLabels: {tier: web}, taints: [tier=web:NoSchedule], healthCheck: {maxUnhealthy: 40%}}}
  patches: {OCICluster: {clientOverrides: OVERRIDES}}
";

/// The VCN of a cluster on the fleet's network.
fn shared_vcn(groups: &Value) -> Value {
    let subnet = |(role, public): &(&str, bool)| {
        let name = format!("shared-{role}");
        json!({
            "name": role,
            "role": role,
            "skip": true,
            "id": of("Subnet", &name, "id"),
            "cidr": of("Subnet", &name, "cidrBlock"),
            "type": kind(*public),
        })
    };
    let skip = json!({"skip": true});
    json!({
        "skip": true,
        "id": of("Vcn", "shared", "id"),
        "cidrs": ["10.77.0.0/20"],
        "internetGateway": skip,
        "natGateway": skip,
        "serviceGateway": skip,
        "routeTable": skip,
        "networkSecurityGroup": groups,
        "subnets": ROLES.iter().map(subnet).collect::<Vec<_>>(),
    })
}

/// The groups of the fleet's network.
fn shared_groups() -> Value {
    let group = |(role, _): &(&str, bool)| {
        let id = of("NetworkSecurityGroup", &format!("shared-{role}"), "id");
        json!({"name": role, "role": role, "id": id})
    };
    json!({"skip": true, "list": ROLES[..3].iter().map(group).collect::<Vec<_>>()})
}

/// Groups that the controller makes.
fn own_groups(range: &str) -> Value {
    json!({"list": ROLES.iter().map(|(role, _)| group(role, range)).collect::<Vec<_>>()})
}

impl<'a> Fleet<'a> {
    fn new(bench: &'a Bench, cloud: &'a Cloud, space: &str) -> Self {
        let place = Workplace::new(&[]);
        let on_it = |name: &str, identifier: &str, groups: &Value| {
            let oci = oci_cluster(cloud, space, name, identifier, "ours", &shared_vcn(groups));
            [cluster(space, name), oci]
        };
        let extra = [
            on_it("ours", "6f1c1b52-52b1-4a2f-9f0e-2a4f4b7c9d01", &shared_groups()),
            on_it(
                "mixed",
                "6f1c1b52-52b1-4a2f-9f0e-2a4f4b7c9d02",
                &own_groups("10.77.0.0/20"),
            ),
        ];
        let manager = json!({
            "kind": "ManagementCluster",
            "metadata": {"name": "m"},
            "spec": {
                "region": REGION,
                "context": "test",
                "dialect": "none",
                "identities": {"ours": {"type": "UserPrincipal", "principalSecret": format!("{space}/oci-user")}},
                "extraManifests": extra.concat(),
            },
        });
        let text = FLEET.replace("TENANCY", cloud.tenancy());
        let text = text.replace("COMPARTMENT", COMPARTMENT).replace("REGION", REGION);
        place.write("fleet.yaml", &format!("{text}{manager}\n"));
        place.run(&["lock"]).exits(0);
        Self { place, bench, cloud }
    }

    /// A fleet of one self-managed cluster on a network of its own.
    fn self_managed(bench: &'a Bench, cloud: &'a Cloud, space: &str, name: &str) -> Self {
        let place = Workplace::new(&[]);
        let text = SELF_MANAGED.replace("TENANCY", cloud.tenancy()).replace("SPACE", space);
        let text = text.replace("COMPARTMENT", COMPARTMENT).replace("REGION", REGION);
        let overrides = cloud.overrides().to_string();
        place.write(
            "fleet.yaml",
            &text.replace("NAME", name).replace("OVERRIDES", &overrides),
        );
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
async fn clusters_on_our_network_get_ready_and_what_was_written_is_not_drift() {
    let Some(bench) = Bench::shared() else { return };
    let (cloud, space, names) = (Cloud::start().await, "capoci-ours", ["ours", "mixed"]);
    bench.login.kubectl(&["create", "namespace", space]);
    bench
        .login
        .kubectl_in(&["create", "-f", "-"], &cloud.secret(space).to_string());
    let fleet = Fleet::new(bench, &cloud, space);
    fleet.run(&["apply", "--yes"]).exits(0);
    fleet.is_settled();
    let ours = cloud.living();

    let mut balancers = Vec::new();
    for name in names {
        bench.adopt(space, name);
        let live = bench.ready(&cloud, space, name);
        assert_eq!(live["spec"]["controlPlaneEndpoint"]["port"], 6443);
        balancers.push(live["spec"]["networkSpec"]["apiServerLoadBalancer"]["loadBalancerId"].clone());
    }
    balancers.sort_by_key(Value::to_string);
    let mut now = cloud.living();
    assert_eq!(
        now.remove("NetworkLoadBalancer").map(Value::from),
        Some(balancers.into())
    );
    let groups = now.insert("NetworkSecurityGroup", ours["NetworkSecurityGroup"].clone());
    assert_eq!(
        groups.map(|all| all.len()),
        Some(ours["NetworkSecurityGroup"].len() + ROLES.len())
    );
    assert_eq!(now, ours);

    fleet.is_settled();
    let before = names.map(|name| bench.live(space, name));
    fleet.run(&["apply", "--yes"]).exits(0);
    assert_eq!(names.map(|name| bench.live(space, name)), before);

    for name in names {
        bench.delete(&cloud, space, name);
    }
    assert_eq!(cloud.living(), ours);
    cloud.knew_every_operation();
    // What is missing now are the two, and nothing else.
    let plan = fleet.run(&["plan", "-o", "json"]).json();
    let changes = plan["changes"].as_array().expect("changes").iter();
    let changes: Vec<_> = changes.map(|it| (&it["action"], &it["object"]["kind"])).collect();
    let (create, kind) = (json!("create"), json!("OCICluster"));
    assert_eq!(changes, [(&create, &kind); 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_self_managed_cluster_gets_ready_on_a_network_that_its_file_has_made() {
    let Some(bench) = Bench::shared() else { return };
    let (cloud, source, name) = (Cloud::start().await, "capoci-source", "capoci-machines");
    let space = &format!("clusters-{name}");
    let definitions = kubeadm_crds().expect("what the controller was built with");
    bench
        .login
        .kubectl_in(&["create", "--validate=false", "-f", "-"], definitions);
    let served = |kind: &str| bench.login.try_kubectl(&["get", kind, "-A"], "").status.success();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while !(served("kubeadmcontrolplanes") && served("kubeadmconfigtemplates")) {
        assert!(std::time::Instant::now() < deadline, "kubeadm's kinds are not served");
    }
    bench.login.kubectl(&["create", "namespace", source]);
    let secret = cloud.secret(source).to_string();
    bench.login.kubectl_in(&["create", "-f", "-"], &secret);
    let fleet = Fleet::self_managed(bench, &cloud, source, name);
    fleet.run(&["apply", "--yes"]).exits(0);
    fleet.is_settled();
    let ours = cloud.living();

    bench.adopt(space, name);
    let live = bench.ready(&cloud, space, name);
    assert_eq!(live["spec"]["controlPlaneEndpoint"]["port"], 6443);
    let mut now = cloud.living();
    assert_eq!(now.remove("NetworkLoadBalancer").map(|all| all.len()), Some(1));
    assert_eq!(now, ours);
    fleet.is_settled();
    fleet.run(&["apply", "--yes"]).exits(0);
    assert_eq!(bench.live(space, name), live);
    bench.delete(&cloud, space, name);
    assert_eq!(cloud.living(), ours);
}

/// Rules in full: the controller completes, and by that takes over, a list in which one says less.
fn group(role: &str, range: &str) -> Value {
    let inside = json!({
        "protocol": "all",
        "source": range,
        "sourceType": "CIDR_BLOCK",
        "isStateless": false,
        "description": "inside",
    });
    let outside = json!({
        "protocol": "all",
        "destination": "0.0.0.0/0",
        "destinationType": "CIDR_BLOCK",
        "isStateless": false,
        "description": "anywhere",
    });
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
        "ingressRules": [{"ingressRule": inside}, {"ingressRule": api}],
        "egressRules": [{"egressRule": outside}, {"egressRule": services}],
    })
}

/// Applies an OCICluster whose network the controller is to make, with all that it needs, and returns what was applied.
fn apply_own(bench: &Bench, cloud: &Cloud, name: &str, groups: &Value) -> Value {
    let space = name;
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
    let vcn = json!({
        "name": name,
        "cidrs": ["10.78.0.0/20"],
        "networkSecurityGroup": groups,
        "subnets": subnets,
    });
    let identifier = "0d9c6f5e-1f0c-4c7d-8f59-5b1f6d2a7e02";
    let mut desired = oci_cluster(cloud, space, name, identifier, name, &vcn);
    desired["metadata"]["ownerReferences"] = json!([bench.owner(space, name)]);
    bench.login.kubectl_in(&APPLY, &desired.to_string());
    desired
}

/// As the provider applies.
const APPLY: [&str; 5] = ["apply", "--server-side", "--field-manager=fleetwright", "-f", "-"];

/// Of OCICluster, from upstream's CRD.
fn schema() -> Option<Schema> {
    let path = upstream()?.join("capoci/crds/infrastructure.cluster.x-k8s.io_ociclusters.yaml");
    let text = std::fs::read_to_string(path).expect("the CRD");
    let crd: Value = serde_yaml::from_str(&text).expect("YAML");
    Some(Schema::from_crd(&crd, "v1beta2").expect("a schema"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_gets_a_network_of_its_own_and_what_was_written_is_not_drift() {
    let (Some(bench), Some(schema)) = (Bench::shared(), schema()) else {
        return;
    };
    let (cloud, name) = (Cloud::start().await, "capoci-own");
    let desired = apply_own(bench, &cloud, name, &own_groups("10.78.0.0/20"));
    let live = bench.ready(&cloud, name, name);
    let living = cloud.living();
    let counts: Vec<_> = living.iter().map(|(kind, ids)| (*kind, ids.len())).collect();
    assert_eq!(
        counts,
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
    assert!(is_noop(&desired, &live, "fleetwright", &schema), "{live:#}");
    bench.login.kubectl_in(&APPLY, &desired.to_string());
    assert_eq!(bench.live(name, name), live);

    bench.delete(&cloud, name, name);
    assert_eq!(cloud.living(), BTreeMap::new());
    cloud.knew_every_operation();
}

/// Why rules are rendered in full; and that what the controller takes over is seen at all.
#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_leaves_its_default_out_is_taken_over_and_that_is_seen() {
    let (Some(bench), Some(schema)) = (Bench::shared(), schema()) else {
        return;
    };
    let (cloud, name) = (Cloud::start().await, "capoci-short");
    let mut groups = own_groups("10.78.0.0/20");
    let rule = groups["list"][0]["ingressRules"][0]["ingressRule"]
        .as_object_mut()
        .expect("a rule");
    rule.remove("isStateless");
    let desired = apply_own(bench, &cloud, name, &groups);
    let live = bench.ready(&cloud, name, name);
    assert!(!is_noop(&desired, &live, "fleetwright", &schema), "{live:#}");
    let output = bench.login.try_kubectl(&APPLY, &desired.to_string());
    let refused = String::from_utf8_lossy(&output.stderr);
    assert!(refused.contains(r#"conflict with "manager""#), "{refused}");
    assert!(refused.contains("ingressRules"), "{refused}");
    bench.delete(&cloud, name, name);
}
