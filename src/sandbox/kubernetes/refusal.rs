//! What the server says when it refuses, as a `Status`: codes, reasons and words of the real one, which clients match on.

use serde_json::{Map, Value, json};

/// One field that is at fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// `FieldValueInvalid`, `FieldManagerConflict`, …
    pub reason: &'static str,
    /// In words.
    pub message: String,
    /// The field; empty where it is none.
    pub field: String,
}

/// A refusal.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// The HTTP status.
    pub code: u16,
    /// `NotFound`, `Conflict`, …; empty for what the real server has no reason for.
    pub reason: &'static str,
    /// In words.
    pub message: String,
    /// The fields at fault.
    pub causes: Vec<Cause>,
    details: Option<Map<String, Value>>,
    /// A token with which a list may be gone on with, though not consistently.
    pub(super) token: Option<String>,
}

/// What a refusal is about: `{"apps", "deployments", "web"}`.
#[derive(Clone, Copy, Debug)]
pub(super) struct About<'a> {
    pub(super) group: &'a str,
    /// The plural, or the kind: the real server uses now one, now the other.
    pub(super) what: &'a str,
    pub(super) name: &'a str,
}

impl About<'_> {
    fn details(self) -> Map<String, Value> {
        let mut details = Map::new();
        for (key, value) in [("name", self.name), ("group", self.group), ("kind", self.what)] {
            if !value.is_empty() {
                details.insert(key.to_owned(), Value::from(value));
            }
        }
        details
    }

    /// `deployments.apps`
    fn qualified(self) -> String {
        if self.group.is_empty() {
            self.what.to_owned()
        } else {
            format!("{}.{}", self.what, self.group)
        }
    }
}

impl Cause {
    pub(super) fn required(field: impl Into<String>, detail: &str) -> Self {
        let message = match detail {
            "" => "Required value".to_owned(),
            detail => format!("Required value: {detail}"),
        };
        Self {
            reason: "FieldValueRequired",
            message,
            field: field.into(),
        }
    }

    pub(super) fn invalid(field: impl Into<String>, value: &Value, detail: &str) -> Self {
        Self {
            reason: "FieldValueInvalid",
            message: format!("Invalid value: {value}: {detail}"),
            field: field.into(),
        }
    }

    pub(super) fn forbidden(field: impl Into<String>, detail: &str) -> Self {
        Self {
            reason: "FieldValueForbidden",
            message: format!("Forbidden: {detail}"),
            field: field.into(),
        }
    }

    /// `value` as it is quoted: a list of words stands in brackets.
    pub(super) fn unsupported(field: impl Into<String>, value: &str, supported: &[&str]) -> Self {
        let supported: Vec<String> = supported.iter().map(|one| format!("\"{one}\"")).collect();
        Self {
            reason: "FieldValueNotSupported",
            message: format!("Unsupported value: {value}: supported values: {}", supported.join(", ")),
            field: field.into(),
        }
    }
}

impl Refusal {
    pub(super) fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            reason,
            message: message.into(),
            causes: Vec::new(),
            details: None,
            token: None,
        }
    }

    fn about(mut self, about: About<'_>) -> Self {
        self.details = Some(about.details());
        self
    }

    /// With an empty `details`, as the real server answers where it knows no kind.
    fn blank(mut self) -> Self {
        self.details = Some(Map::new());
        self
    }

    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    pub(super) fn internal(message: impl Into<String>) -> Self {
        Self::new(500, "", message)
    }

    pub(super) fn not_found(about: About<'_>) -> Self {
        let message = format!("{} \"{}\" not found", about.qualified(), about.name);
        Self::new(404, "NotFound", message).about(about)
    }

    pub(super) fn no_such_resource() -> Self {
        Self::new(404, "NotFound", "the server could not find the requested resource").blank()
    }

    pub(super) fn method_not_allowed() -> Self {
        let message = "the server does not allow this method on the requested resource";
        Self::new(405, "MethodNotAllowed", message).blank()
    }

    pub(super) fn already_exists(about: About<'_>) -> Self {
        let message = format!("{} \"{}\" already exists", about.qualified(), about.name);
        Self::new(409, "AlreadyExists", message).about(about)
    }

    pub(super) fn conflict(about: About<'_>, why: &str) -> Self {
        let message = format!(
            "Operation cannot be fulfilled on {} \"{}\": {why}",
            about.qualified(),
            about.name
        );
        Self::new(409, "Conflict", message).about(about)
    }

    pub(super) fn modified(about: About<'_>) -> Self {
        let why = "the object has been modified; please apply your changes to the latest version and try again";
        Self::conflict(about, why)
    }

    /// Of fields that other managers own.
    pub(super) fn owned(causes: Vec<Cause>, message: String) -> Self {
        let mut refusal = Self::new(409, "Conflict", message).blank();
        refusal.causes = causes;
        refusal
    }

    pub(super) fn forbidden(about: About<'_>, why: &str, causes: Vec<Cause>) -> Self {
        let message = format!("{} \"{}\" is forbidden: {why}", about.qualified(), about.name);
        let mut refusal = Self::new(403, "Forbidden", message).about(about);
        refusal.causes = causes;
        refusal
    }

    /// `about.what` is the kind here.
    pub(super) fn invalid(about: About<'_>, causes: Vec<Cause>) -> Self {
        let words: Vec<String> = causes
            .iter()
            .map(|cause| match cause.field.as_str() {
                "" => cause.message.clone(),
                field => format!("{field}: {}", cause.message),
            })
            .collect();
        // What is said twice is said once.
        let mut distinct: Vec<&str> = Vec::new();
        for word in &words {
            if !distinct.contains(&word.as_str()) {
                distinct.push(word);
            }
        }
        let words = match distinct.as_slice() {
            [only] => (*only).to_owned(),
            several => format!("[{}]", several.join(", ")),
        };
        let message = format!("{} \"{}\" is invalid: {words}", about.qualified(), about.name);
        let mut refusal = Self::new(422, "Invalid", message).about(about);
        refusal.causes = causes;
        refusal
    }

    /// A JSON patch that can't be applied; the real server hides why.
    pub(super) fn patch_failed() -> Self {
        let message = "the server rejected our request due to an error in our request";
        Self::new(422, "Invalid", message).blank()
    }

    pub(super) fn unsupported_body(accepted: &str) -> Self {
        let message =
            format!("the body of the request was in an unknown format - accepted media types include: {accepted}");
        Self::new(415, "UnsupportedMediaType", message)
    }

    pub(super) fn unsupported_patch() -> Self {
        Self::new(415, "UnsupportedMediaType", "415: Unsupported Media Type").blank()
    }

    pub(super) fn not_acceptable() -> Self {
        let accepted = "application/json, application/yaml, application/vnd.kubernetes.protobuf";
        let message = format!("only the following media types are accepted: {accepted}");
        Self::new(406, "NotAcceptable", message)
    }

    pub(super) fn expired(message: impl Into<String>) -> Self {
        Self::new(410, "Expired", message)
    }

    pub(super) fn too_large_version(asked: u64, current: u64) -> Self {
        let message = format!("Timeout: Too large resource version: {asked}, current: {current}");
        let mut refusal = Self::new(504, "Timeout", message);
        refusal.causes = vec![Cause {
            reason: "ResourceVersionTooLarge",
            message: "Too large resource version".to_owned(),
            field: String::new(),
        }];
        let mut details = Map::new();
        details.insert("retryAfterSeconds".to_owned(), Value::from(1));
        refusal.details = Some(details);
        refusal
    }

    /// As the object that clients get.
    pub fn status(&self) -> Value {
        let mut status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.message, "code": self.code});
        if let Some(token) = &self.token {
            status["metadata"]["continue"] = Value::from(token.as_str());
        }
        if !self.reason.is_empty() {
            status["reason"] = Value::from(self.reason);
        }
        let mut details = self.details.clone();
        if !self.causes.is_empty() {
            let causes = self.causes.iter().map(|cause| {
                let mut entry = json!({"reason": cause.reason, "message": cause.message});
                if !cause.field.is_empty() {
                    entry["field"] = Value::from(cause.field.as_str());
                }
                entry
            });
            let causes = Value::Array(causes.collect());
            details.get_or_insert_default().insert("causes".to_owned(), causes);
        }
        if let Some(details) = details {
            status["details"] = Value::Object(details);
        }
        status
    }
}
