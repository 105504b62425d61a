//! The kubeconfig of a cluster, out of the Secret that its operator keeps on the management cluster.

mod entry;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;

pub use self::entry::{Entry, KubeconfigError};
use super::connect::{Access, AccessError};
use super::load::LoadedFleet;
use super::private_file;
use crate::providers::kubernetes::KubernetesProvider;
use crate::providers::{Observed, Provider as _};
use crate::resource::{ClusterName, ManagementClusterName, Manifest, Secret, UnitId};

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// Nothing of that name.
    #[error("the fleet has no cluster `{0}`")]
    NoCluster(String),
    /// Nothing of it has a control plane of its own.
    #[error("cluster {0} is not made by the fleet's files: nobody says where its kubeconfig is")]
    NotMade(ClusterName),
    /// No connection.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// It has none yet.
    #[error("{what} on {on} {why}")]
    NotYet {
        /// The object that should say.
        what: String,
        /// The management cluster.
        on: ManagementClusterName,
        /// What it lacks.
        why: &'static str,
    },
    /// It can't be read whether it has.
    #[error("{what} on {on} can't be read: {why}")]
    Unknown {
        /// What was asked for.
        what: String,
        /// The management cluster.
        on: ManagementClusterName,
        /// Why.
        why: String,
    },
    /// What the Secret holds.
    #[error("the kubeconfig in {place} can't be used")]
    Form {
        /// The Secret.
        place: String,
        /// Why.
        #[source]
        source: KubeconfigError,
    },
}

/// A Secret that holds a kubeconfig.
struct Place {
    namespace: String,
    name: String,
    /// The key of its data.
    key: &'static str,
}

/// Fetches a cluster's kubeconfig, under a name of its own.
///
/// # Errors
/// Where there is none, or it can't be read.
pub async fn fetch(loaded: &LoadedFleet, access: &Access, cluster: &str, name: &str) -> Result<Entry, FetchError> {
    let known = loaded.fleet.clusters.keys().find(|known| known.as_str() == cluster);
    let unit = UnitId::Cluster(
        known
            .cloned()
            .ok_or_else(|| FetchError::NoCluster(cluster.to_owned()))?,
    );
    let not_made = || FetchError::NotMade(ClusterName::new(cluster));
    let on = loaded.recorded_on(&unit).ok_or_else(not_made)?;
    let manifests = loaded.rendered.units.get(&unit).map(|unit| unit.manifests.as_slice());
    let control_plane = manifests
        .unwrap_or_default()
        .iter()
        .find(|manifest| is_control_plane(manifest));
    let control_plane = control_plane.ok_or_else(not_made)?;
    let mut connected = access.connect(&loaded.fleet, std::slice::from_ref(&on)).await?;
    let provider = connected.remove(&on).ok_or_else(not_made)?;
    let place = place(control_plane, &provider, &on).await?;
    let what = format!("Secret {}/{}", place.namespace, place.name);
    let read = provider.secret_reader(on.clone(), place.namespace, place.name);
    let mut data = read().await.map_err(|error| FetchError::Unknown {
        what: what.clone(),
        on: on.clone(),
        why: crate::report::chain(&*error),
    })?;
    let text = data.remove(place.key).ok_or_else(|| FetchError::NotYet {
        what: what.clone(),
        on,
        why: "holds no kubeconfig",
    })?;
    Entry::read(&text, name).map_err(|source| FetchError::Form { place: what, source })
}

fn is_control_plane(manifest: &Manifest) -> bool {
    let id = &manifest.id;
    id.kind == "HostedCluster" || (id.kind == "Cluster" && id.group == "cluster.x-k8s.io")
}

/// Where the operator puts it: HyperShift says so in the status, Cluster API goes by the name.
async fn place(
    manifest: &Manifest,
    provider: &Arc<KubernetesProvider>,
    on: &ManagementClusterName,
) -> Result<Place, FetchError> {
    let id = &manifest.id;
    let namespace = id.namespace.clone().unwrap_or_default();
    if id.kind == "Cluster" {
        let name = format!("{}-kubeconfig", id.name);
        let key = "value";
        return Ok(Place { namespace, name, key });
    }
    let not_yet = |why| FetchError::NotYet {
        what: id.to_string(),
        on: on.clone(),
        why,
    };
    let unknown = |why| FetchError::Unknown {
        what: id.to_string(),
        on: on.clone(),
        why,
    };
    let live = match provider.read(id, &manifest.api_version).await {
        Observed::Present(live) => live.parse().map_err(|_| unknown("it is no JSON".to_owned()))?,
        Observed::Absent => return Err(not_yet("is not there: has it been applied?")),
        Observed::Unknown(why) => return Err(unknown(why)),
    };
    // The custom one leads to the name that the cluster is to be known under.
    let said = ["/status/customKubeconfig/name", "/status/kubeconfig/name"];
    let name = said.iter().find_map(|path| live.pointer(path).and_then(Value::as_str));
    let name = name
        .ok_or_else(|| not_yet("has no kubeconfig yet: is its control plane up?"))?
        .to_owned();
    let key = "kubeconfig";
    Ok(Place { namespace, name, key })
}

/// Why a file was not changed.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    /// It can't be read or written.
    #[error("{} can't be {done}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// `read`, `written`.
        done: &'static str,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Somebody else is at it.
    #[error("{} is there: another program is changing the file; if none is, delete it", .0.display())]
    Locked(PathBuf),
    /// It does not take it.
    #[error("{} was left as it is", path.display())]
    Kubeconfig {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: KubeconfigError,
    },
}

/// Puts an entry into a kubeconfig file, which is made where there is none. Others see the file as it was or as it is.
///
/// # Errors
/// Where the file can't be read, locked as kubectl locks it, or written, or has another entry of the name.
pub fn merge_into(path: &Path, entry: &Entry, overwrite: bool) -> Result<(), MergeError> {
    // What a link leads to is changed, not the link.
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let failed = |done| {
        let path = path.clone();
        move |source| MergeError::File { path, done, source }
    };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed("written"))?;
    }
    let beside = |end: &str| {
        let mut name = path.clone().into_os_string();
        name.push(end);
        PathBuf::from(name)
    };
    let lock = beside(".lock");
    match fs::OpenOptions::new().write(true).create_new(true).open(&lock) {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => return Err(MergeError::Locked(lock)),
        Err(error) => return Err(failed("written")(error)),
    }
    let done = (|| {
        let text = match fs::read_to_string(&path) {
            // Most of such a file is no secret; what is says so by its key.
            Ok(text) => Secret::unremembered(text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Secret::unremembered(""),
            Err(error) => return Err(failed("read")(error)),
        };
        let merged = entry
            .merged(&text, overwrite)
            .map_err(|source| MergeError::Kubeconfig {
                path: path.clone(),
                source,
            })?;
        let new = beside(".new");
        private_file::write(&new, merged.expose())
            .and_then(|()| fs::rename(&new, &path))
            .map_err(failed("written"))
    })();
    // It was made above, by this process; where it can't be taken away, the next one says what to do.
    fs::remove_file(&lock).ok();
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Entry {
        let text = "clusters: [{name: c, cluster: {server: 'https://a'}}]\nusers: [{name: u, user: {token: t}}]\n\
            contexts: [{name: x, context: {cluster: c, user: u}}]\n";
        Entry::read(&Secret::new(text), "orders").unwrap()
    }

    #[test]
    fn a_file_is_made_for_its_owner_alone_and_changed_under_a_lock() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/config");
        merge_into(&path, &entry(), false).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains("name: orders"), "{text}");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        let lock = folder.path().join("deep/config.lock");
        fs::write(&lock, "").unwrap();
        let refused = merge_into(&path, &entry(), false);
        assert!(matches!(refused, Err(MergeError::Locked(_))), "{refused:?}");
        assert!(lock.exists(), "it is another's");
        fs::remove_file(&lock).unwrap();
        fs::write(&path, "- no kubeconfig").unwrap();
        let refused = merge_into(&path, &entry(), true);
        assert!(matches!(refused, Err(MergeError::Kubeconfig { .. })), "{refused:?}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "- no kubeconfig");
        assert!(!lock.exists());
    }
}
