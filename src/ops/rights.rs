//! `rbac`, `iam`: which rights a fleet needs.

use super::load::{LoadedFleet, did_you_mean};
use crate::providers::kubernetes::INVENTORY_NAMESPACE;
use crate::resource::ManagementClusterName;
use crate::rights::kubernetes::{self, Needs, Purpose};
use crate::rights::oci::{self, Subject};
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
    /// A workload's identity is that of its cluster, which has to be OKE's.
    #[error("management cluster {0} has no `oke`: the policy needs the OCID of the cluster that the workload runs on")]
    NoOke(ManagementClusterName),
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

/// What `iam` is asked for.
#[derive(Clone, Debug)]
pub struct IamOptions {
    /// Who gets the rights.
    pub subject: IamSubject,
    /// The management cluster that a workload runs on; none for the only one.
    pub management_cluster: Option<String>,
    /// What they are for.
    pub purpose: Purpose,
}

/// Who gets rights on OCI.
#[derive(Clone, Debug)]
pub enum IamSubject {
    /// A group of users.
    Group(String),
    /// A dynamic group.
    DynamicGroup(String),
    /// A service account on the management cluster.
    Workload(Account),
}

/// The policy statements that a fleet needs on OCI.
///
/// # Errors
/// Where the fleet did not load as a whole, or the management cluster of a workload is not one of it.
pub fn iam(loaded: &LoadedFleet, options: &IamOptions) -> Result<String, RightsError> {
    check_whole(loaded)?;
    let subject = match options.subject.clone() {
        IamSubject::Group(name) => Subject::Group(name),
        IamSubject::DynamicGroup(name) => Subject::DynamicGroup(name),
        IamSubject::Workload(Account { namespace, name }) => {
            let on = choose(loaded, options.management_cluster.as_deref())?;
            let cluster = loaded.fleet.management_clusters.get(on);
            let oke = cluster.and_then(|cluster| cluster.oke.clone());
            Subject::Workload {
                namespace,
                account: name,
                cluster: oke.ok_or_else(|| RightsError::NoOke(on.clone()))?,
            }
        }
    };
    let policy = oci::policy(&loaded.rendered, options.purpose);
    if policy.is_empty() {
        return Ok("# Nothing of this fleet is on OCI.\n".to_owned());
    }
    Ok(policy.statements(&subject))
}

fn check_whole(loaded: &LoadedFleet) -> Result<(), RightsError> {
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
