//! The `Fleet` document.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::ignore::Ignore;
use super::{CountOrPercent, Settings};

/// The fleet: what holds for all of it.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(in crate::fleet) struct FleetSpec {
    /// What every cluster has unless a nearer layer says otherwise.
    pub(in crate::fleet) defaults: Option<Settings>,
    /// What clusters of a region have, by region id; nearer than `defaults`.
    pub(in crate::fleet) regions: Option<BTreeMap<String, Settings>>,
    /// Names for compartments, each an OCID or a path `parent/child`, so that other files need neither.
    pub(in crate::fleet) compartments: Option<BTreeMap<String, String>>,
    /// Where address blocks for managed networks come from.
    pub(in crate::fleet) addresses: Option<Addresses>,
    /// Caps on what one run may do.
    pub(in crate::fleet) limits: Option<Limits>,
    /// Who wins where another field manager owns a field; the first rule that matches counts.
    pub(in crate::fleet) conflicts: Option<Vec<ConflictRule>>,
    /// What the daemon does when an object is changed behind its back; the first rule that matches counts, else `--drift`.
    pub(in crate::fleet) drift: Option<Vec<DriftRule>>,
    /// What of live objects is left as it is, whatever the files say: by a plan, by an apply and by the daemon.
    pub(in crate::fleet) ignore: Option<Ignore>,
    /// Units that may be deleted although they are protected.
    pub(in crate::fleet) decommission: Option<Vec<Decommission>>,
    /// Rules that somebody decided not to follow, and why.
    pub(in crate::fleet) waivers: Option<Vec<Waiver>>,
    /// Nothing of the fleet is written or deleted for a while.
    pub(in crate::fleet) suspend: Option<Suspend>,
    /// Numbers that some rules compare with.
    pub(in crate::fleet) thresholds: Option<Thresholds>,
}

/// Where address blocks come from.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::fleet) struct Addresses {
    /// One range a region, by region id.
    pub(in crate::fleet) pools: BTreeMap<String, String>,
    /// Prefix length of one cluster's block.
    #[serde(default = "per_cluster")]
    #[schemars(range(min = 16, max = 24))]
    pub(in crate::fleet) per_cluster: u8,
    /// Ranges that are never handed out, because something else uses them.
    #[serde(default)]
    pub(in crate::fleet) exclude: Vec<String>,
}

fn per_cluster() -> u8 {
    20
}

/// Caps on what one run may do.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::fleet) struct Limits {
    /// Objects that one run may delete: a count, or a percentage such as `5%`.
    pub(in crate::fleet) deletes: Option<CountOrPercent>,
    /// Nodes that one run, and all runs of a day together, may replace, update with a reboot or take away: a count, or a
    /// percentage of the nodes that the fleet's pools ask for. Those of clusters that are listed under `decommission` don't
    /// count. No cap where absent.
    pub(in crate::fleet) disrupted_nodes: Option<CountOrPercent>,
}

/// What to do where another manager owns a field.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::fleet) enum OnConflict {
    /// Take the field.
    Force,
    /// Leave the field to the other.
    Yield,
    /// Leave the object alone and report.
    Fail,
}

/// Who wins where another field manager owns a field. What is absent matches everything.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::fleet) struct ConflictRule {
    /// The object's kind.
    pub(in crate::fleet) kind: Option<String>,
    /// A dotted field path; it matches itself and all below it.
    pub(in crate::fleet) field: Option<String>,
    /// The other manager's name.
    pub(in crate::fleet) manager: Option<String>,
    /// What to do.
    pub(in crate::fleet) action: OnConflict,
}

/// What the daemon does about drift.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::fleet) enum DriftAction {
    /// Pass it over.
    Off,
    /// Report it, and leave the object as it is.
    Report,
    /// Mend it.
    Correct,
}

/// What the daemon does about drift of some objects. What is absent matches everything.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::fleet) struct DriftRule {
    /// The object's kind.
    pub(in crate::fleet) kind: Option<String>,
    /// The object's name.
    pub(in crate::fleet) name: Option<String>,
    /// The cluster that it belongs to.
    pub(in crate::fleet) cluster: Option<String>,
    /// A dotted field path; it matches itself and all below it.
    pub(in crate::fleet) field: Option<String>,
    /// What to do.
    pub(in crate::fleet) action: DriftAction,
}

/// Leave to delete something protected; one of `cluster` and `network`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::fleet) struct Decommission {
    /// A cluster.
    pub(in crate::fleet) cluster: Option<String>,
    /// A network.
    pub(in crate::fleet) network: Option<String>,
    /// A management cluster that leaves the files. What the fleet still has there stays as it is: nobody can look at it any more.
    pub(in crate::fleet) management: Option<String>,
    /// Why.
    #[schemars(length(min = 1))]
    pub(in crate::fleet) reason: String,
}

/// A rule that somebody decided not to follow.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::fleet) struct Waiver {
    /// The rule's id, as its diagnostic names it. `vanished` lets what has vanished from OCI be made again: of the one
    /// cluster, network or management cluster that is named, and until a day.
    pub(in crate::fleet) rule: String,
    /// The cluster; all of them where absent.
    pub(in crate::fleet) cluster: Option<String>,
    /// A network; of `vanished` alone.
    pub(in crate::fleet) network: Option<String>,
    /// A management cluster; of `vanished` alone.
    pub(in crate::fleet) management_cluster: Option<String>,
    /// Why.
    #[schemars(length(min = 1))]
    pub(in crate::fleet) reason: String,
    /// The last day on which it holds, `2027-03-31`.
    #[schemars(regex(pattern = r"^\d{4}-\d{2}-\d{2}$"))]
    pub(in crate::fleet) until: Option<String>,
}

/// A stop to all writing: what it is about is looked at and reported, and nothing of it is written or deleted.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::fleet) struct Suspend {
    /// Why.
    #[schemars(length(min = 1))]
    pub(in crate::fleet) reason: String,
    /// When it ends by itself, `2027-01-31T12:00:00Z`; when it is taken out where absent.
    #[schemars(regex(pattern = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(Z|[+-]\d{2}:\d{2})$"))]
    pub(in crate::fleet) until: Option<String>,
}

/// Numbers that some rules compare with.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(in crate::fleet) struct Thresholds {
    /// Hosted clusters of one management cluster above which a warning is due; 80.
    pub(in crate::fleet) hosted_clusters_warn: Option<u32>,
    /// Hosted clusters of one management cluster above which it is an error; 100.
    pub(in crate::fleet) hosted_clusters_most: Option<u32>,
    /// Node pools of one cluster above which a warning is due; 100.
    pub(in crate::fleet) node_pools_warn: Option<u32>,
    /// Workers of one cluster above which a warning is due; 500.
    pub(in crate::fleet) workers_warn: Option<u32>,
    /// Highly available control planes on each three nodes above which a warning is due; 21.
    pub(in crate::fleet) control_planes_per_three_nodes: Option<u32>,
    /// Control planes on a compact management cluster above which a warning is due; 3.
    pub(in crate::fleet) control_planes_compact: Option<u32>,
    /// VCNs of one region above which a warning is due; 50.
    pub(in crate::fleet) networks_per_region: Option<u32>,
    /// Networks peered with one management cluster in its region above which a warning is due; 10.
    pub(in crate::fleet) local_peerings: Option<u32>,
}
