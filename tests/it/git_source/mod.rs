//! Fleets from Git repositories: on disk, over ssh from a real sshd, over http from a real Gitea; signed by the real
//! `ssh-keygen` and `gpg`.

mod command;
mod file;
mod gitea;
mod halfway;
mod hostile;
mod server;
pub(crate) mod signed;
mod ssh;

use std::path::{Path, PathBuf};
use std::time::Duration;

use fleetwright::resource::Revision;
use fleetwright::source::git::{Fetched, GitError, Keys, Mirror, Remote, Timeouts, set_timeouts};
use fleetwright::source::{Limits, Tree};
use git2::build::TreeUpdateBuilder;
use git2::{FileMode, Oid, Repository, Signature, Time};
use jiff::Timestamp;
use tempfile::TempDir;

/// 2027-01-01: what tests take for now, and for the time of their commits.
const NOW: i64 = 1_798_761_600;

/// Servers here are on this machine, and slow only where it has much else to do.
const SILENCE: Duration = Duration::from_secs(5);

fn now() -> Timestamp {
    Timestamp::from_second(NOW).unwrap()
}

/// A bare repository that stands for a server's.
struct Upstream {
    folder: TempDir,
    repository: Repository,
}

/// A file of a tree: its path, what kind it is, what it holds.
type File<'a> = (&'a str, FileMode, &'a str);

impl Upstream {
    fn new() -> Self {
        set_timeouts(Timeouts {
            connect: SILENCE,
            silence: SILENCE,
        });
        let folder = tempfile::tempdir().unwrap();
        let repository = Repository::init_bare(folder.path().join("fleet.git")).unwrap();
        repository.set_head("refs/heads/main").unwrap();
        Self { folder, repository }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("fleet.git")
    }

    fn url(&self) -> String {
        format!("file://{}", self.path().display())
    }

    /// A place beside the repository, removed with it.
    fn beside(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn tip(&self, branch: &str) -> Option<Oid> {
        self.repository.refname_to_id(&format!("refs/heads/{branch}")).ok()
    }

    /// The tree of a commit with some files changed or added.
    fn tree(&self, parent: Option<Oid>, files: &[File<'_>]) -> Oid {
        let repository = &self.repository;
        let base = match parent {
            Some(parent) => repository.find_commit(parent).unwrap().tree().unwrap(),
            None => {
                let empty = repository.treebuilder(None).unwrap().write().unwrap();
                repository.find_tree(empty).unwrap()
            }
        };
        let mut changes = TreeUpdateBuilder::new();
        for (path, mode, text) in files {
            changes.upsert(*path, repository.blob(text.as_bytes()).unwrap(), *mode);
        }
        changes.create_updated(repository, &base).unwrap()
    }

    /// A commit of a tree, on top of another.
    fn commit_tree(&self, parent: Option<Oid>, tree: Oid) -> Oid {
        let parent = parent.map(|parent| self.repository.find_commit(parent).unwrap());
        let parents: Vec<_> = parent.iter().collect();
        let tree = self.repository.find_tree(tree).unwrap();
        let author = author();
        self.repository
            .commit(None, &author, &author, "m", &tree, &parents)
            .unwrap()
    }

    fn set(&self, branch: &str, commit: Oid) -> Revision {
        let name = format!("refs/heads/{branch}");
        self.repository.reference(&name, commit, true, "test").unwrap();
        Revision::new(commit.to_string())
    }

    /// A commit on top of a branch.
    fn commit(&self, branch: &str, files: &[(&str, &str)]) -> Revision {
        let files: Vec<File<'_>> = files
            .iter()
            .map(|(path, text)| (*path, FileMode::Blob, *text))
            .collect();
        let parent = self.tip(branch);
        self.set(branch, self.commit_tree(parent, self.tree(parent, &files)))
    }

    fn remote(&self) -> Remote {
        Remote::new(self.url().parse().unwrap())
    }

    fn mirror(&self) -> Mirror {
        mirror(&self.beside("cache"), self.remote())
    }
}

fn author() -> Signature<'static> {
    Signature::new("t", "t@example.org", &Time::new(NOW, 0)).unwrap()
}

fn mirror(cache: &Path, remote: Remote) -> Mirror {
    Mirror::open(cache, remote, None).unwrap()
}

fn mirror_for(cache: &Path, remote: Remote, keys: Keys) -> Mirror {
    Mirror::open(cache, remote, Some(keys)).unwrap()
}

#[track_caller]
fn fetched(mirror: &Mirror) -> Fetched {
    mirror.fetch(now()).unwrap_or_else(|error| panic!("{}", chain(&error)))
}

#[track_caller]
fn refused(mirror: &Mirror) -> GitError {
    mirror.fetch(now()).unwrap_err()
}

/// An error and all that it comes from.
fn chain(error: &dyn std::error::Error) -> String {
    fleetwright::report::chain(error)
}

#[track_caller]
fn read(mirror: &Mirror, fetched: &Fetched) -> Tree {
    mirror.read(fetched, Limits::default()).unwrap()
}

fn texts(tree: &Tree) -> Vec<(&str, &str)> {
    tree.files.iter().map(|file| (&*file.path, &*file.text)).collect()
}

fn messages(tree: &Tree) -> Vec<&str> {
    tree.diagnostics
        .iter()
        .map(|problem| problem.message.as_str())
        .collect()
}
