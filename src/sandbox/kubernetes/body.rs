//! The body of a write: JSON or YAML, read as the kind that it is written to.

use serde_json::Value;

use super::kind::{Kind, Version};
use super::refusal::{About, Cause, Refusal};
use super::request::{FieldValidation, WriteOptions};
use crate::schema::admission;
use crate::schema::document::{self, Document};
use crate::schema::{Origin, SchemaView};

const ACCEPTED: &str = "application/json, application/yaml, application/vnd.kubernetes.protobuf";

/// Reads JSON, or YAML where it is none.
pub(super) fn parse(body: &[u8]) -> Result<Value, Refusal> {
    serde_json::from_slice(body).or_else(|_| {
        let value: Value = serde_yaml::from_slice(body)
            .map_err(|error| Refusal::bad_request(format!("error decoding YAML: {error}")))?;
        Ok(value)
    })
}

/// Reads a whole object that somebody sent.
///
/// Fields that a JSON text has more than once are told beside it.
pub(super) fn object(content_type: &str, body: &[u8], kind: &Kind) -> Result<Document, Refusal> {
    let media = content_type.split(';').next().unwrap_or_default().trim();
    let unreadable = |why: &str| {
        let message = format!(
            "the object provided is unrecognized (must be of type {}): couldn't get version/kind; {why}",
            kind.kind
        );
        Refusal::bad_request(message)
    };
    let object = match media {
        "application/json" | "" => {
            document::read(body).map_err(|error| unreadable(&format!("json parse error: {error}")))?
        }
        "application/vnd.kubernetes.protobuf" => Document {
            value: super::protobuf::read(body).ok_or_else(|| Refusal::unsupported_body(ACCEPTED))?,
            repeated: Vec::new(),
        },
        "application/yaml" => Document {
            value: parse(body)?,
            repeated: Vec::new(),
        },
        _ => return Err(Refusal::unsupported_body(ACCEPTED)),
    };
    if object.value.is_object() {
        Ok(object)
    } else {
        Err(unreadable("json parse error: it is no object"))
    }
}

/// Checks that an object is of the kind of its address, and names it so where it leaves that out.
pub(super) fn check_kind(object: &mut Value, kind: &Kind, version: &Version) -> Result<(), Refusal> {
    let wanted = kind.api_version(&version.name);
    let text = |field: &str| object[field].as_str().unwrap_or_default().to_owned();
    let (api_version, named) = (text("apiVersion"), text("kind"));
    if kind.origin == Origin::Custom {
        if api_version != wanted {
            return Err(Refusal::bad_request(format!(
                "the API version in the data ({api_version}) does not match the expected API version ({wanted})"
            )));
        }
        if named != kind.kind {
            let about = About {
                group: &kind.name.group,
                what: &named,
                name: super::object::meta_text(object, "name"),
            };
            let why = format!("must be {}", kind.kind);
            return Err(Refusal::invalid(
                about,
                vec![Cause::invalid("kind", &Value::from(named.as_str()), &why)],
            ));
        }
        return Ok(());
    }
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    if !api_version.is_empty() && api_version != wanted {
        let version = api_version.rsplit('/').next().unwrap_or_default();
        return Err(Refusal::bad_request(format!(
            "{named} in version \"{version}\" cannot be handled as a {}: no kind \"{named}\" is registered for version \"{api_version}\" in scheme \"pkg/runtime/scheme.go:111\"",
            kind.kind
        )));
    }
    if !named.is_empty() && named != kind.kind {
        let package = if group.is_empty() { "core" } else { group };
        return Err(Refusal::bad_request(format!(
            "{named} in version \"{0}\" cannot be handled as a {1}: converting ({0}.{named}) to ({package}.{1}): unknown conversion",
            version.name, kind.kind
        )));
    }
    super::object::name_kind(object, &wanted, &kind.kind);
    Ok(())
}

/// What is wrong with unknown fields: nothing, warnings, or a refusal.
pub(super) fn check_fields(
    object: &Value,
    kind: &Kind,
    version: &Version,
    options: &WriteOptions,
) -> Result<Vec<String>, Refusal> {
    if options.validation == FieldValidation::Ignore {
        return Ok(Vec::new());
    }
    let schema = kind.schema(version);
    let unknown_field = |path: String| format!("unknown field \"{path}\"");
    let repeated = options.repeated.iter();
    let repeated = repeated.map(|path| format!("duplicate field \"{path}\""));
    let found: Vec<String> = match kind.origin {
        Origin::Custom => {
            let unknown = admission::unknown_fields(&schema, object).into_iter();
            repeated.chain(unknown.map(unknown_field)).collect()
        }
        Origin::BuiltIn => {
            let mut found = Vec::new();
            unknown(schema.root(), object, &mut String::new(), &mut found);
            found.into_iter().map(unknown_field).chain(repeated).collect()
        }
    };
    if options.validation == FieldValidation::Strict && !found.is_empty() {
        return Err(Refusal::bad_request(format!(
            "{0} in version \"{1}\" cannot be handled as a {0}: strict decoding error: {2}",
            kind.kind,
            version.name,
            found.join(", ")
        )));
    }
    Ok(found)
}

/// Of a kind of the server's own: what its schema says nothing of at all is free.
fn unknown(view: SchemaView<'_>, value: &Value, path: &mut String, found: &mut Vec<String>) {
    let end = path.len();
    match value {
        Value::Object(entries)
            if view.field("apiVersion").is_some() || view.fields().next().is_some() || view.additional().is_some() =>
        {
            for (name, entry) in entries {
                if end > 0 {
                    path.push('.');
                }
                path.push_str(name);
                match view.field(name).or_else(|| view.additional()) {
                    Some(below) => unknown(below, entry, path, found),
                    None if view.is_open() => {}
                    None => found.push(path.clone()),
                }
                path.truncate(end);
            }
        }
        Value::Object(entries) if !view.is_open() && view.json_type() == crate::schema::JsonType::Object => {
            found.extend(entries.keys().map(|name| format!("{path}.{name}")));
        }
        Value::Array(items) => {
            let Some(below) = view.items() else { return };
            for (index, item) in items.iter().enumerate() {
                path.push_str(&format!("[{index}]"));
                unknown(below, item, path, found);
                path.truncate(end);
            }
        }
        _ => {}
    }
}
