//! Whether a custom resource is what its definition asks for.

use serde_json::Value;

use super::place::Place;
use super::refusal::Cause;
use crate::schema::admission::FieldError;

/// What is wrong with an object, pruned and with its defaults.
pub(super) fn custom(place: Place<'_>, object: &Value, old: Option<&Value>) -> Vec<Cause> {
    let Some(admission) = place.kind.admission(place.version) else {
        return Vec::new();
    };
    let errors = match (old, place.subresource) {
        (None, _) => admission.validate_create(object),
        (Some(old), "status") => admission.validate_status(object, old),
        (Some(old), _) => admission.validate_update(object, old),
    };
    errors.iter().map(cause).collect()
}

/// An error as the server tells it.
pub(super) fn cause(error: &FieldError) -> Cause {
    Cause {
        reason: error.kind.reason(),
        message: error.body(),
        field: error.path.clone(),
    }
}
