//! `lock`: writes what the fleet files come to into `fleet.lock/`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::load::LoadedFleet;

/// Why the lock was not written, or only in part; running it again mends that.
#[derive(Debug, thiserror::Error)]
#[error("{} can't be written", .path.display())]
pub struct LockError {
    path: PathBuf,
    #[source]
    source: io::Error,
}

/// Writes the lock; gives a line for each file that changed. Each file is replaced as a whole, never half written.
///
/// # Errors
/// Where a file can't be written.
pub fn write_lock(loaded: &LoadedFleet, directory: &Path) -> Result<Vec<String>, LockError> {
    let error = |path: &Path| {
        let path = path.to_path_buf();
        move |source| LockError { path, source }
    };
    let files = loaded.lock.files();
    let changes = loaded.old_lock.differs(&loaded.lock);
    for change in &changes {
        let path = directory.join(&change.file);
        match files.get(&change.file) {
            None => fs::remove_file(&path).map_err(error(&path))?,
            Some(text) => {
                if let Some(parent) = path.parent() {
                    fs::create_dir_all(parent).map_err(error(parent))?;
                }
                let new = path.with_extension("yaml.new");
                fs::write(&new, text).map_err(error(&new))?;
                fs::rename(&new, &path).map_err(error(&path))?;
            }
        }
    }
    Ok(changes.iter().map(ToString::to_string).collect())
}
