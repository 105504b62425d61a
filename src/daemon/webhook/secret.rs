//! The secret that webhooks are proved with.
//!
//! Invariant: read anew each time, since it is exchanged under a running daemon; never shown.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::resource::Secret;

/// Shorter ones can be guessed.
const SHORTEST: usize = 16;
const LONGEST: u64 = 4096;

/// Why there is no secret.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file can't be read.
    #[error("the webhook secret in {} can't be read", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It holds no secret that will do.
    #[error("the webhook secret in {} is no text of 16 to 4096 bytes", .path.display())]
    Unfit {
        /// The file.
        path: PathBuf,
    },
}

/// Reads it; a line's end is no part of it.
pub(super) fn read(path: &Path) -> Result<Secret, SecretError> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(LONGEST + 1).read_to_end(&mut bytes))
        .map_err(|source| SecretError::Read {
            path: path.to_owned(),
            source,
        })?;
    let fits = |text: &str| (SHORTEST..=4096).contains(&text.len());
    let text = String::from_utf8(bytes)
        .ok()
        .map(|text| text.trim_end_matches(['\r', '\n']).to_owned());
    match text.filter(|text| fits(text)) {
        Some(text) => Ok(Secret::new(text)),
        None => Err(SecretError::Unfit { path: path.to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_secret_is_refused_and_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        assert!(matches!(read(&path), Err(SecretError::Read { .. })));
        for bad in ["", "\n", "short", &"x".repeat(5000)] {
            std::fs::write(&path, bad).unwrap();
            let error = read(&path).unwrap_err();
            assert!(matches!(error, SecretError::Unfit { .. }), "{bad}");
            assert!(!format!("{error} {error:?}").contains("xxxx"));
        }
        std::fs::write(&path, "sixteen bytes ok\r\n").unwrap();
        assert_eq!(read(&path).unwrap().expose(), "sixteen bytes ok");
    }
}
