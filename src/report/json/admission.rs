//! The JSON view of what an API server would say of objects.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::{DiagnosticReport, Versioned, diagnostics};
use crate::diag::Diagnostic;
use crate::report::admission::{self, Count, Judged, Remark};
use crate::schema::admission::Verdict;

/// What an API server would say of objects.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AdmissionReport {
    /// Objects that it would take.
    pub admitted: usize,
    /// Objects that it would not take.
    pub rejected: usize,
    /// Objects of kinds that no definition is about.
    pub not_checked: usize,
    /// Objects of kinds whose definition can't be used.
    pub failed: usize,
    /// Each object, in order of files and places.
    pub objects: Vec<JudgedReport>,
    /// What could not be read.
    pub diagnostics: Vec<DiagnosticReport>,
}

/// One object.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JudgedReport {
    /// File, as it was given.
    pub file: String,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// `group/version`, or `v1`.
    pub api_version: String,
    /// Kind.
    pub kind: String,
    /// Namespace, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Name; empty where it has none.
    pub name: String,
    /// `create`, `update`.
    pub operation: &'static str,
    /// `admitted`, `rejected`, `notChecked`, `failed`.
    pub verdict: &'static str,
    /// The server's whole message, or why there is no verdict.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What is said of single fields.
    pub causes: Vec<CauseReport>,
    /// What the server's answer would warn of.
    pub warnings: Vec<String>,
    /// Fields that would not be stored.
    pub dropped: Vec<String>,
    /// Fields that would be filled in.
    pub defaulted: Vec<DefaultReport>,
}

/// What is said of a field.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CauseReport {
    /// `FieldValueInvalid` and the like, as in a server's answer; absent for unknown and repeated fields.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    /// The field, as the server writes it.
    pub field: String,
    /// What is said of it, in the server's words.
    pub message: String,
    /// File, as it was given.
    pub file: String,
    /// Line, from 1: the field's, or that of the nearest one above it that is written down.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

/// A field that would be filled in.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DefaultReport {
    /// The field.
    pub field: String,
    /// With what.
    pub value: Value,
}

/// Form and version of verdicts.
pub const ADMISSION: &str = "fleetwright.dev/admission/v1";

/// The JSON view of what an API server would say of objects.
pub fn admission(all: &[Judged], problems: &[Diagnostic]) -> Versioned<AdmissionReport> {
    let Count {
        admitted,
        rejected,
        not_checked,
        failed,
    } = Count::of(all);
    Versioned {
        form: ADMISSION,
        contents: AdmissionReport {
            admitted,
            rejected,
            not_checked,
            failed,
            objects: all.iter().map(judged).collect(),
            diagnostics: diagnostics(problems),
        },
    }
}

fn judged(judged: &Judged) -> JudgedReport {
    let (verdict, message) = match &judged.verdict {
        Verdict::Admitted(_) => ("admitted", None),
        Verdict::Rejected { why, .. } => ("rejected", Some(why.to_string())),
        Verdict::NotServed(served) => ("rejected", Some(admission::no_match(judged, served))),
        Verdict::NotChecked => (
            "notChecked",
            Some(admission::why_not_checked(&judged.api_version).to_owned()),
        ),
        Verdict::Broken(why) => ("failed", Some(format!("its definition can't be used: {why}"))),
    };
    let effect = match &judged.verdict {
        Verdict::Admitted(effect) => Some(effect),
        _ => None,
    };
    JudgedReport {
        file: judged.place.file.to_string(),
        line: judged.place.line,
        column: judged.place.column,
        api_version: judged.api_version.clone(),
        kind: judged.kind.clone(),
        namespace: Some(judged.namespace.clone()).filter(|namespace| !namespace.is_empty()),
        name: judged.name.clone(),
        operation: if judged.is_update { "update" } else { "create" },
        verdict,
        message,
        causes: match effect {
            Some(_) => Vec::new(),
            None => judged.remarks.iter().map(cause).collect(),
        },
        warnings: effect.map(|effect| effect.warnings.clone()).unwrap_or_default(),
        dropped: effect.map(|effect| effect.dropped.clone()).unwrap_or_default(),
        defaulted: admission::defaults(judged)
            .into_iter()
            .map(|(field, value)| DefaultReport {
                field: field.to_owned(),
                value: value.clone(),
            })
            .collect(),
    }
}

fn cause(remark: &Remark) -> CauseReport {
    CauseReport {
        reason: Some(remark.reason).filter(|reason| !reason.is_empty()),
        field: remark.field.clone(),
        message: remark.message.clone(),
        file: remark.place.file.to_string(),
        line: remark.place.line,
        column: remark.place.column,
    }
}
