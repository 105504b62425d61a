//! The program reads and follows what people really have: a repository under an authority of their own, behind a proxy, over
//! ssh, signed by OpenPGP keys.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use git2::{Repository, ResetType};

use super::daemon::{Daemon, commit, commit_in, commit_with, has_replicas};
use super::sync::pools;
use super::telemetry::{push, push_from};
use super::{Stage, shown};
use crate::cli::{Ran, Workplace};
use crate::git_source::signed::{Gpg, SshKeys};
use crate::support::{Gitea, Proxy, Tls};

/// The demo fleet in a private repository of a real Gitea, with TLS before it.
struct Served {
    gitea: Gitea,
    tls: Tls,
    place: Workplace,
    commit: String,
}

impl Served {
    fn start() -> Option<Self> {
        let gitea = Gitea::start()?;
        gitea.make("fleet");
        let place = Workplace::copy_of(&crate::fleet_support::repository("fleet"));
        let commit = commit_in(&place.fleet(), "first", |_| None).to_string();
        push_from(&gitea, &place.fleet(), "fleet");
        Some(Self {
            tls: Tls::before(gitea.port()),
            gitea,
            place,
            commit,
        })
    }

    /// The repository's URL.
    fn url(&self) -> String {
        format!("https://127.0.0.1:{}/tester/fleet.git", self.tls.port())
    }

    /// Renders what is at a URL, which the user reads by a password. No password is shown.
    #[track_caller]
    fn render(&self, url: &str, password: &str, more: &[&str], env: &[(&str, &str)]) -> Ran {
        let file = written(&self.place, "password", password);
        let git = ["render", "-vv", "--git", url, "--ref", "main", "--git-user", "tester"];
        let args = [&git[..], &["--git-token-file", &file], more].concat();
        let mut command = self.place.command(&args);
        let output = command.envs(env.iter().copied()).output().expect("a start");
        let ran = shown(&args, Ran::of(output));
        for secret in [password, &STANDARD.encode(format!("tester:{password}"))] {
            let is_shown = ran.stdout.contains(secret) || ran.stderr.contains(secret);
            assert!(!is_shown, "the password is shown");
        }
        ran
    }

    /// Asserts that what came out is what the fleet's files give.
    #[track_caller]
    fn is_all(&self, ran: Ran) {
        let ran = ran.exits(0);
        let of_files = self.place.run(&["render", "--fleet", "fleet"]).exits(0);
        assert!(ran.stdout == of_files.stdout && ran.stdout.len() > 1000);
        let commit = format!("commit {} (refs/heads/main)", self.commit);
        assert!(ran.stderr.contains(&commit), "{}", ran.stderr);
    }
}

/// Writes a file beside the fleet; its path.
fn written(place: &Workplace, name: &str, text: &str) -> String {
    let path = place.path().join(name);
    std::fs::write(&path, text).expect("a file");
    text_of(&path)
}

fn text_of(path: &Path) -> String {
    path.to_str().expect("a path of text").to_owned()
}

/// Asserts that a run was refused with these words, and gave nothing.
#[track_caller]
fn is_refused(ran: Ran, words: &str) {
    let ran = ran.exits(1);
    assert!(ran.stdout.is_empty() && ran.stderr.contains(words), "{}", ran.stderr);
}

#[test]
fn a_fleet_is_read_by_a_password_under_an_authority_of_ones_own() {
    let Some(served) = Served::start() else { return };
    let (ours, other) = (text_of(&Tls::authority()), text_of(&Tls::other_authority()));
    let by = |password: &str, more: &[&str]| served.render(&served.url(), password, more, &[]);
    served.is_all(by(Gitea::PASSWORD, &["--git-ca", &ours]));

    // What was fetched before is no help to any of these.
    let untrusted = format!("the certificate of {} is not trusted", served.url());
    is_refused(by(Gitea::PASSWORD, &[]), &untrusted);
    is_refused(by(Gitea::PASSWORD, &["--git-ca", &other]), &untrusted);
    let ran = by("hunter2", &["--git-ca", &ours]);
    assert!(ran.stderr.contains("the server does not accept them"), "{}", ran.stderr);
    is_refused(ran, &format!("{} refuses the credentials", served.url()));
    // A token stands where a password does.
    served.is_all(by(&served.gitea.token, &["--git-ca", &ours]));
}

#[test]
fn a_fleet_is_read_through_a_proxy_that_has_a_password() {
    let Some(served) = Served::start() else { return };
    let proxy = Proxy::to(served.tls.port());
    // Nobody is there: the proxy alone leads on.
    let url = "https://127.0.0.1:1/tester/fleet.git";
    let ca = text_of(&Tls::authority());
    let by = |more: &[&str], env: &[(&str, &str)]| {
        served.render(url, Gitea::PASSWORD, &[&["--git-ca", &ca], more].concat(), env)
    };
    is_refused(by(&[], &[]), &format!("{url} can't be reached"));
    assert!(proxy.asked().is_empty());

    let is_asked = |ran: Ran| {
        served.is_all(ran);
        let asked = proxy.asked();
        let all = asked.iter().all(|line| line == "CONNECT 127.0.0.1:1 HTTP/1.1");
        assert!(all && !asked.is_empty(), "{asked:?}");
    };
    is_asked(by(&[], &[("FLEETWRIGHT_GIT_PROXY", proxy.url())]));
    is_asked(by(&[], &[("HTTPS_PROXY", proxy.url())]));
    is_asked(by(&["--git-proxy", proxy.url()], &[]));

    let wrong = proxy.url().replace("u:hunter2", "somebody:hunter2");
    let without = proxy.url().replace("u:hunter2@", "");
    for url in [&wrong, &without] {
        is_refused(by(&["--git-proxy", url], &[]), "the proxy wants a user and a password");
        is_refused(
            by(&[], &[("HTTPS_PROXY", url)]),
            "the proxy wants a user and a password",
        );
    }
}

#[test]
fn a_daemon_follows_a_repository_over_ssh_by_a_key_with_a_passphrase() {
    let Some(keys) = SshKeys::new() else { return };
    let host = keys.make("host", &["-t", "ed25519"], "");
    let ours = keys.make("ours", &["-t", "ed25519"], "hunter2");
    let path = |name: &str| keys.0.path().join(name);
    let (Some(gitea), Some(stage)) = (Gitea::start_with_ssh(&path("host")), Stage::new("over-ssh")) else {
        return;
    };
    gitea.make("over-ssh");
    gitea.add_key(&ours);
    commit(&stage, "first");
    push(&gitea, &stage);
    let (url, server) = gitea.ssh_url("over-ssh");
    let known = written(&stage.place, "known_hosts", &format!("{server} {host}\n"));
    let wrong = written(&stage.place, "wrong_hosts", &format!("{server} {ours}\n"));
    let key = text_of(&path("ours"));
    let by = |command: &[&str], known: &str| {
        let git = [
            "--git",
            &url,
            "--ref",
            "main",
            "--git-ssh-key",
            &key,
            "--git-known-hosts",
            known,
        ];
        let mut command = stage.place.command(&stage.args(&[command, &git].concat()));
        command.env("FLEETWRIGHT_GIT_PASSPHRASE", "hunter2");
        command
    };
    let mut daemon = Daemon::run(by(
        &["daemon", "--listen", "127.0.0.1:0", "--verbose", "--poll", "1s"],
        &known,
    ));
    daemon.says(&["looked at", "cluster over-ssh", "in sync"]);

    pools(&stage, 5, 3);
    let second = commit(&stage, "second");
    push(&gitea, &stage);
    daemon.says(&["in force", &second.to_string()]);
    has_replicas(&stage, "over-ssh-a", 5);
    daemon.ends();

    let ran = Ran::of(by(&["plan"], &wrong).output().expect("a start"));
    is_refused(shown(&["plan"], ran), &format!("the SSH key of {url} is not trusted"));
}

#[test]
fn what_an_openpgp_key_has_signed_comes_into_force_and_what_none_has_does_not() {
    let (Some(gpg), Some(stage)) = (Gpg::new(), Stage::new("openpgp")) else {
        return;
    };
    gpg.make("alice@example.org", "ed25519", "never");
    gpg.make("mallory@example.org", "ed25519", "never");
    let keys = written(&stage.place, "keys.asc", &gpg.export("alice@example.org"));
    let by = |who: &'static str, message: &str| {
        let now = jiff::Timestamp::now().as_second();
        commit_with(&stage, message, |content| Some(gpg.sign(who, now, content.as_bytes())))
    };
    let url = format!("file://{}", stage.place.fleet().display());
    let git = ["--git", &url, "--git-openpgp-keys", &keys];
    let plan = || stage.run(&[&["plan"][..], &git].concat());
    let good = by("alice@example.org", "good");
    plan().exits(0);
    let mut daemon = Daemon::start(&stage, &git);
    daemon.says(&["looked at", "cluster openpgp", "in sync"]);
    let mark = stage.login.mark();

    pools(&stage, 9, 3);
    commit(&stage, "nobody has signed this");
    is_refused(plan(), "it is not signed");
    daemon.says(&["does not come into force", "it is not signed"]);
    by("mallory@example.org", "signed by somebody else");
    is_refused(plan(), "not one of the keys that may sign");
    daemon.says(&["does not come into force", "not one of the keys that may sign"]);
    assert_eq!(daemon.status()["revision"], good.to_string());
    assert_eq!(
        stage.writes_since(mark),
        Vec::<String>::new(),
        "nothing of it is applied"
    );

    let repository = Repository::open(stage.place.fleet()).expect("the repository");
    let back = repository.find_object(good, None).expect("the good one");
    repository.reset(&back, ResetType::Soft, None).expect("a reset");
    pools(&stage, 5, 3);
    let next = by("alice@example.org", "next");
    daemon.says(&["in force", &next.to_string()]);
    has_replicas(&stage, "openpgp-a", 5);
    daemon.ends();
}
