//! The JSON view of an examination.

use schemars::JsonSchema;
use serde::Serialize;

use super::Versioned;
use crate::report::doctor_text::{self, Finding};

/// What an examination found.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DoctorReport {
    /// Whether nothing failed.
    pub well: bool,
    /// Every check.
    pub findings: Vec<FindingReport>,
}

/// One check.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FindingReport {
    /// `files`, `git`, `connection`, `version`, `clock`, `rights`, `kinds`, `inventory`, `credentials`.
    pub check: &'static str,
    /// The management cluster, or the region of OCI; left out for what is in one place only.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub subject: String,
    /// `ok`, `warn`, `fail`.
    pub verdict: &'static str,
    /// What was found.
    pub message: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// Form and version of an examination.
pub const DOCTOR: &str = "fleetwright.dev/doctor/v1";

/// The JSON view of an examination.
pub fn doctor(findings: &[Finding]) -> Versioned<DoctorReport> {
    Versioned {
        form: DOCTOR,
        contents: DoctorReport {
            well: doctor_text::is_well(findings),
            findings: findings
                .iter()
                .map(|finding| FindingReport {
                    check: finding.check,
                    subject: finding.subject.clone(),
                    verdict: finding.verdict.word(),
                    message: finding.message.clone(),
                    hint: finding.hint.clone(),
                })
                .collect(),
        },
    }
}
