//! Whose key signs calls to OCI for a tenancy, where the keys are in Secrets of management clusters.
//!
//! Invariant: pure; a tenancy has one, or none.

use std::collections::BTreeMap;

use super::cloud::CloudError;
use crate::fleet::model::{Fleet, SecretRef};
use crate::resource::{ManagementClusterName, Ocid};

/// Who signs for a tenancy.
#[derive(Debug)]
pub(super) struct Signer<'a> {
    pub(super) identity: &'a str,
    pub(super) on: &'a ManagementClusterName,
    pub(super) secret: &'a SecretRef,
}

/// The one identity of each tenancy whose key is in a Secret.
pub(super) fn of(fleet: &Fleet) -> Result<BTreeMap<&Ocid, Signer<'_>>, CloudError> {
    let mut found: BTreeMap<&Ocid, Signer<'_>> = BTreeMap::new();
    for cluster in fleet.clusters.values() {
        let manager = fleet.management_clusters.get(&cluster.management_cluster);
        let (Some(tenancy), Some(identity), Some(manager)) = (&cluster.tenancy, &cluster.identity, manager) else {
            continue;
        };
        let known = manager.identities.get(identity);
        let Some(secret) = known.and_then(|known| known.principal_secret.as_ref()) else {
            continue;
        };
        let signer = Signer {
            identity,
            on: &cluster.management_cluster,
            secret,
        };
        match found.get(tenancy) {
            // A tenancy's networks are seen as a whole: by the rights of one, what belongs to the other might look gone.
            Some(other) if other.identity != identity => {
                return Err(CloudError::Identities {
                    tenancy: tenancy.clone(),
                    one: other.identity.to_owned(),
                    other: identity.clone(),
                });
            }
            Some(_) => {}
            None => drop(found.insert(tenancy, signer)),
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenancy_has_one_signer() {
        let options = crate::ops::LoadOptions {
            directory: std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fleet"),
            locked: true,
            now: jiff::Timestamp::UNIX_EPOCH,
        };
        let mut fleet = crate::ops::load(&options).unwrap().fleet;
        let signer = of(&fleet).unwrap();
        let identities: Vec<&str> = signer.values().map(|signer| signer.identity).collect();
        assert_eq!(identities, ["capoci-user"], "two management clusters hold it");

        let cluster = fleet.clusters.values_mut().next().unwrap();
        let on = cluster.management_cluster.clone();
        cluster.identity = Some("another".to_owned());
        let manager = fleet.management_clusters.get_mut(&on).unwrap();
        let another = manager.identities["capoci-user"].clone();
        manager.identities.insert("another".to_owned(), another);
        let error = of(&fleet).unwrap_err().to_string();
        assert!(
            error.contains("`another`") && error.contains("`capoci-user`"),
            "{error}"
        );
    }
}
