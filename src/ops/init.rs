//! `init`: a new fleet directory.

use std::path::{Path, PathBuf};

use super::new_directory::{self, NewDirectoryError, takes_name};

/// The files of a new fleet; `FLEET` stands for its name.
const FILES: [(&str, &str); 4] = [
    ("fleet.yaml", include_str!("init/fleet.yaml")),
    ("environments.yaml", include_str!("init/environments.yaml")),
    ("pools.yaml", include_str!("init/pools.yaml")),
    ("clusters/first.yaml", include_str!("init/first.yaml")),
];

/// Why no fleet was made.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// The name does not do.
    #[error("`{0}` is no fleet name: use lower-case letters, digits and dashes, at most 40")]
    Name(String),
    /// The directory.
    #[error(transparent)]
    Directory(#[from] NewDirectoryError),
}

/// Writes a new fleet; gives the files written.
///
/// # Errors
/// Where the directory is not empty, or can't be written.
pub fn init(directory: &Path, name: &str) -> Result<Vec<PathBuf>, InitError> {
    if !takes_name(name) {
        return Err(InitError::Name(name.to_owned()));
    }
    let files = FILES.iter().map(|(file, text)| (file, text.replace("FLEET", name)));
    Ok(new_directory::write(directory, files)?)
}
