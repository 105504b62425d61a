//! A directory of fleet files that was not there before.
//!
//! Invariant: where there is something already, nothing is written.

use std::path::{Path, PathBuf};
use std::{fs, io};

/// Why no directory was made.
#[derive(Debug, thiserror::Error)]
pub enum NewDirectoryError {
    /// There is something there.
    #[error("{} exists and is not empty: nothing was written", .0.display())]
    NotEmpty(PathBuf),
    /// The file system says no.
    #[error("{} can't be written", .path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Writes files into a directory that is new or empty; gives their paths.
///
/// # Errors
/// Where there is something, or nothing can be written.
pub(super) fn write<F: AsRef<Path>>(
    directory: &Path,
    files: impl IntoIterator<Item = (F, String)>,
) -> Result<Vec<PathBuf>, NewDirectoryError> {
    let error = |path: &Path| {
        let path = path.to_path_buf();
        move |source| NewDirectoryError::Io { path, source }
    };
    fs::create_dir_all(directory).map_err(error(directory))?;
    if fs::read_dir(directory).map_err(error(directory))?.next().is_some() {
        return Err(NewDirectoryError::NotEmpty(directory.to_path_buf()));
    }
    let mut written = Vec::new();
    for (file, text) in files {
        let path = directory.join(file);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(error(parent))?;
        }
        fs::write(&path, text).map_err(error(&path))?;
        written.push(path);
    }
    Ok(written)
}

/// Whether a name is one that fleet files are begun with: it is part of names of objects.
pub(super) fn takes_name(name: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=40).contains(&name.len()) && name.bytes().all(letter) && !name.starts_with('-') && !name.ends_with('-')
}
