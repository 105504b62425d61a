//! The JSON view of a check of the fleet files.

use schemars::JsonSchema;
use serde::Serialize;

use super::{DiagnosticReport, Versioned, diagnostics};
use crate::diag::Diagnostic;

/// What a check of the fleet files found.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ValidationReport {
    /// Every problem.
    pub diagnostics: Vec<DiagnosticReport>,
    /// Kinds of rendered objects that no definition is about, so that nothing was said of them.
    pub not_checked: Vec<KindReport>,
}

/// A kind.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KindReport {
    /// `group/version`, or `v1`.
    pub api_version: String,
    /// Kind.
    pub kind: String,
}

/// Form and version of a check's findings.
pub const VALIDATION: &str = "fleetwright.dev/validation/v1";

/// The JSON view of a check of the fleet files.
pub fn validation<'a>(
    found: &[Diagnostic],
    not_checked: impl Iterator<Item = (&'a str, &'a str)>,
) -> Versioned<ValidationReport> {
    Versioned {
        form: VALIDATION,
        contents: ValidationReport {
            diagnostics: diagnostics(found),
            not_checked: not_checked
                .map(|(api_version, kind)| KindReport {
                    api_version: api_version.to_owned(),
                    kind: kind.to_owned(),
                })
                .collect(),
        },
    }
}
