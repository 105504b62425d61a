//! The JSON view of a plan.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::ignored::{self, IgnoredReport, NarrowedReport};
use super::{
    DiagnosticReport, DisruptionReport, DisruptionTotals, ObjectReport, UnitReport, UpgradeReport, Versioned, action,
    disruption, disruption_totals, object, unit, upgrade,
};
use crate::diag::Diagnostic;
use crate::plan::Plan;
use crate::plan::change::{Block, Change, FieldDiff, Preview, Reason};
use crate::plan::origins::{SetBy, TakenOut, Typed};
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
    /// Clusters on their way to another release, which takes steps.
    pub upgrades: Vec<UpgradeReport>,
    /// Units that are left alone.
    pub held: Vec<HeldReport>,
    /// What has to be there and is not made here, for what is about to be made.
    pub needs: Vec<NeedReport>,
    /// What all that goes ahead costs those who run on the clusters.
    pub disruption: DisruptionTotals,
    /// Differences that rules say to pass over.
    pub ignored: Vec<IgnoredReport>,
    /// What part of the plan this is; absent where it is all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub narrowed: Option<NarrowedReport>,
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
    /// Fields that differ and are passed over by rules.
    pub ignored: usize,
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
    /// `new`, `vanished`, `changed`, `drifted`, `sourceChanged`, `referenceChanged`, `found`, `unrecorded`, `removed`,
    /// `gone`, `moved`, `unseen`.
    pub reason: &'static str,
    /// How the fields are known: `predicted`, `confirmed` (by the server's dry-run), `server`, `document`.
    pub preview: &'static str,
    /// Field by field; of a secret only that it is there.
    pub fields: Vec<FieldReport>,
    /// What an upgrade makes of the object after that, by itself once it has come so far; absent where that is all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub later: Option<LaterReport>,
    /// What keeps it from being made; empty when it goes ahead.
    pub waits: Vec<WaitReport>,
    /// Where an object that is new in its unit is typed, or else the unit, of an object that is new; of one that goes with its unit, the line that lets go of that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub typed: Option<TypedReport>,
    /// What took it out of the files, of an object that goes while its cluster or network stays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub taken_out: Option<TakenOutReport>,
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
    /// Where the fleet files say so; absent where no single line does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub typed: Option<TypedReport>,
}

/// How an object left the files.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TakenOutReport {
    /// The commit; absent where nobody has committed it yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The first line of its message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The first of the object's lines that went, as the file was before; absent where no line of its cluster or network went.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub was: Option<PlaceReport>,
}

/// A line of a fleet file as it was.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlaceReport {
    /// Path relative to the fleet directory, with `/`.
    pub file: String,
    /// From 1.
    pub line: u32,
}

/// A line of the fleet files.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TypedReport {
    /// Path relative to the fleet directory, with `/`.
    pub file: String,
    /// From 1.
    pub line: u32,
    /// From 1.
    pub column: u32,
    /// The commit that set the line since the fleet was last applied; absent where the line is older, or is in no commit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The first line of that commit's message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
}

/// A field that follows in the steps of an upgrade.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LaterReport {
    /// The field.
    #[serde(flatten)]
    pub field: FieldReport,
    /// For what it waits.
    pub waits: String,
}

/// Why a change waits.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WaitReport {
    /// `guard`, `unknown`, `notManaged`, `conflict`, `dependency`, `terminating`, `invalid`, `precondition`,
    /// `upgrade`, `noProvider`.
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
    /// `yes`, `no` (missing, or does not fit), `unknown` (asked for, and not told), `unchecked`.
    pub met: &'static str,
    /// What was found; what of it does not fit; or why that is not known.
    pub why: Vec<String>,
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
                ignored: plan.ignored.len(),
                drift_only: plan.is_drift_only(),
            },
            changes: plan.changes.iter().map(|one| change(one, plan)).collect(),
            warnings: plan.warnings(),
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
            upgrades: plan
                .courses
                .iter()
                .map(|(unit, course)| upgrade(plan, unit, course))
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
                        Met::Unknown => "unknown",
                        Met::Unchecked => "unchecked",
                    },
                    why: need.why.clone(),
                    units: need.units.iter().map(unit).collect(),
                })
                .collect(),
            disruption: disruption_totals(&plan.forecast.totals),
            ignored: ignored::ignored(plan),
            narrowed: ignored::narrowed(plan),
            diagnostics: super::diagnostics(diagnostics),
        },
    }
}

/// The commit and its subject.
fn commit(by: &SetBy) -> Option<(String, String)> {
    match by {
        SetBy::Commit { id, subject } => Some((id.to_string(), subject.clone())),
        SetBy::Worktree => None,
    }
}

fn taken_out(taken_out: &TakenOut) -> TakenOutReport {
    let (commit, subject) = commit(&taken_out.by).unzip();
    let was = taken_out.was.as_ref().map(|was| PlaceReport {
        file: was.file.to_string(),
        line: was.line,
    });
    TakenOutReport { commit, subject, was }
}

fn typed(typed: &Typed) -> TypedReport {
    let (commit, subject) = typed.commit.as_ref().and_then(commit).unzip();
    TypedReport {
        file: typed.span.file.to_string(),
        line: typed.span.line,
        column: typed.span.column,
        commit,
        subject,
    }
}

fn field(field: &FieldDiff, change: &Change, plan: &Plan) -> FieldReport {
    FieldReport {
        field: field.field.clone(),
        before: field.before.clone(),
        after: field.after.clone(),
        manager: field.owner.as_ref().map(|owner| owner.manager.clone()),
        time: field.owner.as_ref().and_then(|owner| owner.time.clone()),
        typed: plan.origins.field(&change.id, &field.field).map(typed),
    }
}

fn change(change: &Change, plan: &Plan) -> ChangeReport {
    ChangeReport {
        disruption: plan.forecast.changes.get(&change.id).map(disruption),
        taken_out: plan.origins.taken_out.get(&change.id).map(taken_out),
        typed: match change.reason {
            Reason::New | Reason::Removed => {
                let of_object = plan.origins.objects.get(&change.id);
                of_object.or_else(|| plan.origins.units.get(&change.unit)).map(typed)
            }
            _ => None,
        },
        unit: unit(&change.unit),
        object: object(&change.id),
        action: action(change.action),
        reason: match change.reason {
            Reason::New => "new",
            Reason::Vanished => "vanished",
            Reason::Changed => "changed",
            Reason::Drifted => "drifted",
            Reason::SourceChanged => "sourceChanged",
            Reason::ReferenceChanged => "referenceChanged",
            Reason::Found => "found",
            Reason::Unrecorded => "unrecorded",
            Reason::Removed => "removed",
            Reason::Ended => "ended",
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
        fields: change.fields.iter().map(|one| field(one, change, plan)).collect(),
        later: change.later.as_deref().map(|later| LaterReport {
            field: field(&later.field, change, plan),
            waits: later.after.clone(),
        }),
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
                    Block::Upgrade { .. } => "upgrade",
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
