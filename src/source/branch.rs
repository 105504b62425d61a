//! The commits between a revision and the tree that is at hand.
//!
//! Invariant: what is not on the way by which the branch came to the present, merge by merge, is not among them.

use git2::{Oid, Repository};

use super::blame::{COMMITS, History, LineSetBy, subject};
use super::origin::{OPEN, commit_id, failed};
use super::revision::tree_at;
use super::{Limits, SourceError, Tree};
use crate::resource::Revision;

/// A stretch of a branch.
pub struct Branch {
    repository: Repository,
    /// Path of the fleet's directory in it.
    folder: String,
    /// The revision that it begins with, then each commit after it.
    commits: Vec<Oid>,
}

impl Branch {
    /// How a branch came from a revision to a tree, or to the commit that is checked out where the tree lies. None where that is
    /// not known: there is no repository, the revision is no commit of this branch, or further back than is looked.
    ///
    /// # Errors
    /// Where the repository can't be read.
    pub fn since(tree: &Tree, since: &Revision) -> Result<Option<Self>, SourceError> {
        let Some(History {
            repository,
            folder,
            newest,
        }) = History::of(tree)?
        else {
            return Ok(None);
        };
        let Some(since) = commit_id(&repository, since) else {
            return Ok(None);
        };
        let walk = || {
            let mut commits = vec![newest];
            let mut commit = repository.find_commit(newest)?;
            while commit.id() != since && commits.len() <= COMMITS && commit.parent_count() > 0 {
                // Of a shallow clone the last commit names a parent that is not there.
                let Ok(parent) = commit.parent(0) else { break };
                commit = parent;
                commits.push(commit.id());
            }
            commits.reverse();
            Ok(commits)
        };
        let commits = walk().map_err(failed("walk the history"))?;
        Ok((commits.first() == Some(&since)).then_some(Self {
            repository,
            folder,
            commits,
        }))
    }

    /// How many commits it has, the revision that it begins with among them.
    pub fn len(&self) -> usize {
        self.commits.len()
    }

    /// Never so: it has the revision that it begins with.
    pub fn is_empty(&self) -> bool {
        self.commits.is_empty()
    }

    /// What one of its commits has in the place of the fleet. None where there is no fleet, or no such commit.
    ///
    /// # Errors
    /// Where the repository can't be read.
    pub fn tree(&self, at: usize, limits: Limits) -> Result<Option<Tree>, SourceError> {
        let Some(id) = self.commits.get(at) else {
            return Ok(None);
        };
        let commit = self.repository.find_commit(*id).map_err(failed(OPEN))?;
        tree_at(&self.repository, &commit, &self.folder, limits)
    }

    /// One of its commits, for people. What is past them is what nobody has committed yet.
    ///
    /// # Errors
    /// Where the repository can't be read.
    pub fn said(&self, at: usize) -> Result<LineSetBy, SourceError> {
        let Some(id) = self.commits.get(at) else {
            return Ok(LineSetBy::Worktree);
        };
        let commit = self.repository.find_commit(*id).map_err(failed(OPEN))?;
        Ok(LineSetBy::Commit {
            id: Revision::new(id.to_string()),
            subject: subject(&commit),
        })
    }
}
