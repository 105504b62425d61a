//! Reads a fleet from a directory or from a Git repository, and says which revision that is.
//!
//! Invariant: what was read is a function of the directory's or the commit's contents alone, sorted by path; nothing that was asked for
//! is left out without a diagnostic of severity `Error` that says so, so that a fleet that was read in part is never
//! taken for the whole one. A commit's id stands for the contents only when the bytes that were read are the commit's.
//! No subprocess is started. May depend on `diag`, `resource` and the type `fleet::SourceFile`.
//!
//! Read are `*.yaml` and `*.yml` anywhere, `*.j2` below `templates/`, and everything below `fleet.lock/`. Names that begin
//! with a dot are not looked at. Calls here block: use them off the async threads.

mod blame;
mod branch;
pub mod git;
mod origin;
mod refusal;
mod revision;
mod select;
#[cfg(test)]
mod tests;
mod walk;

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use self::blame::{LineSetBy, blame};
pub use self::branch::Branch;
pub use self::origin::{Ancestry, Origin, Standing, ancestry, origin};
pub use self::revision::{RevisionError, read_at};
use crate::diag::Diagnostic;
use crate::fleet::SourceFile;

/// How much is read at most. Sizes are looked at before anything is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one file.
    pub file_bytes: u64,
    /// Bytes of all files.
    pub total_bytes: u64,
    /// Directory entries looked at, read or not: bounds the walk through a directory that is no fleet.
    pub entries: usize,
    /// Directories within directories.
    pub depth: usize,
}

impl Default for Limits {
    /// 4 MiB a file, 256 MiB in all, 200,000 entries, 32 levels: 10,000 clusters with a lock file each take a tenth.
    fn default() -> Self {
        Self {
            file_bytes: 4 << 20,
            total_bytes: 256 << 20,
            entries: 200_000,
            depth: 32,
        }
    }
}

/// What was read.
#[derive(Clone, Debug)]
pub struct Tree {
    /// The files, sorted by path.
    pub files: Vec<SourceFile>,
    /// What was refused, sorted by path.
    pub diagnostics: Vec<Diagnostic>,
    place: Place,
}

/// Where a tree was read.
#[derive(Clone, Debug)]
enum Place {
    Directory(Directory),
    Commit(Commit),
}

/// A directory, and what of it its revision rests on.
#[derive(Clone, Debug)]
struct Directory {
    root: PathBuf,
    /// Where each of the files truly lies below the root, in the same order: another place if a link leads there.
    real: Vec<Arc<str>>,
    /// Links that were met, followed or not, with what they say.
    links: Vec<Link>,
}

/// A commit of a bare repository.
#[derive(Clone, Debug)]
struct Commit {
    repository: PathBuf,
    /// Path of the fleet directory within the repository, with `/`; empty for the top.
    path: String,
    origin: Origin,
}

/// A symbolic link within the fleet directory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Link {
    path: String,
    target: Vec<u8>,
}

/// Why a directory can't be read at all, or its repository not be asked.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The directory can't be opened.
    #[error("can't read the fleet directory {}", .path.display())]
    Directory {
        /// As given.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Git says no.
    #[error("can't {doing}")]
    Git {
        /// What was tried, as a verb phrase.
        doing: &'static str,
        /// Why.
        #[source]
        source: git2::Error,
    },
}

/// Reads a fleet directory.
///
/// # Errors
/// Only where the directory itself can't be read; whatever is wrong within it is a diagnostic.
pub fn read(directory: &Path, limits: Limits) -> Result<Tree, SourceError> {
    walk::read(directory, limits)
}
