//! The lock: what would otherwise float or be picked, pinned; one small file a cluster, so that branches don't collide.
//!
//! Invariant: parse ∘ print is the identity; a pinned value changes only by hand.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use ipnet::IpNet;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::decode::decode;
use super::node::SourceFile;
use super::yaml;
use crate::diag::{Code, Diagnostic};
use crate::resource::{ClusterName, Digest, FleetUid, ManagementClusterName, NetworkName, NodePoolName};

/// The whole lock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lock {
    /// The fleet's own entry; none before the first `lock`.
    pub fleet: Option<LockedFleet>,
    /// By the cluster's name in the files.
    pub clusters: BTreeMap<ClusterName, LockedCluster>,
    /// By the network's name in the files.
    pub networks: BTreeMap<NetworkName, LockedNetwork>,
    /// Files that can't be read, by path.
    pub unreadable: BTreeSet<String>,
}

/// `fleet.lock/fleet.yaml`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct LockedFleet {
    /// The immutable id.
    pub uid: FleetUid,
    /// The version of the built-in templates.
    #[serde(default = "first_templates")]
    pub templates: u32,
    /// The management clusters that the fleet has, or has not yet let go of.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub management_clusters: BTreeSet<ManagementClusterName>,
}

/// Locks that name none were written when there was but one.
fn first_templates() -> u32 {
    1
}

/// `fleet.lock/clusters/<name>.yaml`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct LockedCluster {
    /// The immutable id.
    pub id: String,
    /// The name that it had at first: of the HostedCluster, and the stem of all others.
    pub object_name: String,
    /// The namespace of its objects, where it is not `clusters-<objectName>`: another tool made it, and it stays that one's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Names of NodePools, by that of the pool in the files, where they are not `<objectName>-<pool>`: another tool made them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub node_pools: BTreeMap<NodePoolName, String>,
    /// Where its control plane runs.
    pub management_cluster: ManagementClusterName,
    /// The address block of its own network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub addresses: Option<IpNet>,
    /// Digests of release images by version, where they are pinned.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub releases: BTreeMap<String, Digest>,
}

/// `fleet.lock/networks/<name>.yaml`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct LockedNetwork {
    /// The immutable id.
    pub id: String,
    /// The name that it had at first.
    pub object_name: String,
    /// Its address block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub addresses: Option<IpNet>,
}

/// One difference between two locks.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LockChange {
    /// The file, relative to the fleet's directory.
    pub file: String,
    /// What became of it.
    pub change: LockChangeKind,
}

/// What became of a file of the lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum LockChangeKind {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// It has another content.
    Changed,
}

impl fmt::Display for LockChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.change {
            LockChangeKind::Added => "added",
            LockChangeKind::Removed => "removed",
            LockChangeKind::Changed => "changed",
        };
        write!(f, "{} {word}", self.file)
    }
}

/// The lock's directory, beside the fleet's files.
pub(super) const DIRECTORY: &str = "fleet.lock/";
const CLUSTERS: &str = "fleet.lock/clusters/";
const NETWORKS: &str = "fleet.lock/networks/";
const FLEET: &str = "fleet.lock/fleet.yaml";
const HEADER: &str = "# Written by `fleetwright lock`; commit it, and leave it to that command.\n";

impl Lock {
    /// Reads the lock out of a fleet's files; those outside of `fleet.lock/` are passed over.
    ///
    /// What can't be read is remembered: the clusters that it is about fail, so that none gets another identity.
    pub fn parse(files: &[SourceFile]) -> (Self, Vec<Diagnostic>) {
        let mut lock = Self::default();
        let mut found = Vec::new();
        let parsed: Vec<_> = files
            .par_iter()
            .enumerate()
            .filter(|(_, file)| file.path.starts_with(DIRECTORY))
            .map(|(index, file)| (file, yaml::parse_one(files, index)))
            .collect();
        for (file, mut parsed) in parsed {
            found.append(&mut parsed.diagnostics);
            let [(node, inside)] = parsed.documents.as_slice() else {
                lock.unreadable.insert(file.path.to_string());
                continue;
            };
            if !inside.is_empty() {
                lock.unreadable.insert(file.path.to_string());
                found.extend(inside.iter().cloned());
            }
            let entry = if &*file.path == FLEET {
                decode(node).map(|entry| lock.fleet = Some(entry))
            } else if let Some(name) = stem(&file.path, CLUSTERS) {
                decode(node).map(|entry| drop(lock.clusters.insert(ClusterName::new(name), entry)))
            } else if let Some(name) = stem(&file.path, NETWORKS) {
                decode(node).map(|entry| drop(lock.networks.insert(NetworkName::new(name), entry)))
            } else {
                continue;
            };
            if let Err(error) = entry {
                lock.unreadable.insert(file.path.to_string());
                let place = error.place.unwrap_or(node.place);
                found.push(
                    Diagnostic::new(
                        Code::LockBroken,
                        format!("this file of the lock can't be read: {}", error.message),
                    )
                    .at(&place.span(files))
                    .hint("restore it from Git: what it pins (id, addresses) must not change"),
                );
            }
        }
        (lock, found)
    }

    /// The files of the lock's directory, by path relative to the fleet's.
    pub fn files(&self) -> BTreeMap<String, String> {
        let mut files = BTreeMap::new();
        if let Some(fleet) = &self.fleet {
            files.insert(FLEET.to_owned(), print(fleet));
        }
        for (name, entry) in &self.clusters {
            files.insert(format!("{CLUSTERS}{name}.yaml"), print(entry));
        }
        for (name, entry) in &self.networks {
            files.insert(format!("{NETWORKS}{name}.yaml"), print(entry));
        }
        files
    }

    /// Where the fleet's own entry is kept.
    pub fn fleet_file() -> &'static str {
        FLEET
    }

    /// Whether the file of that cluster, or the fleet's own, can't be read.
    pub(super) fn unreadable_for(&self, cluster: &str) -> bool {
        self.unreadable.contains(FLEET) || self.unreadable.contains(&format!("{CLUSTERS}{cluster}.yaml"))
    }

    /// The same for a network.
    pub(super) fn unreadable_for_network(&self, network: &str) -> bool {
        self.unreadable.contains(FLEET) || self.unreadable.contains(&format!("{NETWORKS}{network}.yaml"))
    }

    /// What changes from this lock to the other.
    pub fn differs(&self, other: &Self) -> Vec<LockChange> {
        let (old, new) = (self.files(), other.files());
        let mut changes = Vec::new();
        for (file, text) in &new {
            match old.get(file) {
                None => changes.push(LockChange {
                    file: file.clone(),
                    change: LockChangeKind::Added,
                }),
                Some(before) if before != text => {
                    changes.push(LockChange {
                        file: file.clone(),
                        change: LockChangeKind::Changed,
                    });
                }
                Some(_) => {}
            }
        }
        for file in old.keys().filter(|file| !new.contains_key(*file)) {
            changes.push(LockChange {
                file: file.clone(),
                change: LockChangeKind::Removed,
            });
        }
        changes.sort();
        changes
    }
}

fn stem<'a>(path: &'a str, folder: &str) -> Option<&'a str> {
    path.strip_prefix(folder)?.strip_suffix(".yaml")
}

/// Strings, maps and nets only: no way for the printer to fail; an empty file would be refused when read.
fn print<T: Serialize>(entry: &T) -> String {
    let body = serde_yaml::to_string(entry).unwrap_or_default();
    format!("{HEADER}{body}")
}

/// Ids and object names that are taken, so that a name used again after a rename gets ones of its own.
#[derive(Debug)]
pub(super) struct Identities(BTreeSet<String>);

impl Identities {
    /// Those of the lock.
    pub(super) fn new(lock: &Lock) -> Self {
        let clusters = lock
            .clusters
            .values()
            .flat_map(|pin| [pin.id.clone(), key("cluster", &pin.object_name)]);
        let networks = lock
            .networks
            .values()
            .flat_map(|pin| [pin.id.clone(), key("network", &pin.object_name)]);
        Self(clusters.chain(networks).collect())
    }

    /// The id and the object name of a cluster or network at first sight.
    pub(super) fn first(&mut self, uid: &FleetUid, kind: &str, name: &str) -> (String, String) {
        let mut round = 0u64;
        let id = loop {
            let round_bytes = round.to_be_bytes();
            let digest = Digest::of_parts([uid.as_str().as_bytes(), kind.as_bytes(), name.as_bytes(), &round_bytes]);
            let id: String = digest.to_hex().chars().take(16).collect();
            if self.0.insert(id.clone()) {
                break id;
            }
            round += 1;
        };
        if self.0.insert(key(kind, name)) {
            return (id, name.to_owned());
        }
        let object_name = format!("{name}-{}", id.get(..5).unwrap_or(&id));
        self.0.insert(key(kind, &object_name));
        (id, object_name)
    }
}

fn key(kind: &str, name: &str) -> String {
    format!("{kind} {name}")
}
