//! What the fleet tests share: reading a directory as the program will read Git, and resolving it with a fixed seed.

use std::path::{Path, PathBuf};

use fleetwright::fleet::{Loaded, Lock, Resolved, Seed, SourceFile, load, resolve};

/// A path in the repository.
pub(crate) fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Every YAML file under a directory, its lock too.
pub(crate) fn read(directory: &Path) -> Vec<SourceFile> {
    let mut files = Vec::new();
    collect(directory, directory, &mut files);
    files
}

fn collect(root: &Path, directory: &Path, files: &mut Vec<SourceFile>) {
    let mut entries: Vec<_> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            collect(root, &path, files);
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
            files.push(file(&name, &std::fs::read_to_string(&path).unwrap()));
        }
    }
}

/// One file.
pub(crate) fn file(path: &str, text: &str) -> SourceFile {
    SourceFile {
        path: path.into(),
        text: text.into(),
    }
}

/// A seed that never changes.
pub(crate) fn seed() -> Seed {
    Seed {
        templates: 1,
        entropy: [7; 16],
        now: "2026-11-21T12:00:00Z".parse().unwrap(),
    }
}

/// Loads and resolves.
pub(crate) fn resolved(files: &[SourceFile], lock: &Lock) -> (Loaded, Resolved) {
    let loaded = load(files);
    let resolved = resolve(&loaded, lock, &seed());
    (loaded, resolved)
}

/// Whether goldens are to be rewritten.
pub(crate) fn bless() -> bool {
    std::env::vars().any(|(name, _)| name == "FLEETWRIGHT_BLESS")
}
