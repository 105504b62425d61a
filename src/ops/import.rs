//! `import`: what runs on management clusters → a new fleet directory.
//!
//! Invariant: reads HostedClusters, NodePools and their namespaces and nothing else; changes nothing but the directory.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::connect::{Access, AccessError};
use super::load::entropy;
use super::new_directory::{self, NewDirectoryError, takes_name};
use crate::fleet::{self, Lock, Seed};
use crate::import::{self, Found, Imported};
use crate::providers::kubernetes::KubernetesProvider;
use crate::providers::{Kind, LiveObject, Observed, Provider as _, ProviderError};
use crate::render::TemplateSet;
use crate::render::built_in::BuiltIn;
use crate::resource::{ManagementClusterName, ResourceId, Target};

/// Options of `import`.
#[derive(Clone, Debug)]
pub struct ImportOptions {
    /// How the management clusters are reached; its contexts, or else its management clusters, say which.
    pub access: Access,
    /// The fleet's name.
    pub fleet: String,
    /// The environment of clusters whose label names none.
    pub environment: String,
    /// The label of HostedClusters that names their environment.
    pub environment_label: Option<String>,
    /// The region of management clusters on which no object names it.
    pub region: Option<String>,
    /// The time, for pauses that end.
    pub now: jiff::Timestamp,
}

/// Why nothing was imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// Nobody said from where.
    #[error(
        "no management cluster is named: say which with --context CONTEXT, or with --management-cluster NAME in a sandbox"
    )]
    Nowhere,
    /// Not a name that the files take.
    #[error("`{0}` is no name for the files: use lower-case letters, digits and dashes, at most 40")]
    Name(String),
    /// No connection.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// It can't be read.
    #[error("management cluster {name} can't be read")]
    Read {
        /// Which.
        name: ManagementClusterName,
        /// Why.
        #[source]
        source: ProviderError,
    },
    /// The server sent something else than JSON.
    #[error("management cluster {name} sends what is no JSON")]
    NoJson {
        /// Which.
        name: ManagementClusterName,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// The built-in templates do not compile, which no released program does.
    #[error("the built-in templates can't be used")]
    Templates,
    /// The directory.
    #[error(transparent)]
    Directory(#[from] NewDirectoryError),
}

const GROUP: &str = "hypershift.openshift.io";

/// Reads the management clusters, and makes a fleet of what runs there.
///
/// # Errors
/// Where one of them can't be read.
pub async fn import(options: &ImportOptions) -> Result<Imported, ImportError> {
    for name in [&options.fleet, &options.environment] {
        check_name(name)?;
    }
    let mut found = Vec::new();
    for (name, context) in targets(&options.access)? {
        check_name(name.as_str())?;
        found.push(read(&options.access, name, context).await?);
    }
    let built_in = BuiltIn::default().newest();
    let templates = TemplateSet::of(built_in, &[]).map_err(|_| ImportError::Templates)?;
    let options = import::Options {
        fleet: options.fleet.clone(),
        environment: options.environment.clone(),
        environment_label: options.environment_label.clone(),
        region: options.region.clone(),
        seed: Seed {
            entropy: entropy(),
            now: options.now,
            templates: built_in.number,
        },
    };
    Ok(import::import(&found, &options, &templates))
}

/// Writes the files into a directory that is new or empty; gives their paths.
///
/// # Errors
/// Where there is something, or nothing can be written.
pub fn write_imported(imported: &Imported, directory: &Path) -> Result<Vec<PathBuf>, ImportError> {
    let files = imported.files.iter().map(|(file, text)| (file, text.clone()));
    Ok(new_directory::write(directory, files)?)
}

fn check_name(name: &str) -> Result<(), ImportError> {
    match takes_name(name) {
        true => Ok(()),
        false => Err(ImportError::Name(name.to_owned())),
    }
}

/// The management clusters, each with its context.
fn targets(access: &Access) -> Result<Vec<(ManagementClusterName, String)>, ImportError> {
    let named = access.management_clusters.first();
    let of_context = |(name, context): (&String, &String)| {
        let own = || named.cloned().unwrap_or_else(|| import::plain_name(context));
        let name = if name.is_empty() { own() } else { name.clone() };
        (ManagementClusterName::new(name), context.clone())
    };
    let targets: Vec<_> = if access.contexts.is_empty() {
        let names = access.management_clusters.iter();
        names
            .map(|name| (ManagementClusterName::new(name), name.clone()))
            .collect()
    } else {
        access.contexts.iter().map(of_context).collect()
    };
    if targets.is_empty() {
        return Err(ImportError::Nowhere);
    }
    Ok(targets)
}

async fn read(access: &Access, name: ManagementClusterName, context: String) -> Result<Found, ImportError> {
    let access = Access {
        contexts: [(String::new(), context.clone())].into(),
        management_clusters: Vec::new(),
        ..access.clone()
    };
    // There are no files yet that could say anything of it.
    let nothing = fleet::resolve(&fleet::load(&[]), &Lock::default(), &NO_SEED).fleet;
    let scope = std::slice::from_ref(&name);
    let mut providers = access.connect(&nothing, scope).await?;
    let provider = providers.remove(&name).ok_or(ImportError::Nowhere)?;
    let failed = |source| ImportError::Read {
        name: name.clone(),
        source,
    };
    let kind = |kind: &str| Kind {
        group: GROUP.to_owned(),
        version: "v1beta1".to_owned(),
        kind: kind.to_owned(),
    };
    let (clusters, pools) = (kind("HostedCluster"), kind("NodePool"));
    let parsed = |objects: Vec<LiveObject>| -> Result<Vec<Value>, ImportError> {
        let values = objects.iter().map(LiveObject::parse).collect::<Result<_, _>>();
        values.map_err(|source| ImportError::NoJson {
            name: name.clone(),
            source,
        })
    };
    let hosted_clusters = parsed(provider.everything(&clusters).await.map_err(failed)?)?;
    let node_pools = parsed(provider.everything(&pools).await.map_err(failed)?)?;
    let schemas = provider
        .schemas_of(BTreeSet::from([clusters.clone(), pools.clone()]))
        .await;
    let namespaces = namespaces(&provider, &name, &hosted_clusters).await;
    Ok(Found {
        namespaces: parsed(namespaces)?,
        hosted_cluster_schema: schemas.get(&clusters).cloned(),
        node_pool_schema: schemas.get(&pools).cloned(),
        hosted_clusters,
        node_pools,
        context,
        name,
    })
}

const NO_SEED: Seed = Seed {
    entropy: [0; 16],
    now: jiff::Timestamp::UNIX_EPOCH,
    templates: 1,
};

/// The namespaces of some objects; one that can't be seen is left out: its labels are then nobody's to say.
async fn namespaces(provider: &KubernetesProvider, name: &ManagementClusterName, objects: &[Value]) -> Vec<LiveObject> {
    let names = objects
        .iter()
        .filter_map(|object| object.pointer("/metadata/namespace")?.as_str());
    let mut found = Vec::new();
    for namespace in names.collect::<BTreeSet<_>>() {
        let id = ResourceId {
            target: Target::Kubernetes(name.clone()),
            group: String::new(),
            kind: "Namespace".to_owned(),
            namespace: None,
            name: namespace.to_owned(),
        };
        if let Observed::Present(object) = provider.read(&id, "v1").await {
            found.push(object);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(contexts: &[&str], names: &[&str]) -> Vec<(String, String)> {
        let own = |text: &&str| (*text).to_owned();
        let access = Access {
            contexts: Access::contexts_of(&contexts.iter().map(own).collect::<Vec<_>>()),
            management_clusters: names.iter().map(own).collect(),
            ..Access::default()
        };
        let targets = targets(&access).unwrap_or_default().into_iter();
        targets.map(|(name, context)| (name.to_string(), context)).collect()
    }

    #[test]
    fn management_clusters_are_called_by_what_names_them() {
        let pair = |name: &str, context: &str| (name.to_owned(), context.to_owned());
        assert_eq!(named(&["hub/api:6443"], &[]), [pair("hub-api-6443", "hub/api:6443")]);
        assert_eq!(named(&["hub/api:6443"], &["fra"]), [pair("fra", "hub/api:6443")]);
        assert_eq!(named(&["a=x", "b=y"], &[]), [pair("a", "x"), pair("b", "y")]);
        assert_eq!(named(&[], &["m"]), [pair("m", "m")]);
        assert_eq!(named(&[], &[]), []);
    }

    #[test]
    fn names_that_the_files_do_not_take_are_refused() {
        assert!(check_name("fra-1").is_ok());
        for name in ["", "-a", "a-", "A", "a.b", &"a".repeat(41)] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }
}
