//! Which commit set a line.
//!
//! Invariant: a line is ascribed to a commit only where the history that was walked shows it. How far back is walked is
//! bounded; how many files are asked about is for the caller to bound.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use git2::{BlameOptions, Commit, ErrorCode, Oid, Repository, Sort};

use super::origin::{OPEN, commit_id, discover, failed, head, prefix};
use super::{Place, SourceError, Tree};
use crate::resource::Revision;

/// Commits that are walked through where no earlier revision is known.
pub(super) const COMMITS: usize = 500;
/// The longest subject that is given, in characters.
const SUBJECT: usize = 72;

/// What set a line, or took it out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LineSetBy {
    /// A commit.
    Commit {
        /// Its id.
        id: Revision,
        /// The first line of its message, cut where it is long, without control characters.
        subject: String,
    },
    /// It is in the directory, and in no commit.
    Worktree,
}

/// Tells what set some lines (from 1) of a tree's files after a revision: a walk through the history for each file. Lines that are
/// as old, or of which it is not known, are left out; so is everything where there is no repository.
///
/// # Errors
/// Where the repository can't be read.
pub fn blame(
    tree: &Tree,
    lines: &BTreeMap<Arc<str>, BTreeSet<u32>>,
    since: Option<&Revision>,
) -> Result<BTreeMap<(Arc<str>, u32), LineSetBy>, SourceError> {
    let Some(history) = History::of(tree)? else {
        return Ok(BTreeMap::new());
    };
    let History {
        repository,
        folder,
        newest,
    } = &history;
    let walk = Walk {
        repository,
        newest: *newest,
        oldest: oldest(repository, *newest, since).map_err(failed("walk the history"))?,
        in_directory: matches!(tree.place, Place::Directory(_)),
    };
    let mut found = BTreeMap::new();
    for (file, lines) in lines {
        let Some((i, text)) = tree.files.iter().enumerate().find(|(_, known)| known.path == *file) else {
            continue;
        };
        let path = Path::new(folder).join(&**real(tree, i, file));
        // What is in no commit yet has no history.
        let Ok(set) = walk.file(&path, text.text.as_bytes(), lines) else {
            continue;
        };
        found.extend(set.into_iter().map(|(line, set)| ((file.clone(), line), set)));
    }
    Ok(found)
}

/// Where one of a tree's files truly lies below the fleet's directory.
pub(super) fn real<'a>(tree: &'a Tree, i: usize, file: &'a Arc<str>) -> &'a Arc<str> {
    match &tree.place {
        Place::Directory(directory) => directory.real.get(i).unwrap_or(file),
        Place::Commit(_) => file,
    }
}

/// The repository that a tree is in.
pub(super) struct History {
    pub(super) repository: Repository,
    /// Path of the fleet's directory in it, with `/`; empty for the top.
    pub(super) folder: String,
    /// The commit that the tree is, or that is checked out where it lies.
    pub(super) newest: Oid,
}

impl History {
    /// None where the tree is in no repository, or nothing is committed.
    pub(super) fn of(tree: &Tree) -> Result<Option<Self>, SourceError> {
        let (repository, folder, newest) = match &tree.place {
            Place::Directory(directory) => {
                let Some(repository) = discover(&directory.root)? else {
                    return Ok(None);
                };
                let folder = repository
                    .workdir()
                    .and_then(|workdir| prefix(workdir, &directory.root));
                let newest = head(&repository)?.map(|commit| commit.id());
                (repository, folder, newest)
            }
            Place::Commit(commit) => {
                let repository = Repository::open_bare(&commit.repository).map_err(failed(OPEN))?;
                let newest = commit_id(&repository, &commit.origin.revision);
                (repository, Some(commit.path.clone()), newest)
            }
        };
        Ok(folder.zip(newest).map(|(folder, newest)| Self {
            repository,
            folder,
            newest,
        }))
    }
}

/// Where the walk ends.
fn oldest(repository: &Repository, newest: Oid, since: Option<&Revision>) -> Result<Option<Oid>, git2::Error> {
    if let Some(since) = since {
        // Of a revision that is no commit at hand nobody can say what came after it.
        let Some(since) = commit_id(repository, since) else {
            return Ok(Some(newest));
        };
        return match repository.merge_base(newest, since) {
            Ok(common) => Ok(Some(common)),
            Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
            Err(error) => Err(error),
        };
    }
    let mut commits = repository.revwalk()?;
    commits.set_sorting(Sort::TOPOLOGICAL)?;
    commits.simplify_first_parent()?;
    commits.push(newest)?;
    commits.nth(COMMITS).transpose()
}

struct Walk<'a> {
    repository: &'a Repository,
    newest: Oid,
    oldest: Option<Oid>,
    in_directory: bool,
}

impl Walk<'_> {
    fn file(&self, path: &Path, text: &[u8], lines: &BTreeSet<u32>) -> Result<BTreeMap<u32, LineSetBy>, git2::Error> {
        let mut options = BlameOptions::new();
        options.newest_commit(self.newest);
        if let Some(oldest) = self.oldest {
            options.oldest_commit(oldest);
        }
        let committed = self.repository.blame_file(path, Some(&mut options))?;
        let changed = match self.in_directory {
            true => Some(committed.blame_buffer(text)?),
            false => None,
        };
        let blame = changed.as_ref().unwrap_or(&committed);
        let mut found = BTreeMap::new();
        for line in lines {
            let Some(hunk) = usize::try_from(*line).ok().and_then(|line| blame.get_line(line)) else {
                continue;
            };
            let id = hunk.final_commit_id();
            if id.is_zero() {
                found.insert(*line, LineSetBy::Worktree);
            } else if Some(id) != self.oldest {
                let commit = self.repository.find_commit(id)?;
                found.insert(
                    *line,
                    LineSetBy::Commit {
                        id: Revision::new(id.to_string()),
                        subject: subject(&commit),
                    },
                );
            }
        }
        Ok(found)
    }
}

pub(super) fn subject(commit: &Commit<'_>) -> String {
    let subject = String::from_utf8_lossy(commit.summary_bytes().unwrap_or_default()).into_owned();
    let visible = subject.chars().map(|c| if c.is_control() { ' ' } else { c });
    let cut: String = visible.clone().take(SUBJECT).collect();
    if visible.count() > SUBJECT {
        format!("{cut}…")
    } else {
        cut
    }
}
