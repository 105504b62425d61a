//! What was asked of the server and what it changed, for tests to look at.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

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

/// Writes and counts.
#[derive(Debug, Default)]
pub(super) struct Log {
    pub(super) writes: Vec<LoggedWrite>,
    /// Calls by operation, refused ones included.
    pub(super) calls: BTreeMap<String, u64>,
    /// Calls of operations that the server does not know, by method and path.
    pub(super) unknown: BTreeMap<String, u64>,
}

impl Log {
    pub(super) fn write(&mut self, call: &Call, kind: &'static str, id: &str, before: &Body) {
        let tags = before.get("freeformTags").and_then(Value::as_object);
        let tags = tags.into_iter().flatten();
        self.writes.push(LoggedWrite {
            operation: call.operation,
            resource: id.to_owned(),
            kind,
            display_name: super::call::text(before, "displayName").to_owned(),
            tags: tags
                .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
                .collect(),
            principal: call.principal.clone(),
            retry_token: call.retry_token.clone(),
            request_id: call.request_id.clone(),
            time: call.now,
        });
    }
}
