//! A repository's copy on this machine: fetched into, checked, read from.
//!
//! Invariant: what is read was checked: where keys are given, a [`Fetched`] exists only for a commit that one of them has
//! signed, by itself or by its tag.

use std::path::Path;

use git2::{ErrorCode, ObjectType, Oid, Repository};
use jiff::Timestamp;

use super::cache::Cache;
use super::error::GitError;
use super::global::{Timeouts, set_timeouts};
use super::remote::Remote;
use super::signature::{self, Claim, GIT, Keys, SignatureError, Signer};
use super::{transfer, tree};
use crate::resource::{Digest, Revision};
use crate::source::{Ancestry, Commit, Limits, Origin, Place, SourceError, Standing, Tree, origin};

/// A copy of a remote repository. Its calls block: use them off the async threads.
#[derive(Clone, Debug)]
pub struct Mirror {
    remote: Remote,
    keys: Option<Keys>,
    cache: Cache,
}

/// A commit that was fetched and checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// The commit.
    pub commit: Revision,
    /// Committer time, seconds since 1970.
    pub time: i64,
    /// What was selected: such as `refs/heads/main`, or the commit's id.
    pub name: String,
    /// Who has signed it; none where no keys were given.
    pub signer: Option<Signer>,
    /// The commit, or the tag object that leads to it.
    object: Oid,
}

impl Mirror {
    /// The copy of a repository in a directory that several may share. Talks to nobody yet. With `keys`, unsigned commits
    /// are refused.
    ///
    /// # Errors
    /// Where the description can't work or the directory can't be made.
    pub fn open(cache: &Path, remote: Remote, keys: Option<Keys>) -> Result<Self, GitError> {
        set_timeouts(Timeouts::default());
        remote.check()?;
        let cache = Cache::new(cache, &remote.location)?;
        Ok(Self { remote, keys, cache })
    }

    /// What it is a copy of.
    pub fn remote(&self) -> &Remote {
        &self.remote
    }

    /// Brings the copy up to date and says which commit is selected now.
    ///
    /// # Errors
    /// Where the server, the cache or the signature says no. What was fetched before can still be read.
    pub fn fetch(&self, now: Timestamp) -> Result<Fetched, GitError> {
        let selected = transfer::fetch(&self.cache, &self.remote)?;
        let repository = self.cache.open()?;
        self.checked(&repository, selected.name, selected.id, now)
    }

    /// Reads the fleet of a commit.
    ///
    /// # Errors
    /// Where the commit has no such directory or the copy is damaged; whatever is wrong within the fleet is a diagnostic.
    pub fn read(&self, fetched: &Fetched, limits: Limits) -> Result<Tree, GitError> {
        let _lock = self.cache.lock_for_reading()?;
        let repository = self.cache.open()?;
        let place = Place::Commit(Commit {
            repository: self.cache.directory.clone(),
            path: self.remote.path.clone(),
            origin: Origin {
                revision: fetched.commit.clone(),
                standing: Standing::Committed,
                head: Some(fetched.commit.clone()),
                time: fetched.time,
            },
        });
        let read = || {
            let top = repository.find_object(fetched.object, None)?.peel_to_tree()?;
            tree::read(&repository, &top, &self.remote.path, limits, place)
        };
        match read() {
            Ok(Some(tree)) => Ok(tree),
            Ok(None) => Err(GitError::NoPath {
                url: self.remote.location.clone(),
                commit: fetched.commit.clone(),
                path: self.remote.path.clone(),
            }),
            Err(error) => Err(self.cache.damaged(&error)),
        }
    }

    /// How `new` stands to `old`, by the history that was fetched.
    ///
    /// # Errors
    /// Where the copy can't be read.
    pub fn relation(&self, old: &Revision, new: &Revision) -> Result<Ancestry, GitError> {
        if old == new {
            return Ok(Ancestry::Same);
        }
        let _lock = self.cache.lock_for_reading()?;
        let repository = self.cache.open()?;
        origin::relation(&repository, old, new).map_err(|error| match error {
            SourceError::Git { source, .. } => self.cache.damaged(&source),
            SourceError::Directory { path, source } => GitError::Cache { path, source },
        })
    }

    /// Keeps a commit in the copy under a name of the caller's, until another takes its place: it can be read again when
    /// the server is away, and when the branch was rewritten.
    ///
    /// # Errors
    /// Where the copy can't be written.
    pub fn keep(&self, name: &str, fetched: &Fetched) -> Result<(), GitError> {
        let repository = self.cache.open()?;
        repository
            // The message holds what the object does not say.
            .reference(&kept_as(name), fetched.object, true, "kept")
            .and_then(|_| repository.blob(fetched.name.as_bytes()))
            .and_then(|blob| repository.reference(&named_as(name), blob, true, "kept"))
            .map(drop)
            .map_err(|error| self.cache.damaged(&error))
    }

    /// The id of the commit that is kept under a name: what was in force stays known, whatever has become of the key that
    /// signed it.
    ///
    /// # Errors
    /// Where the copy can't be read.
    pub fn kept_revision(&self, name: &str) -> Result<Option<Revision>, GitError> {
        if !self.cache.directory.exists() {
            return Ok(None);
        }
        let _lock = self.cache.lock_for_reading()?;
        let repository = self.cache.open()?;
        let commit = repository
            .find_reference(&kept_as(name))
            .and_then(|kept| kept.peel_to_commit());
        match commit {
            Ok(commit) => Ok(Some(Revision::new(commit.id().to_string()))),
            Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
            Err(error) => Err(self.cache.damaged(&error)),
        }
    }

    /// The commit that is kept under a name, its signature checked afresh; none where there is none.
    ///
    /// # Errors
    /// Where the copy can't be read, or the signature does not count any more.
    pub fn kept(&self, name: &str, now: Timestamp) -> Result<Option<Fetched>, GitError> {
        if !self.cache.directory.exists() {
            return Ok(None);
        }
        let _lock = self.cache.lock_for_reading()?;
        let repository = self.cache.open()?;
        let target = |reference: &str| match repository.refname_to_id(reference) {
            Ok(id) => Ok(Some(id)),
            Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
            Err(error) => Err(self.cache.damaged(&error)),
        };
        let (Some(id), Some(name)) = (target(&kept_as(name))?, target(&named_as(name))?) else {
            return Ok(None);
        };
        let name = repository.find_blob(name).map_err(|error| self.cache.damaged(&error))?;
        let name = String::from_utf8_lossy(name.content()).into_owned();
        self.checked(&repository, name, id, now).map(Some)
    }

    fn checked(&self, repository: &Repository, name: String, id: Oid, now: Timestamp) -> Result<Fetched, GitError> {
        let damaged = |error: git2::Error| self.cache.damaged(&error);
        let url = self.remote.location.clone();
        let object = repository.find_object(id, None).map_err(damaged)?;
        let commit = match object.peel_to_commit() {
            Ok(commit) => commit,
            Err(error) if matches!(error.code(), ErrorCode::Peel | ErrorCode::InvalidSpec) => {
                return Err(GitError::NoCommit { url, wanted: name });
            }
            Err(error) => return Err(damaged(error)),
        };
        let revision = Revision::new(commit.id().to_string());
        let signer = match &self.keys {
            None => None,
            Some(keys) => match sign(repository, &name, id, &commit, keys, now.as_second()).map_err(damaged)? {
                Ok(signer) => Some(signer),
                Err(source) => {
                    return Err(GitError::Signature {
                        url,
                        commit: revision,
                        source,
                    });
                }
            },
        };
        Ok(Fetched {
            commit: revision,
            time: commit.time().seconds(),
            name,
            signer,
            object: id,
        })
    }
}

/// Who has signed the tag, or where that is not signed, the commit.
fn sign(
    repository: &Repository,
    name: &str,
    id: Oid,
    commit: &git2::Commit<'_>,
    keys: &Keys,
    now: i64,
) -> Result<Result<Signer, SignatureError>, git2::Error> {
    if id != commit.id() {
        match sign_of_tag(repository, name, id, keys, now)? {
            Err(SignatureError::Unsigned) => {}
            signer => return Ok(signer),
        }
    }
    let (signature, payload) = match repository.extract_signature(&commit.id(), None) {
        Ok(parts) => parts,
        Err(error) if error.code() == ErrorCode::NotFound => return Ok(Err(SignatureError::Unsigned)),
        Err(error) => return Err(error),
    };
    let claim = Claim {
        payload: &payload,
        signature: &signature,
        time: commit.time().seconds(),
        is_tag: false,
        purpose: GIT,
    };
    Ok(signature::verify(claim, keys, now))
}

fn sign_of_tag(
    repository: &Repository,
    name: &str,
    id: Oid,
    keys: &Keys,
    now: i64,
) -> Result<Result<Signer, SignatureError>, git2::Error> {
    let store = repository.odb()?;
    let raw = store.read(id)?;
    if raw.kind() != ObjectType::Tag {
        return Ok(Err(SignatureError::Unsigned));
    }
    let tag = repository.find_tag(id)?;
    let (payload, signature) = split_tag(raw.data());
    let claim = Claim {
        payload,
        signature,
        time: tag.tagger().map_or(0, |tagger| tagger.when().seconds()),
        is_tag: true,
        purpose: GIT,
    };
    let signer = match signature::verify(claim, keys, now) {
        Ok(signer) => signer,
        Err(error) => return Ok(Err(error)),
    };
    // Else an old tag that was signed could be shown as the newest.
    let signed = String::from_utf8_lossy(tag.name_bytes()).into_owned();
    let called = name.strip_prefix("refs/tags/").unwrap_or(name);
    if signed == called {
        Ok(Ok(signer))
    } else {
        Ok(Err(SignatureError::TagName {
            signed,
            called: called.to_owned(),
        }))
    }
}

/// A tag's signature is the end of its message, from the last line on that begins one.
fn split_tag(raw: &[u8]) -> (&[u8], &[u8]) {
    let begins = |line: &[u8]| {
        line.starts_with(b"-----BEGIN SSH SIGNATURE-----") || line.starts_with(b"-----BEGIN PGP SIGNATURE-----")
    };
    let mut at = 0;
    let mut split = raw.len();
    for line in raw.split_inclusive(|byte| *byte == b'\n') {
        if begins(line) {
            split = at;
        }
        at += line.len();
    }
    raw.split_at(split)
}

fn kept_as(name: &str) -> String {
    format!("refs/kept/{}", Digest::of(name.as_bytes()).to_hex())
}

fn named_as(name: &str) -> String {
    format!("refs/kept-names/{}", Digest::of(name.as_bytes()).to_hex())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_split_at_its_last_signature() {
        let begin = "-----BEGIN SSH SIGNATURE-----\n";
        let text = format!("object x\ntag v1\n\nwords\n{begin}quoted\n{begin}AAAA\n");
        let (payload, signature) = split_tag(text.as_bytes());
        assert_eq!(
            payload,
            format!("object x\ntag v1\n\nwords\n{begin}quoted\n").as_bytes()
        );
        assert_eq!(signature, format!("{begin}AAAA\n").as_bytes());
        assert_eq!(split_tag(b"words"), (&b"words"[..], &b""[..]));
        let inside = "words -----BEGIN SSH SIGNATURE-----\n";
        assert_eq!(split_tag(inside.as_bytes()).1, b"");
    }
}
