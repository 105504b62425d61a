//! `--git`: a fleet's files straight from a repository.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::resource::Secret;
use crate::source::git::{
    Credentials, Fetched, GitError, Keys, KnownHosts, KnownHostsError, Location, Mirror, OpenPgpKeysError, Proxy,
    Remote, Scheme, Selection, SshKeysError,
};
use crate::source::{Limits, Tree};

/// What to fetch, as people say it: files are named and not read yet.
#[derive(Clone, Debug)]
pub struct FetchOptions {
    /// Where the repository is.
    pub location: Location,
    /// Which commit.
    pub selection: Selection,
    /// The fleet's directory within it; empty for the top.
    pub path: String,
    /// The directory that copies are kept in.
    pub cache: PathBuf,
    /// A PEM file of certificate authorities.
    pub ca: Option<PathBuf>,
    /// What https goes through.
    pub proxy: Proxy,
    /// For https and http.
    pub token: Option<Token>,
    /// Whose; the URL's if there is none.
    pub user: Option<String>,
    /// For ssh.
    pub ssh: SshAccess,
    /// A file of SSH keys that may sign (`allowed_signers`).
    pub signers: Option<PathBuf>,
    /// A file of OpenPGP keys that may sign.
    pub openpgp_keys: Option<PathBuf>,
    /// How long it may take.
    pub deadline: Option<Duration>,
    /// Bytes that a server may send in one fetch.
    pub max_size: Option<u64>,
    /// The time by which keys are judged.
    pub now: jiff::Timestamp,
}

/// A token or a password.
#[derive(Clone, Debug)]
pub enum Token {
    /// This one.
    Given(Secret),
    /// The one that a file holds at the moment.
    File(PathBuf),
}

/// How an SSH server is talked to.
#[derive(Clone, Debug, Default)]
pub struct SshAccess {
    /// The file of a private key.
    pub key: Option<PathBuf>,
    /// What the key is encrypted with.
    pub passphrase: Option<Secret>,
    /// A file of known hosts.
    pub known_hosts: Option<PathBuf>,
}

/// What was fetched.
#[derive(Clone, Debug)]
pub struct FetchedTree {
    /// The commit.
    pub fetched: Fetched,
    /// Its fleet's files.
    pub tree: Tree,
}

/// Why there are no files.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The server, the copy, the signature.
    #[error(transparent)]
    Git(#[from] GitError),
    /// A file that the options name can't be read.
    #[error("{} can't be read", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The known hosts can't be used.
    #[error("{} can't be used as known hosts", .path.display())]
    KnownHosts {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: KnownHostsError,
    },
    /// The SSH keys that may sign can't be used.
    #[error("{} can't be used as a list of signers", .path.display())]
    Signers {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: SshKeysError,
    },
    /// The OpenPGP keys that may sign can't be used.
    #[error("{} can't be used as a list of signers", .path.display())]
    OpenPgpKeys {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: OpenPgpKeysError,
    },
}

/// Fetches, checks and reads. Blocks.
///
/// # Errors
/// Where a file that is named can't be used, or the server, the copy or the signature says no.
pub fn fetch(options: &FetchOptions) -> Result<FetchedTree, FetchError> {
    let mirror = mirror(options)?;
    let fetched = mirror.fetch(options.now)?;
    let tree = mirror.read(&fetched, Limits::default())?;
    Ok(FetchedTree { fetched, tree })
}

/// Opens the copy of the repository; nothing is sent. Files that the options name are read each time: keys are renewed.
///
/// # Errors
/// Where such a file can't be used, or the copy.
pub fn mirror(options: &FetchOptions) -> Result<Mirror, FetchError> {
    let mut remote = Remote::new(options.location.clone());
    remote.selection = options.selection.clone();
    remote.path.clone_from(&options.path);
    remote.ca.clone_from(&options.ca);
    // What an environment names may be meant for other repositories.
    if matches!(options.location.scheme(), Scheme::Https | Scheme::Http) {
        remote.proxy = options.proxy.clone();
    }
    if let Some(deadline) = options.deadline {
        remote.budget.deadline = deadline;
    }
    if let Some(bytes) = options.max_size {
        remote.budget.bytes = bytes;
    }
    remote.credentials = credentials(options)?;
    let ssh = &options.ssh;
    if let Some(path) = &ssh.known_hosts {
        let known = KnownHosts::parse(&text(path)?).map_err(|source| FetchError::KnownHosts {
            path: path.clone(),
            source,
        })?;
        remote.known_hosts = Some(known);
    }
    Ok(Mirror::open(&options.cache, remote, keys(options)?)?)
}

/// Those that are of use for the URL: what an environment holds may be meant for other repositories.
fn credentials(options: &FetchOptions) -> Result<Credentials, FetchError> {
    let user = options.user.as_deref().or(options.location.user());
    Ok(match (options.location.scheme(), &options.token, &options.ssh.key) {
        (Scheme::Https | Scheme::Http, Some(token), _) => {
            let token = match token {
                Token::Given(token) => token.clone(),
                Token::File(path) => Secret::new(text(path)?.trim()),
            };
            match user {
                Some(user) => Credentials::Password {
                    user: user.to_owned(),
                    password: token,
                },
                None => Credentials::token(token),
            }
        }
        (Scheme::Ssh, _, Some(key)) => Credentials::SshKey {
            key: Secret::new(text(key)?),
            passphrase: options.ssh.passphrase.clone(),
        },
        _ => Credentials::None,
    })
}

/// The keys that may sign; none where none are named, and then nothing has to be signed.
fn keys(options: &FetchOptions) -> Result<Option<Keys>, FetchError> {
    if options.signers.is_none() && options.openpgp_keys.is_none() {
        return Ok(None);
    }
    let mut keys = Keys::default();
    if let Some(path) = &options.signers {
        keys.add_ssh(&text(path)?).map_err(|source| FetchError::Signers {
            path: path.clone(),
            source,
        })?;
    }
    if let Some(path) = &options.openpgp_keys {
        keys.add_openpgp(&text(path)?)
            .map_err(|source| FetchError::OpenPgpKeys {
                path: path.clone(),
                source,
            })?;
    }
    Ok(Some(keys))
}

fn text(path: &Path) -> Result<String, FetchError> {
    fs::read_to_string(path).map_err(|source| FetchError::File {
        path: path.to_owned(),
        source,
    })
}
