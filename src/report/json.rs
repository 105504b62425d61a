//! JSON views: one document a command, with a versioned schema in `schemas/output/` (a test keeps those current).
//!
//! These types are the contract with programs; they are apart from the types that the stages use, so that those may
//! change. A field is never removed or given another meaning within a version.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::plan_text::{BlockText, Totals};
use super::status_text::{self, ClusterStatus};
use crate::apply::{ChangeResult, Outcome};
use crate::diag::Diagnostic;
use crate::fleet::{Explained, Origin};
use crate::plan::Plan;
use crate::plan::preconditions::Met;
use crate::plan::change::{Action, Block, Change, Preview, Reason};
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
    /// What guards refuse.
    pub refusals: Vec<RefusalReport>,
    /// Units that are left alone.
    pub held: Vec<HeldReport>,
    /// What has to be there and is not made here, for what is about to be made.
    pub needs: Vec<NeedReport>,
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
    /// `new`, `vanished`, `changed`, `drifted`, `sourceChanged`, `found`, `removed`, `gone`, `moved`, `unseen`.
    pub reason: &'static str,
    /// How the fields are known: `predicted`, `confirmed` (by the server's dry-run), `server`, `document`.
    pub preview: &'static str,
    /// Field by field; secrets are keyed digests.
    pub fields: Vec<FieldReport>,
    /// What keeps it from being made; empty when it goes ahead.
    pub waits: Vec<WaitReport>,
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
    /// File, relative to the fleet directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Line, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// Column in characters, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
    /// What to do.
    pub hints: Vec<String>,
    /// The clusters that it holds up; empty for the whole fleet.
    pub clusters: Vec<String>,
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
            changes: plan.changes.iter().map(change).collect(),
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
            diagnostics: self::diagnostics(diagnostics),
        },
    }
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
            file: diagnostic.span.as_ref().map(|span| span.file.to_string()),
            line: diagnostic.span.as_ref().map(|span| span.line),
            column: diagnostic.span.as_ref().map(|span| span.column),
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

fn change(change: &Change) -> ChangeReport {
    ChangeReport {
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
                    Block::NoProvider => "noProvider",
                },
                message: BlockText(block).to_string(),
            })
            .collect(),
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

/// What an apply came to.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApplyReport {
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

/// The JSON view of an apply.
pub fn apply(made: &Plan, outcome: &Outcome, diagnostics: &[Diagnostic]) -> Versioned<ApplyReport> {
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
    Versioned {
        form: APPLY,
        contents: ApplyReport {
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
                .map(|error| super::chain(error))
                .collect(),
        },
    }
}

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

/// The state of the clusters in scope.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StatusReport {
    /// By name.
    pub clusters: Vec<ClusterReport>,
}

/// One cluster's state.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterReport {
    /// Its name.
    pub name: String,
    /// Where its control plane is.
    pub management_cluster: String,
    /// Whether its HostedCluster and all of its NodePools are ready.
    pub ready: bool,
    /// Changes that a plan would show.
    pub pending: usize,
    /// Its HostedCluster and NodePools.
    pub objects: Vec<ObjectStatusReport>,
}

/// One object's state.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObjectStatusReport {
    /// The object.
    pub object: ObjectReport,
    /// `ready`, `in progress`, `failed`, `terminating`, `absent`, `unknown`.
    pub state: &'static str,
    /// What it says of itself; empty when it is ready.
    pub message: String,
    /// The version that it runs, where it says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// Form and version of the clusters' state.
pub const STATUS: &str = "fleetwright.dev/status/v1";

/// The JSON view of the clusters' state.
pub fn status(clusters: &[ClusterStatus]) -> Versioned<StatusReport> {
    let clusters = clusters
        .iter()
        .map(|cluster| ClusterReport {
            name: cluster.unit.name().to_owned(),
            management_cluster: cluster.management_cluster.to_string(),
            ready: cluster.is_ready(),
            pending: cluster.pending,
            objects: cluster
                .objects
                .iter()
                .map(|status| ObjectStatusReport {
                    object: object(&status.id),
                    state: status_text::word(status),
                    message: status_text::says(status),
                    version: status.version.clone(),
                })
                .collect(),
        })
        .collect();
    Versioned {
        form: STATUS,
        contents: StatusReport { clusters },
    }
}

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
