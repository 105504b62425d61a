//! The JSON view of an explanation.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::Versioned;
use crate::fleet::{Explained, Origin};

/// Where a cluster's values come from.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExplanationReport {
    /// The cluster.
    pub cluster: String,
    /// Its values, by field.
    pub values: Vec<ExplainedReport>,
}

/// One value.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExplainedReport {
    /// Dotted path in the terms of the fleet files.
    pub field: String,
    /// The value that counts; `null` where it was removed.
    pub value: Value,
    /// What set it.
    pub origin: OriginReport,
    /// What was overridden, the farthest layer first.
    pub overridden: Vec<OriginReport>,
}

/// A place that sets a value.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OriginReport {
    /// The layer.
    pub layer: &'static str,
    /// File, relative to the fleet directory.
    pub file: String,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// What it sets.
    pub value: Value,
}

/// Form and version of an explanation.
pub const EXPLANATION: &str = "fleetwright.dev/explanation/v1";

/// The JSON view of an explanation.
pub fn explanation(cluster: &str, explained: &[Explained]) -> Versioned<ExplanationReport> {
    let origin = |origin: &Origin| OriginReport {
        layer: origin.layer,
        file: origin.span.file.to_string(),
        line: origin.span.line,
        column: origin.span.column,
        value: origin.value.clone(),
    };
    let values = explained
        .iter()
        .map(|value| ExplainedReport {
            field: value.field.clone(),
            value: value.value.clone(),
            origin: origin(&value.origin),
            overridden: value.overridden.iter().map(origin).collect(),
        })
        .collect();
    Versioned {
        form: EXPLANATION,
        contents: ExplanationReport {
            cluster: cluster.to_owned(),
            values,
        },
    }
}
