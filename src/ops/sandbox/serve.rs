//! `sandbox`: both APIs over HTTP, and the files by which other programs find them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};

use super::{SandboxError, open_sandbox, tenancies};
use crate::http_server::Server;
use crate::ops::load::LoadedFleet;
use crate::ops::private_file;
use crate::sandbox::clusters::Clusters;
use crate::sandbox::store::StoreError;
use crate::sandbox::{ClusterError, Options, Sandbox};

/// The management cluster of a sandbox without a fleet, and its context.
const ONLY: &str = "sandbox";

const REGION: &str = "eu-frankfurt-1";

/// How a sandbox is served.
#[derive(Clone, Debug)]
pub struct ServeOptions {
    /// The directory.
    pub directory: PathBuf,
    /// The rest; its directory is the one above.
    pub sandbox: Options,
    /// Port of the Kubernetes APIs; 0 for any that is free.
    pub kube_port: u16,
    /// Port of the OCI API; 0 for any that is free.
    pub oci_port: u16,
}

/// Why a sandbox is not served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// There is none.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// A port can't be had.
    #[error("port {port} of the loopback interface can't be listened on")]
    Port {
        /// The port.
        port: u16,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file can't be written.
    #[error("{} can't be written", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The sandbox can't tell of its management clusters.
    #[error("the API server of {name} can't be opened")]
    Cluster {
        /// The management cluster.
        name: String,
        /// Why.
        #[source]
        source: ClusterError,
    },
}

/// A sandbox that is served.
#[derive(Debug)]
pub struct Served {
    /// The sandbox.
    pub sandbox: Arc<Sandbox>,
    /// A kubeconfig with a context for each management cluster.
    pub kubeconfig: PathBuf,
    /// The contexts.
    pub contexts: Vec<String>,
    /// A configuration file of Oracle's clients.
    pub oci_config: PathBuf,
    /// Where the OCI services are.
    pub oci_url: String,
    kubernetes: Server,
    oci: Server,
}

/// Serves a sandbox until [`Served::end`].
///
/// # Errors
/// Where it can't be opened, a port can't be had or a file can't be written.
pub async fn serve_sandbox(options: &ServeOptions, fleet: Option<&LoadedFleet>) -> Result<Served, ServeError> {
    let opened = Options {
        directory: Some(options.directory.clone()),
        ..options.sandbox.clone()
    };
    let sandbox = open_sandbox(opened, fleet).await?;
    let names = management_clusters(fleet);
    for (name, _) in &names {
        if let Err(source) = sandbox.cluster(name).await {
            return Err(ServeError::Cluster {
                name: name.clone(),
                source,
            });
        }
    }
    let port = |port| move |source| ServeError::Port { port, source };
    let clusters = Arc::new(Clusters(sandbox.clone()));
    let kubernetes = Server::start(clusters, options.kube_port)
        .await
        .map_err(port(options.kube_port))?;
    let oci = Server::start(sandbox.oci_api(), options.oci_port)
        .await
        .map_err(port(options.oci_port))?;

    let kubeconfig = options.directory.join("kubeconfig");
    write(&kubeconfig, &kubeconfig_text(&names, kubernetes.port()))?;
    let oci_config = write_oci(&options.directory.join("oci"), &sandbox, fleet)?;
    Ok(Served {
        kubeconfig,
        contexts: names.into_iter().map(|(_, context)| context).collect(),
        oci_config,
        oci_url: format!("http://127.0.0.1:{}", oci.port()),
        sandbox,
        kubernetes,
        oci,
    })
}

impl Served {
    /// Ends it, and has everything on disk.
    ///
    /// # Errors
    /// Where it can't be written.
    pub async fn end(self) -> Result<(), StoreError> {
        self.kubernetes.end().await;
        self.oci.end().await;
        self.sandbox.close().await
    }
}

/// Names and contexts.
fn management_clusters(fleet: Option<&LoadedFleet>) -> Vec<(String, String)> {
    let of_fleet = fleet.map(|loaded| &loaded.fleet.management_clusters);
    let names: Vec<_> = of_fleet
        .into_iter()
        .flatten()
        .map(|(name, cluster)| (name.to_string(), cluster.context.clone()))
        .collect();
    if names.is_empty() {
        vec![(ONLY.to_owned(), ONLY.to_owned())]
    } else {
        names
    }
}

fn kubeconfig_text(names: &[(String, String)], port: u16) -> String {
    let clusters: Vec<Value> = names
        .iter()
        .map(|(name, _)| json!({"name": name, "cluster": {"server": format!("http://127.0.0.1:{port}/clusters/{name}")}}))
        .collect();
    let contexts: Vec<Value> = names
        .iter()
        .map(|(name, context)| json!({"name": context, "context": {"cluster": name, "user": ONLY}}))
        .collect();
    let document = json!({
        "apiVersion": "v1", "kind": "Config", "clusters": clusters, "contexts": contexts,
        "current-context": names.first().map(|(_, context)| context),
        "users": [{"name": ONLY, "user": {}}],
    });
    // JSON is YAML.
    format!("{document:#}\n")
}

/// Writes the key and a configuration file with a profile for each tenancy; the fleet's first is the default.
fn write_oci(folder: &Path, sandbox: &Sandbox, fleet: Option<&LoadedFleet>) -> Result<PathBuf, ServeError> {
    fs::create_dir_all(folder).map_err(|source| ServeError::File {
        path: folder.to_owned(),
        source,
    })?;
    let key = folder.join("key.pem");
    // Oracle's clients take a path as it stands, from wherever they run.
    let key = std::path::absolute(&key).unwrap_or(key);
    let identity = sandbox.identity();
    write(&key, identity.private_key())?;
    let own = &identity.principal().tenancy;
    let mut all: Vec<String> = fleet.map(tenancies).into_iter().flatten().collect();
    all.push(own.clone());
    let region = fleet
        .and_then(|loaded| loaded.fleet.management_clusters.values().next())
        .map_or(REGION, |cluster| &cluster.region);
    let mut text = String::new();
    for (n, tenancy) in all.iter().enumerate() {
        let profile = match n {
            0 => "DEFAULT".to_owned(),
            _ if tenancy == own => "SANDBOX".to_owned(),
            n => format!("TENANCY-{n}"),
        };
        if tenancy != own {
            sandbox.admit(tenancy);
        }
        let file = identity.config_file(region, &key.display().to_string());
        text.push_str(
            &file
                .replacen("[DEFAULT]", &format!("[{profile}]"), 1)
                .replacen(own, tenancy, 1),
        );
        text.push('\n');
    }
    let config = folder.join("config");
    write(&config, &text)?;
    Ok(config)
}

/// Writes a file that only its owner can read: one of them holds a key, and another is beside it.
fn write(path: &Path, text: &str) -> Result<(), ServeError> {
    let written = private_file::write(path, text);
    written.map_err(|source| ServeError::File {
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kubeconfig_has_a_context_for_each_cluster() {
        let names = [
            ("fra-1".to_owned(), "fra".to_owned()),
            ("iad-1".to_owned(), "iad-1".to_owned()),
        ];
        let config: kube::config::Kubeconfig = serde_yaml::from_str(&kubeconfig_text(&names, 7443)).unwrap();
        assert_eq!(config.current_context.as_deref(), Some("fra"));
        assert_eq!(config.contexts[0].context.as_ref().unwrap().cluster, "fra-1");
        let server = config.clusters[1].cluster.as_ref().unwrap().server.as_deref();
        assert_eq!(server, Some("http://127.0.0.1:7443/clusters/iad-1"));
    }
}
