//! All objects, the window of what happened to them last, and the one place where they change.
//!
//! Invariant: every change is one revision, one event and one batch of rows for the store, made together.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use serde_json::Value;

use super::kind::{Kind, ResourceName, built_in};
use super::object::{Key, Stored, metadata_mut};
use crate::sandbox::store::{Store, StoreError, Write};
use crate::schema::Origin;

/// So many events are kept for watches and for the later pages of lists.
const WINDOW: usize = 5_000;
/// And no more than so many bytes of objects that are no longer so: a fleet has many servers.
const WINDOW_BYTES: usize = 2 << 20;
/// The row that holds the revision.
const REVISION: &str = "revision";

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happening {
    /// It came.
    Added,
    /// It changed.
    Modified,
    /// It went.
    Deleted,
}

/// One event of the window.
#[derive(Clone, Debug)]
pub(super) struct Event {
    pub(super) revision: u64,
    pub(super) resource: Arc<ResourceName>,
    pub(super) happening: Happening,
    /// The object after it; of a deleted one the last form, at the revision of its deletion.
    pub(super) object: Arc<Stored>,
    /// The object before it.
    pub(super) before: Option<Arc<Stored>>,
}

impl Event {
    /// What it keeps in memory that nothing else does.
    fn bytes(&self) -> usize {
        self.before.as_ref().map_or(0, |before| before.text.len())
    }
}

pub(super) type Objects = BTreeMap<Key, Arc<Stored>>;

/// The objects of the server.
pub(super) struct State {
    table: String,
    store: Arc<dyn Store>,
    kinds: BTreeMap<ResourceName, Arc<Kind>>,
    objects: BTreeMap<ResourceName, Objects>,
    /// Who names whom as its owner.
    dependents: BTreeMap<String, BTreeSet<(ResourceName, Key)>>,
    /// Where the object of a UID is.
    by_uid: BTreeMap<String, (ResourceName, Key)>,
    pub(super) revision: u64,
    window: VecDeque<Arc<Event>>,
    window_bytes: usize,
    /// Events up to here are forgotten.
    pub(super) compacted: u64,
}

impl State {
    /// What the store holds of a server.
    pub(super) fn load(name: &str, store: Arc<dyn Store>) -> Result<Self, StoreError> {
        let table = format!("kubernetes/{name}");
        let rows: Vec<(String, String)> = store
            .load(&table)?
            .into_iter()
            .filter_map(|(from, key, value)| (from == table).then_some((key, value)))
            .collect();
        let mut state = Self {
            table,
            store,
            kinds: BTreeMap::new(),
            objects: BTreeMap::new(),
            dependents: BTreeMap::new(),
            by_uid: BTreeMap::new(),
            // The first write makes it 2: 1 is a version that no object ever has.
            revision: 1,
            window: VecDeque::new(),
            window_bytes: 0,
            compacted: 0,
        };
        for kind in built_in() {
            state.serve(Arc::new(kind));
        }
        for (key, value) in rows {
            let corrupt = || StoreError {
                what: "read",
                source: format!("the row `{key}` is not of the form that it should have").into(),
            };
            if key == REVISION {
                state.revision = value.parse().map_err(|_| corrupt())?;
                continue;
            }
            let mut parts = key.splitn(3, '/');
            let (Some(group), Some(plural)) = (parts.next(), parts.next()) else {
                return Err(corrupt());
            };
            let resource = ResourceName::new(group, plural);
            let stored = Stored::parse(value.into()).ok_or_else(corrupt)?;
            state.index(&resource, None, Some(&stored));
            let objects = state.objects.entry(resource).or_default();
            objects.insert(stored.key.clone(), Arc::new(stored));
        }
        state.compacted = state.revision;
        let definitions = ResourceName::new("apiextensions.k8s.io", "customresourcedefinitions");
        let definitions: Vec<_> = state.objects(&definitions).values().cloned().collect();
        for definition in definitions {
            let definition: Value = serde_json::from_str(&definition.text).unwrap_or_default();
            if let Some(kind) = Kind::of_definition(&definition) {
                state.serve(kind);
            }
        }
        Ok(state)
    }

    /// Begins to serve a kind, or serves it in another way.
    pub(super) fn serve(&mut self, kind: Arc<Kind>) {
        self.kinds.insert(kind.name.clone(), kind);
    }

    /// Serves a kind no more.
    pub(super) fn withdraw(&mut self, resource: &ResourceName) {
        self.kinds.remove(resource);
        self.objects.remove(resource);
    }

    pub(super) fn kinds(&self) -> Vec<Arc<Kind>> {
        self.kinds.values().cloned().collect()
    }

    pub(super) fn kind(&self, resource: &ResourceName) -> Option<Arc<Kind>> {
        self.kinds.get(resource).cloned()
    }

    pub(super) fn kind_named(&self, group: &str, kind: &str) -> Option<Arc<Kind>> {
        let mut kinds = self.kinds.values();
        kinds
            .find(|known| known.name.group == group && known.kind == kind)
            .cloned()
    }

    pub(super) fn objects(&self, resource: &ResourceName) -> &Objects {
        static NONE: Objects = Objects::new();
        self.objects.get(resource).unwrap_or(&NONE)
    }

    pub(super) fn get(&self, resource: &ResourceName, key: &Key) -> Option<Arc<Stored>> {
        self.objects(resource).get(key).cloned()
    }

    /// Who names this UID among its owners.
    pub(super) fn dependents(&self, uid: &str) -> Vec<(ResourceName, Key)> {
        self.dependents
            .get(uid)
            .map(|all| all.iter().cloned().collect())
            .unwrap_or_default()
    }

    /// Everything in a namespace.
    pub(super) fn within(&self, namespace: &str) -> Vec<(ResourceName, Key)> {
        let first = Key::new(namespace, "");
        let mut all = Vec::new();
        for (resource, objects) in &self.objects {
            let here = objects
                .range(&first..)
                .take_while(|(key, _)| key.namespace == namespace);
            all.extend(here.map(|(key, _)| (resource.clone(), key.clone())));
        }
        all
    }

    /// Where the object of a UID is.
    pub(super) fn by_uid(&self, uid: &str) -> Option<(ResourceName, Key)> {
        self.by_uid.get(uid).cloned()
    }

    /// Stores an object at the next revision, which it gets as its resourceVersion. The object is as it is read at the
    /// version of storage.
    pub(super) fn put(&mut self, kind: &Kind, mut object: Value) -> Option<Arc<Stored>> {
        let revision = self.revision + 1;
        if let Some(metadata) = metadata_mut(&mut object) {
            metadata.insert("resourceVersion".to_owned(), Value::from(revision.to_string()));
        }
        let stored = Arc::new(Stored::parse(text(kind, object))?);
        self.revision = revision;
        let objects = self.objects.entry(kind.name.clone()).or_default();
        let before = objects.insert(stored.key.clone(), Arc::clone(&stored));
        self.index(&kind.name, before.as_deref(), Some(&stored));
        self.write(kind, &stored.key, Some(stored.text.to_string()));
        self.happened(Event {
            revision,
            resource: Arc::new(kind.name.clone()),
            happening: if before.is_some() {
                Happening::Modified
            } else {
                Happening::Added
            },
            object: Arc::clone(&stored),
            before,
        });
        Some(stored)
    }

    /// Removes an object for good. The last form that watches see of it is `last`, or what was stored.
    pub(super) fn remove(&mut self, kind: &Kind, key: &Key, last: Option<Value>) -> Option<Arc<Stored>> {
        let before = self.objects.get_mut(&kind.name)?.remove(key)?;
        self.revision += 1;
        let revision = self.revision;
        let mut object = last.unwrap_or_else(|| before.value(kind));
        if let Some(metadata) = metadata_mut(&mut object) {
            metadata.insert("resourceVersion".to_owned(), Value::from(revision.to_string()));
        }
        let object = Stored::parse(text(kind, object)).map_or_else(|| Arc::clone(&before), Arc::new);
        self.index(&kind.name, Some(&before), None);
        self.write(kind, key, None);
        self.happened(Event {
            revision,
            resource: Arc::new(kind.name.clone()),
            happening: Happening::Deleted,
            object: Arc::clone(&object),
            before: Some(before),
        });
        Some(object)
    }

    fn index(&mut self, resource: &ResourceName, before: Option<&Stored>, after: Option<&Stored>) {
        if let Some(stored) = before {
            self.by_uid.remove(&stored.uid);
            for owner in &stored.owners {
                let empty = self.dependents.get_mut(owner).is_some_and(|all| {
                    all.remove(&(resource.clone(), stored.key.clone()));
                    all.is_empty()
                });
                if empty {
                    self.dependents.remove(owner);
                }
            }
        }
        if let Some(stored) = after {
            let place = (resource.clone(), stored.key.clone());
            self.by_uid.insert(stored.uid.clone(), place);
            for owner in &stored.owners {
                let all = self.dependents.entry(owner.clone()).or_default();
                all.insert((resource.clone(), stored.key.clone()));
            }
        }
    }

    fn write(&self, kind: &Kind, key: &Key, value: Option<String>) {
        let row = |key: String, value| Write {
            table: self.table.clone(),
            key,
            value,
        };
        let ResourceName { group, plural } = &kind.name;
        self.store.write(vec![
            row(format!("{group}/{plural}/{}/{}", key.namespace, key.name), value),
            row(REVISION.to_owned(), Some(self.revision.to_string())),
        ]);
    }

    /// Forgets all events.
    pub(super) fn compact(&mut self) {
        self.window.clear();
        self.window_bytes = 0;
        self.compacted = self.revision;
    }

    fn happened(&mut self, event: Event) {
        self.window_bytes += event.bytes();
        self.window.push_back(Arc::new(event));
        while self.window.len() > WINDOW || self.window_bytes > WINDOW_BYTES {
            let Some(old) = self.window.pop_front() else { return };
            self.window_bytes -= old.bytes();
            self.compacted = old.revision;
        }
    }

    /// What happened after a revision; none where some of that is forgotten.
    pub(super) fn since(&self, revision: u64) -> Option<impl DoubleEndedIterator<Item = &Arc<Event>>> {
        if revision < self.compacted {
            return None;
        }
        let first = self.window.partition_point(|event| event.revision <= revision);
        Some(self.window.range(first..))
    }

    /// A collection as it was at a revision, from a key on; none where that is forgotten.
    pub(super) fn as_of(
        &self,
        resource: &ResourceName,
        revision: u64,
        from: Option<&Key>,
        namespace: &str,
    ) -> Option<Vec<Arc<Stored>>> {
        // For each object that has changed since, what it was then.
        let mut then: BTreeMap<&Key, Option<&Arc<Stored>>> = BTreeMap::new();
        for event in self.since(revision)?.rev() {
            if *event.resource == *resource {
                then.insert(&event.object.key, event.before.as_ref());
            }
        }
        let first = Key::new(namespace, "");
        let start = from.filter(|from| **from > first).unwrap_or(&first);
        let inside = |key: &Key| namespace.is_empty() || key.namespace == namespace;
        let now = self.objects(resource).range(start..);
        let now = now.take_while(|(key, _)| inside(key));
        let mut all: Vec<Arc<Stored>> = now
            .filter(|(key, _)| !then.contains_key(key))
            .map(|(_, stored)| Arc::clone(stored))
            .collect();
        if !then.is_empty() {
            let back = then.range::<Key, _>(start..).filter(|(key, _)| inside(key));
            all.extend(back.filter_map(|(_, stored)| stored.cloned()));
            all.sort_by(|a, b| a.key.cmp(&b.key));
        }
        Some(all)
    }
}

fn text(kind: &Kind, mut object: Value) -> Arc<str> {
    if let (Origin::BuiltIn, Some(entries)) = (kind.origin, object.as_object_mut()) {
        entries.remove("apiVersion");
        entries.remove("kind");
    }
    object.to_string().into()
}
