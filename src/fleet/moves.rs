//! `Moved` records: names may change, objects may not.
//!
//! Invariant: a rename moves what the lock pins to the new name, and nothing else; done before, it does nothing again.

use super::check::did_you_mean;
use super::index::Index;
use super::kind::Kind;
use super::lock::Lock;
use super::model::Moved;
use super::node::{Node, Yaml};
use super::problems::Problems;
use crate::diag::{Code, Diagnostic};
use crate::resource::{ClusterName, ManagementClusterName, NetworkName, UnitId};

/// Follows the records in order, in the lock.
pub(super) fn follow(index: &Index<'_>, lock: &mut Lock, problems: &mut Problems<'_>) -> Vec<Moved> {
    let mut moves = Vec::new();
    for document in index.moved.iter().filter(|document| !document.broken) {
        let Yaml::List(items) = &document.spec.value else {
            continue;
        };
        for item in items {
            if let Some(moved) = one(item, index, lock, problems) {
                moves.push(moved);
            }
        }
    }
    moves
}

fn one(item: &Node, index: &Index<'_>, lock: &mut Lock, problems: &mut Problems<'_>) -> Option<Moved> {
    let (from, to) = (item.get("from")?, item.get("to")?);
    let (kind, old) = from.as_str()?.split_once('/')?;
    let (other, new) = to.as_str()?.split_once('/')?;
    if kind != other {
        let message = format!("a {kind} can't become a {other}");
        problems.add(Diagnostic::new(Code::MovedTwice, message), to.place);
        return None;
    }
    let names = match kind {
        "cluster" => index.clusters.keys().copied().collect(),
        "network" => index.names(Kind::Network),
        "environment" => index.names(Kind::Environment),
        _ => index.names(Kind::ManagementCluster),
    };
    if names.contains(&old) {
        problems.add(
            Diagnostic::new(Code::MovedTwice, format!("there still is a {kind} called `{old}`"))
                .hint("remove or rename it, or take this record out"),
            from.place,
        );
        return None;
    }
    let unit = |name: &str| match kind {
        "cluster" => Some(UnitId::Cluster(ClusterName::new(name))),
        "network" => Some(UnitId::Network(NetworkName::new(name))),
        // It is in a label alone, which changes in place: the record is for whoever reads the history.
        "environment" => None,
        _ => Some(UnitId::ManagementCluster(ManagementClusterName::new(name))),
    };
    // A target that is gone by now was moved on, or decommissioned: old records may stay.
    if !names.contains(&new) && !was_moved_on(item, index, to.as_str()?) {
        let mut problem = Diagnostic::new(Code::Dangling, format!("there is no {kind} called `{new}`"));
        problem.hints.extend(did_you_mean(new, names));
        problem
            .hints
            .push("a record of what is gone can be taken out".to_owned());
        problems.add(problem, to.place);
        return None;
    }
    let (from, to) = (unit(old)?, unit(new)?);
    repin(lock, &from, new);
    Some(Moved { from, to })
}

/// Whether a later record takes its name as the old one.
fn was_moved_on(item: &Node, index: &Index<'_>, name: &str) -> bool {
    index.moved.iter().any(|document| match &document.spec.value {
        Yaml::List(items) => items
            .iter()
            .any(|other| other.place != item.place && other.get("from").and_then(Node::as_str) == Some(name)),
        _ => false,
    })
}

fn repin(lock: &mut Lock, from: &UnitId, to: &str) {
    match from {
        UnitId::Cluster(old) => {
            let new = ClusterName::new(to);
            if !lock.clusters.contains_key(&new)
                && let Some(pin) = lock.clusters.remove(old)
            {
                lock.clusters.insert(new, pin);
            }
        }
        UnitId::Network(old) => {
            let new = NetworkName::new(to);
            if !lock.networks.contains_key(&new)
                && let Some(pin) = lock.networks.remove(old)
            {
                lock.networks.insert(new, pin);
            }
        }
        UnitId::ManagementCluster(old) => {
            if let Some(fleet) = &mut lock.fleet
                && fleet.management_clusters.remove(old)
            {
                fleet.management_clusters.insert(ManagementClusterName::new(to));
            }
            for pin in lock.clusters.values_mut().filter(|pin| pin.management_cluster == *old) {
                pin.management_cluster = ManagementClusterName::new(to);
            }
        }
    }
}
