//! A commit of the repository that a directory is in.

use std::path::Path;

use git2::{ErrorCode, Repository};

use super::git::tree_of;
use super::origin::{discover, failed, prefix};
use super::{Commit, Limits, Origin, Place, SourceError, Standing, Tree};
use crate::resource::Revision;

/// Why a commit's fleet can't be read.
#[derive(Debug, thiserror::Error)]
pub enum RevisionError {
    /// The repository.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The directory is in no repository.
    #[error("{0} is in no Git working tree, so there is no other revision of it")]
    NoRepository(String),
    /// The repository has no such commit.
    #[error("the repository has no commit `{0}`: fetch it first (a shallow clone has the newest alone)")]
    NoCommit(String),
    /// The commit has no such directory.
    #[error("`{path}` is no directory in commit {commit}")]
    NoPath {
        /// Path within the repository.
        path: String,
        /// The commit.
        commit: Revision,
    },
}

/// Reads what a commit has in the place of a directory. `revision` is a name as Git takes them: `main`, `HEAD~1`, an id.
///
/// # Errors
/// Where there is no such repository, commit or directory.
pub fn read_at(directory: &Path, revision: &str, limits: Limits) -> Result<Tree, RevisionError> {
    let shown = || directory.display().to_string();
    let root = std::fs::canonicalize(directory).map_err(|source| SourceError::Directory {
        path: directory.to_owned(),
        source,
    })?;
    let repository = discover(&root)?.ok_or_else(|| RevisionError::NoRepository(shown()))?;
    let workdir = repository.workdir().map(Path::to_owned);
    let path = workdir.and_then(|workdir| prefix(&workdir, &root));
    let path = path.ok_or_else(|| RevisionError::NoRepository(shown()))?;
    let no_commit = || RevisionError::NoCommit(revision.to_owned());
    let commit = match find(&repository, revision) {
        Ok(commit) => commit,
        Err(error)
            if matches!(
                error.code(),
                ErrorCode::NotFound | ErrorCode::InvalidSpec | ErrorCode::Peel
            ) =>
        {
            return Err(no_commit());
        }
        Err(error) => return Err(failed("find the commit")(error).into()),
    };
    let tree = tree_at(&repository, &commit, &path, limits)?;
    let commit = Revision::new(commit.id().to_string());
    tree.ok_or(RevisionError::NoPath { path, commit })
}

/// What a commit has at a path; none where that is no directory.
pub(super) fn tree_at(
    repository: &Repository,
    commit: &git2::Commit<'_>,
    path: &str,
    limits: Limits,
) -> Result<Option<Tree>, SourceError> {
    let revision = Revision::new(commit.id().to_string());
    let place = Place::Commit(Commit {
        repository: repository.path().to_owned(),
        path: path.to_owned(),
        origin: Origin {
            revision: revision.clone(),
            standing: Standing::Committed,
            head: Some(revision),
            time: commit.time().seconds(),
        },
    });
    let read = || tree_of(repository, &commit.tree()?, path, limits, place);
    read().map_err(failed("read the commit"))
}

fn find<'a>(repository: &'a Repository, revision: &str) -> Result<git2::Commit<'a>, git2::Error> {
    repository.revparse_single(revision)?.peel_to_commit()
}
