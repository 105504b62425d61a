//! `explain`: where each value of a cluster comes from.

use super::load::{LoadedFleet, did_you_mean};
use crate::fleet::{Explained, explain as explain_cluster};
use crate::resource::ClusterName;

/// Why there is nothing to explain.
#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    /// No such cluster.
    #[error("there is no cluster `{name}` in the fleet files{hint}")]
    NoCluster {
        /// As typed.
        name: String,
        /// `; did you mean …?`
        hint: String,
    },
    /// No layer sets it.
    #[error("no layer sets `{field}` for cluster `{name}`; without a field, all that is set is shown")]
    NoField {
        /// As typed.
        field: String,
        /// The cluster.
        name: String,
    },
}

/// A cluster's values, or those at and below one field.
///
/// # Errors
/// Where there is no such cluster or field.
pub fn explain(loaded: &LoadedFleet, cluster: &str, field: Option<&str>) -> Result<Vec<Explained>, ExplainError> {
    let Some(explained) = explain_cluster(&loaded.loaded, cluster, field) else {
        let names = loaded.fleet.clusters.keys().chain(&loaded.fleet.failed);
        let hint = did_you_mean(cluster, names.map(ClusterName::as_str));
        return Err(ExplainError::NoCluster {
            name: cluster.to_owned(),
            hint,
        });
    };
    match field {
        Some(field) if explained.is_empty() => Err(ExplainError::NoField {
            field: field.to_owned(),
            name: cluster.to_owned(),
        }),
        _ => Ok(explained),
    }
}
