//! Options for a fleet that is read from a Git repository.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;

use super::args::{duration, size};
use crate::daemon::GitListed;
use crate::ops::{FetchOptions, SshAccess, Token};
use crate::resource::Secret;
use crate::source::git::{Location, Proxy, Selection};

/// Where a token and a passphrase come from: not from the command line, which every user of the machine can see.
const TOKEN: &str = "FLEETWRIGHT_GIT_TOKEN";
const PASSPHRASE: &str = "FLEETWRIGHT_GIT_PASSPHRASE";

/// A repository, and how it is read.
#[derive(Debug, Args)]
pub(super) struct GitArgs {
    /// Read the fleet from this repository instead of from a directory: https, ssh or file URL, or user@host:path. A token
    /// comes from FLEETWRIGHT_GIT_TOKEN
    #[arg(long, help_heading = "Git", value_name = "URL", conflicts_with = "fleet")]
    pub(super) git: Option<String>,

    /// Branch, tag or commit; refs/heads/… and refs/tags/… to tell them apart, semver:^1.2 for the highest version's tag
    /// [default: the repository's default branch]
    #[arg(long = "ref", help_heading = "Git", value_name = "REF", requires = "git")]
    reference: Option<Selection>,

    /// Directory of the fleet files within the repository [default: its top]
    #[arg(long, help_heading = "Git", value_name = "PATH", requires = "git")]
    path: Option<String>,

    /// PEM file of certificate authorities to trust besides the system's
    #[arg(long, help_heading = "Git", value_name = "FILE", requires = "git")]
    git_ca: Option<PathBuf>,

    /// Proxy for https [default: what HTTPS_PROXY and the like name]
    // Without `requires`: the environment may name one for whenever there is a repository.
    #[arg(
        long,
        help_heading = "Git",
        value_name = "URL",
        hide_env_values = true,
        env = "FLEETWRIGHT_GIT_PROXY"
    )]
    pub(super) git_proxy: Option<String>,

    /// File with a token or a password, instead of FLEETWRIGHT_GIT_TOKEN; read each time, so that it can be renewed
    #[arg(long, help_heading = "Git", value_name = "FILE", requires = "git")]
    git_token_file: Option<PathBuf>,

    /// User that the token or password is of; most servers take any beside a token
    #[arg(long, help_heading = "Git", value_name = "NAME", requires = "git")]
    git_user: Option<String>,

    /// Private key for ssh; its passphrase comes from FLEETWRIGHT_GIT_PASSPHRASE
    #[arg(long, help_heading = "Git", value_name = "FILE", requires = "git")]
    git_ssh_key: Option<PathBuf>,

    /// Keys of ssh servers, as OpenSSH keeps them [default: ~/.ssh/known_hosts]
    #[arg(long, help_heading = "Git", value_name = "FILE", requires = "git")]
    git_known_hosts: Option<PathBuf>,

    /// SSH keys that may sign commits and tags (allowed_signers); what they have not signed is refused
    #[arg(long, help_heading = "Git", value_name = "FILE", requires = "git")]
    git_signers: Option<PathBuf>,

    /// OpenPGP keys that may sign commits and tags (gpg --armor --export); what they have not signed is refused
    #[arg(long, help_heading = "Git", value_name = "FILE", requires = "git")]
    git_openpgp_keys: Option<PathBuf>,

    /// Directory for copies of repositories [default: fleetwright/git in the user's cache directory]
    #[arg(long, help_heading = "Git", value_name = "DIR", requires = "git")]
    git_cache: Option<PathBuf>,

    /// How long fetching may take [default: 5m]
    #[arg(long, help_heading = "Git", value_name = "DURATION", requires = "git", value_parser = duration)]
    git_timeout: Option<Duration>,

    /// How much a server may send in one fetch, as in 200MiB: more is refused, and what was in force stays so [default: 512MiB]
    #[arg(long, help_heading = "Git", value_name = "SIZE", requires = "git", value_parser = size)]
    git_max_size: Option<u64>,
}

impl GitArgs {
    /// No repository.
    pub(super) fn none() -> Self {
        Self {
            git: None,
            reference: None,
            path: None,
            git_ca: None,
            git_proxy: None,
            git_token_file: None,
            git_user: None,
            git_ssh_key: None,
            git_known_hosts: None,
            git_signers: None,
            git_openpgp_keys: None,
            git_cache: None,
            git_timeout: None,
            git_max_size: None,
        }
    }

    /// What a list of fleets says of a repository; `path` gives a file that it names.
    pub(super) fn of(git: &GitListed, path: impl Fn(&Option<PathBuf>) -> Option<PathBuf>) -> anyhow::Result<Self> {
        let timeout = git.timeout.as_deref().map(duration).transpose();
        let max_size = git.max_size.as_deref().map(size).transpose();
        Ok(Self {
            git: Some(git.url.clone()),
            reference: git.r#ref.as_deref().map(str::parse).transpose()?,
            path: git.path.clone(),
            git_ca: path(&git.ca_file),
            git_proxy: git.proxy.clone(),
            git_token_file: path(&git.token_file),
            git_user: git.user.clone(),
            git_ssh_key: path(&git.ssh_key_file),
            git_known_hosts: path(&git.known_hosts_file),
            git_signers: path(&git.signers_file),
            git_openpgp_keys: path(&git.openpgp_keys_file),
            git_timeout: timeout.map_err(|error| anyhow::anyhow!("`timeout`: {error}"))?,
            git_max_size: max_size.map_err(|error| anyhow::anyhow!("`maxSize`: {error}"))?,
            ..Self::none()
        })
    }

    /// What to fetch, if a repository is named. `cache` is the user's cache directory.
    pub(super) fn options(&self, cache: Option<PathBuf>) -> anyhow::Result<Option<FetchOptions>> {
        let Some(url) = &self.git else { return Ok(None) };
        // Not parsed by clap, which repeats what it refuses: that may be a password.
        let location: Location = url.parse().context("--git")?;
        let Some(cache) = self.git_cache.clone().or_else(|| cache.map(|cache| cache.join("git"))) else {
            anyhow::bail!("there is no cache directory: give one with --git-cache");
        };
        let known_hosts = self.git_known_hosts.clone().or_else(|| {
            let usual = std::env::home_dir()?.join(".ssh/known_hosts");
            (self.git_ssh_key.is_some() && usual.exists()).then_some(usual)
        });
        let deadline = self.git_timeout;
        if let Some(deadline) = deadline {
            wait_no_longer(deadline);
        }
        Ok(Some(FetchOptions {
            location,
            selection: self.reference.clone().unwrap_or_default(),
            path: self.path.clone().unwrap_or_default().trim_end_matches('/').to_owned(),
            cache,
            ca: self.git_ca.clone(),
            proxy: match &self.git_proxy {
                // All but its password is shown elsewhere, and that is known by its place.
                Some(url) => Proxy::Url(Secret::unremembered(url)),
                None => Proxy::Environment,
            },
            user: self.git_user.clone(),
            token: match &self.git_token_file {
                Some(path) => Some(Token::File(path.clone())),
                None => secret_of(TOKEN).map(Token::Given),
            },
            ssh: SshAccess {
                key: self.git_ssh_key.clone(),
                passphrase: secret_of(PASSPHRASE),
                known_hosts,
            },
            signers: self.git_signers.clone(),
            openpgp_keys: self.git_openpgp_keys.clone(),
            deadline,
            max_size: self.git_max_size,
            now: jiff::Timestamp::now(),
        }))
    }
}

/// A server that says nothing is given up no later than the fetch as a whole.
pub(super) fn wait_no_longer(deadline: Duration) {
    use crate::source::git::{Timeouts, set_timeouts};
    let usual = Timeouts::default();
    set_timeouts(Timeouts {
        connect: usual.connect.min(deadline),
        silence: usual.silence.min(deadline),
    });
}

fn secret_of(variable: &str) -> Option<Secret> {
    let text = std::env::var_os(variable)?.into_string().ok()?;
    Some(Secret::new(text.trim())).filter(|secret| !secret.expose().is_empty())
}
