//! Whose key signs, and the signer made of it.

use std::sync::{Arc, Mutex, PoisonError};

use super::credentials::{Credentials, CredentialsError, KeyMaterial};
use super::error::OciError;
use super::sign::Signer;

/// A source of keys, and the signer of its latest one.
pub(super) struct Identity {
    pub(super) credentials: Arc<dyn Credentials>,
    signer: Mutex<Option<Arc<Signer>>>,
}

impl Identity {
    pub(super) fn new(credentials: Arc<dyn Credentials>) -> Self {
        Self {
            credentials,
            signer: Mutex::new(None),
        }
    }

    /// The signer of the key that is good now.
    pub(super) async fn signer(&self, operation: &'static str) -> Result<Arc<Signer>, OciError> {
        let wrong = |source| OciError::Credentials { operation, source };
        let material = self.credentials.get().await.map_err(wrong)?;
        if material.key_id.expose().is_empty() {
            return Err(wrong(CredentialsError::Missing {
                place: "the credentials".to_owned(),
                part: "key id",
            }));
        }
        let known = self.known(&material);
        if let Some(signer) = known {
            return Ok(signer);
        }
        let signer = Signer::new(material).map(Arc::new).map_err(|error| {
            wrong(CredentialsError::Unreadable {
                place: "the key".to_owned(),
                source: Box::new(error),
            })
        })?;
        *self.signer.lock().unwrap_or_else(PoisonError::into_inner) = Some(signer.clone());
        Ok(signer)
    }

    fn known(&self, material: &KeyMaterial) -> Option<Arc<Signer>> {
        let signer = self.signer.lock().unwrap_or_else(PoisonError::into_inner);
        signer.as_ref().filter(|signer| signer.material() == material).cloned()
    }
}
