//! The CRDs in `deploy/crds/` are those of the program. `FLEETWRIGHT_BLESS=1` rewrites them.

use fleetwright::sync::{GROUP, SyncKind, crd};

use super::fleet_support::repository;
use super::reference::keep;

#[test]
fn the_committed_crds_are_current() {
    let directory = repository("deploy/crds");
    let mut files = Vec::new();
    for kind in SyncKind::ALL {
        let name = format!("{}.{GROUP}.yaml", kind.plural());
        let text = serde_yaml::to_string(&crd::definition(kind)).unwrap();
        keep(&format!("deploy/crds/{name}"), &text);
        files.push(name);
    }
    for entry in std::fs::read_dir(directory).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        // Kustomize finds them by a file of its own.
        assert!(name == "Kustomization" || files.contains(&name), "{name} is of no kind");
    }
}
