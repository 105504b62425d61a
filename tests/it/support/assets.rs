//! Where the binaries are.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The three programs.
#[derive(Debug)]
pub(crate) struct Assets {
    pub(crate) etcd: PathBuf,
    pub(crate) apiserver: PathBuf,
    pub(crate) kubectl: PathBuf,
}

/// Finds the programs, or builds them; the error says what is missing.
pub(crate) fn find() -> Result<&'static Assets, &'static str> {
    static FOUND: OnceLock<Result<Assets, String>> = OnceLock::new();
    FOUND.get_or_init(look).as_ref().map_err(String::as_str)
}

fn look() -> Result<Assets, String> {
    // What is set is meant: a wrong folder is not papered over by a build.
    if let Some(folder) = std::env::var_os("KUBEBUILDER_ASSETS") {
        return inside(Path::new(&folder)).map_err(|missing| format!("KUBEBUILDER_ASSETS lacks {missing}"));
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = root.join("target/testenv");
    if let Ok(assets) = inside(&folder) {
        return Ok(assets);
    }
    build(&root.join("tests/apiserver/build.sh"), &folder)?;
    inside(&folder).map_err(|missing| format!("the build left no {missing}"))
}

fn inside(folder: &Path) -> Result<Assets, &'static str> {
    let file = |name: &'static str| Some(folder.join(name)).filter(|path| path.is_file()).ok_or(name);
    Ok(Assets {
        etcd: file("etcd")?,
        apiserver: file("kube-apiserver")?,
        kubectl: file("kubectl")?,
    })
}

fn build(script: &Path, folder: &Path) -> Result<(), String> {
    if !Command::new("go")
        .arg("version")
        .output()
        .is_ok_and(|output| output.status.success())
    {
        return Err(
            "KUBEBUILDER_ASSETS is not set, target/testenv is empty, and there is no Go to build it with".into(),
        );
    }
    writeln!(
        std::io::stderr(),
        "building kube-apiserver, kubectl and etcd, once, for some minutes"
    )
    .ok();
    match Command::new(script).arg(folder).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("tests/apiserver/build.sh failed: {status}")),
        Err(error) => Err(format!("tests/apiserver/build.sh can't be run: {error}")),
    }
}
