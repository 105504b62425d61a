//! Where the fleet's files come from.
//!
//! Invariant: what is loaded is one revision, whole; a name stands for the same contents each time.

use std::path::PathBuf;

use crate::ops::{self, LoadError, LoadOptions, LoadedFleet};
use crate::resource::Revision;
use crate::source::{self, Limits, SourceError};

/// A place that has revisions. Calls block.
pub trait Source: Send + Sync {
    /// What revision is there now.
    ///
    /// # Errors
    /// Where the place can't be looked at.
    fn look(&self) -> Result<Revision, SourceError>;

    /// Reads, resolves and renders what is there now. A lock that is not up to date is an error: a daemon can't commit, and
    /// what it would choose anew at each start is no fleet.
    ///
    /// # Errors
    /// Where it can't be read.
    fn load(&self) -> Result<LoadedFleet, LoadError>;
}

/// A directory, in a Git working tree or not.
#[derive(Clone, Debug)]
pub struct Directory {
    /// Its path.
    pub path: PathBuf,
}

impl Source for Directory {
    fn look(&self) -> Result<Revision, SourceError> {
        let tree = source::read(&self.path, Limits::default())?;
        Ok(source::origin(&tree)?.revision)
    }

    fn load(&self) -> Result<LoadedFleet, LoadError> {
        ops::load(&LoadOptions {
            directory: self.path.clone(),
            locked: true,
            now: jiff::Timestamp::now(),
        })
    }
}
