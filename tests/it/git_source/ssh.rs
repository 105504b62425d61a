//! Over ssh, from a real sshd.

use std::fs;

use fleetwright::resource::Secret;
use fleetwright::source::git::{Credentials, GitError, HostKeyProblem, KnownHosts, Remote};

use super::signed::SshKeys;
use super::{Upstream, chain, fetched, mirror, read, refused, texts};
use crate::support::Sshd;

struct Stage {
    keys: SshKeys,
    server: Sshd,
    upstream: Upstream,
    /// The server's public key.
    host: String,
}

fn stage() -> Option<Stage> {
    let keys = SshKeys::new()?;
    let host = keys.make("host", &["-t", "ed25519"], "");
    let client = keys.make("client", &["-t", "ed25519"], "");
    let locked = keys.make("locked", &["-t", "ed25519"], "hunter2");
    let rsa = keys.make("rsa", &["-t", "rsa", "-b", "2048"], "");
    let server = Sshd::start(&keys.0.path().join("host"), &format!("{client}\n{locked}\n{rsa}\n"))?;
    let upstream = Upstream::new();
    upstream.commit("main", &[("fleet.yaml", "kind: Fleet\n")]);
    Some(Stage {
        keys,
        server,
        upstream,
        host,
    })
}

impl Stage {
    fn remote(&self, key: &str, passphrase: Option<&str>, known_hosts: &str) -> Remote {
        let mut remote = Remote::new(self.server.url(&self.upstream.path()).parse().unwrap());
        remote.credentials = Credentials::SshKey {
            key: Secret::new(fs::read_to_string(self.keys.0.path().join(key)).unwrap()),
            passphrase: passphrase.map(Secret::new),
        };
        remote.known_hosts = Some(KnownHosts::parse(known_hosts).unwrap());
        remote
    }

    fn known(&self) -> String {
        format!("[127.0.0.1]:{} {}", self.server.port, self.host)
    }
}

#[test]
fn a_fleet_is_read_over_ssh_from_a_server_that_is_known() {
    let Some(stage) = stage() else { return };
    let fetch = |key: &str, passphrase| {
        let at = mirror(
            &stage.upstream.beside(key),
            stage.remote(key, passphrase, &stage.known()),
        );
        let commit = fetched(&at);
        assert_eq!(texts(&read(&at, &commit)), [("fleet.yaml", "kind: Fleet\n")]);
    };
    fetch("client", None);
    fetch("locked", Some("hunter2"));
    fetch("rsa", None);
}

#[test]
fn no_host_key_is_taken_on_trust() {
    let Some(stage) = stage() else { return };
    let said = |known: &str| {
        let at = mirror(&stage.upstream.beside("cache"), stage.remote("client", None, known));
        match refused(&at) {
            GitError::HostKey { source, .. } => source,
            error => panic!("{}", chain(&error)),
        }
    };
    let other = stage.keys.make("other", &["-t", "ed25519"], "");
    let elsewhere = format!("example.org {}", stage.host);
    assert!(matches!(said(&elsewhere), HostKeyProblem::Unknown { .. }));
    let place = format!("[127.0.0.1]:{}", stage.server.port);
    assert!(matches!(
        said(&format!("{place} {other}")),
        HostKeyProblem::Changed { .. }
    ));
    let rsa = stage.keys.make("another", &["-t", "rsa", "-b", "2048"], "");
    assert!(matches!(
        said(&format!("{place} {rsa}")),
        HostKeyProblem::OtherType { .. }
    ));
    let revoked = format!("{}\n@revoked * {}", stage.known(), stage.host);
    assert!(matches!(said(&revoked), HostKeyProblem::Revoked { .. }));
    let mut none = stage.remote("client", None, &stage.known());
    none.known_hosts = None;
    let error = fleetwright::source::git::Mirror::open(&stage.upstream.beside("cache"), none, None).unwrap_err();
    assert!(error.to_string().contains("needs a known_hosts file"), "{error}");
}

#[test]
fn a_key_that_is_not_let_in_is_told_and_never_shown() {
    let Some(stage) = stage() else { return };
    stage.keys.make("stranger", &["-t", "ed25519"], "");
    let said = |key: &str, passphrase| {
        let at = mirror(
            &stage.upstream.beside("cache"),
            stage.remote(key, passphrase, &stage.known()),
        );
        let error = refused(&at);
        let text = format!("{} {error:?}", chain(&error));
        assert!(!text.contains("PRIVATE KEY") && !text.contains("wrong-one"), "{text}");
        assert!(matches!(error, GitError::Credentials { given: true, .. }), "{text}");
    };
    said("stranger", None);
    said("locked", Some("wrong-one"));
    said("locked", None);
    let mut remote = stage.remote("client", None, &stage.known());
    remote.location = stage.server.url(&stage.upstream.beside("none.git")).parse().unwrap();
    let error = refused(&mirror(&stage.upstream.beside("cache"), remote));
    assert!(!chain(&error).is_empty());
}
