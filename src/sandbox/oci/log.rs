//! What was asked of the server and what it changed, for tests to look at.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::call::{Call, Principal};
use super::models::Body;

/// A write that took effect.
#[derive(Clone, Debug)]
pub struct LoggedWrite {
    /// OCI's name of the operation.
    pub operation: &'static str,
    /// The OCID.
    pub resource: String,
    /// The resource's kind, `Vcn`.
    pub kind: &'static str,
    /// Its name.
    pub display_name: String,
    /// Its freeform tags before the write; for a create those that it was made with.
    pub tags: BTreeMap<String, String>,
    /// Who wrote.
    pub principal: Principal,
    /// `opc-retry-token` of the request.
    pub retry_token: Option<String>,
    /// `opc-request-id` of the answer.
    pub request_id: String,
    /// When, by the server's clock.
    pub time: Timestamp,
}

/// A write as it is kept: one of some hundred thousand, of which most differ in a few words.
#[derive(Debug)]
struct Kept {
    operation: &'static str,
    kind: &'static str,
    time: Timestamp,
    /// [`Words`] as JSON.
    words: Box<str>,
}

/// Resource, display name, tags, tenancy, user, retry token, request id.
type Words = (
    String,
    String,
    BTreeMap<String, String>,
    String,
    String,
    Option<String>,
    String,
);

/// Writes and counts.
#[derive(Debug, Default)]
pub(super) struct Log {
    writes: Vec<Kept>,
    /// Calls by operation, refused ones included.
    pub(super) calls: BTreeMap<String, u64>,
    /// Calls of operations that the server does not know, by method and path.
    pub(super) unknown: BTreeMap<String, u64>,
}

impl Log {
    pub(super) fn write(&mut self, call: &Call, kind: &'static str, id: &str, before: &Body) {
        let tags = before.get("freeformTags").and_then(Value::as_object);
        let tags = tags.into_iter().flatten();
        let tags: BTreeMap<&str, &str> = tags
            .filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)))
            .collect();
        let words = json!([
            id,
            super::call::text(before, "displayName"),
            tags,
            call.principal.tenancy,
            call.principal.user,
            call.retry_token,
            call.request_id,
        ]);
        self.writes.push(Kept {
            operation: call.operation,
            kind,
            time: call.now,
            words: words.to_string().into(),
        });
    }

    /// All writes, the first one first.
    pub(super) fn writes(&self) -> Vec<LoggedWrite> {
        self.writes.iter().map(Kept::read).collect()
    }
}

impl Kept {
    fn read(&self) -> LoggedWrite {
        let words: Words = serde_json::from_str(&self.words).unwrap_or_default();
        let (resource, display_name, tags, tenancy, user, retry_token, request_id) = words;
        LoggedWrite {
            operation: self.operation,
            resource,
            kind: self.kind,
            display_name,
            tags,
            principal: Principal { tenancy, user },
            retry_token,
            request_id,
            time: self.time,
        }
    }
}
