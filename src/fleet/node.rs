//! A YAML value that remembers where each part of it was written.
//!
//! Invariant: a place is a file's number and offsets, so that a tree is small and can be merged and cloned cheaply; it
//! becomes a [`Span`] only when something has to be said about it.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::diag::Span;

/// One file of the fleet, as it was read.
#[derive(Clone, Debug)]
pub struct SourceFile {
    /// Path relative to the fleet directory, with `/`.
    pub path: Arc<str>,
    /// The whole text.
    pub text: Arc<str>,
}

/// A stretch of one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// Index into the list of files.
    pub(crate) file: u32,
    /// Line, from 1.
    pub(crate) line: u32,
    /// Column in characters, from 1.
    pub(crate) column: u32,
    /// Byte offset of the first character.
    pub(crate) start: u32,
    /// Byte offset behind the last character.
    pub(crate) end: u32,
}

impl Place {
    /// The place in words that outlive the list of files.
    pub(crate) fn span(self, files: &[SourceFile]) -> Span {
        Span {
            file: files
                .get(self.file as usize)
                .map_or_else(|| Arc::from("<unknown>"), |file| Arc::clone(&file.path)),
            line: self.line,
            column: self.column,
            start: self.start,
            end: self.end,
        }
    }
}

/// A value with its place.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) value: Yaml,
}

/// What a value is.
#[derive(Clone, Debug)]
pub(crate) enum Yaml {
    Null,
    Bool(bool),
    Int(i64),
    /// A number that is no `i64`, with its spelling: `4.20` is a version that lost its quotes more often than a number.
    Float(f64, Box<str>),
    Str(Box<str>),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// One key of a mapping.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: Box<str>,
    pub(crate) place: Place,
    pub(crate) value: Node,
}

impl Node {
    /// The entries of a mapping; none for anything else.
    pub(crate) fn entries(&self) -> &[Entry] {
        match &self.value {
            Yaml::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The entry of that key.
    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| &*entry.key == key)
    }

    /// The value of that key, `null` counting as absent.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key)
            .map(|entry| &entry.value)
            .filter(|node| !matches!(node.value, Yaml::Null))
    }

    /// The value at a path of keys.
    pub(crate) fn at(&self, path: &[&str]) -> Option<&Node> {
        path.iter().try_fold(self, |node, key| node.get(key))
    }

    /// The item of a list.
    pub(crate) fn item(&self, index: usize) -> Option<&Node> {
        match &self.value {
            Yaml::List(items) => items.get(index),
            _ => None,
        }
    }

    /// The string, where it is one.
    pub(crate) fn as_str(&self) -> Option<&str> {
        match &self.value {
            Yaml::Str(text) => Some(text),
            _ => None,
        }
    }

    /// What to call it in a message.
    pub(crate) fn kind(&self) -> &'static str {
        match &self.value {
            Yaml::Null => "nothing",
            Yaml::Bool(_) => "true or false",
            Yaml::Int(_) | Yaml::Float(..) => "a number",
            Yaml::Str(_) => "a string",
            Yaml::List(_) => "a list",
            Yaml::Map(_) => "a mapping",
        }
    }

    /// The value without its places.
    pub(crate) fn to_json(&self) -> Value {
        match &self.value {
            Yaml::Null => Value::Null,
            Yaml::Bool(value) => Value::Bool(*value),
            Yaml::Int(value) => Value::from(*value),
            Yaml::Float(value, _) => Value::from(*value),
            Yaml::Str(text) => Value::String(text.to_string()),
            Yaml::List(items) => Value::Array(items.iter().map(Node::to_json).collect()),
            Yaml::Map(entries) => Value::Object(
                entries
                    .iter()
                    .map(|entry| (entry.key.to_string(), entry.value.to_json()))
                    .collect::<Map<_, _>>(),
            ),
        }
    }
}
