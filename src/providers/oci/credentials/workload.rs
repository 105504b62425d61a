//! OKE workload identity: the identity of the pod that we run in.
//!
//! The control plane of an enhanced OKE cluster gives a token for the public key of a session key that we make, to whom
//! shows the token of a service account. Has not met Oracle's own service.
//!
//! Invariant: the service account's token and the cluster's certificate authority are read anew at each renewal, since the
//! kubelet renews both.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::future::BoxFuture;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use serde_json::{Value, json};

use super::ask::{ask, unreadable};
use super::instance::make_key;
use super::session::{Session, Sessions};
use super::{Credentials, CredentialsError, KeyMaterial, Now};
use crate::providers::oci::api::Exchange;
use crate::providers::oci::transport::{Https, HttpsOptions};

/// Where tokens are given out, on the host of the Kubernetes API as pods see it (`KUBERNETES_SERVICE_HOST`).
pub const PORT: u16 = 12_250;

/// Where a pod finds the files of its service account.
pub const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// Where a workload identity comes from.
#[derive(Clone)]
pub struct WorkloadOptions {
    /// Who gives tokens, `https://host:port`; [`WorkloadOptions::in_cluster`] makes it of a host.
    pub address: String,
    /// The service account's token.
    pub token_file: PathBuf,
    /// The cluster's certificate authority.
    pub authority_file: PathBuf,
    /// What sends requests; none: sockets, trusting the authority alone.
    pub exchange: Option<Arc<dyn Exchange>>,
    /// The clock by which tokens expire.
    pub now: Now,
}

impl WorkloadOptions {
    /// Those of a pod, where the Kubernetes API is on this host.
    pub fn in_cluster(host: &str, now: Now) -> Self {
        let bracketed = host.contains(':') && !host.starts_with('[');
        let host = if bracketed {
            format!("[{host}]")
        } else {
            host.to_owned()
        };
        let options = Self {
            address: format!("https://{host}:{PORT}"),
            token_file: PathBuf::new(),
            authority_file: PathBuf::new(),
            exchange: None,
            now,
        };
        options.with_account(Path::new(SERVICE_ACCOUNT))
    }

    /// With the service account whose files are in this folder.
    #[must_use]
    pub fn with_account(self, folder: &Path) -> Self {
        Self {
            token_file: folder.join("token"),
            authority_file: folder.join("ca.crt"),
            ..self
        }
    }
}

/// The identity of the pod that we run in.
pub struct WorkloadIdentity {
    options: WorkloadOptions,
    sessions: Sessions,
}

impl WorkloadIdentity {
    /// Asks nobody yet.
    pub fn new(options: WorkloadOptions) -> Self {
        Self {
            sessions: Sessions::new(options.now.clone()),
            options,
        }
    }

    async fn renew(&self) -> Result<Session, CredentialsError> {
        let options = &self.options;
        let url = format!(
            "{}/resourcePrincipalSessionTokens",
            options.address.trim_end_matches('/')
        );
        let file = options.token_file.display().to_string();
        let account = tokio::fs::read_to_string(&options.token_file)
            .await
            .map_err(|error| unreadable(&file, error))?;
        let account = super::part(Some(&account), &file, "token")?;
        let mut bearer =
            HeaderValue::from_str(&format!("Bearer {account}")).map_err(|_| CredentialsError::Invalid {
                place: file.clone(),
                what: "the token can't be sent",
            })?;
        bearer.set_sensitive(true);
        let exchange = self.exchange().await?;
        let key = make_key(&url).await?;
        // The whole PEM text, as Oracle's Go client sends it.
        let body = Bytes::from(json!({"podKey": key.public_pem()}).to_string());
        let hint = |status| match status {
            401 => ": is this a pod of an OKE cluster?",
            403 => ": is the cluster an enhanced one?",
            _ => "",
        };
        let answer = ask(&*exchange, &url, hint, || {
            http::Request::post(&url)
                .header(AUTHORIZATION, bearer.clone())
                .header(CONTENT_TYPE, "application/json")
                .body(body.clone())
                .map_err(|error| unreadable(&url, error))
        })
        .await?;
        let token = token(&answer).ok_or_else(|| CredentialsError::Missing {
            place: url.clone(),
            part: "token",
        })?;
        Session::new(&url, &token, key, self.sessions.now())
    }

    async fn exchange(&self) -> Result<Arc<dyn Exchange>, CredentialsError> {
        if let Some(exchange) = &self.options.exchange {
            return Ok(exchange.clone());
        }
        let file = self.options.authority_file.display().to_string();
        let authority = tokio::fs::read(&self.options.authority_file)
            .await
            .map_err(|error| unreadable(&file, error))?;
        let options = HttpsOptions {
            authority: Some(authority),
            ..HttpsOptions::default()
        };
        Ok(Arc::new(
            Https::new(&options).map_err(|error| unreadable(&file, error))?,
        ))
    }
}

/// A JSON string with the base64 of a JSON object, in which the token already bears the mark of one.
fn token(answer: &[u8]) -> Option<String> {
    let text: String = serde_json::from_slice(answer).ok()?;
    let object: Value = serde_json::from_slice(&STANDARD.decode(text).ok()?).ok()?;
    let token = object.get("token")?.as_str()?;
    let token = token.strip_prefix("ST$").unwrap_or(token);
    (!token.is_empty()).then(|| token.to_owned())
}

impl Credentials for WorkloadIdentity {
    fn get(&self) -> BoxFuture<'_, Result<KeyMaterial, CredentialsError>> {
        Box::pin(self.sessions.get(|_| self.renew()))
    }

    fn refused<'a>(&'a self, material: &'a KeyMaterial) -> BoxFuture<'a, ()> {
        Box::pin(self.sessions.refused(material))
    }
}
