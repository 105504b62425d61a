//! Templates: the resolved model → manifests.
//!
//! Invariant: pure and deterministic: same model, same bytes, in whatever order and on however many threads. A unit that
//! fails, fails alone. May depend on `diag`, `resource` and `fleet::model`.

mod again;
mod block;
mod bounds;
pub mod built_in;
mod context;
pub mod crds;
mod documents;
mod emit;
mod endpoint;
mod extra;
mod finish;
mod firewall;
mod flows;
mod machines;
mod precondition;
pub mod reachability;
pub mod settings;
mod templates;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub use again::Earlier;
#[cfg(test)]
pub(crate) use finish::merge;
pub use precondition::Precondition;
use rayon::prelude::*;
pub use templates::TemplateSet;

use self::again::Kept;
use self::context::Contexts;
use self::finish::Document;
use crate::diag::{Code, Diagnostic, Span};
use crate::fleet::model::{Cluster, ClusterKind, Fleet, Manage, ManagementCluster, Network, NetworkSource};
use crate::resource::mark::{CLUSTER_LABEL, ENVIRONMENT_LABEL, FLEET_LABEL, MANAGED_BY_LABEL, NETWORK_LABEL};
use crate::resource::{Digest, ManagementClusterName, Manifest, ResourceId, Stewardship, Target, UnitId};

/// Everything that a fleet wants.
#[derive(Debug, Default)]
pub struct Rendered {
    /// The units that rendered, each whole.
    pub units: BTreeMap<UnitId, Arc<Unit>>,
    /// The units that did not, or did not even resolve: nothing may be concluded from what they lack.
    pub failed: BTreeSet<UnitId>,
    /// Why.
    pub diagnostics: Vec<Diagnostic>,
    /// Units taken over from an earlier rendering, since nothing that they are made of has changed.
    pub taken_over: usize,
    /// Digest of the templates; none where they did not compile.
    templates: Option<Digest>,
}

impl Rendered {
    /// Digest of the templates; none where they did not compile.
    pub fn templates(&self) -> Option<Digest> {
        self.templates
    }
}

/// One unit's objects.
#[derive(Clone, Debug)]
pub struct Unit {
    /// Sorted by id, no two of one id.
    pub manifests: Vec<Manifest>,
    /// Digest of all of them: which they are, what they hold, and whether they are ours to write.
    pub digest: Digest,
    /// What they need that is not among them, sorted.
    pub preconditions: Vec<Precondition>,
}

/// Renders a fleet. What is wrong is in the result, never in the way of the units that are right.
pub fn render(fleet: &Fleet, templates: &TemplateSet) -> Rendered {
    render_after(None, fleet, templates)
}

/// The same, without evaluating again what an earlier rendering has already.
pub fn render_after(earlier: Option<Earlier<'_>>, fleet: &Fleet, templates: &TemplateSet) -> Rendered {
    let renderer = Renderer {
        fleet,
        templates,
        contexts: Contexts::new(fleet),
        kept: earlier.and_then(|earlier| Kept::of(earlier, fleet, templates)),
    };
    let management = fleet.management_clusters.values().map(Job::ManagementCluster);
    let networks = fleet.networks.values().map(Job::Network);
    let clusters = fleet.clusters.values().map(Job::Cluster);
    let jobs: Vec<Job<'_>> = management.chain(networks).chain(clusters).collect();
    let results: Vec<(UnitId, Made)> = jobs.par_iter().map(|job| renderer.unit(job)).collect();

    let mut rendered = Rendered {
        templates: Some(templates.digest()),
        ..Rendered::default()
    };
    rendered
        .failed
        .extend(fleet.failed.iter().cloned().map(UnitId::Cluster));
    for (id, result) in results {
        match result {
            Ok((unit, is_kept)) => {
                rendered.taken_over += usize::from(is_kept);
                rendered.units.insert(id, unit);
            }
            Err(problems) => {
                let name = |problem: Diagnostic| match &id {
                    UnitId::Cluster(cluster) => problem.cluster(cluster.as_str()),
                    UnitId::ManagementCluster(_) | UnitId::Network(_) => problem,
                };
                rendered.diagnostics.extend(problems.into_iter().map(name));
                rendered.failed.insert(id);
            }
        }
    }
    refuse_duplicates(&mut rendered);
    rendered.diagnostics = gathered(rendered.diagnostics);
    rendered
}

/// Makes one of diagnostics that say the same of several clusters, as a mistake in a template does.
fn gathered(diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let mut places: BTreeMap<(Code, String, Option<Span>, String), usize> = BTreeMap::new();
    let mut gathered: Vec<Diagnostic> = Vec::new();
    for diagnostic in diagnostics {
        let Diagnostic {
            code,
            message,
            span,
            label,
            ..
        } = &diagnostic;
        let place = places
            .entry((*code, message.clone(), span.clone(), label.clone()))
            .or_insert(gathered.len());
        match gathered.get_mut(*place) {
            Some(same) if same.clusters == diagnostic.clusters => {}
            Some(same) => same.clusters.extend(diagnostic.clusters),
            None => gathered.push(diagnostic),
        }
    }
    gathered
}

enum Job<'a> {
    ManagementCluster(&'a ManagementCluster),
    Network(&'a Network),
    Cluster(&'a Cluster),
}

/// A unit, and whether it is an earlier rendering's.
type Made = Result<(Arc<Unit>, bool), Vec<Diagnostic>>;

struct Renderer<'a> {
    fleet: &'a Fleet,
    templates: &'a TemplateSet,
    contexts: Contexts<'a>,
    kept: Option<Kept<'a>>,
}

impl Renderer<'_> {
    fn unit(&self, job: &Job<'_>) -> (UnitId, Made) {
        let (id, unit) = match job {
            Job::Cluster(cluster) => {
                let id = UnitId::Cluster(cluster.name.clone());
                let kept = self.kept.as_ref();
                if let Some(unit) = kept.and_then(|kept| kept.unit(self.fleet, &self.contexts.shared, cluster, &id)) {
                    return (id, Ok((unit, true)));
                }
                let unit = self.cluster(cluster, &id);
                (id, unit)
            }
            Job::ManagementCluster(cluster) => {
                let id = UnitId::ManagementCluster(cluster.name.clone());
                let unit = self.management_cluster(cluster, &id);
                (id, unit)
            }
            Job::Network(network) => {
                let id = UnitId::Network(network.name.clone());
                let unit = self.network(network, &id);
                (id, unit)
            }
        };
        (id, unit.map(|unit| (Arc::new(unit), false)))
    }

    fn cluster(&self, cluster: &Cluster, id: &UnitId) -> Result<Unit, Vec<Diagnostic>> {
        let context = self.contexts.cluster(cluster)?;
        let names = match &cluster.kind {
            ClusterKind::Hosted(_) => templates::HOSTED,
            ClusterKind::SelfManaged(_) => templates::SELF_MANAGED,
            ClusterKind::Oke(_) => templates::OKE,
            ClusterKind::Topology(_) => templates::TOPOLOGY,
        };
        let mut documents = self.evaluate(names, &context, id)?;
        if let Some(of_machines) = cluster.machines() {
            machines::complete(&mut documents, cluster, of_machines);
        }
        if matches!(cluster.network.source, NetworkSource::Managed(_)) {
            documents.extend(self.evaluate(templates::NETWORK, &context, id)?);
        }
        documents.extend(extra::documents(
            &cluster.extra_manifests,
            Some(&cluster.namespace),
            cluster.typed.0.as_ref(),
        ));
        let mut labels = self.labels(&cluster.labels);
        labels.insert(CLUSTER_LABEL.to_owned(), cluster.name.as_str().to_owned());
        labels.insert(ENVIRONMENT_LABEL.to_owned(), cluster.environment.as_str().to_owned());
        let manifests = finish::Unit {
            id,
            fleet: &self.fleet.uid,
            target: Target::Kubernetes(cluster.management_cluster.clone()),
            labels,
            responsible: cluster.owner.as_deref(),
            cluster: Some(cluster),
            manage: cluster.manage,
            observed_namespaces: BTreeSet::new(),
            elsewhere: if self.contexts.shared.has(cluster) {
                shared_ids(cluster)
            } else {
                Vec::new()
            },
        }
        .finish(documents)?;
        let management = self.fleet.management_clusters.get(&cluster.management_cluster);
        let shared = match &cluster.network.source {
            NetworkSource::Shared { name } => self.fleet.networks.get(name),
            NetworkSource::Managed(_) | NetworkSource::Existing(_) | NetworkSource::Capoci { .. } => None,
        };
        Ok(unit(manifests, precondition::of_cluster(cluster, management, shared)))
    }

    fn management_cluster(&self, cluster: &ManagementCluster, id: &UnitId) -> Result<Unit, Vec<Diagnostic>> {
        let context = self.contexts.management_cluster(cluster);
        let mut documents = self.evaluate(templates::MANAGEMENT_CLUSTER, &context, id)?;
        documents.extend(extra::documents(&cluster.extra_manifests, None, None));
        let manifests = finish::Unit {
            id,
            fleet: &self.fleet.uid,
            target: Target::Kubernetes(cluster.name.clone()),
            labels: self.labels(&cluster.labels),
            responsible: None,
            cluster: None,
            manage: Manage::All,
            observed_namespaces: self.observed_namespaces(&cluster.name),
            elsewhere: Vec::new(),
        }
        .finish(documents)?;
        Ok(unit(manifests, precondition::of_management_cluster(cluster)))
    }

    fn network(&self, network: &Network, id: &UnitId) -> Result<Unit, Vec<Diagnostic>> {
        let context = self.contexts.network(network)?;
        let documents = match network.source {
            NetworkSource::Managed(_) => self.evaluate(templates::NETWORK, &context, id)?,
            NetworkSource::Shared { .. } | NetworkSource::Existing(_) | NetworkSource::Capoci { .. } => Vec::new(),
        };
        let mut labels = self.labels(&BTreeMap::new());
        labels.insert(NETWORK_LABEL.to_owned(), network.name.as_str().to_owned());
        let manifests = finish::Unit {
            id,
            fleet: &self.fleet.uid,
            target: Target::Kubernetes(network.management_cluster.clone()),
            labels,
            responsible: None,
            cluster: None,
            manage: network.manage,
            observed_namespaces: BTreeSet::new(),
            elsewhere: Vec::new(),
        }
        .finish(documents)?;
        Ok(unit(manifests, precondition::of_network(network)))
    }

    fn evaluate(
        &self,
        names: &[&str],
        context: &minijinja::Value,
        id: &UnitId,
    ) -> Result<Vec<Document>, Vec<Diagnostic>> {
        let mut documents = Vec::new();
        let mut problems = Vec::new();
        for name in names {
            match self.documents(name, context, id) {
                Ok(more) => documents.extend(more),
                Err(problem) => problems.push(*problem),
            }
        }
        if problems.is_empty() {
            Ok(documents)
        } else {
            Err(problems)
        }
    }

    fn documents(&self, name: &str, context: &minijinja::Value, id: &UnitId) -> Result<Vec<Document>, Box<Diagnostic>> {
        let output = self.templates.evaluate(name, context)?;
        let bodies = documents::parse(&output).map_err(|error| {
            let at = error.line.map_or_else(String::new, |line| format!(", line {line}"));
            let message = format!("the output of template `{name}` for {id} is not YAML{at}: {error}");
            let line = error.line.and_then(|line| output.lines().nth(line.saturating_sub(1)));
            let problem = Diagnostic::new(Code::TemplateOutput, message).at(&self.templates.start(name));
            Box::new(match line {
                Some(line) => problem.label(format!("that line is `{}`", line.trim())),
                None => problem,
            })
        })?;
        let span = self.templates.start(name);
        let document = |body| Document {
            body,
            span: Some(span.clone()),
            origin: format!("template `{name}`"),
        };
        Ok(bodies.into_iter().map(document).collect())
    }

    /// The labels of every object of ours.
    fn labels(&self, own: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        let mut labels = own.clone();
        labels.insert(FLEET_LABEL.to_owned(), self.fleet.name.as_str().to_owned());
        labels.insert(MANAGED_BY_LABEL.to_owned(), "fleetwright".to_owned());
        labels
    }

    /// Shared namespaces in which no cluster is ours to write.
    fn observed_namespaces(&self, management: &ManagementClusterName) -> BTreeSet<String> {
        let sharing: Vec<&Cluster> = self
            .fleet
            .clusters
            .values()
            .filter(|cluster| cluster.management_cluster == *management && self.contexts.shared.has(cluster))
            .collect();
        let written: BTreeSet<&String> = sharing
            .iter()
            .filter(|cluster| cluster.manage == Manage::All)
            .map(|cluster| &cluster.namespace)
            .collect();
        let all = sharing.iter().map(|cluster| &cluster.namespace);
        all.filter(|namespace| !written.contains(namespace)).cloned().collect()
    }
}

/// The ids of what a cluster in a shared namespace finds there.
fn shared_ids(cluster: &Cluster) -> Vec<ResourceId> {
    let id = |kind: &str, namespace: Option<&str>, name: &str| ResourceId {
        target: Target::Kubernetes(cluster.management_cluster.clone()),
        group: String::new(),
        kind: kind.to_owned(),
        namespace: namespace.map(str::to_owned),
        name: name.to_owned(),
    };
    let copies = context::copies(cluster).map(|copy| id(copy.kind, Some(&copy.namespace), &copy.name));
    let namespace = (!cluster.namespace_of_others).then(|| id("Namespace", None, &cluster.namespace));
    namespace.into_iter().chain(copies).collect()
}

impl Unit {
    /// A unit of these objects, sorted by id, that needs nothing else.
    pub(crate) fn of(manifests: Vec<Manifest>) -> Self {
        unit(manifests, Vec::new())
    }
}

fn unit(manifests: Vec<Manifest>, preconditions: Vec<Precondition>) -> Unit {
    let mut parts: Vec<&[u8]> = Vec::with_capacity(manifests.len() * 3);
    for manifest in &manifests {
        // The document holds the rest of the id.
        parts.push(match &manifest.id.target {
            Target::Oci => b"oci",
            Target::Kubernetes(name) => name.as_str().as_bytes(),
        });
        parts.push(match manifest.stewardship {
            Stewardship::Managed => b"managed",
            Stewardship::Observed => b"observed",
        });
        parts.push(manifest.canonical().as_bytes());
    }
    Unit {
        digest: Digest::of_parts(parts),
        manifests,
        preconditions,
    }
}

/// Two units that want one object: neither is applied, since each would undo the other.
fn refuse_duplicates(rendered: &mut Rendered) {
    let mut owners: BTreeMap<&ResourceId, &UnitId> = BTreeMap::new();
    let mut failed = BTreeSet::new();
    let mut diagnostics = Vec::new();
    for (unit, manifest) in rendered
        .units
        .iter()
        .flat_map(|(id, unit)| unit.manifests.iter().map(move |m| (id, m)))
    {
        if let Some(other) = owners.insert(&manifest.id, unit) {
            let message = format!("{unit} and {other} both make {}", manifest.id);
            let problem = Diagnostic::new(Code::DuplicateObject, message).hint("rename one of the two");
            let clusters = [other, unit].into_iter().filter(|id| matches!(id, UnitId::Cluster(_)));
            diagnostics.push(clusters.fold(problem, |problem, id| problem.cluster(id.name())));
            failed.extend([unit.clone(), other.clone()]);
        }
    }
    rendered.units.retain(|id, _| !failed.contains(id));
    rendered.failed.extend(failed);
    rendered.diagnostics.extend(diagnostics);
}
