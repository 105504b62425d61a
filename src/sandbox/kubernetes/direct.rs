//! The server's operations as functions: for the simulated operators, which are in this process. They go the way of every
//! request.

use std::collections::VecDeque;
use std::sync::Arc;

use serde_json::Value;

use super::kind::{Kind, ResourceName, Version};
use super::object::{Key, meta_text};
use super::place::Place;
use super::refusal::{About, Refusal};
use super::request::{DeleteOptions, WriteOptions};
use super::state::{self, Happening};
use super::write::{Way, Writer, Written};
use super::{ApiServer, Inner, patch};

/// A resource at a version: `{"hypershift.openshift.io", "v1beta1", "nodepools"}`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Resource {
    /// The API group; empty for the core one.
    pub group: String,
    /// The version.
    pub version: String,
    /// The plural.
    pub plural: String,
}

impl Resource {
    /// The resource of this group, version and plural.
    pub fn new(group: &str, version: &str, plural: &str) -> Self {
        Self {
            group: group.to_owned(),
            version: version.to_owned(),
            plural: plural.to_owned(),
        }
    }
}

/// Something that happened to an object.
#[derive(Clone, Debug)]
pub struct Event {
    /// The server's revision after it.
    pub revision: u64,
    /// What happened.
    pub happening: Happening,
    /// The API group.
    pub group: String,
    /// The plural.
    pub plural: String,
    /// The namespace; empty where the kind has none.
    pub namespace: String,
    /// The name.
    pub name: String,
    /// The object after it, or a deleted one's last form; at the version of storage.
    pub object: Value,
}

/// The events of a server from some moment on.
pub struct Subscription {
    inner: Arc<Inner>,
    news: tokio::sync::watch::Receiver<u64>,
    seen: u64,
    /// What has happened and was not asked for yet, as it is stored: as trees of maps it would take ten times as much.
    ready: VecDeque<Arc<state::Event>>,
}

impl std::fmt::Debug for Subscription {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Subscription")
            .field("seen", &self.seen)
            .finish_non_exhaustive()
    }
}

/// The subscriber was too slow: events that it has not seen are forgotten. What is there now has to be listed anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("events were forgotten before they were read")]
pub struct Lagged;

impl Subscription {
    /// The next event; waits for it.
    ///
    /// # Errors
    /// Where some were missed; the events after those come next.
    pub async fn next(&mut self) -> Result<Event, Lagged> {
        loop {
            if let Some(event) = self.try_next()? {
                return Ok(event);
            }
            if self.news.changed().await.is_err() {
                // The server is what this holds, so it is there.
                std::future::pending::<()>().await;
            }
        }
    }

    /// The next event, if one has happened.
    ///
    /// # Errors
    /// Where some were missed; the events after those come next.
    pub fn try_next(&mut self) -> Result<Option<Event>, Lagged> {
        if self.ready.is_empty() {
            let state = self.inner.lock();
            let from = std::mem::replace(&mut self.seen, state.revision);
            let Some(events) = state.since(from) else {
                return Err(Lagged);
            };
            self.ready.extend(events.cloned());
        }
        while let Some(event) = self.ready.pop_front() {
            // Kinds go with their definitions.
            let Some(kind) = self.inner.lock().kind(&event.resource) else {
                continue;
            };
            return Ok(Some(Event {
                revision: event.revision,
                happening: event.happening,
                group: event.resource.group.clone(),
                plural: event.resource.plural.clone(),
                namespace: event.object.key.namespace.clone(),
                name: event.object.key.name.clone(),
                object: event.object.value(&kind),
            }));
        }
        Ok(None)
    }
}

impl ApiServer {
    /// The objects of a kind, of one namespace or of all, in the order of lists.
    ///
    /// # Errors
    /// Where the kind is not served at this version.
    pub fn list(&self, resource: &Resource, namespace: Option<&str>) -> Result<Vec<Value>, Refusal> {
        let (kind, stored) = {
            let state = self.0.lock();
            let kind = served(&state, resource)?;
            let stored = state.as_of(&kind.name, state.revision, None, namespace.unwrap_or_default());
            (kind, stored.unwrap_or_default())
        };
        let version = version_of(&kind, resource)?;
        Ok(stored.iter().map(|stored| stored.at(&kind, version)).collect())
    }

    /// One object; none where there is none.
    ///
    /// # Errors
    /// Where the kind is not served at this version.
    pub fn get(&self, resource: &Resource, namespace: &str, name: &str) -> Result<Option<Value>, Refusal> {
        let (kind, stored) = {
            let state = self.0.lock();
            let kind = served(&state, resource)?;
            let stored = state.get(&kind.name, &Key::new(namespace, name));
            (kind, stored)
        };
        let version = version_of(&kind, resource)?;
        Ok(stored.map(|stored| stored.at(&kind, version)))
    }

    /// Creates an object.
    ///
    /// # Errors
    /// Where the server refuses it.
    pub fn create(&self, manager: &str, object: &Value) -> Result<Value, Refusal> {
        self.write_one(object, "", |writer, place, object| {
            let place = Place { name: "", ..place };
            writer.create(place, object, &WriteOptions::by(manager))
        })
    }

    /// Replaces an object; its resourceVersion, where it has one, is the precondition.
    ///
    /// # Errors
    /// Where the server refuses it.
    pub fn update(&self, manager: &str, object: &Value) -> Result<Value, Refusal> {
        self.write_one(object, "", |writer, place, object| {
            writer.update(place, object, Way::Put, &WriteOptions::by(manager))
        })
    }

    /// Replaces the status of an object; the rest of what is given is left aside.
    ///
    /// # Errors
    /// Where the server refuses it.
    pub fn update_status(&self, manager: &str, object: &Value) -> Result<Value, Refusal> {
        self.write_one(object, "status", |writer, place, object| {
            writer.update(place, object, Way::Patch, &WriteOptions::by(manager))
        })
    }

    /// Applies a configuration.
    ///
    /// # Errors
    /// Where the server refuses it; that others own a field is one such reason.
    pub fn apply(&self, manager: &str, config: &Value, force: bool) -> Result<Value, Refusal> {
        let options = WriteOptions {
            force: Some(force),
            ..WriteOptions::by(manager)
        };
        self.write_one(config, "", |writer, place, config| {
            writer.apply(place, config, &options)
        })
    }

    /// Patches an object, or its status (`subresource` is `status`), by a merge patch.
    ///
    /// # Errors
    /// Where there is no such object, or the server refuses the patch.
    pub fn patch(
        &self,
        manager: &str,
        resource: &Resource,
        at: (&str, &str),
        subresource: &str,
        change: &Value,
    ) -> Result<Value, Refusal> {
        let written = self.0.write(|writer| {
            let kind = served(writer.state, resource)?;
            let place = Place {
                kind: &kind,
                version: version_of(&kind, resource)?,
                namespace: at.0,
                name: at.1,
                subresource,
            };
            let stored = writer.state.get(&kind.name, &place.key());
            let stored = stored.ok_or_else(|| Refusal::not_found(place.about()))?;
            let mut object = stored.at(&kind, place.version);
            patch::merge_patch(&mut object, change);
            writer.update(place, object, Way::Patch, &WriteOptions::by(manager))
        })?;
        Ok(written.object)
    }

    /// Deletes an object; what holds it (finalizers) may keep it for now.
    ///
    /// # Errors
    /// Where there is no such object.
    pub fn delete(&self, resource: &Resource, namespace: &str, name: &str) -> Result<(), Refusal> {
        self.0.write(|writer| {
            let kind = served(writer.state, resource)?;
            let place = Place {
                kind: &kind,
                version: version_of(&kind, resource)?,
                namespace,
                name,
                subresource: "",
            };
            writer.delete(place, &DeleteOptions::default()).map(drop)
        })
    }

    /// Serves what a CustomResourceDefinition defines, whether it is known already or not.
    ///
    /// # Errors
    /// Where the definition isn't valid.
    pub fn install_crd(&self, definition: &Value) -> Result<(), Refusal> {
        let mut definition = definition.clone();
        // What the server itself keeps is none of the file's business.
        if let Some(entries) = definition.as_object_mut() {
            entries.remove("status");
        }
        self.apply("fleetwright-sandbox", &definition, true).map(drop)
    }

    /// What happens from now on.
    pub fn subscribe(&self) -> Subscription {
        let news = self.0.news.subscribe();
        let seen = self.0.lock().revision;
        Subscription {
            inner: Arc::clone(&self.0),
            news,
            seen,
            ready: VecDeque::new(),
        }
    }

    fn write_one(
        &self,
        object: &Value,
        subresource: &str,
        write: impl FnOnce(&mut Writer<'_>, Place<'_>, Value) -> Result<Written, Refusal>,
    ) -> Result<Value, Refusal> {
        let api_version = object["apiVersion"].as_str().unwrap_or_default();
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let named = object["kind"].as_str().unwrap_or_default();
        let written = self.0.write(|writer| {
            let kind = writer.state.kind_named(group, named);
            let kind = kind.ok_or_else(Refusal::no_such_resource)?;
            let namespace = match (kind.namespaced, meta_text(object, "namespace")) {
                (false, _) => "",
                (true, "") => "default",
                (true, namespace) => namespace,
            };
            let place = Place {
                kind: &kind,
                version: kind.version(version).ok_or_else(Refusal::no_such_resource)?,
                namespace,
                name: meta_text(object, "name"),
                subresource,
            };
            write(writer, place, object.clone())
        })?;
        Ok(written.object)
    }
}

fn served(state: &super::state::State, resource: &Resource) -> Result<Arc<Kind>, Refusal> {
    let kind = state.kind(&ResourceName::new(&resource.group, &resource.plural));
    kind.ok_or_else(|| {
        Refusal::not_found(About {
            group: &resource.group,
            what: "resources",
            name: &resource.plural,
        })
    })
}

fn version_of<'a>(kind: &'a Kind, resource: &Resource) -> Result<&'a Version, Refusal> {
    kind.version(&resource.version).ok_or_else(Refusal::no_such_resource)
}
