//! From a fleet directory to everything that it wants: read, resolved, rendered, with every problem found on the way.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use crate::diag::{Diagnostic, Severity};
use crate::fleet::model::Fleet;
use crate::fleet::{self, Loaded, Lock, SourceFile};
use crate::plan::Revised;
use crate::render::{self, Rendered, TemplateSet};
use crate::resource::{ClusterName, ManagementClusterName, Revision, UnitId};
use crate::source::{self, Ancestry, Limits, SourceError, Tree};

/// Options of everything that reads a fleet.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// The fleet directory.
    pub directory: PathBuf,
    /// Whether a lock that would change is an error.
    pub locked: bool,
    /// The time by which dates in the files are judged.
    pub now: jiff::Timestamp,
}

/// A fleet, as far as it loaded.
pub struct LoadedFleet {
    /// The resolved model.
    pub fleet: Fleet,
    /// What it wants.
    pub rendered: Rendered,
    /// Units that did not resolve or render, and why.
    pub failed: BTreeMap<UnitId, String>,
    /// Every problem, in order of files and places.
    pub diagnostics: Vec<Diagnostic>,
    /// The files, for showing problems in their place.
    pub files: Vec<SourceFile>,
    /// The fleet and the revision.
    pub revised: Revised,
    /// Things to say that are no problem.
    pub notes: Vec<String>,
    pub(super) loaded: Loaded,
    pub(super) lock: Lock,
    pub(super) old_lock: Lock,
    tree: Tree,
}

/// Why a fleet could not be read at all.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The directory, or the repository that it is in.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// `--locked`.
    #[error("fleet.lock is not up to date ({}): run `fleetwright lock` and commit the result", .0.join(", "))]
    Locked(Vec<String>),
}

/// Which part of a fleet is meant.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// Only these clusters; empty: all.
    pub clusters: Vec<String>,
    /// Only clusters of these environments; empty: all.
    pub environments: Vec<String>,
    /// Only objects on this kind of control plane.
    pub provider: Option<ProviderScope>,
}

/// A kind of control plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProviderScope {
    /// API servers.
    Kubernetes,
    /// The OCI API.
    Oci,
}

impl Scope {
    /// Whether it is the whole fleet.
    pub fn is_whole(&self) -> bool {
        self.clusters.is_empty() && self.environments.is_empty() && self.provider.is_none()
    }
}

/// A scope, seen over a fleet.
pub struct ScopeView<'a> {
    fleet: &'a Fleet,
    scope: &'a Scope,
}

impl ScopeView<'_> {
    /// Whether a unit is in scope. With a choice of clusters, what they share is not: it is somebody else's too.
    pub fn holds(&self, unit: &UnitId) -> bool {
        let narrowed = !self.scope.clusters.is_empty() || !self.scope.environments.is_empty();
        match unit {
            UnitId::ManagementCluster(_) | UnitId::Network(_) => !narrowed,
            UnitId::Cluster(name) => {
                let named = self.scope.clusters.is_empty() || self.scope.clusters.iter().any(|c| c == name.as_str());
                let environment = self.fleet.clusters.get(name).map(|cluster| cluster.environment.as_str());
                let placed = self.scope.environments.is_empty()
                    || environment.is_some_and(|name| self.scope.environments.iter().any(|e| e == name));
                named && placed
            }
        }
    }

    /// The management clusters that have to be reached: all of the fleet's, since what left the files may be recorded on
    /// any of them; or, with a choice of clusters, those that they are placed on.
    pub fn management_clusters(&self) -> impl Iterator<Item = &ManagementClusterName> {
        let narrowed = !self.scope.clusters.is_empty() || !self.scope.environments.is_empty();
        let used: BTreeSet<&ManagementClusterName> = self
            .fleet
            .clusters
            .values()
            .filter(|cluster| self.holds(&UnitId::Cluster(cluster.name.clone())))
            .map(|cluster| &cluster.management_cluster)
            .collect();
        self.fleet.management_clusters.keys().filter(move |name| !narrowed || used.contains(name))
    }
}

impl LoadedFleet {
    /// A scope over this fleet.
    pub fn scope<'a>(&'a self, scope: &'a Scope) -> ScopeView<'a> {
        ScopeView { fleet: &self.fleet, scope }
    }

    /// The management cluster whose inventory holds a unit.
    pub fn recorded_on(&self, unit: &UnitId) -> Option<ManagementClusterName> {
        match unit {
            UnitId::ManagementCluster(name) => Some(name.clone()),
            UnitId::Network(name) => self.fleet.networks.get(name).map(|network| network.management_cluster.clone()),
            UnitId::Cluster(name) => self.fleet.clusters.get(name).map(|cluster| cluster.management_cluster.clone()),
        }
    }

    /// Whether some problem is an error.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }

    /// How the revision at hand stands to another: `Backward` when that one was made on top of this one.
    pub(super) fn relation_to(&self, recorded: &Revision) -> Ancestry {
        source::ancestry(&self.tree, recorded, &self.revised.revision).unwrap_or(Ancestry::Unknown)
    }

    /// One line on what was loaded.
    pub fn summary(&self) -> String {
        let count = |severity| self.diagnostics.iter().filter(|d| d.severity == severity).count();
        let pools: usize = self.fleet.clusters.values().map(|cluster| cluster.node_pools.len()).sum();
        let objects: usize = self.rendered.units.values().map(|unit| unit.manifests.len()).sum();
        format!(
            "{}: {} clusters, {pools} node pools, {objects} objects; {} errors, {} warnings",
            self.fleet.name,
            self.fleet.clusters.len(),
            count(Severity::Error),
            count(Severity::Warning),
        )
    }
}
