//! Conditions as operators write them: a transition's time changes with the status alone.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{stamp, text};

/// A condition's status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Is {
    True,
    False,
    Unknown,
}

impl From<bool> for Is {
    fn from(value: bool) -> Self {
        if value { Self::True } else { Self::False }
    }
}

impl Is {
    fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

/// What stands in a condition for all is well.
pub(super) const AS_EXPECTED: &str = "AsExpected";

/// Conditions under way to being written, each with the generation that was looked at.
pub(super) struct Conditions<'a> {
    object: &'a Value,
    now: String,
    list: Vec<Value>,
}

impl<'a> Conditions<'a> {
    /// None yet; those that are not set go.
    pub(super) fn new(object: &'a Value, now: Timestamp) -> Self {
        Self {
            object,
            now: stamp(now),
            list: Vec::new(),
        }
    }

    /// Sets one.
    pub(super) fn set(&mut self, kind: &str, status: impl Into<Is>, reason: &str, message: &str) {
        let status = status.into().as_str();
        let since = match find(self.object, kind) {
            Some(old) if text(old, "/status") == status => text(old, "/lastTransitionTime"),
            _ => &self.now,
        };
        self.list.push(json!({
            "type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": since,
            "observedGeneration": self.object.pointer("/metadata/generation").and_then(Value::as_i64).unwrap_or(0),
        }));
    }

    /// Sets one that is true and has nothing to say.
    pub(super) fn well(&mut self, kind: &str) {
        self.set(kind, true, AS_EXPECTED, "All is well");
    }

    /// The list, in the order in which they were set.
    pub(super) fn list(self) -> Value {
        Value::Array(self.list)
    }
}

/// A condition that an object has.
pub(super) fn find<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    let list = object.pointer("/status/conditions").and_then(Value::as_array)?;
    list.iter().find(|condition| text(condition, "/type") == kind)
}

/// Since when a condition has had a status; none where it has another, or is not there.
pub(super) fn since(object: &Value, kind: &str, status: impl Into<Is>) -> Option<Timestamp> {
    let condition = find(object, kind).filter(|found| text(found, "/status") == status.into().as_str())?;
    super::time(condition, "/lastTransitionTime")
}

/// Whether a condition is there and true.
pub(super) fn is_true(object: &Value, kind: &str) -> bool {
    find(object, kind).is_some_and(|found| text(found, "/status") == "True")
}

/// The object's status, to be changed.
pub(super) fn status_of(object: &Value) -> Map<String, Value> {
    object
        .get("status")
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_default()
}
