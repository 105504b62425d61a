//! Why a document can't be merged, in the words of the real server.

use serde_json::Value;

use super::place::Place;
use super::refusal::{Cause, Refusal};
use crate::ssa::{self, Conflict, SsaError};

/// An apply names the kind of the object that it is sent to.
pub(super) fn check_applied_kind(place: Place<'_>, config: &Value) -> Result<(), Refusal> {
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
pub(super) fn unreadable(place: Place<'_>, error: &SsaError) -> Refusal {
    Refusal::bad_request(format!(
        "{0} in version \"{1}\" cannot be handled as a {0}: {error}",
        place.kind.kind, place.version.name
    ))
}

/// A configuration that isn't of its type.
pub(super) fn untyped(place: Place<'_>, namespace: &str, error: &SsaError) -> Refusal {
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
pub(super) fn owned(conflicts: &[Conflict]) -> Refusal {
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
