//! `init`: a new fleet directory.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

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
    /// There is something there.
    #[error("{} exists and is not empty: nothing was written", .0.display())]
    NotEmpty(PathBuf),
    /// The name does not do.
    #[error("`{0}` is no fleet name: use lower-case letters, digits and dashes, at most 40")]
    Name(String),
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

/// Writes a new fleet; gives the files written.
///
/// # Errors
/// Where the directory is not empty, or can't be written.
pub fn init(directory: &Path, name: &str) -> Result<Vec<PathBuf>, InitError> {
    let letters = name
        .bytes()
        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if name.is_empty() || name.len() > 40 || !letters || name.starts_with('-') || name.ends_with('-') {
        return Err(InitError::Name(name.to_owned()));
    }
    let error = |path: &Path| {
        let path = path.to_path_buf();
        move |source| InitError::Io { path, source }
    };
    fs::create_dir_all(directory).map_err(error(directory))?;
    if fs::read_dir(directory).map_err(error(directory))?.next().is_some() {
        return Err(InitError::NotEmpty(directory.to_path_buf()));
    }
    let mut written = Vec::new();
    for (file, text) in FILES {
        let path = directory.join(file);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(error(parent))?;
        }
        fs::write(&path, text.replace("FLEET", name)).map_err(error(&path))?;
        written.push(path);
    }
    Ok(written)
}
