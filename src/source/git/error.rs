//! Why nothing could be fetched or read, where, and what to do next.
//!
//! Invariant: no message holds a credential: URLs are [`Location`]s, and what libgit2 says is cleared of secrets.

use std::path::PathBuf;
use std::time::Duration;

use super::known_hosts::HostKeyProblem;
use super::location::Location;
use super::signature::SignatureError;
use crate::resource::Revision;

/// What a fetch was at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Waiting for another process that fetches into the same cache.
    Waiting,
    /// Connecting, and listing branches and tags.
    Listing,
    /// Receiving objects.
    Receiving,
}

impl std::fmt::Display for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Waiting => "waiting for another fetch into the same cache",
            Self::Listing => "listing its branches and tags",
            Self::Receiving => "receiving objects",
        })
    }
}

/// What a library said, cleared of secrets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Said(pub(super) String);

/// Why there is no commit, or it can't be read.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// The description can't work.
    #[error("{url} can't be fetched: {what}")]
    Remote {
        /// Where.
        url: Location,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The file of certificate authorities can't be used.
    #[error("{} can't be used as certificate authorities: give a PEM file", .path.display())]
    Authorities {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Said,
    },
    /// The server can't be talked to.
    #[error("{url} can't be reached: check the address, the network and the proxy")]
    Unreachable {
        /// Where.
        url: Location,
        /// Why.
        #[source]
        source: Said,
    },
    /// The server said nothing for too long.
    #[error("{url} stopped answering")]
    Stalled {
        /// Where.
        url: Location,
        /// Why.
        #[source]
        source: Said,
    },
    /// The server's certificate is not trusted.
    #[error(
        "the certificate of {url} is not trusted: check its name and age; for a private authority give its certificate"
    )]
    Certificate {
        /// Where.
        url: Location,
        /// Why.
        #[source]
        source: Said,
    },
    /// The server's SSH key is not the known one.
    #[error("the SSH key of {url} is not trusted")]
    HostKey {
        /// Where.
        url: Location,
        /// Why.
        #[source]
        source: HostKeyProblem,
    },
    /// The server wants other credentials, or some.
    #[error("{url} refuses {}", if *.given { "the credentials: check that they are valid and may read the repository" } else { "to be read without credentials: give a token" })]
    Credentials {
        /// Where.
        url: Location,
        /// Whether there were any.
        given: bool,
        /// What it said.
        #[source]
        source: Said,
    },
    /// There is no such repository, or it is hidden from us.
    #[error("there is no repository at {url}, or it is hidden from whoever gives these credentials")]
    NoRepository {
        /// Where.
        url: Location,
        /// What the server said.
        #[source]
        source: Said,
    },
    /// The server sends us elsewhere.
    #[error("{url} has moved: give the URL that it leads to")]
    Moved {
        /// Where.
        url: Location,
        /// What the server said.
        #[source]
        source: Said,
    },
    /// The repository has no commit.
    #[error("{url} is empty: push a commit first")]
    Empty {
        /// Where.
        url: Location,
    },
    /// There is no such branch, tag or commit.
    #[error("{url} has no {wanted}{hint}")]
    Absent {
        /// Where.
        url: Location,
        /// What was wanted, with its kind.
        wanted: String,
        /// `; did you mean …?`, or nothing.
        hint: String,
    },
    /// A name is a branch's and a tag's.
    #[error("{url} has both a branch and a tag `{name}`: say refs/heads/{name} or refs/tags/{name}")]
    Ambiguous {
        /// Where.
        url: Location,
        /// The name.
        name: String,
    },
    /// A tag leads to something else than a commit.
    #[error("{wanted} of {url} leads to no commit")]
    NoCommit {
        /// Where.
        url: Location,
        /// What was wanted, with its kind.
        wanted: String,
    },
    /// It took too long.
    #[error("{url} took longer than {}, the time being up while {phase}", seconds(.limit))]
    Deadline {
        /// Where.
        url: Location,
        /// The limit.
        limit: Duration,
        /// What it was at.
        phase: Phase,
    },
    /// The server sends too much.
    #[error(
        "{url} sends more than {limit} {unit} in one fetch: raise the limit, or give the fleet a repository of its own"
    )]
    TooMuch {
        /// Where.
        url: Location,
        /// How many.
        limit: u64,
        /// Of what.
        unit: &'static str,
    },
    /// Not all is there of what was asked for.
    #[error(
        "{url} has {name} and not all that it is made of, {missing} for one: a push may be under way, and is waited for"
    )]
    Partial {
        /// Where.
        url: Location,
        /// Which reference.
        name: String,
        /// An object that is missing.
        missing: String,
    },
    /// The fetch failed in another way.
    #[error("{url} can't be fetched")]
    Fetch {
        /// Where.
        url: Location,
        /// Why.
        #[source]
        source: Said,
    },
    /// The commit is not signed as it has to be.
    #[error("{commit} of {url} is refused, and nothing of it was read")]
    Signature {
        /// Where.
        url: Location,
        /// Which.
        commit: Revision,
        /// Why.
        #[source]
        source: SignatureError,
    },
    /// The commit has no such directory.
    #[error("{commit} of {url} has no directory `{path}`")]
    NoPath {
        /// Where.
        url: Location,
        /// Which.
        commit: Revision,
        /// Which directory.
        path: String,
    },
    /// The cache can't be written or read.
    #[error("the cache {} can't be used", .path.display())]
    Cache {
        /// Which file or directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// What was fetched is damaged.
    #[error("the copy of {url} in {} is damaged: remove that directory, it is made anew", .path.display())]
    Damaged {
        /// Where it came from.
        url: Location,
        /// The copy.
        path: PathBuf,
        /// Why.
        #[source]
        source: Said,
    },
}

impl GitError {
    /// One word, of those by which fetches are counted.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Remote { .. } | Self::Authorities { .. } => "misconfigured",
            Self::Unreachable { .. } => "unreachable",
            Self::Stalled { .. } => "stalled",
            Self::Certificate { .. } => "certificate",
            Self::HostKey { .. } => "host_key",
            Self::Credentials { .. } => "credentials",
            Self::NoRepository { .. } => "no_repository",
            Self::Moved { .. } => "moved",
            Self::Empty { .. } => "empty",
            Self::Absent { .. } | Self::Ambiguous { .. } | Self::NoCommit { .. } => "absent",
            Self::Deadline { .. } => "deadline",
            Self::TooMuch { .. } => "too_much",
            Self::Partial { .. } => "partial",
            Self::Fetch { .. } => "failed",
            Self::Signature { .. } => "signature",
            Self::NoPath { .. } => "no_path",
            Self::Cache { .. } => "cache",
            Self::Damaged { .. } => "damaged",
        }
    }
}

fn seconds(duration: &Duration) -> String {
    format!("{} s", duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_say_what_to_do_and_hold_no_source() {
        let url: Location = "https://user@example.org/fleet.git".parse().unwrap();
        let source = Said("401".into());
        let error = GitError::Credentials {
            url: url.clone(),
            given: false,
            source,
        };
        assert_eq!(
            error.to_string(),
            "https://example.org/fleet.git refuses to be read without credentials: give a token"
        );
        let error = GitError::Deadline {
            url,
            limit: Duration::from_millis(2500),
            phase: Phase::Receiving,
        };
        assert_eq!(
            error.to_string(),
            "https://example.org/fleet.git took longer than 2.5 s, the time being up while receiving objects"
        );
    }
}
