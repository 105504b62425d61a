//! The directory that a repository's copy is kept in, and who may use it when.
//!
//! Invariant: whatever another process that was killed has left there is put right by the next one. May not talk to
//! servers.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use git2::{ObjectType, Repository, RepositoryInitOptions};
use sha2::{Digest as _, Sha256};

use super::error::{GitError, Said};
use super::location::Location;

/// So many packs are put into one.
const PACKS: usize = 32;

/// libgit2 tells what the system said by its text alone.
const DISK: [(&str, io::ErrorKind); 6] = [
    ("No space left on device", io::ErrorKind::StorageFull),
    ("File too large", io::ErrorKind::FileTooLarge),
    ("Disk quota exceeded", io::ErrorKind::QuotaExceeded),
    ("Read-only file system", io::ErrorKind::ReadOnlyFilesystem),
    ("Input/output error", io::ErrorKind::Other),
    ("Too many open files", io::ErrorKind::Other),
];

/// The copy of one repository: a bare one, which all who fetch from its URL share.
#[derive(Clone, Debug)]
pub(super) struct Cache {
    url: Location,
    /// The repository.
    pub(super) directory: PathBuf,
    lock: PathBuf,
}

impl Cache {
    /// The copy of `url` within `parent`, which is made where there is none.
    pub(super) fn new(parent: &Path, url: &Location) -> Result<Self, GitError> {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        // A fleet's files say much about it.
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(parent).map_err(|source| GitError::Cache {
            path: parent.to_owned(),
            source,
        })?;
        let name = name(url);
        Ok(Self {
            url: url.clone(),
            directory: parent.join(format!("{name}.git")),
            lock: parent.join(format!("{name}.lock")),
        })
    }

    /// Waits until nobody else writes the copy; it is ours until the file is dropped.
    pub(super) fn lock(&self) -> Result<File, GitError> {
        let file = self.lock_file()?;
        file.lock().map_err(|source| self.failed(&self.lock, source))?;
        Ok(file)
    }

    /// Waits until nobody rearranges the copy; nobody does until the file is dropped.
    pub(super) fn lock_for_reading(&self) -> Result<File, GitError> {
        let path = self.lock.with_extension("packs");
        let file = open(&path).map_err(|source| self.failed(&path, source))?;
        file.lock_shared().map_err(|source| self.failed(&path, source))?;
        Ok(file)
    }

    /// As [`Self::lock_for_reading`], but alone, and none where somebody reads.
    pub(super) fn lock_for_packing(&self) -> Option<File> {
        let file = open(&self.lock.with_extension("packs")).ok()?;
        file.try_lock().is_ok().then_some(file)
    }

    fn lock_file(&self) -> Result<File, GitError> {
        open(&self.lock).map_err(|source| self.failed(&self.lock, source))
    }

    /// The copy as it is.
    pub(super) fn open(&self) -> Result<Repository, GitError> {
        Repository::open_bare(&self.directory).map_err(|error| self.damaged(&error))
    }

    /// The copy, made or made anew where there is none that can be opened. Only with the lock.
    pub(super) fn open_or_make(&self) -> Result<Repository, GitError> {
        self.sweep();
        match Repository::open_bare(&self.directory).and_then(|repository| look(&repository).map(|()| repository)) {
            Ok(repository) => return Ok(repository),
            Err(error) if self.directory.exists() => {
                if let Some(failed) = self.failure_of_disk(&error) {
                    return Err(failed);
                }
                tracing::warn!(url = %self.url, %error, "the copy is damaged and is made anew");
            }
            Err(_) => {}
        }
        self.discard()?;
        let mut options = RepositoryInitOptions::new();
        options.bare(true).external_template(false).no_reinit(true);
        let made = Repository::init_opts(&self.directory, &options)
            .and_then(|repository| self.configure(&repository).map(|()| repository));
        made.map_err(|error| {
            // Half of one would be taken for a damaged one.
            self.discard().ok();
            self.damaged(&error)
        })
    }

    /// What the user's own settings say of URLs and redirections is meant for the user's own clones. Where credentials go
    /// is for the description alone to say.
    fn configure(&self, repository: &Repository) -> Result<(), git2::Error> {
        let mut config = repository.config()?.open_level(git2::ConfigLevel::Local)?;
        config.set_bool("http.followRedirects", false)?;
        let url = self.url.as_str();
        // The longest match wins, and none is longer.
        config.set_str(&format!("url.{url}.insteadOf"), url)
    }

    /// Removes the copy. Only with the lock.
    pub(super) fn discard(&self) -> Result<(), GitError> {
        match fs::remove_dir_all(&self.directory) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(self.failed(&self.directory, error)),
            _ => Ok(()),
        }
    }

    /// Removes what fetches that were killed have left: nothing else would, in years.
    fn sweep(&self) {
        for entry in fs::read_dir(self.directory.join("objects/pack"))
            .into_iter()
            .flatten()
            .flatten()
        {
            if entry.file_name().to_string_lossy().starts_with("pack_git2_")
                && let Err(error) = fs::remove_file(entry.path())
            {
                tracing::warn!(%error, "a fetch that was broken off has left a file that can't be removed");
            }
        }
    }

    /// Puts many packs into one, and drops what no reference leads to any more. Each fetch adds a pack, and a daemon fetches
    /// for years. Only with the lock.
    pub(super) fn tidy(&self) {
        let packs = self.packs();
        if packs.len() < PACKS {
            return;
        }
        let Some(_lock) = self.lock_for_packing() else {
            return;
        };
        match Repository::open_bare(&self.directory).and_then(|repository| pack(&repository)) {
            Ok(new) => {
                for path in packs.iter().filter(|path| path.file_stem() != new.file_stem()) {
                    // The index first: a pack without one is not looked at.
                    fs::remove_file(path.with_extension("idx")).ok();
                    fs::remove_file(path).ok();
                }
            }
            Err(error) => tracing::warn!(%error, url = %self.url, "the copy's packs can't be put together"),
        }
    }

    /// Removes the packs that have come since: what they hold is not all of what was fetched. Only with the lock.
    pub(super) fn forget_packs(&self, before: &[PathBuf]) {
        for path in self.packs().iter().filter(|path| !before.contains(path)) {
            let removed = fs::remove_file(path.with_extension("idx")).and_then(|()| fs::remove_file(path));
            if let Err(error) = removed {
                tracing::warn!(%error, url = %self.url, "what was fetched in part can't be removed");
            }
        }
    }

    pub(super) fn packs(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.directory.join("objects/pack"));
        let paths = entries.into_iter().flatten().flatten().map(|entry| entry.path());
        paths
            .filter(|path| path.extension().is_some_and(|extension| extension == "pack"))
            .collect()
    }

    fn failed(&self, path: &Path, source: io::Error) -> GitError {
        GitError::Cache {
            path: path.to_owned(),
            source,
        }
    }

    /// What libgit2's error says of the disk that the copy is on, if that is what it is about. The copy is not to blame, and
    /// holds what was in force: it stays.
    pub(super) fn failure_of_disk(&self, error: &git2::Error) -> Option<GitError> {
        let kind = DISK.iter().find(|(text, _)| error.message().contains(text))?.1;
        let source = io::Error::new(kind, Said(error.message().to_owned()));
        Some(self.failed(&self.directory, source))
    }

    pub(super) fn damaged(&self, error: &git2::Error) -> GitError {
        if let Some(failed) = self.failure_of_disk(error) {
            return failed;
        }
        GitError::Damaged {
            url: self.url.clone(),
            path: self.directory.clone(),
            source: Said(error.message().to_owned()),
        }
    }
}

/// Looks whether the copy has what its references name: a server that is told that it is here would not send it.
fn look(repository: &Repository) -> Result<(), git2::Error> {
    for reference in repository.references()? {
        let Some(id) = reference?.target() else { continue };
        // A tag may lead to anything; a commit has a tree.
        if let Ok(commit) = repository.find_object(id, None)?.peel_to_commit() {
            commit.tree()?;
        }
    }
    Ok(())
}

/// A pack of all that the references lead to.
fn pack(repository: &Repository) -> Result<PathBuf, git2::Error> {
    let mut walk = repository.revwalk()?;
    let mut builder = repository.packbuilder()?;
    for reference in repository.references()? {
        let Some(id) = reference?.target() else { continue };
        let object = repository.find_object(id, None)?;
        if object.kind() != Some(ObjectType::Commit) {
            builder.insert_object(id, None)?;
        }
        if let Ok(commit) = object.peel_to_commit() {
            walk.push(commit.id())?;
        }
    }
    builder.insert_walk(&mut walk)?;
    let folder = repository.path().join("objects/pack");
    builder.write(&folder, 0)?;
    let name = builder.name()?.unwrap_or_default();
    Ok(folder.join(format!("pack-{name}.pack")))
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).truncate(false).write(true).open(path)
}

/// One for each URL, and telling for people.
fn name(url: &Location) -> String {
    let plain: String = url
        .name()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .take(40)
        .collect();
    let digest = Sha256::digest(url.as_str());
    let digest: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("{plain}-{digest}")
}

#[cfg(test)]
mod tests {
    use git2::{Error, ErrorClass, ErrorCode};

    use super::*;

    #[test]
    fn a_disk_that_is_full_is_no_damage_and_costs_nobody_the_copy() {
        let parent = tempfile::tempdir().unwrap();
        let url = "https://example.org/fleet.git".parse().unwrap();
        let cache = Cache::new(parent.path(), &url).unwrap();
        let said = |text: &str| cache.damaged(&Error::new(ErrorCode::GenericError, ErrorClass::Os, text));
        for text in [
            "failed to write out file 'x': No space left on device",
            "cannot extend packfile 'x': Disk quota exceeded",
        ] {
            let error = said(text);
            assert!(matches!(&error, GitError::Cache { .. }), "{error}");
            assert!(crate::report::chain(&error).contains(text), "{error}");
        }
        assert!(matches!(
            said("object not found - no match for id"),
            GitError::Damaged { .. }
        ));
    }
}
