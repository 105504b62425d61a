//! Server-side apply.

use serde_json::Value;

use super::field_set::FieldSet;
use super::managed::{EntryId, ManagedFields, ManagedFieldsError, Operation};
use super::step::Step;
use super::store::{Writing, record, store};
use super::update::first_tracking;
use super::updater::{Force, Updater, Written};
use super::validate::{Duplicates, Violation, validate};
use crate::resource::FieldPath;
use crate::schema::Schema;

/// What is applied, onto what.
#[derive(Clone, Copy, Debug)]
pub struct ApplyRequest<'a> {
    /// The stored object, with its managedFields; none where there is none.
    pub live: Option<&'a Value>,
    /// The configuration: the fields that the manager has an opinion of.
    pub config: &'a Value,
    /// Who applies.
    pub manager: &'a str,
    /// Whether fields that others own are taken from them.
    pub force: bool,
    /// The kind, at the version of the configuration.
    pub schema: &'a Schema,
    /// The server's clock: RFC 3339, whole seconds, in UTC.
    pub now: &'a str,
}

/// What a server would answer.
#[derive(Clone, Debug, PartialEq)]
pub enum ApplyOutcome {
    /// The object as it would be stored. A new one has no uid and no creation time yet.
    Applied(Value),
    /// Others own some of the fields, at other values.
    Conflicts(Vec<Conflict>),
}

/// A field that another manager owns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// Who owns it.
    pub manager: String,
    /// How it came to own it.
    pub operation: Operation,
    /// Through which subresource; empty for the object itself.
    pub subresource: String,
    /// The field.
    pub field: FieldPath,
    /// The version that the owner wrote at.
    pub api_version: String,
    /// When the owner last changed something; empty where that isn't recorded.
    pub time: String,
}

/// Why there is no answer: a server would refuse the request too.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SsaError {
    /// The object is of another kind or version than the schema.
    #[error("the object is a {found}, the schema is of {expected}")]
    WrongType {
        /// What the schema is of.
        expected: String,
        /// What the object says that it is.
        found: String,
    },
    /// Nobody may apply managedFields.
    #[error("an applied configuration may not hold metadata.managedFields")]
    ManagedFieldsApplied,
    /// The live object's managedFields can't be read.
    #[error("the live object's managedFields can't be read")]
    ManagedFields(#[from] ManagedFieldsError),
    /// The configuration isn't of its type.
    #[error("{} {} in the configuration", .0.field, .0.reason)]
    Config(Violation),
    /// The live object isn't of its type.
    #[error("{} {} in the live object", .0.field, .0.reason)]
    Live(Violation),
    /// A manager's fields are meant at a version that the kind doesn't have.
    #[error("managedFields name the version `{0}`, which the kind doesn't have")]
    UnknownVersion(String),
    /// The object can't be read at a version at which some manager wrote.
    #[error("{} {} at version {api_version}", violation.field, violation.reason)]
    Conversion {
        /// That version.
        api_version: String,
        /// What is wrong there.
        violation: Violation,
    },
}

/// Computes what a server would store.
///
/// # Errors
/// Where a server would refuse the request, other than for conflicts.
pub fn apply(request: ApplyRequest<'_>) -> Result<ApplyOutcome, SsaError> {
    apply_through(request, "")
}

/// Computes what a server would store after an apply through a subresource (`status`), which leaves the rest as it is.
///
/// # Errors
/// Where a server would refuse the request, other than for conflicts.
pub fn apply_through(request: ApplyRequest<'_>, subresource: &str) -> Result<ApplyOutcome, SsaError> {
    let schema = request.schema;
    check_type(schema, request.config)?;
    if request.config["metadata"]
        .get("managedFields")
        .is_some_and(|fields| !fields.is_null())
    {
        return Err(SsaError::ManagedFieldsApplied);
    }
    let live = match request.live {
        Some(live) => read(live, schema),
        None => empty(schema),
    };
    let mut managers = request.live.map(ManagedFields::of).transpose()?.unwrap_or_default();
    if managers.is_empty() && request.live.is_some() {
        managers = first_tracking(schema, &live, request.now)?;
    }
    let root = schema.root_type();
    validate(schema, root, request.config, Duplicates::Refused).map_err(SsaError::Config)?;
    validate(schema, root, &live, Duplicates::Allowed).map_err(SsaError::Live)?;

    let manager = if request.manager.is_empty() {
        "unknown"
    } else {
        request.manager
    };
    let writer = EntryId::new(manager, Operation::Apply, "", subresource);
    let updater = Updater {
        schema,
        ignored: reset_fields(schema, subresource),
        ignored_elsewhere: FieldSet::new(),
    };
    let force = if request.force { Force::Yes } else { Force::No };
    let before = managers.clone();
    let (merged, mut managers) = match updater.apply((&live, request.config), managers, &writer, force)? {
        Written::Done(done) => done,
        Written::Conflicts(conflicts) => return Ok(ApplyOutcome::Conflicts(named(&before, conflicts))),
    };
    strip_bookkeeping(&mut managers, &writer);
    if merged.is_some() {
        if let Some(entry) = managers.entries.get_mut(&writer) {
            request.now.clone_into(&mut entry.time);
        }
    } else if request
        .live
        .is_some_and(|live| live["apiVersion"] == schema.api_version())
    {
        // What was read at this version is stored already.
        let mut object = live;
        record(&mut object, &managers);
        return Ok(ApplyOutcome::Applied(object));
    }
    let writing = Writing {
        schema,
        stored: request.live,
        live: request.live.map(|_| &live),
        subresource,
    };
    let mut object = merged.unwrap_or_else(|| live.clone());
    if subresource == "status" {
        object = with_status_of(&live, &object);
    }
    Ok(ApplyOutcome::Applied(store(writing, object, managers)))
}

/// An object with the status of another.
pub(super) fn with_status_of(object: &Value, other: &Value) -> Value {
    let mut object = object.clone();
    if let Some(entries) = object.as_object_mut() {
        match other.get("status") {
            Some(status) => entries.insert("status".to_owned(), status.clone()),
            None => entries.remove("status"),
        };
    }
    object
}

fn named(managers: &ManagedFields, conflicts: std::collections::BTreeMap<EntryId, FieldSet>) -> Vec<Conflict> {
    let mut all = Vec::new();
    for (id, fields) in conflicts {
        let Some(entry) = managers.entries.get(&id) else {
            continue;
        };
        all.extend(fields.iter().map(|field| Conflict {
            manager: entry.manager.clone(),
            operation: entry.operation,
            subresource: entry.subresource.clone(),
            field,
            api_version: entry.api_version.clone(),
            time: entry.time.clone(),
        }));
    }
    all
}

pub(super) fn check_type(schema: &Schema, object: &Value) -> Result<(), SsaError> {
    let (api_version, kind) = (object["apiVersion"].as_str(), object["kind"].as_str());
    if api_version == Some(schema.api_version()) && kind == Some(schema.kind()) {
        return Ok(());
    }
    Err(SsaError::WrongType {
        expected: format!("{} {}", schema.api_version(), schema.kind()),
        found: format!("{} {}", api_version.unwrap_or("?"), kind.unwrap_or("?")),
    })
}

/// A copy without managedFields, which are no field that anyone owns.
pub(super) fn without_managed_fields(object: &Value) -> Value {
    let Some(entries) = object.as_object() else {
        return object.clone();
    };
    let copy = entries.iter().map(|(name, value)| {
        let value = match value {
            Value::Object(metadata) if name == "metadata" => Value::Object(
                metadata
                    .iter()
                    .filter(|(name, _)| *name != "managedFields")
                    .map(|(name, value)| (name.clone(), value.clone()))
                    .collect(),
            ),
            other => other.clone(),
        };
        (name.clone(), value)
    });
    Value::Object(copy.collect())
}

/// The live object as the server reads it at the version of a request.
pub(super) fn read(live: &Value, schema: &Schema) -> Value {
    let mut object = without_managed_fields(live);
    if object["apiVersion"] != schema.api_version() {
        if let Some(entries) = object.as_object_mut() {
            entries.insert("apiVersion".to_owned(), Value::from(schema.api_version()));
        }
        schema.prune(&mut object);
    }
    object
}

/// The object that a server starts from where there is none.
pub(super) fn empty(schema: &Schema) -> Value {
    let mut object = schema.zero();
    if let Some(entries) = object.as_object_mut() {
        entries.insert("apiVersion".to_owned(), Value::from(schema.api_version()));
        entries.insert("kind".to_owned(), Value::from(schema.kind()));
    }
    object
}

/// Fields that a write through this way doesn't change, whatever it says.
pub(super) fn reset_fields(schema: &Schema, subresource: &str) -> FieldSet {
    let mut set = FieldSet::new();
    if subresource == "status" {
        set.insert_steps(&[Step::field("metadata")]);
        set.insert_steps(&[Step::field("spec")]);
    } else if schema.has_status_subresource() {
        set.insert_steps(&[Step::field("status")]);
    }
    set
}

/// Nobody owns what identifies an object or what the server keeps there.
pub(super) fn strip_bookkeeping(managers: &mut ManagedFields, writer: &EntryId) {
    const METADATA: [&str; 10] = [
        "name",
        "namespace",
        "creationTimestamp",
        "selfLink",
        "uid",
        "clusterName",
        "generation",
        "managedFields",
        "resourceVersion",
        "",
    ];
    let Some(entry) = managers.entries.get_mut(writer) else {
        return;
    };
    let mut strip = FieldSet::new();
    for name in ["apiVersion", "kind", "metadata"] {
        strip.insert_steps(&[Step::field(name)]);
    }
    for name in METADATA.into_iter().filter(|name| !name.is_empty()) {
        strip.insert_steps(&[Step::field("metadata"), Step::field(name)]);
    }
    entry.fields = entry.fields.difference(&strip);
    if entry.fields.is_empty() {
        managers.entries.remove(writer);
    }
}
