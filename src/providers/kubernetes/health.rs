//! What a server says of itself and of us: its version, its clock, what we may do, what it serves.

use std::collections::BTreeSet;
use std::sync::Arc;

use ::http::Method;
use ::http::header::DATE;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::KubernetesProvider;
use super::discovery::group_version;
use super::http::{Answer, Call, HttpError, no_answer, request};
use super::retry::Effect;
use super::status::Refusal;
use crate::providers::pause::parse_http_date;
use crate::providers::{Kind, ProviderError};
use crate::schema::Schema;

/// A server's answer to a greeting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Greeting {
    /// Major and minor version; none where it does not give them as numbers.
    pub version: Option<(u32, u32)>,
    /// What its clock shows; none where it does not say.
    pub date: Option<Timestamp>,
}

#[derive(Deserialize)]
struct Version {
    major: String,
    /// `31`, or `31+`.
    minor: String,
}

impl KubernetesProvider {
    /// Asks for the server's version, in one attempt.
    ///
    /// # Errors
    /// Where it can't be reached, or does not let us ask.
    pub async fn greet(&self) -> Result<Greeting, ProviderError> {
        const WHAT: &str = "asking for the server's version";
        let asked = async {
            let request = request(&Call::get("/version"), bytes::Bytes::new())?;
            let response = self.http.client.send(request).await.map_err(no_answer)?;
            let date = response.headers().get(DATE).and_then(|value| value.to_str().ok());
            let date = date.and_then(parse_http_date);
            let status = response.status().as_u16();
            let bytes = response.into_body().collect_bytes().await.map_err(no_answer)?;
            let text = String::from_utf8(bytes.into()).map_err(|_| HttpError::Encoding)?;
            Ok((Answer { status, text }, date))
        };
        let answered = timeout(self.http.deadline, asked).await;
        let answered = answered.unwrap_or(Err(HttpError::Deadline(self.http.deadline)));
        let (answer, date) = answered.map_err(|error| error.during(WHAT))?;
        if !answer.is_success() {
            return Err(Refusal::of(&answer).into_transport("get", "/version"));
        }
        let version: Option<Version> = serde_json::from_str(&answer.text).ok();
        Ok(Greeting {
            version: version.and_then(|version| {
                let minor = version.minor.trim_end_matches(|c: char| !c.is_ascii_digit());
                Some((version.major.parse().ok()?, minor.parse().ok()?))
            }),
            date,
        })
    }

    /// Asks whether we have a right: the specification of a SelfSubjectAccessReview.
    ///
    /// # Errors
    /// Where the question itself is not allowed, or not answered.
    pub async fn may(&self, question: &Value) -> Result<bool, ProviderError> {
        const WHAT: &str = "asking for our own rights";
        let body =
            json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": question});
        let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
        // Nothing is kept of a question, so it may be asked again.
        let call = Call {
            effect: Effect::Nothing,
            ..Call::json(Method::POST, path, &body)
        };
        let answer = self.http.send(call).await.map_err(|error| error.during(WHAT))?;
        if !answer.is_success() {
            return Err(Refusal::of(&answer).into_transport("create", "selfsubjectaccessreviews"));
        }
        let answer: Value =
            serde_json::from_str(&answer.text).map_err(|_| HttpError::Nonsense("it is no review").during(WHAT))?;
        Ok(answer.pointer("/status/allowed") == Some(&Value::Bool(true)))
    }

    /// Those of some kinds that the server does not serve as they are meant, each with what is wrong.
    ///
    /// # Errors
    /// Where it can't be asked.
    pub async fn not_served(&self, kinds: &BTreeSet<Kind>) -> Result<Vec<(String, String)>, ProviderError> {
        let discovery = self.discover().await?;
        let missing = kinds.iter().filter_map(|kind| {
            let reason = discovery.find(kind).err()?;
            Some((format!("{} in {}", kind.kind, group_version(kind)), reason))
        });
        Ok(missing.collect())
    }

    /// The schema of a kind, as the server has it; none where it can't be had.
    pub async fn schema_of(&self, kind: &Kind) -> Option<Arc<Schema>> {
        let kinds = BTreeSet::from([kind.clone()]);
        let mut schemas = self.schemas.load(&self.http, kinds, 1).await;
        schemas.remove(kind)
    }
}
