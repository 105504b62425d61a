//! What HostedClusters say of themselves, read now and then for whoever watches over them.
//!
//! Invariant: tells, and decides nothing. What can't be read is not told, rather than told to be unavailable.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::task::JoinSet;
use tracing::Instrument as _;

use super::{Telemetry, flag, seconds};
use crate::metrics::Registry;
use crate::metrics::catalog::{CLUSTER_AVAILABLE, CLUSTER_CONDITION, CLUSTERS_SEEN};
use crate::ops::{Access, LoadedFleet};
use crate::providers::kubernetes::Conditions;
use crate::report::chain;
use crate::resource::mark::FLEET_LABEL;
use crate::resource::{ManagementClusterName, ResourceId, Target};

/// One LIST of each management cluster, which has a hundred HostedClusters at the most.
const EVERY: Duration = Duration::from_secs(30);

/// Conditions that say by themselves where to look.
const TOLD: [&str; 4] = [
    "Degraded",
    "Progressing",
    "EtcdAvailable",
    "DataPlaneConnectionAvailable",
];

/// The task; it ends with it.
#[derive(Default)]
pub(in crate::daemon) struct Availability(JoinSet<()>);

/// A HostedCluster of a management cluster, for the kind, and its version.
type Sample = (ResourceId, String);

impl Availability {
    /// Reads the clusters of a fleet on these management clusters from now on, instead of those of another.
    pub(in crate::daemon) fn follow(
        &mut self,
        loaded: Arc<LoadedFleet>,
        on: BTreeSet<ManagementClusterName>,
        access: Access,
        telemetry: Arc<Telemetry>,
    ) {
        self.0 = JoinSet::new();
        let read = async move {
            let mut samples = samples(&loaded);
            samples.retain(|name, _| on.contains(name));
            let registry = telemetry.registry();
            forget_others(registry, |name| samples.keys().any(|known| known.as_str() == name));
            let names: Vec<ManagementClusterName> = samples.keys().cloned().collect();
            let label = loaded.fleet.name.to_string();
            loop {
                match access.connect(&loaded.fleet, &names).await {
                    Ok(providers) => {
                        for (name, (sample, version)) in &samples {
                            let Some(provider) = providers.get(name) else { continue };
                            let read = provider.conditions(sample, version, (FLEET_LABEL, &label)).await;
                            match read {
                                Ok(clusters) => record(registry, name, &clusters),
                                Err(error) => {
                                    let error = chain(&error);
                                    tracing::debug!(management_cluster = %name, error, "HostedClusters can't be read");
                                    forget(registry, name);
                                }
                            }
                        }
                    }
                    Err(error) => {
                        let error = chain(&error);
                        tracing::debug!(error, "HostedClusters can't be read");
                        forget_others(registry, |_| false);
                    }
                }
                tokio::time::sleep(EVERY).await;
            }
        };
        self.0.spawn(read.in_current_span());
    }
}

fn samples(loaded: &LoadedFleet) -> BTreeMap<ManagementClusterName, Sample> {
    let manifests = loaded.rendered.units.values().flat_map(|unit| &unit.manifests);
    manifests
        .filter(|manifest| manifest.id.kind == "HostedCluster")
        .filter_map(|manifest| match &manifest.id.target {
            Target::Kubernetes(name) => Some((name.clone(), (manifest.id.clone(), manifest.api_version.clone()))),
            Target::Oci => None,
        })
        .collect()
}

fn record(registry: &Registry, on: &ManagementClusterName, clusters: &BTreeMap<ResourceId, Conditions>) {
    // Those that are gone since are not told of any more.
    forget(registry, on);
    for (id, conditions) in clusters {
        let holds = |name: &str| conditions.get(name).copied().flatten();
        let available = flag(holds("Available") == Some(true));
        registry.set(&CLUSTER_AVAILABLE, [on.as_str(), &id.name], available);
        for condition in TOLD {
            if let Some(holds) = holds(condition) {
                registry.set(&CLUSTER_CONDITION, [on.as_str(), &id.name, condition], flag(holds));
            }
        }
    }
    registry.set(&CLUSTERS_SEEN, [on.as_str()], seconds(Timestamp::now()));
}

fn forget(registry: &Registry, on: &ManagementClusterName) {
    let keep = |labels: &[String]| labels.first().is_none_or(|name| name != on.as_str());
    registry.retain(&CLUSTER_AVAILABLE, keep);
    registry.retain(&CLUSTER_CONDITION, keep);
}

fn forget_others(registry: &Registry, keep: impl Fn(&str) -> bool) {
    let keep = |labels: &[String]| labels.first().is_some_and(|name| keep(name));
    registry.retain(&CLUSTER_AVAILABLE, keep);
    registry.retain(&CLUSTER_CONDITION, keep);
    registry.retain(&CLUSTERS_SEEN, keep);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::change::Action;
    use crate::plan::change::tests::change;

    #[test]
    fn what_is_read_is_told_and_what_is_not_is_no_outage() {
        let registry = Registry::default();
        let (one, other) = (ManagementClusterName::new("one"), ManagementClusterName::new("other"));
        let cluster = |name: &str, conditions: &[(&str, Option<bool>)]| {
            let id = change(name, "HostedCluster", name, Action::Update).id;
            (
                id,
                conditions
                    .iter()
                    .map(|(kind, holds)| ((*kind).to_owned(), *holds))
                    .collect(),
            )
        };
        let up = [
            ("Available", Some(true)),
            ("Degraded", Some(false)),
            ("EtcdAvailable", None),
        ];
        record(&registry, &one, &BTreeMap::from([cluster("a", &up), cluster("b", &[])]));
        record(&registry, &other, &BTreeMap::from([cluster("c", &up)]));
        let has = |line: &str| registry.text().lines().any(|one| one == line);
        assert!(has(
            r#"hypershift_hostedcluster_available{management_cluster="one",cluster="a"} 1"#
        ));
        assert!(has(
            r#"hypershift_hostedcluster_available{management_cluster="one",cluster="b"} 0"#
        ));
        assert!(has(
            r#"fleetwright_hostedcluster_condition{management_cluster="one",cluster="a",condition="Degraded"} 0"#
        ));
        assert!(!registry.text().contains("EtcdAvailable\""));
        record(&registry, &one, &BTreeMap::from([cluster("a", &up)]));
        assert!(!registry.text().contains(r#"cluster="b""#));
        forget(&registry, &one);
        assert!(!registry.text().contains(r#"cluster="a""#) && registry.text().contains(r#"cluster="c""#));
        forget_others(&registry, |_| false);
        assert!(!registry.text().contains("management_cluster="));
    }
}
