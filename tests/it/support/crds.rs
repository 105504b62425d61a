//! The upstream CRDs, HyperShift's with the OCI platform patched in: so that a server takes every dialect that we render.

use std::path::{Path, PathBuf};
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

/// All of them as one `List`, in JSON. Several versions of a kind stay: without a conversion webhook the server relabels
/// one as the other, which is right as long as a test writes and reads the same version.
pub(crate) fn list() -> Result<&'static str, &'static str> {
    static LIST: OnceLock<Result<String, String>> = OnceLock::new();
    LIST.get_or_init(read).as_deref().map_err(String::as_str)
}

fn read() -> Result<String, String> {
    let root = upstream().ok_or("no upstream CRDs beside the project, and FLEETWRIGHT_UPSTREAM is not set")?;
    let mut items = Vec::new();
    for (folder, suffix) in FOLDERS {
        let entries = std::fs::read_dir(root.join(folder)).map_err(|error| format!("{folder}: {error}"))?;
        let mut files: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        files.retain(|path| path.to_string_lossy().ends_with(suffix));
        files.sort();
        for file in files {
            let text = std::fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
            let mut crd: Value = serde_yaml::from_str(&text).map_err(|error| format!("{}: {error}", file.display()))?;
            if folder == "hypershift/crds" {
                apply_oci_platform(&mut crd).map_err(|error| format!("{}: {error}", file.display()))?;
            }
            items.push(crd);
        }
    }
    Ok(serde_json::json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string())
}
