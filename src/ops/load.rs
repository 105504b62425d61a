//! From a fleet directory to everything that it wants: read, resolved, rendered, with every problem found on the way.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use super::definitions::{self, FleetDefinitions};
use super::ignore;
use crate::diag::{Code, Diagnostic, Severity, Span, nearest};
use crate::fleet::model::Fleet;
use crate::fleet::{self, Loaded, Lock, LockChangeKind, Seed, SourceFile};
use crate::plan::Revised;
use crate::render::built_in::BuiltIn;
use crate::render::{self, Earlier, Rendered, TemplateSet};
use crate::resource::{ClusterName, EnvironmentName, ManagementClusterName, Revision, Target, UnitId};
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

/// Options of everything that takes a fleet that was read.
#[derive(Clone, Copy)]
pub struct TreeOptions<'a> {
    /// Whether a lock that would change is an error.
    pub locked: bool,
    /// The time by which dates in the files are judged.
    pub now: jiff::Timestamp,
    /// The same fleet at another revision: what it has rendered is taken over where it would come out the same.
    pub earlier: Option<&'a LoadedFleet>,
    /// By which templates it is rendered.
    pub templates: Templates,
}

/// Which built-in templates a fleet is rendered by.
#[derive(Clone, Copy, Debug, Default)]
pub struct Templates {
    /// Those that there are.
    pub built_in: BuiltIn,
    /// Whether the newest are taken, and not those that the lock names.
    pub newest: bool,
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
    /// The commit that is checked out where the files lie, be they its or not.
    pub head: Option<Revision>,
    /// Things to say that are no problem.
    pub notes: Vec<String>,
    pub(super) loaded: Loaded,
    pub(super) lock: Lock,
    pub(super) old_lock: Lock,
    pub(super) definitions: FleetDefinitions,
    tree: Tree,
}

/// Why a fleet could not be read at all.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The directory, or the repository that it is in.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// What `--locked` refuses, and everything that writes.
    #[error("fleet.lock is not up to date ({}): run `fleetwright lock` and commit the result", .0.join(", "))]
    Locked(Vec<String>),
}

impl LoadedFleet {
    /// Refuses a fleet whose lock is not up to date: what floats or is drawn anew (ids, addresses, placement) would be something
    /// else with the next run, to which all that this one makes would be another fleet's.
    ///
    /// # Errors
    /// Where `lock` would write something new. What it would merely remove is of no account.
    pub fn is_pinned(&self) -> Result<(), LoadError> {
        let mut old = self.old_lock.clone();
        // Which management clusters there are is in the files: the lock keeps it for the day on which one is there no more.
        if let (Some(old), Some(new)) = (&mut old.fleet, &self.lock.fleet) {
            old.management_clusters.clone_from(&new.management_clusters);
        }
        let mut changes = old.differs(&self.lock);
        changes.retain(|change| change.change != LockChangeKind::Removed);
        match changes.is_empty() {
            true => Ok(()),
            false => Err(LoadError::Locked(changes.iter().map(ToString::to_string).collect())),
        }
    }
}

/// Templates of a fleet's own: they take the place of built-in ones of the same name.
const TEMPLATES: &str = "templates/";

/// Reads, resolves and renders a fleet. What is wrong with the files is in the result.
///
/// # Errors
/// Where the directory or its repository can't be read, or with `locked` a lock that is not up to date.
pub fn load(options: &LoadOptions) -> Result<LoadedFleet, LoadError> {
    let tree = source::read(&options.directory, Limits::default())?;
    let options = TreeOptions {
        locked: options.locked,
        now: options.now,
        earlier: None,
        templates: Templates::default(),
    };
    load_tree(tree, &options)
}

/// Resolves and renders what was read, from wherever. What is wrong with the files is in the result.
///
/// # Errors
/// Where the repository can't be read, or with `locked` a lock that is not up to date.
pub fn load_tree(tree: Tree, options: &TreeOptions<'_>) -> Result<LoadedFleet, LoadError> {
    let mut diagnostics = tree.diagnostics.clone();
    let templates = templates(&tree);
    let documents: Vec<SourceFile> = tree
        .files
        .iter()
        .filter(|file| {
            ![TEMPLATES, definitions::FOLDER]
                .iter()
                .any(|folder| file.path.starts_with(folder))
        })
        .cloned()
        .collect();
    let of_kinds = tree
        .files
        .iter()
        .filter(|file| file.path.starts_with(definitions::FOLDER));
    let definitions = FleetDefinitions::read(
        of_kinds.clone().cloned().collect(),
        options.earlier.map(|earlier| &earlier.definitions),
    );
    diagnostics.extend_from_slice(definitions.problems());

    let (old_lock, broken) = Lock::parse(&documents);
    diagnostics.extend(broken);
    let loaded = fleet::load(&documents);
    let seed = Seed {
        entropy: entropy(),
        now: options.now,
        templates: options.templates.built_in.newest().number,
    };
    let mut pinned = old_lock.clone();
    if pinned.fleet.is_none()
        && let Some(earlier) = options.earlier
    {
        // Without a lock of its own it is the same fleet all the same, and no other one of another uid.
        pinned = earlier.lock.clone();
    }
    if let Some(fleet) = pinned.fleet.as_mut().filter(|_| options.templates.newest) {
        fleet.templates = seed.templates;
    }
    let resolved = fleet::resolve(&loaded, &pinned, &seed);
    diagnostics.extend(resolved.diagnostics);
    let mut fleet = resolved.fleet;
    // A file that was left out may have held anything.
    fleet.incomplete |= tree
        .diagnostics
        .iter()
        .any(|diagnostic| diagnostic.severity == Severity::Error);

    let mut notes = Vec::new();
    let changes: Vec<String> = old_lock
        .differs(&resolved.lock)
        .iter()
        .map(ToString::to_string)
        .collect();
    if !changes.is_empty() {
        if options.locked {
            return Err(LoadError::Locked(changes));
        }
        let plural = if changes.len() == 1 { "" } else { "s" };
        notes.push(format!(
            "note: fleet.lock is not up to date ({} file{plural}); run `fleetwright lock` and commit the result",
            changes.len()
        ));
    }

    let mut rendered = match template_set(&resolved.lock, options.templates.built_in, &templates) {
        Ok(set) => {
            let earlier = options
                .earlier
                .map(|LoadedFleet { fleet, rendered, .. }| Earlier { fleet, rendered });
            render::render_after(earlier, &fleet, &set)
        }
        Err(found) => {
            // Without its templates nothing of the fleet can be said.
            diagnostics.extend(found);
            fleet.incomplete = true;
            Rendered::default()
        }
    };
    diagnostics.extend(rendered.diagnostics.iter().cloned());
    tracing::info!(
        clusters = fleet.clusters.len(),
        units = rendered.units.len(),
        taken_over = rendered.taken_over,
        "rendered"
    );
    diagnostics.extend(ignore::unknown_kinds(&mut fleet, &rendered, &definitions.sets));
    let mut failed = failed(&fleet, &rendered, &diagnostics);
    if fleet.ignore.is_broken {
        // Nobody knows what is to be left as it is.
        fleet.incomplete = true;
        let reason = "a rule of `ignore` in the Fleet document can't be followed";
        let units = std::mem::take(&mut rendered.units).into_keys();
        failed.extend(units.map(|unit| (unit, reason.to_owned())));
    }
    let origin = source::origin(&tree)?;
    let revised = Revised {
        fleet: fleet.uid.clone(),
        revision: origin.revision,
        time: origin.time,
    };
    let own_templates = tree.files.iter().filter(|file| file.path.starts_with(TEMPLATES));
    let shown = own_templates.chain(of_kinds);
    let files = loaded.files().iter().chain(shown).cloned().collect();
    Ok(LoadedFleet {
        fleet,
        rendered,
        failed,
        diagnostics,
        files,
        revised,
        head: origin.head,
        notes,
        loaded,
        lock: resolved.lock,
        old_lock,
        definitions,
        tree,
    })
}

/// The templates that the lock names, with the fleet's own in their place.
fn template_set(
    lock: &Lock,
    built_in: BuiltIn,
    own: &[(String, String, Arc<str>)],
) -> Result<TemplateSet, Vec<Diagnostic>> {
    let newest = built_in.newest();
    let wanted = lock.fleet.as_ref().map_or(newest.number, |fleet| fleet.templates);
    let Some(version) = built_in.version(wanted) else {
        let message = format!(
            "the lock names version {wanted} of the templates, and this program has none after {}",
            newest.number
        );
        let start = Span {
            file: Lock::fleet_file().into(),
            line: 1,
            column: 1,
            start: 0,
            end: 0,
        };
        let hint = "use the version of fleetwright that wrote the lock, or a later one";
        return Err(vec![Diagnostic::new(Code::NoTemplates, message).at(&start).hint(hint)]);
    };
    TemplateSet::of(version, own)
}

/// The fleet's own templates: name, text, path.
fn templates(tree: &Tree) -> Vec<(String, String, Arc<str>)> {
    let named = |file: &SourceFile| {
        let name = file.path.strip_prefix(TEMPLATES)?;
        Some((name.to_owned(), file.text.to_string(), file.path.clone()))
    };
    tree.files.iter().filter_map(named).collect()
}

/// The units that are in the files and can't be planned.
fn failed(fleet: &Fleet, rendered: &Rendered, diagnostics: &[Diagnostic]) -> BTreeMap<UnitId, String> {
    let clusters = fleet.failed.iter().cloned().map(UnitId::Cluster);
    clusters
        .chain(rendered.failed.iter().cloned())
        .map(|unit| {
            let of_unit = |diagnostic: &&Diagnostic| {
                diagnostic.severity == Severity::Error && diagnostic.clusters.iter().any(|name| name == unit.name())
            };
            let reason = match diagnostics.iter().find(of_unit) {
                Some(first) => format!("{}: {}", first.code, first.message),
                None => "the fleet files have errors that concern it".to_owned(),
            };
            (unit, reason)
        })
        .collect()
}

/// Random bytes for a new fleet's uid: the operating system's, by way of the hasher's keys.
pub(super) fn entropy() -> [u8; 16] {
    use std::hash::{BuildHasher as _, Hasher as _, RandomState};
    let word = || RandomState::new().build_hasher().finish().to_le_bytes();
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&word());
    bytes[8..].copy_from_slice(&word());
    bytes
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
    /// Only units that are recorded on these management clusters, and no connection to others; empty: all.
    pub management_clusters: Vec<String>,
    /// Only these units, of whatever kind, in the files or not; none: all.
    pub units: Option<BTreeSet<UnitId>>,
    /// Whether the rest is planned where a management cluster does not answer.
    pub even_in_part: bool,
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
        self.clusters.is_empty()
            && self.environments.is_empty()
            && self.provider.is_none()
            && self.management_clusters.is_empty()
            && self.units.is_none()
    }
}

/// A scope that names what is not there.
#[derive(Debug, thiserror::Error)]
#[error("there is no {kind} `{name}` in the fleet files{hint}")]
pub struct ScopeError {
    pub(super) kind: &'static str,
    pub(super) name: String,
    pub(super) hint: String,
}

/// `; did you mean `payments`?`, or nothing where no name is near.
pub(super) fn did_you_mean<'a>(typed: &str, known: impl Iterator<Item = &'a str>) -> String {
    nearest(typed, known).map_or_else(String::new, |name| format!("; did you mean `{name}`?"))
}

/// A scope, seen over a fleet.
pub struct ScopeView<'a> {
    loaded: &'a LoadedFleet,
    fleet: &'a Fleet,
    scope: &'a Scope,
}

impl ScopeView<'_> {
    /// Whether a unit is in scope. With a choice of clusters, what they share is not: it is somebody else's too.
    pub fn holds(&self, unit: &UnitId) -> bool {
        let narrowed = !self.scope.clusters.is_empty() || !self.scope.environments.is_empty();
        if self.scope.units.as_ref().is_some_and(|units| !units.contains(unit)) {
            return false;
        }
        if self.loaded.recorded_on(unit).is_some_and(|on| !self.manages(&on)) {
            return false;
        }
        match unit {
            UnitId::ManagementCluster(_) | UnitId::Network(_) => !narrowed,
            UnitId::Cluster(name) => {
                let named = self.scope.clusters.is_empty() || self.scope.clusters.iter().any(|c| c == name.as_str());
                let environment = self
                    .fleet
                    .clusters
                    .get(name)
                    .map(|cluster| cluster.environment.as_str());
                let placed = self.scope.environments.is_empty()
                    || environment.is_some_and(|name| self.scope.environments.iter().any(|e| e == name));
                named && placed
            }
        }
    }

    /// Whether a management cluster is in scope.
    fn manages(&self, name: &ManagementClusterName) -> bool {
        let typed = &self.scope.management_clusters;
        typed.is_empty() || typed.iter().any(|typed| typed == name.as_str())
    }

    /// Whether objects on a control plane are in scope.
    pub fn reaches(&self, target: &Target) -> bool {
        match (self.scope.provider, target) {
            (None, _)
            | (Some(ProviderScope::Kubernetes), Target::Kubernetes(_))
            | (Some(ProviderScope::Oci), Target::Oci) => true,
            (Some(ProviderScope::Kubernetes), Target::Oci) | (Some(ProviderScope::Oci), Target::Kubernetes(_)) => false,
        }
    }

    /// The management clusters that have to be reached: all of the fleet's, since what left the files may be recorded on
    /// any of them; or, with a choice of clusters that are in the files, those that they are placed on.
    pub fn management_clusters(&self) -> impl Iterator<Item = &ManagementClusterName> {
        let mut typed = self.scope.clusters.iter();
        let has_gone = typed.any(|name| !self.fleet.clusters.contains_key(&ClusterName::new(name)));
        let narrowed = !has_gone && (!self.scope.clusters.is_empty() || !self.scope.environments.is_empty());
        let used: BTreeSet<&ManagementClusterName> = self
            .fleet
            .clusters
            .values()
            .filter(|cluster| self.holds(&UnitId::Cluster(cluster.name.clone())))
            .map(|cluster| &cluster.management_cluster)
            .collect();
        self.fleet
            .management_clusters
            .keys()
            .filter(move |name| self.manages(name) && (!narrowed || used.contains(name)))
    }
}

impl LoadedFleet {
    /// A scope over this fleet.
    pub fn scope<'a>(&'a self, scope: &'a Scope) -> ScopeView<'a> {
        ScopeView {
            loaded: self,
            fleet: &self.fleet,
            scope,
        }
    }

    /// Refuses a scope that names what the fleet does not have: a typing error would else look like "nothing to do".
    ///
    /// # Errors
    /// Where a cluster or an environment of the scope is unknown.
    pub fn check_scope(&self, scope: &Scope) -> Result<(), ScopeError> {
        let fleet = &self.fleet;
        for name in &scope.clusters {
            let cluster = ClusterName::new(name);
            // What left the files can be looked at as long as the lock knows it.
            let gone = fleet.decommission.contains_key(&UnitId::Cluster(cluster.clone()))
                || self.old_lock.clusters.contains_key(&cluster);
            if !fleet.clusters.contains_key(&cluster) && !fleet.failed.contains(&cluster) && !gone {
                let known = fleet.clusters.keys().map(ClusterName::as_str);
                return Err(ScopeError {
                    kind: "cluster",
                    name: name.clone(),
                    hint: did_you_mean(name, known),
                });
            }
        }
        let environments: BTreeSet<&EnvironmentName> = fleet.clusters.values().map(|c| &c.environment).collect();
        for name in &scope.management_clusters {
            if !fleet
                .management_clusters
                .contains_key(&ManagementClusterName::new(name))
            {
                let known = fleet.management_clusters.keys().map(ManagementClusterName::as_str);
                return Err(ScopeError {
                    kind: "management cluster",
                    name: name.clone(),
                    hint: did_you_mean(name, known),
                });
            }
        }
        for name in &scope.environments {
            if !environments.iter().any(|known| known.as_str() == name) {
                let known = environments.iter().map(|environment| environment.as_str());
                return Err(ScopeError {
                    kind: "environment",
                    name: name.clone(),
                    hint: did_you_mean(name, known),
                });
            }
        }
        Ok(())
    }

    /// The management cluster whose inventory holds a unit.
    pub fn recorded_on(&self, unit: &UnitId) -> Option<ManagementClusterName> {
        match unit {
            UnitId::ManagementCluster(name) => Some(name.clone()),
            UnitId::Network(name) => self
                .fleet
                .networks
                .get(name)
                .map(|network| network.management_cluster.clone()),
            UnitId::Cluster(name) => self
                .fleet
                .clusters
                .get(name)
                .map(|cluster| cluster.management_cluster.clone()),
        }
    }

    /// Whether some problem is an error.
    pub fn has_errors(&self) -> bool {
        self.diagnostics
            .iter()
            .any(|diagnostic| diagnostic.severity == Severity::Error)
    }

    /// How the revision at hand stands to another: `Backward` when that one was made on top of this one.
    pub(super) fn relation_to(&self, recorded: &Revision) -> Ancestry {
        let to = |revision| source::ancestry(&self.tree, recorded, revision).unwrap_or(Ancestry::Unknown);
        match (to(&self.revised.revision), &self.head) {
            // What is not committed has no place in the history; what it was made on top of has.
            (Ancestry::Unknown, Some(head)) if to(head) == Ancestry::Backward => Ancestry::Backward,
            (relation, _) => relation,
        }
    }

    /// What was read.
    pub(super) fn tree(&self) -> &Tree {
        &self.tree
    }

    /// One line on what was loaded.
    pub fn summary(&self) -> String {
        let count = |severity| self.diagnostics.iter().filter(|d| d.severity == severity).count();
        let pools: usize = self
            .fleet
            .clusters
            .values()
            .map(|cluster| cluster.scales().count())
            .sum();
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
