//! The JSON view of a plan.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::{
    DiagnosticReport, DisruptionReport, DisruptionTotals, ObjectReport, UnitReport, Versioned, action, disruption,
    disruption_totals, object, unit,
};
use crate::diag::Diagnostic;
use crate::plan::Plan;
use crate::plan::change::{Block, Change, Preview, Reason};
use crate::plan::guards;
use crate::plan::preconditions::Met;
use crate::report::plan_text::{BlockText, Totals};

/// A plan.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanReport {
    /// The Git commit, or `worktree:<digest>`.
    pub revision: String,
    /// Counts.
    pub summary: Summary,
    /// Everything that is not as it should be, by unit and object.
    pub changes: Vec<ChangeReport>,
    /// What is let through, and should be known before.
    pub warnings: Vec<String>,
    /// What guards refuse.
    pub refusals: Vec<RefusalReport>,
    /// Units that are left alone.
    pub held: Vec<HeldReport>,
    /// What has to be there and is not made here, for what is about to be made.
    pub needs: Vec<NeedReport>,
    /// What all that goes ahead costs those who run on the clusters.
    pub disruption: DisruptionTotals,
    /// Problems in the fleet files.
    pub diagnostics: Vec<DiagnosticReport>,
}

/// Counts of a plan.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Objects to create.
    pub create: usize,
    /// Objects to update.
    pub update: usize,
    /// Objects to adopt.
    pub adopt: usize,
    /// Objects to delete.
    pub delete: usize,
    /// Objects that are gone already.
    pub forget: usize,
    /// Changes that wait.
    pub waiting: usize,
    /// Objects that are as they should be.
    pub unchanged: usize,
    /// Whether all there is to change moved by itself.
    pub drift_only: bool,
}

/// One change.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChangeReport {
    /// The unit.
    pub unit: UnitReport,
    /// The object.
    pub object: ObjectReport,
    /// `create`, `update`, `adopt`, `delete`, `forget`, `leave`.
    pub action: &'static str,
    /// `new`, `vanished`, `changed`, `drifted`, `sourceChanged`, `found`, `unrecorded`, `removed`, `gone`, `moved`, `unseen`.
    pub reason: &'static str,
    /// How the fields are known: `predicted`, `confirmed` (by the server's dry-run), `server`, `document`.
    pub preview: &'static str,
    /// Field by field; secrets are keyed digests.
    pub fields: Vec<FieldReport>,
    /// What keeps it from being made; empty when it goes ahead.
    pub waits: Vec<WaitReport>,
    /// What it costs those who run on the cluster; absent where nobody would notice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disruption: Option<DisruptionReport>,
}

/// One field's way.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FieldReport {
    /// `.spec.replicas`.
    pub field: String,
    /// What it is now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// What it will be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
    /// Who set the present value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manager: Option<String>,
    /// When, RFC 3339, where recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
}

/// Why a change waits.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WaitReport {
    /// `guard`, `unknown`, `notManaged`, `conflict`, `dependency`, `terminating`, `invalid`, `precondition`,
    /// `noProvider`.
    pub by: &'static str,
    /// In words.
    pub message: String,
}

/// A guard's No.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RefusalReport {
    /// The guard.
    pub guard: &'static str,
    /// Why.
    pub message: String,
    /// How it is lifted.
    pub lift: String,
    /// What it covers.
    pub objects: Vec<ObjectReport>,
}

/// A unit that is left alone.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HeldReport {
    /// The unit.
    pub unit: UnitReport,
    /// Why.
    pub reason: String,
}

/// Something that has to be there.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NeedReport {
    /// In words.
    pub what: String,
    /// `yes`, `no`, `unchecked`.
    pub met: &'static str,
    /// Who needs it.
    pub units: Vec<UnitReport>,
}

/// Form and version of a plan.
pub const PLAN: &str = "fleetwright.dev/plan/v1";

/// The JSON view of a plan.
pub fn plan(plan: &Plan, diagnostics: &[Diagnostic]) -> Versioned<PlanReport> {
    let totals = Totals::of(plan);
    Versioned {
        form: PLAN,
        contents: PlanReport {
            revision: plan.revised.revision.to_string(),
            summary: Summary {
                create: totals.create,
                update: totals.update,
                adopt: totals.adopt,
                delete: totals.delete,
                forget: totals.forget,
                waiting: totals.waiting,
                unchanged: totals.unchanged,
                drift_only: plan.is_drift_only(),
            },
            changes: plan.changes.iter().map(|one| change(one, plan)).collect(),
            warnings: guards::warnings(&plan.changes),
            refusals: plan
                .refusals
                .iter()
                .map(|refusal| RefusalReport {
                    guard: refusal.guard,
                    message: refusal.message.clone(),
                    lift: refusal.lift.clone(),
                    objects: refusal.objects.iter().map(object).collect(),
                })
                .collect(),
            held: plan
                .held
                .iter()
                .map(|held| HeldReport {
                    unit: unit(&held.unit),
                    reason: held.reason.clone(),
                })
                .collect(),
            needs: plan
                .needs
                .iter()
                .map(|need| NeedReport {
                    what: need.what.clone(),
                    met: match need.met {
                        Met::Yes => "yes",
                        Met::No => "no",
                        Met::Unchecked => "unchecked",
                    },
                    units: need.units.iter().map(unit).collect(),
                })
                .collect(),
            disruption: disruption_totals(&plan.forecast.totals),
            diagnostics: super::diagnostics(diagnostics),
        },
    }
}

fn change(change: &Change, plan: &Plan) -> ChangeReport {
    ChangeReport {
        disruption: plan.forecast.changes.get(&change.id).map(disruption),
        unit: unit(&change.unit),
        object: object(&change.id),
        action: action(change.action),
        reason: match change.reason {
            Reason::New => "new",
            Reason::Vanished => "vanished",
            Reason::Changed => "changed",
            Reason::Drifted => "drifted",
            Reason::SourceChanged => "sourceChanged",
            Reason::Found => "found",
            Reason::Unrecorded => "unrecorded",
            Reason::Removed => "removed",
            Reason::Gone => "gone",
            Reason::Moved => "moved",
            Reason::Unseen => "unseen",
        },
        preview: match change.preview {
            Preview::Predicted => "predicted",
            Preview::Confirmed => "confirmed",
            Preview::Server => "server",
            Preview::Document => "document",
        },
        fields: change
            .fields
            .iter()
            .map(|field| FieldReport {
                field: field.field.clone(),
                before: field.before.clone(),
                after: field.after.clone(),
                manager: field.owner.as_ref().map(|owner| owner.manager.clone()),
                time: field.owner.as_ref().and_then(|owner| owner.time.clone()),
            })
            .collect(),
        waits: change
            .blocks
            .iter()
            .map(|block| WaitReport {
                by: match block {
                    Block::Guard { .. } => "guard",
                    Block::Unknown { .. } => "unknown",
                    Block::NotManaged => "notManaged",
                    Block::Conflict { .. } => "conflict",
                    Block::Dependency { .. } => "dependency",
                    Block::Terminating { .. } => "terminating",
                    Block::Invalid { .. } => "invalid",
                    Block::Precondition { .. } => "precondition",
                    Block::LeftAlone { .. } => "leftAlone",
                    Block::Contested { .. } => "contested",
                    Block::Ignored => "ignored",
                    Block::NoProvider => "noProvider",
                },
                message: BlockText(block).to_string(),
            })
            .collect(),
    }
}
