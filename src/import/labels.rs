//! Labels and annotations: those that the files have a place for, and the others.

use std::collections::BTreeMap;

use super::compare::is_set_by_operators;
use super::live::{Hosted, Object};
use super::words::is_label;
use crate::resource::mark::MANAGED_BY_LABEL;
use crate::resource::{FieldPath, PathElement};

/// Labels that all of its objects have: the files give each object the same.
pub(super) fn common(live: &Hosted) -> BTreeMap<String, String> {
    let mut labels = live.cluster.labels.clone();
    let others = live.pools.iter().map(|pool| &pool.labels).chain(&live.namespace_labels);
    for other in others {
        labels.retain(|key, value| other.get(key) == Some(value));
    }
    labels.retain(|key, value| is_label(key, value) && !is_mark(key));
    labels
}

/// Annotations that somebody put there to say something: not the notes that tools leave for themselves.
pub(super) fn annotations(cluster: &Object) -> BTreeMap<String, String> {
    let mut annotations = cluster.annotations.clone();
    annotations.retain(|key, _| {
        let path = ["metadata", "annotations", key].map(|step| PathElement::Field(step.to_owned()));
        !is_note_of_a_tool(key) && !is_set_by_operators(&cluster.whole, &FieldPath::new(path.to_vec()))
    });
    annotations
}

/// Labels by which this or another fleet knows its objects.
fn is_mark(key: &str) -> bool {
    key.starts_with("fleetwright.dev/") || key == MANAGED_BY_LABEL
}

fn is_note_of_a_tool(key: &str) -> bool {
    const TOOLS: [&str; 6] = [
        "fleetwright.dev/",
        "kubectl.kubernetes.io/",
        "argocd.argoproj.io/",
        "meta.helm.sh/",
        "kustomize.toolkit.fluxcd.io/",
        "helm.toolkit.fluxcd.io/",
    ];
    TOOLS.iter().any(|tool| key.starts_with(tool))
}

/// Labels and annotations that the files have no place for: they stay on their objects, and nobody minds them.
pub(super) fn unsaid(live: &Hosted) -> Vec<String> {
    let said = common(live);
    let mut unsaid = Vec::new();
    for object in std::iter::once(&live.cluster).chain(&live.pools) {
        let labels = object
            .labels
            .keys()
            .filter(|key| !said.contains_key(*key) && !is_mark(key));
        let labels = labels.map(|key| format!("label {key} of {}", object.shown()));
        unsaid.extend(labels);
    }
    for pool in &live.pools {
        let noted = annotations(pool).into_keys();
        unsaid.extend(noted.map(|key| format!("annotation {key} of {}", pool.shown())));
    }
    unsaid
}
