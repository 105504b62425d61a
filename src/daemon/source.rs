//! Where the fleet's files come from.
//!
//! Invariant: what is loaded is one revision, whole; a name stands for the same contents each time. Of a repository nothing
//! comes into force that goes back behind what was in force before, this run or the last.

use std::error::Error;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use super::webhook::Push;
use crate::ops::{self, FetchOptions, LoadedFleet, TreeOptions};
use crate::resource::Revision;
use crate::source::git::{Allowed, Fetched, advance};
use crate::source::{self, Limits, Tree};

/// Why a source gives nothing.
pub type SourceFailure = Box<dyn Error + Send + Sync>;

/// A place that has revisions. Calls block.
pub trait Source: Send + Sync {
    /// What revision is there now.
    ///
    /// # Errors
    /// Where the place can't be looked at, or what is there may not come into force.
    fn look(&self) -> Result<Revision, SourceFailure>;

    /// Reads, resolves and renders what was looked at last. A lock that is not up to date is an error: a daemon can't
    /// commit, and what it would choose anew at each start is no fleet. What an earlier revision has rendered already is taken
    /// over, where it would come out the same.
    ///
    /// # Errors
    /// Where it can't be read.
    fn load(&self, earlier: Option<&LoadedFleet>) -> Result<LoadedFleet, SourceFailure>;

    /// Is told that what was loaded last is in force.
    ///
    /// # Errors
    /// Where that can't be kept for the next run.
    fn took(&self) -> Result<(), SourceFailure>;

    /// Whether a push may have changed what is there.
    fn concerns(&self, _: &Push) -> bool {
        true
    }
}

fn load(tree: Tree, earlier: Option<&LoadedFleet>) -> Result<LoadedFleet, SourceFailure> {
    let options = TreeOptions {
        locked: true,
        now: Timestamp::now(),
        earlier,
    };
    Ok(ops::load_tree(tree, &options)?)
}

/// A directory, in a Git working tree or not.
#[derive(Clone, Debug)]
pub struct Directory {
    /// Its path.
    pub path: PathBuf,
}

impl Source for Directory {
    fn look(&self) -> Result<Revision, SourceFailure> {
        let tree = source::read(&self.path, Limits::default())?;
        Ok(source::origin(&tree)?.revision)
    }

    fn load(&self, earlier: Option<&LoadedFleet>) -> Result<LoadedFleet, SourceFailure> {
        load(source::read(&self.path, Limits::default())?, earlier)
    }

    fn took(&self) -> Result<(), SourceFailure> {
        Ok(())
    }
}

/// A Git repository.
#[derive(Debug)]
pub struct Repository {
    options: FetchOptions,
    /// What was looked at last.
    looked_at: Mutex<Option<Fetched>>,
}

impl Repository {
    /// A repository; nothing is fetched yet.
    pub fn new(options: FetchOptions) -> Self {
        Self {
            options,
            looked_at: Mutex::new(None),
        }
    }

    /// The name under which the copy keeps the commit in force: others may follow another branch or fleet of the repository.
    fn in_force(&self) -> String {
        format!("in-force {:?} {}", self.options.selection, self.options.path)
    }

    fn looked_at(&self) -> MutexGuard<'_, Option<Fetched>> {
        self.looked_at.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Source for Repository {
    fn look(&self) -> Result<Revision, SourceFailure> {
        let now = Timestamp::now();
        let mirror = ops::mirror(&self.options)?;
        let is_first = self.looked_at().is_none();
        let fetched = match mirror.fetch(now) {
            Ok(fetched) => fetched,
            // A daemon that starts while the server is away goes on with what was in force.
            Err(error) if is_first => match mirror.kept(&self.in_force(), now) {
                Ok(Some(kept)) => {
                    let error = crate::report::chain(&error);
                    tracing::warn!(error, "can't fetch; going on with what was in force");
                    kept
                }
                Ok(None) => return Err(error.into()),
                // That nothing can be fetched comes first: there would be another copy then.
                Err(unkept) => {
                    let unkept = crate::report::chain(&unkept);
                    tracing::debug!(error = unkept, "nor can what was in force be had");
                    return Err(error.into());
                }
            },
            Err(error) => return Err(error.into()),
        };
        if let Some(before) = mirror.kept_revision(&self.in_force())? {
            let standing = mirror.relation(&before, &fetched.commit)?;
            let step = advance(Some(&before), &fetched.commit, standing, Allowed::default())?;
            tracing::debug!(?step, commit = %fetched.commit, "fetched");
        }
        let revision = fetched.commit.clone();
        *self.looked_at() = Some(fetched);
        Ok(revision)
    }

    fn load(&self, earlier: Option<&LoadedFleet>) -> Result<LoadedFleet, SourceFailure> {
        let Some(fetched) = self.looked_at().clone() else {
            return Err("nothing was fetched yet".into());
        };
        load(ops::mirror(&self.options)?.read(&fetched, Limits::default())?, earlier)
    }

    fn took(&self) -> Result<(), SourceFailure> {
        match self.looked_at().clone() {
            Some(fetched) => Ok(ops::mirror(&self.options)?.keep(&self.in_force(), &fetched)?),
            None => Ok(()),
        }
    }

    fn concerns(&self, push: &Push) -> bool {
        let followed = self.looked_at().as_ref().map(|fetched| fetched.name.clone());
        push.is_of(self.options.location.as_str())
            && self.options.selection.may_move(&push.reference, followed.as_deref())
    }
}
