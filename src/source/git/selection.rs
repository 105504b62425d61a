//! Which commit of a repository is meant.
//!
//! Invariant: a pure function of what the server lists; what is ambiguous is refused, never guessed.

use std::fmt;
use std::str::FromStr;

use git2::{Oid, Reference};
use semver::{Version, VersionReq};

use super::error::Said;
use crate::diag::nearest;

const HEADS: &str = "refs/heads/";
const TAGS: &str = "refs/tags/";

/// Which commit is meant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Selection {
    /// What the repository's own HEAD names.
    #[default]
    Head,
    /// The tip of a branch.
    Branch(String),
    /// A tag.
    Tag(String),
    /// A branch or a tag, whichever there is; both is an error.
    Name(String),
    /// The tag of the highest version within a range; a `v` before the version is no part of it.
    Versions(VersionReq),
    /// A commit, by its whole id in lower case.
    Commit(String),
}

impl Selection {
    /// Whether it may mean another commit once a reference has moved; `followed` is the reference that it meant last.
    pub fn may_move(&self, reference: &str, followed: Option<&str>) -> bool {
        let branch = reference.strip_prefix(HEADS);
        let tag = reference.strip_prefix(TAGS);
        match self {
            // Another branch may become the default one without a push.
            Self::Head => branch.is_some() && followed.is_none_or(|followed| followed == reference),
            Self::Branch(name) => branch == Some(name),
            Self::Tag(name) => tag == Some(name),
            Self::Name(name) => branch == Some(name) || tag == Some(name),
            Self::Versions(_) => tag.is_some(),
            Self::Commit(_) => false,
        }
    }

    /// Whether versions are selected.
    pub fn is_of_versions(&self) -> bool {
        matches!(self, Self::Versions(_))
    }

    /// Whether versions are selected, and the tag `new` is of a higher one than the tag `old`.
    pub fn is_higher(&self, old: &str, new: &str) -> bool {
        let of = |reference: &str| version(reference.strip_prefix(TAGS)?);
        self.is_of_versions() && of(old).zip(of(new)).is_some_and(|(old, new)| old < new)
    }
}

/// Why a text selects nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SelectionError {
    /// Git allows no such name.
    #[error("`{0}` is no name of a branch, a tag or a commit")]
    Name(String),
    /// It is no range of versions.
    #[error("`{text}` is no range of versions such as semver:^1.2")]
    Range {
        /// As given, without `semver:`.
        text: String,
        /// Why.
        #[source]
        source: Said,
    },
}

impl FromStr for Selection {
    type Err = SelectionError;

    /// `refs/heads/NAME`, `refs/tags/NAME`, `semver:RANGE`, a whole commit id, or a name.
    fn from_str(text: &str) -> Result<Self, SelectionError> {
        if let Some(range) = text.strip_prefix("semver:") {
            let range_error = |error: semver::Error| SelectionError::Range {
                text: range.to_owned(),
                source: Said(error.to_string()),
            };
            return VersionReq::parse(range).map(Self::Versions).map_err(range_error);
        }
        if text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(Self::Commit(text.to_ascii_lowercase()));
        }
        let named = |prefix: &str| {
            let name = text.strip_prefix(prefix).unwrap_or(text);
            let is_valid = !name.starts_with('-') && Reference::is_valid_name(&format!("{HEADS}{name}"));
            if is_valid {
                Ok(name.to_owned())
            } else {
                Err(SelectionError::Name(text.to_owned()))
            }
        };
        if text.starts_with(HEADS) {
            named(HEADS).map(Self::Branch)
        } else if text.starts_with(TAGS) {
            named(TAGS).map(Self::Tag)
        } else if text == "HEAD" {
            Ok(Self::Head)
        } else {
            named("").map(Self::Name)
        }
    }
}

impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Head => f.write_str("default branch"),
            Self::Branch(name) => write!(f, "branch `{name}`"),
            Self::Tag(name) => write!(f, "tag `{name}`"),
            Self::Name(name) => write!(f, "branch or tag `{name}`"),
            Self::Versions(range) => write!(f, "tag of a version {range}"),
            Self::Commit(id) => write!(f, "commit {id}"),
        }
    }
}

/// A reference as a server lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    /// Such as `refs/heads/main`.
    pub(super) name: String,
    /// The commit, or the tag object.
    pub(super) id: Oid,
}

/// Why no reference was chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NoChoice {
    /// The repository has no commit yet.
    Empty,
    /// There is none such; and a name that is like it.
    Absent { near: Option<String> },
    /// There are a branch and a tag of the name.
    Ambiguous,
}

/// The reference that a selection other than [`Selection::Commit`] means.
pub(super) fn choose<'a>(
    selection: &Selection,
    listed: &'a [Listed],
    head: Option<&str>,
) -> Result<&'a Listed, NoChoice> {
    // A server lists an annotated tag's target beside it.
    let of = |prefix: &'static str| {
        listed.iter().filter_map(move |one| {
            let name = one.name.strip_prefix(prefix)?;
            (!name.ends_with("^{}")).then_some((name, one))
        })
    };
    if of(HEADS).next().is_none() && of(TAGS).next().is_none() {
        return Err(NoChoice::Empty);
    }
    let find = |prefix, wanted: &str| of(prefix).find(|(name, _)| *name == wanted).map(|(_, one)| one);
    let absent = |wanted: &str, prefixes: &[&'static str]| {
        let names = prefixes.iter().flat_map(|prefix| of(prefix)).map(|(name, _)| name);
        Err(NoChoice::Absent {
            near: nearest(wanted, names).map(str::to_owned),
        })
    };
    match selection {
        Selection::Head => {
            let branch = head.and_then(|head| head.strip_prefix(HEADS));
            branch
                .and_then(|name| find(HEADS, name))
                .ok_or(NoChoice::Absent { near: None })
        }
        Selection::Branch(name) => find(HEADS, name).map_or_else(|| absent(name, &[HEADS]), Ok),
        Selection::Tag(name) => find(TAGS, name).map_or_else(|| absent(name, &[TAGS]), Ok),
        Selection::Name(name) => match (find(HEADS, name), find(TAGS, name)) {
            (Some(_), Some(_)) => Err(NoChoice::Ambiguous),
            (Some(one), None) | (None, Some(one)) => Ok(one),
            (None, None) => absent(name, &[HEADS, TAGS]),
        },
        Selection::Versions(range) => of(TAGS)
            .filter_map(|(name, one)| Some((version(name)?, one)))
            .filter(|(version, _)| range.matches(version))
            // Of `v1.0.0` and `1.0.0` the same one at any order of the list.
            .max_by(|(a, x), (b, y)| a.cmp(b).then_with(|| x.name.cmp(&y.name)))
            .map(|(_, one)| one)
            .ok_or(NoChoice::Absent { near: None }),
        Selection::Commit(_) => Err(NoChoice::Absent { near: None }),
    }
}

fn version(tag: &str) -> Option<Version> {
    Version::parse(tag.strip_prefix('v').unwrap_or(tag)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(names: &[&str]) -> Vec<Listed> {
        let one = |(number, name): (usize, &&str)| Listed {
            name: (*name).to_owned(),
            id: Oid::from_str(&format!("{:040x}", number + 1)).unwrap(),
        };
        names.iter().enumerate().map(one).collect()
    }

    fn chosen(text: &str, names: &[&str]) -> Result<String, NoChoice> {
        let listed = listed(names);
        choose(&text.parse().unwrap(), &listed, Some("refs/heads/main")).map(|one| one.name.clone())
    }

    const SOME: &[&str] = &[
        "HEAD",
        "refs/heads/both",
        "refs/heads/main",
        "refs/heads/release/1.x",
        "refs/pull/1/head",
        "refs/tags/both",
        "refs/tags/v1.2.0",
        "refs/tags/v1.2.0^{}",
        "refs/tags/v1.10.0",
        "refs/tags/2.0.0",
        "refs/tags/v2.1.0-rc.1",
        "refs/tags/latest",
    ];

    #[test]
    fn a_push_of_another_reference_moves_nothing() {
        let may = |selection: &str, reference: &str| {
            let selection: Selection = selection.parse().unwrap();
            selection.may_move(reference, Some("refs/heads/main"))
        };
        assert!(may("HEAD", "refs/heads/main") && !may("HEAD", "refs/heads/next") && !may("HEAD", "refs/tags/main"));
        assert!(Selection::Head.may_move("refs/heads/next", None));
        assert!(
            may("main", "refs/heads/main") && may("main", "refs/tags/main") && !may("main", "refs/heads/maintenance")
        );
        assert!(may("refs/heads/a/b", "refs/heads/a/b") && !may("refs/tags/b", "refs/heads/b"));
        assert!(may("semver:^1", "refs/tags/v2.0.0") && !may("semver:^1", "refs/heads/v1.0.0"));
        assert!(!may("0123456789012345678901234567890123456789", "refs/heads/main"));
    }

    #[test]
    fn a_name_is_a_branch_or_a_tag_and_not_both() {
        assert_eq!(chosen("HEAD", SOME).unwrap(), "refs/heads/main");
        assert_eq!(chosen("release/1.x", SOME).unwrap(), "refs/heads/release/1.x");
        assert_eq!(chosen("latest", SOME).unwrap(), "refs/tags/latest");
        assert_eq!(chosen("both", SOME), Err(NoChoice::Ambiguous));
        assert_eq!(chosen("refs/heads/both", SOME).unwrap(), "refs/heads/both");
        assert_eq!(chosen("refs/tags/both", SOME).unwrap(), "refs/tags/both");
        let near = |near: &str| {
            Err(NoChoice::Absent {
                near: Some(near.into()),
            })
        };
        assert_eq!(chosen("mian", SOME), near("main"));
        assert_eq!(chosen("refs/tags/lates", SOME), near("latest"));
    }

    #[test]
    fn the_highest_version_of_a_range_is_chosen_by_number() {
        assert_eq!(chosen("semver:^1", SOME).unwrap(), "refs/tags/v1.10.0");
        assert_eq!(chosen("semver:*", SOME).unwrap(), "refs/tags/2.0.0");
        assert_eq!(chosen("semver:>=2.1.0-rc.0", SOME).unwrap(), "refs/tags/v2.1.0-rc.1");
        assert_eq!(chosen("semver:^3", SOME), Err(NoChoice::Absent { near: None }));
        let twins = &["refs/tags/v1.0.0", "refs/tags/1.0.0"];
        assert_eq!(chosen("semver:1", twins).unwrap(), "refs/tags/v1.0.0");
    }

    #[test]
    fn an_empty_repository_and_a_head_of_nothing_are_told_apart() {
        assert_eq!(chosen("HEAD", &[]), Err(NoChoice::Empty));
        assert_eq!(chosen("main", &["HEAD"]), Err(NoChoice::Empty));
        assert_eq!(
            chosen("HEAD", &["refs/heads/other"]),
            Err(NoChoice::Absent { near: None })
        );
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for text in ["", "-x", "a..b", "a b", "refs/heads/", "x.lock", "a\u{7}"] {
            assert!(text.parse::<Selection>().is_err(), "{text:?}");
        }
        assert!("semver:one".parse::<Selection>().is_err());
        let id = "0123456789ABCDEF0123456789abcdef01234567";
        assert_eq!(id.parse(), Ok(Selection::Commit(id.to_lowercase())));
        assert_eq!("0123456".parse(), Ok(Selection::Name("0123456".into())));
    }
}
