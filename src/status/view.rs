//! Reading an object that may lack anything, or hold anything anywhere.

use serde_json::Value;

/// A live object, read by JSON pointer; what is missing or of another type is `None`.
pub(super) struct View<'a> {
    object: &'a Value,
}

/// A condition, of whichever API shape: Kubernetes', HyperShift's or Cluster API's.
#[derive(Clone, Copy)]
pub(super) struct Condition<'a> {
    /// `True`, `False` or `Unknown`; empty where the object does not say.
    pub(super) status: &'a str,
    /// The reason; may be empty.
    pub(super) reason: &'a str,
    /// The message; may be empty.
    pub(super) message: &'a str,
    /// Cluster API v1beta1 only: `Error`, `Warning`, `Info`.
    pub(super) severity: &'a str,
    /// Whether it speaks of an older generation of the spec.
    pub(super) stale: bool,
}

impl Condition<'_> {
    pub(super) fn is_true(&self) -> bool {
        self.status == "True"
    }

    pub(super) fn is_false(&self) -> bool {
        self.status == "False"
    }

    /// The condition's reason, or the condition's own type where it gives none.
    pub(super) fn reason_or<'b>(&'b self, fallback: &'b str) -> &'b str {
        if self.reason.is_empty() { fallback } else { self.reason }
    }
}

/// Where an object keeps its conditions, by pointer: Cluster API keeps a second set beside the first.
pub(super) const CONDITIONS: &str = "/status/conditions";

impl<'a> View<'a> {
    pub(super) fn new(object: &'a Value) -> Self {
        Self { object }
    }

    pub(super) fn get(&self, pointer: &str) -> Option<&'a Value> {
        self.object.pointer(pointer).filter(|value| !value.is_null())
    }

    pub(super) fn text(&self, pointer: &str) -> Option<&'a str> {
        self.get(pointer).and_then(Value::as_str)
    }

    pub(super) fn integer(&self, pointer: &str) -> Option<i64> {
        self.get(pointer).and_then(Value::as_i64)
    }

    pub(super) fn count(&self, pointer: &str) -> i64 {
        self.integer(pointer).unwrap_or(0)
    }

    pub(super) fn is_true(&self, pointer: &str) -> bool {
        self.get(pointer).and_then(Value::as_bool) == Some(true)
    }

    pub(super) fn generation(&self) -> Option<i64> {
        self.integer("/metadata/generation")
    }

    /// An annotation's value. A method of its own, since its key holds a `/`, which a pointer would split at.
    pub(super) fn annotation(&self, key: &str) -> Option<&'a str> {
        self.get("/metadata/annotations")?.get(key)?.as_str()
    }

    /// A condition of the usual list.
    pub(super) fn condition(&self, kind: &str) -> Option<Condition<'a>> {
        self.condition_in(CONDITIONS, kind)
    }

    /// A condition of some list.
    pub(super) fn condition_in(&self, pointer: &str, kind: &str) -> Option<Condition<'a>> {
        let condition = self
            .get(pointer)?
            .as_array()?
            .iter()
            .find(|condition| condition.get("type").and_then(Value::as_str) == Some(kind))?;
        let text = |key: &str| condition.get(key).and_then(Value::as_str).unwrap_or_default();
        let observed = condition.get("observedGeneration").and_then(Value::as_i64);
        Some(Condition {
            status: text("status"),
            reason: text("reason"),
            message: text("message"),
            severity: text("severity"),
            // 0 is how Go writes a number that nobody set.
            stale: match (observed, self.generation()) {
                (Some(observed), Some(generation)) => observed > 0 && observed < generation,
                _ => false,
            },
        })
    }
}
