//! The fleet's files, commit by commit.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use fleetwright::daemon::{Directory, Source, SourceFailure};
use fleetwright::ops::{self, LoadOptions, LoadedFleet};
use fleetwright::resource::Revision;

use super::NOW;
use crate::sandbox_fleet::world::FLEET;

/// Names that clusters have.
const NAMES: [&str; 4] = ["a", "b", "c", "d"];

/// What the files say of a cluster.
#[derive(Clone, Debug, Default)]
pub(super) struct Cluster {
    /// Nodes by pool.
    pub(super) pools: BTreeMap<&'static str, usize>,
    pub(super) suspended: bool,
}

/// What the files say.
#[derive(Clone, Debug)]
pub(super) struct Wish {
    pub(super) clusters: BTreeMap<&'static str, Cluster>,
    gone: BTreeSet<&'static str>,
    /// Whether they are such that no one can load them.
    pub(super) broken: bool,
}

impl Wish {
    pub(super) fn first() -> Self {
        let mut wish = Self {
            clusters: BTreeMap::new(),
            gone: BTreeSet::new(),
            broken: false,
        };
        wish.add();
        wish.add();
        wish
    }

    /// A cluster more, if there is a name left.
    pub(super) fn add(&mut self) {
        let Some(name) = NAMES.into_iter().find(|name| !self.clusters.contains_key(name)) else {
            return;
        };
        self.gone.remove(name);
        let pools = BTreeMap::from([("general", 2)]);
        self.clusters.insert(
            name,
            Cluster {
                pools,
                suspended: false,
            },
        );
    }

    /// The cluster that a number means.
    pub(super) fn name(&self, number: usize) -> &'static str {
        let names: Vec<_> = self.clusters.keys().collect();
        names[number % names.len()]
    }

    pub(super) fn cluster(&mut self, name: &str) -> &mut Cluster {
        self.clusters.get_mut(name).expect("a name of them")
    }

    /// Takes a cluster out of the files.
    pub(super) fn remove(&mut self, name: &'static str) {
        self.clusters.remove(name);
        self.gone.insert(name);
    }

    fn write(&self, directory: &Path) {
        let gone: Vec<String> = self
            .gone
            .iter()
            .map(|name| format!("{{cluster: {name}, reason: it was a test}}"))
            .collect();
        let gone = format!("  decommission: [{}]\n", gone.join(", "));
        let limit = FLEET.replace("{deletes: 200}", "{deletes: 1000}");
        write(directory, "fleet.yaml", &limit.replace("MORE", gone.trim_end()));
        for (name, cluster) in &self.clusters {
            let mut pools = String::new();
            for (pool, replicas) in &cluster.pools {
                write!(pools, "{pool}: {{profile: general, replicas: {replicas}}}, ").expect("memory");
            }
            let suspend = if cluster.suspended {
                "  suspend: {reason: a look}\n"
            } else {
                ""
            };
            let text = format!(
                "kind: Cluster\nmetadata: {{name: {name}}}\nspec:\n  environment: dev\n  pools: {{{pools}}}\n{suspend}"
            );
            write(directory, &format!("clusters/{name}.yaml"), &text);
        }
        if self.broken {
            write(
                directory,
                "clusters/broken.yaml",
                "kind: Cluster\nmetadata: {name: [}\n",
            );
        }
    }
}

fn write(directory: &Path, path: &str, text: &str) {
    let path = directory.join(path);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("the folder");
    std::fs::write(path, text).expect("the file");
}

fn load(directory: &Path) -> LoadedFleet {
    let options = LoadOptions {
        directory: directory.to_owned(),
        locked: false,
        now: NOW.parse().expect("a time"),
    };
    ops::load(&options).expect("the fleet")
}

/// A place where each commit is a directory of its own, so that none is seen half written.
pub(super) struct Commits {
    place: tempfile::TempDir,
    made: Mutex<usize>,
    /// The last one that loads, whose lock goes on in the next.
    good: Mutex<Option<PathBuf>>,
    head: Mutex<Directory>,
}

impl Commits {
    pub(super) fn new() -> Self {
        let place = tempfile::tempdir().expect("a directory");
        Self {
            head: Mutex::new(Directory {
                path: place.path().to_owned(),
            }),
            good: Mutex::new(None),
            made: Mutex::new(0),
            place,
        }
    }

    /// Commits, and gives what was loaded of it, where it loads.
    pub(super) fn commit(&self, wish: &Wish) -> Option<LoadedFleet> {
        let number = {
            let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
            *made += 1;
            *made
        };
        let directory = self.place.path().join(number.to_string());
        wish.write(&directory);
        let mut good = self.good.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = &*good {
            copy(&before.join("fleet.lock"), &directory.join("fleet.lock"));
        }
        let mut loaded = None;
        if !wish.broken {
            let first = load(&directory);
            assert!(!first.has_errors(), "{:#?}", first.diagnostics);
            ops::write_lock(&first, &directory).expect("a lock");
            loaded = Some(load(&directory));
            *good = Some(directory.clone());
        }
        *self.head.lock().unwrap_or_else(PoisonError::into_inner) = Directory { path: directory };
        loaded
    }

    fn head(&self) -> Directory {
        self.head.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("the folder") {
        let entry = entry.expect("an entry");
        let there = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy(&entry.path(), &there);
        } else {
            std::fs::copy(entry.path(), there).expect("a copy");
        }
    }
}

impl Source for Commits {
    fn look(&self) -> Result<Revision, SourceFailure> {
        self.head().look()
    }

    fn load(&self, earlier: Option<&LoadedFleet>) -> Result<LoadedFleet, SourceFailure> {
        self.head().load(earlier)
    }

    fn took(&self) -> Result<(), SourceFailure> {
        Ok(())
    }
}
