//! Signatures by the programs that people sign with.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use fleetwright::source::git::{Fetched, GitError, Keys, SignatureError};
use git2::{ObjectType, Oid, Signature, Time};
use tempfile::TempDir;

use super::{NOW, Upstream, fetched, mirror_for, now, refused};
use crate::support::skip;

const FLEET: (&str, &str) = ("fleet.yaml", "kind: Fleet\n");

/// Runs a program on some input; what it says, if it succeeds.
#[track_caller]
fn run(command: &mut Command, input: &[u8]) -> Vec<u8> {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

fn is_there(program: &str) -> bool {
    let mut command = Command::new(program);
    // ssh-keygen has no option that does nothing; it refuses this one.
    command
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().is_ok()
}

/// SSH keys in a directory of their own.
pub(crate) struct SshKeys(pub(crate) TempDir);

impl SshKeys {
    pub(crate) fn new() -> Option<Self> {
        if !is_there("ssh-keygen") {
            return skip("there is no ssh-keygen: install openssh-client");
        }
        Some(Self(tempfile::tempdir().unwrap()))
    }

    /// Makes a key; its public half.
    pub(crate) fn make(&self, name: &str, kind: &[&str], passphrase: &str) -> String {
        let path = self.0.path().join(name);
        let mut command = Command::new("ssh-keygen");
        run(
            command
                .args(["-q", "-N", passphrase, "-C", name, "-f"])
                .arg(&path)
                .args(kind),
            b"",
        );
        std::fs::read_to_string(path.with_extension("pub"))
            .unwrap()
            .trim()
            .to_owned()
    }

    /// Signs by such a key, as Git does for the purpose `git`.
    pub(crate) fn sign(&self, name: &str, purpose: &str, payload: &[u8]) -> String {
        let mut command = Command::new("ssh-keygen");
        command
            .args(["-q", "-Y", "sign", "-n", purpose, "-f"])
            .arg(self.0.path().join(name));
        String::from_utf8(run(&mut command, payload)).unwrap()
    }
}

/// A home of gpg, with its agent ended when it goes.
pub(crate) struct Gpg(TempDir);

impl Drop for Gpg {
    fn drop(&mut self) {
        let mut command = Command::new("gpgconf");
        command.args(["--kill", "all"]).env("GNUPGHOME", self.0.path());
        command.stdout(Stdio::null()).stderr(Stdio::null()).status().ok();
    }
}

impl Gpg {
    pub(crate) fn new() -> Option<Self> {
        if !is_there("gpg") {
            return skip("there is no gpg: install gnupg");
        }
        let home = tempfile::tempdir().unwrap();
        #[cfg(unix)]
        std::fs::set_permissions(home.path(), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        Some(Self(home))
    }

    #[track_caller]
    fn run(&self, at: i64, args: &[&str], input: &[u8]) -> Vec<u8> {
        let mut command = Command::new("gpg");
        command
            .args(["--batch", "--no-tty", "--pinentry-mode", "loopback", "--passphrase", ""])
            .args(["--faked-system-time", &format!("{at}!")])
            .args(args)
            .env("GNUPGHOME", self.0.path());
        run(&mut command, input)
    }

    /// Makes a key that signs; its fingerprint.
    pub(crate) fn make(&self, name: &str, kind: &str, expires: &str) -> String {
        self.run(
            KEYS_MADE,
            &["--quick-generate-key", name, kind, "sign,cert", expires],
            b"",
        );
        self.fingerprints(name).remove(0)
    }

    /// The key's and its subkeys'.
    fn fingerprints(&self, name: &str) -> Vec<String> {
        let listed = self.run(KEYS_MADE, &["--with-colons", "--list-keys", name], b"");
        let listed = String::from_utf8(listed).unwrap();
        let lines = listed.lines().filter_map(|line| line.strip_prefix("fpr:::::::::"));
        lines.map(|line| line.trim_end_matches(':').to_owned()).collect()
    }

    pub(crate) fn export(&self, name: &str) -> String {
        String::from_utf8(self.run(NOW, &["--armor", "--export", name], b"")).unwrap()
    }

    pub(crate) fn sign(&self, key: &str, at: i64, payload: &[u8]) -> String {
        let args = ["--armor", "--detach-sign", "--local-user", key];
        String::from_utf8(self.run(at, &args, payload)).unwrap()
    }
}

/// A year before the tests' time.
const KEYS_MADE: i64 = NOW - 365 * 86400;

/// A commit's bytes without a signature.
fn unsigned(upstream: &Upstream, at: i64) -> String {
    let tree = upstream.tree(None, &[(FLEET.0, git2::FileMode::Blob, FLEET.1)]);
    let tree = upstream.repository.find_tree(tree).unwrap();
    let author = Signature::new("t", "t@example.org", &Time::new(at, 0)).unwrap();
    let buffer = upstream
        .repository
        .commit_create_buffer(&author, &author, "m", &tree, &[])
        .unwrap();
    buffer.as_str().unwrap().to_owned()
}

/// Puts a commit with this signature on the branch.
fn push_signed(upstream: &Upstream, content: &str, signature: &str) -> Oid {
    let commit = upstream.repository.commit_signed(content, signature, None).unwrap();
    upstream.set("main", commit);
    commit
}

fn with(upstream: &Upstream, keys: &Keys) -> Result<Fetched, GitError> {
    mirror_for(&upstream.beside("cache"), upstream.remote(), keys.clone()).fetch(now())
}

#[track_caller]
fn why(upstream: &Upstream, keys: &Keys) -> SignatureError {
    match with(upstream, keys).unwrap_err() {
        GitError::Signature { source, .. } => source,
        error => panic!("{error}"),
    }
}

fn ssh_keys(lines: &[String]) -> Keys {
    let mut keys = Keys::default();
    keys.add_ssh(&lines.join("\n")).unwrap();
    keys
}

#[test]
fn a_commit_that_an_ssh_key_has_signed_is_taken_and_others_are_refused() {
    let Some(made) = SshKeys::new() else { return };
    let upstream = Upstream::new();
    let alice = made.make("alice", &["-t", "ed25519"], "");
    let mallory = made.make("mallory", &["-t", "ed25519"], "");
    let keys = ssh_keys(&[format!("alice@example.org {alice}")]);
    let content = unsigned(&upstream, NOW);

    upstream.commit("main", &[FLEET]);
    assert_eq!(why(&upstream, &keys), SignatureError::Unsigned);

    let good = made.sign("alice", "git", content.as_bytes());
    push_signed(&upstream, &content, &good);
    let signer = with(&upstream, &keys).unwrap().signer.unwrap();
    assert_eq!((signer.name.as_str(), signer.by_tag), ("alice@example.org", false));
    assert!(signer.key.starts_with("SSH key SHA256:"));

    push_signed(&upstream, &content, &made.sign("mallory", "git", content.as_bytes()));
    assert!(matches!(why(&upstream, &keys), SignatureError::UnknownKey(_)));

    push_signed(&upstream, &content, &made.sign("alice", "file", content.as_bytes()));
    assert!(matches!(why(&upstream, &keys), SignatureError::Purpose { purpose, .. } if purpose == "file"));

    // Alice's signature, on what she has not signed.
    let other = content.replace("\nm", "\nanother message");
    push_signed(&upstream, &other, &good);
    assert!(matches!(why(&upstream, &keys), SignatureError::Wrong(_)));

    push_signed(
        &upstream,
        &content,
        "-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----",
    );
    assert!(matches!(why(&upstream, &keys), SignatureError::Unreadable(_)));

    push_signed(&upstream, &content, &good);
    let mut revoked = ssh_keys(&[format!("* {alice}"), format!("* {mallory}")]);
    revoked.revoke_ssh(&alice).unwrap();
    assert!(matches!(why(&upstream, &revoked), SignatureError::Revoked(_)));
}

#[test]
fn an_ssh_key_signs_only_in_its_time_and_for_its_purpose() {
    let Some(made) = SshKeys::new() else { return };
    let upstream = Upstream::new();
    let key = made.make("k", &["-t", "ed25519"], "");
    let said = |options: &str, at: i64| {
        let content = unsigned(&upstream, at);
        push_signed(&upstream, &content, &made.sign("k", "git", content.as_bytes()));
        with(&upstream, &ssh_keys(&[format!("k {options} {key}")])).map_err(|error| match error {
            GitError::Signature { source, .. } => source,
            error => panic!("{error}"),
        })
    };
    assert!(said("valid-after=\"20260101\",valid-before=\"20280101\"", NOW).is_ok());
    assert!(matches!(
        said("valid-before=\"20261231\"", NOW),
        Err(SignatureError::Expired { .. })
    ));
    // A date of long ago makes an expired key no better.
    let dated_back = said("valid-before=\"20261231\"", NOW - 90 * 86400);
    assert!(matches!(dated_back, Err(SignatureError::Expired { .. })));
    assert!(matches!(
        said("valid-after=\"20270601\"", NOW),
        Err(SignatureError::Expired { .. })
    ));
    assert!(said("namespaces=\"file,git\"", NOW).is_ok());
    assert!(matches!(
        said("namespaces=\"file\"", NOW),
        Err(SignatureError::Purpose { .. })
    ));
}

#[test]
fn ssh_keys_of_every_usual_kind_sign() {
    let Some(made) = SshKeys::new() else { return };
    let upstream = Upstream::new();
    let content = unsigned(&upstream, NOW);
    for (name, kind) in [
        ("rsa", &["-t", "rsa", "-b", "2048"][..]),
        ("ecdsa", &["-t", "ecdsa", "-b", "256"]),
        ("p384", &["-t", "ecdsa", "-b", "384"]),
        ("p521", &["-t", "ecdsa", "-b", "521"]),
    ] {
        let key = made.make(name, kind, "");
        push_signed(&upstream, &content, &made.sign(name, "git", content.as_bytes()));
        let signer = with(&upstream, &ssh_keys(&[format!("{name} {key}")]))
            .unwrap()
            .signer
            .unwrap();
        assert_eq!(signer.name, name);
    }
    let weak = made.make("weak", &["-t", "rsa", "-b", "1024"], "");
    push_signed(&upstream, &content, &made.sign("weak", "git", content.as_bytes()));
    let said = why(&upstream, &ssh_keys(&[format!("weak {weak}")]));
    assert!(matches!(said, SignatureError::Weak { .. }), "{said}");
}

/// An annotated tag with a signature made by a function.
fn tag(upstream: &Upstream, name: &str, called: &str, of: Oid, sign: impl Fn(&[u8]) -> String) {
    let content = format!("object {of}\ntype commit\ntag {name}\ntagger t <t@example.org> {NOW} +0000\n\nwords\n");
    let signature = sign(content.as_bytes());
    let store = upstream.repository.odb().unwrap();
    let id = store
        .write(ObjectType::Tag, format!("{content}{signature}").as_bytes())
        .unwrap();
    upstream
        .repository
        .reference(&format!("refs/tags/{called}"), id, true, "test")
        .unwrap();
}

#[test]
fn a_signed_tag_speaks_for_its_commit_under_its_own_name_alone() {
    let Some(made) = SshKeys::new() else { return };
    let upstream = Upstream::new();
    let alice = made.make("alice", &["-t", "ed25519"], "");
    made.make("mallory", &["-t", "ed25519"], "");
    let keys = ssh_keys(&[format!("alice {alice}")]);
    upstream.commit("main", &[FLEET]);
    let commit = upstream.tip("main").unwrap();
    let by = |who: &'static str| {
        let made = &made;
        move |content: &[u8]| made.sign(who, "git", content)
    };
    tag(&upstream, "v1.0.0", "v1.0.0", commit, by("alice"));
    tag(&upstream, "v1.0.0", "v9.0.0", commit, by("alice"));
    tag(&upstream, "v2.0.0", "v2.0.0", commit, by("mallory"));
    tag(&upstream, "v3.0.0", "v3.0.0", commit, |_| String::new());
    let select = |text: &str| {
        let mut remote = upstream.remote();
        remote.selection = text.parse().unwrap();
        mirror_for(&upstream.beside("cache"), remote, keys.clone())
    };
    let taken = fetched(&select("v1.0.0"));
    assert!(taken.signer.as_ref().is_some_and(|signer| signer.by_tag));
    assert_eq!(taken.commit.as_str(), commit.to_string());
    let said = |text| match refused(&select(text)) {
        GitError::Signature { source, .. } => source,
        error => panic!("{error}"),
    };
    assert!(matches!(said("v9.0.0"), SignatureError::TagName { signed, .. } if signed == "v1.0.0"));
    assert!(matches!(said("v2.0.0"), SignatureError::UnknownKey(_)));
    assert_eq!(said("v3.0.0"), SignatureError::Unsigned);
    // What is kept is checked again, by the tag.
    select("v1.0.0").keep("fleet", &taken).unwrap();
    assert_eq!(select("v1.0.0").kept("fleet", now()).unwrap().as_ref(), Some(&taken));
    // A key that is retired makes nobody forget what was in force: there is no going back behind it.
    let nobody = mirror_for(&upstream.beside("cache"), upstream.remote(), Keys::default());
    assert!(nobody.kept("fleet", now()).is_err());
    assert_eq!(nobody.kept_revision("fleet").unwrap(), Some(taken.commit));
}

fn openpgp(armored: &str) -> Keys {
    let mut keys = Keys::default();
    keys.add_openpgp(armored).unwrap();
    keys
}

#[test]
fn a_commit_that_an_openpgp_key_has_signed_is_taken_and_others_are_refused() {
    let Some(gpg) = Gpg::new() else { return };
    let upstream = Upstream::new();
    let content = unsigned(&upstream, NOW);
    for kind in ["ed25519", "rsa3072", "nistp256"] {
        let name = format!("{kind}@example.org");
        let key = gpg.make(&name, kind, "never");
        push_signed(&upstream, &content, &gpg.sign(&key, NOW - 60, content.as_bytes()));
        let signer = with(&upstream, &openpgp(&gpg.export(&name))).unwrap().signer.unwrap();
        assert_eq!((signer.name, signer.key), (name, format!("OpenPGP key {key}")));
    }
    let all = openpgp(
        &["rsa3072@example.org", "ed25519@example.org"]
            .map(|name| gpg.export(name))
            .concat(),
    );
    let good = gpg.sign("ed25519@example.org", NOW - 60, content.as_bytes());
    push_signed(&upstream, &content, &good);
    assert!(with(&upstream, &all).is_ok());
    push_signed(
        &upstream,
        &content,
        &gpg.sign("nistp256@example.org", NOW - 60, content.as_bytes()),
    );
    assert!(matches!(why(&upstream, &all), SignatureError::UnknownKey(_)));
    push_signed(&upstream, &content.replace("\nm", "\nanother message"), &good);
    assert!(matches!(why(&upstream, &all), SignatureError::Wrong(_)));
    let weak = [
        "--armor",
        "--detach-sign",
        "--digest-algo",
        "SHA1",
        "--local-user",
        "rsa3072@example.org",
    ];
    let weak = String::from_utf8(gpg.run(NOW - 60, &weak, content.as_bytes())).unwrap();
    push_signed(&upstream, &content, &weak);
    let said = why(&upstream, &all);
    assert!(
        matches!(said, SignatureError::Weak { .. } | SignatureError::Wrong(_)),
        "{said}"
    );
}

#[test]
fn a_subkey_signs_for_its_owner_until_it_is_revoked() {
    let Some(gpg) = Gpg::new() else { return };
    let upstream = Upstream::new();
    let content = unsigned(&upstream, NOW);
    let primary = gpg.make("o@example.org", "ed25519", "never");
    gpg.run(
        KEYS_MADE,
        &["--quick-add-key", &primary, "ed25519", "sign", "never"],
        b"",
    );
    let subkey = gpg.fingerprints("o@example.org").remove(1);
    push_signed(
        &upstream,
        &content,
        &gpg.sign(&format!("{subkey}!"), NOW - 60, content.as_bytes()),
    );
    let signer = with(&upstream, &openpgp(&gpg.export("o@example.org")))
        .unwrap()
        .signer
        .unwrap();
    assert_eq!(
        (signer.name.as_str(), signer.key),
        ("o@example.org", format!("OpenPGP key {subkey}"))
    );
    let edit = ["--no-batch", "--command-fd", "0", "--yes", "--edit-key", &primary];
    gpg.run(NOW - 30, &edit, b"key 1\nrevkey\ny\n0\n\ny\nsave\n");
    let said = why(&upstream, &openpgp(&gpg.export("o@example.org")));
    assert_eq!(said, SignatureError::Revoked(format!("OpenPGP key {subkey}")));
}

#[test]
fn an_openpgp_key_that_has_expired_or_was_revoked_is_refused() {
    let Some(gpg) = Gpg::new() else { return };
    let upstream = Upstream::new();
    let short = gpg.make("short@example.org", "ed25519", "30d");
    let then = KEYS_MADE + 86400;
    let content = unsigned(&upstream, then);
    push_signed(&upstream, &content, &gpg.sign(&short, then, content.as_bytes()));
    let said = why(&upstream, &openpgp(&gpg.export("short@example.org")));
    assert!(
        matches!(&said, SignatureError::Expired { until: Some(until), .. } if *until < NOW),
        "{said}"
    );

    let lost = gpg.make("lost@example.org", "ed25519", "never");
    let content = unsigned(&upstream, NOW);
    push_signed(&upstream, &content, &gpg.sign(&lost, NOW - 60, content.as_bytes()));
    assert!(with(&upstream, &openpgp(&gpg.export("lost@example.org"))).is_ok());
    // gpg makes the certificate beforehand, and spoils it by a colon against mistakes.
    let prepared = Path::new("openpgp-revocs.d").join(format!("{lost}.rev"));
    let certificate = std::fs::read_to_string(gpg.0.path().join(prepared)).unwrap();
    gpg.run(
        NOW - 30,
        &["--import"],
        certificate.replace(":-----BEGIN", "-----BEGIN").as_bytes(),
    );
    let said = why(&upstream, &openpgp(&gpg.export("lost@example.org")));
    assert_eq!(said, SignatureError::Revoked(format!("OpenPGP key {lost}")));
}
