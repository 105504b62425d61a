//! Management clusters that leave the files, and what is let go of while it is still in them.
//!
//! Invariant: a management cluster that the lock knows leaves only by a line that says so. Without its document nothing there can be
//! looked at, so that whatever still runs there would be neither deleted nor ever named again.

use std::collections::{BTreeMap, BTreeSet};

use super::index::Index;
use super::kind::Kind;
use super::lock::Lock;
use super::model::Decommission;
use super::problems::Problems;
use crate::diag::{Code, Diagnostic};
use crate::resource::{ClusterName, ManagementClusterName, UnitId};

/// Clusters that are named of a management cluster.
const NAMED: usize = 5;

/// The management clusters of a lock, and the clusters that it has there.
pub(super) struct Known(BTreeMap<ManagementClusterName, BTreeSet<ClusterName>>);

impl Known {
    /// Those of a lock, before what has gone is taken out of it.
    pub(super) fn of(lock: &Lock) -> Self {
        let named = lock.fleet.iter().flat_map(|fleet| &fleet.management_clusters);
        let mut known: BTreeMap<_, BTreeSet<_>> = named.map(|name| (name.clone(), BTreeSet::new())).collect();
        for (cluster, pin) in &lock.clusters {
            let there = known.entry(pin.management_cluster.clone()).or_default();
            there.insert(cluster.clone());
        }
        Self(known)
    }

    /// Enters what the files have into the lock, and complains of what has left without a word; whether any has. With `is_incomplete` a
    /// file was not understood: whatever is known may be in it.
    pub(super) fn follow(
        self,
        index: &Index<'_>,
        decommission: &BTreeMap<UnitId, Decommission>,
        (lock, is_incomplete): (&mut Lock, bool),
        problems: &mut Problems<'_>,
    ) -> bool {
        let is_declared = |name: &ManagementClusterName| index.get(Kind::ManagementCluster, name.as_str()).is_some();
        let is_let_go = |name: &ManagementClusterName| {
            let unit = UnitId::ManagementCluster(name.clone());
            decommission.contains_key(&unit) && !is_incomplete
        };
        let left: BTreeMap<_, _> = self
            .0
            .into_iter()
            .filter(|(name, _)| !is_declared(name) && !is_let_go(name))
            .collect();
        let declared = index
            .of(Kind::ManagementCluster)
            .map(|document| ManagementClusterName::new(&document.name));
        if let Some(fleet) = &mut lock.fleet {
            fleet.management_clusters = declared.chain(left.keys().cloned()).collect();
        }
        let Some(document) = index.fleet.filter(|_| !is_incomplete) else {
            return false;
        };
        for (name, clusters) in &left {
            let mut there: Vec<&str> = clusters.iter().take(NAMED).map(ClusterName::as_str).collect();
            let more = format!("{} more", clusters.len().saturating_sub(NAMED));
            if clusters.len() > NAMED {
                there.push(&more);
            }
            let there = match there[..] {
                [] => String::new(),
                _ => format!(", where fleet.lock has {}", there.join(", ")),
            };
            let message = format!("management cluster `{name}` is no longer in the files{there}");
            let problem = Diagnostic::new(Code::LeftBehind, message)
                .hint("put its document back until all that the fleet has there is gone: without it nothing there can be seen or deleted")
                .hint(format!(
                    "to let go of it with whatever is still there: decommission: [{{management: {name}, reason: …}}] in the Fleet document"
                ));
            problems.add(problem, document.place);
        }
        !left.is_empty()
    }
}

/// Warns of what is let go of and is still there: once its lines go, by mistake or not, nothing would stand against its end.
pub(super) fn check(index: &Index<'_>, decommission: &BTreeMap<UnitId, Decommission>, problems: &mut Problems<'_>) {
    for (unit, leave) in decommission {
        let is_there = match unit {
            UnitId::Cluster(name) => index.clusters.contains_key(name.as_str()),
            UnitId::Network(name) => index.get(Kind::Network, name.as_str()).is_some(),
            UnitId::ManagementCluster(name) => index.get(Kind::ManagementCluster, name.as_str()).is_some(),
        };
        if is_there {
            let message = format!("{unit} is listed under `decommission`, and is still in the files");
            let problem = Diagnostic::new(Code::LeavesLater, message)
                .hint("take it out of the files in the same commit, or take this line out: from now on it would go without another word");
            problems.found.push(problem.at(&leave.span));
        }
    }
}
