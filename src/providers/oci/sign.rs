//! Request signatures.
//!
//! Invariant: what is signed is what is sent: method, URL and body are not touched afterwards. A signer lives as long as
//! its key.

use std::sync::Arc;

use base64::Engine as _;
use http::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use jiff::Timestamp;
use oci_rust_sdk::auth::{AuthProvider, RequestSigner};
use rsa::Pkcs1v15Sign;
use rsa::sha2::{Digest as _, Sha256};
use url::Url;

use super::credentials::{KeyMaterial, PrivateKey};

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
        if let Some(authorization) = headers.get_mut(AUTHORIZATION) {
            authorization.set_sensitive(true);
        }
        Ok(())
    }
}

/// Signs a POST to the auth service, which the SDK's signer can't: Oracle's clients leave `host` out of these signatures,
/// since what the service is called on the way to it is not what it was called here.
pub(super) fn sign_for_auth(
    key_id: &str,
    key: &PrivateKey,
    url: &Url,
    body: &[u8],
    now: Timestamp,
) -> Result<HeaderMap, SignError> {
    fn wrong(error: impl std::error::Error + Send + Sync + 'static) -> SignError {
        SignError(Box::new(error))
    }
    let base64 = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
    let mut headers = HeaderMap::new();
    headers.insert("date", http_date(now).map_err(wrong)?);
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    headers.insert("content-length", HeaderValue::from(body.len()));
    let digest = HeaderValue::from_str(&base64(&Sha256::digest(body))).map_err(wrong)?;
    headers.insert("x-content-sha256", digest);
    let target = match url.query() {
        None => url.path().to_owned(),
        Some(query) => format!("{}?{query}", url.path()),
    };
    let names = [
        "date",
        "(request-target)",
        "content-length",
        "content-type",
        "x-content-sha256",
    ];
    let lines: Vec<String> = names
        .iter()
        .map(|name| {
            let value = headers.get(*name).and_then(|value| value.to_str().ok());
            format!(
                "{name}: {}",
                value.map_or_else(|| format!("post {target}"), str::to_owned)
            )
        })
        .collect();
    let signature = key
        .rsa()
        .sign(Pkcs1v15Sign::new::<Sha256>(), &Sha256::digest(lines.join("\n")))
        .map_err(wrong)?;
    let authorization = format!(
        r#"Signature version="1",headers="{}",keyId="{key_id}",algorithm="rsa-sha256",signature="{}""#,
        names.join(" "),
        base64(&signature)
    );
    let mut authorization = HeaderValue::from_str(&authorization).map_err(wrong)?;
    authorization.set_sensitive(true);
    headers.insert(AUTHORIZATION, authorization);
    Ok(headers)
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
