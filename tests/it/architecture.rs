//! The layering of `src/lib.rs`, kept by a test: pure modules name nothing that talks, waits or guesses.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Modules that are functions of their arguments.
const PURE: &[&str] = &[
    "diag",
    "resource",
    "fleet",
    "render",
    "schema",
    "ssa",
    "status",
    "sync",
    "inventory",
    "plan",
    "report",
    "rights",
    "redact",
    "import",
];

/// What no pure module may name, and why.
const FORBIDDEN: &[(&str, &str)] = &[
    ("tokio", "it does not wait"),
    ("kube::", "it does not talk to a cluster"),
    ("git2", "it does not read repositories"),
    ("oci_rust_sdk", "it does not talk to a cloud"),
    ("std::fs", "it does not touch the disk"),
    ("std::env", "it does not read the environment"),
    ("std::time", "it does not know the time"),
    ("TcpStream", "it does not talk"),
    ("UdpSocket", "it does not talk"),
    ("std::process", "it starts nothing"),
    ("Timestamp::now", "it does not know the time"),
    ("Zoned::now", "it does not know the time"),
    ("println!", "it does not print"),
];

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            found.push(path);
        }
    }
}

/// The code of a file: no comments, and nothing from the first `#[cfg(test)]` on.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .take_while(|(_, line)| line.trim() != "#[cfg(test)]")
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .map(|(number, line)| (number + 1, line))
}

#[test]
fn pure_modules_name_nothing_that_talks_waits_or_guesses() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    for module in PURE {
        let before = found.len();
        sources(&root.join(module), &mut found);
        assert!(found.len() > before, "module {module} is gone: mend the list");
    }
    let mut wrong = Vec::new();
    for path in found.iter().filter(|path| !path.ends_with("tests.rs")) {
        let text = fs::read_to_string(path).unwrap();
        for (number, line) in code(&text) {
            for (name, why) in FORBIDDEN {
                if line.contains(name) {
                    let file = path.strip_prefix(&root).unwrap().display();
                    wrong.push(format!("src/{file}:{number} names `{name}`, but {why}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_module_says_what_it_keeps() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for entry in fs::read_dir(&root).unwrap() {
        let module = entry.unwrap().path().join("mod.rs");
        if let Ok(text) = fs::read_to_string(&module) {
            let head: String = text.lines().take_while(|line| line.starts_with("//!")).collect();
            assert!(head.contains("Invariant:"), "{} states no invariant", module.display());
        }
    }
}

#[test]
fn the_agpl_sdk_is_named_in_its_own_folder_alone() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    sources(&root, &mut found);
    for path in found
        .iter()
        .filter(|path| !path.starts_with(root.join("providers/oci")))
    {
        let text = fs::read_to_string(path).unwrap();
        assert!(!text.contains("oci_rust_sdk"), "{} names oci_rust_sdk", path.display());
    }
}

/// Stages of these tests share a server, and their names are those of namespaces there.
#[test]
fn each_stage_on_the_shared_server_has_a_name_of_its_own() {
    let mut found = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/e2e"), &mut found);
    let mut names = BTreeMap::new();
    for path in &found {
        let text = fs::read_to_string(path).unwrap();
        for call in ["Stage::new(\"", "Stage::of(\"", "installed(\""] {
            for rest in text.split(call).skip(1) {
                let name = rest.split('"').next().unwrap().to_owned();
                let before = names.insert(name.clone(), path.clone());
                assert!(before.is_none(), "`{name}` in {path:?} and {before:?}");
            }
        }
    }
    assert!(
        names.len() > 50,
        "how stages are made is written otherwise now: mend this test"
    );
}
