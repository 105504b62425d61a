//! Answers that say no: OCI's codes with their statuses.
//!
//! Invariant: a code always goes out with the status that OCI's list of errors gives it.

use http::StatusCode;

/// One refusal: a code that clients act on, and words for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The status.
    pub status: StatusCode,
    /// OCI's code, `NotAuthorizedOrNotFound`.
    pub code: &'static str,
    /// The words.
    pub message: String,
}

impl Refusal {
    const fn new(status: StatusCode, code: &'static str, message: String) -> Self {
        Self { status, code, message }
    }

    pub(super) fn unparsable(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "CannotParseRequest", message.into())
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "InvalidParameter", message.into())
    }

    pub(super) fn missing(what: &str) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "MissingParameter",
            format!("{what} is required"),
        )
    }

    pub(super) fn limit(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "LimitExceeded", message.into())
    }

    /// A resource that the body names is not there, or not for this caller.
    pub(super) fn related(field: &str, id: &str) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "RelatedResourceNotAuthorizedOrNotFound",
            format!("{field} {id} does not exist, or this caller may not use it"),
        )
    }

    pub(super) fn unauthenticated(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "NotAuthenticated", message.into())
    }

    /// What the path names is not there, or not for this caller; OCI does not say which.
    pub(super) fn not_found() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "NotAuthorizedOrNotFound",
            "authorization failed, or there is no such resource".to_owned(),
        )
    }

    pub(super) fn unknown_operation(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "NotFound", message.into())
    }

    pub(super) fn method(message: impl Into<String>) -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", message.into())
    }

    pub(super) fn conflict(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "Conflict", message.into())
    }

    pub(super) fn state(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "IncorrectState", message.into())
    }

    pub(super) fn exists(message: impl Into<String>) -> Self {
        Self::new(
            StatusCode::CONFLICT,
            "NotAuthorizedOrResourceAlreadyExists",
            message.into(),
        )
    }

    pub(super) fn retry_token() -> Self {
        Self::new(
            StatusCode::CONFLICT,
            "InvalidatedRetryToken",
            "the retry token was used with another request, or for a resource that is gone".to_owned(),
        )
    }

    pub(super) fn etag(id: &str) -> Self {
        Self::new(
            StatusCode::PRECONDITION_FAILED,
            "NoEtagMatch",
            format!("the etag given is not that of {id}"),
        )
    }

    pub(super) fn too_large() -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "RequestEntityTooLarge",
            "the body is larger than 1 MiB".to_owned(),
        )
    }
}
