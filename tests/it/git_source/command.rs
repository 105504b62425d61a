//! `--git` on the command line.

use std::path::{Path, PathBuf};

use git2::{IndexAddOption, Repository};

use super::{Upstream, author};
use crate::cli::Workplace;

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fleet")
}

/// The demo fleet, committed as `fleet/` of a repository.
fn committed() -> (Workplace, String) {
    let place = Workplace::copy_of(&examples());
    let repository = Repository::init(place.path()).unwrap();
    let mut index = repository.index().unwrap();
    index.add_all(["fleet"], IndexAddOption::FORCE, None).unwrap();
    index.write().unwrap();
    let tree = repository.find_tree(index.write_tree().unwrap()).unwrap();
    let commit = repository
        .commit(Some("HEAD"), &author(), &author(), "m", &tree, &[])
        .unwrap();
    (place, commit.to_string())
}

#[test]
fn a_fleet_from_git_is_the_fleet_from_its_directory() {
    let (place, commit) = committed();
    let url = format!("file://{}", place.path().display());
    for command in [
        &["plan", "--against", "nothing", "-o", "json"][..],
        &["plan", "--against", "nothing"],
        &["render"],
        &["validate", "-o", "json"],
    ] {
        let from = |place: &Workplace, source: &[&str]| place.run(&[command, source].concat()).exits(0);
        let directory = from(&place, &["--fleet", "fleet"]);
        // Elsewhere, with nothing of the fleet at hand.
        let elsewhere = Workplace::new(&[]);
        let git = from(&elsewhere, &["--git", &url, "--path", "fleet"]);
        // The time is of the run, where there is one.
        let timeless = |text: &str| {
            let lines = text.lines().filter(|line| !line.contains("\"created\""));
            lines.collect::<Vec<_>>().join("\n")
        };
        assert_eq!(timeless(&git.stdout), timeless(&directory.stdout), "{command:?}");
        assert!(git.stdout.len() > 20);
        if !command.contains(&"json") || command[0] == "plan" {
            assert!(
                git.stderr.contains(&format!("commit {commit} (refs/heads/")),
                "{}",
                git.stderr
            );
        }
        assert!(elsewhere.path().join(".cache/fleetwright/git").is_dir());
    }
}

#[test]
fn a_problem_is_shown_at_its_path_within_the_repository() {
    let upstream = Upstream::new();
    upstream.commit("main", &[("deploy/fleet.yaml", "kind: Nonsense\n")]);
    let place = Workplace::new(&[]);
    let cache = place.path().join("elsewhere");
    let args = [
        "--git",
        &upstream.url(),
        "--path",
        "deploy",
        "--git-cache",
        cache.to_str().unwrap(),
    ];
    let ran = place.run(&[&["validate"][..], &args].concat()).exits(1);
    assert!(ran.stderr.contains("fleet.yaml:1:"), "{}", ran.stderr);
    assert!(cache.is_dir());
}

#[test]
fn what_does_not_go_together_is_refused() {
    let upstream = Upstream::new();
    upstream.commit("main", &[("fleet.yaml", "kind: Fleet\n")]);
    let place = Workplace::new(&[]);
    let said = |args: &[&str]| place.run(args).exits(1).stderr;
    let url = upstream.url();
    assert!(said(&["validate", "--git", &url, "--fleet", "x"]).contains("cannot be used with"));
    assert!(said(&["validate", "--ref", "main"]).contains("--git"));
    assert!(said(&["lock", "--git", &url]).contains("unexpected argument"));
    let hidden = said(&["validate", "--git", "https://u:hunter2@example.org/x"]);
    assert!(
        hidden.contains("holds a password") && !hidden.contains("hunter2"),
        "{hidden}"
    );
    assert!(said(&["validate", "--git", &url, "--ref", "mian"]).contains("did you mean `main`?"));
    assert!(said(&["validate", "--git", &url, "--path", "../x"]).contains("relative"));
    assert!(said(&["validate", "--git", &url, "--git-signers", "none"]).contains("none can't be read"));
    assert!(said(&["validate", "--git", "ssh://git@127.0.0.1:1/x"]).contains("known_hosts"));
}

#[test]
fn only_what_is_signed_is_planned_when_signers_are_named() {
    let (place, _) = committed();
    let url = format!("file://{}", place.path().display());
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";
    let signers = place.path().join("signers");
    std::fs::write(&signers, format!("a@example.org {key}\n")).unwrap();
    let args = [
        "render",
        "--git",
        &url,
        "--path",
        "fleet",
        "--git-signers",
        signers.to_str().unwrap(),
    ];
    let ran = place.run(&args).exits(1);
    assert!(ran.stdout.is_empty());
    assert!(ran.stderr.contains("is refused, and nothing of it was read") && ran.stderr.contains("it is not signed"));
}

#[test]
fn how_much_a_server_may_send_is_said_and_kept_to() {
    let (place, _) = committed();
    let url = format!("file://{}", place.path().display());
    let elsewhere = Workplace::new(&[]);
    let plan = ["validate", "--git", &url, "--path", "fleet", "--git-max-size"];
    let ran = elsewhere.run(&[&plan[..], &["1KiB"]].concat()).exits(1);
    assert!(
        ran.stderr.contains("sends more than 1024 bytes in one fetch"),
        "{}",
        ran.stderr
    );
    elsewhere.run(&[&plan[..], &["20MiB"]].concat()).exits(0);
    let ran = elsewhere.run(&[&plan[..], &["20"]].concat()).exits(1);
    assert!(ran.stderr.contains("KiB, MiB, GiB"), "{}", ran.stderr);
}
