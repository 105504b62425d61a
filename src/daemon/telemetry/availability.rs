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
use crate::daemon::connections::one_of;
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
    /// Waits until it breaks off.
    pub(in crate::daemon) async fn broken(&mut self) -> String {
        one_of(&mut self.0).await
    }

    /// Whether nothing is read.
    pub(in crate::daemon) fn has_ended(&self) -> bool {
        self.0.is_empty()
    }

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
            // An alert goes by how long ago that was, and says nothing of what has no such time.
            let now = seconds(Timestamp::now());
            for name in samples.keys() {
                registry.set_first(&CLUSTERS_SEEN, [name.as_str()], now);
            }
            let label = loaded.fleet.name.to_string();
            loop {
                let connected = access.connect_each(&loaded.fleet, samples.keys()).await;
                let failed = connected.failed.iter();
                let mut unread: BTreeMap<_, _> = failed.map(|(name, error)| (name, chain(error))).collect();
                for (name, provider) in &connected.providers {
                    let Some((sample, version)) = samples.get(name) else {
                        continue;
                    };
                    match provider.conditions(sample, version, (FLEET_LABEL, &label)).await {
                        Ok(clusters) => record(registry, name, &clusters),
                        Err(error) => drop(unread.insert(name, chain(&error))),
                    }
                }
                for (name, error) in unread {
                    tracing::debug!(management_cluster = %name, error, "HostedClusters can't be read");
                    forget(registry, name);
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

/// What can't be read is not told any more; when it last was, is.
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
        let seen = r#"fleetwright_hostedclusters_last_success_timestamp_seconds{management_cluster="one"} "#;
        assert!(registry.text().contains(seen), "that it was read once stays known");
        forget_others(&registry, |_| false);
        assert!(!registry.text().contains("management_cluster="));
    }

    #[tokio::test]
    async fn what_was_never_read_is_not_read_since_it_is_followed() {
        let place = tempfile::tempdir().unwrap();
        let demo = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fleet");
        let options = crate::ops::LoadOptions {
            directory: demo,
            locked: true,
            now: Timestamp::UNIX_EPOCH,
        };
        let loaded = Arc::new(crate::ops::load(&options).unwrap());
        let names: BTreeSet<ManagementClusterName> = samples(&loaded).into_keys().collect();
        assert!(!names.is_empty());
        // Nothing leads anywhere.
        let access = Access {
            kubeconfigs: vec![place.path().join("none")],
            ..Access::default()
        };
        let telemetry = Arc::new(Telemetry::default());
        let seen = |name: &ManagementClusterName| {
            let text = telemetry.registry().text();
            let start =
                format!("fleetwright_hostedclusters_last_success_timestamp_seconds{{management_cluster=\"{name}\"}} ");
            let line = text
                .lines()
                .find_map(|line| line.strip_prefix(&start).map(str::to_owned));
            line.map(|at| at.parse::<f64>().unwrap())
        };
        let mut availability = Availability::default();
        let mut first = BTreeMap::new();
        for _ in 0..2 {
            // Forgotten as soon as it turns out that it can't be read.
            for name in &names {
                telemetry.registry().set(&CLUSTER_AVAILABLE, [name.as_str(), "a"], 1.0);
            }
            availability.follow(loaded.clone(), names.clone(), access.clone(), telemetry.clone());
            while telemetry.registry().text().contains(r#"cluster="a""#) {
                tokio::task::yield_now().await;
            }
            for name in &names {
                let at = seen(name).unwrap();
                assert!(
                    at > 1.0 && *first.entry(name.clone()).or_insert(at) == at,
                    "a commit is no look"
                );
            }
        }
    }
}
