//! Where the fleet's files come from.
//!
//! Invariant: what is loaded is one revision, whole; a name stands for the same contents each time. Of a repository nothing
//! comes into force that goes back behind what was in force before, this run or the last.

use std::error::Error;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use super::webhook::Push;
use crate::ops::{self, FetchError, FetchOptions, LoadedFleet, Templates, TreeOptions};
use crate::resource::Revision;
use crate::source::git::{Allowed, Fetched, GitError, Mirror, Refusal, advance};
use crate::source::{self, Limits, Tree};

/// Why a source gives nothing.
pub type SourceFailure = Box<dyn Error + Send + Sync>;

/// What went wrong, in one word of those that are counted.
pub(super) fn code(failure: &SourceFailure) -> &'static str {
    let of_fetch = match failure.downcast_ref::<FetchError>() {
        Some(FetchError::Git(error)) => Some(error.code()),
        Some(_) => Some("misconfigured"),
        None => None,
    };
    let of_git = || failure.downcast_ref::<GitError>().map(GitError::code);
    let of_history = || failure.is::<Refusal>().then_some("history");
    of_fetch.or_else(of_git).or_else(of_history).unwrap_or("failed")
}

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

    /// Whether what was looked at last is what an earlier run had in force, and there may be something newer.
    fn is_of_before(&self) -> bool {
        false
    }

    /// Whether there is anything that may not follow a commit that was in force.
    fn may_refuse(&self) -> bool {
        false
    }

    /// Refuses what was looked at last where it may not follow a commit that was in force.
    ///
    /// # Errors
    /// Where it may not, or that can't be told.
    fn follows(&self, _: &Revision) -> Result<(), SourceFailure> {
        Ok(())
    }

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
        templates: Templates::default(),
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
    /// Where it may go besides forward.
    allowed: Allowed,
    /// What was looked at last.
    looked_at: Mutex<Option<Fetched>>,
    /// Whether that is what an earlier run had in force.
    is_of_before: AtomicBool,
    /// What is in force: known here too, for the copy may be damaged and made anew.
    took: Mutex<Option<Fetched>>,
}

impl Repository {
    /// A repository; nothing is fetched yet.
    pub fn new(options: FetchOptions, allowed: Allowed) -> Self {
        Self {
            options,
            allowed,
            looked_at: Mutex::new(None),
            is_of_before: AtomicBool::new(false),
            took: Mutex::new(None),
        }
    }

    /// What an earlier run had in force; none where there is no such thing, or it may not be taken any more.
    fn kept(&self, mirror: &Mirror, now: Timestamp) -> Option<Fetched> {
        match mirror.kept(&self.in_force(), now) {
            Ok(kept) => kept,
            Err(error) => {
                let error = crate::report::chain(&error);
                tracing::debug!(error, "what was in force can't be had");
                None
            }
        }
    }

    /// Where it may go from what is in force. Of versions the higher one is the newer, on whatever branch it was made.
    fn allowed(&self, mirror: &Mirror, fetched: &Fetched, now: Timestamp) -> Allowed {
        let is_higher = || {
            let before = self.kept(mirror, now).or_else(|| locked(&self.took).clone())?;
            Some(self.options.selection.is_higher(&before.name, &fetched.name))
        };
        Allowed {
            rewritten: self.allowed.rewritten || is_higher() == Some(true),
            ..self.allowed
        }
    }

    /// Whether it may be of another line than what others were told of: of which version that was is not told.
    fn may_be_rewritten(&self) -> bool {
        self.allowed.rewritten || self.options.selection.is_of_versions()
    }

    /// The name under which the copy keeps the commit in force: others may follow another branch or fleet of the repository.
    fn in_force(&self) -> String {
        format!("in-force {:?} {}", self.options.selection, self.options.path)
    }

    fn looked_at(&self) -> MutexGuard<'_, Option<Fetched>> {
        locked(&self.looked_at)
    }
}

fn locked<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Source for Repository {
    fn look(&self) -> Result<Revision, SourceFailure> {
        let now = Timestamp::now();
        let mirror = ops::mirror(&self.options)?;
        // What was in force is kept so from the first moment on, whatever the server has now, and whether it answers or not.
        let is_first = self.looked_at().is_none() && !self.is_of_before.swap(true, Ordering::Relaxed);
        if is_first && let Some(kept) = self.kept(&mirror, now) {
            let revision = kept.commit.clone();
            *self.looked_at() = Some(kept);
            return Ok(revision);
        }
        self.is_of_before.store(false, Ordering::Relaxed);
        let fetched = mirror.fetch(now)?;
        let took = locked(&self.took).as_ref().map(|took| took.commit.clone());
        if let Some(before) = mirror.kept_revision(&self.in_force())?.or(took) {
            let standing = mirror.relation(&before, &fetched.commit)?;
            let allowed = self.allowed(&mirror, &fetched, now);
            let step = advance(Some(&before), &fetched.commit, standing, allowed)?;
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
            Some(fetched) => {
                *locked(&self.took) = Some(fetched.clone());
                Ok(ops::mirror(&self.options)?.keep(&self.in_force(), &fetched)?)
            }
            None => Ok(()),
        }
    }

    fn may_refuse(&self) -> bool {
        !(self.allowed.older && self.may_be_rewritten())
    }

    fn follows(&self, before: &Revision) -> Result<(), SourceFailure> {
        let Some(fetched) = self.looked_at().clone() else {
            return Ok(());
        };
        let standing = ops::mirror(&self.options)?.relation(before, &fetched.commit)?;
        let allowed = Allowed {
            rewritten: self.may_be_rewritten(),
            ..self.allowed
        };
        let _ = advance(Some(before), &fetched.commit, standing, allowed)?;
        Ok(())
    }

    fn is_of_before(&self) -> bool {
        self.is_of_before.load(Ordering::Relaxed)
    }

    fn concerns(&self, push: &Push) -> bool {
        let followed = self.looked_at().as_ref().map(|fetched| fetched.name.clone());
        push.is_of(self.options.location.as_str())
            && self.options.selection.may_move(&push.reference, followed.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_has_a_word_to_be_counted_by() {
        let url = || "https://example.org/fleet.git".parse().unwrap();
        let empty = || GitError::Empty { url: url() };
        assert_eq!(code(&empty().into()), "empty");
        assert_eq!(
            code(&FetchError::Git(empty()).into()),
            "empty",
            "as it comes of options"
        );
        let file = FetchError::File {
            path: PathBuf::new(),
            source: std::io::Error::other("x"),
        };
        assert_eq!(code(&file.into()), "misconfigured");
        let older = Refusal::Older {
            in_force: Revision::new("a"),
            new: Revision::new("b"),
        };
        assert_eq!(code(&older.into()), "history");
        assert_eq!(code(&"nothing".into()), "failed");
    }
}
