//! Broken fleets, and what is said about each. `FLEETWRIGHT_BLESS=1` rewrites the goldens.

use fleetwright::fleet::Lock;
use fleetwright::report::diagnostics::{Style, render};

use super::fleet_support::{bless, read, repository, resolved};

#[test]
fn every_broken_fleet_says_what_its_golden_says() {
    let mut different = Vec::new();
    let mut cases: Vec<_> = std::fs::read_dir(repository("tests/cases/broken"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    cases.sort();
    assert!(cases.len() >= 40, "{} cases", cases.len());
    for case in cases {
        let name = case.file_name().unwrap().to_str().unwrap().to_owned();
        let files = read(&case);
        let (lock, problems) = Lock::parse(&files);
        let (loaded, resolved) = resolved(&files, &lock);
        let mut text = render(&problems, &files, Style::default());
        text.push_str(&render(&resolved.diagnostics, loaded.files(), Style::default()));
        let failed: Vec<_> = resolved.fleet.failed.iter().map(ToString::to_string).collect();
        let good: Vec<_> = resolved.fleet.clusters.keys().map(ToString::to_string).collect();
        text.push_str(&format!("failed: {}\n", failed.join(" ")));
        text.push_str(&format!("resolved: {}\n", good.join(" ")));
        text.push_str(&format!("incomplete: {}\n", resolved.fleet.incomplete));
        assert!(
            !(resolved.diagnostics.is_empty() && problems.is_empty()),
            "{name} is not broken"
        );
        let golden = case.join("want.txt");
        if bless() {
            std::fs::write(&golden, &text).unwrap();
        }
        let want = std::fs::read_to_string(&golden).unwrap_or_default();
        if want != text {
            different.push(format!("--- {name}: want\n{want}\n+++ {name}: is\n{text}"));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}
