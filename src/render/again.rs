//! Rendering that goes on from an earlier one: what a commit did not change is not evaluated again.
//!
//! Invariant: a unit is taken over only where everything that it was made of is equal, so that the result is the one that
//! rendering afresh gives. What a cluster's unit is made of: the templates, the fleet's name and uid, its management cluster,
//! the shared networks, the cluster itself, and whether others use its namespace. Management clusters and networks are few,
//! and gather from all clusters: they are always rendered afresh.

use std::sync::Arc;

use super::context::Shared;
use super::{Rendered, TemplateSet, Unit};
use crate::fleet::model::{Cluster, Fleet};
use crate::resource::UnitId;

/// A fleet and what it rendered to.
#[derive(Clone, Copy)]
pub struct Earlier<'a> {
    /// The fleet.
    pub fleet: &'a Fleet,
    /// What it rendered to.
    pub rendered: &'a Rendered,
}

/// What of an earlier rendering still counts.
pub(super) struct Kept<'a> {
    earlier: Earlier<'a>,
    shared: Shared,
}

impl<'a> Kept<'a> {
    /// Compares what all units are made of; none where that differs.
    pub(super) fn of(earlier: Earlier<'a>, fleet: &Fleet, templates: &TemplateSet) -> Option<Self> {
        let before = earlier.fleet;
        let is_same = earlier.rendered.templates == Some(templates.digest())
            && before.name == fleet.name
            && before.uid == fleet.uid
            && before.networks == fleet.networks;
        is_same.then(|| Self {
            earlier,
            shared: Shared::of(before),
        })
    }

    /// A cluster's unit, where it is made of the same.
    pub(super) fn unit(&self, fleet: &Fleet, shared: &Shared, cluster: &Cluster, id: &UnitId) -> Option<Arc<Unit>> {
        let before = self.earlier.fleet;
        let management = &cluster.management_cluster;
        let is_same = before.clusters.get(&cluster.name) == Some(cluster)
            && before.management_clusters.get(management) == fleet.management_clusters.get(management)
            && self.shared.has(cluster) == shared.has(cluster);
        is_same.then(|| self.earlier.rendered.units.get(id).cloned()).flatten()
    }
}
