use std::fs;
use std::path::Path;

use git2::{IndexAddOption, Repository, Signature, Time};
use tempfile::TempDir;

use super::*;
use crate::diag::Severity;
use crate::resource::Revision;

fn write(directory: &Path, files: &[(&str, &str)]) {
    for (path, text) in files {
        let path = directory.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

fn fleet() -> TempDir {
    let directory = TempDir::new().unwrap();
    write(
        directory.path(),
        &[
            ("fleet.yaml", "kind: Fleet\n"),
            ("clusters/b.yml", "kind: Cluster\n"),
            ("clusters/a.yaml", "kind: Clusters\n"),
            ("templates/extra/cm.yaml.j2", "{{ x }}\n"),
            ("fleet.lock/uid", "u\n"),
            ("README.md", "words\n"),
            (".github/workflows/ci.yaml", "on: push\n"),
            ("clusters/.swp.yaml", "half\n"),
        ],
    );
    directory
}

fn paths(tree: &Tree) -> Vec<&str> {
    tree.files.iter().map(|file| &*file.path).collect()
}

#[track_caller]
fn only_message(tree: &Tree) -> &str {
    assert_eq!(tree.diagnostics.len(), 1, "{:?}", tree.diagnostics);
    assert_eq!(tree.diagnostics[0].severity, Severity::Error);
    &tree.diagnostics[0].message
}

#[test]
fn reads_what_a_fleet_consists_of_in_order_of_path() {
    let directory = fleet();
    let tree = read(directory.path(), Limits::default()).unwrap();
    let want = [
        "clusters/a.yaml",
        "clusters/b.yml",
        "fleet.lock/uid",
        "fleet.yaml",
        "templates/extra/cm.yaml.j2",
    ];
    assert_eq!(paths(&tree), want);
    assert_eq!(&*tree.files[3].text, "kind: Fleet\n");
    assert!(tree.diagnostics.is_empty());
}

#[test]
fn a_directory_that_is_not_there_is_an_error() {
    let directory = fleet();
    let error = read(&directory.path().join("none"), Limits::default()).unwrap_err();
    assert!(matches!(error, SourceError::Directory { .. }));
    assert!(read(&directory.path().join("fleet.yaml"), Limits::default()).is_err());
}

#[test]
fn budgets_refuse_by_size_before_reading() {
    let directory = fleet();
    let file = fs::File::create(directory.path().join("clusters/huge.yaml")).unwrap();
    // A hole: a terabyte by its metadata, nothing on the disk. Reading it would not end within the test's time.
    file.set_len(1 << 40).unwrap();
    let tree = read(directory.path(), Limits::default()).unwrap();
    assert!(only_message(&tree).contains("1099511627776 bytes"));
    assert_eq!(
        tree.diagnostics[0].span.as_ref().map(|span| &*span.file),
        Some("clusters/huge.yaml")
    );
    assert_eq!(tree.files.len(), 5);

    let directory = fleet();
    let total = |total_bytes| {
        read(
            directory.path(),
            Limits {
                total_bytes,
                ..Limits::default()
            },
        )
        .unwrap()
    };
    let bytes = total(u64::MAX).files.iter().map(|file| file.text.len() as u64).sum();
    assert!(total(bytes).diagnostics.is_empty());
    assert!(total(bytes - 1).files.is_empty(), "a part of a fleet is of no use");
    assert!(only_message(&total(bytes - 1)).starts_with("the fleet directory holds"));

    let entries = |entries| {
        read(
            directory.path(),
            Limits {
                entries,
                ..Limits::default()
            },
        )
        .unwrap()
    };
    assert!(entries(14).diagnostics.is_empty());
    assert!(only_message(&entries(5)).contains("more than 5 entries"));
    let shallow = read(
        directory.path(),
        Limits {
            depth: 2,
            ..Limits::default()
        },
    )
    .unwrap();
    assert!(only_message(&shallow).contains("`templates/extra` is more than 2 directories deep"));
}

#[test]
fn what_is_not_utf8_is_told_with_its_place() {
    let directory = fleet();
    fs::write(
        directory.path().join("clusters/c.yaml"),
        b"kind: Cluster\nn\xc3\xa4me: \xff\xfe\n",
    )
    .unwrap();
    let tree = read(directory.path(), Limits::default()).unwrap();
    assert!(only_message(&tree).contains("byte 21 begins no character"));
    let span = tree.diagnostics[0].span.as_ref().unwrap();
    assert_eq!((span.line, span.column, span.start, span.end), (2, 7, 21, 22));
}

#[cfg(unix)]
mod links {
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn a_link_within_the_fleet_is_followed_and_others_are_refused() {
        let outside = fleet();
        let directory = fleet();
        let link = |target: &Path, name: &str| symlink(target, directory.path().join(name)).unwrap();
        link(Path::new("../README.md"), "clusters/words.yaml");
        link(&outside.path().join("fleet.yaml"), "clusters/out.yaml");
        link(&outside.path().join("clusters"), "more");
        link(Path::new(".github"), "hidden");
        link(Path::new("nowhere.yaml"), "dead.yaml");
        link(Path::new("."), "circle");
        link(&outside.path().join("README.md"), "OTHER.md");
        let tree = read(directory.path(), Limits::default()).unwrap();
        assert!(paths(&tree).contains(&"clusters/words.yaml"));
        assert_eq!(tree.files.len(), 6);
        let messages: Vec<&str> = tree.diagnostics.iter().map(|d| d.message.as_str()).collect();
        assert_eq!(
            messages,
            [
                "`circle` is a link that leads in a circle",
                "`clusters/out.yaml` is a link that leads out of the fleet directory, and is not followed",
                "`dead.yaml` is a link that leads nowhere: entity not found",
                "`hidden` is a link to what is hidden, and is not followed",
                "`more` is a link that leads out of the fleet directory, and is not followed",
            ]
        );
    }

    #[test]
    fn links_that_multiply_end_in_a_budget() {
        let directory = TempDir::new().unwrap();
        for name in ["a", "b", "c"] {
            fs::create_dir(directory.path().join(name)).unwrap();
            for other in ["a", "b", "c"] {
                symlink(Path::new("..").join(other), directory.path().join(name).join(other)).unwrap();
            }
        }
        let tree = read(
            directory.path(),
            Limits {
                entries: 1000,
                ..Limits::default()
            },
        )
        .unwrap();
        assert!(!tree.diagnostics.is_empty());
    }

    #[test]
    fn special_files_and_names_that_are_no_text_are_refused() {
        let directory = fleet();
        let listener = UnixListener::bind(directory.path().join("socket.yaml")).unwrap();
        let tree = read(directory.path(), Limits::default()).unwrap();
        assert_eq!(only_message(&tree), "`socket.yaml` is no regular file");
        drop(listener);
        fs::remove_file(directory.path().join("socket.yaml")).unwrap();
        let name = std::ffi::OsStr::from_bytes(b"n\xff.yaml");
        fs::write(directory.path().join(name), "x").unwrap();
        let tree = read(directory.path(), Limits::default()).unwrap();
        assert!(only_message(&tree).contains("not UTF-8"));
    }

    #[test]
    fn a_committed_link_is_part_of_the_commit() {
        let directory = fleet();
        symlink(Path::new("../README.md"), directory.path().join("clusters/words.yaml")).unwrap();
        symlink(Path::new("clusters"), directory.path().join("again")).unwrap();
        let repository = Repository::init(directory.path()).unwrap();
        let head = commit(&repository, 1);
        assert_eq!(origin_of(directory.path()).revision, head);
        // The same text through another link is not what was reviewed.
        fs::remove_file(directory.path().join("clusters/words.yaml")).unwrap();
        symlink(
            Path::new("./../README.md"),
            directory.path().join("clusters/words.yaml"),
        )
        .unwrap();
        assert_eq!(origin_of(directory.path()).standing, Standing::Modified);
        fs::remove_file(directory.path().join("clusters/words.yaml")).unwrap();
        assert_eq!(origin_of(directory.path()).standing, Standing::Modified);
    }
}

/// Commits the whole working directory, with a committer time of that many seconds.
fn commit(repository: &Repository, seconds: i64) -> Revision {
    let mut index = repository.index().unwrap();
    index.add_all(["*"], IndexAddOption::FORCE, None).unwrap();
    index.update_all(["*"], None).unwrap();
    index.write().unwrap();
    let tree = repository.find_tree(index.write_tree().unwrap()).unwrap();
    let signature = Signature::new("t", "t@example.org", &Time::new(seconds, 0)).unwrap();
    let parent = repository.head().ok().map(|head| head.peel_to_commit().unwrap());
    let parents: Vec<_> = parent.iter().collect();
    let id = repository
        .commit(Some("HEAD"), &signature, &signature, "m", &tree, &parents)
        .unwrap();
    Revision::new(id.to_string())
}

fn origin_of(directory: &Path) -> Origin {
    origin(&read(directory, Limits::default()).unwrap()).unwrap()
}

#[test]
fn a_tree_whose_bytes_are_the_commits_is_called_by_the_commit() {
    let directory = fleet();
    let repository = Repository::init(directory.path()).unwrap();
    let before = origin_of(directory.path());
    assert_eq!(before.standing, Standing::Untracked);
    assert_eq!(before.head, None);
    let head = commit(&repository, 1_700_000_000);
    let at = origin_of(directory.path());
    let want = Origin {
        revision: head.clone(),
        standing: Standing::Committed,
        head: Some(head.clone()),
        time: 1_700_000_000,
    };
    assert_eq!(at, want);

    fs::write(directory.path().join("README.md"), "other words").unwrap();
    assert_eq!(origin_of(directory.path()), want, "a README is no part of a fleet");

    fs::write(directory.path().join("fleet.yaml"), "kind: Fleet # changed\n").unwrap();
    let changed = origin_of(directory.path());
    assert_eq!((changed.standing, changed.time), (Standing::Modified, 0));
    assert_eq!(changed.head, Some(head));
    assert!(changed.revision.as_str().starts_with("worktree:sha256:"));

    fs::write(directory.path().join("fleet.yaml"), "kind: Fleet # changed\n ").unwrap();
    assert_ne!(origin_of(directory.path()).revision, changed.revision);

    fs::write(directory.path().join("fleet.yaml"), "kind: Fleet\n").unwrap();
    assert_eq!(origin_of(directory.path()), want, "the same bytes again");
    fs::remove_file(directory.path().join("clusters/a.yaml")).unwrap();
    assert_eq!(origin_of(directory.path()).standing, Standing::Modified, "a file less");
}

#[test]
fn a_file_that_git_ignores_and_the_fleet_reads_makes_it_dirty() {
    let directory = fleet();
    let repository = Repository::init(directory.path()).unwrap();
    fs::write(directory.path().join(".gitignore"), "clusters/mine.yaml\n").unwrap();
    commit(&repository, 1);
    assert_eq!(origin_of(directory.path()).standing, Standing::Committed);
    fs::write(directory.path().join("clusters/mine.yaml"), "kind: Cluster\n").unwrap();
    assert_eq!(origin_of(directory.path()).standing, Standing::Modified);
}

#[test]
fn a_fleet_may_be_a_directory_of_a_larger_repository() {
    let directory = TempDir::new().unwrap();
    write(
        directory.path(),
        &[
            ("app/values.yaml", "a: 1\n"),
            ("deploy/fleet/fleet.yaml", "kind: Fleet\n"),
        ],
    );
    let repository = Repository::init(directory.path()).unwrap();
    let head = commit(&repository, 1);
    let at = directory.path().join("deploy/fleet");
    assert_eq!(origin_of(&at).revision, head);
    fs::write(directory.path().join("app/values.yaml"), "a: 2\n").unwrap();
    assert_eq!(
        origin_of(&at).revision,
        head,
        "another directory's change is not the fleet's"
    );
    write(directory.path(), &[("new/fleet.yaml", "kind: Fleet\n")]);
    assert_eq!(origin_of(&directory.path().join("new")).standing, Standing::Untracked);
}

#[test]
fn a_directory_in_no_repository_is_called_by_its_contents() {
    let (one, two) = (fleet(), fleet());
    let (a, b) = (origin_of(one.path()), origin_of(two.path()));
    assert_eq!(a.standing, Standing::NoRepository);
    assert_eq!(a, b, "the place does not go into the name");
    assert_eq!(a.revision.as_str().len(), "worktree:sha256:".len() + 64);
}

#[test]
fn history_tells_forward_from_backward() {
    let directory = fleet();
    let repository = Repository::init(directory.path()).unwrap();
    let first = commit(&repository, 1);
    fs::write(directory.path().join("fleet.yaml"), "kind: Fleet # 2\n").unwrap();
    let second = commit(&repository, 2);
    let base = repository
        .find_commit(git2::Oid::from_str(first.as_str()).unwrap())
        .unwrap();
    let signature = Signature::new("t", "t@example.org", &Time::new(3, 0)).unwrap();
    let side = repository
        .commit(None, &signature, &signature, "side", &base.tree().unwrap(), &[&base])
        .unwrap();
    let side = Revision::new(side.to_string());

    let tree = read(directory.path(), Limits::default()).unwrap();
    let between = |old: &Revision, new: &Revision| ancestry(&tree, old, new).unwrap();
    assert_eq!(between(&first, &first), Ancestry::Same);
    assert_eq!(between(&first, &second), Ancestry::Forward);
    assert_eq!(between(&second, &first), Ancestry::Backward);
    assert_eq!(between(&second, &side), Ancestry::Diverged);
    let gone = Revision::new("0123456789abcdef0123456789abcdef01234567");
    assert_eq!(between(&gone, &second), Ancestry::Unknown);
    assert_eq!(
        between(&Revision::new(&second.as_str()[..12]), &second),
        Ancestry::Unknown
    );
    assert_eq!(between(&Revision::new(""), &Revision::new("")), Ancestry::Unknown);
    let here = Revision::new("worktree:sha256:00");
    assert_eq!(between(&here, &here), Ancestry::Same);
    assert_eq!(between(&here, &second), Ancestry::Unknown);
}

#[test]
fn a_damaged_repository_is_an_error_and_no_worktree() {
    let directory = fleet();
    let repository = Repository::init(directory.path()).unwrap();
    let head = commit(&repository, 1);
    let object = head.as_str();
    let path = directory
        .path()
        .join(".git/objects")
        .join(&object[..2])
        .join(&object[2..]);
    fs::remove_file(path).unwrap();
    let tree = read(directory.path(), Limits::default()).unwrap();
    assert!(
        matches!(origin(&tree), Err(SourceError::Git { .. })),
        "{:?}",
        origin(&tree)
    );
}

#[test]
fn a_linked_worktree_is_called_by_its_own_commit() {
    let directory = fleet();
    let repository = Repository::init(directory.path()).unwrap();
    let first = commit(&repository, 1);
    let elsewhere = TempDir::new().unwrap();
    let linked = elsewhere.path().join("linked");
    repository.worktree("linked", &linked, None).unwrap();
    fs::write(directory.path().join("fleet.yaml"), "kind: Fleet # 2\n").unwrap();
    let second = commit(&repository, 2);
    assert_eq!(origin_of(&linked).revision, first);
    assert_eq!(origin_of(directory.path()).revision, second);
}

#[test]
fn a_shallow_clone_does_not_tell_what_it_can_not_see() {
    let directory = fleet();
    let repository = Repository::init(directory.path()).unwrap();
    let first = commit(&repository, 1);
    let base = repository
        .find_commit(git2::Oid::from_str(first.as_str()).unwrap())
        .unwrap();
    let signature = Signature::new("t", "t@example.org", &Time::new(3, 0)).unwrap();
    let tree = base.tree().unwrap();
    let side = repository
        .commit(None, &signature, &signature, "side", &tree, &[])
        .unwrap();
    let side = Revision::new(side.to_string());
    fs::write(directory.path().join("fleet.yaml"), "kind: Fleet # 2\n").unwrap();
    let second = commit(&repository, 2);
    fs::write(directory.path().join("fleet.yaml"), "kind: Fleet # 3\n").unwrap();
    let third = commit(&repository, 3);
    // What `git clone --depth=2` leaves: the history ends at the second commit, and the first is not there.
    fs::write(directory.path().join(".git/shallow"), format!("{second}\n")).unwrap();
    let object = first.as_str();
    fs::remove_file(
        directory
            .path()
            .join(".git/objects")
            .join(&object[..2])
            .join(&object[2..]),
    )
    .unwrap();

    let tree = read(directory.path(), Limits::default()).unwrap();
    assert_eq!(origin(&tree).unwrap().revision, third);
    let between = |old: &Revision, new: &Revision| ancestry(&tree, old, new).unwrap();
    assert_eq!(between(&second, &third), Ancestry::Forward);
    assert_eq!(between(&first, &third), Ancestry::Unknown);
    assert_eq!(
        between(&side, &third),
        Ancestry::Unknown,
        "they may meet beyond what is here"
    );
}
