//! What is wrong with a field, in the words of an API server: clients match on them.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::{Value, json};

use super::text::{json_text, number, quote};

/// Where the object itself is meant, a server names its path so.
pub(super) const ROOT: &str = "<nil>";

/// What kind of wrong it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ErrorKind {
    /// Absent, and must be there.
    Required,
    /// Of the right type, and not a good value.
    Invalid,
    /// Of another type than the schema's.
    TypeInvalid,
    /// None of the listed values.
    NotSupported,
    /// A second of what there may be one of.
    Duplicate,
    /// Not allowed here.
    Forbidden,
    /// A text that is too long.
    TooLong,
    /// Too many items or entries.
    TooMany,
}

impl ErrorKind {
    /// The `reason` of a cause in a `metav1.Status`.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Required => "FieldValueRequired",
            Self::Invalid => "FieldValueInvalid",
            Self::TypeInvalid => "FieldValueTypeInvalid",
            Self::NotSupported => "FieldValueNotSupported",
            Self::Duplicate => "FieldValueDuplicate",
            Self::Forbidden => "FieldValueForbidden",
            Self::TooLong => "FieldValueTooLong",
            Self::TooMany => "FieldValueTooMany",
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Required => "Required value",
            Self::Invalid | Self::TypeInvalid => "Invalid value",
            Self::NotSupported => "Unsupported value",
            Self::Duplicate => "Duplicate value",
            Self::Forbidden => "Forbidden",
            Self::TooLong => "Too long",
            Self::TooMany => "Too many",
        }
    }

    fn shows_value(self) -> bool {
        !matches!(self, Self::Required | Self::Forbidden | Self::TooLong)
    }

    /// Whether rules can't be run on an object that has such an error: they expect another shape.
    pub(super) fn blocks_rules(self) -> bool {
        matches!(
            self,
            Self::NotSupported | Self::Required | Self::TooLong | Self::TooMany | Self::TypeInvalid
        )
    }
}

/// One thing that is wrong with an object.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldError {
    /// Where: `spec.platform.oci.region`, `spec.items[0]`, `metadata.labels[x]`; `<nil>` for the whole object.
    pub path: String,
    /// What kind of wrong.
    pub kind: ErrorKind,
    /// The value that is shown; none where it is an object or a list, or not shown at all.
    pub value: Option<Value>,
    /// Why.
    pub detail: String,
}

impl FieldError {
    pub(in super::super) fn new(
        path: impl Into<String>,
        kind: ErrorKind,
        value: Option<Value>,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            path: path.into(),
            kind,
            value,
            detail: detail.into(),
        }
    }

    pub(in super::super) fn invalid(
        path: impl Into<String>,
        value: impl Into<Value>,
        detail: impl Into<String>,
    ) -> Self {
        Self::new(path, ErrorKind::Invalid, Some(value.into()), detail)
    }

    pub(in super::super) fn required(path: impl Into<String>, detail: &str) -> Self {
        Self::new(path, ErrorKind::Required, None, detail)
    }

    pub(in super::super) fn forbidden(path: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(path, ErrorKind::Forbidden, None, detail)
    }

    pub(in super::super) fn too_long(path: impl Into<String>, most: i64) -> Self {
        let unit = if most == 1 { "byte" } else { "bytes" };
        Self::new(
            path,
            ErrorKind::TooLong,
            None,
            format!("may not be more than {most} {unit}"),
        )
    }

    pub(in super::super) fn too_many(path: impl Into<String>, count: usize, most: i64) -> Self {
        let unit = if most == 1 { "item" } else { "items" };
        let detail = format!("must have at most {most} {unit}");
        Self::new(path, ErrorKind::TooMany, Some(count.into()), detail)
    }

    pub(in super::super) fn not_supported<'s>(
        path: &str,
        value: Value,
        supported: impl Iterator<Item = &'s str>,
    ) -> Self {
        let quoted: Vec<String> = supported.map(quote).collect();
        let detail = if quoted.is_empty() {
            String::new()
        } else {
            format!("supported values: {}", quoted.join(", "))
        };
        Self::new(path, ErrorKind::NotSupported, Some(value), detail)
    }

    /// The message without the path, as a cause has it.
    pub fn body(&self) -> String {
        let mut body = self.kind.words().to_owned();
        if let Some(value) = self.value.as_ref().filter(|_| self.kind.shows_value()) {
            let shown = match value {
                Value::String(text) => quote(text),
                Value::Number(plain) => number(plain),
                other => json_text(other),
            };
            body = format!("{body}: {shown}");
        }
        if self.detail.is_empty() {
            body
        } else {
            format!("{body}: {}", self.detail)
        }
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.body())
    }
}

/// One cause of a `metav1.Status`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Cause {
    /// `FieldValueInvalid` and the like.
    pub reason: String,
    /// What is wrong.
    pub message: String,
    /// Where.
    pub field: String,
}

/// Several errors as one text: in brackets where there are several, each once.
pub(super) fn aggregate(errors: &[FieldError]) -> String {
    let mut seen = BTreeSet::new();
    let mut texts = Vec::new();
    for error in errors {
        let text = error.to_string();
        if seen.insert(text.clone()) {
            texts.push(text);
        }
    }
    match texts.as_slice() {
        [only] => only.clone(),
        _ => format!("[{}]", texts.join(", ")),
    }
}

/// Why an object isn't taken.
#[derive(Clone, Debug, PartialEq)]
pub enum Rejected {
    /// It is read well, and not valid: 422.
    Invalid {
        /// The API group.
        group: String,
        /// The kind.
        kind: String,
        /// The object's name.
        name: String,
        /// What is wrong with it; never empty.
        errors: Vec<FieldError>,
    },
    /// It can't be read as what it says it is, or has fields that nobody knows: 400.
    Unreadable {
        /// Why: `Thing in version "v1" cannot be handled as a Thing: strict decoding error: …` and the like.
        message: String,
    },
}

impl Rejected {
    /// The HTTP status.
    pub fn code(&self) -> u16 {
        match self {
            Self::Invalid { .. } => 422,
            Self::Unreadable { .. } => 400,
        }
    }

    /// The causes in the details of a `metav1.Status`.
    pub fn to_status_causes(&self) -> Vec<Cause> {
        let Self::Invalid { errors, .. } = self else {
            return Vec::new();
        };
        let cause = |error: &FieldError| Cause {
            reason: error.kind.reason().to_owned(),
            message: error.body(),
            field: error.path.clone(),
        };
        errors.iter().map(cause).collect()
    }

    /// The whole answer, a `metav1.Status`.
    pub fn to_status(&self) -> Value {
        let mut status = json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.to_string(),
            "code": self.code(),
        });
        match self {
            Self::Unreadable { .. } => status["reason"] = json!("BadRequest"),
            Self::Invalid { group, kind, name, .. } => {
                status["reason"] = json!("Invalid");
                let mut details = json!({"group": group, "kind": kind, "causes": self.to_status_causes()});
                if !name.is_empty() {
                    details["name"] = json!(name);
                }
                status["details"] = details;
            }
        }
        status
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid {
                group,
                kind,
                name,
                errors,
            } => {
                let dot = if group.is_empty() { "" } else { "." };
                write!(
                    f,
                    "{kind}{dot}{group} {} is invalid: {}",
                    quote(name),
                    aggregate(errors)
                )
            }
            Self::Unreadable { message } => f.write_str(message),
        }
    }
}

impl std::error::Error for Rejected {}
