//! Where in a typed value a field of it stands.
//!
//! Invariant: gives a place in the value that was asked about, the deepest that is known, and never one beside it.

use super::explain::Explainer;
use super::node::{Node, Place, Yaml};
use crate::diag::Span;

impl Explainer<'_> {
    /// Where a field (`data.url`, `rules[0].host`) of the value at a place stands: the deepest part of the way to it that the files
    /// have.
    pub fn within(&self, span: &Span, field: &str) -> Span {
        let loaded = self.loaded;
        let of_file = loaded.files.iter().position(|file| file.path == span.file);
        let Some(file) = of_file.and_then(|file| u32::try_from(file).ok()) else {
            return span.clone();
        };
        let mut documents = loaded
            .documents
            .iter()
            .filter(|document| document.spec.place.file == file);
        let Some(node) = documents.find_map(|document| at(&document.spec, span.start)) else {
            return span.clone();
        };
        descend(node, field).map_or_else(|| span.clone(), |place| place.span(&loaded.files))
    }
}

/// The outermost value that begins somewhere.
fn at(node: &Node, start: u32) -> Option<&Node> {
    if node.place.start == start {
        return Some(node);
    }
    if node.place.start > start || node.place.end < start {
        return None;
    }
    match &node.value {
        Yaml::Map(entries) => entries.iter().find_map(|entry| at(&entry.value, start)),
        Yaml::List(items) => items.iter().find_map(|item| at(item, start)),
        _ => None,
    }
}

/// The place of what a field names, or of what it is in; none where not even its first step is there. An entry begins with its key.
fn descend(node: &Node, field: &str) -> Option<Place> {
    match &node.value {
        Yaml::Map(entries) => {
            // A key may have dots in it: the longest that fits is meant.
            let fits = entries
                .iter()
                .filter_map(|entry| Some((entry, after(field, &entry.key)?)));
            let (entry, rest) = fits.max_by_key(|(entry, _)| entry.key.len())?;
            let whole = Place {
                end: entry.value.place.end.max(entry.place.end),
                ..entry.place
            };
            Some(descend(&entry.value, rest).unwrap_or(whole))
        }
        Yaml::List(items) => {
            let (index, rest) = field.strip_prefix('[')?.split_once(']')?;
            let item = items.get(index.parse::<usize>().ok()?)?;
            Some(descend(item, rest.trim_start_matches('.')).unwrap_or(item.place))
        }
        _ => None,
    }
}

/// What is left of a field behind a key; none where it does not begin with that.
fn after<'f>(field: &'f str, key: &str) -> Option<&'f str> {
    let rest = field.strip_prefix(key)?;
    match rest.as_bytes().first() {
        None | Some(b'[') => Some(rest),
        Some(b'.') => Some(&rest[1..]),
        Some(_) => None,
    }
}
