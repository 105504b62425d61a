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
    /// What the call takes that keeps it from a state that it was not meant for.
    pub(super) guard: Guard,
}

/// What keeps a call from a state that it was not meant for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Guard {
    /// `if-match`.
    Etag,
    /// A retry token alone.
    Token,
    /// Nothing: what it does can be done once.
    None,
}

impl Step {
    /// A call with a body.
    pub(super) fn new(operation: &'static str, method: Method, suffix: &str, body: Value) -> Self {
        Self {
            operation,
            method,
            suffix: suffix.to_owned(),
            body: Some(body),
            guard: Guard::Etag,
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
            guard: Guard::Etag,
        }
    }

    /// The same, for an action that takes neither `if-match` nor a retry token.
    pub(super) fn unguarded(self) -> Self {
        Self {
            guard: Guard::None,
            ..self
        }
    }

    /// The same, for an action that takes a retry token and no `if-match`.
    pub(super) fn by_token(self) -> Self {
        Self {
            guard: Guard::Token,
            ..self
        }
    }
}
