//! Files of `tests/cases/` that hold what is wanted. `FLEETWRIGHT_BLESS=1` writes them anew.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::fleet_support::{bless, repository};

/// A path in `tests/cases/`.
pub(crate) fn folder(name: &str) -> PathBuf {
    repository("tests/cases").join(name)
}

/// Compares with one golden file, `render/oci-managed/cluster-payments.yaml`.
#[track_caller]
pub(crate) fn check(name: &str, got: &str) {
    let path = folder(name);
    if bless() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, got).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    let diff = similar::TextDiff::from_lines(golden.as_str(), got);
    assert!(golden == got, "{name} differs:\n{}", diff.unified_diff());
}

/// A text in which all was set at the same time: on a real server, and where a busy machine takes a round more, that is another
/// each time.
pub(crate) fn timeless(text: &str) -> String {
    let times = regex::Regex::new(r"(was set by \S+,) \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ").unwrap();
    times.replace_all(text, "$1 2026-11-21T12:00:00Z").into_owned()
}

/// The names in a folder.
pub(crate) fn names(dir: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(dir).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}
