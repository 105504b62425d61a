//! Trees that were made to be taken for something else.

use fleetwright::diag::Severity;
use git2::{FileMode, ObjectType, Oid};

use super::{Upstream, fetched, messages, read, texts};

/// A tree as bytes: Git's own programs would not write these.
fn raw_tree(upstream: &Upstream, entries: &[(&str, &[u8], Oid)]) -> Oid {
    let mut bytes = Vec::new();
    for (mode, name, id) in entries {
        bytes.extend_from_slice(mode.as_bytes());
        bytes.push(b' ');
        bytes.extend_from_slice(name);
        bytes.push(0);
        bytes.extend_from_slice(id.as_bytes());
    }
    let store = upstream.repository.odb().unwrap();
    store.write(ObjectType::Tree, &bytes).unwrap()
}

#[test]
fn names_that_lead_out_of_the_tree_are_refused_and_read_nothing() {
    let upstream = Upstream::new();
    let blob = upstream.repository.blob(b"kind: Fleet\n").unwrap();
    let below = raw_tree(&upstream, &[("100644", b"fleet.yaml", blob)]);
    let tree = raw_tree(
        &upstream,
        &[
            ("40000", b"..", below),
            ("100644", b"../up.yaml", blob),
            ("40000", b".GIT", below),
            ("40000", b".git", below),
            ("40000", b".github", below),
            ("100644", b"/etc/abs.yaml", blob),
            ("100644", b"a\\b.yaml", blob),
            ("100644", b"fleet.yaml", blob),
            ("100644", b"n\xff.yaml", blob),
            ("100644", b"twice.yaml", blob),
            ("100644", b"twice.yaml", blob),
        ],
    );
    upstream.set("main", upstream.commit_tree(None, tree));
    let mirror = upstream.mirror();
    let tree = read(&mirror, &fetched(&mirror));
    let paths: Vec<&str> = texts(&tree).into_iter().map(|(path, _)| path).collect();
    assert_eq!(paths, ["fleet.yaml", "twice.yaml", "twice.yaml"]);
    let said = messages(&tree);
    for path in ["..", "../up.yaml", ".GIT", ".git", "/etc/abs.yaml", "a\\b.yaml"] {
        let message = format!("`{path}` has a name that no file of a repository may have, and is not read");
        assert!(said.contains(&message.as_str()), "{path}: {said:?}");
    }
    assert!(said.iter().any(|message| message.contains("not UTF-8")));
    assert!(said.contains(&"`twice.yaml` is there more than once"));
    assert_eq!(said.len(), 8);
    assert!(
        tree.diagnostics
            .iter()
            .all(|problem| problem.severity == Severity::Error)
    );
}

#[test]
fn links_and_submodules_are_left_out_and_told() {
    let upstream = Upstream::new();
    let link = FileMode::Link;
    let files = [
        ("fleet/fleet.yaml", FileMode::Blob, "kind: Fleet\n"),
        ("README.md", FileMode::Blob, "words"),
        ("shared/a.yaml", FileMode::Blob, "kind: Cluster\n"),
        ("fleet/README.md", link, "../README.md"),
        ("fleet/LICENSE", link, "README.md"),
        ("fleet/secret.yaml", link, "/etc/passwd"),
        ("fleet/out.yaml", link, "../../../etc/passwd"),
        ("fleet/in.yaml", link, "fleet.yaml"),
        ("fleet/more", link, "../shared"),
        ("fleet/nowhere", link, "gone"),
        ("fleet/round", link, "round"),
    ];
    let tree = upstream.tree(None, &files);
    let mut builder = git2::build::TreeUpdateBuilder::new();
    let commit = upstream.commit_tree(None, tree);
    builder.upsert("fleet/vendor", commit, FileMode::Commit);
    let base = upstream.repository.find_tree(tree).unwrap();
    let tree = builder.create_updated(&upstream.repository, &base).unwrap();
    upstream.set("main", upstream.commit_tree(None, tree));
    let mut remote = upstream.remote();
    remote.path = "fleet".into();
    let mirror = super::mirror(&upstream.beside("cache"), remote);
    let tree = read(&mirror, &fetched(&mirror));
    assert_eq!(texts(&tree), [("fleet.yaml", "kind: Fleet\n")]);
    let said: Vec<String> = messages(&tree)
        .iter()
        .map(|message| message.split(", and").next().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(
        said,
        [
            "`in.yaml` is a link",
            "`more` is a link",
            "`nowhere` is a link",
            "`out.yaml` is a link",
            "`round` is a link",
            "`secret.yaml` is a link",
            "`vendor` is a submodule",
        ]
    );
}

#[test]
fn filters_of_attributes_are_not_run() {
    let upstream = Upstream::new();
    upstream.commit(
        "main",
        &[
            (".gitattributes", "*.yaml text eol=crlf ident\n"),
            ("fleet.yaml", "kind: Fleet # $Id$\n"),
        ],
    );
    let mirror = upstream.mirror();
    assert_eq!(
        texts(&read(&mirror, &fetched(&mirror))),
        [("fleet.yaml", "kind: Fleet # $Id$\n")]
    );
}
