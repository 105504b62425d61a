//! The demo fleet, from files to documents.

use std::fmt::Write as _;

use fleetwright::fleet::Lock;
use fleetwright::fleet::model::Fleet;
use fleetwright::render::Rendered;

use crate::fleet_support::{read, repository, resolved};
use crate::render_golden::{check_file, rendered, show};

/// The demo fleet's model.
pub(crate) fn fleet() -> Fleet {
    let files = read(&repository("fleet"));
    let (lock, problems) = Lock::parse(&files);
    assert_eq!(problems, []);
    let (_, resolved) = resolved(&files, &lock);
    assert_eq!(resolved.diagnostics, []);
    resolved.fleet
}

/// One line an object.
fn inventory(rendered: &Rendered) -> String {
    let mut text = String::new();
    for (id, unit) in &rendered.units {
        writeln!(text, "{id}").unwrap();
        for manifest in &unit.manifests {
            writeln!(
                text,
                "  {} on {}, {:?}",
                manifest.id, manifest.id.target, manifest.stewardship
            )
            .unwrap();
        }
    }
    text
}

#[test]
fn the_demo_fleet_renders_to_these_objects() {
    let rendered = rendered(&fleet());
    check_file("demo-fleet/objects.txt", &inventory(&rendered));
    // One of each environment, one of the management clusters, and the network that several share, in full.
    let shown = ["payments", "payments-stage", "fra-1", "iad-shared"];
    for (id, unit) in rendered.units.iter().filter(|(id, _)| shown.contains(&id.name())) {
        check_file(&format!("demo-fleet/{}-{}.yaml", id.kind(), id.name()), &show(unit));
    }
    let mut kinds: Vec<&str> = rendered
        .units
        .values()
        .flat_map(|unit| &unit.manifests)
        .map(|manifest| manifest.id.kind.as_str())
        .collect();
    kinds.sort_unstable();
    kinds.dedup();
    assert_eq!(
        kinds,
        [
            "ConfigMap",
            "DhcpOptions",
            "HostedCluster",
            "InternetGateway",
            "LocalPeeringGateway",
            "Namespace",
            "NatGateway",
            "NodePool",
            "OCIClusterIdentity",
            "PriorityClass",
            "PublicIp",
            "RouteTable",
            "RouteTableRules",
            "Secret",
            "SecurityList",
            "ServiceGateway",
            "Subnet",
            "Vcn"
        ]
    );
}
