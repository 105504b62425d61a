//! OCI's refusals in the provider's words.

use super::error::OciError;
use crate::providers::ProviderError;
use crate::resource::ResourceId;

/// What a failed call of a resource comes to.
pub(super) fn failed(verb: &str, id: &ResourceId, error: OciError) -> ProviderError {
    match error.status() {
        Some(401 | 403) => ProviderError::Forbidden {
            verb: verb.to_owned(),
            what: id.to_string(),
        },
        Some(412) => ProviderError::Stale(Box::new(id.clone())),
        Some(400 | 409 | 413 | 422) => refused(id, error.to_string()),
        _ => ProviderError::Transport {
            what: format!("{verb} {id}"),
            source: Box::new(error),
        },
    }
}

/// A refusal of a document, be it by OCI or before it was asked.
pub(super) fn refused(id: &ResourceId, message: impl Into<String>) -> ProviderError {
    ProviderError::Invalid {
        id: Box::new(id.clone()),
        message: message.into(),
    }
}
