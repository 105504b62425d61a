//! Which revision a tree is, and which of two came first.
//!
//! Whether a directory is a commit's is not asked of `git status`: what it ignores (by `.gitignore`, by a file's times) we
//! may have read. The bytes that were read are compared with the commit's own, for the files that a fleet consists of;
//! a changed README does not make a fleet dirty, an ignored cluster file does. So does a file that an attribute has
//! rewritten at checkout (`eol=crlf`): what was read is then not what was reviewed.

use std::collections::BTreeMap;
use std::path::Path;

use git2::{Commit, ErrorClass, ErrorCode, ObjectType, Oid, Repository};

use super::select::{is_hidden, is_wanted};
use super::{Directory, Place, SourceError, Tree};
use crate::resource::{Digest, Revision};

/// How a tree stands to the repository that it is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Its files are those of the commit that is checked out.
    Committed,
    /// They differ from it.
    Modified,
    /// The commit that is checked out holds no fleet there, or there is no commit yet.
    Untracked,
    /// It is in no repository.
    NoRepository,
}

/// Where a tree comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// What it is called: the commit's id if the tree is [`Standing::Committed`], else `worktree:<digest of the files>`.
    pub revision: Revision,
    /// How it stands to the commit that is checked out.
    pub standing: Standing,
    /// The commit that is checked out, whether the tree is its or not.
    pub head: Option<Revision>,
    /// Committer time of the revision in seconds since 1970; 0 for one that is no commit.
    pub time: i64,
}

/// Where a tree comes from.
///
/// # Errors
/// Where there is a repository that can't be read (damaged, or owned by someone else, whose hooks and settings are not to
/// be trusted).
pub fn origin(tree: &Tree) -> Result<Origin, SourceError> {
    let directory = match &tree.place {
        Place::Directory(directory) => directory,
        Place::Commit(commit) => return Ok(commit.origin.clone()),
    };
    let Some(repository) = discover(&directory.root)? else {
        return Ok(worktree(tree, Standing::NoRepository, None));
    };
    let Some(prefix) = repository
        .workdir()
        .and_then(|workdir| prefix(workdir, &directory.root))
    else {
        return Ok(worktree(tree, Standing::NoRepository, None));
    };
    let Some(head) = head(&repository)? else {
        return Ok(worktree(tree, Standing::Untracked, None));
    };
    let Some(committed) =
        contents(&repository, &head, &prefix).map_err(failed("read the commit that is checked out"))?
    else {
        return Ok(worktree(tree, Standing::Untracked, Some(&head)));
    };
    let standing = if is_same(tree, directory, &committed).map_err(failed("hash a file"))? {
        Standing::Committed
    } else if !committed.keys().any(|path| is_wanted(path)) {
        Standing::Untracked
    } else {
        Standing::Modified
    };
    Ok(match standing {
        Standing::Committed => Origin {
            revision: Revision::new(head.id().to_string()),
            standing,
            head: Some(Revision::new(head.id().to_string())),
            time: head.time().seconds(),
        },
        Standing::Modified | Standing::Untracked | Standing::NoRepository => worktree(tree, standing, Some(&head)),
    })
}

/// How two revisions stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ancestry {
    /// They are one.
    Same,
    /// The second was made on top of the first: going there is going forward.
    Forward,
    /// The first was made on top of the second: going there is going back.
    Backward,
    /// Neither: branches of their own.
    Diverged,
    /// It can't be told: one is no commit, or is not in this clone (a shallow one, or history was rewritten).
    Unknown,
}

/// How `new` stands to `old`, by the repository that holds the tree.
///
/// # Errors
/// Where the repository can't be read.
pub fn ancestry(tree: &Tree, old: &Revision, new: &Revision) -> Result<Ancestry, SourceError> {
    if old == new && !old.as_str().is_empty() {
        return Ok(Ancestry::Same);
    }
    let repository = match &tree.place {
        Place::Directory(directory) => discover(&directory.root)?,
        Place::Commit(commit) => Some(Repository::open_bare(&commit.repository).map_err(failed(OPEN))?),
    };
    match repository {
        Some(repository) => relation(&repository, old, new),
        None => Ok(Ancestry::Unknown),
    }
}

/// How `new` stands to `old`, by a repository.
pub(super) fn relation(repository: &Repository, old: &Revision, new: &Revision) -> Result<Ancestry, SourceError> {
    let (Some(old), Some(new)) = (commit_id(repository, old), commit_id(repository, new)) else {
        return Ok(Ancestry::Unknown);
    };
    if old == new {
        return Ok(Ancestry::Same);
    }
    // In a shallow clone the walk ends early, and "is no descendant" is then no more than "not seen".
    let is_shallow = repository.is_shallow();
    let descends = |commit, ancestor| {
        repository
            .graph_descendant_of(commit, ancestor)
            .map_err(failed("walk the history"))
    };
    Ok(if descends(new, old)? {
        Ancestry::Forward
    } else if descends(old, new)? {
        Ancestry::Backward
    } else if is_shallow {
        Ancestry::Unknown
    } else {
        Ancestry::Diverged
    })
}

pub(super) const OPEN: &str = "open the Git repository";

pub(super) fn failed(doing: &'static str) -> impl Fn(git2::Error) -> SourceError {
    move |source| SourceError::Git { doing, source }
}

pub(super) fn discover(directory: &Path) -> Result<Option<Repository>, SourceError> {
    match Repository::discover(directory) {
        Ok(repository) => Ok(Some(repository)),
        Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
        Err(error) => Err(failed(OPEN)(error)),
    }
}

/// The directory's path within the working directory, with `/`; empty for the top.
pub(super) fn prefix(workdir: &Path, root: &Path) -> Option<String> {
    let workdir = std::fs::canonicalize(workdir).ok()?;
    let parts: Option<Vec<&str>> = root
        .strip_prefix(workdir)
        .ok()?
        .components()
        .map(|part| part.as_os_str().to_str())
        .collect();
    Some(parts?.join("/"))
}

pub(super) fn head(repository: &Repository) -> Result<Option<Commit<'_>>, SourceError> {
    let doing = "find the commit that is checked out";
    match repository.head() {
        // Only the branch may be missing; a commit that is missing is damage.
        Ok(head) => head.peel_to_commit().map(Some).map_err(failed(doing)),
        Err(error) if error.code() == ErrorCode::UnbornBranch => Ok(None),
        Err(error) => Err(failed(doing)(error)),
    }
}

/// Only whole ids: a name or a short id could mean another commit tomorrow.
pub(super) fn commit_id(repository: &Repository, revision: &Revision) -> Option<Oid> {
    let text = revision.as_str();
    if text.len() != 40 {
        return None;
    }
    let id = Oid::from_str(text).ok()?;
    repository.find_commit(id).ok().map(|commit| commit.id())
}

/// What a commit holds at a path below the fleet directory.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Committed {
    File(Oid),
    Link(Oid),
}

const LINK: i32 = 0o120_000;

/// The fleet's files, and all links, of a commit; `None` if it has no directory there.
fn contents(
    repository: &Repository,
    commit: &Commit<'_>,
    prefix: &str,
) -> Result<Option<BTreeMap<String, Committed>>, git2::Error> {
    let top = commit.tree()?;
    let top = if prefix.is_empty() {
        top
    } else {
        match top.get_path(Path::new(prefix)) {
            Ok(entry) if entry.kind() == Some(ObjectType::Tree) => repository.find_tree(entry.id())?,
            Ok(_) => return Ok(None),
            // "Not found" is said of a missing object too, and that is damage.
            Err(error) if error.code() == ErrorCode::NotFound && error.class() == ErrorClass::Tree => return Ok(None),
            Err(error) => return Err(error),
        }
    };
    let mut found = BTreeMap::new();
    let mut waiting = vec![(String::new(), top)];
    while let Some((parent, tree)) = waiting.pop() {
        for entry in &tree {
            let Ok(name) = entry.name() else { continue };
            if is_hidden(name) {
                continue;
            }
            let path = if parent.is_empty() {
                name.to_owned()
            } else {
                format!("{parent}/{name}")
            };
            match entry.kind() {
                Some(ObjectType::Tree) => waiting.push((path, repository.find_tree(entry.id())?)),
                Some(ObjectType::Blob) if entry.filemode() == LINK => {
                    found.insert(path, Committed::Link(entry.id()));
                }
                // Of any name, since a link may lead to it.
                Some(ObjectType::Blob) => {
                    found.insert(path, Committed::File(entry.id()));
                }
                _ => {}
            }
        }
    }
    Ok(Some(found))
}

/// Whether what was read is what the commit holds, no more and no less.
fn is_same(tree: &Tree, directory: &Directory, committed: &BTreeMap<String, Committed>) -> Result<bool, git2::Error> {
    // What was refused was not compared.
    if !tree.diagnostics.is_empty() || tree.files.is_empty() {
        return Ok(false);
    }
    for (file, real) in tree.files.iter().zip(&directory.real) {
        let id = Oid::hash_object(ObjectType::Blob, file.text.as_bytes())?;
        if committed.get(real.as_ref()) != Some(&Committed::File(id)) {
            return Ok(false);
        }
    }
    let was_read = |path: &str| tree.files.binary_search_by(|file| (*file.path).cmp(path)).is_ok();
    let was_met = |path: &str| {
        let met = directory.links.binary_search_by(|link| link.path.as_str().cmp(path));
        met.is_ok()
    };
    for link in &directory.links {
        // Below a link to a directory Git knows nothing: there it is by its real path alone, where it is met too.
        let is_below_a_link = link.path.match_indices('/').any(|(end, _)| was_met(&link.path[..end]));
        let id = Oid::hash_object(ObjectType::Blob, &link.target)?;
        if !is_below_a_link && committed.get(&link.path) != Some(&Committed::Link(id)) {
            return Ok(false);
        }
    }
    Ok(committed.iter().all(|(path, entry)| match entry {
        Committed::File(_) => !is_wanted(path) || was_read(path),
        Committed::Link(_) => was_met(path),
    }))
}

fn worktree(tree: &Tree, standing: Standing, head: Option<&Commit<'_>>) -> Origin {
    let parts = tree
        .files
        .iter()
        .flat_map(|file| [file.path.as_bytes(), file.text.as_bytes()]);
    Origin {
        revision: Revision::new(format!("worktree:{}", Digest::of_parts(parts))),
        standing,
        head: head.map(|commit| Revision::new(commit.id().to_string())),
        time: 0,
    }
}
