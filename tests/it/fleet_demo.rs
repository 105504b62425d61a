//! The fleets of this repository.

use fleetwright::fleet::Lock;
use fleetwright::fleet::model::NetworkSource;
use fleetwright::report::diagnostics::{Style, render};

use super::fleet_support::{bless, read, repository, resolved};

/// Resolves a fleet of the repository, and keeps its lock current where goldens are rewritten.
pub(crate) fn fleet(path: &str) -> fleetwright::fleet::Resolved {
    let directory = repository(path);
    let files = read(&directory);
    let (lock, problems) = Lock::parse(&files);
    assert!(problems.is_empty(), "{problems:?}");
    let (loaded, resolved) = resolved(&files, &lock);
    let text = render(&resolved.diagnostics, loaded.files(), Style::default());
    assert!(resolved.diagnostics.is_empty(), "{text}");
    if bless() {
        for (name, text) in resolved.lock.files() {
            let path = directory.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
    } else {
        assert_eq!(lock.differs(&resolved.lock), [], "the committed lock is not current");
    }
    resolved
}

#[test]
fn the_demo_fleet_resolves_without_a_problem() {
    let fleet = fleet("fleet").fleet;
    assert!(!fleet.incomplete);
    assert!(fleet.failed.is_empty());
    let environments: std::collections::BTreeSet<_> = fleet.clusters.values().map(|c| c.environment.clone()).collect();
    let pools: usize = fleet
        .clusters
        .values()
        .map(|cluster| cluster.node_pools().count())
        .sum();
    assert_eq!(environments.len(), 3);
    assert_eq!(fleet.management_clusters.len(), 2);
    assert!(fleet.clusters.len() >= 12, "{} clusters", fleet.clusters.len());
    assert!(pools >= 30, "{pools} pools");
}

#[test]
fn a_rename_in_the_demo_fleet_keeps_its_objects() {
    let fleet = fleet("fleet").fleet;
    let orders = fleet
        .clusters
        .values()
        .find(|cluster| cluster.name.as_str() == "orders")
        .unwrap();
    assert_eq!(
        (orders.object_name.as_str(), orders.namespace.as_str()),
        ("checkout", "clusters-checkout")
    );
    assert!(
        orders
            .node_pools()
            .all(|pool| pool.object_name.starts_with("checkout-"))
    );
}

#[test]
fn the_example_on_existing_networks_resolves_without_a_problem() {
    let fleet = fleet("examples/existing-network").fleet;
    assert_eq!(fleet.clusters.len(), 4);
    assert!(fleet.clusters.values().all(|cluster| {
        matches!(
            cluster.network.source,
            NetworkSource::Existing(_) | NetworkSource::Shared { .. }
        )
    }));
}

#[test]
fn the_examples_of_networks_resolve_without_a_problem() {
    for path in ["examples/two-regions", "examples/private-endpoint"] {
        assert_eq!(fleet(path).fleet.clusters.len(), 2, "{path}");
    }
}

#[test]
fn a_cluster_of_the_demo_fleet_is_what_its_golden_says() {
    let fleet = fleet("fleet").fleet;
    let cluster = fleet
        .clusters
        .values()
        .find(|cluster| cluster.name.as_str() == "payments")
        .unwrap();
    let text = format!("{}\n", serde_json::to_string_pretty(cluster).unwrap());
    let golden = repository("tests/cases/model/payments.json");
    if bless() {
        std::fs::create_dir_all(golden.parent().unwrap()).unwrap();
        std::fs::write(&golden, &text).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&golden).unwrap_or_default(), text);
}
