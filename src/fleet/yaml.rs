//! YAML text → [`Node`] trees.
//!
//! Invariant: the only module that knows the YAML parser. Bounded in every direction (size, depth, expansion of aliases)
//! before memory is spent; never recursive, so that no input overflows the stack.

use std::collections::BTreeMap;

use rayon::prelude::*;
use serde_saphyr::granit_parser::{ErrorKind, Event, Marker, Parser, ScalarStyle, Span as RawSpan};

use super::node::{Entry, Node, Place, SourceFile, Yaml};
use crate::diag::{Code, Diagnostic};

/// The largest file. A cluster takes some 100 bytes, so that this is far beyond any fleet, and still parsed in a second.
const MAX_FILE: usize = 8 << 20;
/// The largest tree.
const MAX_TREE: usize = 128 << 20;
/// Nesting that no document of ours comes near.
const MAX_DEPTH: usize = 48;
/// Nesting that no object comes near; definitions are nested twice as deep as what they define.
const MAX_OBJECT_DEPTH: usize = 160;
/// Nodes that aliases may add to a file.
const MAX_EXPANSION: usize = 100_000;

/// What the files hold.
#[derive(Default)]
pub(super) struct Parsed {
    /// Every document that could be read, with what is wrong inside of it.
    pub(super) documents: Vec<(Node, Vec<Diagnostic>)>,
    /// What could not.
    pub(super) diagnostics: Vec<Diagnostic>,
    /// Whether some document may be missing.
    pub(super) incomplete: bool,
}

/// What is read: the words and the depth of documents differ.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Fleet documents.
    Fleet,
    /// Objects of Kubernetes, as kubectl and API servers read them.
    Objects,
}

impl Form {
    fn depth(self) -> usize {
        match self {
            Self::Fleet => MAX_DEPTH,
            Self::Objects => MAX_OBJECT_DEPTH,
        }
    }

    fn plain_scalar(self, text: &str) -> Yaml {
        match self {
            Self::Fleet => plain_scalar(text),
            Self::Objects => super::yaml_1_1::plain_scalar(text),
        }
    }

    /// What to do instead of a merge key.
    fn instead_of_merging(self) -> &'static str {
        match self {
            Self::Fleet => "put what is shared into a profile, an environment, or beside `clusters:`",
            Self::Objects => "write out what is shared",
        }
    }
}

/// Parses every file; one that is no YAML doesn't hold up the others.
pub(super) fn parse(files: &[SourceFile], form: Form) -> Parsed {
    let mut left = MAX_TREE;
    let budgets: Vec<usize> = files
        .iter()
        .map(|file| {
            let budget = left.min(MAX_FILE);
            if file.text.len() <= budget {
                left -= file.text.len();
            }
            budget
        })
        .collect();
    let all: Vec<Parsed> = budgets
        .into_par_iter()
        .enumerate()
        .map(|(index, budget)| parse_within(budget, files, index, form))
        .collect();
    let mut parsed = Parsed::default();
    for mut one in all {
        parsed.incomplete |= one.incomplete;
        parsed.documents.append(&mut one.documents);
        parsed.diagnostics.append(&mut one.diagnostics);
    }
    parsed
}

/// Parses one file of the list, unless it is larger than what is left for it.
fn parse_within(budget: usize, files: &[SourceFile], index: usize, form: Form) -> Parsed {
    let size = files.get(index).map_or(0, |file| file.text.len());
    if size <= budget {
        return parse_as(files, index, form);
    }
    let (size, most) = (mebibytes(size), mebibytes(budget));
    let place = Place {
        file: number(index),
        line: 1,
        column: 1,
        start: 0,
        end: 0,
    };
    let what = if budget == MAX_FILE {
        "a file"
    } else {
        "what is left for this tree"
    };
    let problem = Diagnostic::new(
        Code::TooLarge,
        format!("this file has {size} MiB, {what} may have {most} MiB"),
    )
    .at(&place.span(files))
    .hint("keep only fleet documents in the fleet directory, or split the file");
    Parsed {
        documents: Vec::new(),
        diagnostics: vec![problem],
        incomplete: true,
    }
}

/// Parses one file of the list, whatever its size.
pub(super) fn parse_one(files: &[SourceFile], index: usize) -> Parsed {
    parse_as(files, index, Form::Fleet)
}

fn parse_as(files: &[SourceFile], index: usize, form: Form) -> Parsed {
    let mut builder = Builder::new(number(index), files, form);
    if let Some(file) = files.get(index) {
        builder.run(&file.text);
    }
    Parsed {
        documents: builder.documents,
        diagnostics: builder.diagnostics,
        incomplete: builder.broken,
    }
}

fn mebibytes(bytes: usize) -> usize {
    bytes.div_ceil(1 << 20)
}

fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

/// A collection that is not closed yet.
struct Open {
    place: Place,
    anchor: usize,
    parts: Parts,
}

enum Parts {
    List(Vec<Node>),
    Map(Vec<Entry>, Option<(Box<str>, Place)>, BTreeMap<Box<str>, Place>),
}

/// A mapping's keys are looked up linearly up to here; beyond it an index is kept.
const INDEX_FROM: usize = 16;

struct Builder<'a> {
    form: Form,
    file: u32,
    files: &'a [SourceFile],
    documents: Vec<(Node, Vec<Diagnostic>)>,
    diagnostics: Vec<Diagnostic>,
    /// What is wrong inside of the document that is being read.
    inside: Vec<Diagnostic>,
    broken: bool,
    stack: Vec<Open>,
    anchors: BTreeMap<usize, Node>,
    expanded: usize,
}

/// Stops the file.
struct Stop;

impl<'a> Builder<'a> {
    fn new(file: u32, files: &'a [SourceFile], form: Form) -> Self {
        Self {
            form,
            file,
            files,
            documents: Vec::new(),
            diagnostics: Vec::new(),
            inside: Vec::new(),
            broken: false,
            stack: Vec::new(),
            anchors: BTreeMap::new(),
            expanded: 0,
        }
    }

    fn run(&mut self, text: &str) {
        let mut parser = Parser::new_from_str(text);
        while let Some(next) = parser.next_event() {
            let outcome = match next {
                Ok((event, span)) => self.event(event, span),
                Err(error) => {
                    let place = self.mark(*error.marker());
                    self.diagnostics
                        .push(explain(error.kind(), &error.info()).at(&place.span(self.files)));
                    self.diagnostics.append(&mut self.inside);
                    Err(Stop)
                }
            };
            if outcome.is_err() {
                self.broken = true;
                return;
            }
        }
    }

    fn mark(&self, mark: Marker) -> Place {
        let start = number(mark.byte_offset().unwrap_or_default());
        Place {
            file: self.file,
            line: number(mark.line()),
            column: number(mark.col() + 1),
            start,
            end: start,
        }
    }

    fn place(&self, span: RawSpan) -> Place {
        let end = number(span.end.byte_offset().unwrap_or_default());
        let place = self.mark(span.start);
        Place {
            end: end.max(place.start),
            ..place
        }
    }

    fn event(&mut self, event: Event<'_>, span: RawSpan) -> Result<(), Stop> {
        let place = self.place(span);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain && tag.is_none();
                let value = if plain {
                    self.form.plain_scalar(&text)
                } else {
                    Yaml::Str(text.into())
                };
                self.put(Node { place, value }, anchor)
            }
            Event::SequenceStart(_, anchor, _) => self.open(place, anchor, Parts::List(Vec::new())),
            Event::MappingStart(_, anchor, _) => {
                self.open(place, anchor, Parts::Map(Vec::new(), None, BTreeMap::new()))
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(open) = self.stack.pop() else { return Ok(()) };
                let place = Place {
                    end: place.end.max(open.place.end),
                    ..open.place
                };
                let value = match open.parts {
                    Parts::List(items) => Yaml::List(items),
                    Parts::Map(entries, ..) => Yaml::Map(entries),
                };
                self.put(Node { place, value }, open.anchor)
            }
            Event::Alias(anchor) => self.alias(anchor, place),
            Event::DocumentEnd => {
                self.anchors.clear();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn open(&mut self, place: Place, anchor: usize, parts: Parts) -> Result<(), Stop> {
        let deepest = self.form.depth();
        if self.stack.len() >= deepest {
            return self.stop(Code::Budget, format!("nested deeper than {deepest} levels"), place);
        }
        self.stack.push(Open { place, anchor, parts });
        Ok(())
    }

    fn alias(&mut self, anchor: usize, place: Place) -> Result<(), Stop> {
        let Some(node) = self.anchors.get(&anchor) else {
            return self.stop(Code::Syntax, "this alias stands inside what it names".to_owned(), place);
        };
        self.expanded += size(node, MAX_EXPANSION);
        if self.expanded > MAX_EXPANSION {
            let message = format!("the aliases of this file expand to more than {MAX_EXPANSION} values");
            return self.stop(Code::Budget, message, place);
        }
        let node = Node {
            place,
            value: node.value.clone(),
        };
        self.put(node, 0)
    }

    fn stop(&mut self, code: Code, message: String, place: Place) -> Result<(), Stop> {
        self.diagnostics
            .push(Diagnostic::new(code, message).at(&place.span(self.files)));
        Err(Stop)
    }

    /// Puts a finished value where it belongs.
    fn put(&mut self, node: Node, anchor: usize) -> Result<(), Stop> {
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        let files = self.files;
        let Some(open) = self.stack.last_mut() else {
            self.documents.push((node, std::mem::take(&mut self.inside)));
            return Ok(());
        };
        match &mut open.parts {
            Parts::List(items) => items.push(node),
            Parts::Map(entries, waiting, index) => match waiting.take() {
                Some((key, place)) => {
                    // A block collection begins at its first key; the mapping's own place is its first key too.
                    entries.push(Entry {
                        key,
                        place,
                        value: node,
                    });
                }
                None => {
                    let Some(key) = key_text(&node) else {
                        let what = node.kind();
                        let message = format!("a key has to be a string, this is {what}");
                        return self.stop(Code::Syntax, message, node.place);
                    };
                    if key.as_ref() == "<<" {
                        let problem = Diagnostic::new(Code::Syntax, "merge keys (`<<`) are not read")
                            .at(&node.place.span(files))
                            .hint(self.form.instead_of_merging());
                        self.diagnostics.push(problem);
                        return Err(Stop);
                    }
                    if entries.len() == INDEX_FROM {
                        index.extend(entries.iter().map(|entry| (entry.key.clone(), entry.place)));
                    }
                    let first = if entries.len() < INDEX_FROM {
                        entries.iter().find(|entry| entry.key == key).map(|entry| entry.place)
                    } else {
                        index.insert(key.clone(), node.place)
                    };
                    if let Some(first) = first {
                        self.inside.push(
                            Diagnostic::new(Code::DuplicateKey, format!("`{key}` is given twice in one mapping"))
                                .at(&node.place.span(files))
                                .related(&first.span(files), "first given here")
                                .hint("keep one of the two"),
                        );
                    }
                    *waiting = Some((key, node.place));
                }
            },
        }
        Ok(())
    }
}

/// How many values a tree has, counted no further than needed.
fn size(node: &Node, most: usize) -> usize {
    let mut count = 0;
    let mut rest = vec![node];
    while let Some(node) = rest.pop() {
        count += 1;
        if count > most {
            break;
        }
        match &node.value {
            Yaml::List(items) => rest.extend(items),
            Yaml::Map(entries) => rest.extend(entries.iter().map(|entry| &entry.value)),
            _ => {}
        }
    }
    count
}

fn key_text(node: &Node) -> Option<Box<str>> {
    match &node.value {
        Yaml::Str(text) => Some(text.clone()),
        Yaml::Int(number) => Some(number.to_string().into()),
        Yaml::Bool(value) => Some(value.to_string().into()),
        Yaml::Float(_, text) => Some(text.clone()),
        Yaml::Null | Yaml::List(_) | Yaml::Map(_) => None,
    }
}

/// YAML 1.2's core schema; `yes` and `no` are strings.
fn plain_scalar(text: &str) -> Yaml {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Yaml::Null,
        "true" | "True" | "TRUE" => return Yaml::Bool(true),
        "false" | "False" | "FALSE" => return Yaml::Bool(false),
        _ => {}
    }
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        if digits.bytes().all(|byte| byte.is_ascii_digit())
            && let Ok(number) = text.parse()
        {
            return Yaml::Int(number);
        }
        let float = digits
            .bytes()
            .all(|byte| byte.is_ascii_digit() || b".eE+-".contains(&byte));
        if float
            && let Ok(number) = text.parse::<f64>()
            && number.is_finite()
        {
            return Yaml::Float(number, text.into());
        }
    }
    Yaml::Str(text.into())
}

/// Our words for the parser's usual errors, the parser's own for the others.
fn explain(kind: &ErrorKind, info: &str) -> Diagnostic {
    let (message, hint) = match kind {
        ErrorKind::RecursionLimitExceeded => {
            return Diagnostic::new(Code::Budget, "nested too deeply");
        }
        ErrorKind::TabInBlockIndentation | ErrorKind::TabInIndentation | ErrorKind::TabNotAllowed => {
            ("a tab in the indentation", "indent with blanks, YAML takes no tabs")
        }
        ErrorKind::MappingValueNotAllowed => (
            "`: ` can't stand here",
            "put a value that holds `: ` in quotes; or look whether the line before is finished",
        ),
        ErrorKind::InvalidIndentation | ErrorKind::ExpectedBlockMappingKey | ErrorKind::ExpectedBlockSequenceEntry => (
            "this line does not fit the lines above it",
            "look at its indentation, and at the line before",
        ),
        ErrorKind::UnclosedQuotedScalar | ErrorKind::InvalidQuotedScalarIndent => (
            "a text in quotes is not closed before this",
            "look for the opening quote on this line or above",
        ),
        ErrorKind::ExpectedFlowMappingSeparator | ErrorKind::UnexpectedEofFlowMapping => (
            "a `,` or a closing `}` is missing before this",
            "look at the line before, too",
        ),
        ErrorKind::ExpectedFlowSequenceSeparator | ErrorKind::UnexpectedEofFlowSequence => (
            "a `,` or a closing `]` is missing before this",
            "look at the line before, too",
        ),
        ErrorKind::UnknownAnchor => (
            "this alias names no anchor",
            "an anchor (`&name`) stands before its alias in the same document; or quote a text that begins with `*`",
        ),
        _ => return Diagnostic::new(Code::Syntax, info.trim_end_matches('.')),
    };
    Diagnostic::new(Code::Syntax, message).hint(hint)
}
