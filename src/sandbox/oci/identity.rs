//! Who may call: keys, and the user that a new sandbox comes with.
//!
//! Invariant: the private key is in the store and in the configuration file that the user asked for, and in no output.

use std::collections::BTreeMap;

use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use rsa::pkcs1::EncodeRsaPublicKey as _;
use rsa::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _, EncodePublicKey as _, LineEnding};
use rsa::rand_core::OsRng;
use rsa::{RsaPrivateKey, RsaPublicKey};
use serde_json::json;

use super::call::Principal;
use super::fingerprint::fingerprint;
use crate::sandbox::store::{Store, StoreError, Write};

const TABLE: &str = "oci/identity";
const KEY: &str = "default";
const BITS: usize = 2048;
const TENANCY: &str = "ocid1.tenancy.oc1..aaaaaaaafleetwrightsandboxtenancy";
const USER: &str = "ocid1.user.oc1..aaaaaaaafleetwrightsandboxuser";

/// Why a key can't be used.
#[derive(Debug, thiserror::Error)]
#[error("the key can't be {0}")]
pub struct KeyError(&'static str, #[source] Box<dyn std::error::Error + Send + Sync>);

impl KeyError {
    fn new(what: &'static str) -> impl FnOnce(Box<dyn std::error::Error + Send + Sync>) -> Self {
        move |source| Self(what, source)
    }
}

/// A user and its API key.
#[derive(Clone)]
pub struct Identity {
    principal: Principal,
    fingerprint: String,
    public_key: Vec<u8>,
    private_key: String,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").field("key_id", &self.key_id()).finish()
    }
}

impl Identity {
    /// A user of the sandbox's own tenancy, with a new key.
    ///
    /// # Errors
    /// Where the machine gives no random numbers.
    pub fn generate() -> Result<Self, KeyError> {
        let key = RsaPrivateKey::new(&mut OsRng, BITS).map_err(|error| KeyError::new("made")(error.into()))?;
        let principal = Principal {
            tenancy: TENANCY.to_owned(),
            user: USER.to_owned(),
        };
        Self::of_key(principal, &key)
    }

    /// A user with a given key, PKCS#8 PEM.
    ///
    /// # Errors
    /// Where that is no such key.
    pub fn from_pem(principal: Principal, private_key: &str) -> Result<Self, KeyError> {
        let key = RsaPrivateKey::from_pkcs8_pem(private_key).map_err(|error| KeyError::new("read")(error.into()))?;
        Self::of_key(principal, &key)
    }

    fn of_key(principal: Principal, key: &RsaPrivateKey) -> Result<Self, KeyError> {
        let public = RsaPublicKey::from(key);
        let written = KeyError::new("written");
        let encode = || -> Result<_, Box<dyn std::error::Error + Send + Sync>> {
            let spki = public.to_public_key_der()?;
            let pkcs1 = public.to_pkcs1_der()?;
            let private = key.to_pkcs8_pem(LineEnding::LF)?;
            Ok((
                fingerprint(spki.as_bytes()),
                pkcs1.as_bytes().to_vec(),
                private.to_string(),
            ))
        };
        let (fingerprint, public_key, private_key) = encode().map_err(written)?;
        Ok(Self {
            principal,
            fingerprint,
            public_key,
            private_key,
        })
    }

    /// The user that the store holds; a new one, put there, where it holds none.
    ///
    /// # Errors
    /// Where the store can't be read or what it holds is no key.
    pub fn kept_in(store: &dyn Store) -> Result<Self, StoreError> {
        let failed = |what, source: Box<dyn std::error::Error + Send + Sync>| StoreError { what, source };
        let rows = store.load(TABLE)?;
        if let Some((_, _, pem)) = rows.into_iter().find(|(table, key, _)| table == TABLE && key == KEY) {
            let principal = Principal {
                tenancy: TENANCY.to_owned(),
                user: USER.to_owned(),
            };
            return Self::from_pem(principal, &pem).map_err(|error| failed("read", error.into()));
        }
        let identity = Self::generate().map_err(|error| failed("written", error.into()))?;
        store.write(vec![Write {
            table: TABLE.to_owned(),
            key: KEY.to_owned(),
            value: Some(identity.private_key.clone()),
        }]);
        Ok(identity)
    }

    /// Tenancy and user.
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// `<tenancy>/<user>/<fingerprint>`, as requests name the key.
    pub fn key_id(&self) -> String {
        [&*self.principal.tenancy, &*self.principal.user, &*self.fingerprint].join("/")
    }

    /// The key's fingerprint.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// The private key, PKCS#8 PEM: for a client's key file, and for no output.
    pub fn private_key(&self) -> &str {
        &self.private_key
    }

    /// The text of a client's configuration file, whose key is in `key_file`.
    pub fn config_file(&self, region: &str, key_file: &str) -> String {
        let Principal { tenancy, user } = &self.principal;
        let fingerprint = &self.fingerprint;
        format!(
            "[DEFAULT]\nuser={user}\nfingerprint={fingerprint}\ntenancy={tenancy}\nregion={region}\nkey_file={key_file}\n"
        )
    }
}

/// The keys that are known, by the id under which requests name them.
#[derive(Default)]
pub(super) struct Keys(BTreeMap<String, (Principal, Vec<u8>)>);

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set()
            .entries(self.0.values().map(|(principal, _)| principal))
            .finish()
    }
}

impl Keys {
    pub(super) fn add(&mut self, key_id: String, identity: &Identity) {
        self.0
            .insert(key_id, (identity.principal.clone(), identity.public_key.clone()));
    }

    pub(super) fn remove(&mut self, key_id: &str) {
        self.0.remove(key_id);
    }

    /// Whose signature it is; none where the key is unknown or did not make it.
    pub(super) fn verify(&self, key_id: &str, message: &[u8], signature: &[u8]) -> Option<&Principal> {
        let (principal, key) = self.0.get(key_id)?;
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key)
            .verify(message, signature)
            .ok()
            .map(|()| principal)
    }
}

/// The tenancy's own description.
pub(super) fn tenancy(id: &str, home_region_key: &str) -> serde_json::Value {
    json!({
        "id": id,
        "name": "sandbox",
        "description": "The sandbox's tenancy",
        "homeRegionKey": home_region_key.to_ascii_uppercase(),
        "freeformTags": {},
        "definedTags": {},
    })
}
