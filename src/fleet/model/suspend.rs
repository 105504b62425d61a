//! What is not to be written for a while.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use crate::diag::Span;
use crate::resource::{ClusterName, EnvironmentName};

/// A stop to all writing, for a reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Suspend {
    /// Why, as typed.
    pub reason: String,
    /// When it ends by itself; none: when it is taken out of the files. One that is past has no effect.
    pub until: Option<Timestamp>,
    /// Where it was typed.
    #[serde(skip)]
    pub span: Span,
}

/// Those of the fleet files. Each holds by itself: a cluster's does not lift its environment's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Suspensions {
    /// Of everything.
    pub fleet: Option<Suspend>,
    /// Of the clusters of an environment.
    pub environments: BTreeMap<EnvironmentName, Suspend>,
    /// Of a cluster.
    pub clusters: BTreeMap<ClusterName, Suspend>,
}
