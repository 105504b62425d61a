//! Which commit took an object out of the files, and which line went with it.
//!
//! Invariant: a commit is named only where the fleet before it renders the object and the fleet after it does not. What does not
//! render there is not known, and nothing is said. Objects whose unit went with them are not looked for: the line that lets go of the
//! unit says it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use similar::{DiffTag, TextDiff};

use super::base;
use super::load::LoadedFleet;
use super::tracer::Tracer;
use crate::diag::Span;
use crate::render::Unit;
use crate::resource::{ResourceId, Revision, UnitId};
use crate::source::{Branch, Limits, LineSetBy, SourceError};

/// Commits that are rendered for one plan at most. One object takes the logarithm of the commits since the last apply.
const RENDERED: usize = 24;

/// An object that is in the files no more, and the revision in which it was.
pub(super) struct Gone<'p> {
    pub(super) unit: &'p UnitId,
    pub(super) id: &'p ResourceId,
    pub(super) since: Revision,
}

/// What took it out, and the first of its lines that went with it.
pub(super) type TakenOut = (LineSetBy, Option<Span>);

/// Looks for what took some objects out.
///
/// # Errors
/// Where the repository can't be read.
pub(super) fn look(loaded: &LoadedFleet, gone: Vec<Gone<'_>>) -> Result<BTreeMap<ResourceId, TakenOut>, SourceError> {
    let mut stretches: BTreeMap<Revision, Vec<Gone<'_>>> = BTreeMap::new();
    for one in gone {
        stretches.entry(one.since.clone()).or_default().push(one);
    }
    let (mut found, mut left) = (BTreeMap::new(), RENDERED);
    for (since, gone) in stretches {
        let Some(branch) = Branch::since(loaded.tree(), &since)? else {
            continue;
        };
        let mut history = History {
            now: loaded,
            branch,
            seen: BTreeMap::new(),
            left,
        };
        let mut by_commit: BTreeMap<usize, Vec<Gone<'_>>> = BTreeMap::new();
        for one in gone {
            if let Some(at) = history.last_with(one.unit, one.id)? {
                by_commit.entry(at).or_default().push(one);
            }
        }
        left = history.left;
        for (at, gone) in by_commit {
            let by = history.branch.said(at + 1)?;
            let mut lines = history.lines(at, &gone)?;
            for one in gone {
                found.insert(one.id.clone(), (by.clone(), lines.remove(one.id)));
            }
        }
    }
    Ok(found)
}

/// A stretch of history, as far as it was rendered.
struct History<'a> {
    now: &'a LoadedFleet,
    branch: Branch,
    /// What commits render, by their place on the branch; none where that can't be told.
    seen: BTreeMap<usize, Option<Seen>>,
    /// Commits that may still be rendered.
    left: usize,
}

struct Seen {
    units: BTreeMap<UnitId, Arc<Unit>>,
    /// Units of which nothing is known.
    failed: BTreeSet<UnitId>,
    is_incomplete: bool,
}

impl History<'_> {
    /// The commit after which an object is not there any more, by halves: what was taken out is not put back on the way. None where
    /// that is not known.
    fn last_with(&mut self, unit: &UnitId, id: &ResourceId) -> Result<Option<usize>, SourceError> {
        let (mut there, mut gone) = (0, self.branch.len());
        if self.has(unit, id, there)? != Some(true) {
            return Ok(None);
        }
        while gone - there > 1 {
            let middle = there + (gone - there) / 2;
            match self.has(unit, id, middle)? {
                Some(true) => there = middle,
                Some(false) => gone = middle,
                None => return Ok(None),
            }
        }
        Ok(Some(there))
    }

    /// Whether one of the commits renders an object; none where that is not known.
    fn has(&mut self, unit: &UnitId, id: &ResourceId, at: usize) -> Result<Option<bool>, SourceError> {
        if !self.seen.contains_key(&at) {
            let Some(left) = self.left.checked_sub(1) else {
                return Ok(None);
            };
            self.left = left;
            let seen = self.fleet(at)?.map(|fleet| Seen {
                units: fleet.rendered.units,
                failed: fleet.failed.into_keys().collect(),
                is_incomplete: fleet.fleet.incomplete,
            });
            self.seen.insert(at, seen);
        }
        let Some(Some(seen)) = self.seen.get(&at) else {
            return Ok(None);
        };
        Ok(match seen.units.get(unit) {
            Some(rendered) => Some(rendered.manifests.iter().any(|manifest| manifest.id == *id)),
            None if seen.failed.contains(unit) || seen.is_incomplete => None,
            None => Some(false),
        })
    }

    fn fleet(&self, at: usize) -> Result<Option<LoadedFleet>, SourceError> {
        let tree = self.branch.tree(at, Limits::default())?;
        Ok(tree.and_then(|tree| base::load(tree, self.now).ok()))
    }

    /// The likeliest line of each object that a commit has, and what comes after it has not.
    fn lines(&self, at: usize, gone: &[Gone<'_>]) -> Result<BTreeMap<ResourceId, Span>, SourceError> {
        let Some(before) = self.fleet(at)? else {
            return Ok(BTreeMap::new());
        };
        let after = match at + 1 < self.branch.len() {
            true => self.branch.tree(at + 1, Limits::default())?,
            false => Some(self.now.tree().clone()),
        };
        let text = |files: &[crate::fleet::SourceFile], path: &str| {
            let file = files.iter().find(|file| *file.path == *path);
            file.map(|file| file.text.clone())
        };
        let files = after.map(|tree| tree.files).unwrap_or_default();
        let (mut kept, mut tracer) = (BTreeMap::new(), Tracer::new(&before));
        let mut found = BTreeMap::new();
        for one in gone {
            let went = tracer.lines(one.unit, one.id).into_iter().find(|span| {
                let lines = kept.entry(span.file.clone()).or_insert_with(|| {
                    let before = text(&before.tree().files, &span.file).unwrap_or_default();
                    text(&files, &span.file).map_or_else(Vec::new, |after| kept_lines(&before, &after))
                });
                let line = usize::try_from(span.line).unwrap_or_default();
                !lines.iter().any(|range| range.contains(&line))
            });
            found.extend(went.map(|span| (one.id.clone(), span)));
        }
        Ok(found)
    }
}

/// Which lines of a text, from 1, another has too.
fn kept_lines(before: &str, after: &str) -> Vec<Range<usize>> {
    let diff = TextDiff::from_lines(before, after);
    let kept = diff.ops().iter().filter(|op| op.tag() == DiffTag::Equal);
    kept.map(|op| op.old_range().start + 1..op.old_range().end + 1)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_kept_wherever_they_went() {
        assert_eq!(kept_lines("a\nb\nc\nd\n", "x\na\nc\nd\n"), [1..2, 3..5]);
        assert!(kept_lines("a\n", "").is_empty());
    }
}
