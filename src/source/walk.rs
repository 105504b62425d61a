//! The walk through the directory.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;

use super::refusal::{refusal, text};
use super::select::{child, is_hidden, is_wanted};
use super::{Directory, Limits, Link, Place, SourceError, Tree};
use crate::diag::{Code, Diagnostic};
use crate::fleet::SourceFile;

/// A file to be read.
struct Found {
    /// Path below the root, by which it was found.
    path: String,
    /// Path below the root, links followed.
    real: String,
    bytes: u64,
}

struct Walk {
    /// Canonical.
    root: PathBuf,
    limits: Limits,
    entries: usize,
    found: Vec<Found>,
    links: Vec<Link>,
    diagnostics: Vec<Diagnostic>,
}

/// A directory on the way down.
struct Here<'a> {
    /// Path below the root, by which it was found; empty for the root.
    path: &'a str,
    /// Canonical.
    real: &'a Path,
    /// Canonical paths of the directories above: a link to one of them leads in a circle.
    above: &'a [PathBuf],
}

pub(super) fn read(directory: &Path, limits: Limits) -> Result<Tree, SourceError> {
    let refused = |source| SourceError::Directory {
        path: directory.to_owned(),
        source,
    };
    let root = fs::canonicalize(directory).map_err(refused)?;
    fs::read_dir(&root).map_err(refused)?;
    let mut walk = Walk {
        root: root.clone(),
        limits,
        entries: 0,
        found: Vec::new(),
        links: Vec::new(),
        diagnostics: Vec::new(),
    };
    walk.directory(&Here {
        path: "",
        real: &root,
        above: &[],
    });
    if walk.entries > limits.entries {
        walk.refuse(Code::TooLarge, "", format!("more than {} entries", limits.entries));
    }
    Ok(walk.finish())
}

impl Walk {
    fn refuse(&mut self, code: Code, path: &str, what: impl std::fmt::Display) {
        self.diagnostics.push(refusal(code, path, what));
    }

    fn unreadable(&mut self, path: &str, error: &io::Error) {
        self.diagnostics.push(unreadable(path, error));
    }

    fn directory(&mut self, here: &Here<'_>) {
        if here.above.len() >= self.limits.depth {
            let what = format!("is more than {} directories deep", self.limits.depth);
            return self.refuse(Code::TooLarge, here.path, what);
        }
        let listing = fs::read_dir(here.real).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let mut listing = match listing {
            Ok(listing) => listing,
            Err(error) => return self.unreadable(if here.path.is_empty() { "." } else { here.path }, &error),
        };
        listing.sort_by_key(fs::DirEntry::file_name);
        for entry in listing {
            self.entries += 1;
            if self.entries > self.limits.entries {
                return;
            }
            let name = entry.file_name();
            let Some(name) = name.to_str() else {
                let shown = child(here.path, &name.to_string_lossy());
                self.refuse(Code::Unreadable, &shown, "has a name that is not UTF-8");
                continue;
            };
            if !is_hidden(name) {
                self.entry(here, &child(here.path, name), &entry.path());
            }
        }
    }

    /// One entry; `at` is its path on disk, links not followed in its last part.
    fn entry(&mut self, here: &Here<'_>, path: &str, at: &Path) {
        let metadata = match fs::symlink_metadata(at) {
            Ok(metadata) => metadata,
            Err(error) => return self.unreadable(path, &error),
        };
        if metadata.is_symlink() {
            if let Some((real, metadata)) = self.follow(here, path, at) {
                self.target(here, path, &real, &metadata);
            }
        } else {
            self.target(here, path, at, &metadata);
        }
    }

    /// Where a link leads, if that is wanted, within the fleet directory and not hidden.
    fn follow(&mut self, here: &Here<'_>, path: &str, at: &Path) -> Option<(PathBuf, fs::Metadata)> {
        let followed = fs::read_link(at).and_then(|text| {
            self.links.push(Link {
                path: path.to_owned(),
                target: text.into_os_string().into_encoded_bytes(),
            });
            let real = fs::canonicalize(at)?;
            Ok((fs::metadata(&real)?, real))
        });
        let (metadata, real) = match followed {
            Ok(followed) => followed,
            // What it was meant to lead to can't be told, so neither that it is not missed.
            Err(error) => {
                self.refuse(
                    Code::Unreadable,
                    path,
                    format!("is a link that leads nowhere: {}", error.kind()),
                );
                return None;
            }
        };
        if !metadata.is_dir() && !is_wanted(path) {
            return None;
        }
        let Some(inside) = below(&self.root, &real) else {
            self.refuse(
                Code::Unreadable,
                path,
                "is a link that leads out of the fleet directory, and is not followed",
            );
            return None;
        };
        if inside.split('/').any(is_hidden) {
            self.refuse(
                Code::Unreadable,
                path,
                "is a link to what is hidden, and is not followed",
            );
            return None;
        }
        if metadata.is_dir() && (real == here.real || here.above.contains(&real)) {
            self.refuse(Code::Unreadable, path, "is a link that leads in a circle");
            return None;
        }
        Some((real, metadata))
    }

    /// A directory, a file or something else, links followed.
    fn target(&mut self, here: &Here<'_>, path: &str, real: &Path, metadata: &fs::Metadata) {
        if metadata.is_dir() {
            let mut above = here.above.to_vec();
            above.push(here.real.to_owned());
            return self.directory(&Here {
                path,
                real,
                above: &above,
            });
        }
        if !is_wanted(path) {
            return;
        }
        if !metadata.is_file() {
            return self.refuse(Code::Unreadable, path, "is no regular file");
        }
        let bytes = metadata.len();
        if bytes > self.limits.file_bytes {
            let what = format!(
                "has {bytes} bytes, more than the {} that a file may have",
                self.limits.file_bytes
            );
            return self.refuse(Code::TooLarge, path, what);
        }
        let Some(real) = below(&self.root, real) else {
            return self.refuse(Code::Unreadable, path, "has moved out of the fleet directory");
        };
        self.found.push(Found {
            path: path.to_owned(),
            real,
            bytes,
        });
    }

    /// Reads what was found, if all of it is within the budget: a part of a fleet is of no use to anyone.
    fn finish(mut self) -> Tree {
        self.found.sort_by(|a, b| a.path.cmp(&b.path));
        self.links.sort();
        let total = self
            .found
            .iter()
            .fold(0_u64, |sum, found| sum.saturating_add(found.bytes));
        let mut files = Vec::new();
        let mut real = Vec::new();
        if total > self.limits.total_bytes {
            let what = format!(
                "{total} bytes, more than the {} that a fleet may have",
                self.limits.total_bytes
            );
            self.refuse(Code::TooLarge, "", what);
        } else {
            files.reserve(self.found.len());
            let texts: Vec<_> = self.found.par_iter().map(|found| self.text(found)).collect();
            for (found, text) in std::mem::take(&mut self.found).into_iter().zip(texts) {
                match text {
                    Ok(text) => {
                        files.push(SourceFile {
                            path: found.path.as_str().into(),
                            text,
                        });
                        real.push(found.real.into());
                    }
                    Err(problem) => self.diagnostics.push(*problem),
                }
            }
        }
        self.diagnostics
            .sort_by(|a, b| a.span.cmp(&b.span).then_with(|| a.message.cmp(&b.message)));
        Tree {
            files,
            diagnostics: self.diagnostics,
            place: Place::Directory(Directory {
                root: self.root,
                real,
                links: self.links,
            }),
        }
    }

    fn text(&self, found: &Found) -> Result<Arc<str>, Box<Diagnostic>> {
        let limit = self.limits.file_bytes;
        let mut bytes = Vec::with_capacity(usize::try_from(found.bytes).unwrap_or(0));
        // One byte more than allowed shows a file that has grown since its size was looked at.
        File::open(self.root.join(&found.real))
            .and_then(|file| file.take(limit.saturating_add(1)).read_to_end(&mut bytes))
            .map_err(|error| Box::new(unreadable(&found.path, &error)))?;
        if bytes.len() as u64 > limit {
            let what = format!("has grown beyond {limit} bytes");
            return Err(Box::new(refusal(Code::TooLarge, &found.path, what)));
        }
        text(&found.path, &bytes)
    }
}

fn unreadable(path: &str, error: &io::Error) -> Diagnostic {
    // Its kind alone: the message of an io::Error may hold an absolute path.
    refusal(Code::Unreadable, path, format!("can't be read: {}", error.kind()))
}

/// A canonical path as one below the root, with `/`; `None` if it is not below, or not UTF-8.
fn below(root: &Path, real: &Path) -> Option<String> {
    let parts: Option<Vec<&str>> = real
        .strip_prefix(root)
        .ok()?
        .components()
        .map(|part| part.as_os_str().to_str())
        .collect();
    Some(parts?.join("/"))
}
