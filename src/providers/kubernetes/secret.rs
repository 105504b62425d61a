//! A Secret's data for somebody else's use: the key that a cloud's calls are signed with.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::FutureExt as _;
use serde_json::Value;

use super::KubernetesProvider;
use crate::providers::oci::credentials::Secret;
use crate::providers::oci::credentials::secret::{Data, Read};
use crate::providers::{LiveObject, Observed};
use crate::resource::{ManagementClusterName, ResourceId, Target};

/// Why there is no data; never holds any.
#[derive(Debug, thiserror::Error)]
enum SecretError {
    #[error("it is not there")]
    Absent,
    #[error("it can't be read: {0}")]
    Unknown(String),
    #[error("`{0}` is no text in base64")]
    Encoding(String),
    #[error("it has no data")]
    Empty,
}

impl KubernetesProvider {
    /// What reads a Secret each time that it is asked.
    pub fn secret_reader(self: Arc<Self>, cluster: ManagementClusterName, namespace: String, name: String) -> Read {
        let id = ResourceId {
            target: Target::Kubernetes(cluster),
            group: String::new(),
            kind: "Secret".to_owned(),
            namespace: Some(namespace),
            name,
        };
        Arc::new(move || {
            let (provider, id) = (self.clone(), id.clone());
            async move {
                let data = match provider.read_one(&id, "v1").await {
                    Observed::Present(live) => data(&live),
                    Observed::Absent => Err(SecretError::Absent),
                    Observed::Unknown(reason) => Err(SecretError::Unknown(reason)),
                };
                Ok(data?)
            }
            .boxed()
        })
    }
}

fn data(live: &LiveObject) -> Result<Data, SecretError> {
    let object = live.parse().map_err(|_| SecretError::Empty)?;
    let data = object
        .get("data")
        .and_then(Value::as_object)
        .ok_or(SecretError::Empty)?;
    data.iter()
        .map(|(key, value)| {
            let bytes = value.as_str().and_then(|text| STANDARD.decode(text).ok());
            let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
            let text = text.ok_or_else(|| SecretError::Encoding(key.clone()))?;
            // Whoever signs with them remembers what of it is secret: OCIDs and regions are not.
            Ok((key.clone(), Secret::unremembered(text)))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn live(object: &Value) -> LiveObject {
        LiveObject {
            uid: String::new(),
            version: String::new(),
            text: object.to_string().into_boxed_str(),
        }
    }

    #[test]
    fn decodes_data_and_never_shows_it() {
        let found = data(&live(&json!({"data": {"key": "c2VjcmV0"}}))).unwrap();
        assert_eq!(found["key"].expose(), "secret");
        assert!(!format!("{found:?}").contains("secret\""), "{found:?}");
        let broken = data(&live(&json!({"data": {"key": "not base64 at all"}}))).unwrap_err();
        assert_eq!(broken.to_string(), "`key` is no text in base64");
        assert!(data(&live(&json!({"type": "Opaque"}))).is_err());
    }
}
