//! One call, understood: who asks for which operation on what; and the answer before it becomes HTTP.

use std::collections::BTreeMap;

use http::StatusCode;
use jiff::Timestamp;
use serde_json::Value;

use super::kind::Kind;
use super::models::Body;
use super::refusal::Refusal;
use super::state::Record;
use crate::resource::regions::Region;

/// Who calls.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Principal {
    /// OCID of the tenancy.
    pub tenancy: String,
    /// OCID of the user, or of what else calls.
    pub user: String,
}

/// A call whose signature was found right.
pub(super) struct Call {
    /// OCI's name of the operation.
    pub(super) operation: &'static str,
    /// The kind that the operation is of; that of work requests where it is of none.
    pub(super) kind: &'static Kind,
    /// What stands in the places of the path.
    pub(super) params: Vec<String>,
    pub(super) query: BTreeMap<String, String>,
    pub(super) body: Body,
    pub(super) region: &'static Region,
    pub(super) principal: Principal,
    pub(super) retry_token: Option<String>,
    pub(super) if_match: Option<String>,
    pub(super) request_id: String,
    pub(super) now: Timestamp,
    /// Whether a list's page is to be shorter than asked for.
    pub(super) short_page: bool,
}

impl Call {
    /// The place of the path at that index; routes have as many as their handlers ask for.
    pub(super) fn param(&self, index: usize) -> &str {
        self.params.get(index).map_or("", String::as_str)
    }

    /// A mandatory query parameter.
    pub(super) fn required(&self, name: &str) -> Result<&str, Refusal> {
        self.query
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
            .ok_or_else(|| Refusal::missing(name))
    }

    /// A field of the body that is text.
    pub(super) fn text(&self, field: &str) -> &str {
        text(&self.body, field)
    }
}

/// A field that is text; empty where it is not there.
pub(super) fn text<'a>(body: &'a Body, field: &str) -> &'a str {
    body.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// The texts of a list; none where it is not there.
pub(super) fn texts<'a>(body: &'a Body, field: &str) -> impl Iterator<Item = &'a str> {
    body.get(field)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
}

/// The objects of a list; none where it is not there.
pub(super) fn objects<'a>(body: &'a Body, field: &str) -> impl Iterator<Item = &'a Body> {
    body.get(field)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_object)
}

/// An object made of pairs.
pub(super) fn body<const N: usize>(pairs: [(&str, Value); N]) -> Body {
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// An answer of success.
#[derive(Debug, Default)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) body: Option<Value>,
    pub(super) etag: Option<String>,
    pub(super) next_page: Option<String>,
    pub(super) work_request: Option<String>,
    /// The resource that a write made or changed.
    pub(super) resource: Option<String>,
}

impl Reply {
    /// One resource, with its etag.
    pub(super) fn record(record: &Record) -> Self {
        Self {
            body: Some(record.view()),
            etag: Some(record.etag()),
            resource: Some(record.id.clone()),
            ..Self::default()
        }
    }

    /// A value that is no resource of its own.
    pub(super) fn value(value: Value) -> Self {
        Self {
            body: Some(value),
            ..Self::default()
        }
    }

    /// Nothing to say but that it was done.
    pub(super) fn done(resource: &str) -> Self {
        Self {
            status: StatusCode::NO_CONTENT,
            resource: Some(resource.to_owned()),
            ..Self::default()
        }
    }

    pub(super) fn status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    pub(super) fn work_request(self, id: String) -> Self {
        Self {
            work_request: Some(id),
            ..self
        }
    }
}
