//! JSON views: one document a command, with a versioned schema in `schemas/output/` (a test keeps those current).
//!
//! These types are the contract with programs; they are apart from the types that the stages use, so that those may
//! change. A field is never removed or given another meaning within a version.

mod admission;
mod apply;
mod disruption;
mod doctor;
mod explanation;
mod ignored;
mod plan;
mod status;
mod upgrade;
mod validation;

use schemars::JsonSchema;
use serde::Serialize;

pub use self::admission::{ADMISSION, AdmissionReport, CauseReport, DefaultReport, JudgedReport, admission};
pub use self::apply::{APPLY, ApplyReport, NotReadyReport, ResultReport, StepReport, apply, step};
pub use self::disruption::{
    CountReport, DisruptionReport, DisruptionTotals, PoolRolloutReport, disruption, disruption_totals,
};
pub use self::doctor::{DOCTOR, DoctorReport, FindingReport, doctor};
pub use self::explanation::{EXPLANATION, ExplainedReport, ExplanationReport, OriginReport, explanation};
pub use self::plan::{
    ChangeReport, FieldReport, HeldReport, NeedReport, PLAN, PlanReport, RefusalReport, Summary, TypedReport,
    WaitReport, plan,
};
pub use self::status::{ClusterReport, ObjectStatusReport, STATUS, StatusReport, SuspendedReport, SyncReport, status};
pub use self::upgrade::{PoolUpgradeReport, UpgradeReport, upgrade};
pub use self::validation::{KindReport, VALIDATION, ValidationReport, validation};
use crate::diag::{Diagnostic, Span};
use crate::plan::change::Action;
use crate::resource::{ResourceId, Target, UnitId};

/// A document of a known form and version.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Versioned<T> {
    /// What the document is: `fleetwright.dev/plan/v1`.
    #[serde(rename = "schema")]
    pub form: &'static str,
    /// Its contents.
    #[serde(flatten)]
    pub contents: T,
}

/// A unit of work.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UnitReport {
    /// `cluster`, `network`, `management`.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
}

/// An object.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObjectReport {
    /// `kubernetes`, `oci`.
    pub provider: &'static str,
    /// The management cluster, for Kubernetes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub management_cluster: Option<String>,
    /// API group; empty for core.
    pub group: String,
    /// Kind.
    pub kind: String,
    /// Namespace, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Name.
    pub name: String,
}

/// A place in the fleet files; absent as a whole where there is none.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlaceReport {
    /// File, relative to the fleet directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Line, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// Column in characters, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
}

/// The JSON view of a place.
pub fn place(span: Option<&Span>) -> PlaceReport {
    PlaceReport {
        file: span.map(|span| span.file.to_string()),
        line: span.map(|span| span.line),
        column: span.map(|span| span.column),
    }
}

/// A problem in the fleet files.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DiagnosticReport {
    /// The stable code, `FW0202`.
    pub code: &'static str,
    /// `error`, `warning`, `info`.
    pub severity: &'static str,
    /// What is wrong.
    pub message: String,
    /// Where.
    #[serde(flatten)]
    pub place: PlaceReport,
    /// What to do.
    pub hints: Vec<String>,
    /// The clusters that it holds up; empty for the whole fleet.
    pub clusters: Vec<String>,
}

/// The JSON view of diagnostics.
pub fn diagnostics(diagnostics: &[Diagnostic]) -> Vec<DiagnosticReport> {
    diagnostics
        .iter()
        .map(|diagnostic| DiagnosticReport {
            code: diagnostic.code.id(),
            severity: match diagnostic.severity {
                crate::diag::Severity::Error => "error",
                crate::diag::Severity::Warning => "warning",
                crate::diag::Severity::Info => "info",
            },
            message: diagnostic.message.clone(),
            place: place(diagnostic.span.as_ref()),
            hints: diagnostic.hints.clone(),
            clusters: diagnostic.clusters.clone(),
        })
        .collect()
}

/// The JSON view of a unit.
pub fn unit(unit: &UnitId) -> UnitReport {
    UnitReport {
        kind: unit.kind(),
        name: unit.name().to_owned(),
    }
}

/// The JSON view of an object.
pub fn object(id: &ResourceId) -> ObjectReport {
    let (provider, management_cluster) = match &id.target {
        Target::Oci => ("oci", None),
        Target::Kubernetes(name) => ("kubernetes", Some(name.to_string())),
    };
    ObjectReport {
        provider,
        management_cluster,
        group: id.group.clone(),
        kind: id.kind.clone(),
        namespace: id.namespace.clone(),
        name: id.name.clone(),
    }
}

/// An action's name.
pub fn action(action: Action) -> &'static str {
    match action {
        Action::Create => "create",
        Action::Update => "update",
        Action::Adopt => "adopt",
        Action::Delete => "delete",
        Action::Forget => "forget",
        Action::Leave => "leave",
    }
}
