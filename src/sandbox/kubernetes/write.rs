//! Writes: create, replace, patch and apply, all by way of the merge in `ssa`.
//!
//! Invariant: what is stored went through defaults, tracking of its managers, and validation, whichever way it was written.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::body::check_fields;
use super::kind::{Kind, Version};
use super::object::{Key, Stored, finalizers, meta_text, metadata_mut, name_kind};
use super::refusal::{About, Cause, Refusal};
use super::request::WriteOptions;
use super::state::State;
use super::{core, meta, validate};
use crate::schema::Origin;
use crate::ssa::{self, ApplyOutcome, ApplyRequest, Conflict, SsaError, UpdateRequest};

/// A kind at a version, and an object of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    pub(super) kind: &'a Kind,
    pub(super) version: &'a Version,
    /// Empty for kinds without namespaces.
    pub(super) namespace: &'a str,
    /// Empty for a create.
    pub(super) name: &'a str,
    /// Empty for the object itself.
    pub(super) subresource: &'a str,
}

impl<'a> Place<'a> {
    pub(super) fn key(&self) -> Key {
        Key::new(self.namespace, self.name)
    }

    /// As refusals name it: by its plural.
    pub(super) fn about(&self) -> About<'a> {
        About {
            group: &self.kind.name.group,
            what: &self.kind.name.plural,
            name: self.name,
        }
    }

    /// The same by its kind.
    pub(super) fn about_kind(&self) -> About<'a> {
        About {
            what: &self.kind.kind,
            ..self.about()
        }
    }

    fn api_version(&self) -> String {
        self.kind.api_version(&self.version.name)
    }
}

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
            metadata.remove("resourceVersion");
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

    fn check_identity(&self, place: Place<'_>, object: &mut Value) -> Result<(), Refusal> {
        let name = meta_text(object, "name");
        if !name.is_empty() && name != place.name {
            return Err(Refusal::bad_request(format!(
                "the name of the object ({name}) does not match the name on the URL ({})",
                place.name
            )));
        }
        let namespace = meta_text(object, "namespace");
        if !namespace.is_empty() && namespace != place.namespace {
            let message = "the namespace of the provided object does not match the namespace sent on the request";
            return Err(Refusal::bad_request(message));
        }
        if let Some(metadata) = metadata_mut(object) {
            metadata.insert("name".to_owned(), Value::from(place.name));
            if !place.namespace.is_empty() {
                metadata.insert("namespace".to_owned(), Value::from(place.namespace));
            }
        }
        Ok(())
    }

    fn check_preconditions(&self, place: Place<'_>, object: &Value, stored: &Stored, way: Way) -> Result<(), Refusal> {
        let uid = meta_text(object, "uid");
        if !uid.is_empty() && uid != stored.uid {
            if way == Way::Patch {
                let cause = Cause::invalid("metadata.uid", &Value::from(uid), "field is immutable");
                return Err(Refusal::invalid(place.about_kind(), vec![cause.clone(), cause]));
            }
            let why = format!(
                "StorageError: invalid object, Code: 4, Key: {}, ResourceVersion: 0, AdditionalErrorMsg: Precondition \
                 failed: UID in precondition: {uid}, UID in object meta: {}",
                storage_key(place),
                stored.uid
            );
            return Err(Refusal::conflict(place.about(), &why));
        }
        let version = meta_text(object, "resourceVersion");
        if version.is_empty() {
            if way == Way::Put && !may_omit_version(place.kind) {
                let why = "must be specified for an update";
                let cause = Cause::invalid("metadata.resourceVersion", &Value::from(0), why);
                return Err(Refusal::invalid(place.about(), vec![cause]));
            }
            return Ok(());
        }
        let Ok(number) = version.parse::<u64>() else {
            let quoted = Value::from(version);
            return Err(Refusal::internal(format!(
                "strconv.ParseUint: parsing {quoted}: invalid syntax"
            )));
        };
        if number != stored.version && number != 0 {
            return Err(Refusal::modified(place.about()));
        }
        Ok(())
    }

    /// A namespace must be there, and stay, for something to be made in it.
    fn check_namespace(&self, place: Place<'_>) -> Result<(), Refusal> {
        if place.namespace.is_empty() {
            return Ok(());
        }
        let namespaces = super::kind::ResourceName::new("", "namespaces");
        let about = About {
            group: "",
            what: "namespaces",
            name: place.namespace,
        };
        let Some(namespace) = self.state.get(&namespaces, &Key::new("", place.namespace)) else {
            return Err(Refusal::not_found(about));
        };
        let namespace: Value = serde_json::from_str(&namespace.text).unwrap_or_default();
        if meta_text(&namespace, "deletionTimestamp").is_empty() {
            return Ok(());
        }
        let name = place.namespace;
        let cause = Cause {
            reason: "NamespaceTerminating",
            message: format!("namespace {name} is being terminated"),
            field: "metadata.namespace".to_owned(),
        };
        let why = format!("unable to create new content in namespace {name} because it is being terminated");
        Err(Refusal::forbidden(place.about(), &why, vec![cause]))
    }

    /// Bytes that no other write of this server gets.
    fn draw(&self) -> [u8; 32] {
        use sha2::Digest as _;
        let seed = format!("{}/{}/{}", self.server, self.state.revision, self.now);
        sha2::Sha256::digest(seed.as_bytes()).into()
    }

    fn free_address(&self) -> String {
        let [a, b, ..] = self.draw();
        format!("10.96.{a}.{}", b.max(1))
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

/// Kinds that a PUT may replace whatever their version.
fn may_omit_version(kind: &Kind) -> bool {
    let strict =
        kind.is("apiextensions.k8s.io", "customresourcedefinitions") || kind.is("coordination.k8s.io", "leases");
    kind.origin == Origin::BuiltIn && !strict
}

fn storage_key(place: Place<'_>) -> String {
    let group = match place.kind.origin {
        Origin::Custom => format!("{}/", place.kind.name.group),
        Origin::BuiltIn => String::new(),
    };
    let namespace = match place.namespace {
        "" => String::new(),
        namespace => format!("{namespace}/"),
    };
    format!("/registry/{group}{}/{namespace}{}", place.kind.name.plural, place.name)
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

/// A write through `scale` counts the generation, and leaves no time in its entry, which makes it the oldest.
fn scaled(object: &mut Value, live: &Value) {
    timeless(object, live);
    let sorted = ssa::ManagedFields::of(object)
        .ok()
        .and_then(|managers| managers.encode());
    if let (Some(metadata), Some(sorted)) = (metadata_mut(object), sorted) {
        metadata.insert("managedFields".to_owned(), sorted);
    }
}

fn timeless(object: &mut Value, live: &Value) {
    let changed = object["spec"] != live["spec"];
    let Some(metadata) = metadata_mut(object) else { return };
    if let Some(generation) = live["metadata"]["generation"].as_i64() {
        metadata.insert("generation".to_owned(), Value::from(generation + i64::from(changed)));
    }
    let entries = metadata.get_mut("managedFields").and_then(Value::as_array_mut);
    for entry in entries
        .into_iter()
        .flatten()
        .filter(|entry| entry["subresource"] == "scale")
    {
        if let Some(entry) = entry.as_object_mut() {
            entry.remove("time");
        }
    }
}

fn check_applied_kind(place: Place<'_>, config: &Value) -> Result<(), Refusal> {
    let text = |field: &str| config[field].as_str().unwrap_or_default();
    let (api_version, kind) = (text("apiVersion"), text("kind"));
    if api_version == place.api_version() && kind == place.kind.kind {
        return Ok(());
    }
    let group_version = if api_version.contains('/') {
        api_version.to_owned()
    } else {
        format!("/{api_version}")
    };
    Err(Refusal::bad_request(format!(
        "invalid object type: {group_version}, Kind={kind}"
    )))
}

/// A document that can't be read as one of its kind.
fn unreadable(place: Place<'_>, error: &SsaError) -> Refusal {
    Refusal::bad_request(format!(
        "{0} in version \"{1}\" cannot be handled as a {0}: {error}",
        place.kind.kind, place.version.name
    ))
}

/// A configuration that isn't of its type.
fn untyped(place: Place<'_>, namespace: &str, error: &SsaError) -> Refusal {
    let at = format!("{namespace}/{}", place.name);
    let gvk = match place.kind.name.group.as_str() {
        "" => format!("/{}", place.version.name),
        _ => place.api_version(),
    };
    let words = match error {
        SsaError::ManagedFieldsApplied => return Refusal::bad_request("metadata.managedFields must be nil"),
        SsaError::Config(violation) => {
            let why = match violation.reason {
                "isn't declared in the schema" => "field not declared in schema",
                other => other,
            };
            let field = violation.field.to_string();
            let dot = if field.starts_with('.') { "" } else { "." };
            format!(
                "failed to create typed patch object ({at}; {gvk}, Kind={}): {dot}{field}: {why}",
                place.kind.kind
            )
        }
        other => format!("failed to create typed live object: {other}"),
    };
    Refusal::internal(words)
}

/// Conflicts, in the words of the real server: by owner, each with its fields.
fn owned(conflicts: &[Conflict]) -> Refusal {
    let words = |conflict: &Conflict| {
        let mut words = format!("{:?}", conflict.manager);
        if !conflict.subresource.is_empty() {
            words.push_str(&format!(" with subresource {:?}", conflict.subresource));
        }
        if conflict.operation == ssa::Operation::Update {
            words.push_str(&format!(" using {}", conflict.api_version));
        }
        words
    };
    let causes: Vec<Cause> = conflicts
        .iter()
        .map(|conflict| Cause {
            reason: "FieldManagerConflict",
            message: format!("conflict with {}", words(conflict)),
            field: dotted(conflict),
        })
        .collect();
    let message = match conflicts {
        [only] => format!(
            "Apply failed with 1 conflict: conflict with {}: {}",
            words(only),
            dotted(only)
        ),
        several => {
            let mut lines = Vec::new();
            let mut last = None;
            for conflict in several {
                let owner = words(conflict);
                if last.as_ref() != Some(&owner) {
                    lines.push(format!("conflicts with {owner}:"));
                    last = Some(owner);
                }
                lines.push(format!("- {}", dotted(conflict)));
            }
            format!("Apply failed with {} conflicts: {}", several.len(), lines.join("\n"))
        }
    };
    Refusal::owned(causes, message)
}

fn dotted(conflict: &Conflict) -> String {
    let field = conflict.field.to_string();
    if field.starts_with('.') {
        field
    } else {
        format!(".{field}")
    }
}

/// A version 4 UUID of drawn bytes.
fn uid(draw: &[u8; 32]) -> String {
    let hex: String = draw.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    format!(
        "{}-{}-4{}-a{}-{}",
        part(0, 8),
        part(8, 12),
        part(13, 16),
        part(17, 20),
        part(20, 32)
    )
}

/// Five characters that make a generated name.
fn suffix(draw: &[u8; 32]) -> String {
    const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
    let chars = draw.iter().skip(16).take(5).map(|byte| {
        let at = usize::from(*byte) % ALPHABET.len();
        ALPHABET.get(at).copied().map_or('b', char::from)
    });
    chars.collect()
}

/// The object that the scale subresource shows.
pub(super) fn scale_of(place: Place<'_>, object: &Value) -> Option<Value> {
    let scale = place.version.scale.as_ref()?;
    let at = |path: &str| object.pointer(&path.replace('.', "/")).cloned();
    let mut metadata = json!({"name": object["metadata"]["name"], "uid": object["metadata"]["uid"],
        "resourceVersion": object["metadata"]["resourceVersion"],
        "creationTimestamp": object["metadata"]["creationTimestamp"]});
    if !place.namespace.is_empty() {
        metadata["namespace"] = Value::from(place.namespace);
    }
    let mut status = json!({"replicas": at(&scale.status).unwrap_or_else(|| json!(0))});
    if let Some(selector) = scale.selector.as_deref().and_then(at) {
        status["selector"] = selector;
    }
    let spec = at(&scale.spec).map_or_else(|| json!({}), |replicas| json!({"replicas": replicas}));
    Some(json!({"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": metadata, "spec": spec, "status": status}))
}
