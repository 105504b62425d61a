//! From the fleet's management clusters to providers.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::try_join_all;
use tokio::time::Instant;

use super::cloud::OciAccess;
use super::held::Held;
use crate::fleet::model::Fleet;
use crate::metrics::Registry;
use crate::providers::kubernetes::{ConnectError, ExecPlugins, KubernetesProvider, Options, ServiceAccount};
use crate::resource::ManagementClusterName;
use crate::sandbox::store::StoreError;
use crate::sandbox::{ClusterError, Sandbox};

/// How management clusters are reached.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// Kubeconfig files, the first winning; none: what KUBECONFIG or the home directory has, as the caller found it.
    pub kubeconfigs: Vec<PathBuf>,
    /// The cluster that this program runs in; where it is given, no kubeconfig is read.
    pub in_cluster: Option<ServiceAccount>,
    /// Contexts that overrule the fleet files', by management cluster; the empty key stands for the only one.
    pub contexts: BTreeMap<String, String>,
    /// Only these management clusters are connected to; empty: all that are asked for.
    pub management_clusters: Vec<String>,
    /// Whether a kubeconfig may have programs run.
    pub allow_exec: bool,
    /// Where schemas are kept between runs.
    pub cache: Option<PathBuf>,
    /// How the OCI API is reached.
    pub oci: OciAccess,
    /// A sandbox that takes the place of them all.
    pub sandbox: Option<Arc<Sandbox>>,
    /// Connections that outlive one plan; none: each plan makes its own.
    pub held: Option<Arc<Held>>,
    /// Where calls are counted.
    pub metrics: Arc<Registry>,
}

/// Connections, and why there are none to the others.
#[derive(Debug, Default)]
pub struct Connected {
    /// What can be talked to; nothing was sent yet.
    pub providers: BTreeMap<ManagementClusterName, Arc<KubernetesProvider>>,
    /// What can't.
    pub failed: BTreeMap<ManagementClusterName, AccessError>,
}

/// Why the management clusters are not reached.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// `--context` names no management cluster of the fleet.
    #[error("--context names `{0}`, which is no management cluster of this fleet")]
    UnknownManagementCluster(String),
    /// `--context CONTEXT` with more than one management cluster.
    #[error("the fleet has several management clusters in scope ({0}): give --context MANAGEMENT_CLUSTER=CONTEXT")]
    Ambiguous(String),
    /// No kubeconfig, and more than the one management cluster that the program runs in.
    #[error(
        "there is no kubeconfig, and of the cluster that this runs in only one of these can be meant: {0} \
         (--management-cluster says which)"
    )]
    InClusterAmbiguous(String),
    /// The kubeconfig does not do.
    #[error("management cluster {name} can't be reached (--kubeconfig FILE, --context {name}=CONTEXT say how)")]
    Connect {
        /// The management cluster.
        name: ManagementClusterName,
        /// Why.
        #[source]
        source: ConnectError,
    },
    /// The sandbox can't open it.
    #[error("the sandbox can't open management cluster {name}")]
    Sandbox {
        /// The management cluster.
        name: ManagementClusterName,
        /// Why.
        #[source]
        source: ClusterError,
    },
}

/// One that did not answer is not asked again for so long, so that what has to do with others does not wait for it.
const REST: Duration = Duration::from_secs(15);
/// And while one look tries it again, no other does: it may take as long as a request may.
const TRIAL: Duration = Duration::from_secs(75);

impl Access {
    /// Why a management cluster is not asked now: it did not answer a moment ago. Who hears nothing tries it.
    pub(super) fn away(&self, name: &ManagementClusterName) -> Option<String> {
        let mut away = locked(&self.held.as_ref()?.away);
        let (until, why) = away.get_mut(name)?;
        let now = Instant::now();
        if now < *until {
            return Some(why.clone());
        }
        *until = now + TRIAL;
        None
    }

    /// Notes that it did not answer.
    pub(super) fn is_away(&self, name: &ManagementClusterName, why: &str) {
        if let Some(held) = &self.held {
            locked(&held.away).insert(name.clone(), (Instant::now() + REST, why.to_owned()));
        }
    }

    /// Notes that it did.
    pub(super) fn answers(&self, name: &ManagementClusterName) {
        if let Some(held) = &self.held {
            locked(&held.away).remove(name);
        }
    }

    /// Reads `--context` values: `CONTEXT`, or `MANAGEMENT_CLUSTER=CONTEXT`.
    pub fn contexts_of(values: &[String]) -> BTreeMap<String, String> {
        values
            .iter()
            .map(|value| match value.split_once('=') {
                Some((name, context)) => (name.to_owned(), context.to_owned()),
                None => (String::new(), value.clone()),
            })
            .collect()
    }

    /// The context of each management cluster in scope.
    fn resolve(
        &self,
        fleet: &Fleet,
        scope: &[ManagementClusterName],
    ) -> Result<BTreeMap<ManagementClusterName, String>, AccessError> {
        for name in self.contexts.keys().filter(|name| !name.is_empty()) {
            if !fleet
                .management_clusters
                .contains_key(&ManagementClusterName::new(name))
            {
                return Err(AccessError::UnknownManagementCluster(name.clone()));
            }
        }
        let for_the_only = self.contexts.get("");
        if for_the_only.is_some() && scope.len() > 1 {
            return Err(AccessError::Ambiguous(listed(scope)));
        }
        Ok(scope
            .iter()
            .map(|name| {
                let typed = self.contexts.get(name.as_str()).or(for_the_only);
                let own = fleet.management_clusters.get(name).map(|cluster| &cluster.context);
                let context = typed.or(own).cloned().unwrap_or_else(|| name.to_string());
                (name.clone(), context)
            })
            .collect())
    }

    /// Gives a provider for each management cluster in scope; nothing is sent yet.
    ///
    /// # Errors
    /// Where a kubeconfig lacks a context, or `--context` does not fit the fleet.
    pub async fn connect(
        &self,
        fleet: &Fleet,
        scope: &[ManagementClusterName],
    ) -> Result<BTreeMap<ManagementClusterName, Arc<KubernetesProvider>>, AccessError> {
        let scope: &[ManagementClusterName] = &scope.iter().filter(|name| self.may(name)).cloned().collect::<Vec<_>>();
        self.check_that_one_is_meant(fleet, scope)?;
        let mut known = self
            .held
            .as_ref()
            .map(|held| locked(&held.kubernetes).clone())
            .unwrap_or_default();
        known.retain(|name, _| scope.contains(name));
        let missing: Vec<ManagementClusterName> =
            scope.iter().filter(|name| !known.contains_key(name)).cloned().collect();
        if !missing.is_empty() {
            self.note_credentials();
            let made = self.make(fleet, &missing).await?;
            known.extend(made.into_iter().map(|(name, provider)| (name, Arc::new(provider))));
            if let Some(held) = &self.held {
                locked(&held.kubernetes).extend(known.clone());
            }
        }
        Ok(known)
    }

    /// Gives a provider for each that there can be one for: what is wrong with one is no reason to do without the others.
    pub async fn connect_each<'a>(
        &self,
        fleet: &Fleet,
        scope: impl IntoIterator<Item = &'a ManagementClusterName>,
    ) -> Connected {
        let mut connected = Connected::default();
        for name in scope {
            match self.connect(fleet, std::slice::from_ref(name)).await {
                Ok(provider) => connected.providers.extend(provider),
                Err(error) => drop(connected.failed.insert(name.clone(), error)),
            }
        }
        connected
    }

    /// Whether `--management-cluster` lets one be connected to.
    fn may(&self, name: &ManagementClusterName) -> bool {
        let only = &self.management_clusters;
        only.is_empty() || only.iter().any(|only| only == name.as_str())
    }

    /// Refuses to take one server for whichever of several management clusters is asked for. Who connects for long asks for one
    /// after the other, which says nothing of how many there are; and one that is held may have been the only one, and be so no
    /// more.
    fn check_that_one_is_meant(&self, fleet: &Fleet, scope: &[ManagementClusterName]) -> Result<(), AccessError> {
        let of_fleet = fleet.management_clusters.keys().filter(|name| self.may(name));
        let meant: BTreeSet<&ManagementClusterName> = of_fleet.chain(scope).collect();
        if self.sandbox.is_some() || scope.is_empty() || meant.len() < 2 {
            return Ok(());
        }
        if self.in_cluster.is_some() {
            return Err(AccessError::InClusterAmbiguous(listed(meant)));
        }
        let is_typed = scope.iter().all(|name| self.contexts.contains_key(name.as_str()));
        if self.held.is_some() && self.contexts.contains_key("") && !is_typed {
            return Err(AccessError::Ambiguous(listed(meant)));
        }
        Ok(())
    }

    async fn make(
        &self,
        fleet: &Fleet,
        scope: &[ManagementClusterName],
    ) -> Result<BTreeMap<ManagementClusterName, KubernetesProvider>, AccessError> {
        if let Some(sandbox) = &self.sandbox {
            return within(sandbox, scope, &self.metrics).await;
        }
        let paths: Vec<_> = self.kubeconfigs.iter().map(PathBuf::as_path).collect();
        let options = Options {
            exec_plugins: if self.allow_exec {
                ExecPlugins::Allow
            } else {
                ExecPlugins::Refuse
            },
            schema_cache: self.cache.clone(),
            metrics: self.metrics.clone(),
            remembers_inventories: self.held.is_some(),
            ..Options::default()
        };
        if let Some(account) = &self.in_cluster {
            // Of the one that there is, as `connect` has seen.
            let [name] = scope else {
                return Ok(BTreeMap::new());
            };
            return match KubernetesProvider::in_cluster(account, options).await {
                Ok(provider) => Ok(BTreeMap::from([(name.clone(), provider)])),
                Err(source) => Err(AccessError::Connect {
                    name: name.clone(),
                    source,
                }),
            };
        }
        let connections = self.resolve(fleet, scope)?.into_iter().map(|(name, context)| {
            let (paths, options) = (&paths, options.clone());
            async move {
                match KubernetesProvider::connect(paths, &context, options).await {
                    Ok(provider) => Ok((name, provider)),
                    Err(source) => Err(AccessError::Connect { name, source }),
                }
            }
        });
        Ok(try_join_all(connections).await?.into_iter().collect())
    }

    /// Ends what was opened for it.
    ///
    /// # Errors
    /// Where a sandbox's state can't be written.
    pub async fn close(&self) -> Result<(), StoreError> {
        match &self.sandbox {
            Some(sandbox) => sandbox.close().await,
            None => Ok(()),
        }
    }
}

pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn listed<'a>(names: impl IntoIterator<Item = &'a ManagementClusterName>) -> String {
    let names: Vec<&str> = names.into_iter().map(ManagementClusterName::as_str).collect();
    names.join(", ")
}

/// Providers that talk to a sandbox in this process.
async fn within(
    sandbox: &Sandbox,
    scope: &[ManagementClusterName],
    metrics: &Arc<Registry>,
) -> Result<BTreeMap<ManagementClusterName, KubernetesProvider>, AccessError> {
    let mut providers = BTreeMap::new();
    for name in scope {
        match sandbox.kube_client(name.as_str()).await {
            Ok(client) => {
                // A run is to be the same each time, pauses between attempts too.
                let options = Options {
                    seed: Some(0),
                    metrics: metrics.clone(),
                    ..Options::default()
                };
                providers.insert(name.clone(), KubernetesProvider::with_client(client, options));
            }
            Err(source) => {
                return Err(AccessError::Sandbox {
                    name: name.clone(),
                    source,
                });
            }
        }
    }
    Ok(providers)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::ops::{LoadOptions, load};

    pub(in crate::ops) fn fleet(folder: &std::path::Path, context: &str) -> Fleet {
        let text = format!(
            "kind: Fleet\nmetadata: {{name: f}}\nspec: {{}}\n---\nkind: ManagementCluster\nmetadata: {{name: m}}\n\
             spec: {{region: us-ashburn-1, context: {context}, dialect: none, nodePortAddress: m.example}}\n"
        );
        std::fs::write(folder.join("fleet.yaml"), text).unwrap();
        let options = LoadOptions {
            directory: folder.to_owned(),
            locked: false,
            now: jiff::Timestamp::UNIX_EPOCH,
        };
        load(&options).unwrap().fleet
    }

    pub(in crate::ops) fn kubeconfig(token: &str) -> String {
        let cluster = serde_json::json!({"server": "https://127.0.0.1:1", "insecure-skip-tls-verify": true});
        let context = serde_json::json!({"cluster": "c", "user": "u"});
        serde_json::json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": cluster}],
            "users": [{"name": "u", "user": {"token": token}}],
            "contexts": [{"name": "one", "context": context}, {"name": "two", "context": context}],
        })
        .to_string()
    }

    const SECOND: &str = "---\nkind: ManagementCluster\nmetadata: {name: n}\n\
         spec: {region: us-ashburn-1, context: two, dialect: none, nodePortAddress: n.example}\n";

    /// The fleet with a second management cluster.
    fn of_two(folder: &std::path::Path) -> Fleet {
        std::fs::write(folder.join("second.yaml"), SECOND).unwrap();
        let fleet = fleet(folder, "one");
        std::fs::remove_file(folder.join("second.yaml")).unwrap();
        fleet
    }

    /// A pod's service account on a server that nobody is.
    pub(in crate::ops) fn pod(folder: &std::path::Path) -> ServiceAccount {
        std::fs::write(folder.join("ca.crt"), "").unwrap();
        std::fs::write(folder.join("token"), "t").unwrap();
        ServiceAccount {
            server: "https://127.0.0.1:1".to_owned(),
            folder: folder.to_owned(),
        }
    }

    #[tokio::test]
    async fn one_server_stands_for_none_of_several_management_clusters_asked_for_one_by_one() {
        let place = tempfile::tempdir().unwrap();
        let (one, both) = (fleet(place.path(), "one"), of_two(place.path()));
        let file = place.path().join("kubeconfig");
        std::fs::write(&file, kubeconfig("t")).unwrap();
        let pod = Access {
            in_cluster: Some(pod(place.path())),
            held: Some(Arc::default()),
            ..Access::default()
        };
        let context = Access {
            kubeconfigs: vec![file],
            contexts: BTreeMap::from([(String::new(), "one".to_owned())]),
            held: Some(Arc::default()),
            ..Access::default()
        };
        let [m, n] = ["m", "n"].map(ManagementClusterName::new);
        for access in [pod, context] {
            let of = async |fleet: &Fleet, name: &ManagementClusterName| {
                access.connect(fleet, std::slice::from_ref(name)).await
            };
            for name in [&m, &n] {
                let said = of(&both, name).await.unwrap_err().to_string();
                assert!(said.contains("m, n"), "{said}");
            }
            assert_eq!(of(&one, &m).await.unwrap().len(), 1);
            // It is held now, and is no better known for that.
            for name in [&m, &n] {
                assert!(of(&both, name).await.is_err());
            }
            let only = Access {
                management_clusters: vec!["n".to_owned()],
                held: Some(Arc::default()),
                ..access.clone()
            };
            assert_eq!(only.connect(&both, &[m.clone(), n.clone()]).await.unwrap().len(), 1);
        }
    }
}
