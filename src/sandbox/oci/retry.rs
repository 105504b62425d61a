//! Retry tokens: the same request sent twice makes one resource.
//!
//! Invariant: a token stands for one body and one resource for a day. With another body, or once the resource is gone,
//! it is refused.

use std::collections::{BTreeMap, BTreeSet};

use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::call::{Call, Reply};
use super::refusal::Refusal;
use super::state::State;
use crate::sandbox::store::Write;

pub(super) const TABLE: &str = "oci/retry-token";
const HONOURED: SignedDuration = SignedDuration::from_hours(24);
const MAX_LENGTH: usize = 64;

/// What was answered to a token's first request.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Used {
    digest: String,
    resource: String,
    status: u16,
    bodiless: bool,
    work_request: Option<String>,
    at: Timestamp,
}

/// The tokens of the last day.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    used: BTreeMap<String, Used>,
    ages: BTreeSet<(Timestamp, String)>,
    changed: Vec<Write>,
}

impl Tokens {
    pub(super) fn restore(&mut self, key: String, value: &str) -> Result<(), serde_json::Error> {
        let used: Used = serde_json::from_str(value)?;
        self.ages.insert((used.at, key.clone()));
        self.used.insert(key, used);
        Ok(())
    }

    pub(super) fn rows(&mut self) -> Vec<Write> {
        std::mem::take(&mut self.changed)
    }

    fn forget(&mut self, now: Timestamp) {
        while let Some((at, key)) = self
            .ages
            .first()
            .filter(|(at, _)| now.duration_since(*at) >= HONOURED)
            .cloned()
        {
            self.ages.remove(&(at, key.clone()));
            self.used.remove(&key);
            self.changed.push(Write {
                table: TABLE.to_owned(),
                key,
                value: None,
            });
        }
    }
}

fn key(call: &Call, token: &str) -> String {
    [&call.principal.tenancy, call.region.id, call.operation, token].join(" ")
}

fn digest(call: &Call) -> String {
    let mut hash = Sha256::new();
    for param in &call.params {
        hash.update(param.as_bytes());
        hash.update([0]);
    }
    hash.update(serde_json::Value::Object(call.body.clone()).to_string());
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The answer to a request that was sent before; none to a new one.
pub(super) fn replay(state: &mut State, call: &Call) -> Result<Option<Reply>, Refusal> {
    let Some(token) = &call.retry_token else {
        return Ok(None);
    };
    if token.len() > MAX_LENGTH {
        return Err(Refusal::invalid(format!(
            "opc-retry-token is longer than {MAX_LENGTH} bytes"
        )));
    }
    state.tokens.forget(call.now);
    let Some(used) = state.tokens.used.get(&key(call, token)) else {
        return Ok(None);
    };
    let Some(record) = state
        .find(&used.resource)
        .filter(|record| record.lives() && used.digest == digest(call))
    else {
        return Err(Refusal::retry_token());
    };
    let reply = Reply::record(record).status(StatusCode::from_u16(used.status).unwrap_or_default());
    Ok(Some(Reply {
        body: reply.body.filter(|_| !used.bodiless),
        work_request: used.work_request.clone(),
        ..reply
    }))
}

/// Remembers what was answered.
pub(super) fn remember(state: &mut State, call: &Call, reply: &Reply) {
    let (Some(token), Some(resource)) = (&call.retry_token, &reply.resource) else {
        return;
    };
    let key = key(call, token);
    let used = Used {
        digest: digest(call),
        resource: resource.clone(),
        status: reply.status.as_u16(),
        bodiless: reply.body.is_none(),
        work_request: reply.work_request.clone(),
        at: call.now,
    };
    state.tokens.ages.insert((call.now, key.clone()));
    state.tokens.changed.push(Write {
        table: TABLE.to_owned(),
        key: key.clone(),
        value: serde_json::to_string(&used).ok(),
    });
    state.tokens.used.insert(key, used);
}
