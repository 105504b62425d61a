//! Whether a custom resource is what its definition asks for.

use serde_json::Value;

use super::refusal::Cause;
use super::write::Place;

/// What is wrong with an object, pruned and with its defaults.
pub(super) fn custom(_place: Place<'_>, _object: &Value, _old: Option<&Value>) -> Vec<Cause> {
    Vec::new()
}
