//! Over http, from a real Gitea.

use fleetwright::resource::{Revision, Secret};
use fleetwright::source::git::{Advance, Allowed, Credentials, GitError, KnownHosts, Refusal, Remote, advance};
use git2::{Cred, PushOptions, RemoteCallbacks};

use super::signed::SshKeys;
use super::{Upstream, chain, fetched, mirror, read, refused, texts};
use crate::cli::Workplace;
use crate::support::Gitea;

/// Pushes from a repository on this machine.
#[track_caller]
fn push(gitea: &Gitea, from: &Upstream, specs: &[&str]) {
    let mut callbacks = RemoteCallbacks::new();
    callbacks
        .credentials(|_, _, _| Cred::userpass_plaintext("tester", &gitea.token))
        .push_update_reference(|name, refusal| match refusal {
            Some(refusal) => Err(git2::Error::from_str(&format!("{name}: {refusal}"))),
            None => Ok(()),
        });
    let mut options = PushOptions::new();
    options.remote_callbacks(callbacks);
    let mut remote = from.repository.remote_anonymous(&gitea.url("fleet")).unwrap();
    remote.push(specs, Some(&mut options)).unwrap();
}

#[test]
fn a_fleet_is_read_from_gitea_while_its_branch_moves_is_rewritten_and_goes() {
    let Some(gitea) = Gitea::start() else { return };
    gitea.make("fleet");
    let local = Upstream::new();
    let with = |credentials: Credentials| {
        let mut remote = Remote::new(gitea.url("fleet").parse().unwrap());
        remote.credentials = credentials;
        mirror(&local.beside("cache"), remote)
    };
    let token = |token: &str| Credentials::token(Secret::new(token));
    let at = with(token(&gitea.token));
    let error = refused(&at);
    assert!(matches!(error, GitError::Empty { .. }), "{}", chain(&error));

    let first = local.commit("main", &[("fleet.yaml", "kind: Fleet\n")]);
    push(&gitea, &local, &["refs/heads/main:refs/heads/main"]);
    let good = fetched(&at);
    assert_eq!((&good.commit, good.name.as_str()), (&first, "refs/heads/main"));
    assert_eq!(texts(&read(&at, &good)), [("fleet.yaml", "kind: Fleet\n")]);
    at.keep("fleet", &good).unwrap();

    let place = Workplace::new(&[]);
    let mut command = place.command(&["validate", "--git", &gitea.url("fleet"), "--ref", "main"]);
    let output = command.env("FLEETWRIGHT_GIT_TOKEN", &gitea.token).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains(&format!("commit {first} (refs/heads/main)")), "{said}");
    let file = place.path().join("token");
    std::fs::write(&file, format!("{}\n", gitea.token)).unwrap();
    let token_file = [
        "validate",
        "--git",
        &gitea.url("fleet"),
        "--git-token-file",
        file.to_str().unwrap(),
    ];
    assert!(place.run(&token_file).stderr.contains(first.as_str()));
    assert!(place.run(&token_file[..3]).exits(1).stderr.contains("give a token"));

    let error = refused(&with(Credentials::None));
    assert!(
        matches!(error, GitError::Credentials { given: false, .. }),
        "{}",
        chain(&error)
    );
    let error = refused(&with(token("0123456789abcdef0123456789abcdef01234567")));
    assert!(
        matches!(error, GitError::Credentials { given: true, .. }),
        "{}",
        chain(&error)
    );
    assert!(!format!("{} {error:?}", chain(&error)).contains("0123456789abcdef"));
    let password = Credentials::Password {
        user: "tester".into(),
        password: Secret::new("wrong"),
    };
    assert!(matches!(
        refused(&with(password)),
        GitError::Credentials { given: true, .. }
    ));
    let narrow = gitea.make_token("reader", "read:repository");
    assert_eq!(fetched(&with(token(&narrow))).commit, first);
    gitea.revoke_token("reader");
    assert!(matches!(
        refused(&with(token(&narrow))),
        GitError::Credentials { given: true, .. }
    ));

    let go = |new: &Revision, allowed| {
        let standing = at.relation(&first, new).unwrap();
        advance(Some(&first), new, standing, allowed)
    };
    let second = local.commit("main", &[("clusters/a.yaml", "kind: Cluster\n")]);
    push(&gitea, &local, &["refs/heads/main:refs/heads/main"]);
    let moved = fetched(&at);
    assert_eq!(moved.commit, second);
    assert_eq!(read(&at, &moved).files.len(), 2);
    assert_eq!(go(&second, Allowed::default()), Ok(Advance::Forward));

    let other = local.commit_tree(None, local.tree(None, &[]));
    let other = local.set("other", other);
    push(&gitea, &local, &["+refs/heads/other:refs/heads/main"]);
    assert_eq!(fetched(&at).commit, other);
    assert!(matches!(go(&other, Allowed::default()), Err(Refusal::Rewritten { .. })));

    // Gitea does not let go of the default branch, so another one is followed to its end.
    push(&gitea, &local, &["refs/heads/other:refs/heads/next"]);
    let mut remote = at.remote().clone();
    remote.selection = "next".parse().unwrap();
    let next = mirror(&local.beside("cache"), remote);
    assert_eq!(fetched(&next).commit, other);
    push(&gitea, &local, &[":refs/heads/next"]);
    let error = refused(&next);
    assert!(matches!(error, GitError::Absent { .. }), "{}", chain(&error));
    assert_eq!(at.kept("fleet", super::now()).unwrap(), Some(good));

    let mut remote = at.remote().clone();
    remote.location = gitea.url("none").parse().unwrap();
    let error = refused(&mirror(&local.beside("cache"), remote));
    assert!(matches!(error, GitError::NoRepository { .. }), "{}", chain(&error));
}

#[test]
fn a_fleet_is_read_over_ssh_from_gitea_by_a_key_that_it_knows() {
    let Some(keys) = SshKeys::new() else { return };
    let host = keys.make("host", &["-t", "ed25519"], "");
    let ours = keys.make("ours", &["-t", "ed25519"], "");
    keys.make("stranger", &["-t", "ed25519"], "");
    let Some(gitea) = Gitea::start_with_ssh(&keys.0.path().join("host")) else {
        return;
    };
    gitea.make("fleet");
    let local = Upstream::new();
    let first = local.commit("main", &[("fleet.yaml", "kind: Fleet\n")]);
    push(&gitea, &local, &["refs/heads/main:refs/heads/main"]);
    gitea.add_key(&ours);
    let (url, place) = gitea.ssh_url("fleet");
    let with = |key: &str, host: &str| {
        let mut remote = Remote::new(url.parse().unwrap());
        remote.credentials = Credentials::SshKey {
            key: Secret::new(std::fs::read_to_string(keys.0.path().join(key)).unwrap()),
            passphrase: None,
        };
        remote.known_hosts = Some(KnownHosts::parse(&format!("{place} {host}")).unwrap());
        mirror(&local.beside("cache"), remote)
    };
    let at = with("ours", &host);
    let good = fetched(&at);
    assert_eq!((&good.commit, good.name.as_str()), (&first, "refs/heads/main"));
    assert_eq!(texts(&read(&at, &good)), [("fleet.yaml", "kind: Fleet\n")]);
    let second = local.commit("main", &[("clusters/a.yaml", "kind: Cluster\n")]);
    push(&gitea, &local, &["refs/heads/main:refs/heads/main"]);
    assert_eq!(fetched(&at).commit, second);

    let error = refused(&with("stranger", &host));
    assert!(
        matches!(error, GitError::Credentials { given: true, .. }),
        "{}",
        chain(&error)
    );
    let error = refused(&with("ours", &ours));
    assert!(matches!(error, GitError::HostKey { .. }), "{}", chain(&error));
}
