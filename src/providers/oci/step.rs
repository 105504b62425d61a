//! One call of several that bring a resource to what is wanted.

use http::Method;
use serde_json::Value;

/// A call below a resource's path.
#[derive(Clone, Debug)]
pub(super) struct Step {
    /// The operation's name.
    pub(super) operation: &'static str,
    /// The method.
    pub(super) method: Method,
    /// What comes after the resource's path.
    pub(super) suffix: String,
    /// The body.
    pub(super) body: Option<Value>,
    /// Whether the call takes `if-match` and a retry token.
    pub(super) guarded: bool,
}

impl Step {
    /// A call with a body.
    pub(super) fn new(operation: &'static str, method: Method, suffix: &str, body: Value) -> Self {
        Self {
            operation,
            method,
            suffix: suffix.to_owned(),
            body: Some(body),
            guarded: true,
        }
    }

    /// A POST below `/actions/`.
    pub(super) fn action(operation: &'static str, action: &str, body: Value) -> Self {
        Self::new(operation, Method::POST, &format!("/actions/{action}"), body)
    }

    /// A DELETE of a part.
    pub(super) fn delete(operation: &'static str, suffix: String) -> Self {
        Self {
            operation,
            method: Method::DELETE,
            suffix,
            body: None,
            guarded: true,
        }
    }

    /// The same, for an action that takes neither `if-match` nor a retry token.
    pub(super) fn unguarded(self) -> Self {
        Self { guarded: false, ..self }
    }
}
