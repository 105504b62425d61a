//! `schemas pull`: the definitions of what a fleet renders, read from its management clusters into its directory.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use futures::StreamExt as _;

use super::connect::{Access, AccessError};
use super::definitions::FOLDER;
use super::load::LoadedFleet;
use crate::providers::kubernetes::KubernetesProvider;
use crate::providers::{Kind, Observed};
use crate::report::admission::why_not_checked;
use crate::resource::{ManagementClusterName, Target};
use crate::schema::crd;

/// Reads under way at once on one server.
const AT_A_TIME: usize = 8;

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pulled {
    /// Files made or changed, below the fleet directory.
    pub written: Vec<String>,
    /// Files that were right already.
    pub unchanged: usize,
    /// What could not be read: where, which kind, why.
    pub missing: Vec<(ManagementClusterName, String, String)>,
}

/// Why it broke off.
#[derive(Debug, thiserror::Error)]
pub enum PullError {
    /// No connection.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// A file can't be written.
    #[error("{} can't be written", .path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A definition can't be written as YAML.
    #[error("the definition of {kind} can't be written as YAML")]
    Yaml {
        /// Of what.
        kind: String,
        /// Why.
        #[source]
        source: serde_yaml::Error,
    },
}

/// Reads the definitions of every kind that the fleet renders, and that is not Kubernetes' own, from each management cluster
/// in scope, into `schemas/<management cluster>/` below the fleet's directory.
///
/// # Errors
/// Where a management cluster can't be connected to, or a file can't be written. What a server does not have or does not
/// tell is in the result.
pub async fn pull_definitions(loaded: &LoadedFleet, access: &Access, directory: &Path) -> Result<Pulled, PullError> {
    let names: Vec<ManagementClusterName> = loaded.fleet.management_clusters.keys().cloned().collect();
    let providers = access.connect(&loaded.fleet, &names).await?;
    let mut pulled = Pulled::default();
    for (name, provider) in &providers {
        let reads = kinds(loaded, name).into_iter().map(|kind| read(provider, name, kind));
        let reads: Vec<_> = reads.collect();
        let mut answers: Vec<_> = futures::stream::iter(reads).buffered(AT_A_TIME).collect().await;
        answers.sort_by(|a, b| a.0.cmp(&b.0));
        for (kind, answer) in answers {
            match answer {
                Ok(document) => keep(directory, name, &kind, &document, &mut pulled)?,
                Err(why) => pulled.missing.push((name.clone(), kind.kind, why)),
            }
        }
    }
    Ok(pulled)
}

/// The kinds that are rendered for a management cluster and may have a definition.
fn kinds(loaded: &LoadedFleet, on: &ManagementClusterName) -> BTreeSet<Kind> {
    let manifests = loaded.rendered.units.values().flat_map(|unit| &unit.manifests);
    let here = manifests.filter(|manifest| matches!(&manifest.id.target, Target::Kubernetes(name) if name == on));
    here.filter(|manifest| !why_not_checked(&manifest.api_version).contains("Kubernetes itself"))
        .map(|manifest| Kind {
            group: manifest.id.group.clone(),
            version: manifest.version().to_owned(),
            kind: manifest.id.kind.clone(),
        })
        .collect()
}

async fn read(
    provider: &KubernetesProvider,
    name: &ManagementClusterName,
    kind: Kind,
) -> (Kind, Result<serde_json::Value, String>) {
    let answer = match provider.read_definition(&kind, Target::Kubernetes(name.clone())).await {
        Observed::Present(live) => live
            .parse()
            .map_err(|error| format!("the server's answer is no JSON: {error}")),
        Observed::Absent => Err("the server has no CustomResourceDefinition of it".to_owned()),
        Observed::Unknown(reason) => Err(reason),
    };
    (kind, answer.map(|definition| crd::bare(&definition)))
}

fn keep(
    directory: &Path,
    name: &ManagementClusterName,
    kind: &Kind,
    document: &serde_json::Value,
    pulled: &mut Pulled,
) -> Result<(), PullError> {
    let yaml = serde_yaml::to_string(document).map_err(|source| PullError::Yaml {
        kind: kind.kind.clone(),
        source,
    })?;
    let text = format!("# Written by `fleetwright schemas pull`; descriptions are left out.\n{yaml}");
    // The kind and the group, and not what the server says of itself: neither leads out of the folder.
    let relative = format!("{FOLDER}{name}/{}.{}.yaml", kind.kind.to_lowercase(), kind.group);
    let path = directory.join(&relative);
    if fs::read(&path).is_ok_and(|old| old == text.as_bytes()) {
        pulled.unchanged += 1;
        return Ok(());
    }
    let failed = |source| PullError::Io {
        path: path.clone(),
        source,
    };
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(failed)?;
    }
    fs::write(&path, text).map_err(failed)?;
    pulled.written.push(relative);
    Ok(())
}
