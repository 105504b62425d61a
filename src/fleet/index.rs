//! Documents by kind and name.
//!
//! Invariant: of two documents of one kind and name neither is used, and both are reported.

use std::collections::{BTreeMap, BTreeSet};

use super::kind::Kind;
use super::layers::merge;
use super::load::{Document, Loaded};
use super::node::{Node, Place, Yaml};
use crate::diag::{Code, Diagnostic};

/// A cluster as declared.
#[derive(Clone, Copy, Debug)]
pub(super) struct Declared<'a> {
    pub(super) name: &'a str,
    pub(super) place: Place,
    /// The `Clusters` or `Cluster` document.
    pub(super) document: &'a Document,
    /// Its own settings.
    pub(super) own: &'a Node,
    /// Whether these, or what it shares with its neighbours, had an error.
    pub(super) broken: bool,
}

/// All documents, found by name.
#[derive(Debug, Default)]
pub(super) struct Index<'a> {
    pub(super) fleet: Option<&'a Document>,
    pub(super) named: BTreeMap<(Kind, &'a str), &'a Document>,
    pub(super) clusters: BTreeMap<&'a str, Declared<'a>>,
    /// Names of clusters that are declared twice.
    pub(super) twice: BTreeSet<&'a str>,
    pub(super) moved: Vec<&'a Document>,
    /// Documents of which there are two; neither is used.
    ambiguous: BTreeSet<(Kind, &'a str)>,
    /// Whether there are two `Fleet` documents.
    two_fleets: bool,
}

/// One layer of a cluster's settings.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layer<'a> {
    pub(super) name: &'static str,
    pub(super) node: &'a Node,
}

/// Keys of a document's spec that are no settings.
pub(super) const STRUCTURE: &[&str] = &["environment", "regions", "clusters", "production", "suspend"];

impl<'a> Index<'a> {
    /// Sorts the documents.
    pub(super) fn new(loaded: &'a Loaded, found: &mut Vec<Diagnostic>) -> Self {
        let mut index = Self::default();
        let mut first: BTreeMap<(Kind, &str), Place> = BTreeMap::new();
        for document in &loaded.documents {
            match document.kind {
                Kind::Moved => index.moved.push(document),
                Kind::Clusters => {
                    for entry in document.spec.get("clusters").map_or(&[][..], Node::entries) {
                        let declared = Declared {
                            name: &entry.key,
                            place: entry.place,
                            document,
                            own: &entry.value,
                            broken: document.broken || document.broken_clusters.contains(&entry.key),
                        };
                        index.cluster(declared, loaded, found);
                    }
                }
                Kind::Cluster => {
                    let declared = Declared {
                        name: &document.name,
                        place: document.place,
                        document,
                        own: &document.spec,
                        broken: document.broken,
                    };
                    index.cluster(declared, loaded, found);
                }
                Kind::Fleet => match index.fleet {
                    None => index.fleet = Some(document),
                    Some(other) => {
                        index.two_fleets = true;
                        found.push(
                            Diagnostic::new(Code::NoFleet, "there are two `Fleet` documents")
                                .at(&document.place.span(&loaded.files))
                                .related(&other.place.span(&loaded.files), "the first one")
                                .hint("one directory holds one fleet: merge the two, or move one away"),
                        );
                    }
                },
                kind => {
                    if document.name.is_empty() {
                        continue;
                    }
                    let key = (kind, document.name.as_str());
                    match first.get(&key) {
                        None => {
                            first.insert(key, document.place);
                            index.named.insert(key, document);
                        }
                        Some(place) => {
                            index.ambiguous.insert(key);
                            found.push(twice(kind, &document.name, (document.place, *place), loaded));
                        }
                    }
                }
            }
        }
        index
    }

    fn cluster(&mut self, declared: Declared<'a>, loaded: &Loaded, found: &mut Vec<Diagnostic>) {
        if declared.name.is_empty() {
            return;
        }
        if let Some(other) = self.clusters.get(declared.name) {
            let places = (declared.place, other.place);
            found.push(twice(Kind::Cluster, declared.name, places, loaded).cluster(declared.name));
            self.twice.insert(declared.name);
        } else {
            self.clusters.insert(declared.name, declared);
        }
    }

    /// A document by kind and name.
    pub(super) fn get(&self, kind: Kind, name: &str) -> Option<&'a Document> {
        self.named.get(&(kind, name)).copied()
    }

    /// Whether a document can't be used.
    pub(super) fn is_broken(&self, document: &Document) -> bool {
        document.broken || self.ambiguous.contains(&(document.kind, document.name.as_str()))
    }

    /// The fleet's document, if it can be used.
    pub(super) fn good_fleet(&self) -> Option<&'a Document> {
        self.fleet.filter(|fleet| !fleet.broken && !self.two_fleets)
    }

    /// All documents of a kind, in order of name.
    pub(super) fn of(&self, kind: Kind) -> impl Iterator<Item = &'a Document> {
        let range = self.named.range((kind, "")..);
        range
            .take_while(move |((other, _), _)| *other == kind)
            .map(|(_, document)| *document)
    }

    /// The names of a kind.
    pub(super) fn names(&self, kind: Kind) -> Vec<&'a str> {
        self.named
            .keys()
            .filter(|(other, _)| *other == kind)
            .map(|(_, name)| *name)
            .collect()
    }

    /// The fleet's spec.
    pub(super) fn fleet_spec(&self) -> Option<&'a Node> {
        self.fleet.map(|fleet| &fleet.spec)
    }
}

impl<'a> Declared<'a> {
    /// What it shares with its neighbours of a `Clusters` document.
    pub(super) fn shared(&self) -> Option<&'a Node> {
        (self.document.kind == Kind::Clusters).then_some(&self.document.spec)
    }

    /// A key of its own, or of what it shares with its neighbours.
    pub(super) fn near(&self, key: &str) -> Option<&'a Node> {
        self.own
            .get(key)
            .or_else(|| self.shared().and_then(|shared| shared.get(key)))
    }

    /// Every layer, the farthest first.
    pub(super) fn layers(&self, loaded: &'a Loaded, index: &Index<'a>) -> Vec<Layer<'a>> {
        let mut layers = base_layers(
            loaded,
            index,
            self.environment(index),
            self.region(index).and_then(Node::as_str),
        );
        if let Some(node) = self.shared() {
            layers.push(Layer { name: "Clusters", node });
        }
        layers.push(Layer {
            name: "Cluster",
            node: self.own,
        });
        layers
    }

    /// Its environment's document.
    pub(super) fn environment(&self, index: &Index<'a>) -> Option<&'a Document> {
        index.get(Kind::Environment, self.near("environment")?.as_str()?)
    }

    /// Where its region is typed. A region's own layer can't set it.
    pub(super) fn region(&self, index: &Index<'a>) -> Option<&'a Node> {
        self.near("region")
            .or_else(|| self.environment(index)?.spec.get("region"))
            .or_else(|| index.fleet_spec()?.at(&["defaults", "region"]))
    }
}

/// The layers that clusters of one environment and region have in common, the farthest first.
pub(super) fn base_layers<'a>(
    loaded: &'a Loaded,
    index: &Index<'a>,
    environment: Option<&'a Document>,
    region: Option<&str>,
) -> Vec<Layer<'a>> {
    let mut layers = vec![Layer {
        name: "built-in",
        node: &loaded.builtin,
    }];
    let fleet = index.fleet_spec();
    let mut add = |name, node: Option<&'a Node>| layers.extend(node.map(|node| Layer { name, node }));
    add("Fleet", fleet.and_then(|fleet| fleet.get("defaults")));
    add("Environment", environment.map(|environment| &environment.spec));
    if let Some(region) = region {
        add("Fleet, region", fleet.and_then(|fleet| fleet.at(&["regions", region])));
        add(
            "Environment, region",
            environment.and_then(|environment| environment.spec.at(&["regions", region])),
        );
    }
    layers
}

/// Layers merged into one.
pub(super) fn flatten(layers: &[Layer<'_>]) -> Node {
    let place = Place {
        file: 0,
        line: 1,
        column: 1,
        start: 0,
        end: 0,
    };
    let mut merged = Node {
        place,
        value: Yaml::Map(Vec::new()),
    };
    for layer in layers {
        merge(&mut merged, layer.node, STRUCTURE);
    }
    merged
}

fn twice(kind: Kind, name: &str, (second, first): (Place, Place), loaded: &Loaded) -> Diagnostic {
    Diagnostic::new(
        Code::Duplicate,
        format!("there are two {}s called `{name}`", kind.noun()),
    )
    .at(&second.span(&loaded.files))
    .related(&first.span(&loaded.files), "the first one")
    .hint("rename one of them")
}
