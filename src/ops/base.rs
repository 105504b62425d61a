//! What a plan can be made against instead of the live state: another revision of the fleet, or a directory of rendered objects.
//!
//! Invariant: what could not be read or rendered there is unknown, and never taken for absent.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize as _;

use super::load::{LoadError, LoadedFleet, Scope, TreeOptions, load_tree};
use super::render;
use crate::plan::rendered::{AsApplied, RenderedUnit, as_applied};
use crate::providers::Observed;
use crate::render::Unit;
use crate::resource::{
    ManagementClusterName, Manifest, ManifestError, ResourceId, Revision, Stewardship, Target, UnitId,
};
use crate::source::{self, Limits, RevisionError, Tree};

/// Another rendering of a fleet.
#[derive(Debug)]
pub struct Base {
    /// Which, for people.
    pub name: String,
    /// The commit that it is; none where it is no commit.
    pub commit: Option<Revision>,
    /// What is to be said of it beforehand.
    pub notes: Vec<String>,
    units: BTreeMap<UnitId, BaseUnit>,
    /// Units that it has and that did not render.
    failed: BTreeSet<UnitId>,
    /// Whether it may have had units of which nothing is known: a file of it could not be read.
    is_incomplete: bool,
}

#[derive(Debug)]
struct BaseUnit {
    rendered: Arc<Unit>,
    /// None where it can't be told: then it is where the fleet has it now.
    recorded_on: Option<ManagementClusterName>,
}

/// Why there is nothing to compare with.
#[derive(Debug, thiserror::Error)]
pub enum BaseError {
    /// The commit.
    #[error(transparent)]
    Revision(#[from] RevisionError),
    /// The fleet in it.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// A directory that holds neither.
    #[error("{} holds neither fleet files nor what `render --output` wrote", .0.display())]
    Neither(PathBuf),
    /// The directory can't be read.
    #[error("{} can't be read", .path.display())]
    Read {
        /// The directory or the file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file is no YAML.
    #[error("{} is no YAML", .path.display())]
    Yaml {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: serde_yaml::Error,
    },
    /// A file holds no object.
    #[error("{} holds no object", .path.display())]
    Object {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: ManifestError,
    },
}

/// What differs between a fleet and a base.
pub(super) struct Compared {
    /// The units that differ, of those that were asked for.
    pub(super) scope: Scope,
    /// What would be there.
    pub(super) there: AsApplied,
    /// Objects of units that are equal.
    pub(super) unchanged: usize,
    /// Objects that would be recorded of units that were not looked into, be they equal or not asked for.
    pub(super) recorded_beside: usize,
}

impl Base {
    /// What a commit has in the place of a fleet's directory, rendered by this program. What of it is equal in `loaded` is not
    /// rendered again.
    ///
    /// # Errors
    /// Where there is no such commit, or no fleet in it.
    pub fn at_revision(directory: &Path, revision: &str, loaded: &LoadedFleet) -> Result<Self, BaseError> {
        let tree = source::read_at(directory, revision, Limits::default())?;
        Ok(Self::of(&load(tree, loaded)?, revision))
    }

    /// What a directory holds: a fleet's files, or what `render` wrote into it, be it of another version of this program.
    ///
    /// # Errors
    /// Where it holds neither, or can't be read.
    pub fn in_directory(directory: &Path, loaded: &LoadedFleet) -> Result<Self, BaseError> {
        if render::is_rendered(directory) {
            return Self::rendered(directory, loaded);
        }
        let tree = source::read(directory, Limits::default()).map_err(LoadError::from)?;
        let base = load(tree, loaded)?;
        if base.rendered.units.is_empty() && base.failed.is_empty() {
            return Err(BaseError::Neither(directory.to_owned()));
        }
        Ok(Self::of(&base, &directory.display().to_string()))
    }

    pub(super) fn of(base: &LoadedFleet, name: &str) -> Self {
        let units = base.rendered.units.iter().map(|(unit, rendered)| {
            let of_unit = BaseUnit {
                rendered: rendered.clone(),
                recorded_on: base.recorded_on(unit),
            };
            (unit.clone(), of_unit)
        });
        let revision = base.revised.revision.as_str();
        let name = if revision.starts_with(name) {
            revision.to_owned()
        } else {
            format!("{name} ({revision})")
        };
        let mut notes = Vec::new();
        if base.old_lock.fleet.is_none() {
            notes.push(format!(
                "note: {name} has no fleet.lock; its ids and address ranges are taken to be those of these files"
            ));
        }
        if !base.failed.is_empty() {
            let count = base.failed.len();
            notes.push(format!(
                "note: {name} has errors in {count} units; what they would have been is not known"
            ));
        }
        if base.fleet.incomplete {
            notes.push(format!(
                "note: not all of {name} can be read; of what is not found in it nobody knows whether it is new"
            ));
        }
        Self {
            name,
            commit: Some(base.revised.revision.clone()).filter(|_| base.revised.time > 0),
            notes,
            units: units.collect(),
            failed: base.failed.keys().cloned().collect(),
            is_incomplete: base.fleet.incomplete,
        }
    }

    fn rendered(directory: &Path, loaded: &LoadedFleet) -> Result<Self, BaseError> {
        let mut manifests: BTreeMap<UnitId, Vec<Manifest>> = BTreeMap::new();
        let files = render::files(directory).map_err(|source| BaseError::Read {
            path: directory.to_owned(),
            source,
        })?;
        let managed = stewardship(loaded);
        for (relative, target, unit) in files {
            let path = directory.join(relative);
            let text = std::fs::read_to_string(&path).map_err(|source| BaseError::Read {
                path: path.clone(),
                source,
            })?;
            let body = serde_json::Value::deserialize(serde_yaml::Deserializer::from_str(&text)).map_err(|source| {
                BaseError::Yaml {
                    path: path.clone(),
                    source,
                }
            })?;
            let made = Manifest::new(target, unit.clone(), Stewardship::Managed, &body);
            let mut manifest = made.map_err(|source| BaseError::Object { path, source })?;
            if let Some(stewardship) = managed.get(&manifest.id) {
                manifest.stewardship = *stewardship;
            }
            manifests.entry(unit).or_default().push(manifest);
        }
        let units = manifests.into_iter().map(|(unit, mut manifests)| {
            manifests.sort_by(|a, b| a.id.cmp(&b.id));
            let clusters = manifests.iter().find_map(|manifest| match &manifest.id.target {
                Target::Kubernetes(name) => Some(name.clone()),
                Target::Oci => None,
            });
            let of_unit = BaseUnit {
                recorded_on: loaded.recorded_on(&unit).or(clusters),
                rendered: Arc::new(Unit::of(manifests)),
            };
            (unit, of_unit)
        });
        Ok(Self {
            name: directory.display().to_string(),
            commit: None,
            notes: Vec::new(),
            units: units.collect(),
            failed: BTreeSet::new(),
            is_incomplete: false,
        })
    }

    /// What differs of the units in a scope.
    pub(super) fn compare(&self, loaded: &LoadedFleet, scope: &Scope, now: &str) -> Compared {
        let view = loaded.scope(scope);
        let mut unchanged = 0;
        let mut changed: BTreeSet<UnitId> = self.units.keys().filter(|unit| view.holds(unit)).cloned().collect();
        for (unit, rendered) in loaded.rendered.units.iter().filter(|(unit, _)| view.holds(unit)) {
            let before = self
                .units
                .get(unit)
                .filter(|before| before.rendered.digest == rendered.digest);
            if before.is_some() {
                unchanged += rendered.manifests.len();
                changed.remove(unit);
            } else {
                changed.insert(unit.clone());
            }
        }
        changed.extend(loaded.failed.keys().filter(|unit| view.holds(unit)).cloned());
        let somewhere = || loaded.fleet.management_clusters.keys().next().cloned();
        let units: Vec<RenderedUnit<'_>> = changed
            .iter()
            .filter_map(|unit| self.units.get_key_value(unit))
            .filter_map(|(unit, before)| {
                Some(RenderedUnit {
                    unit,
                    manifests: &before.rendered.manifests,
                    recorded_on: before
                        .recorded_on
                        .clone()
                        .or_else(|| loaded.recorded_on(unit))
                        .or_else(somewhere)?,
                })
            })
            .collect();
        let after = changed.iter().filter_map(|unit| loaded.rendered.units.get(unit));
        let needed: BTreeSet<&ResourceId> = units
            .iter()
            .flat_map(|unit| unit.manifests)
            .chain(after.flat_map(|unit| &unit.manifests))
            .flat_map(|manifest| &manifest.depends_on)
            .filter(|id| id.target == Target::Oci)
            .collect();
        let beside = || {
            let units = self.units.iter().filter(|(unit, _)| !changed.contains(unit));
            units.flat_map(|(_, unit)| &unit.rendered.manifests)
        };
        let recorded_beside = beside()
            .filter(|manifest| manifest.stewardship == Stewardship::Managed)
            .count();
        let beside = beside();
        let beside = beside.filter(|manifest| needed.contains(&manifest.id));
        let mut there = as_applied(&loaded.revised.fleet, &units, beside, now);
        let is_unknown =
            |unit: &UnitId| self.failed.contains(unit) || (self.is_incomplete && !self.units.contains_key(unit));
        for (_, rendered) in loaded.rendered.units.iter().filter(|(unit, _)| is_unknown(unit)) {
            for manifest in &rendered.manifests {
                let unknown = Observed::Unknown(format!(
                    "its unit has errors in {}, or is in a file with errors",
                    self.name
                ));
                let observation = there.observed.entry(manifest.id.target.clone()).or_default();
                observation.objects.insert(manifest.id.clone(), unknown);
            }
        }
        for stored in there.inventories.values_mut() {
            stored.inventory.revision = loaded.revised.revision.clone();
        }
        Compared {
            scope: Scope {
                units: Some(changed),
                ..scope.clone()
            },
            there,
            unchanged,
            recorded_beside,
        }
    }
}

/// Another revision of a fleet, as far as it loads. What of it is equal in `loaded` is not rendered again.
pub(super) fn load(tree: Tree, loaded: &LoadedFleet) -> Result<LoadedFleet, LoadError> {
    let options = TreeOptions {
        locked: false,
        now: jiff::Timestamp::now(),
        earlier: Some(loaded),
        templates: super::load::Templates::default(),
    };
    load_tree(tree, &options)
}

/// What of a fleet's objects is ours to write: what was rendered into a directory does not say.
fn stewardship(loaded: &LoadedFleet) -> BTreeMap<ResourceId, Stewardship> {
    let manifests = loaded.rendered.units.values().flat_map(|unit| &unit.manifests);
    manifests
        .map(|manifest| (manifest.id.clone(), manifest.stewardship))
        .collect()
}
