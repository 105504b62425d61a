//! All objects of a kind, whoever made them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::KubernetesProvider;
use super::list::{self, ListError};
use crate::providers::{Kind, LiveObject, ProviderError};
use crate::schema::Schema;

impl KubernetesProvider {
    /// Lists all objects of a kind in all namespaces.
    ///
    /// # Errors
    /// Where the server has no such kind, or does not show them.
    pub async fn everything(&self, kind: &Kind) -> Result<Vec<LiveObject>, ProviderError> {
        let discovery = self.discovered(kind).await?;
        let addressing = discovery.find(kind).map_err(|reason| ProviderError::Transport {
            what: format!("list {}", kind.kind),
            source: reason.into(),
        })?;
        let first = format!("{}?limit={}", addressing.all(kind), self.options.page);
        let what = format!("list {}", addressing.plural);
        match list::all_pages(&self.http, kind, &first).await {
            Ok(listing) => Ok(listing.items.into_iter().map(|item| item.object).collect()),
            Err(ListError::Http(error)) => Err(error.during(what)),
            Err(ListError::Refused(refusal)) => Err(refusal.into_transport("list", &addressing.plural)),
        }
    }

    /// The schemas of some kinds; a kind of which the server tells none is left out.
    pub async fn schemas_of(&self, kinds: BTreeSet<Kind>) -> BTreeMap<Kind, Arc<Schema>> {
        self.schemas.load(&self.http, kinds, self.options.concurrency).await
    }
}
