//! What a write that is no server-side apply records.

use std::collections::BTreeMap;

use serde_json::Value;

use super::apply::{
    SsaError, check_type, empty, read, reset_fields, strip_bookkeeping, with_status_of, without_managed_fields,
};
use super::field_set::FieldSet;
use super::managed::{EntryId, ManagedFields, Operation, seconds};
use super::store::{Writing, keep_identity, store};
use super::updater::Updater;
use super::validate::{Duplicates, validate};
use crate::schema::{Origin, Schema};

/// So many entries of managers that update are kept apart; older ones are folded together.
const MAX_UPDATE_ENTRIES: usize = 10;
const FOLDED: &str = "ancient-changes";
/// Whom fields belong to that were there before anyone applied.
const BEFORE_FIRST_APPLY: &str = "before-first-apply";
/// Stands for the writer while its fields are found; no manager can be called so.
const WRITER: &str = "\u{0}current";

/// A write of a whole object.
#[derive(Clone, Copy, Debug)]
pub struct UpdateRequest<'a> {
    /// The stored object; none for a create.
    pub live: Option<&'a Value>,
    /// The object as it shall be.
    pub new: &'a Value,
    /// Who writes.
    pub manager: &'a str,
    /// Through which subresource; empty for the object itself.
    pub subresource: &'a str,
    /// The kind, at the version of the new object.
    pub schema: &'a Schema,
    /// The server's clock: RFC 3339, whole seconds, in UTC.
    pub now: &'a str,
}

/// Computes what a server would store after a PUT, a POST or a PATCH that isn't an apply.
///
/// # Errors
/// Where the object is of another kind or version than the schema.
pub fn update(request: UpdateRequest<'_>) -> Result<Value, SsaError> {
    let schema = request.schema;
    check_type(schema, request.new)?;
    let mut managers = starting_point(&request);
    let live = match request.live {
        Some(live) => struct_of(schema, read(live, schema)),
        None => empty(schema),
    };
    let mut new = without_managed_fields(request.new);
    schema.prune(&mut new);
    schema.apply_defaults(&mut new);
    let new = struct_of(schema, new);
    // Nobody is tracked where nobody was, but on a create.
    if !managers.is_empty() || request.live.is_none() {
        // Where it can't be told who changed what, a server drops the record and stores the object.
        managers = track(&request, (&live, &new), managers).unwrap_or_default();
    }
    Ok(finish(&request, &live, new, managers))
}

/// A kind of the server's own as it stands in the server's type, whichever way it was written.
fn struct_of(schema: &Schema, mut object: Value) -> Value {
    if schema.origin() == Origin::BuiltIn {
        schema.prune(&mut object);
        schema.fill_zeros(&mut object);
    }
    object
}

/// The entries that a write starts from: a writer may send managedFields of its own.
fn starting_point(request: &UpdateRequest<'_>) -> ManagedFields {
    let of_live = || {
        request
            .live
            .and_then(|live| ManagedFields::of(live).ok())
            .unwrap_or_default()
    };
    if !request.subresource.is_empty() {
        return of_live();
    }
    let sent = request.new["metadata"].get("managedFields").and_then(Value::as_array);
    let reset = sent.is_some_and(|sent| match sent.as_slice() {
        // A custom resource's metadata lose what is empty before anyone sees it.
        [] => request.schema.origin() == Origin::BuiltIn,
        [only] => only.as_object().is_some_and(serde_json::Map::is_empty),
        _ => false,
    });
    if reset {
        return ManagedFields::default();
    }
    match ManagedFields::of(request.new) {
        Ok(sent) if !sent.is_empty() => sent,
        _ => of_live(),
    }
}

fn track(
    request: &UpdateRequest<'_>,
    objects: (&Value, &Value),
    managers: ManagedFields,
) -> Result<ManagedFields, SsaError> {
    let schema = request.schema;
    let root = schema.root_type();
    validate(schema, root, objects.1, Duplicates::Allowed).map_err(SsaError::Config)?;
    validate(schema, root, objects.0, Duplicates::Allowed).map_err(SsaError::Live)?;
    let updater = Updater {
        schema,
        ignored: reset_fields(schema, request.subresource),
        // A server knows what its status subresource resets at all versions, else at that of the request alone.
        ignored_elsewhere: match request.subresource {
            "" => FieldSet::new(),
            subresource => reset_fields(schema, subresource),
        },
    };
    let writer = EntryId::new(WRITER, Operation::Update, "", "");
    let mut managers = updater.update(objects, managers, &writer)?;
    strip_bookkeeping(&mut managers, &writer);
    if let Some(mut entry) = managers.entries.remove(&writer) {
        request.manager.clone_into(&mut entry.manager);
        if request.manager.is_empty() {
            "unknown".clone_into(&mut entry.manager);
        }
        request.subresource.clone_into(&mut entry.subresource);
        request.now.clone_into(&mut entry.time);
        let id = entry.id();
        if let Some(previous) = managers.entries.get(&id) {
            entry.fields = entry.fields.union(&previous.fields);
        }
        managers.entries.insert(id, entry);
    }
    fold(&mut managers);
    Ok(managers)
}

/// The entry for all that an object had before someone first applied to it.
pub(super) fn first_tracking(schema: &Schema, live: &Value, now: &str) -> Result<ManagedFields, SsaError> {
    let request = UpdateRequest {
        live: None,
        new: live,
        manager: BEFORE_FIRST_APPLY,
        subresource: "",
        schema,
        now,
    };
    track(&request, (&empty(schema), live), ManagedFields::default())
}

/// Folds the oldest entries of managers that update into one per version, until few enough are left.
fn fold(managers: &mut ManagedFields) {
    let mut updaters: Vec<(i64, String, EntryId)> = managers
        .entries
        .iter()
        .filter(|(_, entry)| entry.operation == Operation::Update)
        .map(|(id, entry)| (seconds(&entry.time), sort_key(id), id.clone()))
        .collect();
    let mut count = updaters.len();
    if count <= MAX_UPDATE_ENTRIES {
        return;
    }
    updaters.sort();
    let mut first_of: BTreeMap<String, EntryId> = BTreeMap::new();
    for (_, _, id) in updaters {
        if count <= MAX_UPDATE_ENTRIES {
            break;
        }
        let Some(version) = managers.entries.get(&id).map(|entry| entry.api_version.clone()) else {
            continue;
        };
        let Some(first) = first_of.get(&version) else {
            first_of.insert(version, id);
            continue;
        };
        let bucket = EntryId::new(FOLDED, Operation::Update, &version, "");
        if !managers.entries.contains_key(&bucket)
            && let Some(mut entry) = managers.entries.remove(first)
        {
            FOLDED.clone_into(&mut entry.manager);
            entry.subresource.clear();
            managers.entries.insert(bucket.clone(), entry);
        }
        // The bucket itself, where its turn comes, is folded into itself and lost: so the server does it.
        if let Some(folded) = managers.entries.remove(&id)
            && let Some(entry) = managers.entries.get_mut(&bucket)
        {
            entry.fields = folded.fields.union(&entry.fields);
            entry.time = folded.time;
        }
        count -= 1;
    }
}

/// The order of a server, which compares entries of one second by their identity written as JSON.
fn sort_key(id: &EntryId) -> String {
    let quoted = |text: &str| Value::from(text).to_string();
    let subresource = match id.subresource.as_str() {
        "" => String::new(),
        name => format!(",\"subresource\":{}", quoted(name)),
    };
    format!(
        "{{\"manager\":{},\"operation\":\"{}\",\"apiVersion\":{}{subresource}}}",
        quoted(&id.manager),
        id.operation.as_str(),
        quoted(&id.api_version),
    )
}

fn finish(request: &UpdateRequest<'_>, live: &Value, new: Value, managers: ManagedFields) -> Value {
    let mut object = new;
    if request.subresource == "status" {
        object = with_status_of(live, &object);
    } else if request.live.is_some() {
        keep_identity(&mut object, live);
    }
    let writing = Writing {
        schema: request.schema,
        stored: request.live,
        live: request.live.map(|_| live),
        subresource: request.subresource,
    };
    store(writing, object, managers)
}
