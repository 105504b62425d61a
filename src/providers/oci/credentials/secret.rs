//! An API key in a Kubernetes Secret, in the layout of CAPOCI's principal Secrets: `tenancy`, `user`, `fingerprint`, `key`,
//! and where the key is encrypted `passphrase`.
//!
//! Invariant: knows nothing of Kubernetes: who reads the Secret comes in as a function. A Secret that can't be read at the
//! moment is not one that has been emptied: the first leaves the key that was read before, the second is an error.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::{Credentials, CredentialsError, KeyMaterial, PrivateKey, Secret, api_key, part};

/// A Secret's data, decoded.
pub type Data = BTreeMap<String, Secret>;

/// Reads a Secret.
pub type Read =
    Arc<dyn Fn() -> BoxFuture<'static, Result<Data, Box<dyn std::error::Error + Send + Sync>>> + Send + Sync>;

/// How long what was read is used without another look: a reader of hundreds of Secrets can't read each before each call.
/// A key that was deleted meanwhile is refused, and then the Secret is read at once.
const BELIEVED: Duration = Duration::from_secs(60);

/// An API key in a Secret.
pub struct SecretKey {
    /// `namespace/name`, for errors.
    place: String,
    read: Read,
    known: Mutex<Option<Known>>,
}

struct Known {
    data: Data,
    material: KeyMaterial,
    /// None where a service did not accept it.
    until: Option<Instant>,
}

impl SecretKey {
    /// Reads nothing yet. `place` names the Secret in errors: `namespace/name`.
    pub fn new(place: impl Into<String>, read: Read) -> Self {
        Self {
            place: format!("Secret {}", place.into()),
            read,
            known: Mutex::default(),
        }
    }

    fn material(&self, data: &Data) -> Result<KeyMaterial, CredentialsError> {
        let place = &self.place;
        let get = |name: &'static str| part(data.get(name).map(Secret::expose), place, name);
        let says_yes = |name: &str| data.get(name).is_some_and(|value| value.expose().trim() == "true");
        if says_yes("useInstancePrincipal") || says_yes("useSessionToken") {
            return Err(CredentialsError::Invalid {
                place: place.clone(),
                what: "it asks for another identity than that of an API key",
            });
        }
        let (tenancy, user, fingerprint) = (get("tenancy")?, get("user")?, get("fingerprint")?);
        if let Some(passphrase) = data.get("passphrase") {
            crate::redact::remember(passphrase.expose());
        }
        let key =
            PrivateKey::from_pem(get("key")?, data.get("passphrase")).map_err(|source| CredentialsError::Key {
                place: place.clone(),
                source,
            })?;
        api_key(place, tenancy, user, fingerprint, key)
    }
}

impl Credentials for SecretKey {
    fn get(&self) -> BoxFuture<'_, Result<KeyMaterial, CredentialsError>> {
        Box::pin(async move {
            let mut known = self.known.lock().await;
            let now = Instant::now();
            if let Some(known) = &*known
                && known.until.is_some_and(|until| now < until)
            {
                return Ok(known.material.clone());
            }
            let until = Some(now + BELIEVED);
            let data = match ((self.read)().await, &mut *known) {
                (Ok(data), _) => data,
                (Err(error), Some(known)) => {
                    tracing::warn!(place = self.place, %error, "can't be read; the key that was read before is used");
                    known.until = until;
                    return Ok(known.material.clone());
                }
                (Err(source), None) => {
                    return Err(CredentialsError::Unreadable {
                        place: self.place.clone(),
                        source,
                    });
                }
            };
            if let Some(known) = &mut *known
                && known.data == data
            {
                known.until = until;
                return Ok(known.material.clone());
            }
            // Forgotten before the new one is known to be whole.
            *known = None;
            let material = self.material(&data)?;
            *known = Some(Known {
                data,
                material: material.clone(),
                until,
            });
            Ok(material)
        })
    }

    fn refused<'a>(&'a self, material: &'a KeyMaterial) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            if let Some(known) = &mut *self.known.lock().await
                && known.material == *material
            {
                known.until = None;
            }
        })
    }
}
