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
}

/// Form and version of a check's findings.
pub const VALIDATION: &str = "fleetwright.dev/validation/v1";

/// The JSON view of a check of the fleet files.
pub fn validation(found: &[Diagnostic]) -> Versioned<ValidationReport> {
    Versioned {
        form: VALIDATION,
        contents: ValidationReport {
            diagnostics: diagnostics(found),
        },
    }
}
