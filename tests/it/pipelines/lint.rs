//! actionlint has nothing to say about the workflows.

use std::path::PathBuf;
use std::process::Command;

use crate::fleet_support::repository;
use crate::support::skip;

fn actionlint() -> Option<PathBuf> {
    let program = repository("target/testenv/actionlint");
    if !program.is_file() {
        let built = Command::new(repository("tests/actionlint/build.sh")).status();
        if !built.is_ok_and(|status| status.success()) {
            return skip("target/testenv has no actionlint, and tests/actionlint/build.sh can't build it");
        }
    }
    Some(program)
}

#[test]
fn the_workflows_are_in_order() {
    let Some(actionlint) = actionlint() else { return };
    let folder = repository("examples/pipelines/github-actions");
    let workflows: Vec<_> = std::fs::read_dir(folder)
        .expect("the examples")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    assert!(workflows.len() >= 2, "{workflows:?}");
    // What it would ask other programs is another matter on each machine.
    let lint = |paths: &[PathBuf]| {
        let output = Command::new(&actionlint)
            .args(["-no-color", "-shellcheck=", "-pyflakes="])
            .args(paths)
            .output()
            .expect("actionlint");
        (
            output.status.success(),
            String::from_utf8_lossy(&output.stdout).into_owned(),
        )
    };
    let (is_fine, said) = lint(&workflows);
    assert!(is_fine, "{said}");
    // It would say something.
    let wrong = tempfile::Builder::new().suffix(".yaml").tempfile().expect("a file");
    let text = std::fs::read_to_string(&workflows[0]).expect("a workflow");
    std::fs::write(
        wrong.path(),
        text.replace("github.event", "github.evnt")
            .replace("runs-on:", "run-on:"),
    )
    .expect("a file");
    let (is_fine, said) = lint(&[wrong.path().to_owned()]);
    assert!(!is_fine && said.contains("run-on"), "{said}");
}
