//! The CRDs in `deploy/crds/` are those of the program. `FLEETWRIGHT_BLESS=1` rewrites them.

use fleetwright::sync::{GROUP, SyncKind, crd};

use super::fleet_support::{bless, repository};

#[test]
fn the_committed_crds_are_current() {
    let directory = repository("deploy/crds");
    let mut files = Vec::new();
    for kind in SyncKind::ALL {
        let name = format!("{}.{GROUP}.yaml", kind.plural());
        let text = serde_yaml::to_string(&crd::definition(kind)).unwrap();
        let path = directory.join(&name);
        if bless() {
            std::fs::create_dir_all(&directory).unwrap();
            std::fs::write(&path, &text).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            committed == text,
            "{name} is not current: run FLEETWRIGHT_BLESS=1 cargo test"
        );
        files.push(name);
    }
    for entry in std::fs::read_dir(directory).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        // Kustomize finds them by a file of its own.
        assert!(name == "Kustomization" || files.contains(&name), "{name} is of no kind");
    }
}
