//! Who reaches whom in the networks of every preset, against tables; and that no rule or route is there in vain.

use std::fmt::Write as _;

use fleetwright::fleet::Lock;
use fleetwright::render::reachability::{Matrix, Peer, matrix};
use fleetwright::resource::{ClusterName, NetworkName, UnitId};
use serde_json::Value;

use crate::fleet_support::{file, repository, resolved};
use crate::render_golden::rendered;

const FLEET: &str = "
kind: Fleet
metadata: {name: acme}
spec:
  addresses: {pools: {us-ashburn-1: 10.16.0.0/12, us-phoenix-1: 10.32.0.0/12}}
---
kind: ManagementCluster
metadata: {name: iad-1}
spec:
  region: us-ashburn-1
  cidrs: [10.0.0.0/16, 10.1.0.0/16]
  nodePortAddress: ADDRESS
  network:
    vcn: ocid1.vcn.oc1.iad.aaaa
    compartment: platform/network
    routeTables: [ocid1.routetable.oc1.iad.aaaa, ocid1.routetable.oc1.iad.bbbb]
---
kind: Network
metadata: {name: net}
spec: {region: REGION, managementCluster: iad-1, compartment: /prod, NETWORK}
";

const NAME: &str = "hcp.acme.example";

/// The documents of a network of that description.
fn documents(network: &str, region: &str, address: &str) -> Vec<Value> {
    let text = FLEET.replace("NETWORK", network).replace("REGION", region);
    let (_, resolved) = resolved(
        &[file("fleet.yaml", &text.replace("ADDRESS", address))],
        &Lock::default(),
    );
    let problems: Vec<_> = resolved.diagnostics.iter().map(|problem| &problem.message).collect();
    assert!(problems.is_empty(), "{problems:?}");
    let rendered = rendered(&resolved.fleet);
    let unit = &rendered.units[&UnitId::Network(NetworkName::new("net"))];
    unit.manifests.iter().map(|manifest| manifest.body()).collect()
}

/// The network of `examples/private-endpoint` whose endpoint has a load balancer of ours.
fn balanced() -> Vec<Value> {
    let options = fleetwright::ops::LoadOptions {
        directory: repository("examples/private-endpoint"),
        locked: true,
        now: jiff::Timestamp::UNIX_EPOCH,
    };
    let loaded = fleetwright::ops::load(&options).expect("the example");
    let unit = &loaded.rendered.units[&UnitId::Cluster(ClusterName::new("payments"))];
    unit.manifests.iter().map(|manifest| manifest.body()).collect()
}

/// Ranges of the management clusters' networks: that of the fleet above, and that of the example.
fn judged(documents: &[Value]) -> Matrix {
    let text = serde_json::to_string(documents).unwrap();
    let ranges: &[&str] = if text.contains("fra-payments") {
        &["10.64.0.0/16"]
    } else {
        &["10.0.0.0/16", "10.1.0.0/16"]
    };
    let ranges: Vec<_> = ranges.iter().map(|range| range.parse().unwrap()).collect();
    matrix(documents, &ranges)
}

fn shown(matrix: &Matrix) -> String {
    let mut text = String::new();
    for ((from, to), openings) in matrix {
        writeln!(text, "{from} -> {to}: {openings}").unwrap();
    }
    text
}

/// A table as it is written here, in the order in which a matrix is shown.
fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines.sort_unstable();
    lines
}

#[track_caller]
fn assert_is(documents: &[Value], table: &str) {
    let shown = shown(&judged(documents));
    assert_eq!(sorted(&shown).join("\n"), sorted(table).join("\n"));
}

/// Workers and endpoint of hosted control planes, whatever their load balancers are.
const HOSTED: &str = "
    workers -> workers: icmp, tcp 9000-9999 10250-10259 30000-32767, udp 500 4500 6081 9000-9999 30000-32767, esp
    workers -> endpoint: tcp 443 6443 8091
    workers -> load-balancers: tcp 80 443
    workers -> link-local: tcp 53 80, udp 53 123
    load-balancers -> workers: tcp 10256 30000-32767, udp 30000-32767
    router -> workers: icmp 3/4
    router -> endpoint: icmp 3/4
    router -> load-balancers: icmp 3/4
";
const PEERED: &str = "
    workers -> internet: tcp 443
    workers -> services: tcp 443
    workers -> management: tcp 443 6443 8091 30000-32767
    endpoint -> management: tcp 443 6443 8091 30000-32767
    management -> workers: icmp 3/4
    management -> endpoint: icmp 3/4, tcp 443 6443
    management -> load-balancers: icmp 3/4, tcp 80 443
";
const PUBLIC: &str = "
    internet -> load-balancers: icmp 3/4, tcp 80 443
";
/// Clusters that machines run, where their network is joined to the management cluster's.
const SELF_MANAGED_PEERED: &str = "
    control-plane -> management: tcp 443 6443
    worker -> management: tcp 443 6443
    management -> control-plane: icmp 3/4
    management -> control-plane-endpoint: icmp 3/4, tcp 6443
    management -> service-lb: icmp 3/4, tcp 80 443
    management -> worker: icmp 3/4
";
const OKE_PEERED: &str = "
    pod -> management: tcp 443
    worker -> management: icmp 3/4, tcp 443
    management -> control-plane-endpoint: icmp 3/4, tcp 6443
    management -> pod: icmp 3/4
    management -> service-lb: icmp 3/4, tcp 80 443
    management -> worker: icmp 3/4
";
const SELF_MANAGED: &str = "
    control-plane-endpoint -> control-plane: tcp 6443
    control-plane -> control-plane: icmp, ipip, tcp 179 2379-2380 6443 9000-9999 10250-10259 30000-32767, udp 500 4500 6081 9000-9999 30000-32767, esp
    control-plane -> worker: icmp, ipip, tcp 179 9000-9999 10250-10259 30000-32767, udp 500 4500 6081 9000-9999 30000-32767, esp
    worker -> control-plane: icmp, ipip, tcp 179 6443 9000-9999 10250-10259 30000-32767, udp 500 4500 6081 9000-9999 30000-32767, esp
    worker -> worker: icmp, ipip, tcp 179 9000-9999 10250-10259 30000-32767, udp 500 4500 6081 9000-9999 30000-32767, esp
    control-plane -> control-plane-endpoint: tcp 6443
    worker -> control-plane-endpoint: tcp 6443
    control-plane -> service-lb: tcp 443
    worker -> service-lb: tcp 443
    control-plane -> internet: tcp 443 6443
    worker -> internet: tcp 443 6443
    control-plane -> services: tcp 443 6443
    worker -> services: tcp 443 6443
    control-plane -> link-local: tcp 53 80, udp 53 123
    worker -> link-local: tcp 53 80, udp 53 123
    service-lb -> worker: tcp 10256 30000-32767, udp 30000-32767
    internet -> control-plane-endpoint: icmp 3/4, tcp 6443
    internet -> service-lb: icmp 3/4, tcp 80 443
    router -> control-plane-endpoint: icmp 3/4
    router -> control-plane: icmp 3/4
    router -> worker: icmp 3/4
    router -> service-lb: icmp 3/4
";
const OKE: &str = "
    control-plane-endpoint -> worker: icmp 3/4, tcp 10250
    control-plane-endpoint -> pod: all
    control-plane-endpoint -> services: tcp 443
    worker -> control-plane-endpoint: icmp 3/4, tcp 6443 12250
    worker -> worker: icmp 3/4
    worker -> pod: all
    worker -> service-lb: icmp 3/4, tcp 443
    worker -> internet: icmp 3/4, tcp 443
    worker -> services: icmp 3/4, tcp 443
    worker -> link-local: tcp 53 80, udp 53 123
    pod -> control-plane-endpoint: tcp 6443 12250
    pod -> pod: all
    pod -> service-lb: tcp 443
    pod -> internet: tcp 443
    pod -> services: tcp 443
    pod -> link-local: tcp 53 80, udp 53 123
    service-lb -> worker: tcp 10256 30000-32767, udp 30000-32767
    internet -> control-plane-endpoint: icmp 3/4, tcp 6443
    internet -> service-lb: icmp 3/4, tcp 80 443
    router -> control-plane-endpoint: icmp 3/4
    router -> worker: icmp 3/4
    router -> pod: icmp 3/4
    router -> service-lb: icmp 3/4
";

/// Every preset, and the ways in which it can be joined to its management cluster.
fn presets() -> Vec<(&'static str, Vec<Value>, String)> {
    let private = "preset: hosted-private, peerWith: management";
    let public = "preset: hosted-public, peerWith: management";
    let unpeered = |to: &str| format!("{HOSTED}workers -> internet: tcp {to}\nworkers -> services: tcp {to}\n");
    vec![
        (
            "private",
            documents(private, "us-ashburn-1", NAME),
            format!("{HOSTED}{PEERED}"),
        ),
        (
            "remote",
            documents(private, "us-phoenix-1", NAME),
            format!("{HOSTED}{PEERED}"),
        ),
        (
            "public",
            documents(public, "us-ashburn-1", NAME),
            format!("{HOSTED}{PEERED}{PUBLIC}"),
        ),
        (
            "unpeered, at a name",
            documents("preset: hosted-private", "us-ashburn-1", NAME),
            unpeered("443 6443 8091 30000-32767"),
        ),
        (
            "public, unpeered, at a name",
            documents("preset: hosted-public", "us-ashburn-1", NAME),
            format!("{}{PUBLIC}", unpeered("443 6443 8091 30000-32767")),
        ),
        (
            "private, with a load balancer of ours",
            balanced(),
            // It hands node ports on.
            format!("{HOSTED}{PEERED}")
                .replace(
                    "workers -> endpoint: tcp 443 6443 8091",
                    "workers -> endpoint: tcp 443 6443 8091 30000-32767",
                )
                .replace("icmp 3/4, tcp 443 6443", "icmp 3/4, tcp 443 6443 30000-32767"),
        ),
        (
            "self-managed",
            documents("preset: self-managed", "us-ashburn-1", NAME),
            SELF_MANAGED.to_owned(),
        ),
        (
            "self-managed, peered",
            documents("preset: self-managed, peerWith: management", "us-ashburn-1", NAME),
            format!("{SELF_MANAGED}{SELF_MANAGED_PEERED}"),
        ),
        ("oke", documents("preset: oke", "us-ashburn-1", NAME), OKE.to_owned()),
        (
            "oke, peered",
            documents("preset: oke, peerWith: management", "us-ashburn-1", NAME),
            format!("{OKE}{OKE_PEERED}"),
        ),
    ]
}

#[test]
fn what_passes_is_what_the_tables_say_and_nothing_else() {
    let mut wrong = String::new();
    for (name, documents, table) in presets() {
        let shown = shown(&judged(&documents));
        if sorted(&shown) != sorted(&table) {
            writeln!(wrong, "{name}:\n{shown}").unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn some_things_pass_in_no_preset() {
    for (name, documents, _) in presets() {
        for ((from, to), openings) in judged(&documents) {
            // Pods are open to each other and to their nodes, whatever they listen on.
            if to == Peer::Role("pod".to_owned()) {
                // From beyond there is no more than word of a path's MTU.
                let is_closed = !openings.admits(6, 443) && !openings.admits(6, 22) && !openings.admits(17, 53);
                assert!(
                    matches!(from, Peer::Role(_)) || is_closed,
                    "{name}: {from} -> {to}: {openings}"
                );
                continue;
            }
            for port in [22, 22623, 22624] {
                assert!(!openings.admits(6, port), "{name}: {from} -> {to} at {port}");
            }
            let etcd = [&from, &to]
                .iter()
                .all(|peer| **peer == Peer::Role("control-plane".to_owned()));
            assert_eq!(
                openings.admits(6, 2379) || openings.admits(6, 2380),
                etcd,
                "{name}: {from} -> {to}"
            );
        }
    }
}

/// The lists of a document whose items each have to matter.
fn lists(document: &Value) -> &'static [&'static str] {
    match document["kind"].as_str().unwrap() {
        "SecurityList" => &["ingressSecurityRules", "egressSecurityRules"],
        "NetworkSecurityGroup" => &["securityRules"],
        "RouteTable" | "RouteTableRules" => &["routeRules"],
        _ => &[],
    }
}

#[test]
fn leaving_out_any_one_rule_or_route_or_gateway_changes_what_passes() {
    let mut tried = 0;
    for (name, documents, _) in presets() {
        let whole = judged(&documents);
        for (at, document) in documents.iter().enumerate() {
            let what = format!("{name}: {} {}", document["kind"], document["metadata"]["name"]);
            for list in lists(document) {
                for item in 0..document["spec"][*list].as_array().unwrap().len() {
                    let mut without = documents.clone();
                    let rule = without[at]["spec"][*list].as_array_mut().unwrap().remove(item);
                    assert_ne!(judged(&without), whole, "{what}: {rule} is there in vain");
                    tried += 1;
                }
            }
            if document["kind"].as_str().unwrap().ends_with("Gateway") {
                // The other side of a peering, in a VCN that is named by its OCID.
                let far = document["spec"]["vcnId"].is_string();
                let mut without = documents.clone();
                without.remove(at);
                assert!(far || judged(&without) != whole, "{what} is there in vain");
            }
        }
    }
    assert!(tried > 300, "{tried}");
}

#[test]
fn a_stateless_rule_or_a_gateway_that_is_not_connected_opens_nothing() {
    let documents = documents("preset: hosted-private, peerWith: management", "us-ashburn-1", NAME);
    let whole = judged(&documents);
    let management = |matrix: &Matrix| {
        matrix
            .keys()
            .filter(|(from, to)| [from, to].contains(&&Peer::Management))
            .count()
    };
    assert_eq!(management(&whole), 5);
    let mut apart = documents.clone();
    let gateway = |document: &&mut Value| document["metadata"]["name"] == "net-management";
    apart.iter_mut().find(gateway).unwrap()["spec"]
        .as_object_mut()
        .unwrap()
        .remove("peerId");
    assert_eq!(management(&judged(&apart)), 0);
    let mut stateless = documents;
    for document in &mut stateless {
        for list in lists(document).iter().filter(|list| list.contains("Security")) {
            for rule in document["spec"][*list].as_array_mut().unwrap() {
                rule["isStateless"] = true.into();
            }
        }
    }
    assert_eq!(shown(&judged(&stateless)), "");
}

#[test]
fn a_known_address_of_the_control_plane_is_the_only_one_that_is_opened() {
    let documents = documents("preset: hosted-private", "us-ashburn-1", "203.0.113.7");
    assert_is(
        &documents,
        &format!("{HOSTED}workers -> internet: tcp 443\nworkers -> services: tcp 443\n"),
    );
    let workers = documents
        .iter()
        .find(|document| document["metadata"]["name"] == "net-workers");
    let text = workers.unwrap()["spec"]["egressSecurityRules"].to_string();
    assert!(text.contains("203.0.113.7/32"), "{text}");
}

#[test]
fn rules_of_a_preset_stay_within_the_limits_of_oci() {
    for (name, documents, _) in presets() {
        for document in &documents {
            for list in lists(document) {
                let most = if *list == "securityRules" { 120 } else { 200 };
                let count = document["spec"][*list].as_array().unwrap().len();
                assert!(count <= most, "{name}: {count} {list}");
            }
        }
    }
}

#[test]
fn a_private_ipv6_range_gives_each_subnet_one_and_the_rules_that_go_with_it() {
    let documents = documents(
        "vcn: [10.20.0.0/20, 10.21.0.0/24, 'fd12:3456:789a::/56']",
        "us-ashburn-1",
        NAME,
    );
    let find = |kind: &str, name: &str| {
        let found = |document: &&Value| document["kind"] == kind && document["metadata"]["name"] == name;
        &documents.iter().find(found).unwrap()["spec"]
    };
    let vcn = find("Vcn", "net");
    assert_eq!(vcn["cidrBlocks"], serde_json::json!(["10.20.0.0/20", "10.21.0.0/24"]));
    assert_eq!(vcn["ipv6PrivateCidrBlocks"], serde_json::json!(["fd12:3456:789a::/56"]));
    assert_eq!(
        find("Subnet", "net-workers")["ipv6CidrBlocks"],
        serde_json::json!(["fd12:3456:789a::/64"])
    );
    let rules = &find("SecurityList", "net-workers")["ingressSecurityRules"];
    let six = |rule: &&Value| rule["source"].as_str().unwrap().contains(':');
    let six: Vec<&Value> = rules.as_array().unwrap().iter().filter(six).collect();
    let geneve = |rule: &&&Value| rule["udpOptions"]["destinationPortRange"]["min"] == 6081;
    assert_eq!(six.iter().filter(geneve).count(), 1);
    assert!(
        six.iter()
            .any(|rule| rule["protocol"] == "58" && rule["icmpOptions"] == serde_json::json!({"type": 2, "code": 0}))
    );
    assert!(six.iter().all(|rule| rule["protocol"] != "1"));
}
