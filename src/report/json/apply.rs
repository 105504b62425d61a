//! The JSON view of an apply.

use schemars::JsonSchema;
use serde::Serialize;

use super::{ObjectReport, PlanReport, Versioned, action, object, plan};
use crate::apply::{ChangeResult, Outcome};
use crate::diag::Diagnostic;
use crate::plan::Plan;

/// What an apply came to.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApplyReport {
    /// The only step, or the last one.
    #[serde(flatten)]
    pub last: StepReport,
    /// With `--wait`, the steps of upgrades that were taken before that, in order; empty where there was but one.
    pub steps_before: Vec<StepReport>,
}

/// What one step of an apply came to.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StepReport {
    /// The plan that was applied.
    pub plan: PlanReport,
    /// What came of the changes that were tried.
    pub results: Vec<ResultReport>,
    /// What was written and did not become ready in time.
    pub not_ready: Vec<NotReadyReport>,
    /// Errors in keeping the inventories; the next run mends them.
    pub inventory_errors: Vec<String>,
}

/// What came of one change.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResultReport {
    /// The object.
    pub object: ObjectReport,
    /// What was to be done.
    pub action: &'static str,
    /// `done`, `deleting`, `failed`, `skipped`, `interrupted`.
    pub result: &'static str,
    /// Why, where it was not done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// An object that is not ready.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NotReadyReport {
    /// The object.
    pub object: ObjectReport,
    /// What it said last.
    pub message: String,
}

/// Form and version of an apply's outcome.
pub const APPLY: &str = "fleetwright.dev/apply/v1";

/// The JSON view of an apply, after these steps.
pub fn apply(last: StepReport, steps_before: Vec<StepReport>) -> Versioned<ApplyReport> {
    Versioned {
        form: APPLY,
        contents: ApplyReport { last, steps_before },
    }
}

/// The JSON view of one step.
pub fn step(made: &Plan, outcome: &Outcome, diagnostics: &[Diagnostic]) -> StepReport {
    let results = made
        .changes
        .iter()
        .zip(&outcome.results)
        .filter_map(|(change, result)| {
            let (result, message) = match result.as_ref()? {
                ChangeResult::Done => ("done", None),
                ChangeResult::Deleting => ("deleting", None),
                ChangeResult::Failed { message } => ("failed", Some(message.clone())),
                ChangeResult::Skipped { needs } => ("skipped", Some(format!("it needs {needs}, which failed"))),
                ChangeResult::Interrupted => ("interrupted", None),
            };
            Some(ResultReport {
                object: object(&change.id),
                action: action(change.action),
                result,
                message,
            })
        })
        .collect();
    StepReport {
        plan: plan(made, diagnostics).contents,
        results,
        not_ready: outcome
            .not_ready
            .iter()
            .map(|(id, message)| NotReadyReport {
                object: object(id),
                message: message.clone(),
            })
            .collect(),
        inventory_errors: outcome
            .inventory_errors
            .iter()
            .map(|error| crate::report::chain(error))
            .collect(),
    }
}
