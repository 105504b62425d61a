//! A call on the wire: the headers that it is sent with, and what an answer says.
//!
//! Invariant: pure. Nothing that a service says in a refusal gets out unredacted.

use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use jiff::Timestamp;
use serde_json::Value;

use super::api::{Answer, Call};
use super::error::{OciError, ServiceError, redact, request_id};
use crate::providers::pause;

pub(super) const REQUEST_ID: &str = "opc-request-id";

/// What every attempt of a call is sent with; its signature comes to it.
pub(super) fn headers(call: &Call, request_id: &str) -> Result<HeaderMap, OciError> {
    let mut headers = HeaderMap::new();
    let mut set = |name: &'static str, value: &str| {
        let value = HeaderValue::from_str(value).map_err(|_| OciError::Nonsense {
            operation: call.operation,
            what: format!("`{name}` can't be sent"),
            sent: false,
        })?;
        headers.insert(HeaderName::from_static(name), value);
        Ok(())
    };
    set("accept", "application/json")?;
    set("user-agent", concat!("fleetwright/", env!("CARGO_PKG_VERSION")))?;
    set(REQUEST_ID, request_id)?;
    if call.body.is_some() {
        set("content-type", "application/json")?;
    }
    if let Some(token) = &call.retry_token {
        if token.is_empty() || token.len() > 64 {
            return Err(OciError::Nonsense {
                operation: call.operation,
                what: "a retry token has 1 to 64 bytes".to_owned(),
                sent: false,
            });
        }
        set("opc-retry-token", token)?;
    }
    if let Some(etag) = &call.if_match {
        set("if-match", etag)?;
    }
    Ok(headers)
}

/// What an answer says, to a request that was sent with these headers.
pub(super) fn read(
    call: &Call,
    sent: &HeaderMap,
    answer: &http::Response<Bytes>,
    now: Timestamp,
) -> Result<Answer, OciError> {
    let text = |name: &str| {
        answer
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok())
            .filter(|value| !value.is_empty())
            .map(str::to_owned)
    };
    if !answer.status().is_success() {
        let body: Value = serde_json::from_slice(answer.body()).unwrap_or(Value::Null);
        let word = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
        let skew = text("date")
            .filter(|_| answer.status().as_u16() == 401)
            .and_then(|date| pause::parse_http_date(&date))
            .map(|theirs| now.as_second() - theirs.as_second())
            .filter(|skew| skew.abs() > 300);
        return Err(OciError::Service(Box::new(ServiceError {
            status: answer.status().as_u16(),
            code: redact(word("code")),
            message: redact(word("message")),
            operation: call.operation,
            request_id: request_id(&text(REQUEST_ID).unwrap_or_else(|| {
                let sent = sent.get(REQUEST_ID).and_then(|id| id.to_str().ok());
                sent.unwrap_or_default().to_owned()
            })),
            retry_after: text(RETRY_AFTER.as_str()).and_then(|value| pause::retry_after(&value, now)),
            skew,
        })));
    }
    let body = if answer.body().is_empty() {
        Value::Null
    } else {
        serde_json::from_slice(answer.body()).map_err(|_| OciError::Nonsense {
            operation: call.operation,
            what: "the answer is no JSON".to_owned(),
            sent: true,
        })?
    };
    Ok(Answer {
        body,
        etag: text("etag"),
        next_page: text("opc-next-page"),
        work_request: text("opc-work-request-id"),
    })
}
