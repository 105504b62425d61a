//! A fleet read from a commit, out of the object store.
//!
//! Invariant: what is read is a function of the commit alone: nothing is written to disk as a tree, no filter is run, no
//! link is followed and no name reaches the file system. What is left out, and is not plainly no part of a fleet, is told
//! as an error.

use std::sync::Arc;

use git2::{ErrorCode, ObjectType, Odb, Oid, Repository, Tree as Directory, TreeEntry};

use super::super::refusal::{refusal, text};
use super::super::select::{child, is_hidden, is_wanted};
use super::super::{Limits, Place, Tree};
use crate::diag::{Code, Diagnostic};
use crate::fleet::SourceFile;

const LINK: i32 = 0o120_000;
const TYPE: i32 = 0o170_000;

/// Links that lead to links are looked through this often.
const LINKS: usize = 8;

struct Found {
    path: String,
    id: Oid,
    bytes: u64,
}

struct Walk<'a> {
    repository: &'a Repository,
    store: Odb<'a>,
    /// The whole of the commit: what a link leads to may lie beside the fleet.
    top: &'a Directory<'a>,
    prefix: &'a str,
    limits: Limits,
    entries: usize,
    found: Vec<Found>,
    diagnostics: Vec<Diagnostic>,
}

/// Reads the directory `path` of a commit's tree; none where there is no such directory.
pub(in crate::source) fn read(
    repository: &Repository,
    top: &Directory<'_>,
    path: &str,
    limits: Limits,
    place: Place,
) -> Result<Option<Tree>, git2::Error> {
    let Some(directory) = directory_at(repository, top, path)? else {
        return Ok(None);
    };
    let mut walk = Walk {
        repository,
        store: repository.odb()?,
        top,
        prefix: path,
        limits,
        entries: 0,
        found: Vec::new(),
        diagnostics: Vec::new(),
    };
    walk.directory("", &directory, 0)?;
    if walk.entries > limits.entries {
        walk.refuse(Code::TooLarge, "", format!("more than {} entries", limits.entries));
    }
    walk.finish(place).map(Some)
}

/// The directory at a path, part by part: nothing but directories leads there.
fn directory_at<'a>(
    repository: &'a Repository,
    top: &Directory<'a>,
    path: &str,
) -> Result<Option<Directory<'a>>, git2::Error> {
    let mut here = top.clone();
    for part in path.split('/').filter(|part| !part.is_empty()) {
        let id = match here.get_name(part) {
            Some(entry) if kind(&entry) == Kind::Directory => entry.id(),
            _ => return Ok(None),
        };
        here = repository.find_tree(id)?;
    }
    Ok(Some(here))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Directory,
    File,
    Link,
    Submodule,
}

fn kind(entry: &TreeEntry<'_>) -> Kind {
    match (entry.kind(), entry.filemode_raw() & TYPE) {
        (_, LINK) => Kind::Link,
        (Some(ObjectType::Tree), _) => Kind::Directory,
        (Some(ObjectType::Commit), _) => Kind::Submodule,
        _ => Kind::File,
    }
}

impl Walk<'_> {
    fn refuse(&mut self, code: Code, path: &str, what: impl std::fmt::Display) {
        self.diagnostics.push(refusal(code, path, what));
    }

    fn directory(&mut self, path: &str, directory: &Directory<'_>, depth: usize) -> Result<(), git2::Error> {
        if depth >= self.limits.depth {
            let what = format!("is more than {} directories deep", self.limits.depth);
            self.refuse(Code::TooLarge, path, what);
            return Ok(());
        }
        for entry in directory {
            self.entries += 1;
            if self.entries > self.limits.entries {
                return Ok(());
            }
            let Ok(name) = entry.name() else {
                let shown = child(path, &String::from_utf8_lossy(entry.name_bytes()));
                self.refuse(Code::Unreadable, &shown, "has a name that is not UTF-8");
                continue;
            };
            let at = child(path, name);
            if is_treacherous(name) {
                let what = "has a name that no file of a repository may have, and is not read";
                self.refuse(Code::Unreadable, &at, what);
            } else if !is_hidden(name) {
                self.entry(&at, &entry, depth)?;
            }
        }
        Ok(())
    }

    fn entry(&mut self, path: &str, entry: &TreeEntry<'_>, depth: usize) -> Result<(), git2::Error> {
        match kind(entry) {
            Kind::Directory => {
                let directory = self.repository.find_tree(entry.id())?;
                self.directory(path, &directory, depth + 1)?;
            }
            Kind::Submodule => self.refuse(
                Code::Unreadable,
                path,
                "is a submodule, and is not followed: have its files in this repository",
            ),
            Kind::Link => self.link(path, entry.id())?,
            Kind::File if is_wanted(path) => self.file(path, entry.id())?,
            Kind::File => {}
        }
        Ok(())
    }

    fn file(&mut self, path: &str, id: Oid) -> Result<(), git2::Error> {
        let (bytes, kind) = self.store.read_header(id)?;
        let (bytes, limit) = (bytes as u64, self.limits.file_bytes);
        if kind != ObjectType::Blob {
            self.refuse(Code::Unreadable, path, "is no regular file");
        } else if bytes > limit {
            let what = format!("has {bytes} bytes, more than the {limit} that a file may have");
            self.refuse(Code::TooLarge, path, what);
        } else {
            self.found.push(Found {
                path: path.to_owned(),
                id,
                bytes,
            });
        }
        Ok(())
    }

    /// A link to a file that would not be read by the link's name is nothing to a fleet (a README, a licence). Any other
    /// may stand for files of the fleet.
    fn link(&mut self, path: &str, id: Oid) -> Result<(), git2::Error> {
        if is_wanted(path) || !self.leads_to_a_file(path, id)? {
            self.refuse(
                Code::Unreadable,
                path,
                "is a link, and links are not followed in a repository: have a file in its place",
            );
        }
        Ok(())
    }

    fn leads_to_a_file(&self, path: &str, id: Oid) -> Result<bool, git2::Error> {
        let mut from = child(self.prefix, path);
        let mut id = id;
        for _ in 0..LINKS {
            let (bytes, _) = self.store.read_header(id)?;
            if bytes > 4096 {
                return Ok(false);
            }
            let target = self.store.read(id)?;
            let Some(at) = std::str::from_utf8(target.data())
                .ok()
                .and_then(|text| resolve(&from, text))
            else {
                return Ok(false);
            };
            let entry = match self.top.get_path(std::path::Path::new(&at)) {
                Ok(entry) => entry,
                Err(error) if error.code() == ErrorCode::NotFound => return Ok(false),
                Err(error) => return Err(error),
            };
            match kind(&entry) {
                Kind::File => return Ok(true),
                Kind::Directory | Kind::Submodule => return Ok(false),
                Kind::Link => {
                    from = at;
                    id = entry.id();
                }
            }
        }
        Ok(false)
    }

    /// Reads what was found, if all of it is within the budget: a part of a fleet is of no use to anyone.
    fn finish(mut self, place: Place) -> Result<Tree, git2::Error> {
        let mut found = std::mem::take(&mut self.found);
        found.sort_by(|a, b| a.path.cmp(&b.path));
        // Git makes no such tree, and readers would differ on which of the two they take.
        for pair in found.windows(2).filter(|pair| pair[0].path == pair[1].path) {
            let problem = refusal(Code::Unreadable, &pair[0].path, "is there more than once");
            self.diagnostics.push(problem);
        }
        let total = found.iter().fold(0_u64, |sum, found| sum.saturating_add(found.bytes));
        let mut files = Vec::new();
        if total > self.limits.total_bytes {
            let limit = self.limits.total_bytes;
            let what = format!("{total} bytes, more than the {limit} that a fleet may have");
            self.refuse(Code::TooLarge, "", what);
        } else {
            for found in found {
                let blob = self.store.read(found.id)?;
                match text(&found.path, blob.data()) {
                    Ok(text) => files.push(SourceFile {
                        path: Arc::from(found.path),
                        text,
                    }),
                    Err(problem) => self.diagnostics.push(*problem),
                }
            }
        }
        self.diagnostics
            .sort_by(|a, b| a.span.cmp(&b.span).then_with(|| a.message.cmp(&b.message)));
        Ok(Tree {
            files,
            diagnostics: self.diagnostics,
            place,
        })
    }
}

/// Where a link in the file `from` leads, both from the top; none where that is out of the repository.
fn resolve(from: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    if target.starts_with('/') {
        return None;
    }
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    (!parts.is_empty()).then(|| parts.join("/"))
}

/// Names that Git itself never puts into a tree: they are there to be taken for another place by whoever checks it out.
/// We do not, but a fleet that holds one was not made by mistake.
fn is_treacherous(name: &str) -> bool {
    // As file systems see it that ignore case, and some that ignore these characters or shorten names.
    let plain: String = name
        .chars()
        .filter(
            |c| !matches!(*c, '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{206a}'..='\u{206f}' | '\u{feff}'),
        )
        .collect();
    let plain = plain.trim_end_matches(['.', ' ']).to_ascii_lowercase();
    matches!(name, "" | "." | "..")
        || matches!(plain.as_str(), "" | ".git" | "git~1")
        || plain.starts_with(".git:")
        || name.contains(['/', '\\', '\0'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_lead_elsewhere_are_told_from_hidden_ones() {
        for name in [
            "",
            ".",
            "..",
            "...",
            ".git",
            ".GIT",
            ".git.",
            ".git ",
            ".g\u{200c}it",
            "git~1",
            ".git::$DATA",
            "../x",
            "a/b",
            "a\\b",
            "/etc",
        ] {
            assert!(is_treacherous(name), "{name:?}");
        }
        for name in [
            ".github",
            ".gitignore",
            ".gitattributes",
            "git",
            "a.git",
            "..a",
            "fleet.yaml",
            "git~10",
        ] {
            assert!(!is_treacherous(name), "{name:?}");
        }
    }

    #[test]
    fn a_link_is_resolved_within_the_repository() {
        assert_eq!(
            resolve("fleet/a/README", "../../README.md").as_deref(),
            Some("README.md")
        );
        assert_eq!(resolve("fleet/README", "./x//y").as_deref(), Some("fleet/x/y"));
        assert_eq!(resolve("README", "../x"), None);
        assert_eq!(resolve("README", "/etc/passwd"), None);
        assert_eq!(resolve("a/README", ".."), None);
    }
}
