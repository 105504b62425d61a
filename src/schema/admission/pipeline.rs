//! From what a client sent to what is stored.

use serde_json::{Map, Value, json};

use super::error::{FieldError, Rejected};
use super::meta::{Metadata, unreadable};
use super::text::quote;
use super::{Admission, unknown};

/// What becomes of unknown and repeated fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FieldValidation {
    /// The object is refused.
    #[default]
    Strict,
    /// They are dropped, and the answer says so.
    Warn,
    /// They are dropped.
    Ignore,
}

/// Which part of an object is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Subresource {
    /// All but the status, where that is a subresource.
    #[default]
    None,
    /// The status alone.
    Status,
}

/// An object that somebody wants stored.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The object as it was sent, or as a patch made it.
    pub object: &'a Value,
    /// What is stored now; none for a create.
    pub old: Option<&'a Value>,
    /// What is written.
    pub subresource: Subresource,
    /// What becomes of unknown fields.
    pub field_validation: FieldValidation,
    /// Paths of fields that the request's text had more than once; see [`crate::schema::document::read`].
    pub repeated: &'a [String],
}

/// An object that may be stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Admitted {
    /// As it is stored: pruned, with defaults, the generation counted; of a create, uid and creation time are still to
    /// come.
    pub object: Value,
    /// What the answer says beside.
    pub warnings: Vec<String>,
}

/// Runs an object through everything between a request and the store.
///
/// # Errors
/// Where a server refuses the object, with its answer.
pub fn admit(admission: &Admission, request: Request<'_>) -> Result<Admitted, Rejected> {
    let mut warnings = decode_errors(admission, &request)?;
    let schema = admission.schema();
    let mut object = request.object.clone();
    schema.prune(&mut object);
    schema.apply_defaults(&mut object);
    let (errors, excused) = match (request.old, request.subresource) {
        (None, _) => {
            prepare_create(admission, &mut object);
            (admission.validate_create(&object), Vec::new())
        }
        (Some(old), Subresource::None) => {
            prepare_update(admission, &mut object, old);
            admission.update(&object, old)
        }
        (Some(old), Subresource::Status) => {
            prepare_status(&mut object, old);
            admission.update_status(&object, old)
        }
    };
    if !errors.is_empty() {
        return Err(invalid(admission, &object, errors));
    }
    warnings.extend(excused.iter().map(ToString::to_string));
    let old = request.old.map(|old| Metadata::new(old, "metadata"));
    warnings.extend(Metadata::new(&object, "metadata").warnings(old.as_ref()));
    Ok(Admitted { object, warnings })
}

fn invalid(admission: &Admission, object: &Value, errors: Vec<FieldError>) -> Rejected {
    let metadata = &object["metadata"];
    let name = metadata["name"].as_str().or(metadata["generateName"].as_str());
    Rejected::Invalid {
        group: admission.0.group.clone(),
        kind: admission.0.kind.clone(),
        name: name.unwrap_or_default().to_owned(),
        errors,
    }
}

/// What is wrong before an object is looked at as one of its kind; gives the warnings.
fn decode_errors(admission: &Admission, request: &Request<'_>) -> Result<Vec<String>, Rejected> {
    let object = request.object;
    let text = |field: &str| object[field].as_str().unwrap_or_default();
    let cannot = |why: &str| {
        let kind = text("kind");
        let version = text("apiVersion");
        let version = version.rsplit_once('/').map_or(version, |(_, version)| version);
        let message = format!(
            "{kind} in version {} cannot be handled as a {kind}: {why}",
            quote(version)
        );
        Err(Rejected::Unreadable { message })
    };
    if let Some(why) = unreadable(object) {
        return cannot(&why);
    }
    let wanted = admission.schema().api_version();
    if text("apiVersion") != wanted {
        let message = format!(
            "the API version in the data ({}) does not match the expected API version ({wanted})",
            text("apiVersion")
        );
        return Err(Rejected::Unreadable { message });
    }
    if request.field_validation == FieldValidation::Ignore {
        return Ok(Vec::new());
    }
    let repeated = request
        .repeated
        .iter()
        .map(|path| format!("duplicate field {}", bare_quote(path)));
    let unknown = unknown::fields(admission.schema(), object).into_iter();
    let found: Vec<String> = repeated
        .chain(unknown.map(|path| format!("unknown field {}", bare_quote(&path))))
        .collect();
    if !found.is_empty() && request.field_validation == FieldValidation::Strict {
        return cannot(&format!("strict decoding error: {}", found.join(", ")));
    }
    Ok(found)
}

/// Quotes around a path, nothing in it escaped.
fn bare_quote(path: &str) -> String {
    format!("\"{path}\"")
}

fn metadata(object: &mut Value) -> Option<&mut Map<String, Value>> {
    let entries = object.as_object_mut()?;
    entries.entry("metadata").or_insert_with(|| json!({})).as_object_mut()
}

fn prepare_create(admission: &Admission, object: &mut Value) {
    if admission.schema().has_status_subresource()
        && let Some(entries) = object.as_object_mut()
    {
        entries.remove("status");
    }
    if let Some(metadata) = metadata(object) {
        metadata.remove("deletionTimestamp");
        metadata.remove("deletionGracePeriodSeconds");
        metadata.insert("generation".to_owned(), json!(1));
    }
}

fn prepare_update(admission: &Admission, object: &mut Value, old: &Value) {
    if admission.schema().has_status_subresource()
        && let Some(entries) = object.as_object_mut()
    {
        match old.get("status") {
            Some(status) => entries.insert("status".to_owned(), status.clone()),
            None => entries.remove("status"),
        };
    }
    let changed = without_metadata(object).ne(without_metadata(old));
    let generation = old["metadata"]["generation"].as_i64().unwrap_or_default();
    let Some(metadata) = metadata(object) else { return };
    let mut keep = |field: &str, kept: Option<&Value>| match kept {
        Some(value) if !value.is_null() => drop(metadata.insert(field.to_owned(), value.clone())),
        _ => {}
    };
    let before = &old["metadata"];
    for field in ["creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"] {
        keep(field, before.get(field));
    }
    if metadata.get("uid").is_none() {
        metadata.extend(before.get("uid").map(|uid| ("uid".to_owned(), uid.clone())));
    }
    let next = generation + i64::from(changed);
    if next > 0 {
        metadata.insert("generation".to_owned(), json!(next));
    } else {
        metadata.remove("generation");
    }
}

fn without_metadata(object: &Value) -> impl Iterator<Item = (&String, &Value)> {
    let entries = object.as_object().into_iter().flatten();
    entries.filter(|(name, _)| *name != "metadata")
}

/// Of a new status, nothing is taken but itself and the record of who set it.
fn prepare_status(object: &mut Value, old: &Value) {
    let status = object.get("status").cloned();
    let managers = object["metadata"].get("managedFields").cloned();
    *object = old.clone();
    let set = |entries: &mut Map<String, Value>, field: &str, value: Option<Value>| match value {
        Some(value) => drop(entries.insert(field.to_owned(), value)),
        None => drop(entries.remove(field)),
    };
    if let Some(metadata) = metadata(object) {
        set(metadata, "managedFields", managers);
    }
    if let Some(entries) = object.as_object_mut() {
        set(entries, "status", status);
    }
}
