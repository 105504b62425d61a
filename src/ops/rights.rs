//! `rbac`, `iam`: which rights a fleet needs.

use super::load::{LoadedFleet, did_you_mean};
use crate::providers::kubernetes::INVENTORY_NAMESPACE;
use crate::resource::ManagementClusterName;
use crate::rights::kubernetes::{self, Needs, Purpose};
use crate::rights::rbac::{self, Account};

/// What `rbac` is asked for.
#[derive(Clone, Debug)]
pub struct RbacOptions {
    /// The management cluster; none for the only one.
    pub management_cluster: Option<String>,
    /// Who gets the rights.
    pub account: Account,
    /// What they are for.
    pub purpose: Purpose,
    /// Whether calls to OCI are signed by the keys in the Secrets of the fleet's identities.
    pub reads_keys: bool,
}

/// Why rights can't be told.
#[derive(Debug, thiserror::Error)]
pub enum RightsError {
    /// What is not rendered may need rights that nobody knows of.
    #[error("the fleet files have errors: which rights it takes is not known")]
    Incomplete,
    /// No such management cluster.
    #[error("there is no management cluster `{0}` in the fleet files{1}")]
    Unknown(String, String),
    /// One has to be named.
    #[error("the fleet has several management clusters, each with rights of its own: name one of {0}")]
    Ambiguous(String),
    /// There is none.
    #[error("the fleet has no management cluster")]
    Nowhere,
    /// The documents can't be written.
    #[error("the rules can't be written as YAML")]
    Yaml(#[from] serde_yaml::Error),
}

/// The documents of the rights that a fleet needs on a management cluster, as one YAML stream.
///
/// # Errors
/// Where the fleet did not load as a whole, or the management cluster is not one of it.
pub fn rbac(loaded: &LoadedFleet, options: &RbacOptions) -> Result<String, RightsError> {
    check_whole(loaded)?;
    let on = choose(loaded, options.management_cluster.as_deref())?;
    let needs = Needs {
        fleet: &loaded.fleet,
        rendered: &loaded.rendered,
        on,
        home: INVENTORY_NAMESPACE,
        purpose: options.purpose,
        reads_keys: options.reads_keys,
    };
    let role = rbac::role_name(&loaded.fleet.name, options.purpose);
    let documents = rbac::documents(&kubernetes::needed(&needs), &role, &options.account);
    let documents: Result<Vec<String>, _> = documents.iter().map(serde_yaml::to_string).collect();
    Ok(documents?.join("---\n"))
}

pub(super) fn check_whole(loaded: &LoadedFleet) -> Result<(), RightsError> {
    if loaded.has_errors() || !loaded.failed.is_empty() {
        return Err(RightsError::Incomplete);
    }
    Ok(())
}

fn choose<'a>(loaded: &'a LoadedFleet, named: Option<&str>) -> Result<&'a ManagementClusterName, RightsError> {
    let all: Vec<&ManagementClusterName> = loaded.fleet.management_clusters.keys().collect();
    let names = || all.iter().map(|name| name.as_str());
    match (named, all.as_slice()) {
        (Some(named), all) => {
            let found = all.iter().copied().find(|name| name.as_str() == named);
            found.ok_or_else(|| RightsError::Unknown(named.to_owned(), did_you_mean(named, names())))
        }
        (None, [only]) => Ok(only),
        (None, []) => Err(RightsError::Nowhere),
        (None, _) => Err(RightsError::Ambiguous(names().collect::<Vec<_>>().join(", "))),
    }
}
