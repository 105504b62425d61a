//! Deletes, and what follows from writes: finalizers, owners, namespaces and definitions that take their contents along.
//!
//! A cluster leaves these to controllers; here they have happened when the request is answered.

use serde_json::{Value, json};

use super::kind::{Kind, ResourceName};
use super::object::{Key, Stored, finalizers, meta_text, metadata_mut};
use super::place::Place;
use super::refusal::Refusal;
use super::request::{DeleteOptions, Propagation, WriteOptions};
use super::write::{Way, Writer, is_free};

const FOREGROUND: &str = "foregroundDeletion";
const ORPHAN: &str = "orphan";
/// Holds a definition until its objects are gone.
const CLEANUP: &str = "customresourcecleanup.apiextensions.k8s.io";

impl Writer<'_> {
    /// Deletes an object; the answer is what the server says of it.
    pub(super) fn delete(&mut self, place: Place<'_>, options: &DeleteOptions) -> Result<Value, Refusal> {
        let stored = self
            .state
            .get(&place.kind.name, &place.key())
            .ok_or_else(|| Refusal::not_found(place.about()))?;
        if let Some(uid) = options.uid.as_deref().filter(|uid| *uid != stored.uid) {
            let why = format!(
                "the UID in the precondition ({uid}) does not match the UID in record ({}). The object might have been deleted and then recreated",
                stored.uid
            );
            return Err(Refusal::conflict(place.about_kind(), &why));
        }
        if let Some(version) = options
            .version
            .as_deref()
            .filter(|version| *version != stored.version.to_string())
        {
            let why = format!(
                "the ResourceVersion in the precondition ({version}) does not match the ResourceVersion in record ({}). The object might have been modified",
                stored.version
            );
            return Err(Refusal::conflict(place.about_kind(), &why));
        }
        let before = stored.value(place.kind);
        let mut object = before.clone();
        self.mark(place.kind, &mut object, options.propagation);
        if is_free(place.kind, &object) {
            if !options.dry_run {
                self.gone(place.kind, &place.key(), None);
            }
            let mut details = json!({"name": place.name, "kind": place.kind.name.plural, "uid": stored.uid});
            if !place.kind.name.group.is_empty() {
                details["group"] = Value::from(place.kind.name.group.as_str());
            }
            return Ok(
                json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}),
            );
        }
        if object == before || options.dry_run {
            return Ok(object);
        }
        let Some(marked) = self.state.put(place.kind, object) else {
            return Err(Refusal::internal("the object has no name"));
        };
        self.terminating(place.kind, &place.key());
        Ok(marked.at(place.kind, place.version))
    }

    /// Makes an object one that is being deleted.
    fn mark(&self, kind: &Kind, object: &mut Value, propagation: Propagation) {
        let (namespaces, definitions) = (
            kind.is("", "namespaces"),
            kind.is("apiextensions.k8s.io", "customresourcedefinitions"),
        );
        let fresh = meta_text(object, "deletionTimestamp").is_empty();
        if fresh && namespaces {
            object["status"]["phase"] = json!("Terminating");
        }
        let stamp = self.stamp();
        let Some(metadata) = metadata_mut(object) else { return };
        let mut held: Vec<Value> = metadata
            .get("finalizers")
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default();
        let policy = match propagation {
            Propagation::Background => None,
            Propagation::Foreground => Some(FOREGROUND),
            Propagation::Orphan => Some(ORPHAN),
        };
        held.retain(|one| policy == one.as_str() || (one != FOREGROUND && one != ORPHAN));
        for finalizer in policy.into_iter().chain(definitions.then_some(CLEANUP)) {
            if !held.iter().any(|one| one == finalizer) {
                held.push(Value::from(finalizer));
            }
        }
        if held.is_empty() {
            metadata.remove("finalizers");
        } else {
            metadata.insert("finalizers".to_owned(), Value::Array(held));
        }
        if !fresh {
            return;
        }
        metadata.insert("deletionTimestamp".to_owned(), Value::from(stamp));
        if namespaces || definitions {
            return;
        }
        metadata.insert("deletionGracePeriodSeconds".to_owned(), Value::from(0));
        if let Some(generation) = metadata.get("generation").and_then(Value::as_i64) {
            metadata.insert("generation".to_owned(), Value::from(generation + 1));
        }
    }

    /// What follows from an object that was stored.
    pub(super) fn stored(&mut self, kind: &Kind, stored: &Stored) {
        if kind.is("apiextensions.k8s.io", "customresourcedefinitions") {
            self.define(kind, &stored.key);
        }
        if stored.text.contains("\"deletionTimestamp\"") {
            self.terminating(kind, &stored.key);
        }
    }

    /// Goes on with the deletion of an object that something holds.
    fn terminating(&mut self, kind: &Kind, key: &Key) {
        let Some(stored) = self.state.get(&kind.name, key) else {
            return;
        };
        let object = stored.value(kind);
        if meta_text(&object, "deletionTimestamp").is_empty() {
            return;
        }
        if kind.is("", "namespaces") {
            let contents = self.state.within(&key.name);
            self.delete_all(contents, Propagation::Background);
            if self.state.within(&key.name).is_empty() {
                self.release(kind, key, |object| object["spec"] = json!({}));
            }
            return;
        }
        let held = finalizers(&object);
        if held.contains(&CLEANUP)
            && let (Some(group), Some(plural)) = (
                object["spec"]["group"].as_str(),
                object["spec"]["names"]["plural"].as_str(),
            )
        {
            let resource = ResourceName::new(group, plural);
            let contents = self.state.objects(&resource).keys();
            let contents = contents.map(|key| (resource.clone(), key.clone())).collect();
            self.delete_all(contents, Propagation::Background);
            if self.state.objects(&resource).is_empty() {
                self.state.withdraw(&resource);
                self.release(kind, key, |object| drop_finalizer(object, CLEANUP));
            }
            return;
        }
        if held.contains(&ORPHAN) {
            for (resource, dependent) in self.state.dependents(&stored.uid) {
                self.disown(&resource, &dependent, |owner| owner["uid"] == stored.uid.as_str());
            }
            self.release(kind, key, |object| drop_finalizer(object, ORPHAN));
        } else if held.contains(&FOREGROUND) {
            let dependents = self.state.dependents(&stored.uid);
            self.delete_all(dependents, Propagation::Foreground);
            if !self.is_blocked(&stored.uid) {
                self.release(kind, key, |object| drop_finalizer(object, FOREGROUND));
            }
        }
    }

    /// Whether some dependent keeps its owner from going.
    fn is_blocked(&self, uid: &str) -> bool {
        self.state.dependents(uid).iter().any(|(resource, key)| {
            let (Some(kind), Some(stored)) = (self.state.kind(resource), self.state.get(resource, key)) else {
                return false;
            };
            let object = stored.value(&kind);
            let owners = object["metadata"]["ownerReferences"].as_array();
            owners
                .into_iter()
                .flatten()
                .any(|owner| owner["uid"] == uid && owner["blockOwnerDeletion"] == true)
        })
    }

    fn delete_all(&mut self, all: Vec<(ResourceName, Key)>, propagation: Propagation) {
        for (resource, key) in all {
            let Some(kind) = self.state.kind(&resource) else {
                continue;
            };
            let Some(version) = kind.stored() else { continue };
            let place = Place {
                kind: &kind,
                version,
                namespace: &key.namespace,
                name: &key.name,
                subresource: "",
            };
            let already = |text: &str| text.contains("\"deletionTimestamp\"");
            if self
                .state
                .get(&resource, &key)
                .is_some_and(|stored| already(&stored.text))
            {
                continue;
            }
            let options = DeleteOptions {
                propagation,
                ..DeleteOptions::default()
            };
            // What is gone by now is what was wanted.
            drop(self.delete(place, &options));
        }
    }

    /// Changes an object that is being deleted, and removes it where nothing holds it then.
    fn release(&mut self, kind: &Kind, key: &Key, change: impl FnOnce(&mut Value)) {
        let Some(stored) = self.state.get(&kind.name, key) else {
            return;
        };
        let mut object = stored.value(kind);
        change(&mut object);
        if is_free(kind, &object) {
            self.gone(kind, key, Some(object));
        } else {
            self.state.put(kind, object);
        }
    }

    /// Removes an object, and lets happen what follows from that.
    pub(super) fn gone(&mut self, kind: &Kind, key: &Key, last: Option<Value>) {
        let Some(stored) = self.state.remove(kind, key, last) else {
            return;
        };
        if kind.is("apiextensions.k8s.io", "customresourcedefinitions") {
            let object: Value = serde_json::from_str(&stored.text).unwrap_or_default();
            if let (Some(group), Some(plural)) = (
                object["spec"]["group"].as_str(),
                object["spec"]["names"]["plural"].as_str(),
            ) {
                self.state.withdraw(&ResourceName::new(group, plural));
            }
        }
        for (resource, dependent) in self.state.dependents(&stored.uid) {
            self.owner_gone(&resource, &dependent, &stored.uid);
        }
        let owners = stored.owners.iter().filter_map(|uid| self.state.by_uid(uid));
        let mut waiting: Vec<(ResourceName, Key)> = owners.collect();
        if !key.namespace.is_empty() {
            waiting.push((ResourceName::new("", "namespaces"), Key::new("", &key.namespace)));
        }
        if kind.definition.is_some() {
            let name = format!("{}.{}", kind.name.plural, kind.name.group);
            let definitions = ResourceName::new("apiextensions.k8s.io", "customresourcedefinitions");
            waiting.push((definitions, Key::new("", &name)));
        }
        for (resource, key) in waiting {
            let marked = self.state.get(&resource, &key);
            if marked.is_some_and(|stored| stored.text.contains("\"deletionTimestamp\""))
                && let Some(kind) = self.state.kind(&resource)
            {
                self.terminating(&kind, &key);
            }
        }
    }

    /// An object goes with the last of its owners; while another is left, it only forgets this one.
    fn owner_gone(&mut self, resource: &ResourceName, key: &Key, uid: &str) {
        let Some(stored) = self.state.get(resource, key) else {
            return;
        };
        let another = stored
            .owners
            .iter()
            .any(|owner| owner != uid && self.state.by_uid(owner).is_some());
        if another {
            self.disown(resource, key, |owner| owner["uid"] == uid);
        } else {
            self.delete_all(vec![(resource.clone(), key.clone())], Propagation::Background);
        }
    }

    fn disown(&mut self, resource: &ResourceName, key: &Key, is_owner: impl Fn(&Value) -> bool) {
        let (Some(kind), Some(stored)) = (self.state.kind(resource), self.state.get(resource, key)) else {
            return;
        };
        let mut object = stored.value(&kind);
        if let Some(metadata) = metadata_mut(&mut object) {
            let mut none = false;
            if let Some(owners) = metadata.get_mut("ownerReferences").and_then(Value::as_array_mut) {
                owners.retain(|owner| !is_owner(owner));
                none = owners.is_empty();
            }
            if none {
                metadata.remove("ownerReferences");
            }
        }
        self.state.put(&kind, object);
    }

    /// Begins to serve what a definition defines, and says so in its status.
    fn define(&mut self, kind: &Kind, key: &Key) {
        let Some(stored) = self.state.get(&kind.name, key) else {
            return;
        };
        let Some(version) = kind.stored() else { return };
        let definition = stored.at(kind, version);
        let resource = (
            definition["spec"]["group"].as_str().unwrap_or_default(),
            definition["spec"]["names"]["plural"].as_str().unwrap_or_default(),
        );
        let known = self.state.kind(&ResourceName::new(resource.0, resource.1));
        let same = known.is_some_and(|known| {
            let before = known.definition.as_ref().map(|before| &before["spec"]);
            before == Some(&definition["spec"])
        });
        if !same && let Some(custom) = Kind::of_definition(&definition) {
            self.state.serve(custom);
        }
        let status = established(&definition, &self.stamp());
        if definition["status"] == status {
            return;
        }
        let mut object = definition;
        object["status"] = status;
        let place = Place {
            kind,
            version,
            namespace: "",
            name: &key.name,
            subresource: "status",
        };
        // The status is of its own making; where it is refused, the definition is served all the same.
        drop(self.update(place, object, Way::Patch, &WriteOptions::by("kube-apiserver")));
    }
}

fn drop_finalizer(object: &mut Value, finalizer: &str) {
    let Some(metadata) = metadata_mut(object) else { return };
    let mut none = false;
    if let Some(held) = metadata.get_mut("finalizers").and_then(Value::as_array_mut) {
        held.retain(|one| one != finalizer);
        none = held.is_empty();
    }
    if none {
        metadata.remove("finalizers");
    }
}

/// The status of a definition that is served; what it says already stays.
fn established(definition: &Value, now: &str) -> Value {
    let before = definition["status"].clone();
    let conditions = before["conditions"]
        .as_array()
        .filter(|conditions| !conditions.is_empty());
    let conditions = conditions.cloned().unwrap_or_else(|| {
        let condition = |kind: &str, reason: &str, message: &str| {
            json!({"type": kind, "status": "True", "reason": reason, "message": message, "lastTransitionTime": now})
        };
        vec![
            condition("NamesAccepted", "NoConflicts", "no conflicts found"),
            condition("Established", "InitialNamesAccepted", "the initial names have been accepted"),
        ]
    });
    let mut stored: Vec<Value> = before["storedVersions"].as_array().cloned().unwrap_or_default();
    for version in definition["spec"]["versions"].as_array().into_iter().flatten() {
        if version["storage"] == true && !stored.contains(&version["name"]) {
            stored.push(version["name"].clone());
        }
    }
    json!({"acceptedNames": definition["spec"]["names"], "conditions": conditions, "storedVersions": stored})
}
