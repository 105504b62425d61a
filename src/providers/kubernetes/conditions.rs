//! What objects of a kind say of themselves, for whoever only tells of it.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::KubernetesProvider;
use super::discovery::kind_of;
use super::http::{HttpError, escape};
use super::list::{self, ListError};
use crate::providers::ProviderError;
use crate::resource::ResourceId;

/// Objects in one page: each has some tens of kilobytes, of which next to nothing is kept.
const PAGE: usize = 50;

/// Conditions of an object by type: true, false, or neither.
pub type Conditions = BTreeMap<String, Option<bool>>;

#[derive(Deserialize)]
struct Object {
    metadata: Meta,
    #[serde(default)]
    status: Status,
}

#[derive(Deserialize)]
struct Meta {
    name: String,
    #[serde(default)]
    namespace: Option<String>,
}

#[derive(Default, Deserialize)]
struct Status {
    #[serde(default)]
    conditions: Vec<Condition>,
}

#[derive(Deserialize)]
struct Condition {
    r#type: String,
    #[serde(default)]
    status: String,
}

impl KubernetesProvider {
    /// Lists the conditions of all objects of a kind that carry a label; the sample is any object of that kind.
    ///
    /// # Errors
    /// Where the server does not serve the kind, refuses, or does not answer.
    pub async fn conditions(
        &self,
        sample: &ResourceId,
        api_version: &str,
        label: (&str, &str),
    ) -> Result<BTreeMap<ResourceId, Conditions>, ProviderError> {
        let kind = kind_of(sample, api_version);
        let what = || format!("listing {}", kind.kind);
        let discovery = self.discovered(&kind).await?;
        let addressing = discovery.find(&kind).map_err(|reason| ProviderError::Transport {
            what: what(),
            source: reason.into(),
        })?;
        let selector = escape(&format!("{}={}", label.0, label.1));
        let first = format!("{}?labelSelector={selector}&limit={PAGE}", addressing.all(&kind));
        let listed = list::pages(&self.http, "application/json", &first, |text| {
            let object: Object =
                serde_json::from_str(text).map_err(|_| HttpError::Nonsense("an object in it has no name"))?;
            let id = ResourceId {
                namespace: object.metadata.namespace,
                name: object.metadata.name,
                ..sample.clone()
            };
            let conditions = object.status.conditions.into_iter().map(|condition| {
                let holds = match condition.status.as_str() {
                    "True" => Some(true),
                    "False" => Some(false),
                    _ => None,
                };
                (condition.r#type, holds)
            });
            Ok((id, conditions.collect()))
        });
        match listed.await {
            Ok((items, _)) => Ok(items.into_iter().collect()),
            Err(ListError::Http(error)) => Err(error.during(what())),
            Err(ListError::Refused(refusal)) => Err(HttpError::Refused(refusal).during(what())),
        }
    }
}
