//! File texts → checked documents.
//!
//! Invariant: nothing is merged or followed here; a document that has an error is kept and marked, so that what it names
//! can be held up instead of being taken for absent.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::OnceLock;

use super::check::{check, did_you_mean, first_key};
use super::kind::Kind;
use super::layers::spell_out_pools;
use super::lock;
use super::node::{Entry, Node, Place, SourceFile, Yaml};
use super::shape::{Patterns, Shape, quoted};
use super::yaml;
use crate::diag::{Code, Diagnostic};

/// The fleet's documents, each checked by itself.
#[derive(Debug)]
pub struct Loaded {
    pub(super) files: Vec<SourceFile>,
    pub(super) documents: Vec<Document>,
    pub(super) diagnostics: Vec<Diagnostic>,
    pub(super) incomplete: bool,
    /// The built-in layer.
    pub(super) builtin: Node,
}

/// One document.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) kind: Kind,
    /// Empty for kinds that need none.
    pub(super) name: String,
    /// Where the name stands, or the document's first key.
    pub(super) place: Place,
    pub(super) spec: Node,
    /// Whether it had an error outside of its clusters.
    pub(super) broken: bool,
    /// Those of its clusters that had an error.
    pub(super) broken_clusters: BTreeSet<Box<str>>,
    /// Its diagnostics, as indices into those of the whole.
    pub(super) problems: Range<usize>,
}

const BUILTIN: &str = include_str!("defaults.yaml");

/// Reads the files. What is wrong is in the result's diagnostics.
pub fn load(files: &[SourceFile]) -> Loaded {
    let mut files: Vec<_> = files
        .iter()
        .filter(|file| !file.path.starts_with(lock::DIRECTORY))
        .cloned()
        .collect();
    files.sort_by(|a, b| a.path.cmp(&b.path));
    let parsed = yaml::parse(&files, yaml::Form::Fleet);
    let mut loaded = Loaded {
        builtin: Node {
            place: Place {
                file: 0,
                line: 1,
                column: 1,
                start: 0,
                end: 0,
            },
            value: Yaml::Map(Vec::new()),
        },
        files,
        documents: Vec::new(),
        diagnostics: parsed.diagnostics,
        incomplete: parsed.incomplete,
    };
    for (node, inside) in parsed.documents {
        loaded.document(node, inside);
    }
    loaded.add_builtin();
    loaded
}

/// The number of the built-in file, which is the last one.
pub(super) fn builtin_file(files: &[SourceFile]) -> u32 {
    u32::try_from(files.len().saturating_sub(1)).unwrap_or(u32::MAX)
}

fn shape_of(kind: Kind) -> &'static Shape {
    static SHAPES: OnceLock<BTreeMap<Kind, Shape>> = OnceLock::new();
    static NOTHING: Shape = Shape::Any;
    SHAPES
        .get_or_init(|| {
            let mut patterns = Patterns::new();
            let shapes = Kind::ALL
                .iter()
                .map(|kind| (*kind, Shape::of(&kind.schema(), &mut patterns)));
            shapes.collect()
        })
        .get(&kind)
        .unwrap_or(&NOTHING)
}

impl Loaded {
    /// What is wrong with single documents.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    /// The files, for showing diagnostics.
    pub fn files(&self) -> &[SourceFile] {
        &self.files
    }

    /// The built-in layer, as one more file so that `explain` can point into it.
    fn add_builtin(&mut self) {
        let file = SourceFile {
            path: "<built-in>".into(),
            text: BUILTIN.into(),
        };
        self.files.push(file);
        let mut parsed = yaml::parse_one(&self.files, self.files.len() - 1);
        self.diagnostics.append(&mut parsed.diagnostics);
        if let Some((node, _)) = parsed.documents.pop() {
            self.builtin = node;
        }
    }

    fn problem(&mut self, problem: Diagnostic, place: Place) {
        self.diagnostics.push(problem.at(&place.span(&self.files)));
    }

    fn document(&mut self, mut node: Node, mut found: Vec<Diagnostic>) {
        if matches!(node.value, Yaml::Null) {
            return;
        }
        let Some(kind) = self.kind(&node) else {
            self.diagnostics.append(&mut found);
            // It may have been anything, a cluster too.
            self.incomplete = true;
            return;
        };
        found.extend(check(&node, shape_of(kind), &self.files));
        let name = node.at(&["metadata", "name"]);
        let mut document = Document {
            kind,
            name: name.and_then(Node::as_str).unwrap_or_default().to_owned(),
            place: name.map_or_else(|| first_key(&node), |name| name.place),
            spec: Node {
                place: node.place,
                value: Yaml::Map(Vec::new()),
            },
            broken: false,
            broken_clusters: BTreeSet::new(),
            problems: 0..0,
        };
        if let Yaml::Map(entries) = &mut node.value
            && let Some(entry) = entries.iter_mut().find(|entry| &*entry.key == "spec")
        {
            std::mem::swap(&mut document.spec, &mut entry.value);
        }
        document.blame(&mut found);
        if kind == Kind::Clusters
            && document.broken
            && !matches!(
                document.spec.get("clusters").map(|node| &node.value),
                Some(Yaml::Map(_))
            )
        {
            self.incomplete = true;
        }
        if document.name.is_empty() && kind.is_named() {
            // Nobody can tell what it was to be called.
            self.incomplete = true;
        }
        document.each_settings(spell_out_pools);
        let from = self.diagnostics.len();
        self.diagnostics.append(&mut found);
        document.problems = from..self.diagnostics.len();
        self.documents.push(document);
    }

    fn kind(&mut self, node: &Node) -> Option<Kind> {
        if !matches!(node.value, Yaml::Map(_)) {
            let message = format!("a fleet document is a mapping, this is {}", node.kind());
            self.problem(Diagnostic::new(Code::WrongType, message), node.place);
            return None;
        }
        let Some(found) = node.get("kind") else {
            let problem = Diagnostic::new(Code::MissingKey, "this document has no `kind`")
                .hint(format!("it is one of {}", quoted(&Kind::ALL.map(Kind::name))));
            self.problem(problem, first_key(node));
            return None;
        };
        let word = found.as_str().unwrap_or_default();
        let kind = Kind::ALL.into_iter().find(|kind| kind.name() == word);
        if kind.is_none() {
            let names = Kind::ALL.map(Kind::name);
            let message = format!("`{word}` is no kind of fleet document");
            let hint = did_you_mean(word, names).unwrap_or_else(|| format!("it is one of {}", quoted(&names)));
            let mut problem = Diagnostic::new(Code::UnknownKind, message).hint(hint);
            if node
                .get("apiVersion")
                .and_then(Node::as_str)
                .is_some_and(|version| !version.starts_with("fleetwright."))
            {
                problem = problem.hint("put Kubernetes manifests of your own into `extraManifests`");
            }
            self.problem(problem, found.place);
        }
        kind
    }
}

impl Document {
    /// Finds out whom the errors hold up: single clusters of a `Clusters`, or the whole document.
    fn blame(&mut self, found: &mut [Diagnostic]) {
        let clusters: &[Entry] = match self.kind {
            Kind::Clusters => self.spec.get("clusters").map_or(&[], Node::entries),
            _ => &[],
        };
        let end = self.spec.get("clusters").map_or(0, |node| node.place.end);
        for problem in found {
            let at = problem.span.as_ref().map_or(0, |span| span.start);
            let before = clusters.partition_point(|entry| entry.place.start <= at);
            match before.checked_sub(1).and_then(|index| clusters.get(index)) {
                Some(entry) if at < end.max(entry.value.place.end) => {
                    self.broken_clusters.insert(entry.key.clone());
                    problem.clusters.push(entry.key.to_string());
                }
                _ => self.broken = true,
            }
        }
    }

    /// Visits each mapping of settings that the document holds.
    fn each_settings(&mut self, mut visit: impl FnMut(&mut Node)) {
        let sections: &[&str] = match self.kind {
            Kind::Fleet => &["regions"],
            Kind::Environment => &["regions"],
            Kind::Clusters => &["clusters"],
            Kind::Cluster => &[],
            _ => return,
        };
        if let Yaml::Map(entries) = &mut self.spec.value {
            for entry in entries {
                if &*entry.key == "defaults" && self.kind == Kind::Fleet {
                    visit(&mut entry.value);
                } else if sections.contains(&&*entry.key)
                    && let Yaml::Map(inner) = &mut entry.value.value
                {
                    for entry in inner {
                        visit(&mut entry.value);
                    }
                }
            }
        }
        if self.kind != Kind::Fleet {
            visit(&mut self.spec);
        }
    }
}
