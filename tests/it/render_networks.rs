//! What a fleet file asks of networks, from its text to the documents: peering near and far, names instead of OCIDs, a load
//! balancer and records at the endpoint.

use std::collections::BTreeSet;

use fleetwright::fleet::Lock;
use fleetwright::render::Rendered;
use fleetwright::resource::lookup::{Pending, lookups};
use fleetwright::resource::{Compartment, ManagementClusterName, NetworkName, OciId, Ocid, ResourceId, UnitId};
use serde_json::{Value, json};

use crate::fleet_support::{file, resolved};
use crate::render_golden::{check_file, rendered, show};

const FLEET: &str = "
kind: Fleet
metadata: {name: acme}
spec:
  addresses: {pools: {us-ashburn-1: 10.16.0.0/12, us-phoenix-1: 10.32.0.0/12}}
  compartments: {prod: acme/prod}
  waivers: [{rule: latency, reason: the two are near}]
  defaults:
    version: 4.20.3
    tenancy: ocid1.tenancy.oc1..aaaa
    compartment: prod
    baseDomain: clusters.acme.example
    pullSecret: {from: fleetwright/pull-secret}
    etcd: {storageClass: oci-bv}
    region: us-ashburn-1
---
kind: ManagementCluster
metadata: {name: iad-1}
spec:
  region: us-ashburn-1
  accepts: {region: [us-ashburn-1, us-phoenix-1]}
  routes: true
  cidrs: [10.16.0.0/16]
  nodePortAddress: hcp.acme.example
  routerAddress: 203.0.113.9
  network:
    vcn: ocid1.vcn.oc1.iad.aaaa
    compartment: acme/platform
    routeTables: [ocid1.routetable.oc1.iad.aaaa]
    nodes: [10.16.1.4, 10.16.1.5]
    DRG
---
kind: Environment
metadata: {name: dev}
spec: {availability: single, pools: {general: {shape: VM.Standard.E5.Flex, ocpus: 4, memoryInGBs: 32, replicas: 2}}}
---
";

fn fleet(drg: &str, documents: &str) -> Rendered {
    let text = format!("{}{documents}", FLEET.replace("DRG", drg));
    let (_, resolved) = resolved(&[file("fleet.yaml", &text)], &Lock::default());
    let problems: Vec<_> = resolved.diagnostics.iter().map(|problem| &problem.message).collect();
    assert!(problems.is_empty(), "{problems:?}");
    rendered(&resolved.fleet)
}

fn bodies(rendered: &Rendered) -> Vec<Value> {
    let manifests = rendered.units.values().flat_map(|unit| &unit.manifests);
    manifests.map(|manifest| manifest.body()).collect()
}

fn spec<'a>(bodies: &'a [Value], kind: &str, name: &str) -> &'a Value {
    let found = bodies
        .iter()
        .find(|body| body["kind"] == kind && body["metadata"]["name"] == name);
    &found.unwrap_or_else(|| panic!("no {kind} {name}"))["spec"]
}

fn made(rendered: &Rendered, kind: &str) -> BTreeSet<String> {
    let manifests = rendered.units.values().flat_map(|unit| &unit.manifests);
    manifests
        .filter(|it| it.id.kind == kind)
        .map(|it| it.id.name.clone())
        .collect()
}

#[test]
fn an_endpoint_of_our_own_has_a_load_balancer_a_group_and_a_record() {
    let rendered = fleet(
        "",
        "
kind: Cluster
metadata: {name: payments}
spec:
  environment: dev
  network: {peerWith: management, endpoint: {loadBalancer: true}, availabilityDomain: 'Uocm:US-ASHBURN-AD-1', publicIps: [nat, ingress]}
  dns: {zone: acme.example}
  services:
    APIServer: {port: 30443}
    OAuthServer: {port: 30444}
    Konnectivity: {port: 30445}
    Ignition: {port: 30446}
",
    );
    let unit = rendered.units.values().find(|unit| unit.manifests.len() > 5).unwrap();
    check_file("networks/endpoint.yaml", &show(unit));
    let bodies = bodies(&rendered);
    let balancer = spec(&bodies, "NetworkLoadBalancer", "payments-endpoint");
    let backends = json!([{"ipAddress": "10.16.1.4", "port": 30443}, {"ipAddress": "10.16.1.5", "port": 30443}]);
    assert_eq!(balancer["backendSets"]["apiserver"]["backends"], backends);
    assert_eq!(balancer["listeners"].as_object().unwrap().len(), 4);
    let record = spec(&bodies, "DnsRecords", "payments-endpoint");
    assert_eq!(record["domain"], "hcp.payments.clusters.acme.example");
    assert_eq!(record["items"][0]["rdata"]["field"], "ipAddresses[0].ipAddress");
    let hosted = spec(&bodies, "HostedCluster", "payments");
    let address = &hosted["services"][0]["servicePublishingStrategy"]["nodePort"]["address"];
    assert_eq!(*address, record["domain"]);
    let group = &spec(&bodies, "NetworkSecurityGroup", "payments-endpoint")["securityRules"];
    assert!(group.as_array().unwrap().len() > 5);
    // What holds for whatever is put there stays in the list.
    let list = spec(&bodies, "SecurityList", "payments-endpoint");
    assert_eq!(
        (
            list["ingressSecurityRules"].as_array().unwrap().len(),
            &list["egressSecurityRules"]
        ),
        (1, &json!([]))
    );
    let needs = unit
        .preconditions
        .iter()
        .map(|need| serde_json::to_value(need).unwrap());
    let needs: Vec<String> = needs.map(|need| need["kind"].as_str().unwrap().to_owned()).collect();
    assert!(!needs.contains(&"nodePortAddress".to_owned()), "{needs:?}");
}

#[test]
fn routes_get_records_where_zone_and_router_are_known() {
    let cluster = "
kind: Cluster
metadata: {name: payments}
spec: {environment: dev, publish: route, dns: {zone: ZONE}}
";
    let with = fleet("", &cluster.replace("ZONE", "acme.example"));
    let names = ["apiserver", "ignition", "konnectivity", "oauthserver"].map(|name| format!("payments-{name}"));
    assert_eq!(made(&with, "DnsRecords"), BTreeSet::from(names));
    let bodies = bodies(&with);
    let record = spec(&bodies, "DnsRecords", "payments-apiserver");
    let item =
        json!({"domain": "api.payments.clusters.acme.example", "rtype": "A", "rdata": "203.0.113.9", "ttl": 300});
    assert_eq!(record["items"], json!([item]));
    let without = fleet("", &cluster.replace("{zone: ZONE}", "{}"));
    assert_eq!(made(&without, "DnsRecords"), BTreeSet::new());
    let needs = |rendered: &Rendered| {
        let all = rendered.units.values().flat_map(|unit| &unit.preconditions);
        all.filter(|need| serde_json::to_value(need).unwrap()["kind"] == "dnsRecord")
            .count()
    };
    assert_eq!((needs(&with), needs(&without)), (0, 4));
}

#[test]
fn networks_in_another_region_are_peered_over_one_pair_of_gateways() {
    let networks = ["one", "two"].map(|name| {
        format!("kind: Network\nmetadata: {{name: {name}}}\nspec: {{region: us-phoenix-1, managementCluster: iad-1, compartment: prod, peerWith: management}}\n")
    });
    let rendered = fleet("", &networks.join("---\n"));
    let unit = |id: UnitId| &rendered.units[&id];
    let management = unit(UnitId::ManagementCluster(ManagementClusterName::new("iad-1")));
    check_file("networks/remote-management.yaml", &show(management));
    check_file(
        "networks/remote.yaml",
        &show(unit(UnitId::Network(NetworkName::new("one")))),
    );
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(made(&rendered, "Drg"), names(&["iad-1", "iad-1-us-phoenix-1"]));
    let connections = names(&["iad-1-to-us-phoenix-1", "iad-1-us-phoenix-1"]);
    assert_eq!(made(&rendered, "RemotePeeringConnection"), connections);
    assert_eq!(
        made(&rendered, "DrgAttachment"),
        names(&["iad-1", "one-management", "two-management"])
    );
    assert_eq!(made(&rendered, "LocalPeeringGateway"), names(&[]));

    let given = fleet("drg: ocid1.drg.oc1.iad.aaaa", &networks[0]);
    assert_eq!(made(&given, "Drg"), names(&["iad-1-us-phoenix-1"]));
    let bodies = bodies(&given);
    assert_eq!(
        spec(&bodies, "RemotePeeringConnection", "iad-1-to-us-phoenix-1")["drgId"],
        "ocid1.drg.oc1.iad.aaaa"
    );
    let back = &spec(&bodies, "RouteTableRules", "iad-1-one-1")["routeRules"][0];
    assert_eq!(back["networkEntityId"], "ocid1.drg.oc1.iad.aaaa");
}

#[test]
fn what_is_named_is_a_look_up_in_every_document_that_uses_it() {
    let rendered = fleet(
        "",
        "
kind: Cluster
metadata: {name: payments}
spec:
  environment: dev
  network:
    existing:
      vcn: {name: prod-vcn, compartment: acme/network}
      endpointSubnet: {name: endpoint}
      workerSubnet: {name: workers, compartment: prod}
    machine: 10.17.0.0/20
",
    );
    let pending = |kind: &str| -> Vec<(String, Pending)> {
        let bodies = bodies(&rendered);
        let found = bodies.iter().filter(|body| body["kind"] == kind).flat_map(lookups);
        found.map(|(path, pending)| (path.to_string(), pending)).collect()
    };
    let compartment = |path: &str| Compartment::Path {
        tenancy: Some(Ocid::new("ocid1.tenancy.oc1..aaaa")),
        path: path.to_owned(),
    };
    let hosted = pending("HostedCluster");
    let paths: Vec<&str> = hosted.iter().map(|(path, _)| path.as_str()).collect();
    let oci = ".spec.platform.oci";
    assert_eq!(
        paths,
        [
            format!("{oci}.compartment"),
            format!("{oci}.networkConfig.nlbSubnet.ocid"),
            format!("{oci}.networkConfig.vcn.ocid")
        ]
    );
    assert_eq!(hosted[0].1, Pending::Compartment(compartment("acme/prod")));
    let [(_, Pending::Resource(workers))] = &pending("NodePool")[..] else {
        panic!("one look-up")
    };
    assert_eq!(
        (workers.name.as_str(), &workers.compartment),
        ("workers", &compartment("acme/prod"))
    );
    let Some(OciId::Named(vcn)) = &workers.vcn else {
        panic!("a VCN by name")
    };
    assert_eq!(
        (vcn.name.as_str(), &vcn.compartment),
        ("prod-vcn", &compartment("acme/network"))
    );
    // A subnet that names no compartment is looked for beside its VCN.
    let Pending::Resource(endpoint) = &hosted[1].1 else {
        panic!("a resource")
    };
    assert_eq!(endpoint.compartment, compartment("acme/network"));
    let unit = rendered.units.values().find(|unit| unit.manifests.len() > 2).unwrap();
    let needs: Vec<Value> = unit
        .preconditions
        .iter()
        .map(|need| serde_json::to_value(need).unwrap())
        .collect();
    let workers = needs.iter().find(|need| need["role"] == "workers").unwrap();
    assert_eq!(workers["machine"], json!(["10.17.0.0/20"]));
}

#[test]
fn no_two_networks_or_regions_make_one_object() {
    let mut text = String::new();
    for region in ["us-ashburn-1", "us-phoenix-1"] {
        for preset in ["hosted-private", "hosted-public", "self-managed", "oke"] {
            text.push_str(&format!(
                "---\nkind: Network\nmetadata: {{name: {preset}-{region}}}\nspec: {{region: {region}, managementCluster: iad-1, compartment: prod, preset: {preset}, peerWith: management}}\n"
            ));
        }
    }
    let rendered = fleet("", text.trim_start_matches("---\n"));
    let all: Vec<&ResourceId> = rendered
        .units
        .values()
        .flat_map(|unit| &unit.manifests)
        .map(|it| &it.id)
        .collect();
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
    assert_eq!(made(&rendered, "Vcn").len(), 8);
    assert_eq!(made(&rendered, "NetworkSecurityGroup").len(), 12);
}
