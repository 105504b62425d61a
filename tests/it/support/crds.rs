//! The upstream CRDs, HyperShift's with the OCI platform patched in: so that a server takes every dialect that we render.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use fleetwright::render::crds::apply_oci_platform;
use serde_json::Value;

/// Folders below the upstream data, and what of their files is taken: HyperShift's come in several feature sets, of which
/// a server can hold one.
const FOLDERS: [(&str, &str); 3] = [
    ("hypershift/crds", "Default.crd.yaml"),
    ("cluster-api/crds", ".yaml"),
    ("capoci/crds", ".yaml"),
];

/// Where upstream's data files are, if they are.
pub(crate) fn upstream() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/upstream");
    let folder = std::env::var_os("FLEETWRIGHT_UPSTREAM").map_or_else(beside, PathBuf::from);
    folder.is_dir().then_some(folder)
}

/// All of them, as documents that kubectl reads. Several versions of a kind stay: without a conversion webhook the server
/// relabels one as the other, which is right as long as a test writes and reads the same version.
pub(crate) fn documents() -> Result<&'static str, &'static str> {
    static DOCUMENTS: OnceLock<Result<String, String>> = OnceLock::new();
    DOCUMENTS.get_or_init(read).as_deref().map_err(String::as_str)
}

/// Folders of Cluster API's module that hold what upstream's data lacks, and how the names of its files begin.
const MODULE_FOLDERS: [(&str, &str); 3] = [
    ("bootstrap/kubeadm/config/crd/bases", "bootstrap."),
    ("controlplane/kubeadm/config/crd/bases", "controlplane."),
    ("config/crd/bases", "addons."),
];

/// Those of kubeadm and of the add-ons, of the release that the controller in `tests/capoci` is built with.
pub(crate) fn kubeadm_documents() -> Result<&'static str, &'static str> {
    static DOCUMENTS: OnceLock<Result<String, String>> = OnceLock::new();
    DOCUMENTS.get_or_init(read_module).as_deref().map_err(String::as_str)
}

fn read_module() -> Result<String, String> {
    let command = ["mod", "download", "-json", "sigs.k8s.io/cluster-api"];
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/capoci");
    let output = Command::new("go").args(command).current_dir(here).output();
    let output = output.map_err(|error| format!("there is no Go to fetch Cluster API's definitions with: {error}"))?;
    let module: Value = serde_json::from_slice(&output.stdout).map_err(|error| format!("go mod download: {error}"))?;
    let root = module["Dir"]
        .as_str()
        .ok_or("Cluster API's definitions can't be fetched")?;
    let mut documents = Vec::new();
    for (folder, prefix) in MODULE_FOLDERS {
        let entries = std::fs::read_dir(Path::new(root).join(folder)).map_err(|error| format!("{folder}: {error}"))?;
        for entry in entries.filter_map(Result::ok) {
            if entry.file_name().to_string_lossy().starts_with(prefix) {
                let text = std::fs::read_to_string(entry.path());
                documents.push(text.map_err(|error| format!("{}: {error}", entry.path().display()))?);
            }
        }
    }
    Ok(documents.join("\n---\n"))
}

fn read() -> Result<String, String> {
    let root = upstream().ok_or("no upstream CRDs beside the project, and FLEETWRIGHT_UPSTREAM is not set")?;
    let mut documents = Vec::new();
    for (folder, suffix) in FOLDERS {
        let entries = std::fs::read_dir(root.join(folder)).map_err(|error| format!("{folder}: {error}"))?;
        let mut files: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        files.retain(|path| path.to_string_lossy().ends_with(suffix));
        files.sort();
        for file in files {
            let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
            let text = std::fs::read_to_string(&file).map_err(|error| failed(&error))?;
            documents.push(if folder == "hypershift/crds" {
                let mut crd: Value = serde_yaml::from_str(&text).map_err(|error| failed(&error))?;
                apply_oci_platform(&mut crd).map_err(|error| failed(&error))?;
                crd.to_string()
            } else {
                text
            });
        }
    }
    Ok(documents.join("\n---\n"))
}
