//! Instance principal: the identity of the machine that we run on.
//!
//! The metadata service gives the machine a certificate and its key; the auth service gives a token for the public key of a
//! session key that we make, where the request is signed with the certificate's key. Certificate and session key are new at
//! each renewal. An exchange of keys of this kind has not been made with Oracle's own services by this code.
//!
//! Invariant: the certificate's tenancy never changes under a running program.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::future::BoxFuture;
use http::header::AUTHORIZATION;
use oci_rust_sdk::auth::x509_utils::{extract_tenant_id, sanitize_certificate_pem};
use serde_json::{Value, json};
use url::Url;

use super::ask::{ask, unreadable};
use super::key::colons;
use super::session::{Session, Sessions};
use super::{Credentials, CredentialsError, KeyMaterial, Now, PrivateKey};
use crate::providers::oci::api::Exchange;
use crate::providers::oci::endpoint::auth_host;
use crate::providers::oci::sign::sign_for_auth;

/// Where the metadata service is on every machine of OCI.
pub const METADATA: &str = "http://169.254.169.254/opc/v2";

/// Where an instance principal comes from.
#[derive(Clone)]
pub struct InstanceOptions {
    /// What sends requests.
    pub exchange: Arc<dyn Exchange>,
    /// The metadata service, with its version: [`METADATA`].
    pub metadata: String,
    /// The auth service, `https://host`; none: that of the region that the metadata names.
    pub auth: Option<String>,
    /// The clock by which requests are dated and tokens expire.
    pub now: Now,
}

/// The identity of the machine that we run on.
pub struct InstancePrincipal {
    options: InstanceOptions,
    sessions: Sessions,
}

impl InstancePrincipal {
    /// Asks nobody yet.
    pub fn new(options: InstanceOptions) -> Self {
        Self {
            sessions: Sessions::new(options.now.clone()),
            options,
        }
    }

    async fn renew(&self, tenancy_before: Option<String>) -> Result<Session, CredentialsError> {
        let (certificate, key, intermediate, auth) = futures::try_join!(
            self.metadata("/identity/cert.pem"),
            self.metadata("/identity/key.pem"),
            self.metadata("/identity/intermediate.pem"),
            self.auth(),
        )?;
        let place = format!("{}/identity", self.options.metadata);
        let key = PrivateKey::from_pem(&key, None).map_err(|source| CredentialsError::Key {
            place: place.clone(),
            source,
        })?;
        let invalid = |what| CredentialsError::Invalid {
            place: place.clone(),
            what,
        };
        let leaf = certificates(&certificate)
            .next()
            .ok_or_else(|| invalid("there is no certificate"))?;
        let tenancy = extract_tenant_id(&leaf).map_err(|_| invalid("the certificate names no tenancy"))?;
        if tenancy_before.is_some_and(|before| before != tenancy) {
            return Err(invalid("the certificate is of another tenancy than the one before"));
        }
        let leaf = sanitize_certificate_pem(&leaf);
        let der = STANDARD
            .decode(&leaf)
            .map_err(|_| invalid("the certificate can't be read"))?;
        // The auth service knows certificates by this sum; it protects nothing.
        let sum = ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, &der);
        let key_id = format!("{tenancy}/fed-x509/{}", colons(sum.as_ref()));

        let session_key = make_key(&place).await?;
        let body = json!({
            "certificate": leaf,
            "publicKey": session_key.public_base64(),
            "intermediateCertificates":
                certificates(&intermediate).map(|pem| sanitize_certificate_pem(&pem)).collect::<Vec<_>>(),
        });
        let token = self
            .exchange_for_token(&auth, &key_id, &key, body.to_string().into())
            .await?;
        let mut session = Session::new(&auth, &token, session_key, self.sessions.now())?;
        session.material.tenancy = Some(tenancy);
        Ok(session)
    }

    async fn exchange_for_token(
        &self,
        auth: &str,
        key_id: &str,
        key: &PrivateKey,
        body: Bytes,
    ) -> Result<String, CredentialsError> {
        let url = Url::parse(&format!("{auth}/v1/x509")).map_err(|error| unreadable(auth, error))?;
        let hint = |status| match status {
            401 => ": is this machine's clock right?",
            _ => "",
        };
        let answer = ask(&*self.options.exchange, auth, hint, || {
            let headers = sign_for_auth(key_id, key, &url, &body, self.sessions.now())
                .map_err(|error| unreadable("the certificate's key", error))?;
            let mut request = http::Request::post(url.as_str())
                .body(body.clone())
                .map_err(|error| unreadable(auth, error))?;
            *request.headers_mut() = headers;
            Ok(request)
        })
        .await?;
        serde_json::from_slice::<Value>(&answer)
            .ok()
            .and_then(|answer| Some(answer.get("token")?.as_str()?.to_owned()))
            .ok_or_else(|| CredentialsError::Missing {
                place: auth.to_owned(),
                part: "token",
            })
    }

    /// The auth service's address.
    async fn auth(&self) -> Result<String, CredentialsError> {
        if let Some(auth) = &self.options.auth {
            return Ok(auth.trim_end_matches('/').to_owned());
        }
        let region = self.metadata("/instance/region").await?;
        if let Some(host) = auth_host(region.trim()) {
            return Ok(format!("https://{host}"));
        }
        // A region that is younger than this program, or of a realm of its own: the metadata know its domain.
        let info = self.metadata("/instance/regionInfo").await?;
        let info: Value = serde_json::from_str(&info).unwrap_or(Value::Null);
        let word = |name: &'static str| {
            let place = format!("{}/instance/regionInfo", self.options.metadata);
            super::part(info.get(name).and_then(Value::as_str), &place, name).map(str::to_owned)
        };
        Ok(format!(
            "https://auth.{}.{}",
            word("regionIdentifier")?,
            word("realmDomainComponent")?
        ))
    }

    async fn metadata(&self, path: &str) -> Result<String, CredentialsError> {
        let url = format!("{}{path}", self.options.metadata.trim_end_matches('/'));
        let hint = |status| match status {
            404 => ": is this a machine of OCI?",
            _ => "",
        };
        let answer = ask(&*self.options.exchange, &url, hint, || {
            http::Request::get(&url)
                .header(AUTHORIZATION, "Bearer Oracle")
                .body(Bytes::new())
                .map_err(|error| unreadable(&url, error))
        })
        .await?;
        String::from_utf8(answer.into()).map_err(|_| CredentialsError::Invalid {
            place: url,
            what: "the answer is no text",
        })
    }
}

impl Credentials for InstancePrincipal {
    fn get(&self) -> BoxFuture<'_, Result<KeyMaterial, CredentialsError>> {
        Box::pin(self.sessions.get(|before| self.renew(before)))
    }

    fn refused<'a>(&'a self, material: &'a KeyMaterial) -> BoxFuture<'a, ()> {
        Box::pin(self.sessions.refused(material))
    }
}

/// Makes a session key aside of the async threads.
pub(super) async fn make_key(place: &str) -> Result<PrivateKey, CredentialsError> {
    tokio::task::spawn_blocking(PrivateKey::generate)
        .await
        .map_err(|error| unreadable("a new session key", error))?
        .map_err(|source| CredentialsError::Key {
            place: place.to_owned(),
            source,
        })
}

/// The certificates of a PEM text, one by one.
fn certificates(pem: &str) -> impl Iterator<Item = String> {
    const END: &str = "-----END CERTIFICATE-----";
    pem.split_inclusive(END)
        .filter_map(|block| {
            block
                .find("-----BEGIN CERTIFICATE-----")
                .and_then(|begin| block.get(begin..))
        })
        .filter(|block| block.ends_with(END))
        .map(|block| block.lines().map(str::trim).collect::<Vec<_>>().join("\n"))
}
