//! What of live objects is left as it is, whatever the files say.

use std::fmt;

use serde::Serialize;

use crate::diag::{Span, Typed};
use crate::resource::{ClusterName, Pointer, ResourceId, UnitId};

/// All rules, those of the Fleet document before those of this program.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Ignore {
    /// The rules.
    pub rules: Vec<IgnoreRule>,
    /// Whether a rule can't be followed: then nobody knows what is to be left as it is, and nothing is written.
    pub is_broken: bool,
}

/// One rule. What is absent matches everything; of `pointer` and `manager` there is at least one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IgnoreRule {
    /// Where it comes from.
    pub source: RuleSource,
    /// The object's kind.
    pub kind: Option<String>,
    /// The object's name.
    pub name: Option<String>,
    /// The cluster that it belongs to.
    pub cluster: Option<ClusterName>,
    /// The fields: those that it leads to and all below.
    pub pointer: Option<Pointer>,
    /// Only what this field manager owns.
    pub manager: Option<String>,
}

/// Where a rule comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum RuleSource {
    /// The Fleet document.
    Typed(#[serde(skip)] Typed),
    /// This program, under a name. Such a rule is about what controllers wrote, never about what people did.
    BuiltIn(&'static str),
    /// A field that somebody writes again as often as it is mended. No file has it: it ends by itself.
    Contested {
        /// The field, as reports show it.
        field: String,
        /// Who was seen to write it.
        manager: String,
    },
}

impl RuleSource {
    /// Its place in the files.
    pub fn span(&self) -> Option<&Span> {
        match self {
            Self::Typed(typed) => typed.0.as_ref(),
            Self::BuiltIn(_) | Self::Contested { .. } => None,
        }
    }
}

impl fmt::Display for RuleSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Typed(Typed(Some(span))) => span.fmt(f),
            Self::Typed(Typed(None)) => f.write_str("the Fleet document"),
            Self::BuiltIn(id) => write!(f, "built-in {id}"),
            Self::Contested { manager, .. } => write!(f, "written again by {manager} as often as it is mended"),
        }
    }
}

impl IgnoreRule {
    /// Whether it is about an object.
    pub fn is_about(&self, id: &ResourceId, unit: &UnitId) -> bool {
        let is = |wanted: &Option<String>, there: &str| wanted.as_deref().is_none_or(|wanted| wanted == there);
        let of_cluster = match (&self.cluster, unit) {
            (None, _) => true,
            (Some(wanted), UnitId::Cluster(name)) => wanted == name,
            (Some(_), UnitId::ManagementCluster(_) | UnitId::Network(_)) => false,
        };
        is(&self.kind, &id.kind) && is(&self.name, &id.name) && of_cluster
    }
}
