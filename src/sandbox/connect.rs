//! The sandbox's APIs as this program's own providers reach them, in this process: no socket, no TLS, the same requests.
//!
//! The only part of the sandbox that knows of `providers`.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use http_body_util::BodyExt as _;

use super::{ClusterError, Sandbox};
use crate::http_server::{Api, ConnectionClosed, Request, Response, is_lost};
use crate::providers::oci::api::Exchange;
use crate::providers::oci::client;
use crate::providers::oci::credentials::{Credentials, CredentialsError, KeyError, KeyMaterial, PrivateKey, Secret};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

impl Sandbox {
    /// A client of a management cluster's API server. It repeats nothing.
    ///
    /// # Errors
    /// Where that server's state can't be read.
    pub async fn kube_client(&self, cluster: &str) -> Result<kube::Client, ClusterError> {
        let cluster = self.cluster(cluster).await?;
        let service = tower::service_fn(move |request: ::http::Request<kube::client::Body>| {
            let cluster = cluster.clone();
            async move {
                let (parts, body) = request.into_parts();
                let body = body.collect_bytes().await?;
                arrived(cluster.api().call(Request::from_parts(parts, body)).await)
            }
        });
        Ok(kube::Client::new(service, "default"))
    }

    /// How to call the OCI API here, as a user of each of these tenancies, or of the sandbox's own where a call names none.
    /// Without a budget: nobody has to be spared.
    ///
    /// # Errors
    /// Where the sandbox's key is none, which only a foreign hand could have brought about.
    pub fn oci_client(&self, tenancies: &BTreeSet<String>) -> Result<client::Options, KeyError> {
        let key = PrivateKey::from_pem(self.identity().private_key(), None)?;
        let as_user_of = |tenancy: &str, key_id: String| -> Arc<dyn Credentials> {
            Arc::new(Own(KeyMaterial {
                key_id: Secret::unremembered(key_id),
                key: key.clone(),
                tenancy: Some(tenancy.to_owned()),
            }))
        };
        let own = &self.identity().principal().tenancy;
        let mut options = client::Options::new(Arc::new(InProcess(self.oci_api())));
        options.default_credentials = Some(as_user_of(own, self.identity().key_id()));
        options.credentials = tenancies
            .iter()
            .map(|tenancy| (tenancy.clone(), as_user_of(tenancy, self.admit(tenancy))))
            .collect();
        options.budget = None;
        // A run is to be the same each time, pauses between attempts too.
        options.seed = Some(0);
        Ok(options)
    }
}

/// An answer that came through.
fn arrived(response: Response) -> Result<Response, BoxError> {
    if is_lost(&response) {
        Err(ConnectionClosed.into())
    } else {
        Ok(response)
    }
}

/// An API as what the OCI client sends to.
struct InProcess(Arc<dyn Api>);

impl Exchange for InProcess {
    fn exchange(&self, request: Request) -> BoxFuture<'_, Result<::http::Response<Bytes>, BoxError>> {
        async move {
            let (parts, body) = arrived(self.0.call(request).await)?.into_parts();
            let Ok(body) = body.collect().await;
            Ok(::http::Response::from_parts(parts, body.to_bytes()))
        }
        .boxed()
    }
}

/// The key of the sandbox's own user, which never changes.
struct Own(KeyMaterial);

impl Credentials for Own {
    fn get(&self) -> BoxFuture<'_, Result<KeyMaterial, CredentialsError>> {
        std::future::ready(Ok(self.0.clone())).boxed()
    }
}
