//! From a kubeconfig to a provider.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ::http::HeaderValue;
use ::http::header::USER_AGENT;
use kube::config::{
    AuthInfo, Cluster, Context, KubeConfigOptions, Kubeconfig, NamedAuthInfo, NamedCluster, NamedContext,
};

use super::discovery::Discovery;
use super::http::Http;
use super::inventory::KubernetesStore;
use super::remembered::Remembered;
use super::schemas::Schemas;
use crate::metrics::Registry;
use crate::providers::pause::Jitter;

/// Whether a kubeconfig may have programs run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExecPlugins {
    /// A kubeconfig that asks for one is refused.
    Refuse,
    /// The operator's own kubeconfig: what it names is run.
    Allow,
}

/// How to talk to an API server.
#[derive(Clone, Debug)]
pub struct Options {
    /// Refused unless the caller knows whose the kubeconfig is.
    pub exec_plugins: ExecPlugins,
    /// A folder for schemas, so that an unchanged server is asked for its index alone; none keeps nothing.
    pub schema_cache: Option<PathBuf>,
    /// How long one request may take, answer and all attempts included.
    pub deadline: Duration,
    /// Requests under way at a time.
    pub concurrency: usize,
    /// Objects in one page of a LIST.
    pub page: usize,
    /// Seeds what spreads attempts; none: a different one each time.
    pub seed: Option<u64>,
    /// Where requests are counted.
    pub metrics: Arc<Registry>,
    /// Whether inventories are kept in memory, for whoever reads them often.
    pub remembers_inventories: bool,
}

impl Default for Options {
    /// A minute is what API servers themselves give a request. Sixteen at a time keep two cores of an API server busy;
    /// more only queue there. A server has the first page of a LIST in memory, and may have to ask its store for the others:
    /// so most fleets take one; small enough, at some kilobytes an object, to bound what is held twice.
    fn default() -> Self {
        Self {
            exec_plugins: ExecPlugins::Refuse,
            schema_cache: None,
            deadline: Duration::from_secs(60),
            concurrency: 16,
            page: 2_500,
            seed: None,
            metrics: Arc::default(),
            remembers_inventories: false,
        }
    }
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The kubeconfig can't be read, or lacks the context or what it names.
    #[error("the kubeconfig gives no access by context `{context}`")]
    Kubeconfig {
        /// The context asked for.
        context: String,
        /// Why.
        #[source]
        source: Box<kube::config::KubeconfigError>,
    },
    /// The context's user is authenticated by a program.
    #[error("context `{context}` has a program run for its credentials, which is not allowed")]
    ExecRefused {
        /// The context.
        context: String,
    },
    /// The client can't be built: certificates or keys that make no sense, mostly.
    #[error("no client can be made for context `{context}`")]
    Client {
        /// The context.
        context: String,
        /// Why.
        #[source]
        source: Box<kube::Error>,
    },
}

/// One API server.
pub struct KubernetesProvider {
    pub(super) http: Http,
    pub(super) options: Options,
    /// What the last look at the server's kinds showed; writes and reads go by it.
    pub(super) discovery: Mutex<Option<Arc<Discovery>>>,
    pub(super) schemas: Schemas,
    /// Whether the server has refused to answer for a past state: it is not asked so again.
    pub(super) forgetful: AtomicBool,
    remembered: Option<Arc<Remembered>>,
}

impl std::fmt::Debug for KubernetesProvider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The client holds credentials.
        f.debug_struct("KubernetesProvider")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// What a pod is given to talk to the API server of the cluster that it runs in.
#[derive(Clone, Debug)]
pub struct ServiceAccount {
    /// The server's address, `https://10.0.0.1:443`.
    pub server: String,
    /// The folder with `token`, which is read again as it is renewed, and `ca.crt`.
    pub folder: PathBuf,
}

/// The context by which errors name the cluster that we run in.
const IN_CLUSTER: &str = "in-cluster";

impl ServiceAccount {
    /// Who vouches for the server: read when a client is made, and not again.
    pub fn authority(&self) -> PathBuf {
        self.folder.join("ca.crt")
    }

    fn kubeconfig(&self) -> Kubeconfig {
        let file = |name: &str| Some(self.folder.join(name).to_string_lossy().into_owned());
        Kubeconfig {
            clusters: vec![NamedCluster {
                name: IN_CLUSTER.to_owned(),
                cluster: Some(Cluster {
                    server: Some(self.server.clone()),
                    certificate_authority: file("ca.crt"),
                    ..Cluster::default()
                }),
                ..NamedCluster::default()
            }],
            auth_infos: vec![NamedAuthInfo {
                name: IN_CLUSTER.to_owned(),
                auth_info: Some(AuthInfo {
                    token_file: file("token"),
                    ..AuthInfo::default()
                }),
                ..NamedAuthInfo::default()
            }],
            contexts: vec![NamedContext {
                name: IN_CLUSTER.to_owned(),
                context: Some(Context {
                    cluster: IN_CLUSTER.to_owned(),
                    user: Some(IN_CLUSTER.to_owned()),
                    ..Context::default()
                }),
                ..NamedContext::default()
            }],
            ..Kubeconfig::default()
        }
    }
}

/// The files that a kubeconfig names and that are read when a client is made, and not again: authorities, certificates and their
/// keys. Of one that can't be understood there are none.
pub fn files_of(kubeconfig: &Path) -> Vec<PathBuf> {
    let Ok(config) = Kubeconfig::read_from(kubeconfig) else {
        return Vec::new();
    };
    let clusters = config.clusters.into_iter().filter_map(|named| named.cluster);
    let users = config.auth_infos.into_iter().filter_map(|named| named.auth_info);
    let authorities = clusters.filter_map(|cluster| cluster.certificate_authority);
    let own = users.flat_map(|user| [user.client_certificate, user.client_key]);
    authorities.chain(own.flatten()).map(PathBuf::from).collect()
}

impl KubernetesProvider {
    /// Makes a client for the cluster that this program runs in; nothing is sent yet.
    ///
    /// # Errors
    /// Where the service account's files can't be read.
    pub async fn in_cluster(account: &ServiceAccount, options: Options) -> Result<Self, ConnectError> {
        Self::by(account.kubeconfig(), IN_CLUSTER, options).await
    }

    /// Makes a client; nothing is sent yet. Several kubeconfigs are merged as kubectl merges them, the first winning.
    ///
    /// # Errors
    /// Where the files can't be read, lack the context, or ask for a program that `options` refuses.
    pub async fn connect(kubeconfigs: &[&Path], context: &str, options: Options) -> Result<Self, ConnectError> {
        let kubeconfig_error = |source| ConnectError::Kubeconfig {
            context: context.to_owned(),
            source: Box::new(source),
        };
        let mut merged = Kubeconfig::default();
        for path in kubeconfigs {
            let next = Kubeconfig::read_from(path).map_err(kubeconfig_error)?;
            merged = merged.merge(next).map_err(kubeconfig_error)?;
        }
        Self::by(merged, context, options).await
    }

    async fn by(merged: Kubeconfig, context: &str, options: Options) -> Result<Self, ConnectError> {
        let kubeconfig_error = |source| ConnectError::Kubeconfig {
            context: context.to_owned(),
            source: Box::new(source),
        };
        if options.exec_plugins == ExecPlugins::Refuse && runs_programs(&merged, context) {
            return Err(ConnectError::ExecRefused {
                context: context.to_owned(),
            });
        }
        let choice = KubeConfigOptions {
            context: Some(context.to_owned()),
            ..KubeConfigOptions::default()
        };
        let mut config = kube::Config::from_custom_kubeconfig(merged, &choice)
            .await
            .map_err(kubeconfig_error)?;
        remember(&config.auth_info);
        let agent = HeaderValue::from_static(concat!("fleetwright/", env!("CARGO_PKG_VERSION")));
        config.headers.push((USER_AGENT, agent));
        // It repeats writes that may have been carried out, and would multiply our own attempts.
        config.default_retry = false;
        let client = kube::Client::try_from(config).map_err(|source| ConnectError::Client {
            context: context.to_owned(),
            source: Box::new(source),
        })?;
        Ok(Self::with_client(client, options))
    }

    /// Talks through a client that is there already, and that repeats nothing by itself.
    pub fn with_client(client: kube::Client, options: Options) -> Self {
        Self {
            http: Http::new(
                client,
                options.deadline,
                Jitter::new(options.seed),
                options.metrics.clone(),
            ),
            schemas: Schemas::new(options.schema_cache.clone()),
            remembered: options.remembers_inventories.then(Arc::default),
            options,
            discovery: Mutex::new(None),
            forgetful: AtomicBool::new(false),
        }
    }

    /// The records of what was made, which live on the same server.
    pub fn inventory(&self) -> KubernetesStore {
        KubernetesStore::new(self.http.clone(), self.remembered.clone())
    }
}

/// Whether the context's user gets credentials from a program, by either of the two ways that kubeconfigs have.
/// Has the redactor know what is signed in with.
fn remember(auth: &AuthInfo) {
    // It is written as a kubeconfig has it, secrets included.
    let Ok(written) = serde_json::to_value(auth) else {
        return;
    };
    for name in ["token", "password", "client-key-data"] {
        if let Some(secret) = written.get(name).and_then(serde_json::Value::as_str) {
            crate::redact::remember(secret);
        }
    }
}

fn runs_programs(config: &Kubeconfig, context: &str) -> bool {
    let context = config
        .contexts
        .iter()
        .find(|c| c.name == context)
        .and_then(|c| c.context.as_ref());
    let user = context.and_then(|context| context.user.as_deref());
    config
        .auth_infos
        .iter()
        .filter(|info| Some(info.name.as_str()) == user)
        .filter_map(|info| info.auth_info.as_ref())
        .any(|info| info.exec.is_some() || info.auth_provider.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KUBECONFIG: &str = r#"{"apiVersion": "v1", "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:9"}}],
        "users": [
            {"name": "plain", "user": {"token": "t0ken"}},
            {"name": "exec", "user": {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "true"}}},
            {"name": "provider", "user": {"auth-provider": {"name": "gcp", "config": {"cmd-path": "true"}}}}],
        "contexts": [
            {"name": "plain", "context": {"cluster": "c", "user": "plain"}},
            {"name": "exec", "context": {"cluster": "c", "user": "exec"}},
            {"name": "provider", "context": {"cluster": "c", "user": "provider"}}]}"#;

    async fn connect(context: &str) -> Result<KubernetesProvider, ConnectError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config");
        std::fs::write(&path, KUBECONFIG).unwrap();
        KubernetesProvider::connect(&[&path], context, Options::default()).await
    }

    #[tokio::test]
    async fn programs_are_run_for_nobody_who_did_not_ask() {
        assert!(connect("plain").await.is_ok());
        assert!(matches!(connect("exec").await, Err(ConnectError::ExecRefused { .. })));
        assert!(matches!(
            connect("provider").await,
            Err(ConnectError::ExecRefused { .. })
        ));
    }

    #[tokio::test]
    async fn an_unknown_context_is_an_error_that_names_it() {
        let error = connect("elsewhere").await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "the kubeconfig gives no access by context `elsewhere`"
        );
    }

    #[tokio::test]
    async fn a_token_is_not_in_the_debug_output() {
        assert!(!format!("{:?}", connect("plain").await.unwrap()).contains("t0ken"));
    }
}
