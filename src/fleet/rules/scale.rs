//! scale-hc, scale-density, scale-np, scale-workers: how much of a thing is sensible.

use std::collections::BTreeMap;

use super::{Facts, Wide};
use crate::diag::{Code, Diagnostic, Severity};
use crate::fleet::model::{Cluster, Fleet, Scale};
use crate::fleet::problems::Problems;

/// Hosted clusters of a management cluster, node pools and workers of a cluster: what has been tested, and what is aimed at.
const CLUSTERS_WARN: u32 = 80;
const CLUSTERS_MOST: u32 = 100;
/// Highly available control planes on each three nodes, and those on a management cluster that is one of three nodes itself.
const DENSITY_WARN: u32 = 21;
const COMPACT_WARN: u32 = 3;
const POOLS_WARN: u32 = 100;
const WORKERS_TESTED: u64 = 64;
const WORKERS_WARN: u32 = 500;

pub(super) fn check(cluster: &Cluster, facts: &Facts<'_>, problems: &mut Problems<'_>) {
    let thresholds = facts.spec.thresholds.as_ref();
    let most = thresholds.and_then(|all| all.node_pools_warn).unwrap_or(POOLS_WARN);
    let pools = cluster.scales().count();
    if u32::try_from(pools).unwrap_or(u32::MAX) > most {
        let message = format!("`{}` has {pools} node pools, more than {most}", cluster.name);
        problems.rule(Diagnostic::new(Code::ScaleNp, message), facts.place);
    }
    let workers: u64 = cluster
        .scales()
        .map(|(_, scale)| match scale {
            Scale::Replicas(count) | Scale::Autoscale { max: count, .. } => u64::from(count),
        })
        .sum();
    let most = u64::from(thresholds.and_then(|all| all.workers_warn).unwrap_or(WORKERS_WARN));
    if workers > most {
        let message = format!("`{}` may have {workers} workers, more than {most}", cluster.name);
        problems.rule(Diagnostic::new(Code::ScaleWorkers, message), facts.place);
    } else if workers > WORKERS_TESTED.min(most) {
        let message = format!(
            "`{}` may have {workers} workers; the largest that upstream tested has {WORKERS_TESTED}",
            cluster.name
        );
        let mut problem = Diagnostic::new(Code::ScaleWorkers, message);
        problem.severity = Severity::Info;
        problems.rule(problem, facts.place);
    }
}

/// Hosted clusters per management cluster. No single cluster is to blame, so none is held up.
pub(super) fn fleet(fleet: &Fleet, wide: &Wide<'_>, problems: &mut Problems<'_>) {
    let thresholds = wide.spec.thresholds.as_ref();
    let warn = thresholds
        .and_then(|all| all.hosted_clusters_warn)
        .unwrap_or(CLUSTERS_WARN);
    let most = thresholds
        .and_then(|all| all.hosted_clusters_most)
        .unwrap_or(CLUSTERS_MOST);
    let mut counts: BTreeMap<_, u32> = BTreeMap::new();
    for cluster in fleet.clusters.values().filter(|cluster| cluster.hosted().is_some()) {
        *counts.entry(&cluster.management_cluster).or_default() += 1;
    }
    for (name, count) in counts {
        let Some(manager) = wide.management.get(name) else {
            continue;
        };
        if count < warn && count <= most {
            continue;
        }
        let bound = if count > most {
            format!("more than {most}")
        } else {
            format!("{warn} or more")
        };
        let mut problem = Diagnostic::new(
            Code::ScaleHc,
            format!("management cluster `{name}` has {count} hosted clusters, {bound}"),
        )
        .hint("add a management cluster, or set `thresholds` in the `Fleet` document if yours is known to hold more");
        if count > most {
            problem.severity = Severity::Error;
        }
        problems.rule(problem, manager.place);
    }
}

/// Highly available control planes on the nodes that a management cluster says it has.
pub(super) fn density(fleet: &Fleet, wide: &Wide<'_>, problems: &mut Problems<'_>) {
    let thresholds = wide.spec.thresholds.as_ref();
    let on_three = thresholds.and_then(|all| all.control_planes_per_three_nodes);
    let on_compact = thresholds.and_then(|all| all.control_planes_compact);
    for manager in wide.management.values() {
        let Some(nodes) = manager.model.nodes else { continue };
        let name = &manager.model.name;
        let here = fleet
            .clusters
            .values()
            .filter(|cluster| cluster.management_cluster == *name);
        let available = here
            .filter_map(Cluster::hosted)
            .filter(|hosted| hosted.controller_availability == "HighlyAvailable");
        let count = u32::try_from(available.count()).unwrap_or(u32::MAX);
        let most = if manager.model.compact {
            on_compact.unwrap_or(COMPACT_WARN)
        } else {
            nodes.saturating_mul(on_three.unwrap_or(DENSITY_WARN)) / 3
        };
        if count <= most {
            continue;
        }
        let sort = if manager.model.compact { "compact " } else { "" };
        let message = format!(
            "{sort}management cluster `{name}` has {count} highly available control planes on {nodes} nodes, more than {most}"
        );
        let problem = Diagnostic::new(Code::ScaleDensity, message)
            .hint("add nodes, or set `thresholds` in the `Fleet` document if yours are known to hold more");
        problems.rule(problem, manager.place);
    }
}
