//! What a fetch brings and keeps, from repositories on this machine.

use std::fs;

use fleetwright::resource::Revision;
use fleetwright::source::git::{Advance, Allowed, GitError, Refusal, Selection, advance};
use fleetwright::source::{Ancestry, Limits, origin};
use git2::ObjectType;

use super::{NOW, Upstream, author, chain, fetched, messages, mirror, now, read, refused, texts};

const FLEET: (&str, &str) = ("fleet.yaml", "kind: Fleet\n");

#[test]
fn a_commit_is_read_from_the_object_store() {
    let upstream = Upstream::new();
    let commit = upstream.commit(
        "main",
        &[
            FLEET,
            ("README.md", "words"),
            (".github/workflows/ci.yaml", "on: push"),
            ("clusters/a.yaml", "kind: Cluster\n"),
            ("templates/x/y.yaml.j2", "{{ x }}"),
            ("fleet.lock/uid", "u"),
        ],
    );
    let mirror = upstream.mirror();
    // On a thread of its own, as a daemon does what blocks.
    let elsewhere = mirror.clone();
    let first = std::thread::spawn(move || fetched(&elsewhere)).join().unwrap();
    assert_eq!(
        (&first.commit, first.time, first.name.as_str()),
        (&commit, NOW, "refs/heads/main")
    );
    let tree = read(&mirror, &first);
    assert_eq!(
        texts(&tree),
        [
            ("clusters/a.yaml", "kind: Cluster\n"),
            ("fleet.lock/uid", "u"),
            FLEET,
            ("templates/x/y.yaml.j2", "{{ x }}"),
        ]
    );
    assert!(tree.diagnostics.is_empty());
    let origin = origin(&tree).unwrap();
    assert_eq!((origin.revision, origin.time), (commit, NOW));
    let files = fs::read_dir(upstream.beside("cache")).unwrap();
    assert!(
        files.flatten().all(|entry| !entry.path().join("fleet.yaml").exists()),
        "nothing is checked out"
    );
}

#[test]
fn a_directory_of_the_repository_is_read_with_its_own_paths() {
    let upstream = Upstream::new();
    upstream.commit("main", &[("a.yaml", "x"), ("deploy/fleet/fleet.yaml", "kind: Fleet\n")]);
    let mut remote = upstream.remote();
    remote.path = "deploy/fleet".into();
    let at = mirror(&upstream.beside("cache"), remote.clone());
    assert_eq!(texts(&read(&at, &fetched(&at))), [FLEET]);
    for path in ["deploy/none", "a.yaml", "deploy/fleet/fleet.yaml"] {
        remote.path = path.into();
        let at = mirror(&upstream.beside("cache"), remote.clone());
        let error = at.read(&fetched(&at), Limits::default()).unwrap_err();
        assert!(
            matches!(&error, GitError::NoPath { path: named, .. } if named == path),
            "{error}"
        );
    }
}

#[test]
fn branches_tags_versions_and_commits_are_selected() {
    let upstream = Upstream::new();
    let first = upstream.commit("main", &[FLEET]);
    let second = upstream.commit("main", &[("fleet.yaml", "kind: Fleet # 2\n")]);
    let side = upstream.commit("release/1", &[FLEET]);
    let tag = |name: &str, commit: &Revision| {
        let object = upstream.repository.revparse_single(commit.as_str()).unwrap();
        upstream.repository.tag(name, &object, &author(), "m", false).unwrap();
    };
    tag("v1.2.0", &first);
    tag("v1.10.0", &second);
    let select = |text: &str| {
        let mut remote = upstream.remote();
        remote.selection = text.parse().unwrap();
        mirror(&upstream.beside("cache"), remote)
            .fetch(now())
            .map(|fetched| fetched.commit)
    };
    assert_eq!(select("release/1").unwrap(), side);
    assert_eq!(select("v1.2.0").unwrap(), first);
    assert_eq!(select("semver:^1").unwrap(), second);
    assert_eq!(select(first.as_str()).unwrap(), first);
    assert!(matches!(select("semver:^2"), Err(GitError::Absent { .. })));
    let error = select("relaese/1").unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("has no branch or tag `relaese/1`; did you mean `release/1`?"),
        "{error}"
    );
    let nowhere = "0123456789abcdef0123456789abcdef01234567";
    assert!(matches!(select(nowhere), Err(GitError::Absent { .. })));
    let blob = upstream.repository.blob(b"no commit").unwrap();
    let blob = upstream.repository.find_object(blob, Some(ObjectType::Blob)).unwrap();
    upstream.repository.tag("blob", &blob, &author(), "m", false).unwrap();
    assert!(matches!(select("blob"), Err(GitError::NoCommit { .. })));
}

#[test]
fn a_fetch_goes_on_from_the_last_one() {
    let upstream = Upstream::new();
    upstream.commit("main", &[FLEET, ("big.bin", &"x".repeat(200_000))]);
    let mut remote = upstream.remote();
    fetched(&mirror(&upstream.beside("cache"), remote.clone()));
    let second = upstream.commit("main", &[("fleet.yaml", "kind: Fleet # 2\n")]);
    // A commit, a tree and a blob: with what is here already it would be more.
    remote.budget.objects = 3;
    let at = mirror(&upstream.beside("cache"), remote.clone());
    assert_eq!(fetched(&at).commit, second);
    // Nothing new is nothing sent.
    remote.budget.objects = 0;
    assert_eq!(fetched(&mirror(&upstream.beside("cache"), remote)).commit, second);
}

#[track_caller]
fn is_too_much(error: &GitError, most: u64, of: &str) {
    assert!(
        matches!(error, GitError::TooMuch { limit, unit, .. } if (*limit, *unit) == (most, of)),
        "{}",
        chain(error)
    );
}

#[test]
fn a_fetch_beyond_its_budget_is_broken_off_and_can_be_tried_again() {
    let upstream = Upstream::new();
    let commit = upstream.commit("main", &[FLEET, ("clusters/a.yaml", "x")]);
    let mut remote = upstream.remote();
    remote.budget.objects = 3;
    let error = refused(&mirror(&upstream.beside("cache"), remote.clone()));
    is_too_much(&error, 3, "objects");
    remote.budget.objects = 1000;
    remote.budget.bytes = 10;
    let error = refused(&mirror(&upstream.beside("cache"), remote.clone()));
    is_too_much(&error, 10, "bytes");
    remote.budget.bytes = 1 << 20;
    assert_eq!(fetched(&mirror(&upstream.beside("cache"), remote)).commit, commit);
}

#[test]
fn limits_of_reading_are_those_of_a_directory() {
    let upstream = Upstream::new();
    upstream.commit("main", &[FLEET, ("clusters/a.yaml", "12345"), ("a/b/c/d.yaml", "x")]);
    let mirror = upstream.mirror();
    let at = fetched(&mirror);
    let with = |limits| mirror.read(&at, limits).unwrap();
    let usual = Limits::default();
    let large = with(Limits { file_bytes: 4, ..usual });
    assert!(
        messages(&large)
            .iter()
            .any(|m| m.contains("`clusters/a.yaml` has 5 bytes"))
    );
    let all = with(Limits {
        total_bytes: 10,
        ..usual
    });
    assert!(all.files.is_empty() && messages(&all)[0].starts_with("the fleet directory holds"));
    assert_eq!(
        messages(&with(Limits { depth: 3, ..usual })),
        ["`a/b/c` is more than 3 directories deep"]
    );
    assert!(messages(&with(Limits { entries: 3, ..usual }))[0].contains("more than 3 entries"));
}

#[test]
fn an_empty_and_an_absent_repository_are_told_apart() {
    let upstream = Upstream::new();
    assert!(matches!(refused(&upstream.mirror()), GitError::Empty { .. }));
    let mut remote = upstream.remote();
    remote.location = format!("file://{}", upstream.beside("none.git").display())
        .parse()
        .unwrap();
    let error = refused(&mirror(&upstream.beside("cache"), remote));
    assert!(matches!(error, GitError::NoRepository { .. }), "{}", chain(&error));
}

#[test]
fn history_that_is_rewritten_or_gone_leaves_the_revision_in_force() {
    let upstream = Upstream::new();
    let first = upstream.commit("main", &[FLEET]);
    let mirror = upstream.mirror();
    let good = fetched(&mirror);
    let second = upstream.commit("main", &[("fleet.yaml", "kind: Fleet # 2\n")]);
    let go = |new: &Revision, allowed| {
        let standing = mirror.relation(&good.commit, new).unwrap();
        advance(Some(&good.commit), new, standing, allowed)
    };
    assert_eq!(fetched(&mirror).commit, second);
    assert_eq!(go(&second, Allowed::default()), Ok(Advance::Forward));
    assert_eq!(go(&first, Allowed::default()), Ok(Advance::Stay));
    assert_eq!(mirror.relation(&second, &first).unwrap(), Ancestry::Backward);
    mirror.keep("fleet", &good).unwrap();

    // Force-push of a line of its own.
    let other = upstream.commit_tree(None, upstream.tree(None, &[]));
    let other = upstream.set("main", other);
    let rewritten = fetched(&mirror);
    assert_eq!(rewritten.commit, other);
    assert!(matches!(go(&other, Allowed::default()), Err(Refusal::Rewritten { .. })));
    let allowed = Allowed {
        rewritten: true,
        ..Allowed::default()
    };
    assert_eq!(go(&other, allowed), Ok(Advance::Across));

    // The branch is gone, and then the server.
    upstream
        .repository
        .find_reference("refs/heads/main")
        .unwrap()
        .delete()
        .unwrap();
    upstream.commit("other", &[FLEET]);
    assert!(matches!(refused(&mirror), GitError::Absent { .. }));
    fs::remove_dir_all(upstream.path()).unwrap();
    assert!(matches!(refused(&mirror), GitError::NoRepository { .. }));
    let kept = mirror.kept("fleet", now()).unwrap().unwrap();
    assert_eq!(kept, good);
    assert_eq!(texts(&read(&mirror, &kept)), [FLEET]);
    assert_eq!(mirror.kept("another", now()).unwrap(), None);
}

#[test]
fn a_branch_that_gave_way_to_one_below_it_is_not_in_the_way() {
    let upstream = Upstream::new();
    upstream.commit("main", &[FLEET]);
    let mut remote = upstream.remote();
    remote.selection = Selection::Branch("main".into());
    fetched(&mirror(&upstream.beside("cache"), remote.clone()));
    upstream
        .repository
        .find_reference("refs/heads/main")
        .unwrap()
        .delete()
        .unwrap();
    let below = upstream.commit("main/next", &[FLEET]);
    remote.selection = Selection::Branch("main/next".into());
    assert_eq!(fetched(&mirror(&upstream.beside("cache"), remote)).commit, below);
}

#[test]
fn a_damaged_copy_is_made_anew() {
    let upstream = Upstream::new();
    let commit = upstream.commit("main", &[FLEET]);
    let at = upstream.mirror();
    fetched(&at);
    let copy = fs::read_dir(upstream.beside("cache"))
        .unwrap()
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.is_dir())
        .unwrap();
    // As a process that was killed leaves it.
    fs::remove_file(copy.join("HEAD")).unwrap();
    assert_eq!(fetched(&at).commit, commit);
    // As a disk does.
    fs::remove_dir_all(copy.join("objects")).unwrap();
    let again = fetched(&at);
    assert_eq!(texts(&read(&at, &again)), [FLEET]);
    fs::write(copy.join("objects/pack/pack_git2_x"), "half").unwrap();
    fetched(&at);
    assert!(
        !copy.join("objects/pack/pack_git2_x").exists(),
        "what a broken fetch left is swept"
    );
}

#[test]
fn years_of_fetches_do_not_pile_up_packs() {
    let upstream = Upstream::new();
    let at = upstream.mirror();
    upstream.commit("main", &[FLEET]);
    let first = fetched(&at);
    at.keep("fleet", &first).unwrap();
    for number in 0..40 {
        upstream.commit("main", &[("fleet.yaml", &format!("kind: Fleet # {number}\n"))]);
        fetched(&at);
    }
    // Fetching once more waits until the last one has tidied up.
    let last = fetched(&at);
    let packs = fs::read_dir(upstream.beside("cache"))
        .unwrap()
        .flatten()
        .filter_map(|entry| fs::read_dir(entry.path().join("objects/pack")).ok())
        .flatten()
        .flatten()
        .filter(|entry| entry.path().extension().is_some_and(|extension| extension == "pack"))
        .count();
    assert!((1..35).contains(&packs), "{packs} packs");
    assert_eq!(texts(&read(&at, &last)), [("fleet.yaml", "kind: Fleet # 39\n")]);
    assert_eq!(at.relation(&first.commit, &last.commit).unwrap(), Ancestry::Forward);
    assert_eq!(at.kept("fleet", now()).unwrap(), Some(first));
}
