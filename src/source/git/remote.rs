//! What is fetched, from where, as whom, and how much of it at most.
//!
//! Invariant: whatever can be found wrong without talking to the server is found here. Secrets can't be printed.

use std::path::PathBuf;
use std::time::Duration;

use super::error::GitError;
use super::known_hosts::KnownHosts;
use super::location::{Location, Scheme};
use super::selection::Selection;
use crate::resource::Secret;

/// A repository, and what is wanted of it.
#[derive(Clone, Debug)]
pub struct Remote {
    /// Where it is.
    pub location: Location,
    /// As whom it is read.
    pub credentials: Credentials,
    /// A PEM file of certificate authorities, trusted besides the system's. libgit2 keeps one set of authorities for the
    /// whole process, so every repository's server is checked against it from then on.
    pub ca: Option<PathBuf>,
    /// What https goes through.
    pub proxy: Proxy,
    /// The keys of SSH servers; ssh needs it.
    pub known_hosts: Option<KnownHosts>,
    /// Which commit.
    pub selection: Selection,
    /// The fleet's directory within the repository, with `/`; empty for the top.
    pub path: String,
    /// How much of it at most.
    pub budget: Budget,
}

impl Remote {
    /// The default branch, read by nobody in particular.
    pub fn new(location: Location) -> Self {
        Self {
            location,
            credentials: Credentials::None,
            ca: None,
            proxy: Proxy::None,
            known_hosts: None,
            selection: Selection::Head,
            path: String::new(),
            budget: Budget::default(),
        }
    }

    /// Finds what can't work.
    pub(super) fn check(&self) -> Result<(), GitError> {
        let refuse = |what| {
            Err(GitError::Remote {
                url: self.location.clone(),
                what,
            })
        };
        let is_key = matches!(self.credentials, Credentials::SshKey { .. });
        match self.location.scheme() {
            Scheme::Ssh if self.known_hosts.is_none() => {
                return refuse("ssh needs a known_hosts file: no server's key is taken on trust");
            }
            Scheme::Ssh if !is_key => return refuse("ssh needs a private key"),
            Scheme::Https | Scheme::Http if is_key => {
                return refuse("a private key is of no use for https: give a token, or an ssh URL");
            }
            // Whoever is on the way could read them.
            Scheme::Http if self.credentials.is_some() && !self.location.is_loopback() => {
                return refuse("credentials are not sent over http: use https");
            }
            // It would be passed by without a word.
            Scheme::Http | Scheme::Ssh if matches!(self.proxy, Proxy::Url(_)) => {
                return refuse("a proxy is of use for https alone");
            }
            Scheme::File if self.credentials.is_some() => return refuse("a file URL takes no credentials"),
            Scheme::Https | Scheme::Http | Scheme::Ssh | Scheme::File => {}
        }
        if matches!(&self.proxy, Proxy::Url(url) if url.expose().contains('\0')) {
            return refuse("the proxy is no URL");
        }
        let is_plain = |part: &str| !matches!(part, "" | "." | "..") && !part.contains('\0');
        if !self.path.is_empty() && !self.path.split('/').all(is_plain) {
            return refuse("the path within the repository is a relative one such as `fleet` or `deploy/fleet`");
        }
        Ok(())
    }
}

/// As whom a repository is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Credentials {
    /// Nobody in particular.
    #[default]
    None,
    /// A user with a password, or with a token in its place.
    Password {
        /// The user; forges take any beside a token.
        user: String,
        /// The password or the token.
        password: Secret,
    },
    /// The URL's user (else `git`) with an SSH key.
    SshKey {
        /// The private key in PEM, OpenSSH's own form too.
        key: Secret,
        /// What it is encrypted with.
        passphrase: Option<Secret>,
    },
}

impl Credentials {
    /// A token of a forge.
    pub fn token(token: Secret) -> Self {
        Self::Password {
            user: TOKEN_USER.to_owned(),
            password: token,
        }
    }

    pub(super) fn is_some(&self) -> bool {
        *self != Self::None
    }

    /// The texts that no message may hold.
    pub(super) fn secrets(&self) -> Vec<&str> {
        match self {
            Self::None => Vec::new(),
            Self::Password { password, .. } => vec![password.expose()],
            Self::SshKey { key, passphrase } => {
                let passphrase = passphrase.iter().map(Secret::expose);
                passphrase.chain([key.expose()]).collect()
            }
        }
    }
}

/// The user that GitHub documents for the tokens of its apps; the others look at the token alone.
const TOKEN_USER: &str = "x-access-token";

/// What https goes through; libgit2 asks a proxy for nothing else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Proxy {
    /// Nothing.
    #[default]
    None,
    /// What `https_proxy` and `no_proxy` name.
    Environment,
    /// This one: `http://host:port`, which may hold a user and a password.
    Url(Secret),
}

/// How much a fetch may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// How long it may take in all; a server that says nothing is given up sooner (see [`super::Timeouts`]).
    pub deadline: Duration,
    /// Bytes that a server may send in one fetch.
    pub bytes: u64,
    /// Objects that it may send in one fetch.
    pub objects: usize,
}

impl Default for Budget {
    /// 5 minutes, 512 MiB and 2,000,000 objects: a first fetch of a large repository, and no more than a disk can take.
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(300),
            bytes: 512 << 20,
            objects: 2_000_000,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(url: &str, change: impl FnOnce(&mut Remote)) -> Option<&'static str> {
        let mut remote = Remote::new(url.parse().unwrap());
        change(&mut remote);
        match remote.check() {
            Ok(()) => None,
            Err(GitError::Remote { what, .. }) => Some(what),
            Err(error) => panic!("{error}"),
        }
    }

    fn key() -> Credentials {
        Credentials::SshKey {
            key: Secret::new("k"),
            passphrase: None,
        }
    }

    #[test]
    fn what_cannot_work_is_refused_before_anyone_is_asked() {
        let token = || Credentials::token(Secret::new("hunter2"));
        let said = |url, credentials: Credentials| refusal(url, |remote| remote.credentials = credentials);
        assert_eq!(said("https://example.org/x", token()), None);
        assert_eq!(said("http://127.0.0.1:3000/x", token()), None);
        assert!(
            said("http://example.org/x", token())
                .unwrap()
                .contains("not sent over http")
        );
        assert!(said("https://example.org/x", key()).unwrap().contains("of no use"));
        assert!(said("file:///x", token()).unwrap().contains("no credentials"));
        assert!(said("ssh://git@example.org/x", key()).unwrap().contains("known_hosts"));
        let proxied = |url, proxy: &str| refusal(url, |remote| remote.proxy = Proxy::Url(Secret::new(proxy)));
        assert_eq!(proxied("https://example.org/x", "http://proxy:1"), None);
        assert!(
            proxied("http://example.org/x", "http://proxy:1")
                .unwrap()
                .contains("https alone")
        );
        assert!(
            proxied("https://example.org/x", "http://proxy\0:1")
                .unwrap()
                .contains("no URL")
        );
        let with_hosts = |credentials| {
            refusal("ssh://git@example.org/x", |remote| {
                remote.known_hosts = Some(KnownHosts::default());
                remote.credentials = credentials;
            })
        };
        assert_eq!(with_hosts(key()), None);
        assert!(with_hosts(Credentials::None).unwrap().contains("private key"));
        for path in ["/etc", "..", "a/../b", "a//b", "./a", "a/"] {
            assert!(
                refusal("file:///x", |remote| remote.path = path.to_owned()).is_some(),
                "{path}"
            );
        }
        assert_eq!(
            refusal("file:///x", |remote| remote.path = "deploy/fleet".to_owned()),
            None
        );
    }

    #[test]
    fn no_secret_is_shown() {
        let mut remote = Remote::new("https://example.org/x".parse().unwrap());
        remote.credentials = Credentials::token(Secret::new("hunter2"));
        remote.proxy = Proxy::Url(Secret::new("http://u:hunter2@proxy:1"));
        assert!(!format!("{remote:?}").contains("hunter2"));
    }
}
