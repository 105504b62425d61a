//! Request signatures.
//!
//! Invariant: what is signed is what is sent: method, URL and body are not touched afterwards. A signer lives as long as
//! its key.

use std::sync::Arc;

use http::header::{HeaderMap, HeaderValue};
use jiff::Timestamp;
use oci_rust_sdk::auth::{AuthProvider, RequestSigner};
use url::Url;

use super::credentials::KeyMaterial;

/// Why a request can't be signed.
#[derive(Debug, thiserror::Error)]
#[error("the request can't be signed")]
pub(super) struct SignError(#[source] Box<dyn std::error::Error + Send + Sync>);

/// Signs with one key.
pub(super) struct Signer {
    material: KeyMaterial,
    signer: RequestSigner,
}

impl Signer {
    pub(super) fn new(material: KeyMaterial) -> Result<Self, SignError> {
        let signer =
            RequestSigner::new(Arc::new(Fixed(material.clone()))).map_err(|error| SignError(Box::new(error)))?;
        Ok(Self { material, signer })
    }

    /// What it signs with.
    pub(super) fn material(&self) -> &KeyMaterial {
        &self.material
    }

    /// Adds `x-date`, `host` and `authorization`, and for a POST, PUT or PATCH the headers of its body.
    pub(super) fn sign(
        &self,
        method: &http::Method,
        url: &Url,
        headers: &mut HeaderMap,
        body: Option<&[u8]>,
        now: Timestamp,
    ) -> Result<(), SignError> {
        // The signer would take the machine's time; ours may be a simulated one. `date` itself can't be set by every client
        // on the way of a request: `x-date` is what OCI has for that.
        let date = http_date(now).map_err(|error| SignError(Box::new(error)))?;
        headers.insert("x-date", date);
        self.signer
            .sign_request(method.as_str(), url, headers, body)
            .map_err(|error| SignError(Box::new(error)))?;
        if let Some(authorization) = headers.get_mut(http::header::AUTHORIZATION) {
            authorization.set_sensitive(true);
        }
        Ok(())
    }
}

/// A time as HTTP writes it.
pub(super) fn http_date(time: Timestamp) -> Result<HeaderValue, http::header::InvalidHeaderValue> {
    HeaderValue::from_str(&time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string())
}

/// The SDK asks for what it signs with through this; a key that changes gets a signer of its own, since the SDK's reads
/// the key once. What it can't read (PKCS#1, passphrases) has been converted by then.
struct Fixed(KeyMaterial);

impl AuthProvider for Fixed {
    fn get_key_id(&self) -> String {
        self.0.key_id.expose().to_owned()
    }

    fn get_private_key(&self) -> &str {
        self.0.key.pkcs8_pem().expose()
    }

    fn get_passphrase(&self) -> Option<&str> {
        None
    }
}
