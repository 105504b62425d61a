//! `render`: the desired state as YAML, on one stream or as a tree of files.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::load::{LoadedFleet, Scope};
use crate::resource::{ManagementClusterName, Manifest, Target, UnitId};

/// The file that says that a directory is `render`'s to write and to clear.
const MARKER: &str = ".fleetwright-rendered";

/// What was done to a directory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Files made or changed.
    pub written: usize,
    /// Files that were right already.
    pub unchanged: usize,
    /// Files of objects that are gone.
    pub removed: usize,
}

impl Written {
    /// Objects that the directory holds now.
    pub fn total(&self) -> usize {
        self.written + self.unchanged
    }
}

/// Why nothing was rendered into a directory.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// A manifest could not be written as YAML.
    #[error("{id} can't be written as YAML")]
    Yaml {
        /// Which.
        id: String,
        /// Why.
        #[source]
        source: serde_yaml::Error,
    },
    /// The directory holds files that `render` did not write.
    #[error("{} is not empty and was not written by `render`: give an empty or a new directory", .0.display())]
    NotOurs(PathBuf),
    /// The file system says no.
    #[error("{} can't be written", .path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

fn in_scope<'a>(loaded: &'a LoadedFleet, scope: &'a Scope) -> impl Iterator<Item = &'a Manifest> {
    let view = loaded.scope(scope);
    loaded
        .rendered
        .units
        .iter()
        .filter(move |(unit, _)| view.holds(unit))
        .flat_map(|(_, unit)| &unit.manifests)
}

fn yaml(manifest: &Manifest) -> Result<String, RenderError> {
    serde_yaml::to_string(&manifest.body()).map_err(|source| RenderError::Yaml {
        id: manifest.id.to_string(),
        source,
    })
}

/// All manifests as one YAML stream, by unit and object.
///
/// # Errors
/// Where a manifest can't be written as YAML.
pub fn render_stream(loaded: &LoadedFleet, scope: &Scope) -> Result<String, RenderError> {
    let manifests: Vec<&Manifest> = in_scope(loaded, scope).collect();
    let parts = manifests
        .par_iter()
        .map(|manifest| Ok(format!("---\n{}", yaml(manifest)?)));
    Ok(parts.collect::<Result<Vec<_>, _>>()?.concat())
}

/// One file an object: `<management cluster or oci>/<unit kind>/<unit>/<kind>.<name>.yaml`.
fn path_of(manifest: &Manifest) -> PathBuf {
    let target = match &manifest.id.target {
        Target::Oci => "oci",
        Target::Kubernetes(name) => name.as_str(),
    };
    let kind = manifest.id.kind.to_lowercase();
    // Names of objects may hold colons and the like, but no slash; a dot in front would hide the file.
    let file = match &manifest.id.namespace {
        Some(namespace) => format!("{kind}.{namespace}.{}.yaml", manifest.id.name),
        None => format!("{kind}.{}.yaml", manifest.id.name),
    };
    [target, manifest.unit.kind(), manifest.unit.name(), &file]
        .iter()
        .collect()
}

/// Whether a directory is one that `render` wrote.
pub(super) fn is_rendered(directory: &Path) -> bool {
    directory.join(MARKER).is_file()
}

/// The files that `render` wrote into a directory, each with the control plane and the unit of its object.
pub(super) fn files(directory: &Path) -> io::Result<Vec<(PathBuf, Target, UnitId)>> {
    let mut found = BTreeSet::new();
    list(directory, Path::new(""), &mut found)?;
    let read = |path: PathBuf| {
        let parts: Vec<&str> = path.iter().map(|part| part.to_str()).collect::<Option<_>>()?;
        let [target, kind, unit, file] = parts[..] else {
            return None;
        };
        let target = match target {
            "oci" => Target::Oci,
            name => Target::Kubernetes(ManagementClusterName::new(name)),
        };
        let unit = UnitId::of_kind(kind, unit).filter(|_| file.ends_with(".yaml"))?;
        Some((path, target, unit))
    };
    Ok(found.into_iter().filter_map(read).collect())
}

/// Writes a file for each object, and removes those of objects that are gone; what is right already is not touched.
///
/// # Errors
/// Where the directory holds what `render` did not write, or can't be written.
pub fn render_tree(loaded: &LoadedFleet, scope: &Scope, directory: &Path) -> Result<Written, RenderError> {
    let io_error = |path: &Path| {
        let path = path.to_path_buf();
        move |source| RenderError::Io { path, source }
    };
    fs::create_dir_all(directory).map_err(io_error(directory))?;
    let marker = directory.join(MARKER);
    let mut present = BTreeSet::new();
    list(directory, Path::new(""), &mut present).map_err(io_error(directory))?;
    if !present.is_empty() && !marker.exists() {
        return Err(RenderError::NotOurs(directory.to_path_buf()));
    }
    let mut written = Written::default();
    for manifest in in_scope(loaded, scope) {
        let relative = path_of(manifest);
        let path = directory.join(&relative);
        let text = yaml(manifest)?;
        if present.remove(&relative) && fs::read(&path).is_ok_and(|old| old == text.as_bytes()) {
            written.unchanged += 1;
            continue;
        }
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(io_error(parent))?;
        }
        fs::write(&path, text).map_err(io_error(&path))?;
        written.written += 1;
    }
    fs::write(
        &marker,
        "Written by `fleetwright render`, which removes what is not rendered any more.\n",
    )
    .map_err(io_error(&marker))?;
    // A scope, or a unit that failed, says nothing about the files of the rest.
    if scope.is_whole() && !loaded.has_errors() {
        for relative in present
            .iter()
            .filter(|path| path.extension().is_some_and(|ext| ext == "yaml"))
        {
            let path = directory.join(relative);
            fs::remove_file(&path).map_err(io_error(&path))?;
            written.removed += 1;
        }
    }
    Ok(written)
}

/// Files below a directory, hidden ones left out; links are not followed.
fn list(root: &Path, relative: &Path, found: &mut BTreeSet<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(root.join(relative))? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        let path = relative.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            list(root, &path, found)?;
        } else {
            found.insert(path);
        }
    }
    Ok(())
}
