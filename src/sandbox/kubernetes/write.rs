//! Writes: create, replace, patch and apply, all by way of the merge in `ssa`.
//!
//! Invariant: what is stored went through defaults, tracking of its managers, and validation, whichever way it was written.

use jiff::Timestamp;
use serde_json::Value;

use super::body::check_fields;
use super::draw::{suffix, uid};
use super::kind::Kind;
use super::object::{finalizers, meta_text, metadata_mut, name_kind};
use super::place::Place;
use super::refusal::Refusal;
use super::request::WriteOptions;
use super::scale::scaled;
use super::state::State;
use super::unmerged::{check_applied_kind, owned, unreadable, untyped};
use super::{core, meta, validate};
use crate::schema::Origin;
use crate::ssa::{self, ApplyOutcome, ApplyRequest, UpdateRequest};

/// How an object came to be as it is asked to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// It was sent whole.
    Put,
    /// The stored one was patched.
    Patch,
}

/// What came of a write.
#[derive(Debug)]
pub(super) struct Written {
    /// The object at the version of the request.
    pub(super) object: Value,
    pub(super) created: bool,
}

/// One request that writes.
pub(super) struct Writer<'a> {
    pub(super) state: &'a mut State,
    pub(super) now: Timestamp,
    /// The server's name, from which UIDs are drawn.
    pub(super) server: &'a str,
    /// What the answer says beside.
    pub(super) warnings: Vec<String>,
}

impl Writer<'_> {
    /// The time as objects have it.
    pub(super) fn stamp(&self) -> String {
        Timestamp::from_second(self.now.as_second()).map_or_else(|_| String::new(), |now| now.to_string())
    }

    /// Creates an object.
    pub(super) fn create(
        &mut self,
        place: Place<'_>,
        mut object: Value,
        options: &WriteOptions,
    ) -> Result<Written, Refusal> {
        self.warnings
            .extend(check_fields(&object, place.kind, place.version, options)?);
        let sent = meta_text(&object, "namespace");
        if !sent.is_empty() && sent != place.namespace {
            let message = "the namespace of the provided object does not match the namespace sent on the request";
            return Err(Refusal::bad_request(message));
        }
        let draw = self.draw();
        if let Some(metadata) = metadata_mut(&mut object) {
            if !place.namespace.is_empty() {
                metadata.insert("namespace".to_owned(), Value::from(place.namespace));
            }
            for field in [
                "uid",
                "creationTimestamp",
                "deletionTimestamp",
                "deletionGracePeriodSeconds",
                "selfLink",
            ] {
                metadata.remove(field);
            }
            if place.kind.origin == Origin::Custom {
                metadata.remove("generation");
            }
            let text = |field: &str| metadata.get(field).and_then(Value::as_str).unwrap_or_default();
            let prefix = text("generateName");
            if text("name").is_empty() && !prefix.is_empty() {
                let name: String = prefix.chars().take(58).collect();
                metadata.insert("name".to_owned(), Value::from(name + &suffix(&draw)));
            }
        }
        let name = meta_text(&object, "name").to_owned();
        let place = Place { name: &name, ..place };
        if place.kind.origin == Origin::BuiltIn {
            core::default(place.kind, &mut object);
        }
        self.check_namespace(place)?;
        if !meta_text(&object, "resourceVersion").is_empty() {
            let message = "resourceVersion should not be set on objects to be created";
            return Err(Refusal::internal(message));
        }
        let schema = place.kind.schema(place.version);
        let object = ssa::update(UpdateRequest {
            live: None,
            new: &object,
            manager: &options.manager,
            subresource: "",
            schema: &schema,
            now: &self.stamp(),
        })
        .map_err(|error| unreadable(place, &error))?;
        self.insert(place, object, options)
    }

    /// Stores a new object.
    fn insert(&mut self, place: Place<'_>, mut object: Value, options: &WriteOptions) -> Result<Written, Refusal> {
        let address = self.free_address();
        if place.kind.origin == Origin::BuiltIn {
            core::prepare(place.kind, &mut object, &address);
        }
        let (stamp, uid) = (self.stamp(), uid(&self.draw()));
        if let Some(metadata) = metadata_mut(&mut object) {
            // An apply may have sent one; in the answer to a dry-run it stays.
            if !options.dry_run {
                metadata.remove("resourceVersion");
            }
            metadata.insert("uid".to_owned(), Value::from(uid));
            metadata.insert("creationTimestamp".to_owned(), Value::from(stamp));
            if place.kind.is("apiextensions.k8s.io", "customresourcedefinitions") {
                metadata.insert("generation".to_owned(), Value::from(1));
            }
        }
        self.validate(place, &object, None)?;
        if self.state.get(&place.kind.name, &place.key()).is_some() {
            return Err(Refusal::already_exists(place.about()));
        }
        if !options.dry_run {
            object = self.store(place, object)?;
        }
        Ok(Written { object, created: true })
    }

    /// Replaces an object by one that was sent, or that a patch made of it.
    pub(super) fn update(
        &mut self,
        place: Place<'_>,
        mut object: Value,
        way: Way,
        options: &WriteOptions,
    ) -> Result<Written, Refusal> {
        self.warnings
            .extend(check_fields(&object, place.kind, place.version, options)?);
        self.check_identity(place, &mut object)?;
        let Some(stored) = self.state.get(&place.kind.name, &place.key()) else {
            if way == Way::Put && place.subresource.is_empty() && makes_when_put(place.kind) {
                if let Some(metadata) = metadata_mut(&mut object) {
                    metadata.remove("resourceVersion");
                }
                return self.create(place, object, options);
            }
            return Err(Refusal::not_found(place.about()));
        };
        let live = stored.at(place.kind, place.version);
        self.check_preconditions(place, &object, &stored, way)?;
        if place.kind.origin == Origin::BuiltIn {
            core::default(place.kind, &mut object);
            if place.subresource.is_empty() {
                keep_unsaid(place.kind, &mut object, &live);
            }
        }
        let schema = place.kind.schema(place.version);
        let mut updated = ssa::update(UpdateRequest {
            live: Some(&live),
            new: &object,
            manager: &options.manager,
            subresource: place.subresource,
            schema: &schema,
            now: &self.stamp(),
        })
        .map_err(|error| unreadable(place, &error))?;
        if place.subresource == "scale" {
            scaled(&mut updated, &live);
        }
        self.replace(place, updated, &live, options)
    }

    /// Applies a configuration.
    pub(super) fn apply(
        &mut self,
        place: Place<'_>,
        mut config: Value,
        options: &WriteOptions,
    ) -> Result<Written, Refusal> {
        let said_namespace = meta_text(&config, "namespace").to_owned();
        check_applied_kind(place, &config)?;
        self.check_identity(place, &mut config)?;
        let stored = self.state.get(&place.kind.name, &place.key());
        let live = stored.as_ref().map(|stored| stored.at(place.kind, place.version));
        match &stored {
            Some(stored) => self.check_preconditions(place, &config, stored, Way::Patch)?,
            None => {
                if !place.subresource.is_empty() {
                    return Err(Refusal::not_found(place.about()));
                }
                self.check_namespace(place)?;
                let uid = meta_text(&config, "uid");
                if !uid.is_empty() {
                    let why = format!(
                        "uid mismatch: the provided object specified uid {uid}, and no existing object was found"
                    );
                    return Err(Refusal::conflict(place.about(), &why));
                }
            }
        }
        let schema = place.kind.schema(place.version);
        let request = ApplyRequest {
            live: live.as_ref(),
            config: &config,
            manager: &options.manager,
            force: options.force.unwrap_or_default(),
            schema: &schema,
            now: &self.stamp(),
        };
        let mut object = match ssa::apply_through(request, place.subresource) {
            Ok(ApplyOutcome::Applied(object)) => object,
            Ok(ApplyOutcome::Conflicts(conflicts)) => return Err(owned(&conflicts)),
            Err(error) => return Err(untyped(place, &said_namespace, &error)),
        };
        if place.kind.origin == Origin::BuiltIn {
            core::default(place.kind, &mut object);
        }
        match live {
            Some(live) => self.replace(place, object, &live, options),
            None => self.insert(place, object, options),
        }
    }

    /// Stores an object in the place of another, or removes it where nothing holds it any longer.
    pub(super) fn replace(
        &mut self,
        place: Place<'_>,
        mut object: Value,
        live: &Value,
        options: &WriteOptions,
    ) -> Result<Written, Refusal> {
        if let (Some(metadata), Some(version)) = (metadata_mut(&mut object), live["metadata"].get("resourceVersion")) {
            metadata.insert("resourceVersion".to_owned(), version.clone());
            for field in ["uid", "creationTimestamp"] {
                if let Some(value) = live["metadata"].get(field) {
                    metadata.insert(field.to_owned(), value.clone());
                }
            }
        }
        self.validate(place, &object, Some(live))?;
        if options.dry_run || object == *live {
            return Ok(Written { object, created: false });
        }
        let goes = !meta_text(live, "deletionTimestamp").is_empty() && is_free(place.kind, &object);
        let object = if goes {
            let stored = self.at_storage(place, object.clone());
            self.gone(place.kind, &place.key(), Some(stored));
            object
        } else {
            self.store(place, object)?
        };
        Ok(Written { object, created: false })
    }

    fn validate(&self, place: Place<'_>, object: &Value, old: Option<&Value>) -> Result<(), Refusal> {
        let causes = match place.kind.origin {
            Origin::Custom => validate::custom(place, object, old),
            Origin::BuiltIn => {
                let mut causes = match old {
                    None => meta::validate_name(place.kind, object),
                    Some(old) => meta::validate_update(object, old),
                };
                causes.extend(meta::validate_references(object));
                causes.extend(core::validate(place.kind, object, old));
                causes
            }
        };
        if causes.is_empty() {
            return Ok(());
        }
        Err(Refusal::invalid(place.about_kind(), causes))
    }

    /// Stores an object, and lets happen what follows from it.
    pub(super) fn store(&mut self, place: Place<'_>, object: Value) -> Result<Value, Refusal> {
        let object = self.at_storage(place, object);
        let stored = self
            .state
            .put(place.kind, object)
            .ok_or_else(|| Refusal::internal("the object has no name after it was written"))?;
        let answer = stored.at(place.kind, place.version);
        self.stored(place.kind, &stored);
        Ok(answer)
    }

    /// The object as it is stored.
    fn at_storage(&self, place: Place<'_>, mut object: Value) -> Value {
        if let Some(version) = place.kind.stored() {
            name_kind(&mut object, &place.kind.api_version(&version.name), &place.kind.kind);
        }
        object
    }
}

/// Whether nothing holds an object that is being deleted.
pub(super) fn is_free(kind: &Kind, object: &Value) -> bool {
    let spec = object["spec"]["finalizers"].as_array();
    let held = kind.is("", "namespaces") && spec.is_some_and(|finalizers| !finalizers.is_empty());
    finalizers(object).is_empty() && !held
}

/// Kinds that a PUT makes where there is none.
fn makes_when_put(kind: &Kind) -> bool {
    matches!(
        (kind.name.group.as_str(), kind.name.plural.as_str()),
        ("", "services" | "events") | ("events.k8s.io" | "coordination.k8s.io" | "rbac.authorization.k8s.io", _)
    )
}

/// What a server keeps of a kind of its own where a writer leaves it out.
fn keep_unsaid(kind: &Kind, object: &mut Value, live: &Value) {
    if kind.is("", "namespaces") {
        object["spec"] = live["spec"].clone();
        object["status"] = live["status"].clone();
    }
    if kind.is("", "services") && object["spec"].is_object() {
        for field in ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
            if object["spec"][field].is_null() && !live["spec"][field].is_null() {
                object["spec"][field] = live["spec"][field].clone();
            }
        }
    }
}
