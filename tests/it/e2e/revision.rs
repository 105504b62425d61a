//! An older revision never overwrites a newer one.

use git2::build::CheckoutBuilder;
use git2::{IndexAddOption, Oid, Repository, Signature, Time};

use super::Stage;

/// The workplace as a Git repository.
struct Git(Repository);

impl Git {
    fn new(stage: &Stage) -> Self {
        let repository = Repository::init(stage.place.path()).expect("a repository");
        std::fs::write(stage.place.path().join(".gitignore"), ".cache\n").expect("a file");
        Self(repository)
    }

    /// Commits all there is, so many seconds after the first.
    fn commit(&self, after: i64) -> Oid {
        let mut index = self.0.index().expect("an index");
        index.add_all(["."], IndexAddOption::DEFAULT, None).expect("files");
        index.update_all(["."], None).expect("files");
        index.write().expect("the index is written");
        let tree = self.0.find_tree(index.write_tree().expect("a tree")).expect("a tree");
        let by = Signature::new("test", "test@fleetwright.test", &Time::new(1_790_000_000 + after, 0)).expect("a name");
        let parent = self.0.head().ok().map(|head| head.peel_to_commit().expect("a commit"));
        let parents: Vec<_> = parent.iter().collect();
        self.0
            .commit(Some("HEAD"), &by, &by, "a change", &tree, &parents)
            .expect("a commit")
    }

    fn check_out(&self, commit: Oid) {
        self.0.set_head_detached(commit).expect("HEAD moves");
        self.0
            .checkout_head(Some(CheckoutBuilder::new().force()))
            .expect("a checkout");
    }
}

#[test]
fn an_older_commit_is_refused_and_a_revert_is_not() {
    let Some(stage) = Stage::new("backwards") else { return };
    let git = Git::new(&stage);
    let first = git.commit(0);
    let applied = stage.run(&["apply", "--yes", "-o", "json"]).exits(0).json();
    assert_eq!(applied["plan"]["revision"], first.to_string());
    stage.cluster(
        "backwards",
        &[
            "a: {profile: general, replicas: 5}",
            "b: {profile: general, replicas: 3}",
        ],
    );
    let second = git.commit(60);
    stage.run(&["apply", "--yes"]).exits(0);

    git.check_out(first);
    let mark = stage.login.mark();
    let refused = stage.run(&["apply", "--yes"]).exits(3);
    let message = format!("refused (older-revision): these were last applied from {second}");
    assert!(refused.stdout.contains(&message), "{}", refused.stdout);
    assert!(refused.stdout.contains("revert in Git"), "{}", refused.stdout);
    stage.run(&["apply", "--yes", "--keep-going"]).exits(3);
    // Something that is not committed, on top of the old state, makes it no newer.
    let note = stage.place.fleet().join("note.yaml");
    std::fs::write(&note, "# nothing\n").expect("a file");
    let refused = stage.run(&["apply", "--yes"]).exits(3);
    assert!(refused.stdout.contains(&message), "{}", refused.stdout);
    std::fs::remove_file(&note).expect("the file");
    assert_eq!(stage.writes_since(mark), Vec::<String>::new());
    assert_eq!(stage.get("backwards", "nodepool", "backwards-a")["spec"]["replicas"], 5);

    // A commit of its own on top of the old state is no older one: what it takes back is said.
    git.check_out(first);
    stage.cluster(
        "backwards",
        &["a: {profile: general}", "b: {profile: general, replicas: 4}"],
    );
    git.commit(90);
    let planned = stage.run(&["plan", "-o", "json"]).exits(0).json();
    let warning =
        format!("cluster backwards: last applied from {second}, which the revision at hand does not come after");
    let warnings = planned["warnings"].as_array().expect("warnings");
    assert!(
        warnings.iter().any(|said| super::text(said).starts_with(&warning)),
        "{warnings:?}"
    );
    let text = stage.run(&["plan"]).exits(0).stdout;
    assert!(text.contains(&warning), "{text}");

    // The old state as a new commit is a step forward.
    git.check_out(second);
    stage.cluster(
        "backwards",
        &["a: {profile: general}", "b: {profile: general, replicas: 3}"],
    );
    let third = git.commit(120);
    stage.run(&["apply", "--yes"]).exits(0);
    assert_eq!(stage.get("backwards", "nodepool", "backwards-a")["spec"]["replicas"], 2);

    // What is not committed has no place in the history: whoever applies it stands for it.
    stage.cluster(
        "backwards",
        &[
            "a: {profile: general, replicas: 6}",
            "b: {profile: general, replicas: 3}",
        ],
    );
    let applied = stage.run(&["apply", "--yes", "-o", "json"]).exits(0).json();
    let revision = super::text(&applied["plan"]["revision"]);
    assert!(revision.starts_with("worktree:"), "{revision}");
    git.check_out(third);
    stage.run(&["apply", "--yes"]).exits(0);
    stage.is_settled();
}
