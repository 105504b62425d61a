//! The rights on a management cluster, one by one.
//!
//! How objects are looked at decides the verbs (see `providers::kubernetes`): a LIST of each kind, a GET of what it lacks,
//! and for whoever stays a watch; Secrets are only ever read and followed by name. A server-side apply that makes an object asks for
//! `create` beside `patch`, and both by name: so Secrets are granted by name throughout. A namespace is deleted by whoever can list
//! what others may have put there.

use std::collections::BTreeSet;

use super::plural::plural;
use crate::fleet::model::Fleet;
use crate::render::{Precondition, Rendered};
use crate::resource::{INHABITANTS, ManagementClusterName, Manifest, ResourceId, Stewardship, Target, UnitId};
use crate::sync;

/// What is done with a resource, in the order in which rules are usually written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// Reads one by name.
    Get,
    /// Reads all.
    List,
    /// Follows all.
    Watch,
    /// Makes one.
    Create,
    /// Replaces one.
    Update,
    /// Changes one.
    Patch,
    /// Deletes one.
    Delete,
}

impl Verb {
    /// As RBAC spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Watch => "watch",
            Self::Create => "create",
            Self::Update => "update",
            Self::Patch => "patch",
            Self::Delete => "delete",
        }
    }
}

/// One right.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grant {
    /// On objects.
    Resource {
        /// Only in this namespace; none: anywhere.
        namespace: Option<String>,
        /// API group; empty for the core group.
        group: String,
        /// `nodepools`, `clustersyncs/status`.
        resource: String,
        /// Only the object of this name.
        name: Option<String>,
        /// What is done.
        verb: Verb,
    },
    /// On a path that is no object's, to read it.
    Path(String),
}

impl Grant {
    /// What is done, as RBAC spells it.
    pub fn verb(&self) -> &'static str {
        match self {
            Self::Resource { verb, .. } => verb.name(),
            Self::Path(_) => Verb::Get.name(),
        }
    }
}

/// What the rights are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// `plan`, `status` and `doctor`: nothing is changed, and nothing is followed.
    Look,
    /// `apply` and `daemon` as well.
    Keep,
}

/// Whose rights are asked for.
pub struct Needs<'a> {
    /// The fleet.
    pub fleet: &'a Fleet,
    /// What it renders.
    pub rendered: &'a Rendered,
    /// The management cluster.
    pub on: &'a ManagementClusterName,
    /// The namespace of the inventories.
    pub home: &'a str,
    /// What they are for.
    pub purpose: Purpose,
    /// Whether calls to OCI are signed by the keys in the Secrets of the fleet's identities.
    pub reads_keys: bool,
}

/// The ConfigMap in which HyperShift's operator says which releases it manages.
pub const SUPPORTED_VERSIONS: &str = "supported-versions";

const LOOK: &[Verb] = &[Verb::Get, Verb::List];
const FOLLOW: &[Verb] = &[Verb::Get, Verb::List, Verb::Watch];
const KEEP: &[Verb] = &[
    Verb::Get,
    Verb::List,
    Verb::Watch,
    Verb::Create,
    Verb::Patch,
    Verb::Delete,
];
const LOOK_BY_NAME: &[Verb] = &[Verb::Get];
const KEEP_BY_NAME: &[Verb] = &[Verb::Get, Verb::Create, Verb::Patch, Verb::Delete];

/// What is done with our own records, in the namespace that they are in: group, resource, for looking, for keeping.
const OWN: &[(&str, &str, &[Verb], &[Verb])] = &[
    (
        "",
        "configmaps",
        &[Verb::Get, Verb::List],
        &[Verb::Get, Verb::List, Verb::Create, Verb::Update, Verb::Delete],
    ),
    (
        "coordination.k8s.io",
        "leases",
        &[],
        &[Verb::List, Verb::Watch, Verb::Create, Verb::Update, Verb::Delete],
    ),
    ("events.k8s.io", "events", &[], &[Verb::Create, Verb::Patch]),
    (sync::GROUP, "clustersyncs", &[Verb::List], KEEP),
    (sync::GROUP, "clustersyncs/status", &[], &[Verb::Patch]),
    // One that is not needed any more stays: only people know whether the fleet is gone.
    (
        sync::GROUP,
        "fleetstatuses",
        &[Verb::List],
        &[Verb::Get, Verb::List, Verb::Watch, Verb::Create, Verb::Patch],
    ),
    (sync::GROUP, "fleetstatuses/status", &[], &[Verb::Patch]),
];

/// The rights that a fleet needs on one management cluster; none of them is part of another.
pub fn needed(needs: &Needs<'_>) -> BTreeSet<Grant> {
    let mut grants = Grants::default();
    let manifests = needs.rendered.units.values().flat_map(|unit| &unit.manifests);
    for manifest in manifests.filter(|manifest| is_on(&manifest.id, needs.on)) {
        grants.manifest(manifest, needs.purpose);
    }
    // What a management cluster itself needs is looked at by nobody: no control plane of its own is about to be made.
    let units = needs.rendered.units.iter();
    let looked_at = units.filter(|(unit, _)| !matches!(unit, UnitId::ManagementCluster(_)));
    for precondition in looked_at.flat_map(|(_, unit)| &unit.preconditions) {
        if let Precondition::Object { id } = precondition
            && is_on(id, needs.on)
        {
            grants.named(
                id.namespace.as_deref(),
                &id.group,
                &plural(&id.kind),
                &id.name,
                LOOK_BY_NAME,
            );
        }
    }
    for (group, resource, look, keep) in OWN {
        let verbs = match needs.purpose {
            Purpose::Look => look,
            Purpose::Keep => keep,
        };
        grants.all(Some(needs.home), group, resource, verbs);
    }
    if needs.reads_keys {
        for (namespace, name) in keys(needs) {
            grants.named(Some(namespace), "", "secrets", name, LOOK_BY_NAME);
        }
    }
    // What the server can do, whether it is of an age that we know, and what `doctor` may ask about itself.
    for path in ["/api", "/apis", "/openapi/v3", "/version"] {
        grants.path(path.to_owned());
    }
    grants.all(
        None,
        "authorization.k8s.io",
        "selfsubjectaccessreviews",
        &[Verb::Create],
    );
    grants.without_parts()
}

fn is_on(id: &ResourceId, on: &ManagementClusterName) -> bool {
    matches!(&id.target, Target::Kubernetes(name) if name == on)
}

/// The Secrets with the keys of the identities that clusters use.
fn keys<'a>(needs: &'a Needs<'_>) -> impl Iterator<Item = (&'a str, &'a str)> {
    let manager = needs.fleet.management_clusters.get(needs.on);
    needs
        .fleet
        .clusters
        .values()
        .filter(|cluster| cluster.management_cluster == *needs.on && cluster.tenancy.is_some())
        .filter_map(move |cluster| {
            let identity = manager?.identities.get(cluster.identity.as_ref()?)?;
            let secret = identity.principal_secret.as_ref()?;
            Some((secret.namespace.as_str(), secret.name.as_str()))
        })
}

#[derive(Default)]
struct Grants(BTreeSet<Grant>);

impl Grants {
    fn manifest(&mut self, manifest: &Manifest, purpose: Purpose) {
        let id = &manifest.id;
        let resource = plural(&id.kind);
        let ours = manifest.stewardship == Stewardship::Managed;
        if is_secret(id) {
            let verbs = if ours && purpose == Purpose::Keep {
                KEEP_BY_NAME
            } else {
                LOOK_BY_NAME
            };
            // In any namespace: another cluster's Secret of the same name, added by a commit, needs no other rule.
            self.named(None, &id.group, &resource, &id.name, verbs);
        } else {
            let verbs = match purpose {
                Purpose::Look => LOOK,
                Purpose::Keep if ours => KEEP,
                Purpose::Keep => FOLLOW,
            };
            self.all(None, &id.group, &resource, verbs);
        }
        if ours && id.group.is_empty() && id.kind == "Namespace" {
            // Who may delete it has to see first who else lives there.
            for one in INHABITANTS {
                self.all(None, one.group, one.plural, &[Verb::List]);
            }
        }
        if id.kind == "HostedCluster" {
            // In any namespace, for the operator's own may be made after the rights.
            self.named(None, "", "configmaps", SUPPORTED_VERSIONS, LOOK_BY_NAME);
        }
        if let Some(source) = manifest.copied() {
            let verbs = match purpose {
                Purpose::Look => LOOK_BY_NAME,
                // By its name alone, as a server asks where the selector of a watch names one object.
                Purpose::Keep => FOLLOW,
            };
            self.named(source.namespace.as_deref(), &id.group, &resource, &source.name, verbs);
        }
        let root = if id.group.is_empty() { "api" } else { "apis" };
        self.path(format!("/openapi/v3/{root}/{}", manifest.api_version));
    }

    fn all(&mut self, namespace: Option<&str>, group: &str, resource: &str, verbs: &[Verb]) {
        self.add(namespace, group, resource, None, verbs);
    }

    fn named(&mut self, namespace: Option<&str>, group: &str, resource: &str, name: &str, verbs: &[Verb]) {
        self.add(namespace, group, resource, Some(name), verbs);
    }

    fn add(&mut self, namespace: Option<&str>, group: &str, resource: &str, name: Option<&str>, verbs: &[Verb]) {
        self.0.extend(verbs.iter().map(|verb| Grant::Resource {
            namespace: namespace.map(str::to_owned),
            group: group.to_owned(),
            resource: resource.to_owned(),
            name: name.map(str::to_owned),
            verb: *verb,
        }));
    }

    fn path(&mut self, path: String) {
        self.0.insert(Grant::Path(path));
    }

    /// Leaves out what a wider right holds already.
    fn without_parts(self) -> BTreeSet<Grant> {
        let Self(all) = self;
        all.iter().filter(|grant| !is_part(grant, &all)).cloned().collect()
    }
}

fn is_part(grant: &Grant, all: &BTreeSet<Grant>) -> bool {
    let Grant::Resource { namespace, name, .. } = grant else {
        return false;
    };
    let with = |to_namespace: Option<String>, to_name: Option<String>| {
        let mut wider = grant.clone();
        if let Grant::Resource { namespace, name, .. } = &mut wider {
            (*namespace, *name) = (to_namespace, to_name);
        }
        wider != *grant && all.contains(&wider)
    };
    with(None, None) || with(None, name.clone()) || with(namespace.clone(), None)
}

fn is_secret(id: &ResourceId) -> bool {
    id.group.is_empty() && id.kind == "Secret"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_wider_right_holds_is_left_out() {
        let mut grants = Grants::default();
        grants.all(None, "", "configmaps", KEEP);
        grants.all(Some("home"), "", "configmaps", &[Verb::List, Verb::Update]);
        grants.named(None, "", "secrets", "pull", LOOK_BY_NAME);
        grants.named(Some("source"), "", "secrets", "pull", LOOK_BY_NAME);
        grants.named(Some("source"), "", "secrets", "other", LOOK_BY_NAME);
        let left: Vec<(Option<String>, Option<String>, Verb)> = grants
            .without_parts()
            .into_iter()
            .filter_map(|grant| match grant {
                Grant::Resource {
                    namespace, name, verb, ..
                } => Some((namespace, name, verb)),
                Grant::Path(_) => None,
            })
            .filter(|(namespace, name, _)| namespace.is_some() || name.is_some())
            .collect();
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(
            left,
            [
                (None, text("pull"), Verb::Get),
                (text("home"), None, Verb::Update),
                (text("source"), text("other"), Verb::Get),
            ]
        );
    }
}
