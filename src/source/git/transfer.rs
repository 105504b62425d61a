//! Talks to a server: lists what it has, chooses, and receives what the copy lacks.
//!
//! Invariant: ends at the deadline whatever the server does, and never receives more than the budget. The work is done by
//! a thread of its own, since a server that sends a byte now and then is waited for without a callback: at the deadline it
//! is left behind with the lock of the copy, and ends when the server falls silent. May not read trees.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Instant;

use git2::cert::Cert;
use git2::{
    CertificateCheckStatus, Cred, CredentialType, Direction, ErrorClass, ErrorCode, FetchOptions, Oid, Progress,
    ProxyOptions, RemoteCallbacks, Repository,
};

use super::cache::Cache;
use super::error::{GitError, Phase, Said};
use super::known_hosts::HostKeyProblem;
use super::location::Scheme;
use super::remote::{Credentials, Proxy, Remote};
use super::selection::{Listed, NoChoice, Selection, choose};
use super::turn::Turn;
use super::{global, known_hosts, whole};
use crate::resource::Digest;

/// What a selection has come to; the copy holds it and all that it is made of.
#[derive(Clone, Debug)]
pub(super) struct Selected {
    /// Such as `refs/heads/main`; the id for a commit that was named by it.
    pub(super) name: String,
    /// The commit, or the tag object.
    pub(super) id: Oid,
}

/// Brings the copy up to date.
pub(super) fn fetch(cache: &Cache, remote: &Remote) -> Result<Selected, GitError> {
    let limit = remote.budget.deadline;
    let now = Instant::now();
    let until = now.checked_add(limit).unwrap_or(now);
    let phase = Arc::new(AtomicU8::new(0));
    let late = |phase| GitError::Deadline {
        url: remote.location.clone(),
        limit,
        phase,
    };
    let turn = Turn::wait(&cache.directory, limit).ok_or_else(|| late(Phase::Waiting))?;
    let (send, receive) = sync_channel(1);
    let work = {
        let (cache, remote, phase) = (cache.clone(), remote.clone(), phase.clone());
        move || {
            // Nobody may be waiting any more, so that nobody may hear this.
            let tell = |result| drop(send.send(result));
            match cache.lock() {
                Ok(lock) => {
                    tell(work(&cache, &remote, until, &phase));
                    // For this waits the next fetch alone.
                    cache.tidy();
                    drop(lock);
                }
                Err(error) => tell(Err(error)),
            }
            drop(turn);
        }
    };
    if let Err(source) = thread::Builder::new().name("git-fetch".to_owned()).spawn(work) {
        return Err(GitError::Cache {
            path: cache.directory.clone(),
            source,
        });
    }
    match receive.recv_timeout(until.saturating_duration_since(Instant::now())) {
        Ok(result) => result,
        Err(RecvTimeoutError::Timeout) => Err(late(phase_of(&phase))),
        Err(RecvTimeoutError::Disconnected) => Err(GitError::Fetch {
            url: remote.location.clone(),
            source: Said("the fetch ended without a result".to_owned()),
        }),
    }
}

fn phase_of(phase: &AtomicU8) -> Phase {
    match phase.load(Ordering::Relaxed) {
        0 => Phase::Waiting,
        1 => Phase::Listing,
        _ => Phase::Receiving,
    }
}

/// Only with the lock.
fn work(cache: &Cache, remote: &Remote, until: Instant, phase: &AtomicU8) -> Result<Selected, GitError> {
    phase.store(1, Ordering::Relaxed);
    if let Some(ca) = &remote.ca {
        global::trust(ca).map_err(|source| GitError::Authorities {
            path: ca.clone(),
            source,
        })?;
    }
    let attempt = || {
        let transfer = Transfer {
            cache,
            remote,
            until,
            phase,
            told: RefCell::default(),
        };
        transfer.run(&cache.open_or_make()?)
    };
    match attempt() {
        // A copy can be had again. That a second one is damaged as well is the server's doing, or the disk's.
        Err(GitError::Damaged { source, .. }) => {
            tracing::warn!(url = %remote.location, error = %source, "the copy is damaged and is made anew");
            cache.discard()?;
            attempt()
        }
        result => result,
    }
}

struct Transfer<'a> {
    cache: &'a Cache,
    remote: &'a Remote,
    until: Instant,
    phase: &'a AtomicU8,
    told: RefCell<Told>,
}

/// What callbacks tell besides saying no.
#[derive(Default)]
struct Told {
    /// Why they said no.
    stopped: Option<GitError>,
    /// How often a password or key was asked for.
    asked: usize,
}

impl Transfer<'_> {
    fn run(&self, repository: &Repository) -> Result<Selected, GitError> {
        let remote = self.remote;
        let by_id = match &remote.selection {
            Selection::Commit(id) => Some(Oid::from_str(id).map_err(|error| self.cache.damaged(&error))?),
            _ => None,
        };
        // A commit that is here is the one that is meant, whatever the server says by now.
        if let Some(id) = by_id.filter(|id| repository.find_commit(*id).is_ok()) {
            return Ok(Selected {
                name: id.to_string(),
                id,
            });
        }
        let mut connection = repository
            .remote_anonymous(remote.location.as_str())
            .map_err(|error| self.cache.damaged(&error))?;
        let mut connection = connection
            .connect_auth(Direction::Fetch, Some(self.callbacks()), Some(self.proxy()))
            .map_err(|error| self.failure(&error))?;
        let listed = self.list(&connection)?;
        // A server that does not say which branch HEAD is has none.
        let head = connection.default_branch().ok();
        let head = head.as_ref().and_then(|head| head.as_str().ok());
        let wanted: Vec<&Listed> = match by_id {
            None => vec![choose(&remote.selection, &listed, head).map_err(|why| self.no_choice(why))?],
            Some(id) => match listed.iter().find(|one| one.id == id) {
                Some(one) => vec![one],
                None => listed.iter().filter(|one| is_history(&one.name)).collect(),
            },
        };
        self.phase.store(2, Ordering::Relaxed);
        let specs: Vec<String> = wanted.iter().map(|one| format!("+{0}:{0}", one.name)).collect();
        let mut options = FetchOptions::new();
        options
            .remote_callbacks(self.callbacks())
            .proxy_options(self.proxy())
            .update_fetchhead(false)
            .download_tags(git2::AutotagOption::None);
        for one in &wanted {
            self.is_whole_there(repository, one)?;
        }
        let before = self.cache.packs();
        connection
            .remote()
            .download(&specs, Some(&mut options))
            .map_err(|error| self.failure(&error))?;
        drop(options);
        for one in &wanted {
            if let Err(error) = self.remember(repository, one) {
                if matches!(error, GitError::Partial { .. }) {
                    self.cache.forget_packs(&before);
                }
                return Err(error);
            }
        }
        match (by_id, wanted.first()) {
            (Some(id), _) if repository.find_commit(id).is_ok() => Ok(Selected {
                name: id.to_string(),
                id,
            }),
            (None, Some(one)) => Ok(Selected {
                name: one.name.clone(),
                id: one.id,
            }),
            _ => Err(self.no_choice(NoChoice::Absent { near: None })),
        }
    }

    fn list(&self, connection: &git2::RemoteConnection<'_, '_, '_>) -> Result<Vec<Listed>, GitError> {
        let heads = connection.list().map_err(|error| self.failure(&error))?;
        let listed = |head: &git2::RemoteHead<'_>| Listed {
            name: head.name().to_owned(),
            id: head.oid(),
        };
        Ok(heads.iter().map(listed).collect())
    }

    /// Refuses what a repository on this machine has in part: of what it lacks and of what the copy lacks libgit2 says the same.
    fn is_whole_there(&self, repository: &Repository, one: &Listed) -> Result<(), GitError> {
        let known = repository.refname_to_id(&reference_of(&one.name)).ok();
        let missing = self.remote.location.directory().and_then(|directory| {
            let there = Repository::open(directory).ok()?;
            // What else is wrong with it, the fetch tells.
            whole::missing(&there, one.id, known).ok()?
        });
        missing.map_or(Ok(()), |missing| Err(self.partial(one, missing)))
    }

    fn partial(&self, one: &Listed, missing: Oid) -> GitError {
        GitError::Partial {
            url: self.remote.location.clone(),
            name: one.name.clone(),
            missing: missing.to_string(),
        }
    }

    /// Keeps what was received, and lets the next fetch say that it is here.
    fn remember(&self, repository: &Repository, one: &Listed) -> Result<(), GitError> {
        if repository.find_object(one.id, None).is_err() {
            return Err(GitError::Fetch {
                url: self.remote.location.clone(),
                source: Said(format!("the server has not sent {}", one.name)),
            });
        }
        let name = reference_of(&one.name);
        let known = repository.refname_to_id(&name).ok();
        let missing = match known {
            Some(known) if known == one.id => Ok(None),
            known => whole::missing(repository, one.id, known),
        };
        if let Some(missing) = missing.map_err(|error| self.cache.damaged(&error))? {
            return Err(self.partial(one, missing));
        }
        repository
            .reference(&name, one.id, true, "fetched")
            .map(drop)
            .map_err(|error| self.cache.damaged(&error))
    }

    fn no_choice(&self, why: NoChoice) -> GitError {
        let url = self.remote.location.clone();
        match (why, &self.remote.selection) {
            (NoChoice::Empty, _) => GitError::Empty { url },
            (NoChoice::Ambiguous, Selection::Name(name)) => GitError::Ambiguous {
                url,
                name: name.clone(),
            },
            (NoChoice::Ambiguous, selection) => GitError::Absent {
                url,
                wanted: selection.to_string(),
                hint: String::new(),
            },
            (NoChoice::Absent { near }, selection) => GitError::Absent {
                url,
                wanted: selection.to_string(),
                hint: near.map_or_else(String::new, |near| format!("; did you mean `{near}`?")),
            },
        }
    }

    fn proxy(&self) -> ProxyOptions<'static> {
        let mut options = ProxyOptions::new();
        match &self.remote.proxy {
            Proxy::None => {}
            Proxy::Environment => {
                options.auto();
            }
            Proxy::Url(url) => {
                options.url(url.expose());
            }
        }
        options
    }

    fn callbacks(&self) -> RemoteCallbacks<'_> {
        let mut callbacks = RemoteCallbacks::new();
        callbacks
            .credentials(|_, _, allowed| self.credentials(allowed))
            .certificate_check(|certificate, _| self.certificate(certificate))
            .sideband_progress(|_| self.is_in_time())
            .transfer_progress(|progress| self.is_in_time() && self.is_in_budget(&progress));
        callbacks
    }

    fn stop(&self, error: GitError) {
        self.told.borrow_mut().stopped.get_or_insert(error);
    }

    fn is_in_time(&self) -> bool {
        if Instant::now() < self.until {
            return true;
        }
        self.stop(GitError::Deadline {
            url: self.remote.location.clone(),
            limit: self.remote.budget.deadline,
            phase: phase_of(self.phase),
        });
        false
    }

    fn is_in_budget(&self, progress: &Progress<'_>) -> bool {
        let budget = self.remote.budget;
        let (limit, unit) = if progress.received_bytes() as u64 > budget.bytes {
            (budget.bytes, "bytes")
        } else if progress.total_objects() > budget.objects {
            (budget.objects as u64, "objects")
        } else {
            return true;
        };
        self.stop(GitError::TooMuch {
            url: self.remote.location.clone(),
            limit,
            unit,
        });
        false
    }

    fn credentials(&self, allowed: CredentialType) -> Result<Cred, git2::Error> {
        let user = self.remote.location.user().unwrap_or("git");
        if allowed.contains(CredentialType::USERNAME) {
            return Cred::username(user);
        }
        let mut told = self.told.borrow_mut();
        told.asked += 1;
        // The listing asks, and some servers ask again for the objects; more often than that means no.
        if told.asked > 2 {
            return Err(auth("the server does not accept them"));
        }
        match &self.remote.credentials {
            Credentials::None => Err(auth("the server wants credentials")),
            Credentials::Password { user, password } if allowed.contains(CredentialType::USER_PASS_PLAINTEXT) => {
                Cred::userpass_plaintext(user, password.expose())
            }
            Credentials::SshKey { key, passphrase } if allowed.contains(CredentialType::SSH_MEMORY) => {
                let passphrase = passphrase.as_ref().map(|passphrase| passphrase.expose());
                Cred::ssh_key_from_memory(user, None, key.expose(), passphrase)
            }
            Credentials::Password { .. } | Credentials::SshKey { .. } => {
                Err(auth("the server wants credentials of another kind"))
            }
        }
    }

    fn certificate(&self, certificate: &Cert<'_>) -> Result<CertificateCheckStatus, git2::Error> {
        // Of X.509 OpenSSL knows better than we do; to say "yes" here would overrule it.
        if certificate.as_x509().is_some() {
            return Ok(CertificateCheckStatus::CertificatePassthrough);
        }
        let location = &self.remote.location;
        let (host, port) = (location.host(), location.port());
        let checked = match (
            certificate.as_hostkey().and_then(|key| key.hostkey()),
            &self.remote.known_hosts,
        ) {
            (Some(key), Some(known)) => known.check(host, port, key),
            _ => Err(HostKeyProblem::NoKey {
                host: known_hosts::name_of(host, port),
            }),
        };
        match checked {
            Ok(()) => Ok(CertificateCheckStatus::CertificateOk),
            Err(source) => {
                self.stop(GitError::HostKey {
                    url: location.clone(),
                    source,
                });
                let message = "the server's key is not trusted";
                Err(git2::Error::new(ErrorCode::Certificate, ErrorClass::Ssh, message))
            }
        }
    }

    /// What libgit2's error means. It tells most by class and code, the rest by its message alone.
    fn failure(&self, error: &git2::Error) -> GitError {
        if let Some(stopped) = self.told.borrow_mut().stopped.take() {
            return stopped;
        }
        if let Some(failed) = self.cache.failure_of_disk(error) {
            return failed;
        }
        let url = self.remote.location.clone();
        let source = self.said(error);
        let says = |text: &str| error.message().contains(text);
        let given = self.remote.credentials.is_some();
        let is_file = url.scheme() == Scheme::File;
        match (error.code(), error.class()) {
            (ErrorCode::Timeout, _) => GitError::Stalled { url, source },
            (_, ErrorClass::Net | ErrorClass::Ssh | ErrorClass::Ssl | ErrorClass::Os)
                if says("timed out") || says("timeout") || says("Timeout") =>
            {
                GitError::Stalled { url, source }
            }
            (ErrorCode::Auth, _) if says("proxy authentication") => {
                let source = Said("the proxy wants a user and a password, or refuses those in its URL".to_owned());
                GitError::Unreachable { url, source }
            }
            // It was given them, and does not say again what it takes.
            (ErrorCode::Auth, _) if says("that we do not support") && self.told.borrow().asked > 0 => {
                let source = Said("the server does not accept them".to_owned());
                GitError::Credentials { url, given, source }
            }
            (ErrorCode::Auth, _) => GitError::Credentials { url, given, source },
            (ErrorCode::Certificate, _) => GitError::Certificate { url, source },
            (_, ErrorClass::Ssl) if says("certificate") => GitError::Certificate { url, source },
            (_, ErrorClass::Http) if says("status code: 401") || says("status code: 403") => {
                GitError::Credentials { url, given, source }
            }
            (_, ErrorClass::Http) if says("status code: 404") => GitError::NoRepository { url, source },
            (_, ErrorClass::Http | ErrorClass::Net) if says("redirect") => GitError::Moved { url, source },
            (_, ErrorClass::Ssh) if says("Failed to authenticate") || says("Unable to extract public key") => {
                GitError::Credentials { url, given, source }
            }
            (_, ErrorClass::Os) | (ErrorCode::NotFound, ErrorClass::Repository) if is_file => {
                GitError::NoRepository { url, source }
            }
            (_, ErrorClass::Net | ErrorClass::Ssl | ErrorClass::Os) => GitError::Unreachable { url, source },
            (_, ErrorClass::Odb | ErrorClass::Reference | ErrorClass::Object) => self.cache.damaged(error),
            _ => GitError::Fetch { url, source },
        }
    }

    fn said(&self, error: &git2::Error) -> Said {
        let mut secrets = self.remote.credentials.secrets();
        if let Proxy::Url(url) = &self.remote.proxy {
            secrets.push(url.expose());
        }
        let mut text = error.message().to_owned();
        for secret in secrets.into_iter().filter(|secret| !secret.is_empty()) {
            text = text.replace(secret, "(secret)");
        }
        Said(text)
    }
}

fn auth(message: &str) -> git2::Error {
    git2::Error::new(ErrorCode::Auth, ErrorClass::Callback, message)
}

fn is_history(name: &str) -> bool {
    (name.starts_with("refs/heads/") || name.starts_with("refs/tags/")) && !name.ends_with("^{}")
}

/// Where a server's reference is kept in the copy. Not under its own name: a branch `a` that gave way to a branch `a/b`
/// would be in the way of that for ever.
fn reference_of(name: &str) -> String {
    format!("refs/fetched/{}", Digest::of(name.as_bytes()).to_hex())
}
